package daybook_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/storetest"
)

// judge is Schemas whose verdict a test sets.
type judge struct {
	mu      sync.Mutex
	applies bool
	verdict daybook.Verdict
	err     error
	cases   []daybook.SchemaCase
}

func (j *judge) set(v daybook.Verdict, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.applies, j.verdict, j.err = true, v, err
}

func (j *judge) Applies(_ context.Context, org daybook.OrgID, _ string) (bool, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if org == "org_broken" {
		return false, errors.New("no schemas today")
	}
	return j.applies, nil
}

func (j *judge) Check(_ context.Context, c daybook.SchemaCase) (daybook.Verdict, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	c.Text = append([]byte(nil), c.Text...)
	j.cases = append(j.cases, c)
	return j.verdict, j.err
}

// wrong is a refusal.
var wrong = &daybook.Error{Code: daybook.CodeInvalid, Rule: "schema_violation", Field: "/metadata/x", Message: "must be string"}

// last returns what stands at the end of the log.
func last(t *testing.T, b *daybook.Book, org daybook.OrgID) string {
	t.Helper()
	for e, err := range b.Events(t.Context(), daybook.EventQuery{Org: org}) {
		if err != nil {
			t.Fatal(err)
		}
		return string(e.Payload)
	}
	return ""
}

func TestSchemas(t *testing.T) {
	t.Parallel()
	t.Run("nothing is asked where none applies, and nothing about the log's own", func(t *testing.T) {
		t.Parallel()
		j := &judge{}
		b := open(t, storetest.Memory(), daybook.Options{Schemas: j})
		record(t, b, "org_a", daybook.Request{Events: texts(1, 2)})
		j.set(daybook.Verdict{}, wrong)
		record(t, b, "org_a", daybook.Request{Events: [][]byte{[]byte(`{"action":"daybook.key.created","actor":{"type":"a","id":"b"}}`)}, Internal: true})
		if len(j.cases) > 0 {
			t.Errorf("asked about %d events", len(j.cases))
		}
		if _, err := b.RecordJSON(t.Context(), "org_broken", daybook.Request{Events: texts(1, 1)}); err == nil || daybook.CodeOf(err) != daybook.CodeInternal {
			t.Errorf("without an answer: %v", err)
		}
	})
	t.Run("a refusal records nothing, and with Partial the rest", func(t *testing.T) {
		t.Parallel()
		j := &judge{}
		b := open(t, storetest.Memory(), daybook.Options{Schemas: j})
		j.set(daybook.Verdict{}, wrong)
		for _, r := range []daybook.Request{{Events: texts(1, 2)}, {Events: texts(1, 2), Key: "k"}, {Events: texts(1, 2), Partial: true}} {
			if _, err := b.RecordJSON(t.Context(), "org_a", r); rule(err) != "schema_violation" {
				t.Errorf("%+v: %v", r, err)
			}
		}
		if n := size(t, b, "org_a"); n != 0 {
			t.Errorf("%d entries", n)
		}
		c := j.cases[0]
		if c.Action != "invoice.paid" || c.Version != 0 || c.Org != "org_a" || string(c.Text) != string(event(1, "")) {
			t.Errorf("the case: %+v %s", c, c.Text)
		}
	})
	t.Run("version and flag are written into the entry, and found", func(t *testing.T) {
		t.Parallel()
		j, s := &judge{}, storetest.Memory()
		counted := 0
		b := open(t, s, daybook.Options{Schemas: j, Metrics: &daybook.Metrics{Flag: func(string) { counted++ }}})
		j.set(daybook.Verdict{Version: 3}, nil)
		record(t, b, "org_a", daybook.Request{Events: [][]byte{event(1, `"version":null,`)}})
		if got := last(t, b, "org_a"); !strings.HasSuffix(got, `,"version":3}`) || strings.Contains(got, "null") {
			t.Errorf("a version: %s", got)
		}
		record(t, b, "org_a", daybook.Request{Events: [][]byte{event(1, `"version":2,`)}})
		if got := last(t, b, "org_a"); !strings.Contains(got, `"version":2`) || strings.Contains(got, `"version":3`) {
			t.Errorf("its own version: %s", got)
		}
		j.set(daybook.Verdict{Flag: "schema_violation"}, nil)
		record(t, b, "org_a", daybook.Request{Events: [][]byte{event(1, "")}})
		if got := last(t, b, "org_a"); !strings.HasSuffix(got, `,"flags":["schema_violation"]}`) {
			t.Errorf("a flag: %s", got)
		}
		if err := b.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		for text, want := range map[string]int{"flagged:schema_violation": 1, "has:flagged": 1, "flagged:other": 0, "-has:flagged": 2, "version:3": 1} {
			p, err := b.Search(t.Context(), daybook.EventQuery{Org: "org_a", Text: text})
			if err != nil || len(p.Entries) != want {
				t.Errorf("%s: %d entries, %v", text, len(p.Entries), err)
			}
		}
		if counted != 1 {
			t.Errorf("counted %d flags", counted)
		}
		verify(t, s)
	})
	t.Run("a producer cannot give flags", func(t *testing.T) {
		t.Parallel()
		b := open(t, storetest.Memory(), daybook.Options{})
		if _, err := b.RecordJSON(t.Context(), "org_a", daybook.Request{Events: [][]byte{event(1, `"flags":["schema_violation"],`)}}); rule(err) != "reserved_member" {
			t.Errorf("got %v", err)
		}
	})
	t.Run("what is recorded is acknowledged again whatever was registered since", func(t *testing.T) {
		t.Parallel()
		verdicts := []struct {
			v   daybook.Verdict
			err error
		}{{daybook.Verdict{}, nil}, {daybook.Verdict{Version: 1}, nil}, {daybook.Verdict{Version: 2}, nil}, {daybook.Verdict{Flag: "schema_violation"}, nil}, {daybook.Verdict{}, wrong}}
		repeat := [16]byte{9}
		requests := []daybook.Request{
			{Events: texts(1, 1), Key: "k"},
			{Events: texts(2, 1), Door: "d", Repeat: repeat, Repeats: [][16]byte{repeat}},
			{Events: [][]byte{event(3, `"id":"evt_01m7z7rs1affyad5cmxxj94a79",`)}},
			{Events: [][]byte{event(4, `"id":"evt_01m7z7rs1affyad5cmxxj94a78","version":null,`)}},
		}
		for first, recorded := range verdicts[:4] {
			j := &judge{}
			b := open(t, storetest.Memory(), daybook.Options{Schemas: j})
			for _, r := range requests {
				j.set(recorded.v, recorded.err)
				was := record(t, b, "org_a", r)
				for again, now := range verdicts {
					j.set(now.v, now.err)
					res, err := b.RecordJSON(t.Context(), "org_a", r)
					if err != nil || !res.Receipts[0].Duplicate || res.Receipts[0].Seq != was[0].Seq {
						t.Errorf("%s recorded with %d, again with %d: %+v, %v", r.Events[0], first, again, res.Receipts, err)
					}
				}
				other := r
				other.Events = [][]byte{[]byte(strings.Replace(string(r.Events[0]), "usr_", "another_", 1))}
				j.set(daybook.Verdict{Version: 2}, nil)
				if _, err := b.RecordJSON(t.Context(), "org_a", other); daybook.CodeOf(err) != daybook.CodeConflict {
					t.Errorf("other content: %v", err)
				}
			}
		}
	})
}
