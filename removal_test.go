package daybook_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/storetest"
)

var officer = daybook.Party{Type: "user", ID: "usr_officer"}

// person returns an event of one person, who has a name, an address and a session.
func person(n int, id string) []byte {
	return fmt.Appendf(nil, `{"action":"invoice.updated","actor":{"type":"user","id":"%s","name":"Name of %s","email":"%s@example.com"},`+
		`"targets":[{"type":"invoice","id":"%d","name":"Invoice %d"}],"context":{"ip":"203.0.113.%d"},"changes":[{"path":"/amount","old":1.10,"new":2e3}]}`, id, id, id, n, n, n%250)
}

func erase(t testing.TB, b *daybook.Book, r daybook.EraseRequest) daybook.Erasure {
	t.Helper()
	r.Reason, r.By = "request 7", officer
	x, err := b.Erase(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// hits returns the seqs that a query finds.
func hits(t testing.TB, b *daybook.Book, text string) []int64 {
	t.Helper()
	var seqs []int64
	for e, err := range b.Events(t.Context(), daybook.EventQuery{Org: "org_a", Text: text, Asc: true}) {
		if err != nil {
			t.Fatal(err)
		}
		seqs = append(seqs, e.Seq)
	}
	return seqs
}

func wantHits(t testing.TB, b *daybook.Book, text string, want ...int64) {
	t.Helper()
	if diff := cmp.Diff(want, hits(t, b, text)); diff != "" {
		t.Errorf("%q (-want +got):\n%s", text, diff)
	}
}

func entryJSON(t testing.TB, b *daybook.Book, seq int64) string {
	t.Helper()
	e, err := b.EntryAt(t.Context(), "org_a", seq)
	if err != nil {
		t.Fatal(err)
	}
	text := string(e.AppendJSON(nil))
	if !json.Valid([]byte(text)) {
		t.Errorf("entry %d is no JSON: %s", seq, text)
	}
	return text
}

func reopen(t testing.TB, b *daybook.Book, s *storetest.MemoryStore, o daybook.Options) *daybook.Book {
	t.Helper()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	return open(t, s, o)
}

func TestErase(t *testing.T) {
	t.Parallel()
	for _, merged := range []bool{false, true} {
		t.Run(fmt.Sprintf("what is personal about an actor, merged %v", merged), func(t *testing.T) {
			t.Parallel()
			c := newClock()
			s := storetest.Memory()
			b := open(t, s, quiet(c))
			receipts := record(t, b, "org_a", daybook.Request{Events: [][]byte{person(0, "usr_1"), person(1, "usr_2"), person(2, "usr_1")}})
			if merged {
				settle(t, b)
			}
			r := daybook.EraseRequest{Org: "org_a", Actor: &daybook.Party{Type: "user", ID: "usr_1"}}
			preview, err := b.PreviewErase(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			want := daybook.ErasePreview{
				Size: 3, Entries: 2, Fields: 6, Paths: map[string]int64{"/actor/name": 2, "/actor/email": 2, "/context/ip": 2}, Held: map[string]int64{}, Last: 2,
			}
			if diff := cmp.Diff(want, preview); diff != "" {
				t.Errorf("preview (-want +got):\n%s", diff)
			}
			x := erase(t, b, r)
			if x.CompletedAt != 0 || x.Entries != 2 || x.Items != "0:1,3,8;2:1,3,8" || x.Seqs[0] != 3 {
				t.Errorf("%+v", x)
			}
			settle(t, b)
			check := func(b *daybook.Book) {
				t.Helper()
				wantHits(t, b, `"name of usr_1"`)
				wantHits(t, b, "usr_1 example")
				wantHits(t, b, "actor:usr_1", 0, 2)
				wantHits(t, b, "is:erased", 0, 2)
				wantHits(t, b, "-has:actor.name -is:control", 0, 2)
				wantHits(t, b, "is:control", 3)
				for i, rc := range receipts {
					e, err := b.EntryAt(t.Context(), "org_a", int64(i))
					if err != nil {
						t.Fatal(err)
					}
					if e.LeafHash != rc.LeafHash || e.ID != rc.ID || e.ReceivedAt != rc.ReceivedAt.UnixMicro() {
						t.Errorf("entry %d is another one: %+v", i, e)
					}
				}
				head := fmt.Sprintf(`{"org":"org_a","seq":0,"id":"%s","received_at":"2026-11-01T08:00:00.000000Z","leaf_hash":"%s",`, receipts[0].ID, receipts[0].LeafHash)
				rest := `"erased_fields":["/actor/email","/actor/name","/context/ip"],"occurred_at":"2026-11-01T08:00:00.000000Z",` +
					`"action":"invoice.updated","actor":{"id":"usr_1","type":"user"},"changes":[{"new":2e3,"old":1.10,"path":"/amount"}],` +
					`"targets":[{"id":"0","name":"Invoice 0","type":"invoice"}]}`
				if diff := cmp.Diff(head+rest, entryJSON(t, b, 0)); diff != "" {
					t.Errorf("entry JSON (-want +got):\n%s", diff)
				}
				if got, err := b.Erasure(t.Context(), "org_a", x.ID); err != nil || got.CompletedAt == 0 {
					t.Errorf("erasure %+v, %v", got, err)
				}
			}
			check(b)
			verify(t, s)
			check(reopen(t, b, s, quiet(c)))
		})
	}
	t.Run("whole entries", func(t *testing.T) {
		t.Parallel()
		c := newClock()
		s := storetest.Memory()
		b := open(t, s, quiet(c))
		id := daybook.NewID()
		own := []byte(strings.Replace(string(person(1, "usr_2")), `{`, fmt.Sprintf(`{"id":"%s",`, id), 1))
		receipts := record(t, b, "org_a", daybook.Request{Events: [][]byte{person(0, "usr_1"), own, person(2, "usr_1")}, Key: "k"})
		x := erase(t, b, daybook.EraseRequest{Org: "org_a", Event: id, Whole: true})
		settle(t, b)
		want := fmt.Sprintf(`{"org":"org_a","seq":1,"id":"%s","received_at":"2026-11-01T08:00:00.000001Z","leaf_hash":"%s","removed":"erased","by":"%s"}`, id, receipts[1].LeafHash, x.ID)
		if diff := cmp.Diff(want, entryJSON(t, b, 1)); diff != "" {
			t.Errorf("tombstone (-want +got):\n%s", diff)
		}
		wantHits(t, b, "usr_2")
		wantHits(t, b, "", 0, 1, 2, 3)
		wantHits(t, b, "is:erased", 1)
		e, err := b.Entry(t.Context(), "org_a", id)
		if err != nil || e.Removed != daybook.RemovedByErasure || e.RemovedBy != x.ID || e.Payload != nil {
			t.Errorf("by id: %+v, %v", e, err)
		}
		if ev, err := e.Event(); err != nil || ev.ID != id || ev.Action != "" {
			t.Errorf("event %+v, %v", ev, err)
		}
		// An erased event is never recorded again, whatever it says.
		rc := record(t, b, "org_a", daybook.Request{Events: [][]byte{own}})
		if !rc[0].Duplicate || rc[0].LeafHash != receipts[1].LeafHash || rc[0].Seq != 1 {
			t.Errorf("a repeat: %+v", rc[0])
		}
		verify(t, s)
		var e2 *daybook.Error
		if _, err := b.Erase(t.Context(), daybook.EraseRequest{Org: "org_a", Event: id, Whole: true, Reason: "again", By: officer}); !errors.As(err, &e2) || e2.Rule != "nothing_to_erase" {
			t.Errorf("again: %v", err)
		}
	})
	t.Run("paths, hidden names, twice", func(t *testing.T) {
		t.Parallel()
		c := newClock()
		s := storetest.Memory()
		b := open(t, s, quiet(c))
		texts := []string{`{"action":"a.b","actor":{"type":"user","id":"u"},"targets":[{"type":"t","id":"0"},{"type":"t","id":"1","name":"N"}],"metadata":{"a~/b":{"c":[1,2,{"d":null}]},"":""}}`}
		record(t, b, "org_a", daybook.Request{Events: [][]byte{[]byte(texts[0])}})
		erase(t, b, daybook.EraseRequest{Org: "org_a", All: true, Paths: []string{"/targets/0", "/metadata/a~0~1b/c/0"}})
		settle(t, b)
		if got := entryJSON(t, b, 0); !strings.Contains(got, `"erased_fields":["/metadata/a~0~1b/c/0","/targets/0/id","/targets/0/type"]`) ||
			!strings.HasSuffix(got, `"metadata":{"":"","a~/b":{"c":[null,2,{"d":null}]}},"targets":[null,{"id":"1","name":"N","type":"t"}]}`) {
			t.Errorf("entry %s", got)
		}
		erase(t, b, daybook.EraseRequest{Org: "org_a", All: true, Paths: []string{"/targets/*/name", "/action"}, HideNames: true})
		settle(t, b)
		if got := entryJSON(t, b, 0); strings.Contains(got, `"name"`) || strings.Contains(got, "/action") || strings.Contains(got, "occurred_at") || strings.Contains(got, "a.b") {
			t.Errorf("entry %s", got)
		}
		wantHits(t, b, "is:erased", 0)
		verify(t, s)
		erase(t, b, daybook.EraseRequest{Org: "org_a", All: true, Whole: true})
		settle(t, b)
		wantHits(t, b, "is:erased", 0)
		wantHits(t, b, "is:control", 1, 2, 3)
		verify(t, s)
	})
	t.Run("the reason of a control entry may go, what it did may not", func(t *testing.T) {
		t.Parallel()
		s := storetest.Memory()
		b := open(t, s, quiet(newClock()))
		record(t, b, "org_a", daybook.Request{Events: texts(0, 3)})
		x := erase(t, b, daybook.EraseRequest{Org: "org_a", Text: "seq:1", Whole: true})
		erase(t, b, daybook.EraseRequest{Org: "org_a", Text: "is:control", Paths: []string{"/reason", "/by", "/items", "/op"}})
		settle(t, b)
		e, err := b.EntryAt(t.Context(), "org_a", 3)
		if err != nil || string(e.Payload) != fmt.Sprintf(`{"count":1,"erasure_id":"%s","items":"1","op":"erase","part":1,"parts":1}`, x.ID) {
			t.Errorf("control entry %s, %v", e.Payload, err)
		}
		verify(t, s)
		if got, err := b.Erasure(t.Context(), "org_a", x.ID); err != nil || got.Items != "1" || got.CompletedAt == 0 {
			t.Errorf("%+v, %v", got, err)
		}
	})
	t.Run("a repeat with the same id", func(t *testing.T) {
		t.Parallel()
		b := open(t, storetest.Memory(), quiet(newClock()))
		record(t, b, "org_a", daybook.Request{Events: texts(0, 3)})
		first := erase(t, b, daybook.EraseRequest{Org: "org_a", Text: "seq:1", Whole: true})
		record(t, b, "org_a", daybook.Request{Events: texts(0, 3)})
		again := erase(t, b, daybook.EraseRequest{Org: "org_a", ID: first.ID, All: true, Whole: true})
		again.CompletedAt = first.CompletedAt // the merger may have been at it meanwhile
		if diff := cmp.Diff(first, again); diff != "" {
			t.Errorf("(-first +again):\n%s", diff)
		}
	})
}

func TestEraseRefuses(t *testing.T) {
	t.Parallel()
	b := open(t, storetest.Memory(), quiet(newClock()))
	record(t, b, "org_a", daybook.Request{Events: texts(0, 3)})
	good := daybook.EraseRequest{Org: "org_a", All: true, Whole: true, Reason: "r", By: officer}
	for name, test := range map[string]struct {
		change func(r *daybook.EraseRequest)
		rule   string
	}{
		"no reason":             {func(r *daybook.EraseRequest) { r.Reason = "" }, "required"},
		"a long reason":         {func(r *daybook.EraseRequest) { r.Reason = strings.Repeat("x", 2000) }, "invalid_value"},
		"nobody":                {func(r *daybook.EraseRequest) { r.By = daybook.Party{} }, "required"},
		"a bad id":              {func(r *daybook.EraseRequest) { r.ID = "hold_01m7z7rs1affyad5cmxxj94a79" }, "invalid_format"},
		"no selection":          {func(r *daybook.EraseRequest) { r.All = false }, "required"},
		"all of a selection":    {func(r *daybook.EraseRequest) { r.Text = "seq:1" }, "required"},
		"neither whole nor not": {func(r *daybook.EraseRequest) { r.Whole = false }, "required"},
		"whole and not":         {func(r *daybook.EraseRequest) { r.Paths = []string{"/a"} }, "invalid_value"},
		"a bad path":            {func(r *daybook.EraseRequest) { r.Whole, r.Paths = false, []string{"actor"} }, "invalid_format"},
		"a bad query":           {func(r *daybook.EraseRequest) { r.All, r.Text = false, "actr:1" }, "query_invalid"},
		"a bad org":             {func(r *daybook.EraseRequest) { r.Org = "a b" }, "invalid_org"},
		"another org":           {func(r *daybook.EraseRequest) { r.Org = "org_b" }, "not_found"},
		"nothing":               {func(r *daybook.EraseRequest) { r.All, r.Text = false, "seq:7" }, "nothing_to_erase"},
	} {
		r := good
		test.change(&r)
		var e *daybook.Error
		if _, err := b.Erase(t.Context(), r); !errors.As(err, &e) || e.RuleName() != test.rule {
			t.Errorf("%s: %v", name, err)
		}
	}
	info, err := b.Info(t.Context(), "org_a", "org_b")
	if err != nil || info[0].Size != 3 || info[1].Exists {
		t.Errorf("something was recorded: %+v, %v", info, err)
	}
}

func TestHold(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := storetest.Memory()
	b := open(t, s, quiet(c))
	record(t, b, "org_a", daybook.Request{Events: texts(0, 20)})
	hold := func(id, text string) daybook.Hold {
		t.Helper()
		h, err := b.PlaceHold(t.Context(), daybook.HoldRequest{Org: "org_a", ID: id, Text: text, Reason: "litigation", By: officer})
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	h := hold("", "target:invoice:4")
	if h.Entries != 1 || h.Query != "target:invoice:4" || h.Seq != 20 || h.ReleasedAt != 0 {
		t.Errorf("%+v", h)
	}
	if again := hold(h.ID, "seq:1"); again != h {
		t.Errorf("a second hold %+v", again)
	}
	whole := daybook.EraseRequest{Org: "org_a", All: true, Whole: true, Reason: "r", By: officer}
	refused := func(r daybook.EraseRequest) {
		t.Helper()
		var e *daybook.Error
		if _, err := b.Erase(t.Context(), r); !errors.As(err, &e) || e.Rule != "on_hold" || !strings.Contains(e.Message, h.ID) || e.Code != daybook.CodeConflict {
			t.Errorf("an erasure of what is held: %v", err)
		}
	}
	refused(whole)
	record(t, b, "org_a", daybook.Request{Events: texts(4, 1)}) // later, and the query matches
	wantHits(t, b, "is:held", 4, 21)
	r := whole
	r.All, r.Text = false, "seq:21"
	refused(r)
	// A hold that is placed before an erasure is carried out wins.
	r.Text = "seq:1..3"
	x := erase(t, b, r)
	late := hold("", "seq:2")
	settle(t, b)
	wantHits(t, b, "is:erased", 1, 3)
	b = reopen(t, b, s, quiet(c))
	settle(t, b)
	wantHits(t, b, "is:erased", 1, 3)
	if got, err := b.Erasure(t.Context(), "org_a", x.ID); err != nil || got.CompletedAt != 0 || b.Stats().Removals != 1 {
		t.Errorf("%+v %v", got, err)
	}
	verify(t, s)
	for range 2 {
		released, err := b.ReleaseHold(t.Context(), "org_a", late.ID, "over", officer)
		if err != nil || released.ReleasedReason != "over" || released.ReleasedAt == 0 {
			t.Errorf("%+v, %v", released, err)
		}
	}
	settle(t, b)
	wantHits(t, b, "is:erased", 1, 2, 3)
	if got, err := b.Erasure(t.Context(), "org_a", x.ID); err != nil || got.CompletedAt == 0 || b.Stats().Removals != 0 {
		t.Errorf("%+v %v", got, err)
	}
	refused(whole)
	all := hold("", "")
	if all.Query != "" || all.Entries < 20 {
		t.Errorf("%+v", all)
	}
	holds, err := b.Holds(t.Context(), "org_a")
	if err != nil || len(holds) != 3 || holds[0].ID != h.ID || holds[1].ReleasedAt == 0 || holds[2].ID != all.ID {
		t.Errorf("%+v, %v", holds, err)
	}
	if _, err := b.ReleaseHold(t.Context(), "org_a", "hold_none", "r", officer); daybook.CodeOf(err) != daybook.CodeNotFound {
		t.Errorf("releasing none: %v", err)
	}
	verify(t, s)
}

func TestRetention(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := storetest.Memory()
	b := open(t, s, quiet(c))
	keep := func(text string) daybook.Period {
		t.Helper()
		p, err := daybook.ParsePeriod(text)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	login := []byte(`{"action":"auth.login","actor":{"type":"user","id":"u"},"outcome":"denied"}`)
	for day := range 10 {
		record(t, b, "org_a", daybook.Request{Events: append(texts(10*day, 10), login)})
		if day == 4 {
			settle(t, b)
		}
		c.move(24 * time.Hour)
	}
	policy := daybook.Retention{Rules: []daybook.RetentionRule{{Match: "action:auth.*", Keep: keep("8d")}, {Keep: keep("4 days")}}}
	h, err := b.PlaceHold(t.Context(), daybook.HoldRequest{Org: "org_a", Text: "target:invoice:7", Reason: "litigation", By: officer})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := b.PlanRetention(t.Context(), "org_a", policy)
	if err != nil {
		t.Fatal(err)
	}
	rules := plan.Rules
	// It is 8:00 of the eleventh day: the cutoff of 4 days is the midnight before the sixth, and five days of ten have gone.
	if rules[0].Entries != 2 || rules[1].Entries != 59 || rules[1].Held[h.ID] != 1 || rules[1].Later != 40 || rules[0].Later != 8 || rules[1].Rule != "4 days" || plan.Kept != 1 {
		t.Errorf("plan %+v", plan)
	}
	total := func() (n, denied int64) {
		t.Helper()
		g, err := b.Histogram(t.Context(), daybook.HistogramQuery{EventQuery: daybook.EventQuery{Org: "org_a"}})
		if err != nil {
			t.Fatal(err)
		}
		for _, bar := range g.Bars {
			n, denied = n+bar.Total, denied+bar.Denied
		}
		return n, denied
	}
	if n, denied := total(); n != 111 || denied != 10 {
		t.Errorf("%d entries, %d denied", n, denied)
	}
	got, err := b.ApplyRetention(t.Context(), "org_a", policy)
	if err != nil || got.Entries != 61 || got.Held != 1 || len(got.Seqs) != 2 || got.More {
		t.Fatalf("%+v, %v", got, err)
	}
	if again, err := b.ApplyRetention(t.Context(), "org_a", policy); err != nil || !again.More || len(again.Seqs) > 0 {
		t.Errorf("before it is carried out: %+v, %v", again, err)
	}
	settle(t, b)
	if again, err := b.ApplyRetention(t.Context(), "org_a", policy); err != nil || again.Entries != 0 || len(again.Seqs) > 0 {
		t.Errorf("after it is carried out: %+v, %v", again, err)
	}
	seqs := hits(t, b, "")
	if len(seqs) != 111+2-61 || seqs[0] != 7 {
		t.Errorf("left: %v", seqs)
	}
	wantHits(t, b, "is:erased")
	if n, denied := total(); n != int64(len(seqs)) || denied != 8 {
		t.Errorf("%d entries, %d denied", n, denied)
	}
	if text := entryJSON(t, b, 0); !strings.HasSuffix(text, `,"removed":"retention","by":"4 days"}`) {
		t.Errorf("tombstone %s", text)
	}
	if text := entryJSON(t, b, 10); !strings.HasSuffix(text, `,"removed":"retention","by":"action:auth.* 8d"}`) {
		t.Errorf("tombstone %s", text)
	}
	e, err := b.EntryAt(t.Context(), "org_a", got.Seqs[0])
	if err != nil || string(e.Payload) != `{"op":"prune","items":"10;21","keep":"leaf","policy":"action:auth.* 8d","before":"2026-11-03T00:00:00.000000Z","count":2,"by":{"type":"system","id":"retention"}}` {
		t.Errorf("control entry %s, %v", e.Payload, err)
	}
	var followed []int64
	for step, err := range b.Follow(t.Context(), daybook.FollowQuery{Org: "org_a", From: 0}) {
		if err != nil {
			t.Fatal(err)
		}
		if step.Entry == nil || step.Entry.Seq != int64(len(followed)) {
			t.Fatalf("step %+v", step)
		}
		if followed = append(followed, step.Entry.Seq); len(followed) == 113 {
			break
		}
	}
	if _, err := b.ReleaseHold(t.Context(), "org_a", h.ID, "over", officer); err != nil {
		t.Fatal(err)
	}
	if got, err := b.ApplyRetention(t.Context(), "org_a", policy); err != nil || got.Entries != 1 {
		t.Errorf("after the release: %+v, %v", got, err)
	}
	settle(t, b)
	verify(t, s)
	b = reopen(t, b, s, quiet(c))
	if n := len(hits(t, b, "")); n != 114+1-62 {
		t.Errorf("%d left", n)
	}
}

func TestParsePeriod(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"60": time.Minute, "90s": 90 * time.Second, "1m": time.Minute, "2h": 2 * time.Hour, "1d": 24 * time.Hour, "1w": 7 * 24 * time.Hour,
		"1y": 365 * 24 * time.Hour, "2 days": 48 * time.Hour, " 1.5h ": 90 * time.Minute, "1 Week": 7 * 24 * time.Hour, "10 minutes": 10 * time.Minute, "3 secs": 3 * time.Second,
	} {
		p, err := daybook.ParsePeriod(text)
		if err != nil || p.Duration() != want {
			t.Errorf("%q: %v, %v", text, p.Duration(), err)
		}
		if again, err := daybook.ParsePeriod(p.String()); err != nil || again != p {
			t.Errorf("%q prints as %q", text, p)
		}
	}
	for _, text := range []string{"", "0", "-1d", "1mo", "d", "1d2h", "1e3", "0.1s", "1.2.3", "300y", "NaN", "Inf", "1 ms", "1ds", "1ss"} {
		if p, err := daybook.ParsePeriod(text); daybook.CodeOf(err) != daybook.CodeInvalid {
			t.Errorf("%q: %v, %v", text, p, err)
		}
	}
}

// TestPlanRetention_next holds that a plan names the moment at which the next entry goes: not a moment earlier, and then.
func TestPlanRetention_next(t *testing.T) {
	t.Parallel()
	for _, period := range []string{"30m", "5h", "47h", "48h", "9d"} {
		t.Run(period, func(t *testing.T) {
			t.Parallel()
			keep, err := daybook.ParsePeriod(period)
			if err != nil {
				t.Fatal(err)
			}
			c := newClock()
			c.move(83*time.Minute + 17*time.Second)
			b := open(t, storetest.Memory(), quiet(c))
			record(t, b, "org_a", daybook.Request{Events: texts(0, 1)})
			policy := daybook.Retention{Rules: []daybook.RetentionRule{{Match: "*", Keep: keep}}}
			plan, err := b.PlanRetention(t.Context(), "org_a", policy)
			if err != nil || len(plan.Rules) != 1 || plan.Rules[0].Later != 1 {
				t.Fatalf("plan %+v, %v", plan, err)
			}
			next := time.UnixMicro(plan.Rules[0].Next)
			if least := c.now().Add(keep.Duration()); next.Before(least) {
				t.Errorf("it goes at %v, before %v", next, least)
			}
			c.move(next.Sub(c.now()) - time.Microsecond)
			for i, want := range []int64{0, 1} {
				got, err := b.ApplyRetention(t.Context(), "org_a", policy)
				if err != nil || got.Entries != want {
					t.Errorf("%d µs after: %+v, %v; want %d", i-1, got, err, want)
				}
				c.move(time.Microsecond)
			}
		})
	}
}
