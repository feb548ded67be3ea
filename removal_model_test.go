package daybook_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/query"
	"github.com/daybook-audit/daybook/storetest"
)

// bg is for calls that nothing ends.
var bg = context.Background()

// gone is what a model knows of what was removed from an entry.
type gone struct {
	known
	fields map[int]bool
	whole  bool
	pruned bool
}

// removalModel is a log in a slice from which things are removed.
type removalModel struct {
	*oracle
	store    *storetest.MemoryStore
	clock    *clock
	removed  []gone
	holds    map[string]map[int64]bool
	controls map[int64]bool
}

// TestRemoval_model compares a log with a model while entries are recorded, merged, erased, pruned and held, and the Book is opened again.
func TestRemoval_model(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		c, s := newClock(), storetest.Memory()
		b, err := daybook.Open(t.Context(), s, quiet(c))
		if err != nil {
			rt.Fatalf("open: %v", err)
		}
		m := &removalModel{oracle: &oracle{t: rt, b: b, org: "org_a"}, store: s, clock: c, holds: map[string]map[int64]bool{}, controls: map[int64]bool{}}
		defer func() { _ = m.b.Close() }()
		m.add(rt)
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			switch rapid.SampledFrom([]string{"add", "add", "merge", "erase", "erase", "hold", "release", "prune", "open"}).Draw(rt, "step") {
			case "add":
				m.add(rt)
			case "merge":
				settle(rt, m.b)
			case "erase":
				m.erase(rt)
			case "hold":
				m.hold(rt)
			case "release":
				m.release(rt)
			case "prune":
				m.prune(rt)
			case "open":
				if err := m.b.Close(); err != nil {
					rt.Fatalf("close: %v", err)
				}
				if m.b, err = daybook.Open(t.Context(), s, quiet(c)); err != nil {
					rt.Fatalf("open: %v", err)
				}
			}
		}
		c.move(2 * time.Hour) // what a hold kept is tried again
		settle(rt, m.b)
		m.check(rt)
	})
}

func (m *removalModel) add(t *rapid.T) {
	m.clock.move(time.Duration(rapid.IntRange(1, 40).Draw(t, "hours")) * time.Hour)
	drawBatch(t, m.oracle, m.clock)
	for len(m.removed) < len(m.entries) {
		m.removed = append(m.removed, gone{known: m.entries[len(m.removed)], fields: map[int]bool{}})
	}
}

// noteControls makes room in the model for the control entries that an act has recorded.
func (m *removalModel) noteControls(t *rapid.T) {
	info, err := m.b.Info(bg, "org_a")
	if err != nil {
		t.Fatalf("info: %v", err)
	}
	for seq := int64(len(m.entries)); seq < info[0].Size; seq++ {
		e, err := m.b.EntryAt(bg, "org_a", seq)
		if err != nil {
			t.Fatalf("entry %d: %v", seq, err)
		}
		k := knownOf(&e, e.ReceivedAt)
		m.entries, m.removed = append(m.entries, k), append(m.removed, gone{known: k, fields: map[int]bool{}})
		m.controls[seq] = true
	}
}

var selections = []string{"action:invoice.paid", "actor.id:usr_1", "target:invoice:4", "seq:<20", "seq:10..30", "outcome:failure", "card", "received:2026-11-02"}

// matches returns the seqs of events of which something is left and that a query finds.
func (m *removalModel) matches(t *rapid.T, text string) []int64 {
	q, err := query.Parse(text, query.Options{})
	if err != nil {
		t.Fatalf("parse: %v", err)
	}
	var out []int64
	for i := range m.removed {
		g := &m.removed[i]
		if g.pruned || m.controls[g.Seq] {
			continue
		}
		d := leaf.Get()
		r := g.record(t, d)
		if q.Match(&r) {
			out = append(out, g.Seq)
		}
		leaf.Put(d)
	}
	return out
}

// record is what a query sees of an entry: the fields that are left, as JSON of their own.
func (g *gone) record(t *rapid.T, d *leaf.Doc) query.Record {
	r := query.Record{Org: "org_a", Seq: g.Seq, ID: g.ID.String(), Received: g.Received, Occurred: g.Received, Erased: g.whole || len(g.fields) > 0, Doc: d}
	text := g.Text
	switch {
	case g.whole || g.pruned:
		text = "{}"
	case len(g.fields) > 0:
		text = g.left(t)
	}
	if err := d.Read([]byte(text)); err != nil {
		t.Fatalf("read %s: %v", text, err)
	}
	for i := range d.Len() {
		if string(d.Path(i)) == "/occurred_at" {
			at, err := time.Parse(time.RFC3339Nano, string(d.Value(i)))
			if err != nil {
				t.Fatalf("time: %v", err)
			}
			r.Occurred = at.UnixMicro()
		}
	}
	return r
}

// left returns the payload without the erased fields, which in drawn events are plain members that can be cut out of the text.
func (g *gone) left(t *rapid.T) string {
	d := leaf.Get()
	defer leaf.Put(d)
	if err := d.Read([]byte(g.Text)); err != nil {
		t.Fatalf("read: %v", err)
	}
	d.Sort()
	text := g.Text
	for i := range g.fields {
		path := string(d.Path(i))
		name := path[strings.LastIndexByte(path, '/')+1:]
		at := strings.Index(text, `"`+name+`":`)
		if name == "id" && strings.HasPrefix(path, "/actor") {
			at = strings.Index(text, `"actor":`) + strings.Index(text[strings.Index(text, `"actor":`):], `"id":`)
		}
		end := at + len(name) + 3
		end += 1 + strings.Index(strings.ReplaceAll(text[end+1:], `\"`, "__"), `"`) + 1
		if text[end] == ',' {
			end++
		} else if text[at-1] == ',' {
			at--
		}
		text = text[:at] + text[end:]
	}
	return text
}

// erasable are paths of drawn events.
var erasable = []string{"/reason", "/outcome", "/occurred_at", "/actor/id", "/action"}

func (m *removalModel) erase(t *rapid.T) {
	r := daybook.EraseRequest{Org: "org_a", Text: rapid.SampledFrom(selections).Draw(t, "selection"), Reason: "r", By: officer}
	selected := m.matches(t, r.Text)
	r.Text += " -is:control" // of which only the reason may be erased: TestErase
	if r.Whole = rapid.Bool().Draw(t, "whole"); !r.Whole {
		r.Paths = []string{rapid.SampledFrom(erasable).Draw(t, "path")}
		r.HideNames = rapid.Bool().Draw(t, "hide names")
	}
	settle(t, m.b) // what was asked for before is carried out, or kept, as the model has it
	var take []*gone
	var fields []int
	held := false
	for _, seq := range selected {
		g := &m.removed[seq]
		i := -1
		if !r.Whole {
			i = g.fieldAt(t, r.Paths[0])
		}
		if g.whole || !r.Whole && (i < 0 || g.fields[i]) {
			continue
		}
		take, fields = append(take, g), append(fields, i)
		held = held || m.isHeld(t, g)
	}
	_, err := m.b.Erase(bg, r)
	switch {
	case held:
		if daybook.CodeOf(err) != daybook.CodeConflict {
			t.Fatalf("erase what is held: %v", err)
		}
		return
	case len(take) == 0:
		if daybook.CodeOf(err) != daybook.CodeNotFound {
			t.Fatalf("erase nothing: %v", err)
		}
		return
	case err != nil:
		t.Fatalf("erase: %v", err)
	}
	for i, g := range take {
		if r.Whole {
			g.whole = true
		} else {
			g.fields[fields[i]] = true
		}
	}
	m.noteControls(t)
	settle(t, m.b)
}

// fieldAt returns the index of a field of the recorded text, −1 if it has none of that path.
func (g *gone) fieldAt(t *rapid.T, path string) int {
	d := leaf.Get()
	defer leaf.Put(d)
	if err := d.Read([]byte(g.Text)); err != nil {
		t.Fatalf("read: %v", err)
	}
	d.Sort()
	for i := range d.Len() {
		if string(d.Path(i)) == path {
			return i
		}
	}
	return -1
}

func (m *removalModel) isHeld(t *rapid.T, g *gone) bool {
	for text, seqs := range m.holds {
		if seqs[g.Seq] || slices.Contains(m.matches(t, text[strings.IndexByte(text, ' ')+1:]), g.Seq) {
			return true
		}
	}
	return false
}

func (m *removalModel) hold(t *rapid.T) {
	text := rapid.SampledFrom(selections).Draw(t, "selection")
	settle(t, m.b)
	seqs := map[int64]bool{}
	for _, seq := range m.matches(t, text) {
		seqs[seq] = true
	}
	h, err := m.b.PlaceHold(bg, daybook.HoldRequest{Org: "org_a", Text: text, Reason: "r", By: officer})
	if err != nil {
		t.Fatalf("hold: %v", err)
	}
	m.holds[h.ID+" "+text] = seqs
	m.noteControls(t)
}

func (m *removalModel) release(t *rapid.T) {
	for key := range m.holds {
		if _, err := m.b.ReleaseHold(bg, "org_a", key[:strings.IndexByte(key, ' ')], "r", officer); err != nil {
			t.Fatalf("release: %v", err)
		}
		delete(m.holds, key)
		break
	}
	m.noteControls(t)
}

func (m *removalModel) prune(t *rapid.T) {
	keep, err := daybook.ParsePeriod(fmt.Sprintf("%dh", rapid.IntRange(1, 100).Draw(t, "keep")))
	if err != nil {
		t.Fatalf("period: %v", err)
	}
	rule := daybook.RetentionRule{Match: rapid.SampledFrom([]string{"", "*", "action:invoice.*", "target.type:invoice actor.type:user"}).Draw(t, "match"), Keep: keep}
	settle(t, m.b)
	step := time.Hour
	if keep.Duration() >= 48*time.Hour {
		step = 24 * time.Hour
	}
	cutoff := m.clock.now().Add(-keep.Duration()).Truncate(step).UnixMicro()
	n := int64(0)
	for _, seq := range m.matches(t, strings.TrimPrefix(rule.Match, "*")) {
		if g := &m.removed[seq]; g.Received < cutoff && !g.whole && !m.isHeld(t, g) {
			g.pruned = true
			n++
		}
	}
	got, err := m.b.ApplyRetention(bg, "org_a", daybook.Retention{Rules: []daybook.RetentionRule{rule}})
	if err != nil || got.Entries != n {
		t.Fatalf("prune %d: %+v, %v", n, got, err)
	}
	m.noteControls(t)
	settle(t, m.b)
}

func (m *removalModel) check(t *rapid.T) {
	report, err := daybook.Fsck(bg, m.store, daybook.FsckOptions{})
	if err != nil || len(report.Findings) > 0 {
		t.Fatalf("fsck: %+v, %v", report.Findings, err)
	}
	for i := range m.removed {
		g := &m.removed[i]
		e, err := m.b.EntryAt(bg, "org_a", int64(i))
		if err != nil {
			t.Fatalf("entry %d: %v", i, err)
		}
		want := daybook.NotRemoved
		switch {
		case g.pruned:
			want = daybook.RemovedByRetention
		case g.whole:
			want = daybook.RemovedByErasure
		}
		if e.Removed != want || want == daybook.NotRemoved && e.Erased != len(g.fields) || e.LeafHash != g.Leaf || e.ID != g.ID || e.ReceivedAt != g.Received {
			t.Fatalf("entry %d: %+v, want %+v", i, e, g)
		}
	}
	for _, text := range append([]string{"", "is:erased", "has:reason", "-has:reason", "occurred:2026-11-02", "-outcome:success"}, selections...) {
		var got []int64
		for e, err := range m.b.Events(bg, daybook.EventQuery{Org: "org_a", Text: strings.TrimSpace(text + " -is:control"), Asc: true}) {
			if err != nil {
				t.Fatalf("search: %v", err)
			}
			got = append(got, e.Seq)
		}
		if want := m.matches(t, text); !slices.Equal(got, want) {
			t.Fatalf("%q: %v, want %v", text, got, want)
		}
	}
	m.checkCounts(t)
}

// checkCounts compares what is counted from blocks and days with what a search finds.
func (m *removalModel) checkCounts(t *rapid.T) {
	want := int64(len(m.matches(t, "")) + len(m.controls))
	h, err := m.b.Histogram(bg, daybook.HistogramQuery{EventQuery: daybook.EventQuery{Org: "org_a"}})
	if err != nil {
		t.Fatalf("histogram: %v", err)
	}
	total := int64(0)
	for _, bar := range h.Bars {
		total += bar.Total
	}
	f, err := m.b.Facets(bg, daybook.FacetQuery{EventQuery: daybook.EventQuery{Org: "org_a"}})
	if err != nil {
		t.Fatalf("facets: %v", err)
	}
	if h.Searched.Complete && total != want || f.Count.Value != want {
		t.Fatalf("the histogram counts %d, the facets %d, want %d", total, f.Count.Value, want)
	}
}
