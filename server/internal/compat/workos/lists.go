package workos

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// listBody is a page of anything. Every one has list_metadata: Node reads its after without looking, Go asks on while it is not null.
type listBody struct {
	Object   string       `json:"object"`
	Data     any          `json:"data"`
	Metadata listMetadata `json:"list_metadata"`
}

type listMetadata struct {
	Before *string `json:"before"`
	After  *string `json:"after"`
}

// listQuery is what a request asks of a list.
type listQuery struct {
	limit         int
	asc           bool
	before, after string // what the cursors stand for; empty: none
}

// Limits of a page.
const (
	defaultLimit = 10
	maxLimit     = 100
)

// readList reads the parameters of a list; prefix is that of its cursors. Unknown parameters are ignored, as WorkOS does.
func readList(r *http.Request, prefix string) (listQuery, *fault) {
	in, q := r.URL.Query(), listQuery{limit: defaultLimit}
	var wrong []fieldError
	refuse := func(field string) { wrong = append(wrong, fieldError{Code: "invalid_value", Field: field}) }
	if text := in.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxLimit {
			refuse("limit")
		}
		q.limit = n
	}
	switch in.Get("order") {
	case "", "desc", "normal":
	case "asc":
		q.asc = true
	default:
		refuse("order")
	}
	for _, c := range []struct {
		field string
		to    *string
	}{{"before", &q.before}, {"after", &q.after}} {
		if text := in.Get(c.field); text != "" {
			var ok bool
			if *c.to, ok = readCursor(prefix, text); !ok {
				refuse(c.field)
			}
		}
	}
	if q.before != "" && q.after != "" {
		refuse("before")
	}
	if wrong != nil {
		return q, validationFault(wrong)
	}
	return q, nil
}

func newCursor(prefix, of string) *string {
	return new(prefix + base64.RawURLEncoding.EncodeToString([]byte(of)))
}

func readCursor(prefix, text string) (string, bool) {
	rest, ok := strings.CutPrefix(text, prefix)
	b, err := base64.RawURLEncoding.DecodeString(rest)
	return string(b), ok && err == nil && len(b) > 0
}

// page cuts the page that q asks for out of all, which are in descending order; name is what the cursor of one stands for. A cursor that
// stands for nothing that is there is refused.
func page[T any](all []T, q listQuery, prefix string, name func(T) string) (part []T, m listMetadata, f *fault) {
	if q.asc {
		all = slices.Clone(all)
		slices.Reverse(all)
	}
	from, to := 0, len(all)
	at := func(cursor, field string) int {
		i := slices.IndexFunc(all, func(v T) bool { return name(v) == cursor })
		if i < 0 {
			f = validationFault([]fieldError{{Code: "invalid_value", Field: field}})
		}
		return i
	}
	switch {
	case q.after != "":
		from = at(q.after, "after") + 1
		to = min(to, from+q.limit)
	case q.before != "":
		to = max(0, at(q.before, "before"))
		from = max(0, to-q.limit)
	default:
		to = min(to, q.limit)
	}
	part = all[from:to]
	if len(part) > 0 && from > 0 {
		m.Before = newCursor(prefix, name(part[0]))
	}
	if len(part) > 0 && to < len(all) {
		m.After = newCursor(prefix, name(part[len(part)-1]))
	}
	return part, m, f
}
