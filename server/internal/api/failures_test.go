package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/api"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/server/internal/selfaudit"
)

// spoiled is a store whose newest block of a log, and whose checkpoint of a size, were changed by hand.
type spoiled struct {
	daybook.Store
	block atomic.Int64 // its first seq plus one; 0: none
	note  atomic.Int64
}

func (s *spoiled) Read(ctx context.Context, log daybook.LogNo, refs []daybook.BlockRef) ([][]byte, error) {
	rows, err := s.Store.Read(ctx, log, refs)
	for i := range rows {
		if refs[i].First == s.block.Load()-1 {
			rows[i] = slices.Clone(rows[i])
			rows[i][len(rows[i])/2] ^= 1
		}
	}
	return rows, err
}

func (s *spoiled) Notes(ctx context.Context, log daybook.LogNo, from, to int64, desc bool) iter.Seq2[daybook.StoredNote, error] {
	return func(yield func(daybook.StoredNote, error) bool) {
		for n, err := range s.Store.Notes(ctx, log, from, to, desc) {
			if err == nil && n.Size == s.note.Load() {
				n.Note = []byte(strings.Replace(string(n.Note), "\n", "\n1", 1))
			}
			if !yield(n, err) {
				return
			}
		}
	}
}

// damaged is a server with 600 entries of org_acme in two blocks, of which nothing is cached, and with its own log.
func damaged(t *testing.T) (f *fixture, store *spoiled, settle func()) {
	t.Helper()
	wrapped := false
	store = &spoiled{}
	var audit *selfaudit.Auditor
	f = newFixture(t, setup{
		store: func(s daybook.Store) daybook.Store { store.Store, wrapped = s, true; return store },
		book:  func(o daybook.Options) daybook.Options { o.CacheBytes = 1; return o },
		deps: func(d *api.Deps) {
			audit = selfaudit.New(d.Book, selfaudit.Options{Now: d.Now})
			d.Audit = audit
		},
	})
	settle = sync.OnceFunc(func() { audit.Close(context.Background()) }) // what is recorded behind the answers is there then
	t.Cleanup(settle)
	if !wrapped {
		t.Fatal("the store is not the Book's")
	}
	events := make([]string, 600)
	for i := range events {
		events[i] = fmt.Sprintf(`{"action":"a.b","actor":{"type":"user","id":"u%d"}}`, i)
	}
	if w := f.do(ask{method: "POST", path: "/v1/events", key: f.acme, body: "[" + strings.Join(events, ",") + "]"}); w.Code != 201 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if err := f.book.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	return f, store, settle
}

type failureList struct {
	Failures []struct {
		ID, Check, Finding, Detail string
		Seq                        int64
		By                         struct{ Type, ID string }
		Acknowledged               *struct {
			By     struct{ Type, ID string }
			Reason string
		}
	}
}

func (f *fixture) failures(key string) failureList {
	f.t.Helper()
	var list failureList
	w := f.do(ask{path: "/v1/organizations/org_acme/log/failures", key: key})
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || w.Code != 200 {
		f.t.Fatalf("%d %s", w.Code, w.Body)
	}
	return list
}

// A damaged block is a gap in a list that says so, a problem of its own for what is in it, a failure of the log, and an event of the
// instance; the rest is shown.
func TestDamagedBlock(t *testing.T) {
	t.Parallel()
	f, store, settle := damaged(t)
	if got := f.failures(f.acme); len(got.Failures) != 0 {
		t.Fatalf("an untouched store: %+v", got)
	}
	store.block.Store(1)
	var page struct {
		Entries    []struct{ Seq int64 }
		NextCursor *string `json:"next_cursor"`
		Searched   struct {
			Complete bool
			Reason   string
			Damaged  []struct {
				From, To       int64
				Check, Finding string
			}
		}
	}
	for _, path := range []string{"/v1/events?limit=1000", "/v1/events?limit=1000&order=occurred", "/v1/facets?q=actor:u1", "/v1/histogram?q=actor:u1", "/v1/actors/user/u1/events"} {
		page.Entries, page.Searched.Damaged = nil, nil
		w := f.do(ask{path: path, key: f.acme})
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || w.Code != 200 {
			t.Fatalf("%s: %d %s", path, w.Code, w.Body)
		}
		d := page.Searched.Damaged
		if page.Searched.Complete || page.Searched.Reason != "damaged" || len(d) != 1 || d[0].From != 0 || d[0].To != 512 || d[0].Check != "block" || d[0].Finding != "block_damaged" {
			t.Errorf("%s: %+v", path, page.Searched)
		}
		whole := slices.DeleteFunc(page.Entries, func(e struct{ Seq int64 }) bool { return e.Seq >= 600 }) // the looks themselves
		if strings.HasPrefix(path, "/v1/events") && (len(whole) != 88 || page.NextCursor != nil) {
			t.Errorf("%s: %d entries", path, len(whole))
		}
	}
	for _, path := range []string{"/v1/organizations/org_acme/log/evidence?from=0&to=10", "/v1/organizations/org_acme/log/inclusion?seq=3", "/v1/events/csv?asc=true", "/v1/events/evt_01m7z7rs1affyad5cmxxj94a70"} {
		w := f.do(ask{path: path, key: f.acme})
		var p struct {
			Code   string
			Damage struct {
				From, To int64
				Check    string
			}
		}
		if err := json.Unmarshal(w.Body.Bytes(), &p); w.Code == 404 && strings.Contains(path, "evt_") {
			continue // its time says that it cannot be in a block
		} else if err != nil || w.Code != 500 || p.Code != "store_damaged" || p.Damage.To != 512 || p.Damage.Check != "block" {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	list := f.failures(f.key("org_acme", auth.Read))
	if len(list.Failures) != 1 || list.Failures[0].Finding != "block_damaged" || list.Failures[0].Seq != 0 || list.Failures[0].By.Type != "system" || list.Failures[0].Acknowledged != nil {
		t.Fatalf("%+v", list)
	}
	settle()
	found, err := f.book.Search(t.Context(), daybook.EventQuery{Org: control.Instance, Text: "action:daybook.integrity.failed"})
	if err != nil || len(found.Entries) != 1 || !strings.Contains(string(found.Entries[0].Payload), `"first_bad_seq":0`) {
		t.Errorf("the log of the instance: %+v, %v", found, err)
	}
}

func TestDamagedCheckpoint(t *testing.T) {
	t.Parallel()
	f, store, _ := damaged(t)
	sizes := func(path string) (sizes []int64, bad []int64, next *string) {
		var list struct {
			Checkpoints []struct {
				Size       int64
				Root, Note string
				SignedAt   string `json:"signed_at"`
				Damaged    bool
			}
			NextCursor *string `json:"next_cursor"`
		}
		w := f.do(ask{path: "/v1/organizations/org_acme/log/checkpoints" + path, key: f.acme})
		if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		for _, c := range list.Checkpoints {
			if c.Damaged {
				bad = append(bad, c.Size)
			} else if sizes = append(sizes, c.Size); !strings.Contains(c.Note, "\n"+c.Root+"\n") || c.SignedAt == "" {
				t.Errorf("%+v", c)
			}
		}
		return sizes, bad, list.NextCursor
	}
	for range 3 {
		f.do(ask{path: "/v1/organizations/org_acme/log/checkpoint", key: f.acme})
		f.record(f.acme, event("a.b", ""))
	}
	all, bad, next := sizes("") // the looks themselves are recorded: how large the log is meanwhile is theirs
	if len(all) != 3 || all[2] != 600 || !slices.IsSortedFunc(all, func(a, b int64) int { return int(b - a) }) || bad != nil || next != nil {
		t.Fatalf("%v %v %v", all, bad, next)
	}
	got, _, next := sizes("?limit=2")
	if !slices.Equal(got, all[:2]) || next == nil {
		t.Fatalf("%v %v", got, next)
	}
	if got, _, next := sizes("?limit=2&cursor=" + *next); !slices.Equal(got, all[2:]) || next != nil {
		t.Errorf("the second page: %v %v", got, next)
	}
	if w := f.do(ask{path: "/v1/organizations/org_acme/log/checkpoints?cursor=c_MA", key: f.acme}); w.Code != 400 {
		t.Errorf("a cursor of nothing: %d", w.Code)
	}
	store.note.Store(all[1])
	if got, bad, _ := sizes(""); !slices.Equal(got, []int64{all[0], all[2]}) || !slices.Equal(bad, all[1:2]) {
		t.Errorf("%v %v", got, bad)
	}
	if list := f.failures(f.acme); len(list.Failures) != 1 || list.Failures[0].Finding != "checkpoint_damaged" || list.Failures[0].Seq != -1 {
		t.Errorf("%+v", list)
	}
}

func TestAcknowledge(t *testing.T) {
	t.Parallel()
	f, store, _ := damaged(t)
	store.block.Store(513)
	f.do(ask{path: "/v1/events", key: f.acme})
	list := f.failures(f.acme)
	if len(list.Failures) != 1 {
		t.Fatalf("%+v", list)
	}
	post := func(key, body string) (int, failureList) {
		w := f.do(ask{method: "POST", path: "/v1/organizations/org_acme/log/failures", key: key, body: body})
		var list failureList
		_ = json.Unmarshal(w.Body.Bytes(), &list) //nolint:errcheck // of a refusal it is empty
		return w.Code, list
	}
	store.block.Store(0) // mended, and not acknowledged
	const warning = `"warning":"integrity failed at entry 512 (block_damaged)"`
	if w := f.do(ask{method: "POST", path: "/v1/exports", key: f.acme, body: `{"format":"csv"}`}); w.Code != 201 || !strings.Contains(w.Body.String(), warning) {
		t.Errorf("an export of a damaged log: %d %s", w.Code, w.Body)
	}
	seen := fmt.Sprintf(`{"failures":[{"check":"block","finding":"block_damaged","seq":512,"detail":%q},{"check":"leaf","finding":"leaf_mismatch","seq":7,"want":"a","got":"b","detail":"d"}],"reason":"ticket 118"}`, list.Failures[0].Detail)
	if code, _ := post(f.key("org_acme", auth.Read|auth.Export), seen); code != 403 {
		t.Errorf("with the scope read: %d", code)
	}
	for _, body := range []string{
		`{"failures":[],"reason":"r"}`, `{"failures":[{"check":"leaf","finding":"x","seq":1,"detail":""}],"reason":" "}`, `{"failures":[{"check":"leaf","finding":"x","seq":1,"detail":""}]}`,
		`{"failures":[{"check":"","finding":"x","seq":1,"detail":""}],"reason":"r"}`, `{"failures":[{"check":"leaf","finding":"X Y","seq":1,"detail":""}],"reason":"r"}`,
		`{"failures":[{"check":"leaf","finding":"x","seq":-2,"detail":""}],"reason":"r"}`, `{"failures":[{"check":"leaf","finding":"x","seq":1,"detail":"` + strings.Repeat("x", 1025) + `"}],"reason":"r"}`,
	} {
		if code, _ := post(f.acme, body); code != 400 {
			t.Errorf("%s: %d", body, code)
		}
	}
	code, answer := post(f.acme, seen)
	if code != 200 || len(answer.Failures) != 2 || answer.Failures[0].ID != list.Failures[0].ID || answer.Failures[1].Acknowledged == nil {
		t.Fatalf("%d %+v", code, answer)
	}
	if code, again := post(f.acme, strings.Replace(seen, "118", "119", 1)); code != 200 || again.Failures[0].Acknowledged.Reason != "ticket 118" {
		t.Errorf("a second time: %d %+v", code, again)
	}
	for _, got := range f.failures(f.acme).Failures {
		if got.Acknowledged == nil || got.Acknowledged.By.ID != f.keyID(f.acme) || got.Acknowledged.Reason != "ticket 118" {
			t.Errorf("%+v", got)
		}
	}
	if w := f.do(ask{method: "POST", path: "/v1/exports", key: f.acme, body: `{"format":"csv","query":"action:a.b"}`}); w.Code != 201 || strings.Contains(w.Body.String(), "warning") {
		t.Errorf("an export after it: %d %s", w.Code, w.Body)
	}
	var reasons []string
	page, err := f.book.Search(t.Context(), daybook.EventQuery{Org: "org_acme", Text: "action:daybook.integrity.acknowledged", Asc: true})
	if err != nil {
		t.Fatal(err)
	}
	for i := range page.Entries {
		var e struct {
			Reason   string
			Metadata struct{ Failures []struct{ Finding string } }
		}
		if err := json.Unmarshal(page.Entries[i].Payload, &e); err != nil || len(e.Metadata.Failures) != 2 || e.Metadata.Failures[1].Finding != "leaf_mismatch" {
			t.Errorf("%s: %v", page.Entries[i].Payload, err)
		}
		reasons = append(reasons, e.Reason)
	}
	if diff := cmp.Diff([]string{"ticket 118", "ticket 119"}, reasons); diff != "" {
		t.Error(diff)
	}
	store.block.Store(1) // another failure is red again
	f.do(ask{path: "/v1/events?limit=1000", key: f.acme})
	if got := f.failures(f.acme).Failures; len(got) != 3 || got[0].Seq != 0 || got[0].Acknowledged != nil {
		t.Errorf("%+v", got)
	}
}
