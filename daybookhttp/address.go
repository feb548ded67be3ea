package daybookhttp

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// ClientAddr returns the address that a request came from. It is that of the socket; if that is one of trusted, Forwarded or
// X-Forwarded-For is read from right to left, and the first address that is not trusted is the client's. X-Real-IP is believed from
// a trusted proxy that sent neither. What a client writes into such a header itself stands left of what proxies know, and is never
// reached. Empty: the socket has no address.
func ClientAddr(r *http.Request, trusted []netip.Prefix) string {
	addr, ok := socketAddr(r.RemoteAddr)
	if !ok {
		return ""
	}
	if !trusts(trusted, addr) {
		return addr.String()
	}
	var hops []string
	switch {
	case len(r.Header["X-Forwarded-For"]) > 0:
		hops = strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	case len(r.Header["Forwarded"]) > 0:
		hops = forwardedFor(strings.Join(r.Header["Forwarded"], ","))
	case len(r.Header["X-Real-Ip"]) > 0:
		hops = r.Header["X-Real-Ip"][:1]
	}
	for _, hop := range slices.Backward(hops) {
		a, ok := hopAddr(hop)
		if !ok {
			break // what stands left of it is not to be believed either
		}
		if addr = a; !trusts(trusted, addr) {
			break
		}
	}
	return addr.String()
}

// socketAddr reads RemoteAddr, with or without a port.
func socketAddr(text string) (netip.Addr, bool) {
	if peer, err := netip.ParseAddrPort(text); err == nil {
		return peer.Addr().Unmap().WithZone(""), true
	}
	a, err := netip.ParseAddr(text)
	return a.Unmap().WithZone(""), err == nil
}

// hopAddr reads one address of a list, as proxies write it: with a port or without, an IPv6 address in brackets or not.
func hopAddr(text string) (netip.Addr, bool) {
	text = strings.TrimSpace(text)
	if inner, ok := strings.CutPrefix(text, "["); ok && strings.HasSuffix(inner, "]") {
		text = strings.TrimSuffix(inner, "]")
	}
	return socketAddr(text)
}

// forwardedFor returns the for= of each element of a Forwarded header (RFC 7239), in order; an element without one is empty.
func forwardedFor(header string) []string {
	var hops []string
	for _, element := range splitUnquoted(header, ',') {
		hop := ""
		for _, pair := range splitUnquoted(element, ';') {
			name, value, _ := strings.Cut(pair, "=")
			if strings.EqualFold(strings.TrimSpace(name), "for") {
				hop = strings.Trim(strings.TrimSpace(value), `"`)
			}
		}
		hops = append(hops, hop)
	}
	return hops
}

// splitUnquoted splits at sep, where it does not stand in quotes.
func splitUnquoted(s string, sep byte) []string {
	var parts []string
	quoted, start := false, 0
	for i := range len(s) {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == sep && !quoted:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}

func trusts(trusted []netip.Prefix, addr netip.Addr) bool {
	return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(addr) })
}
