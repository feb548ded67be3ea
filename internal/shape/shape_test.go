package shape_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook/internal/pointer"
	"github.com/daybook-audit/daybook/internal/shape"
	"github.com/daybook-audit/daybook/internal/typeid"
	"github.com/daybook-audit/daybook/leaf"
)

// full is the event of docs/reference/api.md, section 2, with all its members.
const full = `{"id":"evt_01m7z7rs1affyad5cmxxj94a79","action":"invoice.updated","version":3,"occurred_at":"2026-11-21T14:22:07.318Z",` +
	`"actor":{"type":"user","id":"usr_7","name":"Grace Hopper","email":"grace@acme.com","metadata":{"team":"billing"},` +
	`"via":[{"type":"user","id":"usr_1","name":"Ada Byron"}]},` +
	`"targets":[{"type":"invoice","id":"42","name":"Invoice 42","metadata":{"region":"eu"}}],` +
	`"context":{"ip":"203.0.113.9","user_agent":"Firefox/149.0","request_id":"req_5","trace_id":"4bf9","session_id":"s_1",` +
	`"http":{"method":"PUT","route":"/invoices/{id}","path":"/invoices/42","status_code":200,"params":{},"request":{},"response":{}}},` +
	`"outcome":"failure","error":{"code":"limit","message":"over the limit"},"changes":[{"path":"/amount","old":"1200.00","new":"1450.00"}],` +
	`"reason":"PO 7781","correlation_id":"job_9","metadata":{"plan":"pro"}}`

// minimal has the required members; %s stands for more.
const minimal = `{"action":"a.b","actor":{"type":"user","id":"1"}%s}`

func acceptText(text string) (shape.Accepted, error) {
	d := leaf.Get()
	defer leaf.Put(d)
	return shape.Accept(d, []byte(text), false)
}

func TestAccept_full(t *testing.T) {
	t.Parallel()
	a, err := acceptText(full)
	if err != nil {
		t.Fatal(err)
	}
	if string(a.Text) != full {
		t.Errorf("the text was changed: %s", a.Text)
	}
	want := time.Date(2026, 11, 21, 14, 22, 7, 318e6, time.UTC).UnixMicro()
	if !a.HasOccurred || a.Occurred != want {
		t.Errorf("occurred %d %t, want %d", a.Occurred, a.HasOccurred, want)
	}
	if got := string(a.Text[a.IDAt-1 : a.IDAt+29]); got != "evt_01m7z7rs1affyad5cmxxj94a79" || string(typeid.Append(nil, "evt", a.ID)) != got {
		t.Errorf("idAt points at %s, id is %x", got, a.ID)
	}
}

func TestAccept_minimal(t *testing.T) {
	t.Parallel()
	a, err := acceptText(fmt.Sprintf(minimal, ""))
	if err != nil {
		t.Fatal(err)
	}
	if a.ID != [16]byte{} || a.IDAt != 0 || a.HasOccurred || a.Occurred != 0 {
		t.Errorf("got %+v", a)
	}
}

// TestAccept_text: what is kept of the text, verbatim or rewritten.
func TestAccept_text(t *testing.T) {
	t.Parallel()
	const id = `"id":"evt_01m7z7rs1affyad5cmxxj94a79"`
	tests := []struct{ name, text, want string }{
		{"verbatim", `{ "action" : "a.b", "actor": {"type":"user","id":"1"},"metadata":{"n":1.10,"e":1e400,"u":"\u00e9"} }`, "="},
		{"surrounding space", "\r\n\t {\"action\":\"a.b\",\"actor\":{\"type\":\"user\",\"id\":\"1\"}} \n", `{"action":"a.b","actor":{"type":"user","id":"1"}}`},
		{
			"line breaks", "{\n\t\"action\": \"a\\tb \",\r\n  \"actor\": {\"type\": \"us er\", \"id\": \"1\"}, " + id + "\n}",
			`{"action":"a\tb ","actor":{"type":"us er","id":"1"},` + id + `}`,
		},
		{"null members", fmt.Sprintf(minimal, `,"version":null,"targets":null,"context":null,"outcome":null,"error":null,"changes":null,"metadata":null`), "="},
		{"null id and time", `{"id":null,"action":"a.b","occurred_at": null ,"actor":{"type":"user","id":"1"}}`, fmt.Sprintf(minimal, "")},
		{"location", fmt.Sprintf(minimal, `,"context":{"request_id": "r", "location": "10.0.0.1"}`), fmt.Sprintf(minimal, `,"context":{"request_id":"r","ip":"10.0.0.1"}`)},
		{"escaped location", fmt.Sprintf(minimal, `,"cont\u0065xt":{"loc\u0061tion":"at \"home\""}`), fmt.Sprintf(minimal, `,"cont\u0065xt":{"ip":"at \"home\""}`)},
		{"location and null ip", fmt.Sprintf(minimal, `,"context":{"ip":null,"location":"x"}`), fmt.Sprintf(minimal, `,"context":{"ip":"x"}`)},
		{"null location and ip", fmt.Sprintf(minimal, `,"context":{"ip":"x","location":null}`), fmt.Sprintf(minimal, `,"context":{"ip":"x"}`)},
		{"null location", fmt.Sprintf(minimal, `,"context":{"location":null}`), fmt.Sprintf(minimal, `,"context":{}`)},
		{
			"before and after", `{"before":{"a":1,"b":{"c":[1,2]},"d":1.0},"action":"a.b","actor":{"type":"user","id":"1"},"after":{"d":1,"b":{"c":[1,3.50]},"e":"x"}}`,
			`{"changes":[{"path":"/a","old":1},{"path":"/b/c/1","old":2,"new":3.50},{"path":"/e","new":"x"}],"action":"a.b","actor":{"type":"user","id":"1"}}`,
		},
		{"after alone", fmt.Sprintf(minimal, `,"after":{"b":2,"a":1},"changes":null`), fmt.Sprintf(minimal, `,"changes":[{"path":"/a","new":1},{"path":"/b","new":2}]`)},
		{"before alone", fmt.Sprintf(minimal, `,"before":{"a":{"b":1}},"after":null`), fmt.Sprintf(minimal, `,"changes":[{"path":"/a","old":{"b":1}}]`)},
		{"scalars", fmt.Sprintf(minimal, `,"before":"x","after":[1]`), fmt.Sprintf(minimal, `,"changes":[{"path":"","old":"x","new":[1]}]`)},
		{"no difference", fmt.Sprintf(minimal, `,"before":{"a":1,"b":2},"after":{"b":2e0,"a":1.0}`), fmt.Sprintf(minimal, "")},
		{"both null", fmt.Sprintf(minimal, `,"before":null,"after":null`), fmt.Sprintf(minimal, "")},
		{"marks are wrapped", fmt.Sprintf(minimal, `,"after":{"a":{"$masked":true}}`), fmt.Sprintf(minimal, `,"changes":[{"path":"/a","new":{"$json":{"$masked":true}}}]`)},
		{
			"names with slash and tilde", fmt.Sprintf(minimal, `,"after":{"a/b~c":1}`),
			fmt.Sprintf(minimal, `,"changes":[{"path":"/a~1b~0c","new":1}]`),
		},
		{"free data", fmt.Sprintf(minimal, `,"context":{"http":{"params":[1,{"x":null}],"request":"text","response":null,"status_code":-1}}`), "="},
		{"empty lists", fmt.Sprintf(minimal, `,"targets":[],"changes":[],"context":{},"error":{},"metadata":{}`), "="},
		{"empty target", fmt.Sprintf(minimal, `,"targets":[{},{"id":"2"}]`), "="},
		{"root path", fmt.Sprintf(minimal, `,"changes":[{"path":"","old":null}]`), "="},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, err := acceptText(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			want := tt.want
			if want == "=" {
				want = tt.text
			}
			if diff := cmp.Diff(want, string(a.Text)); diff != "" {
				t.Error(diff)
			}
			if a.IDAt != 0 && string(a.Text[a.IDAt-1:a.IDAt+29]) != string(typeid.Append(nil, "evt", a.ID)) {
				t.Errorf("idAt %d does not point at the id in %s", a.IDAt, a.Text)
			}
		})
	}
}

// TestAccept_fields: on return the document holds the fields of the text that is kept.
func TestAccept_fields(t *testing.T) {
	t.Parallel()
	d := leaf.Get()
	defer leaf.Put(d)
	a, err := shape.Accept(d, []byte(fmt.Sprintf(minimal, `,"context":{"location":"x"},"after":{"a":1}`)), false)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range d.Len() {
		got = append(got, string(d.Path(i)))
		if at := d.Offset(i); at < 0 || at >= len(a.Text) {
			t.Errorf("offset %d of %s is outside the text", at, d.Path(i))
		}
	}
	want := []string{"/action", "/actor/type", "/actor/id", "/context/ip", "/changes/~#0/path", "/changes/~#0/new"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAccept_reserved(t *testing.T) {
	t.Parallel()
	const text = `{"action":"daybook.key.created","actor":{"type":"user","id":"1"}}`
	d := leaf.Get()
	defer leaf.Put(d)
	if _, err := shape.Accept(d, []byte(text), true); err != nil {
		t.Errorf("reserved allowed: %v", err)
	}
	if _, err := shape.Accept(d, []byte(text), false); err == nil {
		t.Errorf("reserved not allowed: %v", err)
	}
}

// TestAccept_allocations guards the way of every event: nothing is allocated for an ordinary one.
func TestAccept_allocations(t *testing.T) {
	d := leaf.Get()
	defer leaf.Put(d)
	text := []byte(full)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := shape.Accept(d, text, false); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations for an ordinary event, want none", n)
	}
}

func BenchmarkAccept(b *testing.B) {
	d := leaf.Get()
	defer leaf.Put(d)
	text := []byte(full)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := shape.Accept(d, text, false); err != nil {
			b.Fatal(err)
		}
	}
}

// TestAccept_manyDifferences: when the changes have more fields than an event may, one change holds all of them.
func TestAccept_manyDifferences(t *testing.T) {
	t.Parallel()
	var before, after []string
	for i := range 450 {
		before = append(before, fmt.Sprintf(`"m%d":0`, i))
		after = append(after, fmt.Sprintf(`"m%d":1`, i))
	}
	a, err := acceptText(fmt.Sprintf(minimal, `,"before":{"x":{`+strings.Join(before, ",")+`}},"after":{"x":{`+strings.Join(after, ",")+`}}`))
	if err != nil {
		t.Fatal(err)
	}
	var e struct{ Changes []struct{ Path string } }
	if err := json.Unmarshal(a.Text, &e); err != nil {
		t.Fatal(err)
	}
	if len(e.Changes) != 1 || e.Changes[0].Path != "/x" {
		t.Errorf("got %d changes, the first at %q", len(e.Changes), e.Changes[0].Path)
	}
}

// TestStamped: a version and flags stand behind what was accepted; a version that is null gives way.
func TestStamped(t *testing.T) {
	t.Parallel()
	d := leaf.Get()
	defer leaf.Put(d)
	text := []byte(fmt.Sprintf(minimal, `,"version":null,"reason":"x"`))
	a, err := shape.Stamped(d, text, 3, []byte(`["schema_violation"]`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fmt.Sprintf(minimal, `,"reason":"x","version":3,"flags":["schema_violation"]`), string(a.Text)); diff != "" || a.Version != 3 {
		t.Errorf("version %d (-want +got):\n%s", a.Version, diff)
	}
	if a, err = shape.Stamped(d, text, 0, nil); err != nil || string(a.Text) != string(text) {
		t.Errorf("nothing to stamp: %v\n%s", err, a.Text)
	}
	if _, err := shape.Accept(d, []byte(fmt.Sprintf(minimal, `,"flags":["schema_violation"]`)), true); err == nil {
		t.Error("a producer gave flags")
	}
}

// BenchmarkLeafRead is the part of BenchmarkAccept that is not the shape.
func BenchmarkLeafRead(b *testing.B) {
	d := leaf.Get()
	defer leaf.Put(d)
	text := []byte(full)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if err := d.Read(text); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzAccept: what is refused is refused with a rule; what is accepted is one line of JSON, and stays as it is when it is read again.
func FuzzAccept(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte(fmt.Sprintf(minimal, `,"context":{"location":"x"},"before":{"a":[1,{"$x":2}]},"after":{"a":[]}`)))
	f.Add([]byte("{\n \"action\": \"a\", \"actor\": {\"type\":\"u\",\"id\":\"1\"}, \"id\": null}"))
	f.Add([]byte(`{"action":"a","actor":{"type":"u","id":"1","via":[{"via":[]}]},"targets":{"0":1}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		d := leaf.Get()
		defer leaf.Put(d)
		before := bytes.Clone(text)
		a, err := shape.Accept(d, text, false)
		if !bytes.Equal(before, text) {
			t.Fatal("Accept wrote into its argument")
		}
		if err != nil {
			var e *shape.Refusal
			if !errors.As(err, &e) || e.Rule == "" || e.Message == "" {
				t.Fatalf("refused with %#v", err)
			}
			if e.Rule != "duplicate_key" && !pointer.Valid(e.Field) {
				t.Fatalf("field %q is no pointer", e.Field)
			}
			return
		}
		if !json.Valid(a.Text) || bytes.ContainsAny(a.Text, "\r\n\t") {
			t.Fatalf("accepted %q", a.Text)
		}
		if (a.IDAt == 0) != (a.ID == [16]byte{}) {
			t.Fatalf("idAt %d with id %x", a.IDAt, a.ID)
		}
		again, err := shape.Accept(d, a.Text, false)
		if err != nil || !bytes.Equal(again.Text, a.Text) || again.IDAt != a.IDAt || again.ID != a.ID || again.Occurred != a.Occurred {
			t.Fatalf("read again: %v\n%s\n%s", err, a.Text, again.Text)
		}
	})
}
