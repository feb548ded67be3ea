// Package auth turns a credential into a Principal and knows the scopes.
package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/control"
)

// Principal is who asks. It is shared between requests and must not be changed.
type Principal struct {
	Org    daybook.OrgID // empty: all organizations
	KeyID  string        // key_…
	Scopes Scopes
	Key    control.Key // as it was when last read

	Session *control.Session // of somebody signed in; nil: the key itself was shown
	Viewer  *Viewed          // of a viewer token; nil: no viewer. KeyID and Key are those of the key that made it
}

// ErrUnauthorized is the one answer for a credential that is missing, malformed, unknown, revoked or expired.
var ErrUnauthorized = &daybook.Error{Code: daybook.CodeUnauthorized, Message: "a valid API key is needed: Authorization: Bearer dbk_…"}

// Forbidden is the refusal of p for want of a scope.
func Forbidden(p *Principal, need Scopes) error {
	return &daybook.Error{
		Code:    daybook.CodeForbidden,
		Message: `scope "` + strings.Join(need.Words(), `" or "`) + `" is missing on ` + p.KeyID,
	}
}

// How long a node believes what it read of a key, and how many keys it remembers.
const (
	cacheFor  = 5 * time.Second
	cacheKeys = 10_000
)

// Options is how an Authenticator works. The zero value has no rate limit.
type Options struct {
	Now       func() time.Time // nil: time.Now
	RateLimit float64          // requests per second and key, on this node; 0: none

	// News, if set, is heeded before a key is believed: other nodes revoke keys too.
	News *control.News
}

// Authenticator knows keys by the SHA-256 of their text. What it reads holds for at most five seconds, and no longer than until
// [Authenticator.ForgetAll]; a key revoked through [Authenticator.Forget] ends at once on this node. Safe for concurrent use.
type Authenticator struct {
	keys *control.Keys
	news *control.News
	now  func() time.Time
	age  atomic.Int64 // grows when everything that was read must be read again
	rate rate.Limit
	wait sync.WaitGroup // writes of last_used_at

	mu    sync.RWMutex
	known map[control.SecretHash]*entry
}

// entry is what is remembered of one key. It is replaced, never changed, but for the limiter, which the next one inherits.
type entry struct {
	principal Principal
	until     time.Time // when it must be read again
	age       int64     // that of the authenticator before it was read
	expires   time.Time // when the key itself ends; zero: never
	valid     bool
	limiter   *rate.Limiter // nil: no limit
}

// New returns an authenticator over keys.
func New(keys *control.Keys, o Options) *Authenticator {
	a := &Authenticator{keys: keys, news: o.News, now: o.Now, rate: rate.Limit(o.RateLimit), known: map[control.SecretHash]*entry{}}
	if a.now == nil {
		a.now = time.Now //nolint:forbidigo // the default of an option
	}
	return a
}

// Principal returns who shows the value of an Authorization header, or ErrUnauthorized. It takes the key's rate limit into account:
// a *RateLimitError says how long to wait. Any other error is a fault of the store.
func (a *Authenticator) Principal(ctx context.Context, authorization string) (*Principal, error) {
	secret, ok := bearer(authorization)
	if !ok {
		return nil, ErrUnauthorized
	}
	hash, ok := control.HashSecret(secret)
	if !ok {
		return nil, ErrUnauthorized
	}
	e, err := a.entry(ctx, hash)
	if err != nil {
		return nil, err
	}
	if e.limiter != nil {
		if err := a.admit(e.limiter, a.now()); err != nil {
			return nil, err
		}
	}
	return &e.principal, nil
}

// entry returns what is known of a key that holds, reading it again when that is too old, or ErrUnauthorized.
func (a *Authenticator) entry(ctx context.Context, hash control.SecretHash) (*entry, error) {
	if err := a.news.Heed(ctx); err != nil {
		return nil, err
	}
	now := a.now()
	a.mu.RLock()
	e := a.known[hash]
	a.mu.RUnlock()
	if e == nil || !now.Before(e.until) || e.age != a.age.Load() {
		var err error
		if e, err = a.load(ctx, hash, e, now); err != nil {
			return nil, err
		}
	}
	if !e.valid || !e.expires.IsZero() && !now.Before(e.expires) {
		return nil, ErrUnauthorized
	}
	return e, nil
}

// bearer cuts the credential out of the header; the scheme's name has no case.
func bearer(header string) (string, bool) {
	const scheme = "bearer "
	if len(header) <= len(scheme) || !strings.EqualFold(header[:len(scheme)], scheme) {
		return "", false
	}
	return strings.TrimLeft(header[len(scheme):], " "), true
}

// load reads the key. Keys that do not exist are not remembered: there is no end of them, and nothing to save, since a text that is
// no key at all is known by its checksum. The look-up is by hash, so its time says nothing about a key's text.
func (a *Authenticator) load(ctx context.Context, hash control.SecretHash, before *entry, now time.Time) (*entry, error) {
	age := a.age.Load()
	key, err := a.keys.Find(ctx, hash)
	if errors.Is(err, control.ErrNotFound) {
		a.forget(hash)
		return nil, ErrUnauthorized
	}
	if err != nil {
		return nil, fmt.Errorf("look up the key: %w", err)
	}
	scopes, err := ParseScopes(key.Scopes)
	if err != nil {
		return nil, fmt.Errorf("look up the key %s: %w", key.ID, err)
	}
	e := &entry{
		principal: Principal{Org: key.Org, KeyID: key.ID, Scopes: scopes, Key: key},
		until:     now.Add(cacheFor),
		age:       age,
		expires:   key.ExpiresAt,
		valid:     key.Valid(now),
	}
	if before != nil {
		e.limiter = before.limiter
	} else if a.rate > 0 {
		e.limiter = rate.NewLimiter(a.rate, max(1, int(a.rate)))
	}
	a.mu.Lock()
	if len(a.known) >= cacheKeys {
		clear(a.known) // crude and rare: everything is read again, limits start anew
	}
	a.known[hash] = e
	a.mu.Unlock()
	if e.valid && now.Sub(key.LastUsedAt) >= time.Minute {
		a.note(hash) //nolint:contextcheck // outlives the request
	}
	return e, nil
}

// note writes last_used_at beside the request. A failure is not worth failing a request for: the next minute tries again.
func (a *Authenticator) note(hash control.SecretHash) {
	a.wait.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = a.keys.Used(ctx, hash)
	})
}

// Forget drops what is remembered of a key, so that its revocation holds on this node at once.
func (a *Authenticator) Forget(key control.Key) { a.forget(key.Hash) }

// ForgetAll has every key read again before it opens anything, since another node may have revoked it. It is for [control.NewNews].
func (a *Authenticator) ForgetAll(context.Context) error {
	a.age.Add(1)
	return nil
}

func (a *Authenticator) forget(hash control.SecretHash) {
	a.mu.Lock()
	delete(a.known, hash)
	a.mu.Unlock()
}

// Close waits for the writes of last_used_at that are on their way.
func (a *Authenticator) Close() { a.wait.Wait() }

// RateLimitError says that a key asked more often than it may.
type RateLimitError struct{ RetryAfter time.Duration }

// Error says how long to wait.
func (e *RateLimitError) Error() string {
	return fmt.Sprintf("too many requests: try again in %s", e.RetryAfter.Round(time.Millisecond))
}

func (a *Authenticator) admit(l *rate.Limiter, now time.Time) error {
	r := l.ReserveN(now, 1)
	if wait := r.DelayFrom(now); wait > 0 {
		r.CancelAt(now) // a refused request takes no place
		return &RateLimitError{RetryAfter: wait}
	}
	return nil
}
