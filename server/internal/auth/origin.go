package auth

import (
	"net/http"
	"net/netip"
	"slices"
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

// Client returns the address that a request came from: the rightmost of X-Forwarded-For that is no trusted proxy, if the peer is one;
// else the peer's. It is empty when the peer has none.
func (o Origin) Client(r *http.Request) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	addr := peer.Addr().Unmap()
	if len(o.Proxies) == 0 || !o.trustsAddr(addr) {
		return addr.String()
	}
	hops := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	for _, hop := range slices.Backward(hops) {
		hop, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			break // what stands left of it is not to be believed either
		}
		addr = hop.Unmap()
		if !o.trustsAddr(addr) {
			break
		}
	}
	return addr.String()
}

func (o Origin) trusts(remote string) bool {
	peer, err := netip.ParseAddrPort(remote)
	return err == nil && o.trustsAddr(peer.Addr().Unmap())
}

func (o Origin) trustsAddr(addr netip.Addr) bool {
	return slices.ContainsFunc(o.Proxies, func(p netip.Prefix) bool { return p.Contains(addr) })
}
