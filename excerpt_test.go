package daybook_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/leaf"
	offline "github.com/daybook-audit/daybook/verify"
)

// excerpting is an [offline.Copier] that makes an excerpt.
type excerpting struct {
	w   *daybook.ExcerptWriter
	err error
}

func (c *excerpting) Begin(h offline.Head) {
	c.w, c.err = daybook.NewExcerptWriter(daybook.ExcerptHead{
		Org: "org_x", Origin: h.Origin, Vkey: h.Vkey, ClockVkey: h.ClockVkey, From: h.From, To: h.To, Size: h.Size, Note: []byte(h.Note),
		Left: h.Left, Right: h.Right, Filtered: h.Filtered, Filter: h.Filter, Mask: h.Mask,
	})
}

func (c *excerpting) Entry(e *offline.Entry, proof []tlog.Hash) {
	c.err = errors.Join(c.err, c.w.Add(&daybook.ExcerptEntry{Leaf: e.Leaf, Secret: e.Secret, Payload: e.Payload, Fields: e.Fields, Proof: proof}))
}

func (c *excerpting) Leaf(l leaf.Leaf) {
	c.err = errors.Join(c.err, c.w.Add(&daybook.ExcerptEntry{Leaf: l}))
}

func (c *excerpting) Hashes(first int64, hs []tlog.Hash) {
	c.err = errors.Join(c.err, c.w.AddHashes(first, hs))
}

// excerpt opens a bundle.
func excerpt(t testing.TB, text string) *daybook.Book {
	t.Helper()
	c := &excerpting{}
	offline.Bundle(strings.NewReader(text), offline.Options{Copy: c})
	if c.err != nil || c.w == nil {
		t.Fatalf("no excerpt: %v", c.err)
	}
	x, err := c.w.Done()
	if err != nil {
		t.Fatal(err)
	}
	return open(t, x, daybook.Options{SearchTime: time.Hour, SearchBlocks: 1 << 20})
}

// linesOf are the lines of a bundle of some types.
func linesOf(text string, types ...string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if slices.ContainsFunc(types, func(s string) bool { return strings.HasPrefix(line, `{"t":"`+s+`"`) }) {
			out = append(out, line)
		}
	}
	return out
}

// sameExcerpt holds the excerpt of a bundle against the log that it is of: what it proves is the same, word for word, and it finds what the
// log finds, as far as it reaches.
func (e *evidenced) sameExcerpt(t testing.TB, text string) {
	t.Helper()
	x := excerpt(t, text)
	defer func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	}()
	var out bytes.Buffer
	if _, err := x.WriteBundle(t.Context(), &out, daybook.BundleQuery{Org: "org_x"}); err != nil {
		t.Fatalf("%v\n%s", err, text[:min(len(text), 3000)])
	}
	types := []string{"checkpoint", "range_proof", "control", "entry", "leaf", "hashes"}
	if got, want := linesOf(out.String(), types...), linesOf(text, types...); !slices.Equal(got, want) {
		t.Fatalf("the excerpt's bundle has %d lines, not %d:\n%s\n%s", len(got), len(want), firstOf(got, want), firstOf(want, got))
	}
	report := e.accepted(t, out.String())
	first := report.From + (report.To-report.From)/3
	if _, err := x.WriteBundle(t.Context(), &out, daybook.BundleQuery{Org: "org_x", First: first, End: first + 1}); err != nil {
		t.Fatal(err)
	}
	inside := func(s daybook.Entry) bool { return s.Seq >= report.From && s.Seq < report.To }
	for _, q := range []string{"", "outcome:failure", "is:erased", "is:control", "actor:usr_3", "is:held"} {
		got, want := everything(t, x, "org_x", q), everything(t, e.Book, "org_a", q)
		if !report.Filtered && !report.Masked {
			got, want = slices.DeleteFunc(got, func(s daybook.Entry) bool { return !inside(s) }), slices.DeleteFunc(want, func(s daybook.Entry) bool { return !inside(s) })
			if q == "is:held" { // a hold that is asked for by a query covers what it finds here
				continue
			}
			if g, w := seqsOf(got), seqsOf(want); !slices.Equal(g, w) {
				t.Fatalf("%q finds %v, in the log %v", q, g, w)
			}
		}
		for _, g := range got {
			i := slices.IndexFunc(want, func(w daybook.Entry) bool { return w.Seq == g.Seq })
			if i < 0 || report.Masked { // what is masked and was to be erased, but a hold kept it, cannot be told from what was erased
				continue
			}
			if w := want[i]; g.ID != w.ID || g.LeafHash != w.LeafHash || g.Removed != w.Removed || g.RemovedBy != w.RemovedBy || g.Erased != w.Erased || g.ReceivedAt != w.ReceivedAt {
				t.Fatalf("%q: %+v\nin the log %+v", q, g, w)
			}
		}
	}
}

func firstOf(a, b []string) string {
	for i := range a {
		if i >= len(b) || a[i] != b[i] {
			return a[i]
		}
	}
	return ""
}

func everything(t testing.TB, b *daybook.Book, org daybook.OrgID, q string) (es []daybook.Entry) {
	t.Helper()
	for e, err := range b.Events(t.Context(), daybook.EventQuery{Org: org, Text: q}) {
		if err != nil {
			t.Fatal(err)
		}
		es = append(es, e)
	}
	return es
}

func seqsOf(es []daybook.Entry) (seqs []int64) {
	for i := range es {
		seqs = append(seqs, es[i].Seq)
	}
	return seqs
}

func TestExcerpt(t *testing.T) {
	t.Parallel()
	e := newEvidenced(t, 31)
	e.add(t, 1500)
	if _, err := e.Erase(t.Context(), daybook.EraseRequest{Org: "org_a", Text: "actor:usr_3", Paths: []string{"/actor/id"}, Reason: "request", By: by}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Erase(t.Context(), daybook.EraseRequest{Org: "org_a", Text: "outcome:denied", Whole: true, Reason: "request", By: by}); err != nil {
		t.Fatal(err)
	}
	e.move(time.Second)
	if err := e.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Run("of any range it proves and finds what the log does", func(t *testing.T) {
		t.Parallel()
		for _, r := range [][2]int64{{0, 0}, {0, 100}, {1, 2}, {255, 257}, {256, 512}, {100, 1400}, {513, 1500}, {1400, 1501}} {
			text, _ := e.bundle(t, daybook.BundleQuery{First: r[0], End: r[1]})
			e.sameExcerpt(t, text)
		}
	})
	t.Run("what was left out is neither erased nor removed", func(t *testing.T) {
		t.Parallel()
		text, stat := e.bundle(t, daybook.BundleQuery{First: 100, End: 1200, Text: "outcome:failure", Mask: []string{"/targets"}})
		e.sameExcerpt(t, text)
		x := excerpt(t, text)
		es := everything(t, x, "org_x", "action:doc.*")
		if int64(len(es)) == 0 || int64(len(es)) > stat.Shown {
			t.Errorf("%d found, %d shown", len(es), stat.Shown)
		}
		for _, one := range es {
			if one.Masked == 0 || one.Removed != daybook.NotRemoved || one.Erased > 1 || bytes.Contains(one.Payload, []byte("targets")) {
				t.Fatalf("%+v", one)
			}
		}
		hidden := slices.IndexFunc(seqsOf(everything(t, e.Book, "org_a", "seq:100..1199 NOT outcome:failure NOT is:erased")), func(seq int64) bool { return seq > 200 })
		seq := everything(t, e.Book, "org_a", "seq:100..1199 NOT outcome:failure NOT is:erased")[hidden].Seq
		if got, err := x.EntryAt(t.Context(), "org_x", seq); err != nil || got.Removed != daybook.LeftOut {
			t.Errorf("%+v %v", got, err)
		}
		if n := len(everything(t, x, "org_x", "is:erased")); n == 0 || n == len(es) {
			t.Errorf("%d erased of %d", n, len(es))
		}
	})
	t.Run("counts agree with what is found", func(t *testing.T) {
		t.Parallel()
		text, _ := e.bundle(t, daybook.BundleQuery{First: 100, End: 1400})
		x := excerpt(t, text)
		h, err := x.Histogram(t.Context(), daybook.HistogramQuery{EventQuery: daybook.EventQuery{Org: "org_x"}})
		if err != nil {
			t.Fatal(err)
		}
		total := int64(0)
		for _, bar := range h.Bars {
			total += bar.Total
		}
		if n := len(everything(t, x, "org_x", "")); total != int64(n) {
			t.Errorf("%d in bars, %d found", total, n)
		}
	})
	t.Run("nothing is written to it", func(t *testing.T) {
		t.Parallel()
		text, _ := e.bundle(t, daybook.BundleQuery{})
		x := excerpt(t, text)
		if _, err := x.RecordJSON(t.Context(), "org_x", daybook.Request{Events: [][]byte{[]byte(`{"action":"a.b"}`)}}); err == nil {
			t.Error("recorded")
		}
		if _, err := x.RecordJSON(t.Context(), "org_y", daybook.Request{Events: [][]byte{[]byte(`{"action":"a.b"}`)}}); err == nil {
			t.Error("recorded for another organization")
		}
		if _, err := x.Erase(t.Context(), daybook.EraseRequest{Org: "org_x", Text: "actor:usr_4", Whole: true, Reason: "request", By: by}); err == nil {
			t.Error("erased")
		}
		if _, err := x.PlaceHold(t.Context(), daybook.HoldRequest{Org: "org_x", Text: "actor:usr_4", Reason: "case", By: by}); err == nil {
			t.Error("held")
		}
		if info := logInfo(t, x, "org_x"); info.State != daybook.LogFrozen || info.Origin != e.info.Origin || info.SignedSize != info.Size || info.Root != logInfo(t, e.Book, "org_a").Root {
			t.Errorf("%+v", info)
		}
		if _, err := x.Checkpoint(t.Context(), "org_y"); daybook.CodeOf(err) != daybook.CodeNotFound {
			t.Errorf("of another organization: %v", err)
		}
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Run("proofs reach as far as the excerpt", func(t *testing.T) {
		t.Parallel()
		text, _ := e.bundle(t, daybook.BundleQuery{First: 300, End: 700})
		x := excerpt(t, text)
		info := logInfo(t, x, "org_x")
		for _, seq := range []int64{300, 301, 511, 512, 699} {
			in, err := x.Inclusion(t.Context(), "org_x", seq, info.Size)
			if err != nil {
				t.Fatal(err)
			}
			if err := tlog.CheckRecord(in.Proof, info.Size, info.Root, seq, in.LeafHash); err != nil {
				t.Errorf("%d: %v", seq, err)
			}
		}
		for _, seq := range []int64{0, 299, 700} {
			if _, err := x.Inclusion(t.Context(), "org_x", seq, info.Size); daybook.CodeOf(err) != daybook.CodeGone {
				t.Errorf("%d: %v", seq, err)
			}
			if _, err := x.EntryAt(t.Context(), "org_x", seq); daybook.CodeOf(err) != daybook.CodeGone {
				t.Errorf("%d: %v", seq, err)
			}
		}
		if _, err := x.WriteBundle(t.Context(), &bytes.Buffer{}, daybook.BundleQuery{Org: "org_x", First: 299, End: 400}); daybook.CodeOf(err) != daybook.CodeGone {
			t.Errorf("a bundle of more: %v", err)
		}
	})
	t.Run("what cannot be is refused", func(t *testing.T) {
		t.Parallel()
		for i, h := range []daybook.ExcerptHead{
			{Org: "", From: 0, To: 1, Size: 1},
			{Org: "org_x", From: 1, To: 1, Size: 1},
			{Org: "org_x", From: 0, To: 2, Size: 1},
			{Org: "org_x", From: 1, To: 2, Size: 2},
			{Org: "org_x", From: 0, To: 1, Size: 2, Right: make([]tlog.Hash, 2)},
		} {
			if _, err := daybook.NewExcerptWriter(h); daybook.CodeOf(err) != daybook.CodeInvalid {
				t.Errorf("%d: %v", i, err)
			}
		}
	})
}

// TestExcerptOfDamaged: a bundle that is not right can be looked at, as far as it goes, and never proves itself.
func TestExcerptOfDamaged(t *testing.T) {
	t.Parallel()
	e := newEvidenced(t, 32)
	e.add(t, 600)
	text, _ := e.bundle(t, daybook.BundleQuery{})
	lines := slices.Collect(strings.Lines(text))
	for name, damage := range map[string]func(ls []string) []string{
		"cut":   func(ls []string) []string { return ls[:300] },
		"a gap": func(ls []string) []string { return slices.Delete(ls, 100, 120) },
		"edited": func(ls []string) []string {
			ls[90] = strings.Replace(ls[90], `"usr_`, `"usr_9`, 1)
			return ls
		},
	} {
		x := excerpt(t, strings.Join(damage(slices.Clone(lines)), ""))
		if n := len(everything(t, x, "org_x", "")); n < 290 || n > 600 {
			t.Errorf("%s: %d entries", name, n)
		}
		var out bytes.Buffer
		_, err := x.WriteBundle(t.Context(), &out, daybook.BundleQuery{Org: "org_x"})
		if r := offline.Bundle(&out, offline.Options{Keys: pinned(t, e.info.Keys[0].Vkey)}); err == nil && r.Exit() == 0 {
			t.Errorf("%s: accepted", name)
		}
	}
}
