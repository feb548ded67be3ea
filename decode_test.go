package daybook

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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

func TestDecodeEvent(t *testing.T) {
	t.Parallel()
	var got Event
	got.Org = "acme"
	if err := decodeEvent([]byte(full), &got); err != nil {
		t.Fatal(err)
	}
	id, err := ParseID("evt_01m7z7rs1affyad5cmxxj94a79")
	if err != nil {
		t.Fatal(err)
	}
	want := Event{
		ID: id, Org: "acme", Action: "invoice.updated", Version: 3, OccurredAt: time.Date(2026, 11, 21, 14, 22, 7, 318e6, time.UTC),
		Actor: Actor{
			Type: "user", ID: "usr_7", Name: "Grace Hopper", Email: "grace@acme.com", Metadata: json.RawMessage(`{"team":"billing"}`),
			Via: []Actor{{Type: "user", ID: "usr_1", Name: "Ada Byron"}},
		},
		Targets: []Target{{Type: "invoice", ID: "42", Name: "Invoice 42", Metadata: json.RawMessage(`{"region":"eu"}`)}},
		Context: Context{
			IP: "203.0.113.9", UserAgent: "Firefox/149.0", RequestID: "req_5", TraceID: "4bf9", SessionID: "s_1",
			HTTP: &HTTP{
				Method: "PUT", Route: "/invoices/{id}", Path: "/invoices/42", StatusCode: 200,
				Params: json.RawMessage(`{}`), Request: json.RawMessage(`{}`), Response: json.RawMessage(`{}`),
			},
		},
		Outcome: Failure, Error: &EventFault{Code: "limit", Message: "over the limit"},
		Changes: Changes{{Path: "/amount", Old: JSON(json.RawMessage(`"1200.00"`)), New: JSON(json.RawMessage(`"1450.00"`))}},
		Reason:  "PO 7781", CorrelationID: "job_9", Metadata: json.RawMessage(`{"plan":"pro"}`),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	text, err := appendEvent([]byte("x"), &want)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("x"+strings.Replace(full, "07.318Z", "07.318000Z", 1), string(text)); diff != "" {
		t.Error(diff)
	}
}

func TestDecodeEvent_lenient(t *testing.T) {
	t.Parallel()
	var e Event
	text := `{"action":"daybook.erased","org":"x","unknown":{"a":[1]},"metadata":null,"context":{"http":{"request":null}},` +
		`"targets":[{"metadata":null}],"actor":{"metadata":null,"via":[{"metadata":null}]},"changes":[{"path":"/a","old":null}]}`
	if err := decodeEvent([]byte(text), &e); err != nil {
		t.Fatal(err)
	}
	want := Event{
		Action: "daybook.erased", Actor: Actor{Via: []Actor{{}}}, Targets: []Target{{}}, Context: Context{HTTP: &HTTP{}},
		Changes: Changes{{Path: "/a", Old: JSON(json.RawMessage("null"))}},
	}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Error(diff)
	}
	if err := decodeEvent([]byte(`{"action":1}`), &e); err == nil {
		t.Error("a number was taken for an action")
	}
}

// TestAccept: a refusal is an *Error whose code says what the producer can do about it.
func TestAccept(t *testing.T) {
	t.Parallel()
	d := leaf.Get()
	defer leaf.Put(d)
	for text, want := range map[string]Error{
		`{}`: {Code: CodeInvalid, Rule: "required", Field: "/action", Message: "action is required."},
		`{"action":"a","actor":{"type":"u","id":"1"},"reason":"` + strings.Repeat("x", leaf.MaxPayload) + `"}`: {Code: CodeTooLarge, Rule: "too_large"},
	} {
		_, err := accept(d, []byte(text), false)
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Code != want.Code || e.Rule != want.Rule || want.Message != "" && *e != want {
			t.Errorf("refused with %#v", err)
		}
	}
}

// FuzzDecode: what is accepted decodes to an event that encodes to an accepted text.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte(`{"action":"a","actor":{"type":"u","id":"1"},"context":{"location":"x"},"before":{"a":[1,{"$x":2}]},"after":{"a":[]}}`))
	f.Add([]byte("{\n \"action\": \"a\", \"actor\": {\"type\":\"u\",\"id\":\"1\"}, \"id\": null}"))
	if vectors, err := os.ReadFile("testdata/vectors/payload.json"); err == nil {
		f.Add(vectors)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d := leaf.Get()
		defer leaf.Put(d)
		a, err := accept(d, text, false)
		if err != nil {
			if e, ok := errors.AsType[*Error](err); !ok || e.Code != CodeInvalid && e.Code != CodeTooLarge {
				t.Fatalf("refused with %#v", err)
			}
			return
		}
		var e Event
		if err := decodeEvent(a.Text, &e); err != nil {
			t.Fatalf("decode %s: %v", a.Text, err)
		}
		if a.HasOccurred != !e.OccurredAt.IsZero() || a.HasOccurred && e.OccurredAt.UnixMicro() != a.Occurred || e.ID != a.ID {
			t.Fatalf("decoded other values: %+v from %s", e, a.Text)
		}
		out, err := appendEvent(nil, &e)
		if err != nil {
			t.Fatalf("encode %s: %v", a.Text, err)
		}
		if _, err := accept(d, out, false); err != nil && CodeOf(err) != CodeTooLarge {
			t.Fatalf("encoded as %s: %v", out, err)
		}
	})
}
