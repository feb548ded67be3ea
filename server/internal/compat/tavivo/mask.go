package tavivo

import (
	"bytes"
	"strings"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/rawjson"
)

// Names changes which member names are masked. They are whole names, compared without regard to case.
type Names struct {
	Mask  []string // masked, though no word of theirs is a secret's
	Allow []string // not masked, though one is
}

// masker replaces the values of members whose names are those of secrets. The words are those of [daybook.DefaultRedactor].
type masker struct{ masked, allowed map[string]bool }

func newMasker(n Names) masker {
	m := masker{masked: map[string]bool{}, allowed: map[string]bool{}}
	for _, name := range n.Mask {
		m.masked[strings.ToLower(name)] = true
	}
	for _, name := range n.Allow {
		m.allowed[strings.ToLower(name)] = true
	}
	return m
}

var mask = []byte(`{"$masked":true}`)

// secret reports whether a member of this name is masked.
func (m *masker) secret(name string) bool {
	folded := strings.ToLower(name)
	switch {
	case m.allowed[folded]:
		return false
	case m.masked[folded]:
		return true
	}
	return bytes.Equal(daybook.DefaultRedactor{}.Redact("/metadata/"+pointer(name), []byte("0")), mask)
}

// value appends the value v with its secrets masked, at any depth. Everything else stays as it was sent.
func (m *masker) value(dst, v []byte) []byte {
	switch {
	case rawjson.IsObject(v):
		members := rawjson.Members(v)
		named, isPair := m.pair(members)
		dst = append(dst, '{')
		for i, one := range members {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(rawjson.AppendText(dst, one.Name), ':')
			switch {
			case isPair && one.Name == named && rawjson.IsString(one.Value):
				dst = append(dst, one.Value...) // it names the value: it is none itself
			case isPair && one.Name == "value" && m.secret(rawjson.Text(rawjson.Find(members, named))), m.secret(one.Name):
				dst = append(dst, mask...)
			default:
				dst = m.value(dst, one.Value)
			}
		}
		return append(dst, '}')
	case v[0] == '[':
		dst = append(dst, '[')
		first := true
		for one := range rawjson.Elements(v) {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = m.value(dst, one)
		}
		return append(dst, ']')
	}
	return append(dst, v...)
}

// pair reports whether an object is a pair of name (or key) and value, as headers are, and which member names the value.
func (m *masker) pair(members []rawjson.Member) (named string, ok bool) {
	if rawjson.Find(members, "value") == nil {
		return "", false
	}
	for _, named := range []string{"name", "key"} {
		if rawjson.IsString(rawjson.Find(members, named)) {
			return named, true
		}
	}
	return "", false
}

// pointer escapes one token of a JSON pointer.
func pointer(token string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(token) }
