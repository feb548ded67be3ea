package daybookhttp

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"hash"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/leaf"
)

// kind is what a body is, as far as it can be recorded.
type kind byte

const (
	opaque kind = iota // not recorded
	jsonBody
	formBody
)

// kindOf tells from its headers what a body is. Compressed ones are opaque: what they hold is not known here.
func kindOf(h http.Header) kind {
	if e := h.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return opaque
	}
	text := h.Get("Content-Type")
	if text == "" {
		return opaque
	}
	if media, _, err := mime.ParseMediaType(text); err == nil {
		switch {
		case media == "application/json", media == "text/json", strings.HasSuffix(media, "+json"):
			return jsonBody
		case media == "application/x-www-form-urlencoded":
			return formBody
		}
	}
	return opaque
}

// body is what is kept of a body that passes by: its beginning, its length and, if there is a key, an HMAC of the whole.
type body struct {
	kind  kind
	most  int64
	kept  []byte
	size  int64
	mac   hash.Hash // nil: no key, or nothing beyond kept yet
	key   []byte
	ended bool // all of it has passed
}

// add keeps what fits.
func (b *body) add(p []byte) {
	if b.kind == opaque || len(p) == 0 {
		return
	}
	room := b.most - int64(len(b.kept))
	if b.mac == nil && int64(len(p)) > room && len(b.key) > 0 {
		b.mac = hmac.New(sha256.New, b.key)
		b.mac.Write(b.kept)
	}
	if b.mac != nil {
		b.mac.Write(p)
	}
	b.size += int64(len(p))
	b.kept = append(b.kept, p[:min(room, int64(len(p)))]...)
}

// cut describes a body of which not everything can be recorded.
type cut struct {
	Size      int64           `json:"size"`                // bytes that passed
	Length    int64           `json:"length,omitempty"`    // bytes announced, when not all of them passed
	HMAC      string          `json:"hmac,omitempty"`      // of all that passed: HMAC-SHA-256, base64
	Why       string          `json:"why"`                 // size, unread or syntax
	Beginning json.RawMessage `json:"beginning,omitempty"` // redacted
}

// The forms that stand for a body that could not be kept as it is, beside the marks of daybook.Value. A body of the client's that
// looks like one of them is wrapped as {"$json":…}.
const (
	markCut     = "$cut"     // see cut
	markEncoded = "$encoded" // a JSON text with more members, or deeper, than an event holds
)

// Bounds of one body as part of an event, which has 1,024 fields and 32 levels.
const (
	maxFields = 400
	maxDepth  = 24
)

// recorded returns what is recorded of b, redacted; nil when there was nothing.
func (b *body) recorded(announced int64, r *redactor) json.RawMessage {
	if b.kind == opaque || b.size == 0 {
		return nil
	}
	whole := b.size == int64(len(b.kept))
	unread := !b.ended && announced > b.size
	if whole && !unread {
		if out, ok := r.body(b.kept, b.kind, false); ok {
			return fitted(out)
		}
		return b.mark("syntax", 0, nil)
	}
	why := "size"
	if whole {
		why = "unread"
	}
	if !unread {
		announced = 0
	}
	beginning, ok := r.body(b.kept, b.kind, true)
	if !ok {
		beginning = nil
	}
	return b.mark(why, announced, beginning)
}

// mark returns the form of a body that is not kept whole.
func (b *body) mark(why string, announced int64, beginning json.RawMessage) json.RawMessage {
	c := cut{Size: b.size, Length: announced, Why: why, Beginning: fitted(beginning)}
	if b.mac == nil && len(b.key) > 0 {
		b.mac = hmac.New(sha256.New, b.key)
		b.mac.Write(b.kept)
	}
	if b.mac != nil {
		c.HMAC = base64.StdEncoding.EncodeToString(b.mac.Sum(nil))
	}
	text, err := json.Marshal(map[string]cut{markCut: c})
	if err != nil { // its parts are JSON
		return nil
	}
	return text
}

// Fitted returns a JSON value in a form in which it can be part of an event: an object that looks like one of our marks is wrapped,
// and one of more than 400 members, or deeper than 24 levels, becomes {"$encoded":"…"} with its text. [Unfitted] gives it back.
func Fitted(value json.RawMessage) json.RawMessage { return fitted(value) }

// Unfitted returns the value that [Fitted] was given.
func Unfitted(value json.RawMessage) json.RawMessage {
	if !bytes.HasPrefix(value, []byte(`{"$`)) { // as marks are written
		return value
	}
	var marks map[string]json.RawMessage
	if json.Unmarshal(value, &marks) != nil || len(marks) != 1 {
		return value
	}
	if inner, ok := marks["$json"]; ok {
		return inner
	}
	var text string
	if encoded, ok := marks[markEncoded]; ok && json.Unmarshal(encoded, &text) == nil && json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	return value
}

func fitted(value json.RawMessage) json.RawMessage {
	if len(value) == 0 {
		return nil
	}
	if fits(value) {
		wire, err := daybook.JSON(value).MarshalJSON()
		if err != nil { // it has none
			return nil
		}
		return wire
	}
	text, err := json.Marshal(map[string]string{markEncoded: string(value)})
	if err != nil { // a string
		return nil
	}
	return text
}

// fits reports whether an event takes a value, with room for the rest of it.
func fits(value []byte) bool {
	doc := leaf.Get()
	defer leaf.Put(doc)
	text := make([]byte, 0, len(value)+6)
	text = append(append(append(text, `{"v":`...), value...), '}')
	if doc.Read(text) != nil || doc.Len() > maxFields {
		return false
	}
	for i := range doc.Len() {
		if strings.Count(string(doc.Path(i)), "/") > maxDepth {
			return false
		}
	}
	return true
}

// requestBody hands a request's body on and keeps its beginning.
type requestBody struct {
	io.ReadCloser
	*body
}

func (b *requestBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.add(p[:n])
	if err == io.EOF {
		b.ended = true
	}
	return n, err
}

// form returns a form's text as an object: a string for a name that stands there once, else a list.
func (r *redactor) form(text string, whole bool) (json.RawMessage, bool) {
	if !whole {
		text = text[:max(strings.LastIndexByte(text, '&'), 0)]
	}
	values, err := url.ParseQuery(text)
	if err != nil {
		return nil, false
	}
	return r.values(values), true
}

// length is a Content-Length; −1: not known.
func length(h http.Header) int64 {
	n, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64)
	if err != nil {
		return -1
	}
	return n
}
