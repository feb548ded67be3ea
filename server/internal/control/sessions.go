package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/typeid"
)

// Kinds of the documents of people who are signed in. Both stand under the empty org, under the SHA-256 of what opens them: the text
// itself is kept nowhere.
const (
	kindSession    = "session"
	kindInvitation = "invitation"
)

// How long a session holds when nobody uses it, and at most; and how long an invitation can be used.
const (
	SessionIdle   = 2 * time.Hour
	SessionFor    = 12 * time.Hour
	InvitationFor = time.Hour

	seenEvery = 5 * time.Minute // how exactly the use of a session is kept
)

// Session is somebody signed in with an API key.
type Session struct {
	ID        string        // ses_…, for the log: it opens nothing
	Org       daybook.OrgID // that of the key; empty: all
	KeyID     string
	Key       SecretHash // what is opened ends with the key
	CreatedAt time.Time
	SeenAt    time.Time // to five minutes
}

// ExpiresAt is when the session ends unless it is used.
func (s *Session) ExpiresAt() time.Time {
	idle, last := s.SeenAt.Add(SessionIdle), s.CreatedAt.Add(SessionFor)
	if idle.Before(last) {
		return idle
	}
	return last
}

type sessionDocument struct {
	ID        string        `json:"id"`
	Org       daybook.OrgID `json:"org,omitempty"`
	KeyID     string        `json:"key"`
	Key       string        `json:"hash"`
	CreatedAt moment        `json:"created_at"`
	SeenAt    moment        `json:"seen_at"`
}

func (d *sessionDocument) session() (Session, error) {
	h, err := parseHash(d.Key)
	if err != nil {
		return Session{}, fmt.Errorf("read session %s: %w", d.ID, err)
	}
	return Session{ID: d.ID, Org: d.Org, KeyID: d.KeyID, Key: h, CreatedAt: d.CreatedAt.time(), SeenAt: d.SeenAt.time()}, nil
}

// Sessions keeps who is signed in. Whether the key behind a session still holds is its caller's to ask. Safe for concurrent use; it
// caches nothing.
type Sessions struct {
	docs daybook.Documents
	now  func() time.Time

	mu    sync.Mutex
	swept time.Time // when those that have ended were last deleted
}

// NewSessions returns the sessions kept in docs.
func NewSessions(docs daybook.Documents, now func() time.Time) *Sessions {
	return &Sessions{docs: docs, now: now}
}

// Open makes a session for a key and returns the secret that opens it, which is kept nowhere; durable on return. opened is told of it
// while nothing is stored yet; its error opens nothing.
func (s *Sessions) Open(ctx context.Context, key Key, opened func(context.Context, Session) error) (secret string, session Session, err error) {
	if err := s.sweep(ctx); err != nil {
		return "", session, err
	}
	now := at(s.now())
	doc := sessionDocument{ID: typeid.New("ses"), Org: key.Org, KeyID: key.ID, Key: key.Hash.String(), CreatedAt: now, SeenAt: now}
	if session, err = doc.session(); err != nil {
		return "", session, err
	}
	if err := opened(ctx, session); err != nil {
		return "", session, err
	}
	// A crash here leaves a sign-in in the log that nobody can use; the other order would leave a session of which no log knows.
	secret, id := newPortalSecret()
	_, err = create(ctx, s.docs, kindSession, id, doc)
	return secret, session, err
}

// Find returns a session that holds, or ErrNotFound.
func (s *Sessions) Find(ctx context.Context, secret string) (Session, error) {
	d, err := s.docs.Get(ctx, kindSession, "", portalID(secret))
	if errors.Is(err, daybook.ErrNotExist) {
		return Session{}, ErrNotFound
	}
	var doc sessionDocument
	if err == nil {
		err = json.Unmarshal(d.Data, &doc)
	}
	if err != nil {
		return Session{}, fmt.Errorf("read session: %w", err)
	}
	session, err := doc.session()
	if err == nil && !s.now().Before(session.ExpiresAt()) {
		err = ErrNotFound
	}
	return session, err
}

// Seen notes that a session was used now, unless that was noted within the last five minutes.
func (s *Sessions) Seen(ctx context.Context, secret string) error {
	now := s.now()
	_, err := change(ctx, s.docs, kindSession, portalID(secret), func(d *sessionDocument) bool {
		if now.Sub(d.SeenAt.time()) < seenEvery {
			return false
		}
		d.SeenAt = at(now)
		return true
	})
	if errors.Is(err, daybook.ErrNotExist) {
		return nil // it has ended meanwhile
	}
	return err
}

// SeenLongAgo reports whether Seen would note something.
func (s *Sessions) SeenLongAgo(of *Session) bool { return s.now().Sub(of.SeenAt) >= seenEvery }

// Close ends a session for good; durable on return. One that is not there is no error.
func (s *Sessions) Close(ctx context.Context, secret string) error {
	return drop(ctx, s.docs, kindSession, "", portalID(secret))
}

type invitationDocument struct {
	Org       daybook.OrgID `json:"org,omitempty"`
	Key       string        `json:"hash"`
	ExpiresAt moment        `json:"expires_at"`
}

// Invite returns a code that signs in once as the key does, within an hour. The code itself is kept nowhere.
func (s *Sessions) Invite(ctx context.Context, key Key) (code string, err error) {
	code, id := newPortalSecret()
	_, err = create(ctx, s.docs, kindInvitation, id, invitationDocument{Org: key.Org, Key: key.Hash.String(), ExpiresAt: at(s.now().Add(InvitationFor))})
	return code, err
}

// Redeem uses a code up and returns the hash of its key; ErrNotFound when it is unknown, used or too old. A crash in between leaves a code
// that signs nobody in any more: there are others to be had.
func (s *Sessions) Redeem(ctx context.Context, code string) (SecretHash, error) {
	id := portalID(code)
	d, err := s.docs.Get(ctx, kindInvitation, "", id)
	if errors.Is(err, daybook.ErrNotExist) {
		return SecretHash{}, ErrNotFound
	}
	var doc invitationDocument
	if err == nil {
		err = json.Unmarshal(d.Data, &doc)
	}
	if err != nil {
		return SecretHash{}, fmt.Errorf("read invitation: %w", err)
	}
	err = s.docs.Delete(ctx, kindInvitation, "", id, d.Version)
	switch {
	case errors.Is(err, daybook.ErrNotExist), errors.Is(err, daybook.ErrVersionMoved):
		return SecretHash{}, ErrNotFound // somebody else has used it
	case err != nil:
		return SecretHash{}, fmt.Errorf("use an invitation: %w", err)
	case !s.now().Before(doc.ExpiresAt.time()):
		return SecretHash{}, ErrNotFound
	}
	return parseHash(doc.Key)
}

// sweep deletes what has ended, at most once an hour. A crash in between leaves some for the next time.
func (s *Sessions) sweep(ctx context.Context) error {
	now := s.now()
	s.mu.Lock()
	due := now.Sub(s.swept) >= time.Hour
	if due {
		s.swept = now
	}
	s.mu.Unlock()
	if !due {
		return nil
	}
	err := list(ctx, s.docs, kindSession, func(d daybook.Document) error {
		var doc sessionDocument
		if json.Unmarshal(d.Data, &doc) == nil {
			if session, err := doc.session(); err == nil && now.Before(session.ExpiresAt()) {
				return nil
			}
		}
		return drop(ctx, s.docs, kindSession, "", d.ID)
	})
	if err != nil {
		return err
	}
	return list(ctx, s.docs, kindInvitation, func(d daybook.Document) error {
		var doc invitationDocument
		if json.Unmarshal(d.Data, &doc) == nil && now.Before(doc.ExpiresAt.time()) {
			return nil
		}
		return drop(ctx, s.docs, kindInvitation, "", d.ID)
	})
}
