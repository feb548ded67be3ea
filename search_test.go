package daybook_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/query"
	"github.com/daybook-audit/daybook/storetest"
)

// clock is a clock that stands still until it is moved.
type clock struct{ micros atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.micros.Store(time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC).UnixMicro())
	return c
}

func (c *clock) now() time.Time        { return time.UnixMicro(c.micros.Load()) }
func (c *clock) move(by time.Duration) { c.micros.Add(by.Microseconds()) }

// fatal is what *testing.T and *rapid.T have in common.
type fatal interface {
	Helper()
	Fatalf(format string, args ...any)
}

// known is an entry as the oracle knows it.
type known struct {
	Seq, Received, Occurred int64
	ID                      daybook.ID
	Leaf                    tlog.Hash
	Text                    string
}

// oracle keeps every entry of one log in a slice and answers by looking at all of them.
type oracle struct {
	t       fatal
	b       *daybook.Book
	org     daybook.OrgID
	entries []known
}

// record records texts, which the log keeps as they are.
func (o *oracle) record(texts ...string) {
	o.t.Helper()
	r := daybook.Request{}
	for _, text := range texts {
		r.Events = append(r.Events, []byte(text))
	}
	res, err := o.b.RecordJSON(context.Background(), o.org, r)
	if err != nil {
		o.t.Fatalf("record: %v", err)
	}
	for i, rc := range res.Receipts {
		k := known{Seq: rc.Seq, Received: rc.ReceivedAt.UnixMicro(), ID: rc.ID, Leaf: rc.LeafHash, Text: texts[i]}
		k.Occurred = k.Received
		if _, after, ok := strings.Cut(texts[i], `"occurred_at":"`); ok {
			at, err := time.Parse(time.RFC3339, after[:strings.IndexByte(after, '"')])
			if err != nil {
				o.t.Fatalf("record: %v", err)
			}
			k.Occurred = at.UnixMicro()
		}
		o.entries = append(o.entries, k)
	}
}

// find returns what a search must give.
func (o *oracle) find(q daybook.EventQuery, size int) []known {
	o.t.Helper()
	parsed, err := query.Parse(q.Text, query.Options{Now: time.UnixMicro(0), Zone: q.Zone})
	if err != nil {
		o.t.Fatalf("parse %q: %v", q.Text, err)
	}
	var out []known
	d := leaf.Get()
	defer leaf.Put(d)
	for _, k := range o.entries[:size] {
		if err := d.Read([]byte(k.Text)); err != nil {
			o.t.Fatalf("read: %v", err)
		}
		r := query.Record{Org: string(o.org), Seq: k.Seq, ID: string(k.ID[:]), Received: k.Received, Occurred: k.Occurred, Doc: d}
		if (q.From == 0 || k.Occurred >= q.From) && (q.To == 0 || k.Occurred < q.To) && parsed.Match(&r) {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, func(a, b known) int {
		c := cmp.Compare(a.Seq, b.Seq)
		if q.Order == daybook.OrderOccurred {
			c = cmp.Or(cmp.Compare(a.Occurred, b.Occurred), c)
		}
		if !q.Asc {
			c = -c
		}
		return c
	})
	return out
}

func knownOf(e *daybook.Entry, occurred int64) known {
	return known{Seq: e.Seq, Received: e.ReceivedAt, Occurred: occurred, ID: e.ID, Leaf: e.LeafHash, Text: string(e.Payload)}
}

// compare fails unless got is want.
func (o *oracle) compare(what string, got []daybook.Entry, want []known) {
	o.t.Helper()
	var ks []known
	for i := range got {
		if got[i].Org != o.org || got[i].Seq >= int64(len(o.entries)) {
			o.t.Fatalf("%s: entry %d of %s", what, got[i].Seq, got[i].Org)
		}
		ks = append(ks, knownOf(&got[i], o.entries[got[i].Seq].Occurred))
	}
	if !slices.Equal(want, ks) { // cmp takes long over what is equal
		o.t.Fatalf("%s (-want +got):\n%s", what, gocmp.Diff(want, ks))
	}
}

var (
	actions  = []string{"invoice.paid", "invoice.updated", "user.login", "user.login.failed"}
	users    = []string{"usr_1", "usr_2", "usr_3", "usr_4", "usr_a rare one"}
	outcomes = []string{"", `"outcome":"success",`, `"outcome":"failure",`, `"outcome":"denied",`}
	reasons  = []string{"", `"reason":"Paid by card",`, `"reason":"refund of \"42\"",`, `"reason":"M\u00fcller called",`}
)

// drawEvent draws an event that was received at about now.
func drawEvent(t *rapid.T, now time.Time) string {
	id := ""
	if rapid.IntRange(0, 4).Draw(t, "id") == 0 {
		id = fmt.Sprintf(`"id":"%s",`, daybook.NewID())
	}
	occurred := ""
	switch rapid.IntRange(0, 5).Draw(t, "occurred") {
	case 0: // a little before
		now = now.Add(-time.Duration(rapid.IntRange(0, 600).Draw(t, "seconds")) * time.Second)
		occurred = fmt.Sprintf(`"occurred_at":"%s",`, now.UTC().Format(time.RFC3339Nano))
	case 1: // late, or of a bad clock
		now = now.Add(time.Duration(rapid.IntRange(-2000, 100).Draw(t, "hours")) * time.Hour)
		occurred = fmt.Sprintf(`"occurred_at":"%s",`, now.UTC().Format(time.RFC3339))
	}
	return fmt.Sprintf(`{%s"action":"%s","actor":{"type":"user","id":"%s"},%s%s%s"targets":[{"type":"invoice","id":"%d"}]}`,
		id, rapid.SampledFrom(actions).Draw(t, "action"), rapid.SampledFrom(users).Draw(t, "user"), occurred,
		rapid.SampledFrom(outcomes).Draw(t, "outcome"), rapid.SampledFrom(reasons).Draw(t, "reason"), rapid.IntRange(0, 9).Draw(t, "target"))
}

// drawLog records batches, merging some of them.
func drawLog(t *rapid.T, o *oracle, c *clock) {
	for range rapid.IntRange(0, 12).Draw(t, "batches") {
		c.move(time.Duration(rapid.IntRange(0, 20*3600).Draw(t, "pause")) * time.Second)
		drawBatch(t, o, c)
		if rapid.IntRange(0, 3).Draw(t, "merge") == 0 {
			settle(t, o.b)
		}
	}
}

func drawBatch(t *rapid.T, o *oracle, c *clock) {
	var texts []string
	for range rapid.SampledFrom([]int{1, 1, 3, 40, 200}).Draw(t, "events") {
		texts = append(texts, drawEvent(t, c.now()))
	}
	o.record(texts...)
}

func settle(t fatal, b *daybook.Book) {
	t.Helper()
	if err := b.Settle(context.Background()); err != nil {
		t.Fatalf("settle: %v", err)
	}
}

func drawQuery(t *rapid.T, o *oracle, c *clock) daybook.EventQuery {
	var conditions []string
	for range rapid.IntRange(0, 2).Draw(t, "conditions") {
		not := rapid.SampledFrom([]string{"", "", "-"}).Draw(t, "not")
		conditions = append(conditions, not+rapid.SampledFrom([]string{
			"action:invoice.paid", "action:user.*", "actor.id:usr_1", `actor.id:"usr_a rare one"`, "outcome:failure", "outcome:success,denied",
			"has:outcome", "target:invoice:4", "card", `"of 42"`, "muller", "ref*", "seq:>=100", "is:late", "nothing", "reason:müller",
			"occurred:2026-11-02", "received:>=2026-11-03T12:00",
		}).Draw(t, "condition"))
	}
	q := daybook.EventQuery{
		Org: o.org, Text: strings.Join(conditions, " "), Zone: time.UTC,
		Asc: rapid.Bool().Draw(t, "asc"), Limit: rapid.SampledFrom([]int{1, 7, 50, 1000}).Draw(t, "limit"),
	}
	if rapid.Bool().Draw(t, "by occurred_at") {
		q.Order = daybook.OrderOccurred
	}
	if rapid.Bool().Draw(t, "from") {
		q.From = c.now().Add(-time.Duration(rapid.IntRange(0, 200).Draw(t, "hours")) * time.Hour).UnixMicro()
	}
	if rapid.Bool().Draw(t, "to") {
		q.To = c.now().Add(-time.Duration(rapid.IntRange(0, 100).Draw(t, "hours")) * time.Hour).UnixMicro()
	}
	return q
}

// quiet are options under which nothing happens by itself.
func quiet(c *clock) daybook.Options {
	return daybook.Options{Now: c.now, TailBytes: 1 << 40, TailEntries: 1 << 40, TailAge: 1 << 60, SearchTime: time.Hour}
}

// withBook opens a Book on a store in memory for one case of a property.
func withBook(t fatal, o daybook.Options, f func(b *daybook.Book)) {
	t.Helper()
	b, err := daybook.Open(context.Background(), storetest.Memory(), o)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	defer func() {
		if err := b.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
	}()
	f(b)
}

func TestSearch(t *testing.T) {
	t.Parallel()
	t.Run("pages are what looking at every entry gives, while the log grows and merges", func(t *testing.T) {
		t.Parallel()
		rapid.Check(t, func(t *rapid.T) {
			c := newClock()
			options := quiet(c)
			options.SearchBlocks = rapid.SampledFrom([]int{1, 2, 1500}).Draw(t, "blocks")
			withBook(t, options, func(b *daybook.Book) {
				o := &oracle{t: t, b: b, org: "org_a"}
				drawLog(t, o, c)
				for range 3 {
					checkPages(t, o, c, drawQuery(t, o, c))
				}
			})
		})
	})
}

// checkPages follows the pages of q, recording and merging between them.
func checkPages(t *rapid.T, o *oracle, c *clock, q daybook.EventQuery) {
	size := len(o.entries)
	q.Limit = max(q.Limit, size/50) // pages of one entry show nothing more in a long log, but take a minute to follow
	want := o.find(q, size)
	var got []daybook.Entry
	next := q
	for n := 0; ; n++ {
		page, err := o.b.Search(context.Background(), next)
		if err != nil {
			t.Fatalf("search %+v: %v", next, err)
		}
		if page.Size != int64(size) || len(page.Entries) > q.Limit {
			t.Fatalf("a page of %d entries of a log of %d, want %d of %d", len(page.Entries), page.Size, q.Limit, size)
		}
		s := page.Searched
		if s.Complete != (s.Reason == "") || s.From > s.To || s.Days > s.OfDays {
			t.Fatalf("searched %+v", s)
		}
		if got = append(got, page.Entries...); page.NextCursor == "" {
			break
		}
		if n > 10*size+10 {
			t.Fatalf("no end after %d pages of %+v", n, q)
		}
		next.Cursor = page.NextCursor
		if rapid.Bool().Draw(t, "cursor alone") {
			next = daybook.EventQuery{Org: q.Org, Cursor: page.NextCursor, Limit: q.Limit}
		}
		switch rapid.IntRange(0, 20).Draw(t, "meanwhile") {
		case 0:
			drawBatch(t, o, c)
		case 1:
			settle(t, o.b)
		}
	}
	o.compare(fmt.Sprintf("%+v", q), got, want)
}

func TestEvents(t *testing.T) {
	t.Parallel()
	c := newClock()
	b := open(t, storetest.Memory(), quiet(c))
	o := &oracle{t: t, b: b, org: "org_a"}
	for i := range 1500 {
		o.record(string(event(i, "")))
		if i == 1200 {
			settle(t, b)
		}
	}
	t.Run("gives all pages", func(t *testing.T) {
		var got []daybook.Entry
		for e, err := range b.Events(t.Context(), daybook.EventQuery{Org: o.org, Asc: true}) {
			if err != nil {
				t.Fatal(err)
			}
			if len(got) == 700 {
				o.record(string(event(1, ""))) // beyond the size of the first page
				settle(t, b)
			}
			got = append(got, e)
		}
		o.compare("events", got, o.entries[:1500])
	})
	t.Run("finds what is written with escapes, before and after merging", func(t *testing.T) {
		t.Parallel()
		b := open(t, storetest.Memory(), daybook.Options{})
		record(t, b, "org_a", daybook.Request{Events: [][]byte{
			[]byte(`{"action":"invoice\u002epaid","actor":{"type":"user","id":"usr_1"},"reason":"M\u00fcller called"}`),
		}})
		for _, merged := range []string{"in the tail", "in a block"} {
			for _, text := range []string{"action:invoice.paid", "reason:müller", "muller", "called", "action:invoice.paid called"} {
				page, err := b.Search(t.Context(), daybook.EventQuery{Org: "org_a", Text: text})
				if err != nil || len(page.Entries) != 1 {
					t.Errorf("%s, %s: %+v, error %v", merged, text, page, err)
				}
			}
			settle(t, b)
		}
	})
	t.Run("ends at the limit, and when the caller has enough", func(t *testing.T) {
		n := 0
		for _, err := range b.Events(t.Context(), daybook.EventQuery{Org: o.org, Limit: 612}) {
			if n++; err != nil {
				t.Fatal(err)
			}
		}
		for _, err := range b.Events(t.Context(), daybook.EventQuery{Org: o.org}) {
			if n++; err != nil {
				t.Fatal(err)
			}
			break
		}
		if n != 613 {
			t.Errorf("%d entries, want 612 and 1", n)
		}
	})
	t.Run("gives the error once", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		gone := errors.New("gone")
		cancel(gone)
		n := 0
		for _, err := range b.Events(ctx, daybook.EventQuery{Org: o.org}) {
			if n++; !errors.Is(err, gone) && !errors.Is(err, context.Canceled) {
				t.Errorf("error %v, want that of the context", err)
			}
		}
		if n != 1 {
			t.Errorf("%d errors", n)
		}
	})
}

func TestSearchRefuses(t *testing.T) {
	t.Parallel()
	b := open(t, storetest.Memory(), quiet(newClock()))
	record(t, b, "org_a", daybook.Request{Events: texts(0, 5)})
	for name, test := range map[string]struct {
		q           daybook.EventQuery
		rule, field string
	}{
		"org":    {daybook.EventQuery{Org: "no org"}, "invalid_org", "org"},
		"query":  {daybook.EventQuery{Org: "org_a", Text: "actr:ada"}, "query_invalid", "q"},
		"from":   {daybook.EventQuery{Org: "org_a", FromText: "soon"}, "invalid_value", "from"},
		"to":     {daybook.EventQuery{Org: "org_a", ToText: "2026-13"}, "invalid_value", "to"},
		"cursor": {daybook.EventQuery{Org: "org_a", Cursor: "c_"}, "cursor_invalid", "cursor"},
	} {
		_, err := b.Search(t.Context(), test.q)
		var e *daybook.Error
		if !errors.As(err, &e) || e.Code != daybook.CodeInvalid || e.Rule != test.rule || e.Field != test.field {
			t.Errorf("%s: %v, want %s", name, err, test.rule)
		}
	}
	t.Run("nothing of an org without a log", func(t *testing.T) {
		page, err := b.Search(t.Context(), daybook.EventQuery{Org: "org_none"})
		if err != nil || len(page.Entries) > 0 || page.NextCursor != "" || !page.Searched.Complete || page.Size != 0 {
			t.Errorf("page %+v, error %v", page, err)
		}
	})
}

func TestSearchBudget(t *testing.T) {
	t.Parallel()
	c := newClock()
	options := quiet(c)
	options.SearchTime = time.Millisecond
	options.Now = func() time.Time { c.move(time.Millisecond); return c.now() }
	b := open(t, storetest.Memory(), options)
	o := &oracle{t: t, b: b, org: "org_a"}
	for i := range 40 {
		o.record(slices.Repeat([]string{string(event(i, ""))}, 100)...)
		c.move(24 * time.Hour)
		if i == 30 {
			settle(t, b)
		}
	}
	q := daybook.EventQuery{Org: o.org, Text: "-action:invoice.paid"}
	pages, oldest := 0, int64(0)
	for {
		page, err := b.Search(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		s := page.Searched
		if pages > 0 && s.To > oldest {
			t.Errorf("page %d looked at %d, after %d", pages, s.To, oldest)
		}
		pages, oldest = pages+1, s.From
		if page.NextCursor == "" {
			if !s.Complete {
				t.Errorf("the last page: %+v", s)
			}
			break
		}
		if s.Complete || s.Reason != daybook.ReasonTime || s.Days >= s.OfDays {
			t.Errorf("page %d: %+v", pages, s)
		}
		q.Cursor = page.NextCursor
	}
	if pages < 5 {
		t.Errorf("%d pages: the budget had no effect", pages)
	}
}

// swapOnRead lets something happen when a block is read for the first time.
type swapOnRead struct {
	daybook.Store
	armed atomic.Bool
	do    func()
}

func (s *swapOnRead) Read(ctx context.Context, log daybook.LogNo, refs []daybook.BlockRef) ([][]byte, error) {
	if s.armed.CompareAndSwap(true, false) {
		s.do()
	}
	return s.Store.Read(ctx, log, refs)
}

// Pieces that become one block while a search by occurred_at reads them are not read twice.
func TestSearch_swappedByOccurred(t *testing.T) {
	t.Parallel()
	s := &swapOnRead{Store: storetest.Memory()}
	b := open(t, s, daybook.Options{})
	more := func(from, n int) {
		record(t, b, "org_a", daybook.Request{Events: texts(from, n)})
		if err := b.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	more(0, 300)
	more(300, 100)
	s.do = func() { more(400, 112) }
	s.armed.Store(true)
	page, err := b.Search(t.Context(), daybook.EventQuery{Org: "org_a", Order: daybook.OrderOccurred, Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int64]bool{}
	for i := range page.Entries {
		if seq := page.Entries[i].Seq; seen[seq] {
			t.Fatalf("entry %d comes twice", seq)
		} else {
			seen[seq] = true
		}
	}
	if len(seen) != 400 || s.armed.Load() {
		t.Errorf("%d entries of 400", len(seen))
	}
}
