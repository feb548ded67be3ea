package auth_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/storetest"
)

type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// countedDocuments counts reads, and fails them on demand.
type countedDocuments struct {
	daybook.Documents
	reads  atomic.Int64
	broken atomic.Bool
}

var errDisk = errors.New("disk on fire")

func (d *countedDocuments) Get(ctx context.Context, kind string, org daybook.OrgID, id string) (daybook.Document, error) {
	d.reads.Add(1)
	if d.broken.Load() {
		return daybook.Document{}, errDisk
	}
	return d.Documents.Get(ctx, kind, org, id)
}

type fixture struct {
	*clock
	docs *countedDocuments
	keys *control.Keys
	auth *auth.Authenticator
}

func newFixture(t *testing.T, limit float64) *fixture {
	t.Helper()
	f := &fixture{clock: &clock{t: time.Date(2026, 11, 21, 14, 0, 0, 0, time.UTC)}, docs: &countedDocuments{Documents: storetest.Memory()}}
	f.keys = control.NewKeys(f.docs, f.now)
	f.auth = auth.New(f.keys, auth.Options{Now: f.now, RateLimit: limit})
	t.Cleanup(f.auth.Close)
	return f
}

func (f *fixture) key(t *testing.T, n control.NewKey) (control.Key, string) {
	t.Helper()
	key, secret, err := f.keys.Create(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return key, secret
}

func TestPrincipal(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 0)
	key, secret := f.key(t, control.NewKey{Org: "org_acme", Scopes: []string{"record", "read"}})
	for _, header := range []string{"Bearer " + secret, "bearer " + secret, "BEARER  " + secret} {
		p, err := f.auth.Principal(t.Context(), header)
		if err != nil || p.Org != "org_acme" || p.KeyID != key.ID || p.Scopes != auth.Record|auth.Read {
			t.Errorf("%.12s…: %+v, %v", header, p, err)
		}
	}
	for _, header := range []string{"", "Bearer", "Bearer ", secret, "Basic " + secret, "Bearer " + secret[:62] + string(secret[62]^1), "Bearer x" + secret} {
		if _, err := f.auth.Principal(t.Context(), header); !errors.Is(err, auth.ErrUnauthorized) {
			t.Errorf("%.12s…: %v", header, err)
		}
	}
	_, unknown := newFixture(t, 0).key(t, control.NewKey{Scopes: []string{"read"}})
	if _, err := f.auth.Principal(t.Context(), "Bearer "+unknown); !errors.Is(err, auth.ErrUnauthorized) {
		t.Errorf("a key of another instance: %v", err)
	}
}

func TestCacheHoldsFiveSeconds(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 0)
	key, secret := f.key(t, control.NewKey{Scopes: []string{"read"}})
	ask := func() error {
		_, err := f.auth.Principal(t.Context(), "Bearer "+secret)
		f.auth.Close() // the write of last_used_at is no part of this
		return err
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	reads := f.docs.reads.Load()
	f.add(5*time.Second - 1)
	if err := ask(); err != nil || f.docs.reads.Load() != reads {
		t.Errorf("read again within five seconds: %v", err)
	}
	// Revoked by another node: believed for five seconds, and no longer.
	if _, err := f.keys.Revoke(t.Context(), key.ID, func(*control.Key) bool { return true }); err != nil {
		t.Fatal(err)
	}
	if err := ask(); err != nil {
		t.Errorf("within five seconds: %v", err)
	}
	f.add(1)
	if err := ask(); !errors.Is(err, auth.ErrUnauthorized) {
		t.Errorf("after five seconds: %v", err)
	}
}

func TestForget(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 0)
	_, secret := f.key(t, control.NewKey{Scopes: []string{"read"}})
	p, err := f.auth.Principal(t.Context(), "Bearer "+secret)
	if err != nil {
		t.Fatal(err)
	}
	key, err := f.keys.Revoke(t.Context(), p.KeyID, func(*control.Key) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	f.auth.Forget(key)
	if _, err := f.auth.Principal(t.Context(), "Bearer "+secret); !errors.Is(err, auth.ErrUnauthorized) {
		t.Errorf("revoked on this node: %v", err)
	}
}

// A key ends when it ends, also within the five seconds of the cache.
func TestExpiry(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 0)
	_, secret := f.key(t, control.NewKey{Scopes: []string{"read"}, ExpiresAt: f.now().Add(3 * time.Second)})
	for _, step := range []struct {
		wait time.Duration
		ok   bool
	}{{0, true}, {3*time.Second - 1, true}, {1, false}, {time.Hour, false}} {
		f.add(step.wait)
		if _, err := f.auth.Principal(t.Context(), "Bearer "+secret); (err == nil) != step.ok {
			t.Errorf("after %s more: %v", step.wait, err)
		}
	}
}

// A store that does not answer is no reason to say that a key does not hold.
func TestBrokenStore(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 0)
	_, secret := f.key(t, control.NewKey{Scopes: []string{"read"}})
	f.docs.broken.Store(true)
	if _, err := f.auth.Principal(t.Context(), "Bearer "+secret); !errors.Is(err, errDisk) || errors.Is(err, auth.ErrUnauthorized) {
		t.Errorf("got %v", err)
	}
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 10)
	_, secret := f.key(t, control.NewKey{Scopes: []string{"read"}})
	_, other := f.key(t, control.NewKey{Scopes: []string{"read"}})
	count := func(secret string) (passed int) {
		for range 40 {
			_, err := f.auth.Principal(t.Context(), "Bearer "+secret)
			var limited *auth.RateLimitError
			switch {
			case err == nil:
				passed++
			case !errors.As(err, &limited) || limited.RetryAfter <= 0 || limited.RetryAfter > time.Second:
				t.Errorf("refused with %v", err)
			}
		}
		return passed
	}
	if n := count(secret); n != 10 {
		t.Errorf("%d requests in no time", n)
	}
	if n := count(other); n != 10 {
		t.Errorf("another key had %d", n)
	}
	f.add(500 * time.Millisecond)
	if n := count(secret); n != 5 {
		t.Errorf("%d requests after half a second", n)
	}
	// The limit outlives what is cached of the key.
	f.add(5 * time.Second)
	if n := count(secret); n != 10 {
		t.Errorf("%d requests after five seconds", n)
	}
	if n := count(secret); n != 0 {
		t.Errorf("%d requests more", n)
	}
}

func TestScopes(t *testing.T) {
	t.Parallel()
	words := []string{"record", "read", "export", "viewer", "manage", "operate"}
	if !slices.Equal(auth.All.Words(), words) {
		t.Errorf("the scopes are %v", auth.All.Words())
	}
	for i, word := range words {
		s, err := auth.ParseScopes([]string{word, word})
		if err != nil || s != 1<<i || !slices.Equal(s.Words(), []string{word}) {
			t.Errorf("%s: %v, %v", word, s, err)
		}
	}
	if s, err := auth.ParseScopes(words); s != auth.All || err != nil {
		t.Errorf("all: %v, %v", s, err)
	}
	for _, wrong := range []string{"", "Read", "read,record", "admin"} {
		_, err := auth.ParseScopes([]string{"read", wrong})
		if daybook.CodeOf(err) != daybook.CodeInvalid || !strings.Contains(err.Error(), "the scopes are record, read") {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}

func TestMayMakeKey(t *testing.T) {
	t.Parallel()
	const own, other, every = "org_a", "org_b", ""
	for _, tt := range []struct {
		name       string
		org        daybook.OrgID // of the caller
		scopes     auth.Scopes
		to         daybook.OrgID
		with       auth.Scopes
		may, hides bool
	}{
		{"manager, own", own, auth.Manage, own, auth.Record | auth.Read | auth.Export | auth.Viewer | auth.Manage, true, false},
		{"manager, other", own, auth.Manage, other, auth.Record, false, true},
		{"manager, all", own, auth.Manage, every, auth.Record, false, true},
		{"manager, operate", own, auth.Manage, own, auth.Operate, false, false},
		{"manager of all, one", every, auth.Manage, own, auth.Record, true, false},
		{"manager of all, all", every, auth.Manage, every, auth.Record, false, true},
		{"operator, one", every, auth.Operate, own, auth.All, true, false},
		{"operator, all", every, auth.Operate, every, auth.All, true, false},
		{"everything but", every, auth.All &^ (auth.Manage | auth.Operate), own, auth.Record, false, true},
	} {
		p := &auth.Principal{Org: tt.org, Scopes: tt.scopes}
		if got := p.MayMakeKey(tt.to, tt.with); got != tt.may {
			t.Errorf("%s: %v", tt.name, got)
		}
		if got := p.MaySeeKey(tt.to); got == tt.hides {
			t.Errorf("%s: sees it: %v", tt.name, got)
		}
	}
}

// TestForgetAll: a key that another node has revoked opens nothing here once this one has heard of it, and its rate limit goes on.
func TestForgetAll(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 2)
	var here *auth.Authenticator
	news := control.NewNews(f.docs, f.now, func(ctx context.Context) error { return here.ForgetAll(ctx) })
	here = auth.New(f.keys, auth.Options{Now: f.now, RateLimit: 2, News: news})
	defer here.Close()
	key, secret := f.key(t, control.NewKey{Scopes: []string{"read"}})
	_, other := f.key(t, control.NewKey{Scopes: []string{"read"}})
	for _, s := range []string{secret, other, other} {
		if _, err := here.Principal(t.Context(), "Bearer "+s); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.keys.Revoke(t.Context(), key.ID, func(*control.Key) bool { return true }); err != nil {
		t.Fatal(err)
	}
	f.add(500 * time.Millisecond)
	if _, err := here.Principal(t.Context(), "Bearer "+secret); !errors.Is(err, auth.ErrUnauthorized) {
		t.Errorf("revoked by another node half a second ago: %v", err)
	}
	if _, err := here.Principal(t.Context(), "Bearer "+other); err != nil {
		t.Errorf("another key: %v", err)
	}
	var limited *auth.RateLimitError
	if _, err := here.Principal(t.Context(), "Bearer "+other); !errors.As(err, &limited) {
		t.Errorf("the limit begins anew: %v", err)
	}
}
