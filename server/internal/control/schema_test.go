package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/storetest"
)

// moving is a clock that a test moves.
type moving struct {
	mu sync.Mutex
	t  time.Time
}

func (m *moving) now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.t
}

func (m *moving) add(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.t = m.t.Add(d)
}

func newSchemas(t *testing.T, docs daybook.Documents, now func() time.Time, rules control.SchemaRules) *control.Schemas {
	t.Helper()
	s, err := control.OpenSchemas(t.Context(), docs, control.SchemaOptions{Now: now, Rules: map[string]control.SchemaRules{"": rules}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func fixed() time.Time { return time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC) }

// parts reads the parts of a schema as a request would give them.
func parts(t *testing.T, text string) control.SchemaParts {
	t.Helper()
	var p struct {
		Actor, Metadata, Event json.RawMessage
		Targets                []control.SchemaTarget
	}
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	return control.SchemaParts{Actor: p.Actor, Targets: p.Targets, Metadata: p.Metadata, Event: p.Event}
}

func register(t *testing.T, s *control.Schemas, org daybook.OrgID, action, text string) (*control.Schema, bool) {
	t.Helper()
	is, made, err := s.Register(t.Context(), control.NewSchema{Org: org, Action: action, SchemaParts: parts(t, text)})
	if err != nil {
		t.Fatal(err)
	}
	return is, made
}

func check(t *testing.T, s *control.Schemas, action string, version int, text string) (daybook.Verdict, []control.Violation) {
	t.Helper()
	v, err := s.Check(t.Context(), daybook.SchemaCase{Org: "org_a", Action: action, Version: version, Text: []byte(text)})
	if err == nil {
		return v, nil
	}
	wrong, ok := errors.AsType[*control.SchemaError](err)
	if !ok || daybook.CodeOf(err) != daybook.CodeInvalid {
		t.Fatalf("a refusal is a SchemaError: %v", err)
	}
	return v, wrong.Violations
}

func TestRegister(t *testing.T) {
	t.Parallel()
	t.Run("versions are numbered, and an equal schema is the newest", func(t *testing.T) {
		t.Parallel()
		s := newSchemas(t, storetest.Memory(), fixed, control.SchemaRules{})
		const first, second = `{"metadata":{"type":"object","properties":{"a":{"type":"string"}}}}`, `{"metadata":{"type":"object"}}`
		for i, step := range []struct {
			text    string
			version int
			made    bool
		}{
			{first, 1, true},
			{`{"metadata":{"properties":{"a":{"type":"string"}}, "type":"object"}}`, 1, false},
			{second, 2, true},
			{second, 2, false},
			{first, 3, true},
			{`{"targets":[{"type":"team"}]}`, 4, true},
			{`{"targets":[{"type":"team","metadata":null}]}`, 4, false},
			{`{"targets":[{"type":"team","metadata":{}}]}`, 5, true},
		} {
			if is, made := register(t, s, "org_a", "a.b", step.text); is.Version != step.version || made != step.made {
				t.Errorf("%d: version %d, made %v", i, is.Version, made)
			}
		}
		if is, _ := register(t, s, "org_a", "a.c", first); is.Version != 1 {
			t.Errorf("another action: %d", is.Version)
		}
	})
	t.Run("two at once make two versions", func(t *testing.T) {
		t.Parallel()
		docs := storetest.Memory()
		nodes := []*control.Schemas{newSchemas(t, docs, fixed, control.SchemaRules{}), newSchemas(t, docs, fixed, control.SchemaRules{})}
		var wait sync.WaitGroup
		for i := range 20 {
			wait.Go(func() {
				_, _, err := nodes[i%2].Register(context.Background(), control.NewSchema{
					Action: "a.b", SchemaParts: control.SchemaParts{Metadata: json.RawMessage(fmt.Sprintf(`{"maxProperties":%d}`, i))},
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		fresh := newSchemas(t, docs, fixed, control.SchemaRules{})
		a, err := fresh.Action(t.Context(), "org_a", "a.b")
		if err != nil || len(a.Schemas) != 20 {
			t.Fatalf("%+v, %v", a, err)
		}
		for i, is := range a.Schemas {
			if is.Version != i+1 {
				t.Errorf("version %d stands at %d", is.Version, i)
			}
		}
	})
	t.Run("another node hears of it within five seconds", func(t *testing.T) {
		t.Parallel()
		docs, clock := storetest.Memory(), &moving{t: fixed()}
		here, there := newSchemas(t, docs, clock.now, control.SchemaRules{}), newSchemas(t, docs, clock.now, control.SchemaRules{})
		if ok, err := there.Applies(t.Context(), "org_a", ""); ok || err != nil {
			t.Errorf("nothing is registered: %v, %v", ok, err)
		}
		register(t, here, "org_a", "a.b", `{}`)
		if ok, _ := here.Applies(t.Context(), "org_a", ""); !ok {
			t.Error("here it holds at once")
		}
		if ok, _ := here.Applies(t.Context(), "org_b", ""); ok {
			t.Error("it holds for another organization")
		}
		clock.add(5 * time.Second)
		if ok, _ := there.Applies(t.Context(), "org_a", ""); !ok {
			t.Error("after five seconds it does not hold there")
		}
	})
	t.Run("an organization's own hide those that are shared", func(t *testing.T) {
		t.Parallel()
		s := newSchemas(t, storetest.Memory(), fixed, control.SchemaRules{})
		register(t, s, "", "a.b", `{}`)
		register(t, s, "", "a.b", `{"metadata":{}}`)
		register(t, s, "", "a.c", `{}`)
		register(t, s, "org_a", "a.b", `{}`)
		names := func(org daybook.OrgID) (list []string) {
			for _, a := range s.Actions(t.Context(), org) {
				list = append(list, fmt.Sprintf("%s %s %d", a.Org, a.Name, a.Newest().Version))
			}
			return list
		}
		if diff := cmp.Diff([]string{"org_a a.b 1", " a.c 1"}, names("org_a")); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{" a.b 2", " a.c 1"}, names("org_b")); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("nothing is stored when it cannot be said", func(t *testing.T) {
		t.Parallel()
		s, no := newSchemas(t, storetest.Memory(), fixed, control.SchemaRules{}), errors.New("the log is frozen")
		_, _, err := s.Register(t.Context(), control.NewSchema{Action: "a.b", Before: func(_ context.Context, was, is *control.Schema) error {
			if was != nil || is.Version != 1 {
				t.Errorf("told of %v, %v", was, is)
			}
			return no
		}})
		if !errors.Is(err, no) {
			t.Error(err)
		}
		if _, err := s.Action(t.Context(), "", "a.b"); !errors.Is(err, control.ErrNotFound) {
			t.Errorf("it is there: %v", err)
		}
	})
}

// TestRegister_refuses holds what is no schema, or one that could be used against the server.
func TestRegister_refuses(t *testing.T) {
	t.Parallel()
	s := newSchemas(t, storetest.Memory(), fixed, control.SchemaRules{})
	definitions := []string{`"a0":{}`}
	for i := range 30 {
		definitions = append(definitions, fmt.Sprintf(`"a%d":{"allOf":[{"$ref":"#/definitions/a%d"},{"$ref":"#/definitions/a%d"}]}`, i+1, i, i))
	}
	deep := `{"definitions":{` + strings.Join(definitions, ",") + `},"$ref":"#/definitions/a30"}`
	for name, c := range map[string]struct{ action, text, rule, field string }{
		"no action":         {"", `{}`, "invalid_value", "/action"},
		"a long action":     {strings.Repeat("x", 513), `{}`, "invalid_value", "/action"},
		"a reserved action": {"daybook.key.created", `{}`, "reserved_action", "/action"},
		"a type":            {"a.b", `{"metadata":{"type":"text"}}`, "invalid_schema", "/metadata"},
		"no schema":         {"a.b", `{"actor":7}`, "invalid_schema", "/actor/metadata"},
		"a pattern":         {"a.b", `{"metadata":{"properties":{"a":{"pattern":"(?<=a)b"}}}}`, "invalid_schema", "/metadata"},
		"http":              {"a.b", `{"metadata":{"$ref":"http://127.0.0.1:1/x"}}`, "invalid_schema", "/metadata"},
		"a file":            {"a.b", `{"event":{"$ref":"file:///etc/passwd"}}`, "invalid_schema", "/event"},
		"a relative ref":    {"a.b", `{"event":{"$ref":"passwd"}}`, "invalid_schema", "/event"},
		"a strange draft":   {"a.b", `{"metadata":{"$schema":"http://example.com/schema"}}`, "invalid_schema", "/metadata"},
		"itself":            {"a.b", `{"metadata":{"properties":{"a":{"$ref":"#"}}}}`, "invalid_schema", "/metadata"},
		"too much":          {"a.b", `{"metadata":` + deep + `}`, "invalid_schema", "/metadata"},
		"no target type":    {"a.b", `{"targets":[{"type":""}]}`, "required", "/targets/0/type"},
		"a target":          {"a.b", `{"targets":[{"type":"x"},{"type":"y","metadata":[]}]}`, "invalid_schema", "/targets/1/metadata"},
		"too large":         {"a.b", `{"metadata":{"title":"` + strings.Repeat("x", control.MaxSchema) + `"}}`, "too_large", ""},
	} {
		_, _, err := s.Register(t.Context(), control.NewSchema{Action: c.action, SchemaParts: parts(t, c.text)})
		e, ok := errors.AsType[*daybook.Error](err)
		if !ok || e.Rule != c.rule || e.Field != c.field {
			t.Errorf("%s: %#v", name, err)
		} else if strings.Contains(e.Message, "schema.invalid") || strings.Contains(e.Message, "/work") {
			t.Errorf("%s: the message names an address: %s", name, e.Message)
		}
	}
}

const invoice = `{"actor":{"type":"object","properties":{"role":{"type":"string"}}},
 "targets":[{"type":"invoice","metadata":{"type":"object","properties":{"cost":{"type":"number","minimum":1}}}},{"type":"team"}],
 "metadata":{"type":"object","properties":{"id":{"type":"string"},"n":{"type":"integer"}},"required":["id"],"additionalProperties":false},
 "event":{"required":["reason"]}}`

func TestCheck(t *testing.T) {
	t.Parallel()
	s := newSchemas(t, storetest.Memory(), fixed, control.SchemaRules{})
	register(t, s, "org_a", "invoice.paid", invoice)
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"right": {`{"actor":{"metadata":{"role":"x"}},"targets":[{"type":"team"},{"type":"other"},{"type":"invoice","metadata":{"cost":2.5}}],"metadata":{"id":"1","n":2},"reason":"r"}`, nil},
		"nothing": {`{}`, []string{
			`/targets contains must contain a target of the type "invoice"`, `/targets contains must contain a target of the type "team"`,
			`/metadata required must have required property 'id'`, ` required must have required property 'reason'`,
		}},
		"another type": {`{"targets":[{"type":"x"},{"type":"team"}],"metadata":{"id":""},"reason":""}`, []string{`/targets/0/type const must be equal to constant`}},
		"in all places": {`{"actor":{"metadata":{"role":1}},"targets":[{"type":"team"},{"type":"invoice","metadata":{"cost":0.5}}],"metadata":{"id":null,"n":1.5,"a/b":1},"reason":"r"}`, []string{
			`/actor/metadata/role type must be string`, `/targets/1/metadata/cost minimum must be >= 1`,
			`/metadata additionalProperties must NOT have additional properties`, `/metadata/id type must be string`, `/metadata/n type must be integer`,
		}},
		"the second of a type": {`{"targets":[{"type":"invoice"},{"type":"invoice","metadata":{"cost":"1"}},{"type":"team"}],"metadata":{"id":""},"reason":""}`, []string{`/targets/1/metadata/cost type must be number`}},
		"endless numbers":      {`{"targets":[{"type":"invoice","metadata":{"cost":1e999999999}},{"type":"team"}],"metadata":{"id":"","n":1e-999999999},"reason":""}`, nil},
	} {
		v, wrong := check(t, s, "invoice.paid", 0, c.text)
		var got []string
		for _, w := range wrong {
			got = append(got, w.InstancePath+" "+w.Keyword+" "+w.Message)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if c.want == nil && v != (daybook.Verdict{Version: 1}) {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

func TestCheck_versions(t *testing.T) {
	t.Parallel()
	docs := storetest.Memory()
	s := newSchemas(t, docs, fixed, control.SchemaRules{})
	for _, kind := range []string{"string", "number", "boolean"} {
		register(t, s, "org_a", "a.b", `{"metadata":{"properties":{"v":{"type":"`+kind+`"}}}}`)
	}
	first := newSchemas(t, docs, fixed, control.SchemaRules{First: true})
	for _, c := range []struct {
		s       *control.Schemas
		version int
		value   string
		want    daybook.Verdict
		wrong   string
	}{
		{s, 0, `true`, daybook.Verdict{Version: 3}, ""},
		{s, 0, `7`, daybook.Verdict{Version: 2}, ""},
		{s, 0, `"x"`, daybook.Verdict{Version: 1}, ""},
		{s, 0, `null`, daybook.Verdict{}, "must be boolean"},
		{s, 1, `"x"`, daybook.Verdict{Version: 1}, ""},
		{s, 1, `7`, daybook.Verdict{}, "must be string"},
		{s, 4, `7`, daybook.Verdict{}, "must be equal to one of the allowed values"},
		{first, 0, `"x"`, daybook.Verdict{Version: 1}, ""},
		{first, 0, `true`, daybook.Verdict{}, "must be string"},
		{first, 3, `true`, daybook.Verdict{Version: 3}, ""},
	} {
		v, wrong := check(t, c.s, "a.b", c.version, `{"metadata":{"v":`+c.value+`}}`)
		if v != c.want || (len(wrong) > 0) != (c.wrong != "") || c.wrong != "" && wrong[0].Message != c.wrong {
			t.Errorf("version %d, %s: %+v %+v", c.version, c.value, v, wrong)
		}
		if c.version == 4 && wrong[0].InstancePath != "/version" {
			t.Errorf("an unknown version: %+v", wrong)
		}
	}
}

func TestCheck_modes(t *testing.T) {
	t.Parallel()
	docs := storetest.Memory()
	register(t, newSchemas(t, docs, fixed, control.SchemaRules{}), "", "a.b", `{"metadata":{"required":["x"]}}`)
	for mode, want := range map[string][3]string{
		"":           {"", "1", "schema_violation"},
		"open":       {"", "1", "schema_violation"},
		"strict":     {"schema_missing", "1", "schema_violation"},
		"quarantine": {"flag schema_missing", "1", "flag schema_violation"},
	} {
		s := newSchemas(t, docs, fixed, control.SchemaRules{Mode: mode})
		said := func(action, text string) string {
			v, err := s.Check(t.Context(), daybook.SchemaCase{Org: "org_a", Action: action, Text: []byte(text)})
			if e, ok := errors.AsType[*daybook.Error](err); ok {
				return e.Rule
			}
			if v.Flag != "" {
				return "flag " + v.Flag
			}
			return strings.Replace(strconv.Itoa(v.Version), "0", "", 1)
		}
		got := [3]string{said("other", `{}`), said("a.b", `{"metadata":{"x":1}}`), said("a.b", `{}`)}
		if got != want {
			t.Errorf("%s: %q", mode, got)
		}
		if ok, err := s.Applies(t.Context(), "org_a", ""); !ok || err != nil {
			t.Errorf("%s applies: %v, %v", mode, ok, err)
		}
	}
	if _, err := control.OpenSchemas(t.Context(), docs, control.SchemaOptions{Now: fixed, Rules: map[string]control.SchemaRules{"d": {Mode: "lax"}}}); err == nil {
		t.Error("an unknown mode is taken")
	}
}

func TestCheck_exact(t *testing.T) {
	t.Parallel()
	docs := storetest.Memory()
	s := newSchemas(t, docs, fixed, control.SchemaRules{Exact: true})
	register(t, s, "", "a.b", `{"targets":[{"type":"x"},{"type":"x"},{"type":"y"}]}`)
	for kinds, want := range map[string]string{
		"x x y": "", "y x x": "", "x y": "/targets", "x x y y": "/targets/3", "x x z": "/targets/2/type", "x x y z": "/targets/3", "": "/targets /targets /targets",
	} {
		var list []string
		for kind := range strings.FieldsSeq(kinds) {
			list = append(list, `{"type":"`+kind+`"}`)
		}
		_, wrong := check(t, s, "a.b", 0, `{"targets":[`+strings.Join(list, ",")+`]}`)
		var got []string
		for _, w := range wrong {
			got = append(got, w.InstancePath)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q", kinds, got)
		}
	}
}

// FuzzSchema holds that no schema and no event makes the check fail in another way than it may.
func FuzzSchema(f *testing.F) {
	f.Add(`{"type":"object","properties":{"a":{"type":"string","pattern":"^a+$"}}}`, `{"a":"b"}`)
	f.Add(`{"anyOf":[{"required":["a"]},{"not":{}}],"minimum":1e5}`, `{"a":1e400}`)
	f.Add(`{"$ref":"#/definitions/x","definitions":{"x":{"enum":[1,"1",null]}}}`, `{}`)
	f.Add(`{"$schema":"https://json-schema.org/draft/2020-12/schema","unevaluatedProperties":false,"$defs":{"a":{"$dynamicAnchor":"x"}}}`, `{"b":[1,[2]]}`)
	f.Add(`{"items":[{"uniqueItems":true}],"additionalItems":false,"multipleOf":0.01}`, `[1]`)
	f.Fuzz(func(t *testing.T, schema, metadata string) {
		if !json.Valid([]byte(schema)) || !json.Valid([]byte(metadata)) {
			return
		}
		s, err := control.NewSchemaOf("a.b", control.SchemaParts{Metadata: json.RawMessage(schema), Event: json.RawMessage(schema)})
		if err != nil {
			if daybook.CodeOf(err) != daybook.CodeInvalid && daybook.CodeOf(err) != daybook.CodeTooLarge {
				t.Errorf("not a refusal: %v", err)
			}
			return
		}
		wrong, err := s.Violations([]byte(`{"metadata":`+metadata+`}`), false)
		if err != nil {
			t.Errorf("%s: %v", schema, err)
		}
		for _, w := range wrong {
			if _, err := json.Marshal(w); err != nil || w.Message == "" || w.Keyword == "" {
				t.Errorf("%+v: %v", w, err)
			}
		}
	})
}

// BenchmarkApplies is what an event pays where nothing is registered.
func BenchmarkApplies(b *testing.B) {
	s, err := control.OpenSchemas(b.Context(), storetest.Memory(), control.SchemaOptions{Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if ok, err := s.Applies(b.Context(), "org_a", ""); ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

// What goes with an organization: its schemas, also from memory, and what opens its portal.
func TestPurgeOrg_schemas(t *testing.T) {
	t.Parallel()
	docs, clock := storetest.Memory(), &moving{t: fixed()}
	s, keys := newSchemas(t, docs, clock.now, control.SchemaRules{}), control.NewKeys(docs, clock.now)
	portal := control.NewPortal(docs, keys, clock.now)
	key, _, err := keys.Create(t.Context(), control.NewKey{Scopes: []string{"manage"}})
	if err != nil {
		t.Fatal(err)
	}
	links := map[daybook.OrgID]string{}
	cookies := map[daybook.OrgID]string{}
	for _, org := range []daybook.OrgID{"org_a", "org_b"} {
		register(t, s, org, "a.b", `{}`)
		for range 2 {
			if links[org], err = portal.CreateLink(t.Context(), control.PortalLink{Org: org, Key: key.Hash.String()}); err != nil {
				t.Fatal(err)
			}
			if cookies[org] == "" {
				cookies[org], _, err = portal.Open(t.Context(), links[org], func(context.Context, control.PortalSession) error { return nil })
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := control.PurgeOrg(t.Context(), docs, "org_a"); err != nil {
		t.Fatal(err)
	}
	clock.add(5 * time.Second)
	for _, org := range []daybook.OrgID{"org_a", "org_b"} {
		gone := org == "org_a"
		_, schema := s.Action(t.Context(), org, "a.b")
		_, link := portal.Link(t.Context(), links[org])
		_, session := portal.Session(t.Context(), cookies[org])
		for what, err := range map[string]error{"schema": schema, "link": link, "session": session} {
			if errors.Is(err, control.ErrNotFound) != gone {
				t.Errorf("the %s of %s: %v", what, org, err)
			}
		}
	}
	if is, made := register(t, s, "org_a", "a.b", `{}`); is.Version != 1 || !made {
		t.Errorf("an organization of the same name begins anew: %+v", is)
	}
}

// BenchmarkCheck is what an event of an action with a schema pays.
func BenchmarkCheck(b *testing.B) {
	s, err := control.NewSchemaOf("invoice.paid", control.SchemaParts{
		Targets:  []control.SchemaTarget{{Type: "invoice", Metadata: json.RawMessage(`{"type":"object","properties":{"cost":{"type":"number"}}}`)}},
		Metadata: json.RawMessage(`{"type":"object","properties":{"id":{"type":"string"},"n":{"type":"integer"}},"required":["id"]}`),
	})
	if err != nil {
		b.Fatal(err)
	}
	text := []byte(`{"action":"invoice.paid","actor":{"type":"user","id":"usr_7"},"targets":[{"type":"invoice","id":"42","metadata":{"cost":12.5}}],"metadata":{"id":"t_1","n":3},"reason":"PO 7781"}`)
	b.ReportAllocs()
	for b.Loop() {
		if wrong, err := s.Violations(text, false); err != nil || len(wrong) > 0 {
			b.Fatal(wrong, err)
		}
	}
}
