package daybook_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/storetest"
	offline "github.com/daybook-audit/daybook/verify"
)

// bg is for calls that nothing ends.
var bg = context.Background()

// gone is what a model knows of what was removed from an entry.
type gone struct {
	known
	fields map[int]bool
	whole  bool
	pruned daybook.Leave // what retention has left; empty: it was not pruned
	match  string        // of the rule that pruned it last
}

// left is how much of an entry is left, from 0, all of it, to 4.
func (g *gone) left() int {
	switch {
	case g.pruned == daybook.LeaveTile:
		return 4
	case g.pruned == daybook.LeaveHash:
		return 3
	case g.pruned == daybook.LeaveLeaf || g.whole:
		return 2
	case len(g.fields) > 0:
		return 1
	}
	return 0
}

// model is a log in a slice, to which everything is done that is done to a Book, and the Book that must agree with it.
type model struct {
	*oracle
	store    *storetest.MemoryStore
	marks    *storetest.MemoryMarks
	clock    *clock
	removed  []gone
	holds    map[string]map[int64]bool
	controls map[int64]bool
	info     daybook.LogInfo
	met      *[5]int
	older    *storetest.MemoryStore // a copy of the store; nil: there is none of this epoch
	olderAt  int64                  // the size that it had
}

// steps of a history, by how often they are taken.
var steps = map[string]int{
	"add": 10, "repeat": 2, "conflict": 2, "merge": 2, "erase": 4, "hold": 2, "release": 3, "prune": 5, "rotate": 1, "export": 3, "open": 2, "copy": 1, "restore": 1,
}

// TestModel compares a log with a model of it while entries are recorded, repeated, merged, erased, pruned and held, keys are rotated, the
// Book is opened again and the store restored from a copy. Again and again the store must agree with itself, and what is
// exported must be proved.
func TestModel(t *testing.T) {
	t.Parallel()
	seeds, length := 3, 300
	if nightly {
		seeds, length = 20, 10_000
	}
	var names []string
	for name, n := range steps {
		names = append(names, slices.Repeat([]string{name}, n)...)
	}
	slices.Sort(names)
	passed := 0
	var met [5]int // entries of which so much was left, each time the store was recomputed
	rapid.Check(t, func(rt *rapid.T) {
		if passed == seeds {
			return
		}
		m := newModel(rt, &met)
		defer func() { _ = m.b.Close() }()
		for i := range length {
			if m.step(rt, rapid.SampledFrom(names).Draw(rt, "step")); i%8 == 0 {
				m.audit(rt)
			}
		}
		m.audit(rt)
		m.clock.move(2 * time.Hour) // what a hold kept is tried again
		m.carryOut(rt)
		m.check(rt)
		passed++
	})
	if t.Log(met); slices.Contains(met[:], 0) {
		t.Errorf("the histories did not lead to every form of entries: %v", met)
	}
}

func newModel(t *rapid.T, met *[5]int) *model {
	m := &model{met: met, oracle: &oracle{t: t, org: "org_a"}, store: storetest.Memory(), marks: storetest.Marks(), clock: newClock()}
	m.open(t)
	if err := m.b.CreateLog(bg, "org_a"); err != nil {
		t.Fatalf("create a log: %v", err)
	}
	m.begin(t)
	m.step(t, "add")
	return m
}

// begin begins the model of an epoch.
func (m *model) begin(t *rapid.T) {
	m.entries, m.removed, m.older = nil, nil, nil
	m.holds, m.controls = map[string]map[int64]bool{}, map[int64]bool{}
	var err error
	if m.info, err = m.b.LogInfo(bg, "org_a"); err != nil {
		t.Fatalf("info: %v", err)
	}
	m.noteControls(t)
}

func (m *model) open(t *rapid.T) {
	if m.b != nil {
		if err := m.b.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
	}
	o := signing(m.marks, m.clock)
	o.TailBytes, o.TailEntries, o.TailAge, o.SearchTime = 1<<40, 1<<40, 1<<60, time.Hour
	var err error
	if m.b, err = daybook.Open(bg, m.store, o); err != nil {
		t.Fatalf("open: %v", err)
	}
}

func (m *model) step(t *rapid.T, name string) {
	switch name {
	case "add":
		m.add(t)
	case "repeat":
		m.repeat(t, false)
	case "conflict":
		m.repeat(t, true)
	case "merge":
		settle(t, m.b)
	case "erase":
		m.erase(t)
	case "hold":
		m.hold(t)
	case "release":
		m.release(t)
	case "prune":
		m.prune(t)
	case "rotate":
		if _, err := m.b.RotateKey(bg, "org_a", officer); err != nil && daybook.CodeOf(err) != daybook.CodeConflict {
			t.Fatalf("rotate: %v", err)
		}
		m.noteControls(t)
	case "export":
		m.export(t)
	case "open":
		m.open(t)
	case "copy":
		m.older, m.olderAt = m.store.Copy(), int64(len(m.entries))
	case "restore":
		m.restore(t)
	}
}

// carryOut signs, which runs that lose their hashes wait for, and has everything removed that is asked for and not held.
func (m *model) carryOut(t *rapid.T) {
	if _, err := m.b.Checkpoint(bg, "org_a"); err != nil {
		t.Fatalf("sign: %v", err)
	}
	m.noteControls(t)
	for range 3 {
		m.clock.move(time.Second)
		settle(t, m.b)
	}
}

// audit recomputes the store.
func (m *model) audit(t *rapid.T) {
	for i := range m.removed {
		m.met[m.removed[i].left()]++
	}
	report, err := daybook.Fsck(bg, m.store, daybook.FsckOptions{HighWater: m.marks, Origin: "audit.example.com"})
	if err != nil || len(report.Findings) > 0 {
		t.Fatalf("fsck: %+v, %v", report.Findings, err)
	}
}

// export writes a bundle of some entries that are not pruned with their hashes, and has it verified.
func (m *model) export(t *rapid.T) {
	q := daybook.BundleQuery{Org: "org_a", Text: rapid.SampledFrom([]string{"", "", "outcome:failure", "is:erased"}).Draw(t, "text")}
	if m.carryOut(t); rapid.Bool().Draw(t, "range") {
		q.First = rapid.Int64Range(m.reach(), int64(len(m.entries))-1).Draw(t, "first")
		q.End = rapid.Int64Range(q.First+1, int64(len(m.entries))).Draw(t, "end")
	}
	var out bytes.Buffer
	if _, err := m.b.WriteBundle(bg, &out, q); err != nil {
		t.Fatalf("bundle %+v: %v", q, err)
	}
	key, err := offline.ParseKey(m.info.Keys[0].Vkey)
	if err != nil {
		t.Fatalf("%v", err)
	}
	if r := offline.Bundle(&out, offline.Options{Keys: []offline.Key{key}}); r.Exit() != 0 {
		t.Fatalf("bundle %+v: %v", q, r.Findings)
	}
}

// restore puts a copy of the store, older than what was signed, in its place: it is frozen, and a new epoch begins.
func (m *model) restore(t *rapid.T) {
	if m.carryOut(t); m.older == nil || m.olderAt >= int64(len(m.entries)) {
		return
	}
	m.store = m.older
	m.open(t)
	if _, err := m.b.Record(bg, "org_a", daybook.Event{Action: "a.b", Actor: daybook.Actor{Type: "user", ID: "u"}}); daybook.CodeOf(err) != daybook.CodeUnavailable {
		t.Fatalf("a store that was rolled back took an entry: %v", err)
	}
	if _, err := m.b.NewEpoch(bg, daybook.EpochRequest{Org: "org_a", Cause: daybook.CauseRestore, Reason: "r", By: officer}); err != nil {
		t.Fatalf("new epoch: %v", err)
	}
	m.begin(t)
}

// add records events, all made of one number: to draw every part of each would take longer than to record them.
func (m *model) add(t *rapid.T) {
	m.clock.move(time.Duration(rapid.IntRange(1, 40).Draw(t, "hours")) * time.Hour)
	if _, err := m.b.Checkpoint(bg, "org_a"); err != nil { // which retires a key when its time has come
		t.Fatalf("sign: %v", err)
	}
	m.noteControls(t)
	r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "events"), 1))
	var texts []string
	for range rapid.SampledFrom([]int{1, 3, 40, 300}).Draw(t, "number") {
		now, id, occurred := m.clock.now(), "", ""
		if r.IntN(5) == 0 {
			id = fmt.Sprintf(`"id":"%s",`, daybook.NewID())
		}
		switch r.IntN(6) {
		case 0:
			now = now.Add(-time.Duration(r.IntN(600)) * time.Second)
			occurred = fmt.Sprintf(`"occurred_at":"%s",`, now.UTC().Format(time.RFC3339Nano))
		case 1:
			now = now.Add(time.Duration(r.IntN(2100)-2000) * time.Hour)
			occurred = fmt.Sprintf(`"occurred_at":"%s",`, now.UTC().Format(time.RFC3339))
		}
		texts = append(texts, fmt.Sprintf(`{%s"action":"%s","actor":{"type":"user","id":"%s"},%s%s%s"targets":[{"type":"invoice","id":"%d"}]}`,
			id, actions[r.IntN(len(actions))], users[r.IntN(len(users))], occurred, outcomes[r.IntN(len(outcomes))], reasons[r.IntN(len(reasons))], r.IntN(10)))
	}
	m.record(texts...)
	m.note()
}

// note makes room for what the oracle has recorded.
func (m *model) note() {
	for len(m.removed) < len(m.entries) {
		m.removed = append(m.removed, gone{known: m.entries[len(m.removed)], fields: map[int]bool{}})
	}
}

// repeat records an event with an id of its own once more: nothing is recorded; with other content it is refused, as far as that can be
// told; and what is forgotten is new.
func (m *model) repeat(t *rapid.T, other bool) {
	var own []int64
	for i := range m.removed {
		if strings.Contains(m.removed[i].Text, `"id":"evt_`) && !m.controls[int64(i)] {
			own = append(own, int64(i))
		}
	}
	if len(own) == 0 {
		return
	}
	m.carryOut(t)
	g := &m.removed[rapid.SampledFrom(own).Draw(t, "seq")]
	text := g.Text
	if other {
		text = strings.Replace(text, `"action":"`, `"action":"other.`, 1)
	}
	if g.left() > 2 {
		m.record(text)
		m.note()
		g.Text = "{}" // the newer one is repeated from now on
		return
	}
	res, err := m.b.RecordJSON(bg, "org_a", daybook.Request{Events: [][]byte{[]byte(text)}})
	if other && g.left() == 0 {
		if daybook.CodeOf(err) != daybook.CodeConflict {
			t.Fatalf("other content for %d: %v", g.Seq, err)
		}
		return
	}
	if err != nil || !res.Receipts[0].Duplicate || res.Receipts[0].Seq != g.Seq || res.Receipts[0].LeafHash != g.Leaf {
		t.Fatalf("a repeat of %d: %+v, %v", g.Seq, res, err)
	}
}
