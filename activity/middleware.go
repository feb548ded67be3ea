package activity

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/daybook-audit/daybook"
)

// loopback is who is trusted when nobody is named.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// MiddlewareOptions says whom a middleware believes. The zero value believes proxies on the same machine.
type MiddlewareOptions struct {
	// Causer says who acts. It alone decides when it is set, and is asked when an event is recorded, with the context of that time: so
	// authentication may run later in the chain. An empty id is nobody.
	Causer func(r *http.Request) (string, error)
	// TrustedProxies are the peers whose X-User-Id and X-Forwarded-For are believed. Nil: loopback; empty: none.
	TrustedProxies []netip.Prefix
	// IgnoredFunc is told of each X-User-Id that was not believed, to count them. It may be nil.
	IgnoredFunc func(r *http.Request)
}

// Middleware puts the causer, the address and the user agent of a request into its context, for what is recorded under it:
// MiddlewareOptions{}.Wrap(next).
func Middleware(next http.Handler) http.Handler { return MiddlewareOptions{}.Wrap(next) }

// Wrap is the middleware with options. A missing header is never an error, a header that a browser sends never an identity: X-User-Id
// counts only when the peer is a trusted proxy, and not at all beside Causer. What it puts into the context survives daybook.Detach; an
// explicit causerID wins.
func (o MiddlewareOptions) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := daybook.Scope{Context: daybook.Context{IP: o.ClientIP(r), UserAgent: r.UserAgent()}}
		if o.Causer != nil {
			s.ActorFunc = func(ctx context.Context) (daybook.Actor, error) { return o.ask(r.WithContext(ctx)) }
		} else if id := o.UserID(r); id != "" {
			s.Actor = daybook.Actor{Type: "user", ID: id}
		}
		next.ServeHTTP(w, r.WithContext(daybook.WithScope(r.Context(), s)))
	})
}

// ask asks Causer.
func (o MiddlewareOptions) ask(r *http.Request) (daybook.Actor, error) {
	id, err := o.Causer(r)
	if err != nil {
		return daybook.Actor{}, fmt.Errorf("ask who causes it: %w", err)
	}
	if id == "" {
		return daybook.Actor{}, nil
	}
	return daybook.Actor{Type: "user", ID: id}, nil
}

// UserID returns the X-User-Id of a request that comes from a trusted proxy, else "".
func (o MiddlewareOptions) UserID(r *http.Request) string {
	id := r.Header.Get("X-User-Id")
	if id == "" {
		return ""
	}
	if peer, ok := peerOf(r); ok && o.trusts(peer) {
		return id
	}
	if o.IgnoredFunc != nil {
		o.IgnoredFunc(r)
	}
	return ""
}

// ClientIP returns where a request comes from: X-Forwarded-For is read from right to left as long as trusted proxies wrote it, and
// without any it is the address of the socket.
func (o MiddlewareOptions) ClientIP(r *http.Request) string {
	peer, ok := peerOf(r)
	if !ok {
		return "" // a Unix socket: nothing is known
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && o.trusts(peer); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break // what stands left of it was not written by a trusted proxy either
		}
		peer = hop.Unmap()
	}
	return peer.String()
}

func (o MiddlewareOptions) trusts(a netip.Addr) bool {
	proxies := o.TrustedProxies
	if proxies == nil {
		proxies = loopback
	}
	for _, p := range proxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// peerOf returns the address of the socket's other end.
func peerOf(r *http.Request) (netip.Addr, bool) {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(host)
	return a.Unmap().WithZone(""), err == nil
}
