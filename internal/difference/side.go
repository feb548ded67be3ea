package difference

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/daybook-audit/daybook/internal/rawjson"
)

// Masked is the wire form of a side that says only that there is a value.
const Masked = `{"$masked":true}`

const (
	hashOpen = `{"$hash":`
	jsonOpen = `{"$json":`
)

// Side returns the wire form of a value's JSON text: raw itself, but an object whose first name begins with "$" is wrapped as {"$json":…}, so
// that none can pass for a mark. No text: absent.
func Side(raw []byte) []byte {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return nil
	}
	if !marked(raw) {
		return raw
	}
	wrapped := make([]byte, 0, len(raw)+len(jsonOpen)+1)
	return append(append(append(wrapped, jsonOpen...), raw...), '}')
}

// Hashed returns the wire form of a side that shows tag instead of its value.
func Hashed(tag string) []byte {
	wire, err := jsontext.AppendQuote([]byte(hashOpen), strings.ToValidUTF8(tag, "\uFFFD"))
	if err != nil { // no invalid UTF-8 is left
		return []byte(Masked)
	}
	return append(wire, '}')
}

// Mark returns what stands under name, such as "$hash", when wire is an object of that one member, else nil.
func Mark(wire []byte, name string) []byte {
	if !marked(wire) || !json.Valid(wire) {
		return nil
	}
	var found []byte
	n := 0
	for key, raw := range rawjson.Each(wire) {
		n++
		if rawjson.Text(key) == name {
			found = raw
		}
	}
	if n != 1 {
		return nil
	}
	return found
}

// marked reports whether raw begins like an object whose first name begins with "$", escaped or not.
func marked(raw []byte) bool {
	if len(raw) == 0 || raw[0] != '{' {
		return false
	}
	name := bytes.TrimLeft(raw[1:], " \t\r\n")
	if len(name) < 2 || name[0] != '"' {
		return false
	}
	const escaped = `\u0024`
	return name[1] == '$' || bytes.HasPrefix(name[1:], []byte(escaped))
}
