package auth

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/daybookhttp"
)

// Origin knows under which address clients reach the server, and from which they come.
type Origin struct {
	Public  string         // as the operator says, without a slash at the end; empty: what the request says
	Proxies []netip.Prefix // whose X-Forwarded-Proto, X-Forwarded-Host and what they say of the client are believed
}

// URL returns scheme and host, without a slash at the end. A client that lies in its Host header deceives itself: the address is in its
// own answer only.
func (o Origin) URL(r *http.Request) string {
	if o.Public != "" {
		return o.Public
	}
	scheme, host := "http", r.Host
	if r.TLS != nil {
		scheme = "https"
	}
	if o.trusts(r.RemoteAddr) {
		if first, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ","); first == "http" || first == "https" {
			scheme = first
		}
		if first, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Host"), ","); first != "" && !strings.ContainsAny(first, "/\\ @?#") {
			host = first
		}
	}
	return scheme + "://" + host
}

// Client returns the address that a request came from: that of the socket, or what proxies of ours say of it; see
// [daybookhttp.ClientAddr].
func (o Origin) Client(r *http.Request) string { return daybookhttp.ClientAddr(r, o.Proxies) }

// Context is where a request came from, for the events that a door records of itself.
func (o Origin) Context(r *http.Request) daybook.Context {
	const longest = 512 // characters of an agent's name, which is whatever the client says
	agent := r.UserAgent()
	return daybook.Context{
		IP: o.Client(r), UserAgent: strings.ToValidUTF8(agent[:min(len(agent), longest)], ""),
		HTTP: &daybook.HTTP{Method: r.Method, Route: r.Pattern},
	}
}

func (o Origin) trusts(remote string) bool {
	peer, err := netip.ParseAddrPort(remote)
	return err == nil && slices.ContainsFunc(o.Proxies, func(p netip.Prefix) bool { return p.Contains(peer.Addr().Unmap()) })
}
