package query

import (
	"bytes"
	"net/netip"
)

// parseAddress reads an IP address as netip.ParseAddr does, without allocating. A zone is dropped, and an IPv4 address mapped into
// IPv6 is an IPv4 address.
func parseAddress(s []byte) (netip.Addr, bool) {
	if v, ok := parse4(s); ok {
		return netip.AddrFrom4(v), true
	}
	if i := bytes.IndexByte(s, '%'); i >= 0 {
		if i == len(s)-1 {
			return netip.Addr{}, false
		}
		s = s[:i]
	}
	v, ok := parse6(s)
	if !ok {
		return netip.Addr{}, false
	}
	return netip.AddrFrom16(v).Unmap(), true
}

func parse4(s []byte) (v [4]byte, ok bool) {
	for i := range 4 {
		n := digits(s)
		if n == 0 || n > 3 || n > 1 && s[0] == '0' {
			return v, false
		}
		part := 0
		for _, c := range s[:n] {
			part = part*10 + int(c-'0')
		}
		if part > 255 {
			return v, false
		}
		v[i] = byte(part)
		if s = s[n:]; i == 3 {
			break
		}
		if len(s) == 0 || s[0] != '.' {
			return v, false
		}
		s = s[1:]
	}
	return v, len(s) == 0
}

func parse6(s []byte) (v [16]byte, ok bool) {
	n, gap := 0, -1 // bytes read; where "::" stands
	if len(s) >= 2 && s[0] == ':' && s[1] == ':' {
		gap, s = 0, s[2:]
	}
	for len(s) > 0 && n < 16 {
		part, size := hex(s)
		if size == 0 {
			return v, false
		}
		if size < len(s) && s[size] == '.' { // the last four bytes as IPv4
			last, ok := parse4(s)
			if !ok || n > 12 || gap < 0 && n != 12 {
				return v, false
			}
			copy(v[n:], last[:])
			n, s = n+4, nil
			break
		}
		v[n], v[n+1] = byte(part>>8), byte(part)
		n += 2
		if s = s[size:]; len(s) == 0 {
			break
		}
		if s[0] != ':' || len(s) == 1 {
			return v, false
		}
		if s = s[1:]; s[0] == ':' {
			if gap >= 0 {
				return v, false
			}
			gap, s = n, s[1:]
		}
	}
	if len(s) > 0 || n < 16 && gap < 0 || n == 16 && gap >= 0 {
		return v, false
	}
	if gap >= 0 {
		tail := n - gap
		copy(v[16-tail:], v[gap:n])
		clear(v[gap : 16-tail])
	}
	return v, true
}

// hex reads up to four hexadecimal digits; size 0: there is none, or there are more.
func hex(s []byte) (part, size int) {
	for size < len(s) {
		var d int
		switch c := s[size]; {
		case c >= '0' && c <= '9':
			d = int(c - '0')
		case c >= 'a' && c <= 'f':
			d = int(c-'a') + 10
		case c >= 'A' && c <= 'F':
			d = int(c-'A') + 10
		default:
			return part, size
		}
		if size == 4 {
			return 0, 0
		}
		part = part<<4 | d
		size++
	}
	return part, size
}

// parseNetwork reads an address, which is a network of one, or a block such as 10.0.0.0/8.
func parseNetwork(s string) (netip.Prefix, bool) {
	a, ok := parseAddress([]byte(s))
	if ok {
		return netip.PrefixFrom(a, a.BitLen()), !bytes.ContainsRune([]byte(s), '%')
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, false
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked(), true
}
