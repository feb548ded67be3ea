package query

import "bytes"

// pattern is a value with wildcards: its pieces stand in this order, the first at the beginning, the last at the end, with any run
// of characters between two of them. One piece is the whole string.
type pattern [][]byte

// exact reports whether p has no wildcard.
func (p pattern) exact() bool { return len(p) == 1 }

// match reports whether p matches s.
func (p pattern) match(s []byte) bool {
	if p.exact() {
		return bytes.Equal(s, p[0])
	}
	rest, ok := p.cut(s)
	return ok && bytes.HasSuffix(rest, p[len(p)-1])
}

// cut matches all pieces but the last and returns what is left for it. Each piece is looked for once, at its leftmost place, which
// leaves the most, so the time is linear in the length of s.
func (p pattern) cut(s []byte) (rest []byte, ok bool) {
	if !bytes.HasPrefix(s, p[0]) {
		return nil, false
	}
	s = s[len(p[0]):]
	for _, piece := range p[1 : len(p)-1] {
		i := bytes.Index(s, piece)
		if i < 0 {
			return nil, false
		}
		s = s[i+len(piece):]
	}
	return s, true
}

// matchFolded reports whether p, whose pieces are folded, matches the folded form of s.
func (p pattern) matchFolded(s []byte) bool {
	var short [128]byte
	return p.match(appendFold(short[:0], s))
}

// matchPath reports whether p matches the pointer or one of its ancestors.
func (p pattern) matchPath(pointer []byte) bool {
	if p.exact() {
		whole := p[0]
		return bytes.HasPrefix(pointer, whole) && (len(pointer) == len(whole) || pointer[len(whole)] == '/')
	}
	rest, ok := p.cut(pointer)
	if !ok {
		return false
	}
	last := p[len(p)-1]
	for i := range rest {
		if rest[i] == '/' && bytes.HasSuffix(rest[:i], last) {
			return true
		}
	}
	return bytes.HasSuffix(rest, last)
}

// matchName reports whether p matches a member name of the pointer.
func (p pattern) matchName(pointer []byte) bool {
	for i := firstComponent(pointer); i < len(pointer); {
		name, end := component(pointer, i)
		if p.matchEscaped(name) {
			return true
		}
		i = end
	}
	return false
}

// matchEscaped reports whether p matches name with ~0 and ~1 taken back.
func (p pattern) matchEscaped(name []byte) bool {
	if bytes.IndexByte(name, '~') < 0 {
		return p.match(name)
	}
	plain := make([]byte, 0, len(name))
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c == '~' && i+1 < len(name) {
			i++
			c = unescaped(name[i])
		}
		plain = append(plain, c)
	}
	return p.match(plain)
}

// matchString is match for a string.
func (p pattern) matchString(s string) bool {
	if p.exact() {
		return s == string(p[0])
	}
	return p.match([]byte(s))
}

// isPointer reports whether p is a JSON pointer, not a member name: it begins with "/", or with a wildcard and holds a "/".
func (p pattern) isPointer() bool {
	if len(p[0]) > 0 {
		return p[0][0] == '/'
	}
	for _, piece := range p[1:] {
		if bytes.IndexByte(piece, '/') >= 0 {
			return true
		}
	}
	return false
}
