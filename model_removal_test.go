package daybook_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/query"
)

// noteControls makes room in the model for the control entries that an act has recorded.
func (m *model) noteControls(t *rapid.T) {
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
func (m *model) matches(t *rapid.T, text string) []int64 {
	q, err := query.Parse(text, query.Options{})
	if err != nil {
		t.Fatalf("parse: %v", err)
	}
	var out []int64
	for i := range m.removed {
		g := &m.removed[i]
		if g.pruned != "" || m.controls[g.Seq] {
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
	r := query.Record{Org: "org_a", Seq: g.Seq, ID: g.ID.String(), Received: g.Received, Occurred: g.Received, Erased: g.pruned == "" && (g.whole || len(g.fields) > 0), Doc: d}
	if g.left() > 2 {
		r.Received, r.Occurred, r.ID = 0, 0, ""
	}
	text := g.Text
	switch {
	case g.whole || g.pruned != "":
		text = "{}"
	case len(g.fields) > 0:
		text = g.remainder(t)
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

// remainder returns the payload without the erased fields, which in drawn events are plain members that can be cut out of the text.
func (g *gone) remainder(t *rapid.T) string {
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

func (m *model) erase(t *rapid.T) {
	r := daybook.EraseRequest{Org: "org_a", Text: rapid.SampledFrom(selections).Draw(t, "selection"), Reason: "r", By: officer}
	selected := m.matches(t, r.Text)
	r.Text += " -is:control" // of which only the reason may be erased: TestErase
	if r.Whole = rapid.Bool().Draw(t, "whole"); !r.Whole {
		r.Paths = []string{rapid.SampledFrom(erasable).Draw(t, "path")}
		r.HideNames = rapid.Bool().Draw(t, "hide names")
	}
	m.carryOut(t) // what was asked for before is carried out, or kept, as the model has it
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

func (m *model) isHeld(t *rapid.T, g *gone) bool {
	for text, seqs := range m.holds {
		q, err := query.Parse(text[strings.IndexByte(text, ' ')+1:], query.Options{})
		if err != nil {
			t.Fatalf("parse: %v", err)
		}
		d := leaf.Get()
		r := g.record(t, d)
		held := seqs[g.Seq] || q.Match(&r)
		if leaf.Put(d); held {
			return true
		}
	}
	return false
}

func (m *model) hold(t *rapid.T) {
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

func (m *model) release(t *rapid.T) {
	for key := range m.holds {
		if _, err := m.b.ReleaseHold(bg, "org_a", key[:strings.IndexByte(key, ' ')], "r", officer); err != nil {
			t.Fatalf("release: %v", err)
		}
		delete(m.holds, key)
		break
	}
	m.noteControls(t)
}

// prune applies one rule. The model decides for every entry what goes, and for every run from the beginning on whether it goes as a whole.
func (m *model) prune(t *rapid.T) {
	keep, err := daybook.ParsePeriod(fmt.Sprintf("%dh", rapid.IntRange(1, 100).Draw(t, "keep")))
	if err != nil {
		t.Fatalf("period: %v", err)
	}
	rule := daybook.RetentionRule{
		Match: rapid.SampledFrom([]string{"", "", "*", "action:invoice.*", "target.type:invoice actor.type:user"}).Draw(t, "match"), Keep: keep,
		Leave: rapid.SampledFrom([]daybook.Leave{daybook.LeaveLeaf, daybook.LeaveHash, daybook.LeaveTile}).Draw(t, "leave"),
	}
	m.carryOut(t)
	step := time.Hour
	if keep.Duration() >= 48*time.Hour {
		step = 24 * time.Hour
	}
	n := m.due(t, &rule, m.clock.now().Add(-keep.Duration()).Truncate(step).UnixMicro())
	got, err := m.b.ApplyRetention(bg, "org_a", daybook.Retention{Rules: []daybook.RetentionRule{rule}})
	if err != nil || got.Entries != n {
		t.Fatalf("prune %d by %+v: %+v, %v", n, rule, got, err)
	}
	m.noteControls(t)
	m.carryOut(t)
}

// reach is where the last run ends of which nothing but a root is left: what is passed over before it is never looked at again.
func (m *model) reach() (end int64) {
	for run := int64(0); 256*run < int64(len(m.removed)); run++ {
		if m.removed[256*run].pruned == daybook.LeaveTile {
			end = 256 * (run + 1)
		}
	}
	return end
}

// due prunes in the model, and returns how many entries are named.
func (m *model) due(t *rapid.T, rule *daybook.RetentionRule, cutoff int64) (n int64) {
	q, err := query.Parse(strings.TrimPrefix(rule.Match, "*"), query.Options{})
	if err != nil {
		t.Fatalf("parse: %v", err)
	}
	form := map[daybook.Leave]int{daybook.LeaveLeaf: 2, daybook.LeaveHash: 3, daybook.LeaveTile: 3}[rule.Leave]
	leave := rule.Leave
	if leave == daybook.LeaveTile {
		leave = daybook.LeaveHash
	}
	stays := map[int64]bool{}    // runs
	named := map[int64][]*gone{} // by run
	for i := range m.removed {
		g := &m.removed[i]
		d := leaf.Get()
		r := g.record(t, d)
		due := !m.controls[g.Seq] && (q.Match(&r) || g.pruned != "" && g.match == rule.Match) && (g.left() > 2 || g.Received < cutoff)
		leaf.Put(d)
		switch held := m.isHeld(t, g); {
		case m.controls[g.Seq] && g.Received < cutoff:
		case !due || held && g.left() < 4 || m.controls[g.Seq]:
			stays[g.Seq/256] = true
		case g.left() < form:
			named[g.Seq/256] = append(named[g.Seq/256], g)
		}
	}
	reach := m.reach()
	for run := int64(0); 256*run < int64(len(m.removed)); run++ {
		all := m.removed[256*run : min(256*(run+1), int64(len(m.removed)))]
		if rule.Leave == daybook.LeaveTile && len(all) == 256 && !stays[run] && reach == 256*run {
			reach += 256
			if !slices.ContainsFunc(all, func(g gone) bool { return m.controls[g.Seq] }) {
				for i := range all {
					all[i].pruned = daybook.LeaveTile
				}
				n += 256
				continue
			}
		}
		for _, g := range named[run] {
			g.pruned, g.match = leave, rule.Match
		}
		n += int64(len(named[run]))
	}
	return n
}

func (m *model) check(t *rapid.T) {
	for i := range m.removed {
		g := &m.removed[i]
		e, err := m.b.EntryAt(bg, "org_a", int64(i))
		if g.left() == 4 {
			if daybook.CodeOf(err) != daybook.CodeGone {
				t.Fatalf("entry %d: %+v, %v", i, e, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("entry %d: %v", i, err)
		}
		want := daybook.NotRemoved
		switch {
		case g.pruned != "":
			want = daybook.RemovedByRetention
		case g.whole:
			want = daybook.RemovedByErasure
		}
		if e.Removed != want || want == daybook.NotRemoved && e.Erased != len(g.fields) || e.LeafHash != g.Leaf || g.left() < 3 && (e.ID != g.ID || e.ReceivedAt != g.Received) {
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
func (m *model) checkCounts(t *rapid.T) {
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
