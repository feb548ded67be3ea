package daybook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook"
)

// logged is what was recorded, to compare with what the store holds.
type logged struct {
	text    []byte
	receipt daybook.Receipt
}

// writer records random events and remembers them.
type writer struct {
	rng  *rand.Rand
	logs map[daybook.OrgID][]logged
}

func newWriter(seed uint64) *writer {
	return &writer{rng: rand.New(rand.NewPCG(seed, 1)), logs: map[daybook.OrgID][]logged{}}
}

func (w *writer) event() []byte {
	b := fmt.Appendf(nil, `{"action":"doc.%c","actor":{"type":"user","id":"usr_%d"}`, 'a'+w.rng.IntN(5), w.rng.IntN(40))
	if w.rng.IntN(3) == 0 {
		b = fmt.Appendf(b, `,"id":"%s"`, daybook.NewID())
	}
	b = append(b, `,"targets":[`...)
	for i := range 1 + w.rng.IntN(3) {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{"type":"t%d","id":"%d"}`, w.rng.IntN(3), w.rng.IntN(100))
	}
	b = append(b, ']')
	switch w.rng.IntN(4) {
	case 0:
		b = append(b, `,"outcome":"failure"`...)
	case 1:
		b = append(b, `,"outcome":"denied","reason":"say \"no\" – \n"`...)
	case 2:
		b = fmt.Appendf(b, `,"occurred_at":"20%02d-01-%02dT%02d:30:00.5Z"`, 20+w.rng.IntN(3), 1+w.rng.IntN(9), w.rng.IntN(24))
	}
	return append(b, '}')
}

func (w *writer) record(t testing.TB, b *daybook.Book, org daybook.OrgID, n int) {
	t.Helper()
	events := make([][]byte, n)
	for i := range events {
		events[i] = w.event()
	}
	for i, rc := range record(t, b, org, daybook.Request{Events: events}) {
		w.logs[org] = append(w.logs[org], logged{events[i], rc})
	}
}

// check compares the blocks of the store with what was recorded, as far as the heads go, and returns the number of entries in blocks.
// settled: everything is in blocks, and finished windows are whole.
func (w *writer) check(t testing.TB, b *daybook.Book, s daybook.Store, settled bool) (packed int64) {
	t.Helper()
	defer b.HoldMerger()()
	heads, err := s.Logs(context.Background(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range heads {
		entries := w.logs[h.Org]
		if settled && h.Packed != int64(len(entries)) || h.Packed > int64(len(entries)) {
			t.Fatalf("%s: %d of %d entries are in blocks", h.Org, h.Packed, len(entries))
		}
		w.checkLog(t, s, h, entries[:h.Packed], settled)
		packed += h.Packed
	}
	return packed
}

func (w *writer) checkLog(t testing.TB, s daybook.Store, h daybook.Head, entries []logged, settled bool) {
	t.Helper()
	leaves := make([]tlog.Hash, len(entries))
	for i := range entries {
		leaves[i] = entries[i].receipt.LeafHash
	}
	if len(entries) > 0 && frontierRoot(h.Frontier) != treeHash(t, leaves) {
		t.Errorf("%s: the folded head of size %d is not that of the receipts", h.Org, h.Packed)
	}
	if len(entries) > 0 && h.LastReceived != entries[len(entries)-1].receipt.ReceivedAt.UnixMicro() {
		t.Errorf("%s: last received_at %d", h.Org, h.LastReceived)
	}
	var at, occurred int64
	days := map[uint32][24][3]int64{}
	windows := map[int64]int{}
	for m, err := range s.Blocks(context.Background(), daybook.BlockQuery{Log: h.Log, To: 1 << 40, Filters: true}) {
		if err != nil {
			t.Fatal(err)
		}
		data, err := s.Read(context.Background(), h.Log, []daybook.BlockRef{m.BlockRef})
		if err != nil {
			t.Fatal(err)
		}
		logID, es, err := daybook.ReadBlock(h.Org, data[0])
		if err != nil {
			t.Fatal(err)
		}
		if m.First != at || m.N != len(es) || m.Live != len(es) || logID != h.LogID || at/daybook.WindowSize != (at+int64(m.N)-1)/daybook.WindowSize {
			t.Fatalf("%s: block %d of %d entries at %d", h.Org, m.First, m.N, at)
		}
		windows[at/daybook.WindowSize]++
		if settled && (at/daybook.WindowSize+1)*daybook.WindowSize <= h.Packed && m.State != daybook.StateWhole {
			t.Errorf("%s: block %d is still a piece", h.Org, m.First)
		}
		checkMeta(t, &m, es, leaves)
		for i := range es {
			e, want := &es[i], &entries[at]
			if e.Seq != at || e.ID != want.receipt.ID || e.LeafHash != want.receipt.LeafHash || e.ReceivedAt != want.receipt.ReceivedAt.UnixMicro() || !bytes.Equal(e.Payload, want.text) {
				t.Fatalf("%s: entry %d: %s at %d %s, want %s", h.Org, at, e.ID, e.Seq, e.Payload, want.text)
			}
			occurred = e.Occurred
			countDay(t, days, occurred, want.text)
			at++
		}
	}
	if at != h.Packed {
		t.Errorf("%s: blocks end at %d, the head at %d", h.Org, at, h.Packed)
	}
	for no, n := range windows {
		if n > 21 || settled && n > 1 && (no+1)*daybook.WindowSize <= h.Packed {
			t.Errorf("%s: window %d has %d blocks", h.Org, no, n)
		}
	}
	got := map[uint32][24][3]int64{}
	for slip, err := range s.Slips(context.Background(), h.Log, daybook.SlipKey{Kind: daybook.SlipDay}, daybook.SlipKey{Kind: daybook.SlipDay + 1}) {
		if err != nil {
			t.Fatal(err)
		}
		if got[slip.B], err = daybook.DayTotals(slip.Bytes); err != nil || slip.A != 0 {
			t.Fatalf("slip %v: %v", slip.SlipKey, err)
		}
	}
	if diff := cmp.Diff(days, got); diff != "" {
		t.Errorf("%s: day counts (-want +got):\n%s", h.Org, diff)
	}
}

func frontierRoot(hashes []tlog.Hash) tlog.Hash {
	root := hashes[len(hashes)-1]
	for i := len(hashes) - 2; i >= 0; i-- {
		root = tlog.NodeHash(hashes[i], root)
	}
	return root
}

func countDay(t testing.TB, days map[uint32][24][3]int64, occurred int64, text []byte) {
	t.Helper()
	var e struct{ Outcome string }
	if err := json.Unmarshal(text, &e); err != nil {
		t.Fatal(err)
	}
	at := time.UnixMicro(occurred).UTC()
	day := uint32(at.Unix() / 86400)
	counts := days[day]
	c := &counts[at.Hour()]
	c[0]++
	switch e.Outcome {
	case "failure":
		c[1]++
	case "denied":
		c[2]++
	}
	days[day] = counts
}

func checkMeta(t testing.TB, m *daybook.BlockMeta, es []daybook.BlockEntry, leaves []tlog.Hash) {
	t.Helper()
	const day = 24 * 3600 * 1e6
	span := daybook.Span{Min: 1<<63 - 1, Max: -1 << 63}
	received, occurred, late := span, span, span
	add := func(s *daybook.Span, at int64) { s.Min, s.Max = min(s.Min, at), max(s.Max, at) }
	facets := map[string]map[string]int64{"action": {}, "actor.type": {}, "target.type": {}, "outcome": {}, "actor.id": {}}
	var roots []byte
	for i := range es {
		e := &es[i]
		add(&received, e.ReceivedAt)
		if d := e.Occurred - e.ReceivedAt; d > day || d < -day {
			add(&late, e.Occurred)
		} else {
			add(&occurred, e.Occurred)
		}
		for _, term := range e.Terms {
			if !daybook.FilterHas(m.Filter, m.First, term) {
				t.Fatalf("entry %d: the filter of its block lacks a term", e.Seq)
			}
		}
		countFacets(t, facets, e.Payload)
		if end := e.Seq + 1; end%256 == 0 {
			root := treeHash(t, leaves[end-256:end])
			roots = append(roots, root[:]...)
		}
	}
	if m.Received != received || m.Occurred != occurred || m.Late != late {
		t.Errorf("block %d: spans %v %v %v, want %v %v %v", m.First, m.Received, m.Occurred, m.Late, received, occurred, late)
	}
	if !bytes.Equal(m.Roots, roots) {
		t.Errorf("block %d of %d entries: roots %x, want %x", m.First, m.N, m.Roots, roots)
	}
	if m.N < 64 {
		if len(m.Facets) > 0 {
			t.Errorf("block %d of %d entries has facets", m.First, m.N)
		}
		return
	}
	got, err := daybook.FacetValues(m.Facets)
	if err != nil {
		t.Fatal(err)
	}
	delete(got, "actor.id") // only the most frequent: TestFacetTally
	delete(facets, "actor.id")
	if diff := cmp.Diff(facets, got); diff != "" {
		t.Errorf("block %d: facets (-want +got):\n%s", m.First, diff)
	}
}

func countFacets(t testing.TB, facets map[string]map[string]int64, text []byte) {
	t.Helper()
	var e struct {
		Action, Outcome string
		Actor           struct{ Type, ID string }
		Targets         []struct{ Type string }
	}
	if err := json.Unmarshal(text, &e); err != nil {
		t.Fatal(err)
	}
	if e.Outcome == "" {
		e.Outcome = "success"
	}
	facets["action"][e.Action]++
	facets["outcome"][e.Outcome]++
	facets["actor.type"][e.Actor.Type]++
	facets["actor.id"][e.Actor.ID]++
	var types []string
	for _, target := range e.Targets {
		if !slices.Contains(types, target.Type) {
			types = append(types, target.Type)
			facets["target.type"][target.Type]++
		}
	}
}
