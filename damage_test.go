package daybook_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"slices"
	"testing"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/storetest"
)

// rewritten is a store in whose log 1 somebody has written over the block of entries from 512 on.
type rewritten struct {
	daybook.Store
	as func(data []byte) []byte
}

func (s *rewritten) Read(ctx context.Context, log daybook.LogNo, refs []daybook.BlockRef) ([][]byte, error) {
	rows, err := s.Store.Read(ctx, log, refs)
	for i := range rows {
		if log == 1 && refs[i].First == 512 {
			rows[i] = s.as(slices.Clone(rows[i]))
		}
	}
	return rows, err
}

func TestSearch_of_a_damaged_log(t *testing.T) {
	t.Parallel()
	const total = 1700
	s := storetest.Memory()
	b := open(t, s, daybook.Options{})
	newWriter(9).record(t, b, "org_a", total)
	newWriter(9).record(t, b, "org_b", total)
	if err := b.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	other, err := s.Read(t.Context(), 2, []daybook.BlockRef{{First: 512, Gen: genOf(t, s, 2, 512)}})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		as    func([]byte) []byte
		check string
		gap   [2]int64
	}{
		"a flipped byte":              {func(b []byte) []byte { b[len(b)/2] ^= 1; return b }, daybook.CheckBlock, [2]int64{512, 1024}},
		"a flipped byte of the magic": {func(b []byte) []byte { b[4] ^= 2; return b }, daybook.CheckBlock, [2]int64{512, 1024}},
		"cut off":                     {func(b []byte) []byte { return b[:7] }, daybook.CheckBlock, [2]int64{512, 1024}},
		"the block of another log":    {func([]byte) []byte { return other[0] }, daybook.CheckBlock, [2]int64{512, 1024}},
		"a block that is not listed":  {nil, daybook.CheckList, [2]int64{0, total}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var bad daybook.Store = &rewritten{Store: s, as: c.as}
			if c.as == nil {
				bad = &spoiled{Store: s, blocks: func(m *daybook.BlockMeta) bool { return m.First != 512 }}
			}
			b := open(t, bad, daybook.Options{Now: newClock().now})
			ctx := t.Context()
			for _, q := range []daybook.EventQuery{{}, {Asc: true}, {Order: daybook.OrderOccurred}, {Order: daybook.OrderOccurred, Asc: true}} {
				q.Org, q.Limit = "org_a", daybook.MaxLimit
				if _, err := b.Search(ctx, q); c.check == daybook.CheckList || !q.Asc {
					wantDamage(t, err, c.check)
				}
				q.Gaps = true
				seen, gaps := map[int64]bool{}, []daybook.Damage{}
				for {
					page, err := b.Search(ctx, q)
					if err != nil {
						t.Fatalf("%+v: %v", q, err)
					}
					for i := range page.Entries {
						seen[page.Entries[i].Seq] = true
					}
					gaps = append(gaps, page.Searched.Damaged...)
					if len(page.Searched.Damaged) > 0 && (page.Searched.Complete || page.Searched.Reason != daybook.ReasonDamaged) {
						t.Errorf("%+v: %+v is called complete", q, page.Searched)
					}
					if q.Cursor = page.NextCursor; q.Cursor == "" {
						break
					}
				}
				for seq := range int64(total) {
					if in := seq >= c.gap[0] && seq < c.gap[1]; seen[seq] == in {
						t.Fatalf("%+v: entry %d shown %v", q, seq, seen[seq])
					}
				}
				gaps = slices.Compact(gaps) // of every page that tried
				if len(gaps) != 1 || gaps[0].From != c.gap[0] || gaps[0].To != c.gap[1] || gaps[0].Check != c.check || gaps[0].Message == "" {
					t.Errorf("%+v: gaps %+v", q, gaps)
				}
			}
			_, err := b.EntryAt(ctx, "org_a", 600)
			if c.as != nil {
				wantDamage(t, err, daybook.CheckBlock)
			}
			if daybook.CodeOf(err) != daybook.CodeTampered {
				t.Errorf("entry 600: %v", err)
			}
			if c.as == nil {
				return
			}
			e, err := b.EntryAt(ctx, "org_a", 1100)
			if err != nil {
				t.Fatal(err)
			}
			if found, err := b.Entry(ctx, "org_a", e.ID); err != nil || found.Seq != 1100 {
				t.Errorf("an entry beside the damage: %v", err)
			}
			_, err = b.Entry(ctx, "org_a", daybook.NewID())
			if daybook.CodeOf(err) != daybook.CodeNotFound {
				wantDamage(t, err, daybook.CheckBlock)
			}
			facets, err := b.Facets(ctx, daybook.FacetQuery{EventQuery: daybook.EventQuery{Org: "org_a", Text: "action:*", Gaps: true}})
			if err != nil || len(facets.Searched.Damaged) != 1 || facets.Count.Exact {
				t.Errorf("facets: %+v, %v", facets, err)
			}
		})
	}
}

// forged is a store in which the text of a stored checkpoint was changed.
type forged struct {
	daybook.Store
	size int64
}

func (s *forged) Notes(ctx context.Context, log daybook.LogNo, from, to int64, desc bool) iter.Seq2[daybook.StoredNote, error] {
	return func(yield func(daybook.StoredNote, error) bool) {
		for n, err := range s.Store.Notes(ctx, log, from, to, desc) {
			if n.Size == s.size {
				n.Note = bytes.Replace(n.Note, []byte("\n4\n"), []byte("\n5\n"), 1)
			}
			if !yield(n, err) {
				return
			}
		}
	}
}

func TestLogCheckpoints(t *testing.T) {
	t.Parallel()
	now, marks := newClock(), storetest.Marks()
	s := &forged{Store: storetest.Memory()}
	b := open(t, s, signing(marks, now))
	for i := range 5 {
		record(t, b, "org_a", daybook.Request{Events: texts(2*i, 2)})
		checkpoint(t, b, "org_a")
	}
	l, err := b.Log(t.Context(), "org_a", daybook.NewestEpoch)
	if err != nil {
		t.Fatal(err)
	}
	s.size = 4
	list := func(below int64) (sizes []int64) {
		for c, err := range l.Checkpoints(t.Context(), below) {
			switch {
			case c.Size == s.size:
				wantDamage(t, err, daybook.CheckCheckpoint)
			case err != nil || c.Org != "org_a" || len(c.Note) == 0 || c.At.IsZero():
				t.Fatalf("%+v, %v", c, err)
			}
			sizes = append(sizes, c.Size)
		}
		return sizes
	}
	if got := list(0); !slices.Equal(got, []int64{10, 8, 6, 4, 2}) {
		t.Errorf("all: %v", got)
	}
	if got := list(8); !slices.Equal(got, []int64{6, 4, 2}) {
		t.Errorf("below 8: %v", got)
	}
	if got := list(2); got != nil {
		t.Errorf("below 2: %v", got)
	}
	_, err = l.CheckpointAt(t.Context(), 4)
	wantDamage(t, err, daybook.CheckCheckpoint)
}

func wantDamage(t *testing.T, err error, check string) {
	t.Helper()
	d, ok := errors.AsType[*daybook.DamageError](err)
	if !ok || d.Check != check || daybook.CodeOf(err) != daybook.CodeTampered {
		t.Errorf("error %v, want damage of %s", err, check)
	}
}

func genOf(t *testing.T, s daybook.Store, log daybook.LogNo, first int64) int32 {
	t.Helper()
	for m, err := range s.Blocks(t.Context(), daybook.BlockQuery{Log: log, From: first, To: first + 1}) {
		if err != nil {
			t.Fatal(err)
		}
		return m.Gen
	}
	t.Fatal("no such block")
	return 0
}
