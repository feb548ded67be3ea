package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook"
)

// History is what a test knows of a [Load] that ran against a store, possibly in several processes one after the other: which calls
// were acknowledged, and which may have been made. It may be used concurrently.
type History struct {
	Load Load
	Fsck daybook.FsckOptions // with which Verify checks the store

	mu    sync.Mutex
	calls []map[int]*fate // of each writer, by number
}

// fate is what is known of one call that may have been made.
type fate struct {
	receipts []daybook.Receipt // of the first acknowledgement
	begun    bool              // the call before was answered: this one may be under way
	maybe    bool              // it was under way when its process ended, or its outcome was unknown
	refused  bool              // as a conflict
}

func (f *fate) open() bool { return f.receipts == nil && !f.refused }

// NewHistory returns the history of a load of which nothing was done yet.
func NewHistory(l Load) *History {
	h := &History{Load: l}
	for range l.Writers {
		h.calls = append(h.calls, map[int]*fate{})
	}
	return h
}

func (h *History) fate(writer, no int) *fate {
	f := h.calls[writer][no]
	if f == nil {
		f = &fate{}
		h.calls[writer][no] = f
	}
	return f
}

// Add adds an answer, which also says that the writer's next call may be under way. It fails when the answer contradicts an earlier
// one or breaks a promise.
func (h *History) Add(a Answer) error {
	c := h.Load.Call(a.Writer, a.No)
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.fate(a.Writer, a.No)
	f.begun = false
	if h.calls[a.Writer][a.No+1] == nil {
		h.fate(a.Writer, a.No+1).begun = true
	}
	switch {
	case a.Receipts == nil && a.Code == daybook.CodeConflict:
		f.refused = true
		if !c.Conflict {
			return fmt.Errorf("call %d.%d was refused: %s", a.Writer, a.No, a.Error)
		}
		return nil
	case a.Receipts == nil:
		f.maybe = f.maybe || !a.Nothing
		return nil
	case c.Conflict:
		return fmt.Errorf("call %d.%d uses an id again for other content and was acknowledged", a.Writer, a.No)
	case len(a.Receipts) != len(c.marks):
		return fmt.Errorf("call %d.%d of %d events has %d receipts", a.Writer, a.No, len(c.marks), len(a.Receipts))
	case f.receipts == nil:
		f.receipts = a.Receipts
		return nil
	}
	return sameReceipts(f.receipts, a.Receipts)
}

// sameReceipts compares the receipts of a repeat with the first ones.
func sameReceipts(first, again []daybook.Receipt) error {
	for i := range again {
		want := first[i]
		want.Duplicate = true
		if got := again[i]; got.Seq != want.Seq || got.ID != want.ID || got.LeafHash != want.LeafHash || !got.ReceivedAt.Equal(want.ReceivedAt) || !got.Duplicate {
			return fmt.Errorf("a repeat was answered %+v, the first time %+v", got, want)
		}
	}
	return nil
}

// Next returns the call with which a writer goes on after its process ended: the first that is not answered, leaving out those that
// were made and cannot be repeated.
func (h *History) Next(writer int) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	for no := 0; ; no++ {
		f := h.calls[writer][no]
		if f != nil && !f.open() {
			continue
		}
		if f == nil {
			h.fate(writer, no).begun = true
			return no
		}
		f.maybe = f.maybe || f.begun
		if c := h.Load.Call(writer, no); c.Repeatable {
			f.begun = true
			return no
		}
	}
}

// Acknowledged returns the number of calls that were.
func (h *History) Acknowledged() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, calls := range h.calls {
		for _, f := range calls {
			if f.receipts != nil {
				n++
			}
		}
	}
	return n
}

// Settle repeats what was not answered and can be repeated. Afterwards no outcome of such a call is unknown.
func (h *History) Settle(ctx context.Context, b *daybook.Book) error {
	for w := range h.calls {
		for _, no := range slices.Sorted(maps.Keys(h.calls[w])) {
			c := h.Load.Call(w, no)
			if !c.Repeatable || !h.calls[w][no].open() {
				continue
			}
			a := c.Do(ctx, b)
			if !a.Answered() {
				return fmt.Errorf("repeat call %d.%d: %s", w, no, a.Error)
			}
			if err := h.Add(a); err != nil {
				return err
			}
		}
	}
	return nil
}

// Check verifies everything that must be true of the store after any fault, and fails t with what is not: see [History.Verify].
func (h *History) Check(t testing.TB, s daybook.Store) {
	t.Helper()
	for i, finding := range h.Verify(t.Context(), s) {
		if i == 20 {
			t.Fatal("… and more")
		}
		t.Error(finding)
	}
}

// Finding is an invariant of the reliability plan that does not hold, such as I1, and how.
type Finding struct{ Invariant, Text string }

// Verify returns what is wrong with the store, which nobody else uses meanwhile, after the calls of h. The invariants of the
// reliability plan: every acknowledged receipt is in the log as it was given (I1); one entry per event id and per key, and a repeat
// is answered with the first receipt (I2); seqs are gapless, times rise (I3); everything recomputed from payloads agrees (I4), and with it
// what was signed, if Fsck has a high-water store (I5); what was not acknowledged is there as a whole or not at all (I6).
func (h *History) Verify(ctx context.Context, s daybook.Store) []Finding {
	v := &verification{h: h, marks: map[string]place{}}
	v.verify(ctx, s)
	return v.findings
}

// place is where an event stands.
type place struct {
	org  daybook.OrgID
	seq  int64
	id   daybook.ID
	leaf tlog.Hash
	at   int64
}

type verification struct {
	h        *History
	marks    map[string]place
	findings []Finding
}

func (v *verification) find(invariant, format string, args ...any) {
	v.findings = append(v.findings, Finding{invariant, fmt.Sprintf(format, args...)})
}

func (v *verification) verify(ctx context.Context, s daybook.Store) {
	report, err := daybook.Fsck(ctx, s, v.h.Fsck)
	if err != nil {
		v.find("I4", "fsck: %v", err)
		return
	}
	for _, f := range report.Findings {
		v.find("I4", "fsck: %+v", f)
	}
	b, err := daybook.Open(ctx, s, daybook.Options{})
	if err != nil {
		v.find("I4", "open the book: %v", err)
		return
	}
	defer func() { //nolint:contextcheck // Close ends what outlives Open
		if err := b.Close(); err != nil {
			v.find("I4", "close the book: %v", err)
		}
	}()
	for i := range v.h.Load.Orgs {
		if err := v.log(ctx, b, daybook.OrgID(fmt.Sprintf("org_%d", i))); err != nil {
			v.find("I4", "read org_%d: %v", i, err)
		}
	}
	v.calls()
	v.repeats(ctx, b)
}

// log reads one log, checks it as far as it says something of itself, and notes where every event stands.
func (v *verification) log(ctx context.Context, b *daybook.Book, org daybook.OrgID) error {
	info, err := b.Info(ctx, org)
	if err != nil {
		return err
	}
	if info[0].Exists && info[0].State != daybook.LogOpen {
		v.find("I4", "%s is in state %d", org, info[0].State)
	}
	var stored []tlog.Hash
	read := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		hs := make([]tlog.Hash, len(at))
		for i, n := range at {
			hs[i] = stored[n]
		}
		return hs, nil
	})
	next, last, ids := int64(0), int64(0), map[daybook.ID]bool{}
	for e, err := range b.Events(ctx, daybook.EventQuery{Org: org, Asc: true}) {
		if err != nil {
			return err
		}
		if e.Seq != next || e.ReceivedAt <= last || ids[e.ID] {
			v.find("I3", "%s: entry %d (%s, received %d) follows entry %d received %d; id seen before: %t", org, e.Seq, e.ID, e.ReceivedAt, next-1, last, ids[e.ID])
		}
		next, last, ids[e.ID] = e.Seq+1, e.ReceivedAt, true
		hs, err := tlog.StoredHashesForRecordHash(e.Seq, e.LeafHash, read)
		if err != nil {
			return err
		}
		stored = append(stored, hs...)
		if err := v.place(&e); err != nil {
			return err
		}
	}
	if next != info[0].Size {
		v.find("I3", "%s has %d entries of %d", org, next, info[0].Size)
		return nil
	}
	if next > 0 {
		if root, err := tlog.TreeHash(next, read); err != nil || root != info[0].Root {
			v.find("I4", "%s: the leaf hashes do not give the root (%v)", org, err)
		}
	}
	return nil
}

func (v *verification) place(e *daybook.Entry) error {
	var payload struct {
		Action  string
		Targets []struct{ ID string }
	}
	if err := json.Unmarshal(e.Payload, &payload); err != nil {
		return fmt.Errorf("entry %d: %w", e.Seq, err)
	}
	if strings.HasPrefix(payload.Action, "daybook.") { // a server's own
		return nil
	}
	mark := payload.Targets[0].ID
	if p, twice := v.marks[mark]; twice {
		v.find("I2", "event %s is in %s twice: entries %d and %d", mark, e.Org, p.seq, e.Seq)
	}
	v.marks[mark] = place{e.Org, e.Seq, e.ID, e.LeafHash, e.ReceivedAt}
	return nil
}

// calls compares what was answered with what is in the logs.
func (v *verification) calls() {
	known := map[string]bool{}
	firsts := map[string]string{}
	for w, calls := range v.h.calls {
		for no, f := range calls {
			c := v.h.Load.Call(w, no)
			v.call(&c, f, firsts)
			if f.begun || f.maybe || f.receipts != nil {
				for _, m := range c.marks {
					known[m] = !c.Conflict
				}
			}
		}
	}
	for mark, p := range v.marks {
		if !known[mark] {
			v.find("I6", "entry %d of %s is event %s, which nobody recorded, or which was refused", p.seq, p.org, mark)
		}
	}
}

// call checks one call: each of its receipts, and that its events are there together or not at all.
func (v *verification) call(c *Call, f *fate, firsts map[string]string) {
	name := fmt.Sprintf("%d.%d", c.Writer, c.No)
	there := 0
	for i, mark := range c.marks {
		p, ok := v.marks[mark]
		if ok {
			there++
		}
		if f.receipts == nil {
			continue
		}
		rc := &f.receipts[i]
		if (p != place{c.Org, rc.Seq, rc.ID, rc.LeafHash, rc.ReceivedAt.UnixMicro()}) {
			v.find("I1", "call %s: %s was acknowledged as %+v, and is at %+v", name, mark, *rc, p)
		}
		if !rc.Duplicate {
			if other, twice := firsts[mark]; twice {
				v.find("I2", "%s was acknowledged as new to call %s and to call %s", mark, other, name)
			}
			firsts[mark] = name
		}
	}
	if !c.Conflict && there != 0 && there != len(c.marks) {
		v.find("I6", "call %s: %d of %d events are in the log", name, there, len(c.marks))
	}
}

// repeated is how many calls of each writer are made again by a check.
const repeated = 3

// repeats makes the newest acknowledged calls again, and looks their events up by id.
func (v *verification) repeats(ctx context.Context, b *daybook.Book) {
	for w, calls := range v.h.calls {
		nos := slices.Sorted(maps.Keys(calls))
		slices.Reverse(nos)
		left := repeated
		for _, no := range nos {
			c, f := v.h.Load.Call(w, no), calls[no]
			if left == 0 {
				break
			}
			if f.receipts == nil || !c.Repeatable {
				continue
			}
			left--
			a := c.Do(ctx, b)
			if a.Receipts == nil {
				v.find("I2", "repeat call %d.%d: %s", w, no, a.Error)
			} else if err := sameReceipts(f.receipts, a.Receipts); err != nil {
				v.find("I2", "repeat call %d.%d: %v", w, no, err)
			}
			if e, err := b.Entry(ctx, c.Org, f.receipts[0].ID); err != nil || e.Seq != f.receipts[0].Seq {
				v.find("I1", "look up %s: entry %d, %v", f.receipts[0].ID, e.Seq, err)
			}
		}
	}
}
