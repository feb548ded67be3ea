package daybook

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/daybook-audit/daybook/internal/rawjson"
)

// A Redactor sees every value of an event before it is recorded, each object and list before what is in it; path is an RFC 6901
// pointer into the event's JSON. It returns what is recorded instead, v itself to keep it, nothing to drop it; what is in a value
// that it replaced it does not see. Where the shape of an event asks for a string, a number, an object or a list, anything else
// drops the member; in free data (metadata, params, request, response, old and new of changes) any JSON may come back, and what
// is not JSON is masked. Redact is called concurrently and MUST NOT change v.
type Redactor interface {
	Redact(path string, v json.RawMessage) json.RawMessage
}

// DefaultRedactor masks values of free data whose name looks like a secret: one of its words (snake, kebab or camel case) is pass,
// passwd, password, secret, token, key, auth, authorization, cookie, session, credential, private, otp, pin, cvv, card, iban or
// ssn, or one of these with an s. Of a change it masks both values when such a name is in its path. The event's own members, such
// as context.session_id, are kept.
type DefaultRedactor struct{}

// secretWords are the words that make a name a secret's.
var secretWords = []string{
	"pass", "passwd", "password", "secret", "token", "key", "auth", "authorization", "cookie", "session", "credential", "private",
	"otp", "pin", "cvv", "card", "iban", "ssn",
}

// Redact returns v, or a mask.
func (DefaultRedactor) Redact(path string, v json.RawMessage) json.RawMessage {
	free := freeData(path)
	switch {
	case free < 0:
		if rest, ok := strings.CutPrefix(path, "/changes/"); ok && !strings.Contains(rest, "/") {
			return maskedChange(v)
		}
	case free < len(path):
		if isSecret(fieldName([]byte(path[strings.LastIndexByte(path, '/')+1:]))) {
			return json.RawMessage(maskedWire)
		}
	}
	return v
}

// maskedChange returns the change v with masked values if its path names a secret.
func maskedChange(v json.RawMessage) json.RawMessage {
	var c Change
	if json.Unmarshal(v, &c) != nil || !slices.ContainsFunc(strings.Split(c.Path, "/"), func(step string) bool {
		return isSecret(fieldName([]byte(step)))
	}) {
		return v
	}
	for _, side := range [...]*Value{&c.Old, &c.New} {
		if side.Present() && side.Hash() == "" {
			*side = Masked()
		}
	}
	list, err := appendChanges(nil, Changes{c})
	if err != nil { // it was read from JSON
		return nil
	}
	return list[1 : len(list)-1]
}

// SecretName reports whether DefaultRedactor masks what has this name: see there for the words.
func SecretName(name string) bool { return isSecret(name) }

// isSecret reports whether one of the words of name is a secret's.
func isSecret(name string) bool {
	rest := []rune(name)
	for len(rest) > 0 {
		n := wordLen(rest)
		word := strings.ToLower(string(rest[:n]))
		if slices.Contains(secretWords, word) || slices.Contains(secretWords, strings.TrimSuffix(word, "s")) {
			return true
		}
		rest = rest[max(n, 1):]
	}
	return false
}

// wordLen returns the length of the word that name begins with: letters of one case, after at most one capital; a run of capitals
// ends before the last one when small letters follow (APIKey: API, Key). It is 0 when name begins with no letter.
func wordLen(name []rune) int {
	n := 0
	for n < len(name) && unicode.IsUpper(name[n]) {
		n++
	}
	small := func(i int) bool { return i < len(name) && unicode.IsLetter(name[i]) && !unicode.IsUpper(name[i]) }
	if n > 1 {
		if small(n) {
			return n - 1
		}
		return n
	}
	for small(n) {
		n++
	}
	return n
}

// freeData returns the length of the part of path that leads to free data, and −1 when path leads to none.
func freeData(path string) int {
	steps := 0 // beyond the first
	for _, root := range [...]string{
		"/metadata", "/actor/metadata", "/actor/via/#/metadata", "/targets/#/metadata", "/context/http/params",
		"/context/http/request", "/context/http/response", "/changes/#/old", "/changes/#/new",
	} {
		if steps = leads(path, root); steps >= 0 {
			return steps
		}
	}
	return -1
}

// leads returns the length of the beginning of path that is root, where # is any one step, and −1 when path begins otherwise.
func leads(path, root string) int {
	at := 0
	for root != "" {
		want, rest, more := strings.Cut(root[1:], "/")
		if at >= len(path) {
			return -1
		}
		have, _, _ := strings.Cut(path[at+1:], "/")
		if have != want && want != "#" {
			return -1
		}
		at += 1 + len(have)
		if root = ""; more {
			root = "/" + rest
		}
	}
	return at
}

// Redacted returns e as a Clerk with the Redactor r records it: for whoever hands events to a Book without a Clerk.
func Redacted(e Event, r Redactor) (Event, error) { return redacted(e, r) }

// redacted returns e as r lets it be recorded.
func redacted(e Event, r Redactor) (Event, error) {
	text, err := appendEvent(nil, &e)
	if err != nil {
		return e, err
	}
	x := redaction{r: r}
	out := x.value(make([]byte, 0, len(text)), "", text)
	if !x.changed {
		return e, nil
	}
	safe := Event{Org: e.Org}
	if err := decodeEvent(out, &safe); err != nil {
		return e, fmt.Errorf("read the redacted event: %w", err)
	}
	return safe, nil
}

// redaction is one event under a Redactor.
type redaction struct {
	r       Redactor
	changed bool
}

// value adds what is recorded of raw, the value at path, to dst; nothing when it is dropped.
func (x *redaction) value(dst []byte, path string, raw []byte) []byte {
	if path != "" {
		kept := x.r.Redact(path, raw)
		if string(kept) != string(raw) {
			x.changed = true
			return append(dst, fitting(path, raw, kept)...)
		}
	}
	switch raw[0] {
	case '{':
		dst = append(dst, '{')
		for name, value := range rawjson.Each(raw) {
			mark := len(dst)
			dst = append(append(rawjson.Comma(dst), name...), ':')
			start := len(dst)
			if dst = x.value(dst, path+"/"+escaped(rawjson.Text(name)), value); len(dst) == start {
				dst = dst[:mark]
			}
		}
		return append(dst, '}')
	case '[':
		dst = append(dst, '[')
		i := 0
		for value := range rawjson.Elements(raw) {
			mark := len(dst)
			dst = rawjson.Comma(dst)
			start := len(dst)
			if dst = x.value(dst, path+"/"+strconv.Itoa(i), value); len(dst) == start {
				dst = dst[:mark]
			}
			i++
		}
		return append(dst, ']')
	}
	return append(dst, raw...)
}

// fitting returns what stands for raw at path when a Redactor returned kept.
func fitting(path string, raw, kept []byte) []byte {
	kept = rawjson.Compact(kept)
	free := freeData(path)
	switch {
	case len(kept) == 0:
		return nil
	case !json.Valid(kept):
		if free < 0 {
			return nil
		}
		return []byte(maskedWire)
	case free >= 0 && (free < len(path) || !strings.HasSuffix(path, "/metadata")), kindOf(kept) == kindOf(raw):
		return kept
	}
	return nil
}

// kindOf tells JSON values of different kinds apart by their first byte.
func kindOf(raw []byte) byte {
	switch c := raw[0]; c {
	case '{', '[', '"', 't', 'f', 'n':
		return c
	}
	return '0'
}

// escaped returns name as a step of a JSON pointer.
func escaped(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}
