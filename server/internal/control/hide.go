package control

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/pointer"
)

// maxHidden is how many fields can be withheld from one viewer.
const maxHidden = 32

// hideable are the fields of an event that can be withheld, or what is below them. What an entry cannot be without is not among them: its
// action, outcome and times, and types and ids.
var hideable = []string{
	"/actor/name", "/actor/email", "/actor/metadata", "/actor/via", "/targets/*/name", "/targets/*/metadata", "/context", "/error", "/changes", "/reason", "/correlation_id", "/metadata",
}

// CheckHidden refuses what cannot be withheld: pointers that are none, "*" as a whole step for any one, or of other fields.
func CheckHidden(pointers []string) error {
	if len(pointers) > maxHidden {
		return invalidView("/hide", "at most %d fields can be withheld.", maxHidden)
	}
	for i, p := range pointers {
		ok := len(p) <= maxActionName && slices.ContainsFunc(hideable, func(of string) bool { return p == of || strings.HasPrefix(p, of+"/") })
		if !ok || strings.HasSuffix(p, "/") || strings.Contains(p, "//") {
			return invalidView(fmt.Sprintf("/hide/%d", i), "%q cannot be withheld: it must be one of %s, or below one.", p, strings.Join(hideable, ", "))
		}
	}
	return nil
}

// Hide returns an entry without what stands at pointers, as [CheckHidden] takes them, or below. Its members stand in another order then.
func Hide(e *daybook.Entry, pointers []string) (daybook.Entry, error) {
	out := *e
	if len(pointers) == 0 || len(e.Payload) == 0 {
		return out, nil
	}
	d := json.NewDecoder(bytes.NewReader(e.Payload))
	d.UseNumber() // numbers keep their digits
	var v any
	if err := d.Decode(&v); err != nil {
		return out, fmt.Errorf("withhold fields of entry %d: %w", e.Seq, err)
	}
	for _, p := range pointers {
		steps := strings.Split(strings.TrimPrefix(p, "/"), "/")
		without(v, steps)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return out, fmt.Errorf("withhold fields of entry %d: %w", e.Seq, err)
	}
	out.Payload = bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	if len(e.ErasedFields) > 0 { // the name of an erased field may say what it was
		out.ErasedFields = slices.DeleteFunc(slices.Clone(e.ErasedFields), func(field string) bool { return covered(pointers, field) })
	}
	return out, nil
}

// covered reports whether a field is at or below one of pointers.
func covered(pointers []string, field string) bool {
	steps := strings.Split(field, "/")
	return slices.ContainsFunc(pointers, func(p string) bool {
		of := strings.Split(p, "/")
		if len(of) > len(steps) {
			return false
		}
		for i := range of {
			if of[i] != "*" && of[i] != steps[i] {
				return false
			}
		}
		return true
	})
}

// without removes what steps lead to.
func without(v any, steps []string) {
	name, last := pointer.Name(steps[0]), len(steps) == 1
	switch v := v.(type) {
	case map[string]any:
		for key, inner := range v {
			switch {
			case steps[0] != "*" && key != name:
			case last:
				delete(v, key)
			default:
				without(inner, steps[1:])
			}
		}
	case []any:
		for i, inner := range v {
			switch {
			case steps[0] != "*" && strconv.Itoa(i) != name:
			case last:
				v[i] = nil
			default:
				without(inner, steps[1:])
			}
		}
	}
}
