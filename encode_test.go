package daybook

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/daybook-audit/daybook/internal/pointer"
	"github.com/daybook-audit/daybook/internal/timestamp"
	"github.com/daybook-audit/daybook/leaf"
)

// drawn events are such that accept takes them.
var (
	drawText   = rapid.StringMatching(`[a-zà-ÿ"\\/<>&~\t\n😀  ]{0,12}`)
	drawName   = rapid.StringMatching(`[a-z0-9"\\/é]{1,12}`)
	drawObject = rapid.SampledFrom([]json.RawMessage{nil, nil, json.RawMessage(`{}`), json.RawMessage(`{"a":[1.10,{"b":null}],"$c":"\u00e9"}`)})
	drawRaw    = rapid.SampledFrom([]json.RawMessage{nil, json.RawMessage(`1e400`), json.RawMessage(`"x y"`), json.RawMessage(`[]`), json.RawMessage(`{"$masked":1}`)})
	drawValue  = rapid.Custom(func(t *rapid.T) Value {
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			return Masked()
		case 1:
			return Hashed(drawText.Draw(t, "tag"))
		}
		return JSON(drawRaw.Draw(t, "raw"))
	})
)

func drawActor(t *rapid.T, via bool) Actor {
	a := Actor{
		Type: drawName.Draw(t, "type"), ID: drawName.Draw(t, "id"), Name: drawText.Draw(t, "name"), Email: drawText.Draw(t, "email"),
		Metadata: drawObject.Draw(t, "metadata"),
	}
	for range rapid.IntRange(0, 2).Draw(t, "vias") {
		if via {
			a.Via = append(a.Via, drawActor(t, false))
		}
	}
	return a
}

func drawEvent(t *rapid.T) Event {
	e := Event{
		Action: drawName.Draw(t, "action"), Version: rapid.IntRange(0, 9).Draw(t, "version"), Actor: drawActor(t, true),
		Context: Context{
			IP: drawText.Draw(t, "ip"), UserAgent: drawText.Draw(t, "ua"), RequestID: drawText.Draw(t, "req"),
			TraceID: drawText.Draw(t, "trace"), SessionID: drawText.Draw(t, "session"),
		},
		Outcome: rapid.SampledFrom([]Outcome{"", Success, Failure, Denied}).Draw(t, "outcome"),
		Reason:  drawText.Draw(t, "reason"), CorrelationID: drawText.Draw(t, "correlation"), Metadata: drawObject.Draw(t, "metadata"),
	}
	if rapid.Bool().Draw(t, "with id") {
		e.ID = NewID()
	}
	if rapid.Bool().Draw(t, "with time") {
		seconds := rapid.Int64Range(1, timestamp.Max/1_000_000).Draw(t, "s")
		zone := time.FixedZone("", 60*rapid.IntRange(-600, 600).Draw(t, "zone"))
		e.OccurredAt = time.Unix(seconds, rapid.Int64Range(0, 999999999).Draw(t, "ns")).In(zone)
	}
	for range rapid.IntRange(0, 3).Draw(t, "targets") {
		e.Targets = append(e.Targets, Target{drawName.Draw(t, "type"), drawName.Draw(t, "id"), drawText.Draw(t, "name"), drawObject.Draw(t, "metadata")})
	}
	for range rapid.IntRange(0, 3).Draw(t, "changes") {
		e.Changes = append(e.Changes, Change{"/" + pointer.Step(drawText.Draw(t, "path")), drawValue.Draw(t, "old"), drawValue.Draw(t, "new")})
	}
	if rapid.Bool().Draw(t, "with error") {
		e.Error = &EventFault{drawText.Draw(t, "code"), drawText.Draw(t, "message")}
	}
	if rapid.Bool().Draw(t, "with http") {
		e.Context.HTTP = &HTTP{
			drawText.Draw(t, "method"), drawText.Draw(t, "route"), drawText.Draw(t, "path"), rapid.IntRange(0, 999).Draw(t, "status"),
			drawRaw.Draw(t, "params"), drawRaw.Draw(t, "request"), drawRaw.Draw(t, "response"),
		}
	}
	return e
}

// TestAppendEvent_roundTrip: what an event says is accepted as it is written and read back the same, times at microseconds in UTC.
func TestAppendEvent_roundTrip(t *testing.T) {
	t.Parallel()
	d := leaf.Get()
	defer leaf.Put(d)
	rapid.Check(t, func(t *rapid.T) {
		want := drawEvent(t)
		text, err := appendEvent(nil, &want)
		if err != nil {
			t.Fatal(err)
		}
		a, err := accept(d, text, false)
		if err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if string(a.Text) != string(text) {
			t.Fatalf("accepted as\n%s, not\n%s", a.Text, text)
		}
		if a.ID != want.ID || a.HasOccurred == want.OccurredAt.IsZero() {
			t.Fatalf("accepted with id %s, occurred %d", a.ID, a.Occurred)
		}
		want.OccurredAt = truncated(want.OccurredAt)
		for name, decode := range map[string]func(e *Event) error{
			"decodeEvent":  func(e *Event) error { return decodeEvent(a.Text, e) },
			"through JSON": func(e *Event) error { return throughJSON(want, e) },
		} {
			var got Event
			if err := decode(&got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmp.Comparer(sameJSON)); diff != "" {
				t.Fatalf("%s: %s", name, diff)
			}
		}
	})
}

func throughJSON(from Event, to *Event) error {
	text, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, to)
}

// sameJSON compares values, since encoding/json escapes what we do not.
func sameJSON(v, w Value) bool {
	cs, err := DiffJSON(v.wire, w.wire, DiffOptions{})
	return err == nil && len(cs) == 0
}

// TestAppendEvent_refusals: what has no JSON, and what would smuggle members into it.
func TestAppendEvent_refusals(t *testing.T) {
	t.Parallel()
	actor := Actor{Type: "user", ID: "1"}
	smuggled := json.RawMessage(`{},"reason":"x"`)
	tests := []struct {
		name        string
		e           Event
		rule, field string
	}{
		{"metadata", Event{Metadata: smuggled}, "syntax", "/metadata"},
		{"metadata cut short", Event{Metadata: json.RawMessage(`{`)}, "syntax", "/metadata"},
		{"metadata of spaces", Event{Metadata: json.RawMessage(` `)}, "syntax", "/metadata"},
		{"actor.metadata", Event{Actor: Actor{Metadata: smuggled}}, "syntax", "/actor/metadata"},
		{"via metadata", Event{Actor: Actor{Via: []Actor{actor, {Metadata: smuggled}}}}, "syntax", "/actor/via/1/metadata"},
		{"target metadata", Event{Targets: []Target{{}, {Metadata: smuggled}}}, "syntax", "/targets/1/metadata"},
		{"response", Event{Context: Context{HTTP: &HTTP{Response: smuggled}}}, "syntax", "/context/http/response"},
		{"old", Event{Changes: Changes{{Old: JSON(smuggled)}}}, "syntax", "/changes/0/old"},
		{"action", Event{Action: "a\xff"}, "invalid_utf8", "/action"},
		{"path", Event{Changes: Changes{{Path: "\xff"}}}, "invalid_utf8", "/changes/0/path"},
		{"via of a via", Event{Actor: Actor{Via: []Actor{{Via: []Actor{actor}}}}}, "unknown_member", "/actor/via/0/via"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := appendEvent(nil, &tt.e)
			var e *Error
			if !errors.As(err, &e) || e.Rule != tt.rule || e.Field != tt.field || e.Code != CodeInvalid {
				t.Errorf("got %#v, want %s at %s", err, tt.rule, tt.field)
			}
		})
	}
}

func TestActor_As(t *testing.T) {
	t.Parallel()
	admin := Actor{Type: "user", ID: "admin", Via: []Actor{{Type: "service", ID: "console"}}}
	customer := Actor{Type: "user", ID: "customer", Via: []Actor{{Type: "api_key", ID: "k"}}}
	got := customer.As(admin)
	var ids []string
	for _, v := range got.Via {
		ids = append(ids, v.ID)
		if v.Via != nil {
			t.Errorf("via %s has a via", v.ID)
		}
	}
	if got.ID != "customer" || strings.Join(ids, " ") != "admin console k" || len(customer.Via) != 1 || len(admin.Via) != 1 {
		t.Errorf("got %+v", got)
	}
}
