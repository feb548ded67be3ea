package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
)

// TestComplete: fields, words and values of the log, in the form that a query takes.
func TestComplete(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	f.record(f.acme, `{"action":"invoice.paid","actor":{"type":"user","id":"usr 7","name":"Grace Hopper","email":"grace@acme.com","via":[{"type":"user","id":"usr_1","name":"Ada"}]},`+
		`"targets":[{"type":"invoice","id":"4:2","name":"Invoice 42"}],"error":{"code":"limit"},"outcome":"failure","changes":[{"path":"/lines~1x/2/qty","new":1}],`+
		`"context":{"ip":"203.0.113.9","http":{"route":"/invoices/{id}"}},"metadata":{"cost center":"R&D, new","seats":7}}`)
	for range 3 {
		f.record(f.acme, event("invoice.sent", ""))
	}
	f.record(f.globex, event("invoice.secret", ""))
	type answer struct {
		Completions []struct {
			Text, Means string
			From, To    int
			Count       int64
		}
		Query string
		Error *struct {
			Code        string
			Pos, Len    int
			Suggestions []string
		} `json:"query_error"`
	}
	asked := func(typed string) answer { // | is the cursor
		pos := len([]rune(typed[:strings.Index(typed, "|")]))
		w := f.do(ask{path: fmt.Sprintf("/v1/complete?q=%s&pos=%d", url.QueryEscape(strings.Replace(typed, "|", "", 1)), pos), key: f.acme})
		var a answer
		if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", typed, w.Code, w.Body)
		}
		return a
	}
	for typed, want := range map[string]string{
		"acti|":                "action:",
		"action:|":             "invoice.sent invoice.paid",
		"action:pai|":          "invoice.paid",
		"-action:INV|oice.x":   "invoice.sent invoice.paid",
		"actor:gra|":           `"usr 7"`,
		"actor.id:|":           `usr_7 "usr 7"`,
		"actor.email:gr|":      "grace@acme.com",
		"via:a|":               "usr_1",
		"target:inv|":          "invoice:4:2",
		"target:invoice 42|":   "", // free text begins with the space
		"target.type:|":        "invoice",
		"target.name:|":        `"Invoice 42"`,
		"error.code:|":         "limit",
		"changed:|":            "lines/x",
		"ip:203|":              "203.0.113.9",
		"http.route:|":         "/invoices/{id}",
		`meta."cost center":|`: `"R&D, new"`,
		"cost|":                `meta."cost center":`,
		"outcome:|":            "success failure denied",
		"reason:|":             "",
		`action:"inv|`:         "",
	} {
		var got []string
		for _, c := range asked(typed).Completions {
			got = append(got, c.Text)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %q", typed, strings.Join(got, " "), want)
		}
	}
	if a := asked("actor:gra| x"); len(a.Completions) != 1 || a.Completions[0].Means != "Grace Hopper" || a.Completions[0].From != 6 || a.Completions[0].To != 9 {
		t.Errorf("who it is, and what it replaces: %+v", a.Completions)
	}
	if a := asked("ü actr:x|"); a.Error == nil || a.Error.Code != "unknown_field" || a.Error.Pos != 2 || a.Error.Len != 4 || a.Error.Suggestions[0] != "actor" || a.Query != "" {
		t.Errorf("a wrong query: %+v", a)
	}
	if a := asked("ACTION:invoice.paid|"); a.Error != nil || a.Query != "action:invoice.paid" {
		t.Errorf("a good query: %+v", a)
	}
	// What is new is offered some seconds later.
	f.record(f.acme, event("invoice.voided", ""))
	f.Add(11 * time.Second)
	if a := asked("action:void|"); len(a.Completions) != 1 {
		t.Errorf("after some seconds: %+v", a)
	}
	if w := f.do(ask{path: "/v1/complete?q=" + strings.Repeat("a", 4097), key: f.acme}); w.Code != http.StatusBadRequest {
		t.Errorf("a query that is too long: %d", w.Code)
	}
}

// TestSummary: an empty log, one without events of producers, and one with.
func TestSummary(t *testing.T) {
	t.Parallel()
	f, auditor := audited(t, nil)
	type place struct{ Seq int64 }
	type answer struct {
		Org, Name, State   string
		Size               int64
		Oldest, FirstEvent *place
		Checkpoint         *struct{ Size int64 }
		Signing            bool
	}
	asked := func(key, org string) (a answer) {
		w := f.do(ask{path: "/v1/summary", key: key, header: []string{"Daybook-Org", org}})
		text := strings.ReplaceAll(w.Body.String(), "first_event", "FirstEvent")
		if err := json.Unmarshal([]byte(text), &a); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		return a
	}
	if a := asked(f.globex, "org_globex"); a.Size != 0 || a.Oldest != nil || a.FirstEvent != nil || a.Checkpoint != nil || !a.Signing {
		t.Errorf("of an empty log: %+v", a)
	}
	f.do(ask{path: "/v1/events", key: f.acme})
	auditor.Close(t.Context())
	if a := asked(f.acme, "org_acme"); a.Size != 1 || a.Oldest == nil || a.FirstEvent != nil {
		t.Errorf("of a log that was only looked at: %+v", a)
	}
	f.record(f.acme, event("a.b", ""))
	if a := asked(f.acme, "org_acme"); a.Size != 2 || a.FirstEvent == nil || a.FirstEvent.Seq != 1 || a.Checkpoint != nil {
		t.Errorf("of a log with an event: %+v", a)
	}
	f.do(ask{path: "/v1/organizations/org_acme/log/checkpoint", key: f.acme})
	if a := asked(f.acme, "org_acme"); a.Checkpoint == nil || a.Checkpoint.Size != 2 {
		t.Errorf("of a signed log: %+v", a)
	}
	if a := asked(f.admin, "daybook:instance"); a.Org != "daybook:instance" || a.State != "open" {
		t.Errorf("of the instance's own log: %+v", a)
	}
}

// fullStore has no space while it is full.
type fullStore struct {
	daybook.Store
	full atomic.Bool
}

func (s *fullStore) Append(ctx context.Context, c *daybook.Commit) error {
	if s.full.Load() {
		return fmt.Errorf("append: %w", daybook.ErrNoSpace)
	}
	return s.Store.Append(ctx, c)
}

// TestSummary_noSpace: it says so from the first event that is refused to the next one that fits.
func TestSummary_noSpace(t *testing.T) {
	t.Parallel()
	store := &fullStore{}
	f := newFixture(t, setup{store: func(s daybook.Store) daybook.Store { store.Store = s; return store }})
	f.record(f.acme, event("a.b", ""))
	says := func(want bool) {
		t.Helper()
		if w := f.do(ask{path: "/v1/summary", key: f.acme}); !strings.Contains(w.Body.String(), fmt.Sprintf(`"no_space":%t`, want)) {
			t.Errorf("%d %s; want no_space %t", w.Code, w.Body, want)
		}
	}
	says(false)
	store.full.Store(true)
	says(false)
	if w := f.do(ask{method: http.MethodPost, path: "/v1/events", key: f.acme, body: event("a.b", "")}); w.Code != http.StatusInsufficientStorage {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	says(true)
	store.full.Store(false)
	says(true)
	f.record(f.acme, event("a.b", ""))
	says(false)
}
