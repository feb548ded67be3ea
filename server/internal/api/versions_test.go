package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
)

// TestVersions: what the changes of a thing's events say that it was, compared and planned back.
func TestVersions(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	states := []string{
		`{"amount":"1000.00","lines":[{"sku":"a","qty":1},{"sku":"b","qty":2},{"sku":"c","qty":3}],"note":"x","big":12345678901234567890,"password":null}`,
		`{"amount":"1200.00","lines":[{"sku":"a","qty":1},{"sku":"c","qty":3}],"note":"x","big":12345678901234567890,"a/b":{"~":1}}`,
		`{"amount":"1200.00","lines":[{"sku":"a","qty":4},{"sku":"c","qty":3},{"sku":"d","qty":9}],"big":12345678901234567891,"a/b":{}}`,
	}
	send := func(action, more string) {
		f.record(f.acme, event(action, `,"targets":[{"type":"invoice","id":"42"}]`+more))
	}
	before := ""
	for i, state := range states {
		if i > 0 {
			before = `"before":` + states[i-1] + `,`
		}
		send([]string{"invoice.created", "invoice.updated", "invoice.updated"}[i], `,`+before+`"after":`+state)
		send("invoice.viewed", "") // no version
	}
	type answer struct {
		Versions []struct {
			Version, Changes         int
			Action                   string
			Snapshot, Deleted, Exact bool
		}
		Exact    bool
		Reason   string
		Compared *struct{ Changes daybook.Changes }
	}
	asked := func(path string) (a answer) {
		t.Helper()
		w := f.do(ask{path: path, key: f.acme})
		if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", path, w.Code, w.Body)
		}
		return a
	}
	const path = "/v1/targets/invoice/42/versions"
	list := asked(path)
	if len(list.Versions) != 3 || !list.Exact || list.Reason != "" || list.Versions[0].Version != 3 || list.Versions[2].Action != "invoice.created" || !list.Versions[0].Exact {
		t.Errorf("the list: %+v", list)
	}
	for i, want := range states {
		var got struct{ State json.RawMessage }
		if err := json.Unmarshal(f.do(ask{path: path + "/" + string(rune('1'+i)), key: f.acme}).Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if changes, err := daybook.DiffJSON(json.RawMessage(want), got.State, daybook.DiffOptions{}); err != nil || len(changes) > 0 {
			t.Errorf("version %d is %s, was %s: %v", i+1, got.State, want, err)
		}
	}
	want, err := daybook.DiffJSON(json.RawMessage(states[0]), json.RawMessage(states[2]), daybook.DiffOptions{})
	if err != nil {
		t.Fatal(err)
	}
	text := func(c daybook.Changes) string { b, _ := json.Marshal(c); return string(b) }
	if got := asked(path + "?a=1&b=3").Compared; text(got.Changes) != text(want) {
		t.Errorf("compared: %s, want %s", text(got.Changes), text(want))
	}
	var plan struct {
		Version, Current int
		Changes          daybook.Changes
		State, Event     json.RawMessage
		Exact            bool
	}
	if err := json.Unmarshal(f.do(ask{path: path + "/1/restore-plan", key: f.acme}).Body.Bytes(), &plan); err != nil || plan.Version != 1 || plan.Current != 3 || !plan.Exact || len(plan.Changes) == 0 {
		t.Errorf("the plan: %+v %v", plan, err)
	}
	// What stands in the plan can be recorded as it is, but for who did it; then the newest version is the restored one.
	f.record(f.acme, strings.Replace(string(plan.Event), "{", `{"actor":{"type":"user","id":"usr_7"},`, 1))
	list = asked(path + "?a=1&b=4")
	if len(list.Versions) != 4 || !list.Exact || len(list.Compared.Changes) != 0 || list.Versions[0].Action != "invoice.restored" {
		t.Errorf("restored: %+v", list)
	}
	send("invoice.deleted", "")
	if list = asked(path); !list.Versions[0].Deleted || !list.Exact {
		t.Errorf("deleted: %+v", list.Versions[0])
	}
	// A restore of what was deleted brings all of it back, and is a version too.
	if err := json.Unmarshal(f.do(ask{path: path + "/1/restore-plan", key: f.acme}).Body.Bytes(), &plan); err != nil || plan.Current != 5 || len(plan.Changes) == 0 {
		t.Errorf("the plan of what was deleted: %+v %v", plan, err)
	}
	f.record(f.acme, strings.Replace(string(plan.Event), "{", `{"actor":{"type":"user","id":"usr_7"},`, 1))
	if list = asked(path + "?a=1&b=6"); !list.Exact || list.Versions[0].Deleted || !list.Versions[0].Exact || len(list.Compared.Changes) != 0 {
		t.Errorf("restored after it was deleted: %+v", list)
	}
	for path, want := range map[string]int{path + "/0": 404, path + "/7": 404, path + "/x": 404, path + "?a=1": 400, path + "?a=1&b=9": 404, path + "?a=0&b=1": 400, path + "/9/restore-plan": 404} {
		if w := f.do(ask{path: path, key: f.acme}); w.Code != want {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

// TestVersionsIncomplete: what is not known is said, and a snapshot makes it known again.
func TestVersionsIncomplete(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	send := func(id, action, more string) {
		f.record(f.acme, event(action, `,"targets":[{"type":"doc","id":"`+id+`"}]`+more))
	}
	update := `,"changes":[{"path":"/a","old":1,"new":2}]`
	send("late", "doc.updated", update)
	send("late", "doc.updated", `,"changes":[{"path":"/a","old":2,"new":3},{"path":"/b","new":1}]`)
	send("gap", "doc.created", `,"after":{"a":1}`)
	send("gap", "doc.updated", `,"changes":[{"path":"/a","old":2,"new":3}]`)
	send("gap", "doc.updated", `,"changes":[{"path":"/a","old":3,"new":4}]`)
	send("snap", "doc.updated", update)
	send("snap", "doc.snapshot", `,"metadata":{"togo":{"kind":"snapshot","snapshot":{"a":2,"z":9}}}`)
	send("snap", "doc.updated", `,"changes":[{"path":"/z","old":9.0,"new":10}]`)
	send("secret", "doc.created", `,"changes":[{"path":"/password","new":{"$masked":true}},{"path":"/x","new":[{"$hash":"abc"}]}]`)
	send("secret", "doc.updated", `,"changes":[{"path":"/password","old":{"$masked":true},"new":{"$masked":true}}]`)
	send("again", "doc.updated", update)
	send("again", "doc.deleted", "")
	send("again", "doc.restored", `,"changes":[{"path":"/a","new":2}]`)
	send("again", "doc.deleted", "")
	send("again", "doc.created", `,"changes":[{"path":"/a","new":2}]`)
	send("odd", "doc.created", `,"after":[1,2]`)
	send("odd", "doc.updated", `,"changes":[{"path":"/9","new":1},{"path":"/x/y","new":1}]`)
	for id, want := range map[string]struct {
		reason string
		exact  []bool // newest first
	}{
		"late": {"no_creation", []bool{false, false}}, "gap": {"gap", []bool{false, false, true}}, "snap": {"no_creation", []bool{true, true, false}}, "secret": {"", []bool{true, true}}, "odd": {"gap", []bool{false, true}},
		"none": {"no_creation", nil}, "again": {"no_creation", []bool{true, false, false, false, false}},
	} {
		var got struct {
			Versions []struct{ Exact bool }
			Reason   string
			Exact    bool
		}
		w := f.do(ask{path: "/v1/targets/doc/" + id + "/versions", key: f.acme})
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK {
			t.Fatal(w.Code, w.Body)
		}
		var exact []bool
		for _, v := range got.Versions {
			exact = append(exact, v.Exact)
		}
		if got.Reason != want.reason || got.Exact != (want.reason == "") || !cmp.Equal(exact, want.exact) {
			t.Errorf("%s: %q %v %v, want %+v", id, got.Reason, got.Exact, exact, want)
		}
	}
	w := f.do(ask{path: "/v1/targets/doc/secret/versions/2", key: f.acme})
	if !strings.Contains(w.Body.String(), `"masked":["/password","/x/0"]`) {
		t.Errorf("what is masked: %s", w.Body)
	}
	if w := f.do(ask{path: "/v1/targets/doc/secret/versions/1/restore-plan", key: f.acme}); !strings.Contains(w.Body.String(), `"masked":["/password"`) {
		t.Errorf("a plan with what is masked: %s", w.Body)
	}
}

// A plan is made from what the target is now. Where that is not known, because there are too many versions, there is none.
func TestRestorePlan_tooMany(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	for from := 0; from <= 2000; from += 1000 {
		var events []string
		for n := from; n < min(from+1000, 2001); n++ {
			events = append(events, fmt.Sprintf(`{"action":"doc.updated","actor":{"type":"user","id":"u"},"targets":[{"type":"doc","id":"1"}],"changes":[{"path":"/n","old":%d,"new":%d}]}`, n, n+1))
		}
		if w := f.do(ask{method: "POST", path: "/v1/events", key: f.acme, body: "[" + strings.Join(events, ",") + "]"}); w.Code != http.StatusCreated {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	if w := f.do(ask{path: "/v1/targets/doc/1/versions/7/restore-plan", key: f.acme}); w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), `"too_many"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := f.do(ask{path: "/v1/targets/doc/1/versions/7", key: f.acme}); w.Code != http.StatusOK {
		t.Errorf("the state of a version: %d %s", w.Code, w.Body)
	}
}
