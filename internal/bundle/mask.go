package bundle

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/daybook-audit/daybook/leaf"
)

// Mask withholds fields: those whose path (docs/reference/integrity.md, section 2) is one of these, or lies below one. A step * is any one,
// and a number an element of a list too.
type Mask []string

// Refused returns the first text of m that is no path of a field; false: there is none.
func (m Mask) Refused() (string, bool) {
	i := slices.IndexFunc(m, func(p string) bool { return len(p) < 2 || p[0] != '/' || !utf8.ValidString(p) })
	if i < 0 {
		return "", false
	}
	return m[i], true
}

// withhold replaces what m covers by commitments, and reports whether it did.
func (m Mask) withhold(fs []leaf.Field) (masked bool) {
	if len(m) == 0 {
		return false
	}
	for i := range fs {
		if f := &fs[i]; !f.Withheld && m.covers(string(f.Path)) {
			fs[i] = leaf.Field{Withheld: true, Commitment: f.Commit()}
			masked = true
		}
	}
	return masked
}

func (m Mask) covers(path string) bool {
	return slices.ContainsFunc(m, func(p string) bool { return covers(p, path) })
}

// covers reports whether path is p or lies below it.
func covers(p, path string) bool {
	if !strings.Contains(p, "*") && !strings.ContainsAny(p, "0123456789") {
		return strings.HasPrefix(path, p) && (len(path) == len(p) || path[len(p)] == '/')
	}
	for p != "" {
		var want, step string
		if path == "" {
			return false
		}
		want, p = cutStep(p)
		step, path = cutStep(path)
		if want != "*" && want != step && "~#"+want != step {
			return false
		}
	}
	return true
}

// cutStep cuts the first step off a path that begins with a slash; rest begins with the next slash.
func cutStep(path string) (step, rest string) {
	path = strings.TrimPrefix(path, "/")
	if i := strings.IndexByte(path, '/'); i >= 0 {
		return path[:i], path[i:]
	}
	return path, ""
}
