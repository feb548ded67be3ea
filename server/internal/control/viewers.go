package control

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/daybook-audit/daybook"
)

// Grant is what somebody may see with a viewer token: one organization's entries, or those of one target in it.
type Grant struct {
	Org     daybook.OrgID `json:"org"`
	Group   string        `json:"group,omitempty"`  // of the application's own groups within Org; empty: every entry
	Target  string        `json:"target,omitempty"` // empty: every entry
	Actor   string        `json:"actor"`            // who looks
	Admin   bool          `json:"admin,omitempty"`
	Project string        `json:"project,omitempty"` // as the caller named it
	Action  string        `json:"action"`            // of the event that records a look
	Key     string        `json:"key"`               // hash of the API key that granted it, which must go on to hold
	Granted int64         `json:"granted"`           // µs since 1970
}

// Kinds of documents of viewers. A token stands under the empty org by its hash; the end of an actor's sessions under its org by the
// hash of group and actor.
const (
	kindViewerToken = "viewer_token"
	kindViewerEnd   = "viewer_end"
)

// Viewers keeps the tokens of viewers until they are exchanged, and when the sessions of an actor were ended. Safe for concurrent use.
type Viewers struct {
	docs daybook.Documents
	now  func() time.Time

	mu    sync.Mutex
	swept time.Time // when documents that mean nothing any more were last deleted
}

// NewViewers returns the viewers kept in docs.
func NewViewers(docs daybook.Documents, now func() time.Time) *Viewers {
	return &Viewers{docs: docs, now: now}
}

// TokenLife is how long a viewer token can be exchanged.
const TokenLife = 5 * time.Minute

// Keep keeps g under the text of its token, durable on return. The text itself is nowhere.
func (v *Viewers) Keep(ctx context.Context, token string, g Grant) error {
	if err := v.sweep(ctx); err != nil {
		return err
	}
	exists, err := create(ctx, v.docs, kindViewerToken, hashed(token), g)
	if err == nil && exists {
		err = errors.New("this viewer token exists")
	}
	return err
}

// Find returns what a token stands for, or not_found. It can be exchanged again until it is too old: a viewer in a page that is drawn
// twice asks twice.
func (v *Viewers) Find(ctx context.Context, token string) (Grant, error) {
	d, err := v.docs.Get(ctx, kindViewerToken, "", hashed(token))
	if errors.Is(err, daybook.ErrNotExist) {
		return Grant{}, ErrNotFound
	}
	if err != nil {
		return Grant{}, fmt.Errorf("read viewer token: %w", err)
	}
	var g Grant
	if err := json.Unmarshal(d.Data, &g); err != nil {
		return Grant{}, fmt.Errorf("read viewer token: %w", err)
	}
	if v.now().UnixMicro()-g.Granted >= TokenLife.Microseconds() {
		return Grant{}, ErrNotFound
	}
	return g, nil
}

type endDocument struct {
	At moment `json:"at"`
}

// End ends everything that was granted to an actor of org, and of group in it, until now; durable on return.
func (v *Viewers) End(ctx context.Context, org daybook.OrgID, group, actor string) error {
	id := hashed(group + "\x00" + actor)
	for {
		d, err := v.docs.Get(ctx, kindViewerEnd, org, id)
		if errors.Is(err, daybook.ErrNotExist) {
			d = daybook.Document{Kind: kindViewerEnd, Org: org, ID: id}
		} else if err != nil {
			return fmt.Errorf("end viewer sessions: %w", err)
		}
		if d.Data, err = json.Marshal(endDocument{at(v.now())}); err != nil {
			return fmt.Errorf("end viewer sessions: %w", err)
		}
		_, err = v.docs.Put(ctx, d)
		if err == nil {
			return nil
		}
		if !errors.Is(err, daybook.ErrVersionMoved) {
			return fmt.Errorf("end viewer sessions: %w", err)
		}
	}
}

// Ended reports whether what g grants was ended.
func (v *Viewers) Ended(ctx context.Context, g *Grant) (bool, error) {
	d, err := v.docs.Get(ctx, kindViewerEnd, g.Org, hashed(g.Group+"\x00"+g.Actor))
	if errors.Is(err, daybook.ErrNotExist) {
		return false, nil
	}
	var end endDocument
	if err == nil {
		err = json.Unmarshal(d.Data, &end)
	}
	if err != nil {
		return false, fmt.Errorf("read the end of viewer sessions: %w", err)
	}
	return g.Granted <= int64(end.At), nil
}

// sweep deletes tokens that are too old, at most once in the life of one. A crash in between leaves some for the next time.
func (v *Viewers) sweep(ctx context.Context) error {
	now := v.now()
	v.mu.Lock()
	due := now.Sub(v.swept) >= TokenLife
	if due {
		v.swept = now
	}
	v.mu.Unlock()
	if !due {
		return nil
	}
	return list(ctx, v.docs, kindViewerToken, func(d daybook.Document) error {
		var g Grant
		if json.Unmarshal(d.Data, &g) == nil && now.UnixMicro()-g.Granted < TokenLife.Microseconds() {
			return nil
		}
		err := v.docs.Delete(ctx, kindViewerToken, "", d.ID, d.Version)
		if err != nil && !errors.Is(err, daybook.ErrNotExist) && !errors.Is(err, daybook.ErrVersionMoved) {
			return fmt.Errorf("delete a viewer token: %w", err)
		}
		return nil
	})
}

// ViewerKey returns the secret from which the key of viewer sessions is made, itself made at the first call on a store.
func ViewerKey(ctx context.Context, docs daybook.Documents) ([]byte, error) {
	return instanceSecret(ctx, docs, "viewer_key")
}

func hashed(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
