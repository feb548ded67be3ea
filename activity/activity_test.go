package activity_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/activity"
	"github.com/daybook-audit/daybook/daybooktest"
)

func newActivity(t *testing.T) (*daybooktest.Recorder, *activity.Activity) {
	t.Helper()
	r, clerk := daybooktest.New(t, daybook.ClerkOptions{Org: "acme"})
	return r, activity.New(clerk, nil, r.Book())
}

// recorded returns the changes of the only event, and its metadata.
func recorded(t *testing.T, r *daybooktest.Recorder) (changes, metadata string) {
	t.Helper()
	events := r.Events()
	if len(events) != 1 {
		t.Fatalf("%d events", len(events))
	}
	text, err := json.Marshal(events[0].Changes)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), string(events[0].Metadata)
}

func TestLog(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		changes           map[string]any
		want, wantChanges string
	}{
		"plain":            {map[string]any{"title": "Hello"}, `[{"path":"/title","new":"Hello"}]`, `{"title":"Hello"}`},
		"a pair":           {map[string]any{"n": map[string]any{"old": 1, "new": 2}}, `[{"path":"/n","old":1,"new":2}]`, `{"n":{"new":2,"old":1}}`},
		"more than a pair": {map[string]any{"n": map[string]any{"old": 1, "new": 2, "x": 3}}, `[{"path":"/n","new":{"new":2,"old":1,"x":3}}]`, `{"n":{"new":2,"old":1,"x":3}}`},
		"null":             {map[string]any{"n": nil}, `[{"path":"/n","new":null}]`, `{"n":null}`},
		"secret":           {map[string]any{"password": "x"}, `[{"path":"/password","new":{"$masked":true}}]`, `{"password":{"$masked":true}}`},
		"strange names":    {map[string]any{"a/b~c": 1}, `[{"path":"/a~1b~0c","new":1}]`, `{"a/b~c":1}`},
		"unencodable":      {map[string]any{"f": math.NaN(), "g": func() {}}, `[{"path":"/f","new":"!unencodable"},{"path":"/g","new":"!unencodable"}]`, `{"f":"!unencodable","g":"!unencodable"}`},
		"nothing":          {nil, `null`, ``},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, a := newActivity(t)
			if err := a.Log(t.Context(), "created", "post", "42", "u1", tt.changes); err != nil {
				t.Fatal(err)
			}
			changes, metadata := recorded(t, r)
			want := `{"togo":{"kind":"activity","action":"created"`
			if tt.wantChanges != "" {
				want += `,"changes":` + tt.wantChanges
			}
			if changes != tt.want || metadata != want+"}}" {
				t.Errorf("changes %s, metadata %s", changes, metadata)
			}
			e := daybooktest.RequireRecorded(t, r, daybooktest.Match{Action: "post.created", ActorID: "u1", TargetType: "post", TargetID: "42"})
			if e.Actor.Type != "user" {
				t.Errorf("actor %+v", e.Actor)
			}
		})
	}
}

func TestLogChange(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	for name, tt := range map[string]struct {
		before, after map[string]any
		want          string // empty: nothing is recorded
	}{
		"changed":              {map[string]any{"title": "a", "n": 1}, map[string]any{"title": "b", "n": 1}, `[{"path":"/title","old":"a","new":"b"}]`},
		"same":                 {map[string]any{"a": 1, "b": []any{1, 2}}, map[string]any{"a": 1.0, "b": []int{1, 2}}, ``},
		"order of members":     {map[string]any{"m": map[string]any{"a": 1, "b": 2}}, map[string]any{"m": json.RawMessage(`{"b":2,"a":1}`)}, ``},
		"order of elements":    {map[string]any{"l": []int{1, 2}}, map[string]any{"l": []int{2, 1}}, `[{"path":"/l","old":[1,2],"new":[2,1]}]`},
		"nested is whole":      {map[string]any{"m": map[string]any{"a": 1, "b": 2}}, map[string]any{"m": map[string]any{"a": 1, "b": 3}}, `[{"path":"/m","old":{"a":1,"b":2},"new":{"a":1,"b":3}}]`},
		"exact numbers":        {map[string]any{"n": json.Number("9007199254740993")}, map[string]any{"n": json.Number("9007199254740992")}, `[{"path":"/n","old":9007199254740993,"new":9007199254740992}]`},
		"an instant":           {map[string]any{"t": at}, map[string]any{"t": at.In(time.FixedZone("x", 3600)).Add(300)}, ``},
		"added and removed":    {map[string]any{"a": 1}, map[string]any{"b": nil}, `[{"path":"/a","old":1},{"path":"/b","new":null}]`},
		"created":              {nil, map[string]any{"a": 1}, `[{"path":"/a","new":1}]`},
		"deleted":              {map[string]any{"a": 1}, nil, `[{"path":"/a","old":1}]`},
		"a changed password":   {map[string]any{"password": "a"}, map[string]any{"password": "b"}, `[{"path":"/password","old":{"$masked":true},"new":{"$masked":true}}]`},
		"both are unencodable": {map[string]any{"f": math.NaN()}, map[string]any{"f": math.Inf(1)}, `[{"path":"/f","old":"!unencodable","new":"!unencodable"}]`},
		"neither":              {nil, nil, ``},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, a := newActivity(t)
			if err := a.LogChange(t.Context(), "updated", "post", "42", "u1", tt.before, tt.after); err != nil {
				t.Fatal(err)
			}
			if tt.want == "" {
				daybooktest.RequireNotRecorded(t, r, daybooktest.Match{})
				return
			}
			if changes, _ := recorded(t, r); changes != tt.want {
				t.Errorf("changes %s", changes)
			}
		})
	}
}

// TestCaptured: what is recorded is what the map was at the call.
func TestCaptured(t *testing.T) {
	t.Parallel()
	r, a := newActivity(t)
	m := map[string]any{"l": []any{1}}
	if err := a.Log(t.Context(), "created", "post", "42", "u1", m); err != nil {
		t.Fatal(err)
	}
	m["l"].([]any)[0] = 2 //nolint:forcetypeassert // it was made above
	if changes, _ := recorded(t, r); changes != `[{"path":"/l","new":[1]}]` {
		t.Errorf("changes %s", changes)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	r, a := newActivity(t)
	ctx := t.Context()
	for field, err := range map[string]error{
		"action":       a.Log(ctx, "", "post", "1", "u", nil),
		"subject_type": a.LogChange(ctx, "updated", "", "1", "u", nil, map[string]any{"a": 1}),
		"subject_id":   a.Log(ctx, "created", "post", "", "u", nil),
	} {
		coded, ok := errors.AsType[*daybook.Error](err)
		if !ok || coded.Field != field || coded.Code != daybook.CodeInvalid {
			t.Errorf("%s: %v", field, err)
		}
	}
	if err := a.Log(ctx, "created", "post", "1", "", nil); !errors.Is(err, daybook.ErrNoActor) {
		t.Errorf("nobody: %v", err)
	}
	if _, err := a.Snapshot(ctx, "post", "1", nil, "u"); daybook.CodeOf(err) != daybook.CodeInvalid {
		t.Errorf("no data: %v", err)
	}
	_, err := a.Snapshot(ctx, "post", "1", map[string]any{"text": strings.Repeat("x", 300<<10)}, "u")
	if daybook.CodeOf(err) != daybook.CodeTooLarge || !strings.Contains(err.Error(), "307211 bytes") || !strings.Contains(err.Error(), "256 KiB") {
		t.Errorf("too large: %v", err)
	}
	for _, id := range []string{"", "42", "evt_01kdyak3see00800000000000z", "evt_01kdyak3see008000000000009"} {
		if _, _, err := a.Restore(daybook.WithActor(ctx, daybook.System("x")), id); !errors.Is(err, daybook.ErrNotExist) {
			t.Errorf("version %q: %v", id, err)
		}
	}
	if _, err := a.Activity(ctx, activity.Filter{Limit: 1001}); daybook.CodeOf(err) != daybook.CodeInvalid {
		t.Errorf("limit: %v", err)
	}
	if _, err := a.Activity(ctx, activity.Filter{Cursor: "x"}); daybook.CodeOf(err) != daybook.CodeInvalid {
		t.Errorf("cursor: %v", err)
	}
	daybooktest.RequireNotRecorded(t, r, daybooktest.Match{})
}

// TestSnapshot: numbered, returned to the digit, masked, and bound to its org.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	r, a := newActivity(t)
	ctx := daybook.WithActor(t.Context(), daybook.Actor{Type: "user", ID: "u2"})
	state := map[string]any{
		"id": 42, "big": json.Number("12345678901234567890.10"), "api_key": "x", "nested": map[string]any{"$masked": true, "a": []any{nil, "ä"}},
	}
	for want := range int64(3) {
		r.Advance(time.Second)
		v, err := a.Snapshot(ctx, "post", "42", state, "u1")
		if err != nil || v.Number != want+1 || v.Actor.ID != "u1" || !v.At.Equal(r.Now()) {
			t.Fatalf("%+v %v", v, err)
		}
		if other, err := a.Snapshot(ctx, "post", strconv.FormatInt(want, 10), map[string]any{}, ""); err != nil || other.Number != 1 || other.Actor.ID != "u2" {
			t.Fatalf("%+v %v", other, err)
		}
		data, again, err := a.Restore(ctx, v.EventID.String())
		if err != nil || again.Number != v.Number || again.EventID != v.EventID || again.Actor.ID != "u1" {
			t.Fatalf("%+v %v", again, err)
		}
		if diff := cmp.Diff(map[string]any{
			"id": json.Number("42"), "big": json.Number("12345678901234567890.10"), "api_key": map[string]any{"$masked": true},
			"nested": map[string]any{"$masked": true, "a": []any{nil, "ä"}},
		}, data); diff != "" {
			t.Errorf("data (-want +got):\n%s", diff)
		}
		if _, _, err := a.Restore(daybook.WithScope(ctx, daybook.Scope{Org: "other"}), v.EventID.String()); !errors.Is(err, daybook.ErrNotExist) {
			t.Errorf("for another org: %v", err)
		}
	}
	e := daybooktest.RequireRecorded(t, r, daybooktest.Match{Action: "post.restored", ActorID: "u2", TargetType: "post", TargetID: "42"})
	if _, _, err := a.Restore(ctx, e.ID.String()); !errors.Is(err, daybook.ErrNotExist) {
		t.Errorf("a restore was restored: %v", err)
	}
	if got, err := a.Activity(ctx, activity.Filter{}); err != nil || len(got) != 0 {
		t.Errorf("snapshots and restores show as activity: %v %v", got, err)
	}
}

// TestActivity: filters and pages.
func TestActivity(t *testing.T) {
	t.Parallel()
	r, a := newActivity(t)
	ctx := t.Context()
	for i := range 7 {
		r.Advance(time.Minute)
		if err := a.Log(ctx, []string{"created", "updated", "ship.ped"}[i%3], "post", strconv.Itoa(i%2), fmt.Sprintf("u%d", i), map[string]any{"i": i}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Record(ctx, "acme", daybook.Event{
		Action: "order.sent", Actor: daybook.Actor{Type: "user", ID: `q"\`}, Targets: []daybook.Target{{Type: "order", ID: "9"}, {Type: "post", ID: "0"}},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Record(ctx, "other", daybook.Event{Action: "order.sent", Actor: daybook.System("x"), Targets: []daybook.Target{{Type: "post", ID: "0"}}}); err != nil {
		t.Fatal(err)
	}
	start := r.Now().Add(-7 * time.Minute)
	for name, tt := range map[string]struct {
		f    activity.Filter
		want string
	}{
		"all":               {activity.Filter{}, "7 6 5 4 3 2 1 0"},
		"subject":           {activity.Filter{SubjectType: "post", SubjectID: "0"}, "6 4 2 0"},
		"type":              {activity.Filter{SubjectType: "order"}, "7"},
		"id":                {activity.Filter{SubjectID: "1"}, "5 3 1"},
		"causer":            {activity.Filter{CauserID: "u3"}, "3"},
		"a strange causer":  {activity.Filter{CauserID: `q"\`}, "7"},
		"action as given":   {activity.Filter{Action: "created"}, "6 3 0"},
		"the event's":       {activity.Filter{Action: "post.created"}, ""},
		"another's":         {activity.Filter{Action: "order.sent"}, "7"},
		"verbatim":          {activity.Filter{Action: "ship.ped"}, "5 2"},
		"prefix":            {activity.Filter{Action: "s*"}, "5 2"},
		"prefix with a dot": {activity.Filter{Action: "order.*"}, "7"},
		"only a star":       {activity.Filter{Action: "*"}, "7 6 5 4 3 2 1 0"},
		"time":              {activity.Filter{From: start.Add(2 * time.Minute), To: start.Add(4 * time.Minute)}, "2 1"},
		"limit":             {activity.Filter{Limit: 2}, "7 6"},
		"all of it":         {activity.Filter{SubjectType: "post", Action: "updated", CauserID: "u1"}, "1"},
	} {
		entries, err := a.Activity(ctx, tt.f)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var got []string
		for _, e := range entries {
			got = append(got, strconv.FormatInt(e.Seq, 10))
		}
		if diff := cmp.Diff(tt.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	var pages []string
	for f := (activity.Filter{SubjectType: "post", Limit: 3}); ; {
		entries, err := a.Activity(ctx, f)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) == 0 {
			break
		}
		f.Cursor = activity.After(entries[len(entries)-1])
		pages = append(pages, fmt.Sprintf("%d..%d", entries[0].Seq, entries[len(entries)-1].Seq))
	}
	if diff := cmp.Diff([]string{"6..4", "3..1", "0..0"}, pages); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
}

// TestFinder: a store that is down is an error that can be told from "not there".
func TestFinder(t *testing.T) {
	t.Parallel()
	_, clerk := daybooktest.New(t, daybook.ClerkOptions{Org: "acme"})
	down := errors.New("down")
	a := activity.New(clerk, nil, finder(func() error { return down }))
	if _, err := a.Activity(t.Context(), activity.Filter{}); !errors.Is(err, down) {
		t.Errorf("got %v", err)
	}
	if _, _, err := a.Restore(t.Context(), "evt_01kdyak3see008000000000009"); !errors.Is(err, down) || errors.Is(err, daybook.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

type finder func() error

func (f finder) Search(context.Context, daybook.EventQuery) (*daybook.Page, error) { return nil, f() }
