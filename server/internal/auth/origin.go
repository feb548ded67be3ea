package auth

import (
	"net/http"
	"net/netip"
	"strings"
)

// Origin knows under which address clients reach the server.
type Origin struct {
	Public  string         // as the operator says, without a slash at the end; empty: what the request says
	Proxies []netip.Prefix // whose X-Forwarded-Proto and X-Forwarded-Host are believed
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

func (o Origin) trusts(remote string) bool {
	peer, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	for _, p := range o.Proxies {
		if p.Contains(peer.Addr().Unmap()) {
			return true
		}
	}
	return false
}
