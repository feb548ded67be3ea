package redaction

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode"

	"github.com/daybook-audit/daybook/internal/difference"
	"github.com/daybook-audit/daybook/internal/pointer"
)

// secretWords are the words that make a name a secret's.
var secretWords = []string{
	"pass", "passwd", "password", "secret", "token", "key", "auth", "authorization", "cookie", "session", "credential", "private",
	"otp", "pin", "cvv", "card", "iban", "ssn",
}

// Default returns v, the value at path, or a mask: where the name of free data looks like a secret, and for both sides of a change whose path
// has such a name in it.
func Default(path string, v []byte) []byte {
	free := freeData(path)
	switch {
	case free < 0:
		if rest, ok := strings.CutPrefix(path, "/changes/"); ok && !strings.Contains(rest, "/") {
			return maskedChange(v)
		}
	case free < len(path):
		if IsSecret(pointer.Name(path[strings.LastIndexByte(path, '/')+1:])) {
			return []byte(difference.Masked)
		}
	}
	return v
}

// maskedChange returns the change v with masked values if its path names a secret.
func maskedChange(v []byte) []byte {
	var c struct {
		Path     string
		Old, New json.RawMessage
	}
	if json.Unmarshal(v, &c) != nil || !slices.ContainsFunc(strings.Split(c.Path, "/"), func(step string) bool {
		return IsSecret(pointer.Name(step))
	}) {
		return v
	}
	list := difference.AppendJSON(nil, []difference.Change{{Path: c.Path, Old: maskedSide(c.Old), New: maskedSide(c.New)}})
	return list[1 : len(list)-1]
}

// maskedSide returns a mask for what shows more than a tag.
func maskedSide(side []byte) []byte {
	if tag := difference.Mark(side, "$hash"); len(side) == 0 || len(tag) > len(`""`) && tag[0] == '"' {
		return side
	}
	return []byte(difference.Masked)
}

// IsSecret reports whether one of the words of name is a secret's.
func IsSecret(name string) bool {
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
