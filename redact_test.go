package daybook

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDefaultRedactor: secrets in free data and in changes are masked, the event's own members stay.
func TestDefaultRedactor(t *testing.T) {
	t.Parallel()
	e := Event{
		Org: "acme", ID: NewID(), Action: "token.created",
		Actor: Actor{
			Type: "api_key", ID: "key_1", Metadata: json.RawMessage(`{"api_key":"x","team":"a"}`),
			Via: []Actor{{Type: "session", ID: "s", Metadata: json.RawMessage(`{"session":[1,2]}`)}},
		},
		Targets: []Target{{Type: "card", ID: "1", Metadata: json.RawMessage(`{"deep":[{"cardNumber":4111}]}`)}},
		Context: Context{SessionID: "s_1", HTTP: &HTTP{
			StatusCode: 200, Params: json.RawMessage(`{"token":null,"page":1.0}`), Request: json.RawMessage(`{"user":{"password":{"a":1}}}`), Response: json.RawMessage(`"password"`),
		}},
		Changes: Changes{
			{Path: "/user/password", Old: JSON(json.RawMessage(`"a"`)), New: Hashed("tag")},
			{Path: "/apiKeys/0", New: JSON(json.RawMessage(`{"a":1}`))},
			{Path: "/profile", Old: JSON(json.RawMessage(`{"name":"n","pin":1}`)), New: JSON(json.RawMessage(`null`))},
			{Path: "/name", Old: JSON(json.RawMessage(`1.10`))},
		},
		Metadata: json.RawMessage(`{"a~/b":{"otp":1},"keep":1.10}`),
	}
	got, err := redacted(e, DefaultRedactor{})
	if err != nil {
		t.Fatal(err)
	}
	want := e
	const masked = `{"$masked":true}`
	want.Actor.Metadata = json.RawMessage(`{"api_key":` + masked + `,"team":"a"}`)
	want.Actor.Via = []Actor{{Type: "session", ID: "s", Metadata: json.RawMessage(`{"session":` + masked + `}`)}}
	want.Targets = []Target{{Type: "card", ID: "1", Metadata: json.RawMessage(`{"deep":[{"cardNumber":` + masked + `}]}`)}}
	want.Context.HTTP = &HTTP{
		StatusCode: 200, Params: json.RawMessage(`{"token":` + masked + `,"page":1.0}`), Request: json.RawMessage(`{"user":{"password":` + masked + `}}`),
		Response: json.RawMessage(`"password"`),
	}
	want.Changes = Changes{
		{Path: "/user/password", Old: Masked(), New: Hashed("tag")},
		{Path: "/apiKeys/0", New: Masked()},
		{Path: "/profile", Old: JSON(json.RawMessage(`{"name":"n","pin":` + masked + `}`)), New: JSON(json.RawMessage(`null`))},
		{Path: "/name", Old: JSON(json.RawMessage(`1.10`))},
	}
	want.Metadata = json.RawMessage(`{"a~/b":{"otp":` + masked + `},"keep":1.10}`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if string(e.Metadata) != `{"a~/b":{"otp":1},"keep":1.10}` {
		t.Error("the caller's event was changed")
	}
}

// redactFunc is a Redactor.
type redactFunc func(path string, v json.RawMessage) json.RawMessage

func (f redactFunc) Redact(path string, v json.RawMessage) json.RawMessage { return f(path, v) }

// TestRedactor_sees: every value once, each with its pointer, containers first.
func TestRedactor_sees(t *testing.T) {
	t.Parallel()
	var seen []string
	e := Event{
		Action: "a", Actor: Actor{Type: "u", ID: "1"}, Targets: []Target{{ID: "2"}}, Changes: Changes{{Path: "/p", Old: JSON(json.RawMessage(`[1]`))}},
		Metadata: json.RawMessage(`{ "a/b" : [ { "~" : 1.0 } , null ] }`),
	}
	got, err := redacted(e, redactFunc(func(path string, v json.RawMessage) json.RawMessage {
		seen = append(seen, path+" "+string(v))
		return v
	}))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(e, got); diff != "" {
		t.Error(diff)
	}
	want := []string{
		`/action "a"`, `/actor {"type":"u","id":"1"}`, `/actor/type "u"`, `/actor/id "1"`, `/targets [{"id":"2"}]`, `/targets/0 {"id":"2"}`,
		`/targets/0/id "2"`, `/changes [{"path":"/p","old":[1]}]`, `/changes/0 {"path":"/p","old":[1]}`, `/changes/0/path "/p"`, `/changes/0/old [1]`,
		`/changes/0/old/0 1`, `/metadata { "a/b" : [ { "~" : 1.0 } , null ] }`, `/metadata/a~1b [ { "~" : 1.0 } , null ]`,
		`/metadata/a~1b/0 { "~" : 1.0 }`, `/metadata/a~1b/0/~0 1.0`, `/metadata/a~1b/1 null`,
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Error(diff)
	}
}

// TestRedactor_returns: what becomes of each kind of answer.
func TestRedactor_returns(t *testing.T) {
	t.Parallel()
	base := Event{
		Action: "a", Version: 2, Actor: Actor{Type: "u", ID: "1", Email: "e@x"}, Targets: []Target{{ID: "2"}, {ID: "3"}},
		Metadata: json.RawMessage(`{"k":"v","l":[1,2]}`), Context: Context{HTTP: &HTTP{Request: json.RawMessage(`{"a":1}`)}},
	}
	tests := []struct {
		path, answer string
		edit         func(e *Event)
	}{
		{"/actor/email", `"e"`, func(e *Event) { e.Actor.Email = "e" }},
		{"/actor/email", ``, func(e *Event) { e.Actor.Email = "" }},
		{"/actor/email", `{"$masked":true}`, func(e *Event) { e.Actor.Email = "" }},
		{"/actor/email", `null`, func(e *Event) { e.Actor.Email = "" }},
		{"/actor/email", `"e`, func(e *Event) { e.Actor.Email = "" }},
		{"/actor", `7`, func(e *Event) { e.Actor = Actor{} }},
		{"/version", `"x"`, func(e *Event) { e.Version = 0 }},
		{"/targets", `"x"`, func(e *Event) { e.Targets = nil }},
		{"/targets/0", ``, func(e *Event) { e.Targets = e.Targets[1:] }},
		{"/metadata", `"x"`, func(e *Event) { e.Metadata = nil }},
		{"/metadata", "{\n\"x\": 1}", func(e *Event) { e.Metadata = json.RawMessage(`{"x":1}`) }},
		{"/metadata", `{`, func(e *Event) { e.Metadata = json.RawMessage(`{"$masked":true}`) }},
		{"/metadata/k", `[]`, func(e *Event) { e.Metadata = json.RawMessage(`{"k":[],"l":[1,2]}`) }},
		{"/metadata/k", `not JSON`, func(e *Event) { e.Metadata = json.RawMessage(`{"k":{"$masked":true},"l":[1,2]}`) }},
		{"/metadata/k", `1,"x":2`, func(e *Event) { e.Metadata = json.RawMessage(`{"k":{"$masked":true},"l":[1,2]}`) }},
		{"/metadata/k", ``, func(e *Event) { e.Metadata = json.RawMessage(`{"l":[1,2]}`) }},
		{"/metadata/l/0", ``, func(e *Event) { e.Metadata = json.RawMessage(`{"k":"v","l":[2]}`) }},
		{"/context/http/request", `"gone"`, func(e *Event) { e.Context.HTTP = &HTTP{Request: json.RawMessage(`"gone"`)} }},
	}
	for _, tt := range tests {
		t.Run(strings.ReplaceAll(tt.path[1:], "/", "_")+" "+tt.answer, func(t *testing.T) {
			t.Parallel()
			want := base
			tt.edit(&want)
			got, err := redacted(base, redactFunc(func(path string, v json.RawMessage) json.RawMessage {
				if path == tt.path {
					return json.RawMessage(tt.answer)
				}
				return v
			}))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
