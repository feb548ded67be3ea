package auth

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/control"
)

// Names of the cookie. A browser takes one that begins with __Host- over https alone, from this host alone; the other is for http on the
// machine itself.
const (
	secureCookie   = "__Host-daybook"
	loopbackCookie = "daybook"
)

// The refusals of sessions.
var (
	// ErrSessionEnded says that a cookie opens nothing, or nothing any more.
	ErrSessionEnded = &daybook.Error{Code: daybook.CodeUnauthorized, Rule: "session_ended", Message: "the session has ended: sign in again."}
	// ErrCrossSite says that a page of another site has sent the request.
	ErrCrossSite = &daybook.Error{Code: daybook.CodeForbidden, Rule: "cross_site", Message: "a session is used by pages of this server alone: the request came from another site."}
	// ErrInsecure says that a cookie would travel over the network unencrypted.
	ErrInsecure = &daybook.Error{
		Code: daybook.CodeForbidden, Rule: "insecure_connection",
		Message: "signing in needs https: over plain http it works on the machine of the server alone, at http://127.0.0.1 or http://localhost. " +
			"Behind a proxy that speaks https, name it in trusted_proxies or set public_url.",
	}
)

// How many failed sign-ins one address has, and how soon it gets the next one back.
const (
	failedBurst = 10
	failedEvery = 10 * time.Second
)

// Sessions lets people sign in with an API key in a browser. The browser holds a random text in a cookie that no script can read; the
// server keeps its SHA-256 and which key it stands for, so that the cookie holds no key. A session ends when it is closed, when nobody
// has used it for two hours, after twelve hours, and with its key; within five seconds on nodes other than the one that ended it.
// Safe for concurrent use.
type Sessions struct {
	auth   *Authenticator
	docs   *control.Sessions
	origin Origin
	guard  *http.CrossOriginProtection
	now    func() time.Time

	mu     sync.Mutex
	known  map[string]knownSession  // by secret
	failed map[string]*rate.Limiter // by address
}

// knownSession is what is remembered of a session.
type knownSession struct {
	session control.Session
	until   time.Time // when it must be read again
}

// NewSessions returns sessions over docs. origin says how a request came.
func (a *Authenticator) NewSessions(docs *control.Sessions, origin Origin) (*Sessions, error) {
	s := &Sessions{
		auth: a, docs: docs, origin: origin, guard: http.NewCrossOriginProtection(), now: a.now, known: map[string]knownSession{}, failed: map[string]*rate.Limiter{},
	}
	if origin.Public != "" {
		if err := s.guard.AddTrustedOrigin(origin.Public); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Credentials is what somebody signs in with: the text of a key, or a code of [Sessions.Invite].
type Credentials struct{ Key, Code string }

// Open signs in and returns the cookie to set. opened is told before there is a session; its error opens none. Besides the error of
// opened: ErrCrossSite, ErrInsecure, ErrUnauthorized, and a *RateLimitError after ten failures from one address.
func (s *Sessions) Open(r *http.Request, with Credentials, opened func(*Principal, control.Session) error) (*http.Cookie, error) {
	if s.guard.Check(r) != nil {
		return nil, ErrCrossSite
	}
	name, err := s.cookieName(r)
	if err != nil {
		return nil, err
	}
	address, now := clientNetwork(s.origin.Client(r)), s.now()
	limiter := s.failures(address)
	if limiter.TokensAt(now) < 1 {
		return nil, &RateLimitError{RetryAfter: failedEvery}
	}
	p, err := s.check(r.Context(), with)
	if err != nil {
		if errors.Is(err, ErrUnauthorized) {
			limiter.AllowN(now, 1)
		}
		return nil, err
	}
	secret, session, err := s.docs.Open(r.Context(), p.Key, func(_ context.Context, session control.Session) error {
		signed := *p
		signed.Session = &session
		return opened(&signed, session)
	})
	if err != nil {
		return nil, err
	}
	s.remember(secret, session)
	return cookie(name, secret, control.SessionFor), nil
}

// check returns who signs in.
func (s *Sessions) check(ctx context.Context, with Credentials) (*Principal, error) {
	hash, ok := control.HashSecret(with.Key)
	if with.Code != "" {
		var err error
		if hash, err = s.docs.Redeem(ctx, with.Code); err != nil {
			if errors.Is(err, control.ErrNotFound) {
				err = ErrUnauthorized
			}
			return nil, err
		}
		ok = true
	}
	if !ok {
		return nil, ErrUnauthorized
	}
	e, err := s.auth.entry(ctx, hash)
	if err != nil {
		return nil, err
	}
	return &e.principal, nil
}

// Principal returns who is signed in, with Session set; nil without an error when the request has no cookie of ours. A request that a
// page of another site has sent is ErrCrossSite, whatever its method; what ended is ErrSessionEnded. The rate limit of the key counts.
func (s *Sessions) Principal(r *http.Request) (*Principal, error) {
	secret, ok := s.secret(r)
	if !ok {
		return nil, nil //nolint:nilnil // nobody, and nothing wrong
	}
	if s.guard.Check(r) != nil {
		return nil, ErrCrossSite
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none": // the guard lets every GET pass; reading is recorded, so that it counts too
	default:
		return nil, ErrCrossSite
	}
	ctx := r.Context()
	session, err := s.find(ctx, secret)
	if err != nil {
		return nil, err
	}
	e, err := s.auth.entry(ctx, session.Key)
	if errors.Is(err, ErrUnauthorized) {
		err = ErrSessionEnded
	}
	if err != nil {
		return nil, err
	}
	if e.limiter != nil {
		if err := s.auth.admit(e.limiter, s.now()); err != nil {
			return nil, err
		}
	}
	p := e.principal
	p.Session = &session
	return &p, nil
}

// Close ends the session of a request and returns the cookies that make the browser forget it. ended is told when there was one.
func (s *Sessions) Close(r *http.Request, ended func(*Principal)) ([]*http.Cookie, error) {
	if s.guard.Check(r) != nil {
		return nil, ErrCrossSite
	}
	if secret, ok := s.secret(r); ok {
		p, _ := s.Principal(r)
		if err := s.docs.Close(r.Context(), secret); err != nil {
			return nil, err
		}
		s.mu.Lock()
		delete(s.known, secret)
		s.mu.Unlock()
		if p != nil {
			ended(p)
		}
	}
	return []*http.Cookie{cookie(secureCookie, "", -time.Second), cookie(loopbackCookie, "", -time.Second)}, nil
}

// find returns a session that holds, or ErrSessionEnded, and notes that it is used.
func (s *Sessions) find(ctx context.Context, secret string) (control.Session, error) {
	now := s.now()
	s.mu.Lock()
	k, ok := s.known[secret]
	s.mu.Unlock()
	if ok && now.Before(k.until) && now.Before(k.session.ExpiresAt()) {
		return k.session, nil
	}
	session, err := s.docs.Find(ctx, secret)
	if err != nil {
		s.mu.Lock()
		delete(s.known, secret)
		s.mu.Unlock()
		if errors.Is(err, control.ErrNotFound) {
			err = ErrSessionEnded
		}
		return session, err
	}
	if s.docs.SeenLongAgo(&session) {
		if err := s.docs.Seen(ctx, secret); err != nil {
			return session, err
		}
		session.SeenAt = now
	}
	s.remember(secret, session)
	return session, nil
}

func (s *Sessions) remember(secret string, session control.Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) >= cacheKeys {
		clear(s.known) // crude and rare: everything is read again
	}
	s.known[secret] = knownSession{session, s.now().Add(cacheFor)}
}

// failures returns what an address has left to fail.
func (s *Sessions) failures(address string) *rate.Limiter {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.failed[address]
	if l == nil {
		if len(s.failed) >= cacheKeys {
			clear(s.failed)
		}
		l = rate.NewLimiter(rate.Every(failedEvery), failedBurst)
		s.failed[address] = l
	}
	return l
}

// secret returns the text of the cookie.
func (s *Sessions) secret(r *http.Request) (string, bool) {
	name, err := s.cookieName(r)
	if err != nil {
		return "", false
	}
	c, err := r.Cookie(name)
	if err != nil || c.Value == "" || len(c.Value) > 128 {
		return "", false
	}
	return c.Value, true
}

// cookieName is the name of the cookie for the way that a request came, or ErrInsecure.
func (s *Sessions) cookieName(r *http.Request) (string, error) {
	proxied := s.origin.trusts(r.RemoteAddr) && r.Header.Get("X-Forwarded-Proto") != ""
	if r.TLS == nil && !proxied && loopback(r.Host) {
		return loopbackCookie, nil // a browser on this machine, whatever others call the server
	}
	url := s.origin.URL(r)
	scheme, host, _ := strings.Cut(url, "://")
	switch {
	case scheme == "https":
		return secureCookie, nil
	case loopback(host):
		return loopbackCookie, nil
	}
	return "", ErrInsecure
}

// loopback reports whether a host, with or without its port, is this machine as a browser sees it.
func loopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// clientNetwork is what one client can choose its address from: of IPv6 the first 64 bits.
func clientNetwork(address string) string {
	addr, err := netip.ParseAddr(address)
	if err != nil || addr.Unmap().Is4() {
		return address
	}
	if p, err := addr.Prefix(64); err == nil {
		return p.String()
	}
	return address
}

func cookie(name, value string, life time.Duration) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // the cookie of loopback has no Secure: a browser would not send it back over http
		Name: name, Value: value, Path: "/", MaxAge: int(life.Seconds()), HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: name == secureCookie,
	}
}
