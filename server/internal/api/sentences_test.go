package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSentences: an event says what the version of the schema says that it keeps to, also when the schema has another one now.
func TestSentences(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	register := func(body string) {
		if w := f.do(ask{method: "POST", path: "/v1/actions/invoice.paid/schemas", key: f.acme, body: body}); w.Code != http.StatusCreated {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	target := `,"targets":[{"type":"invoice","id":"42","name":"Invoice 42"}]`
	f.record(f.acme, event("invoice.paid", target+`,"reason":"PO 1"`))
	register(`{"sentence":"{actor} paid {target}[ because of {reason}]","sentence_denied":"{actor} may not pay {target}"}`)
	f.record(f.acme, event("invoice.paid", target+`,"reason":"PO 2"`))
	f.record(f.acme, event("invoice.paid", target+`,"outcome":"denied"`))
	register(`{"sentence":"{target} was settled"}`)
	f.record(f.acme, event("invoice.paid", target+`,"outcome":"failure"`))
	f.record(f.acme, event("invoice.paid", target+`,"version":1`))
	var page struct{ Sentences []string }
	w := f.do(ask{path: "/v1/events?asc=true&sentences=true&q=action:invoice.paid", key: f.acme})
	if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"usr_7 paid Invoice 42", // recorded before there was a schema: it is of version 1
		"usr_7 paid Invoice 42 because of PO 2",
		"usr_7 may not pay Invoice 42",
		"Invoice 42 was settled – failed",
		"usr_7 paid Invoice 42",
	}
	page.Sentences[0] = strings.TrimSuffix(page.Sentences[0], " because of PO 1")
	if diff := cmp.Diff(want, page.Sentences); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if w := f.do(ask{path: "/v1/events", key: f.acme}); strings.Contains(w.Body.String(), "sentences") {
		t.Error("sentences that nobody asked for")
	}
	if w := f.do(ask{path: "/v1/events?sentences=1", key: f.acme}); w.Code != http.StatusBadRequest {
		t.Errorf("sentences=1: %d", w.Code)
	}
	// The WorkOS door knows no sentences: what it registers keeps them.
	if w := f.do(ask{method: "POST", path: "/audit_logs/actions/invoice.paid/schemas", key: f.acme, body: `{"targets":[{"type":"invoice"}]}`}); w.Code != http.StatusCreated {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w := f.do(ask{path: "/v1/actions/invoice.paid/schemas/newest", key: f.acme}); !strings.Contains(w.Body.String(), `"version":3`) || !strings.Contains(w.Body.String(), "{target} was settled") {
		t.Errorf("after the door: %s", w.Body)
	}
}

// TestSentencesPages: pages count actions, and none is lost between two.
func TestSentencesPages(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	for _, action := range []string{"a.one", "b.two", "c.three"} {
		for _, body := range []string{`{"sentence":"1"}`, `{"sentence":"2"}`, `{}`} {
			f.do(ask{method: "POST", path: "/v1/actions/" + action + "/schemas", key: f.acme, body: body})
		}
	}
	var got []string
	for path := "/v1/sentences?limit=2"; path != ""; {
		var page struct {
			Sentences []struct {
				Action, Sentence string
				Version          int
			}
			NextCursor *string `json:"next_cursor"`
		}
		if err := json.Unmarshal(f.do(ask{path: path, key: f.acme}).Body.Bytes(), &page); err != nil {
			t.Fatal(err)
		}
		for _, s := range page.Sentences {
			got = append(got, s.Action+" "+s.Sentence)
		}
		if path = ""; page.NextCursor != nil {
			path = "/v1/sentences?limit=2&cursor=" + *page.NextCursor
		}
	}
	if want := []string{"a.one 1", "a.one 2", "b.two 1", "b.two 2", "c.three 1", "c.three 2"}; !cmp.Equal(want, got) {
		t.Errorf("%v", got)
	}
}

// TestAround: neighbours in the log and of the actor, nearest first, at the ends too.
func TestAround(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	var ids []string
	for i := range 9 {
		who := []string{"usr_1", "usr_2", "usr_3"}[i%3]
		body := f.record(f.acme, `{"action":"a.b","actor":{"type":"user","id":"`+who+`"}}`)
		var receipt struct{ ID string }
		if err := json.Unmarshal([]byte(body), &receipt); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, receipt.ID)
	}
	type entries []struct{ Seq int }
	type sides struct{ Before, After entries }
	for id, want := range map[int][4][]int{
		4: {{3, 2}, {5, 6}, {1}, {7}},
		0: {{}, {1, 2}, {}, {3, 6}},
		8: {{7, 6}, {}, {5, 2}, {}},
	} {
		var got struct {
			Entry      struct{ Seq int }
			Log, Actor sides
		}
		if err := json.Unmarshal(f.do(ask{path: "/v1/events/" + ids[id] + "/around?n=2", key: f.acme}).Body.Bytes(), &got); err != nil || got.Entry.Seq != id {
			t.Fatal(got, err)
		}
		for i, list := range []entries{got.Log.Before, got.Log.After, got.Actor.Before, got.Actor.After} {
			seqs := []int{}
			for _, e := range list {
				seqs = append(seqs, e.Seq)
			}
			if !cmp.Equal(seqs, want[i]) {
				t.Errorf("around %d, side %d: %v, want %v", id, i, seqs, want[i])
			}
		}
	}
}
