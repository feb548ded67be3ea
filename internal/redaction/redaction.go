// Package redaction hides values of an event before it is recorded: it shows the event's JSON, value by value, to whoever redacts, and keeps
// the event one, whatever they answer.
//
// Free data is what may hold any JSON: metadata, params, request, response, and the sides of changes. Elsewhere only a value of the same
// kind may stand, and anything else drops the member. What is masked is {"$masked":true}, so that nobody takes it for a value.
package redaction

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/daybook-audit/daybook/internal/difference"
	"github.com/daybook-audit/daybook/internal/pointer"
	"github.com/daybook-audit/daybook/internal/rawjson"
)

// Apply returns the event text as redact lets it be recorded; changed is false when that is text itself. redact sees every value with its
// JSON pointer, objects and lists before what is in them, and returns what stands there instead: the value itself to keep it, nothing to
// drop it. What is in a value that it replaced it does not see. What is no JSON drops the member, in free data it is masked.
func Apply(text []byte, redact func(path string, v []byte) []byte) (out []byte, changed bool) {
	x := walk{redact: redact}
	out = x.value(make([]byte, 0, len(text)), "", text)
	return out, x.changed
}

// walk is one event on its way through redact.
type walk struct {
	redact  func(path string, v []byte) []byte
	changed bool
}

// value adds what is recorded of raw, the value at path, to dst; nothing when it is dropped.
func (x *walk) value(dst []byte, path string, raw []byte) []byte {
	if path != "" {
		kept := x.redact(path, raw)
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
			if dst = x.value(dst, path+"/"+pointer.Step(rawjson.Text(name)), value); len(dst) == start {
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

// fitting returns what stands for raw at path when kept was returned for it.
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
		return []byte(difference.Masked)
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
