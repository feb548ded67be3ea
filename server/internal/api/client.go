package api

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// client returns the address that a request came from: the rightmost of X-Forwarded-For that is no trusted proxy, if the peer is
// one; else the peer's.
func (s *Server) client(r *http.Request) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	addr := peer.Addr().Unmap()
	if len(s.TrustedProxies) == 0 || !s.trusts(addr) {
		return addr.String()
	}
	hops := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	for _, hop := range slices.Backward(hops) {
		hop, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			break // what stands left of it is not to be believed either
		}
		addr = hop.Unmap()
		if !s.trusts(addr) {
			break
		}
	}
	return addr.String()
}

func (s *Server) trusts(addr netip.Addr) bool {
	for _, p := range s.TrustedProxies {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}
