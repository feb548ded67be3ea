package daybook_test

import (
	"errors"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/daybook-audit/daybook"
)

// TestPassages: what they hold, taken together and opened, is what a search gives oldest first, wherever reading stops and goes on.
func TestPassages(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := newClock()
		withBook(t, quiet(c), func(b *daybook.Book) {
			o := &oracle{t: t, b: b, org: "org_acme"}
			drawLog(t, o, c)
			q := drawQuery(t, o, c)
			ask := daybook.PassageQuery{Org: q.Org, Query: q.Query, Text: q.Text, Within: q.Within, Zone: q.Zone, From: q.From, To: q.To, FromText: q.FromText, ToText: q.ToText}
			infos, err := b.Info(t.Context(), "org_acme")
			if err != nil {
				t.Fatalf("info: %v", err)
			}
			ask.Size, ask.Epoch, ask.Now = infos[0].Size, infos[0].Epoch, c.now().UnixMicro()
			q.Order, q.Asc, q.Limit, q.Cursor = daybook.OrderLog, true, 0, ""
			want := o.find(q, len(o.entries))
			var got []daybook.Entry
			for ask.First < ask.Size {
				before := ask.First
				stop := rapid.IntRange(1, 3).Draw(t, "passages")
				for p, err := range b.Passages(t.Context(), ask) {
					if err != nil {
						t.Fatalf("read from %d: %v", ask.First, err)
					}
					n := len(got)
					if got, err = p.Open(got, true); err != nil || len(got)-n != p.Len() {
						t.Fatalf("open: %v, %d entries of %d", err, len(got)-n, p.Len())
					}
					ask.First = p.Next
					if stop--; stop == 0 {
						break
					}
				}
				if ask.First <= before {
					t.Fatalf("reading stays at %d", before)
				}
			}
			o.compare("passages", got, want)
			for i := range got {
				again := got[i]
				single, err := b.Entry(t.Context(), "org_acme", again.ID)
				if err != nil {
					t.Fatalf("one entry: %v", err)
				}
				if d := gocmp.Diff(string(single.AppendJSON(nil)), string(again.AppendJSON(nil))); d != "" {
					t.Fatalf("entry %d is another when read alone: %s", again.Seq, d)
				}
			}
		})
	})
}

// TestPassagesOfAnotherLog: a size or an epoch that the log does not have is refused instead of read.
func TestPassagesOfAnotherLog(t *testing.T) {
	t.Parallel()
	c := newClock()
	withBook(t, quiet(c), func(b *daybook.Book) {
		o := &oracle{t: t, b: b, org: "org_acme"}
		o.record(`{"action":"a.b","actor":{"type":"user","id":"u"}}`)
		for _, q := range []daybook.PassageQuery{{Org: "org_acme", Size: 2}, {Org: "org_acme", Size: 1, Epoch: 1}, {Org: "org_none", Size: 1}} {
			var failed error
			for _, err := range b.Passages(t.Context(), q) {
				failed = err
			}
			var coded *daybook.Error
			if !errors.As(failed, &coded) || coded.Rule != "log_changed" {
				t.Errorf("%+v: %v", q, failed)
			}
		}
		for _, err := range b.Passages(t.Context(), daybook.PassageQuery{Org: "org_acme", Text: "actr:x"}) {
			var coded *daybook.Error
			if !errors.As(err, &coded) || coded.Rule != "query_invalid" {
				t.Errorf("a bad query: %v", err)
			}
		}
		for p, err := range b.Passages(t.Context(), daybook.PassageQuery{Org: "org_none"}) {
			t.Errorf("an org without a log has a passage: %+v, %v", p, err)
		}
	})
}
