package control

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/daybook-audit/daybook"
)

// Kinds of the documents of the portal. Both stand under the empty org, under the SHA-256 of what opens them: the text itself is kept
// nowhere.
const (
	kindPortalLink    = "portal_link"
	kindPortalSession = "portal_session"
)

// How long a link opens the portal, and how long what it has opened stays open.
const (
	PortalLinkFor    = 5 * time.Minute
	PortalSessionFor = time.Hour
)

// PortalLink is what a link to the portal opens: the log of one organization, to be read and exported.
type PortalLink struct {
	Org       daybook.OrgID `json:"org"`
	KeyID     string        `json:"key"`  // that made it
	Key       string        `json:"hash"` // of its text, in hex: what is opened ends with the key
	ReturnURL string        `json:"return_url,omitempty"`
	ExpiresAt int64         `json:"expires_at"` // µs since 1970
	Used      bool          `json:"used,omitempty"`
}

// PortalSession is an opened portal.
type PortalSession struct {
	ID        string        `json:"id"` // for the log: it opens nothing
	Org       daybook.OrgID `json:"org"`
	KeyID     string        `json:"key"`
	Key       string        `json:"hash"`
	ReturnURL string        `json:"return_url,omitempty"`
	ExpiresAt int64         `json:"expires_at"`
}

// Portal keeps links and sessions. Safe for concurrent use.
type Portal struct {
	docs daybook.Documents
	keys *Keys
	now  func() time.Time
}

// NewPortal returns what is kept in docs; keys says whether the key behind a link still holds.
func NewPortal(docs daybook.Documents, keys *Keys, now func() time.Time) *Portal {
	return &Portal{docs: docs, keys: keys, now: now}
}

// CreateLink makes a link for PortalLinkFor, durable on return, and returns its secret, which is kept nowhere. It also forgets what has
// expired.
func (p *Portal) CreateLink(ctx context.Context, l PortalLink) (secret string, err error) {
	if err := p.forget(ctx); err != nil {
		return "", err
	}
	l.ExpiresAt, l.Used = p.now().Add(PortalLinkFor).UnixMicro(), false
	secret, id := newPortalSecret()
	_, err = create(ctx, p.docs, kindPortalLink, id, l)
	return secret, err
}

// Link returns what a link would open, without using it up; ErrNotFound when it is unknown, used or expired.
func (p *Portal) Link(ctx context.Context, secret string) (PortalLink, error) {
	var l PortalLink
	if _, err := p.get(ctx, kindPortalLink, secret, &l); err != nil {
		return l, err
	}
	if l.Used {
		return l, ErrNotFound
	}
	return l, p.holds(ctx, l.ExpiresAt, l.Key)
}

// Open uses a link up and opens a session for PortalSessionFor. opened is told of it when the link is used up and nothing is open yet; its
// error opens nothing. A crash in between leaves a link that opens nothing any more: there are others to be had.
func (p *Portal) Open(ctx context.Context, secret string, opened func(context.Context, PortalSession) error) (cookie string, s PortalSession, err error) {
	var l PortalLink
	d, err := p.get(ctx, kindPortalLink, secret, &l)
	if err == nil && l.Used {
		err = ErrNotFound
	}
	if err == nil {
		err = p.holds(ctx, l.ExpiresAt, l.Key)
	}
	if err != nil {
		return "", s, err
	}
	l.Used = true
	if d.Data, err = json.Marshal(l); err != nil {
		return "", s, fmt.Errorf("use a link: %w", err)
	}
	if _, err = p.docs.Put(ctx, d); errors.Is(err, daybook.ErrVersionMoved) {
		return "", s, ErrNotFound // somebody else has used it
	} else if err != nil {
		return "", s, fmt.Errorf("use a link: %w", err)
	}
	cookie, id := newPortalSecret()
	s = PortalSession{
		ID: "portal_" + id[:16], Org: l.Org, KeyID: l.KeyID, Key: l.Key, ReturnURL: l.ReturnURL, ExpiresAt: p.now().Add(PortalSessionFor).UnixMicro(),
	}
	if err := opened(ctx, s); err != nil {
		return "", s, err
	}
	_, err = create(ctx, p.docs, kindPortalSession, id, s)
	return cookie, s, err
}

// Session returns an open session; ErrNotFound when there is none, or its time or the key behind it has ended.
func (p *Portal) Session(ctx context.Context, cookie string) (PortalSession, error) {
	var s PortalSession
	if _, err := p.get(ctx, kindPortalSession, cookie, &s); err != nil {
		return s, err
	}
	return s, p.holds(ctx, s.ExpiresAt, s.Key)
}

// holds reports, as ErrNotFound, that the time or the key of something has ended.
func (p *Portal) holds(ctx context.Context, until int64, key string) error {
	now := p.now()
	if now.UnixMicro() >= until {
		return ErrNotFound
	}
	h, err := parseHash(key)
	if err != nil {
		return err
	}
	k, err := p.keys.Find(ctx, h)
	if err == nil && !k.Valid(now) {
		err = ErrNotFound
	}
	return err
}

func (p *Portal) get(ctx context.Context, kind, secret string, into any) (daybook.Document, error) {
	d, err := p.docs.Get(ctx, kind, "", portalID(secret))
	if errors.Is(err, daybook.ErrNotExist) {
		return d, ErrNotFound
	}
	if err == nil {
		err = json.Unmarshal(d.Data, into)
	}
	if err != nil {
		return d, fmt.Errorf("read %s: %w", kind, err)
	}
	return d, nil
}

// forget deletes what has expired. Deleting something twice does no harm.
func (p *Portal) forget(ctx context.Context) error {
	now := p.now().UnixMicro()
	for _, kind := range []string{kindPortalLink, kindPortalSession} {
		err := list(ctx, p.docs, kind, func(d daybook.Document) error {
			var v struct {
				ExpiresAt int64 `json:"expires_at"`
			}
			if err := json.Unmarshal(d.Data, &v); err != nil {
				return fmt.Errorf("read %s: %w", kind, err)
			}
			if now < v.ExpiresAt {
				return nil
			}
			err := p.docs.Delete(ctx, kind, "", d.ID, d.Version)
			if errors.Is(err, daybook.ErrNotExist) || errors.Is(err, daybook.ErrVersionMoved) {
				return nil
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func newPortalSecret() (secret, id string) {
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the process instead
	secret = base64.RawURLEncoding.EncodeToString(random[:])
	return secret, portalID(secret)
}

func portalID(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
