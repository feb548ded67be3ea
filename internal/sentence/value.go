package sentence

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/pointer"
)

// changed names what changed: "amount and 3 more".
func (w *writer) changed() string {
	cs := w.s.Event.Changes
	if len(cs) == 0 {
		return w.or("", "/changes")
	}
	return named(cs[0].Path, len(cs)-1)
}

// named is a path for people, and how many more there are.
func named(path string, more int) string {
	text := words.Everything
	if path != "" {
		text = shorten(unescape(strings.TrimPrefix(path, "/")))
	}
	if more > 0 {
		text += words.And + strconv.Itoa(more) + words.More
	}
	return text
}

// unescape undoes the escapes of RFC 6901 in a path for people.
func unescape(path string) string {
	return pointer.Name(path)
}

// changedAt is the change of path itself, "1,200.00 → 1,450.00", else the names of what changed below it.
func (w *writer) changedAt(path string) string {
	below, first := 0, ""
	for _, c := range w.s.Event.Changes {
		if c.Path == path {
			return side(c.Old) + " → " + side(c.New)
		}
		if rest, ok := strings.CutPrefix(c.Path, path+"/"); ok {
			if below++; below == 1 {
				first = "/" + rest
			}
		}
	}
	if below == 0 {
		return w.or("", "/changes")
	}
	return named(first, below-1)
}

// side is one side of a change. That one was not there is a dash; that it may not be shown, the mark of what is gone.
func side(v daybook.Value) string {
	switch raw := v.Raw(); {
	case !v.Present():
		return "–"
	case raw == nil:
		return gone
	case string(raw) == `""`:
		return `""`
	default:
		return text(raw)
	}
}

// meta is the metadata at the names, one inside the other.
func (w *writer) meta(keys []string) string {
	raw := w.s.Event.Metadata
	for _, key := range keys {
		var object map[string]json.RawMessage
		if len(raw) == 0 || json.Unmarshal(raw, &object) != nil {
			raw = nil
			break
		}
		raw = object[key]
	}
	if raw = bytes.TrimSpace(raw); len(raw) == 0 || string(raw) == "null" {
		var path strings.Builder
		path.WriteString("/metadata")
		for _, key := range keys {
			path.WriteString("/" + pointer.Step(key))
		}
		return w.or("", path.String())
	}
	return text(raw)
}

// text is a JSON value for people: a string without its quotes, everything else compact, numbers as they were written.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil && string(raw) != "null" {
		return shorten(s)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var b strings.Builder
	if compact(d, &b) != nil {
		return shorten(string(raw)) // what is recorded is valid: this is for callers who bring their own
	}
	return shorten(b.String())
}

// enough is the text after which shorten cuts for certain.
const enough = 4 * (maxValue + 2)

// compact writes the next value of d, or as much of it as is shown.
func compact(d *json.Decoder, b *strings.Builder) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	switch v := token.(type) {
	case json.Delim:
		b.WriteRune(rune(v))
		for first := true; d.More() && b.Len() < enough; first = false {
			if !first {
				b.WriteByte(',')
			}
			if v == '{' {
				name, err := d.Token()
				if err != nil {
					return err
				}
				if key, ok := name.(string); ok {
					quote(b, key)
				}
				b.WriteByte(':')
			}
			if err := compact(d, b); err != nil {
				return err
			}
		}
		if b.Len() >= enough {
			return nil
		}
		closing, err := d.Token()
		if err != nil {
			return err
		}
		if c, ok := closing.(json.Delim); ok {
			b.WriteRune(rune(c))
		}
	case string:
		quote(b, v)
	case json.Number:
		b.WriteString(v.String())
	case bool:
		b.WriteString(strconv.FormatBool(v))
	default:
		b.WriteString("null")
	}
	return nil
}

// quote writes s in quotes. What JSON escapes besides is shown as a symbol later.
func quote(b *strings.Builder, s string) {
	b.WriteByte('"')
	b.WriteString(strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), `"`, `\"`))
	b.WriteByte('"')
}
