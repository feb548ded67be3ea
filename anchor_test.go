package daybook_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/storetest"
	auditor "github.com/daybook-audit/daybook/verify"
)

// remembering is a witness that checks that what it is told extends what it was told before, and signs it with words.
type remembering struct {
	told chan int64
	fail error

	mu   sync.Mutex
	size int64
	root tlog.Hash
}

func (w *remembering) Name() string { return "remembering" }

func (w *remembering) Tell(ctx context.Context, c *daybook.AnchorCheckpoint) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer func() { w.told <- c.Size }()
	if w.fail != nil {
		return nil, w.fail
	}
	if w.size > 0 {
		proof, err := c.Consistency(ctx, w.size)
		if err != nil {
			return nil, err
		}
		if err := tlog.CheckTree(proof, c.Size, c.Root, w.size, w.root); err != nil {
			return nil, err
		}
	}
	w.size, w.root = c.Size, c.Root
	return []byte("— witness.example.com AAAAAWl0\n"), nil
}

// anchored are options with which checkpoints are anchored when a test closes the book.
func anchored(docs daybook.Documents, marks daybook.HighWater, c *clock, ws ...daybook.Witness) daybook.Options {
	o := signing(marks, c)
	o.Anchors, o.Witnesses = docs, ws
	return o
}

// checkAnchored verifies the bundle of a log against the anchor key alone, and returns the report.
func checkAnchored(t *testing.T, b *daybook.Book, org daybook.OrgID, want auditor.Code) *auditor.Report {
	t.Helper()
	var bundle bytes.Buffer
	if _, err := b.WriteBundle(t.Context(), &bundle, daybook.BundleQuery{Org: org}); err != nil {
		t.Fatal(err)
	}
	info := logInfo(t, b, org)
	o := auditor.Options{}
	for _, list := range []struct {
		vkey string
		to   *[]auditor.Key
	}{{info.Keys[0].Vkey, &o.Keys}, {info.ClockVkey, &o.Keys}, {info.AnchorVkey, &o.AnchorKeys}} {
		k, err := auditor.ParseKey(list.vkey)
		if err != nil {
			t.Fatal(err)
		}
		*list.to = append(*list.to, k)
	}
	r := auditor.Bundle(&bundle, o)
	if want == "" && r.Exit() != 0 || want != "" && !r.Has(want) {
		t.Errorf("%s: exit %d, %v, want %q", org, r.Exit(), r.Findings, want)
	}
	return r
}

func TestAnchor(t *testing.T) {
	t.Parallel()
	now, marks, s := newClock(), storetest.Marks(), storetest.Memory()
	w := &remembering{told: make(chan int64, 100)}
	broken := &remembering{told: make(chan int64, 100), fail: errors.New("no route to witness")}
	var b *daybook.Book
	for round := range 7 { // an interval ends with Close
		b = open(t, s, anchored(s, marks, now, w, broken))
		for i, org := range []daybook.OrgID{"org_a", "org_b", "org_c"} {
			if round%(i+1) == 0 {
				record(t, b, org, daybook.Request{Events: texts(round, round+1)})
			}
		}
		if round == 0 {
			if _, err := anchorNote(t, b); daybook.CodeOf(err) != daybook.CodeNotFound {
				t.Errorf("before the first interval: %v", err)
			}
			checkAnchored(t, b, "org_a", auditor.ProofMissing)
		}
		now.move(5 * time.Minute)
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		for _, w := range []*remembering{w, broken} {
			if size := <-w.told; size != int64(round+1) {
				t.Errorf("round %d: a witness was told size %d", round, size)
			}
		}
		s = s.Reopen()
	}
	b = open(t, s, anchored(s, marks, now, w))
	record(t, b, "org_b", daybook.Request{Events: texts(0, 3)}) // beyond its anchor
	for _, org := range []daybook.OrgID{"org_a", "org_b", "org_c"} {
		if r := checkAnchored(t, b, org, ""); r.Anchored == 0 {
			t.Errorf("%s is not anchored: %+v", org, r)
		}
	}
	note, err := anchorNote(t, b)
	if err != nil || !strings.HasPrefix(string(note), "audit.example.com/anchor\n7\n") || !strings.HasSuffix(string(note), "\n— witness.example.com AAAAAWl0\n") {
		t.Errorf("%v\n%s", err, note)
	}
	if m, ok, err := marks.Mark(t.Context(), "audit.example.com/anchor"); err != nil || !ok || m.Size != 7 {
		t.Errorf("the mark of the anchor log: %+v, %v", m, err)
	}
}

// What was signed and not anchored before a crash is anchored after the next start; nothing is anchored twice.
func TestAnchor_afterRestart(t *testing.T) {
	t.Parallel()
	now, marks, s := newClock(), storetest.Marks(), storetest.Memory()
	b := open(t, s, signing(marks, now))
	record(t, b, "org_a", daybook.Request{Events: texts(0, 3)})
	if err := b.Close(); err != nil { // signed, not anchored
		t.Fatal(err)
	}
	for range 2 {
		now.move(time.Minute)
		s = s.Reopen()
		b = open(t, s, anchored(s, marks, now))
		if _, err := b.FrozenLogs(t.Context()); err != nil { // it has looked at every log
			t.Fatal(err)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s = s.Reopen()
	b = open(t, s, anchored(s, marks, now))
	checkAnchored(t, b, "org_a", "")
	if note, err := anchorNote(t, b); err != nil || !strings.HasPrefix(string(note), "audit.example.com/anchor\n1\n") {
		t.Errorf("%v\n%s", err, note)
	}
}

// An anchor log that is not what was signed of it grows no more; the logs themselves go on.
func TestAnchor_rollback(t *testing.T) {
	t.Parallel()
	now, marks, s, docs := newClock(), storetest.Marks(), storetest.Memory(), storetest.Memory()
	var older *storetest.MemoryStore
	for range 3 {
		b := open(t, s, anchored(docs, marks, now))
		record(t, b, "org_a", daybook.Request{Events: texts(0, 3)})
		now.move(time.Minute)
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		s = s.Reopen()
		if older == nil {
			older = docs.Copy()
		}
	}
	b := open(t, s, anchored(older, marks, now))
	record(t, b, "org_a", daybook.Request{Events: texts(3, 1)})
	if c := checkpoint(t, b, "org_a"); c.Size != 10 {
		t.Errorf("signed %+v", c)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if m, _, err := marks.Mark(t.Context(), "audit.example.com/anchor"); err != nil || m.Size != 3 {
		t.Errorf("the mark is %+v, %v", m, err)
	}
	s = s.Reopen()
	b = open(t, s, anchored(older, marks, now))
	for _, want := range []bool{true, false} {
		if renewed, err := b.RenewAnchors(t.Context()); renewed != want || err != nil {
			t.Errorf("renewed: %v, %v, want %v", renewed, err, want)
		}
	}
	record(t, b, "org_a", daybook.Request{Events: texts(4, 1)})
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = open(t, s.Reopen(), anchored(older, marks, now))
	if r := checkAnchored(t, b, "org_a", ""); r.Anchored != 11 {
		t.Errorf("after a new anchor log: %+v", r)
	}
	if note, err := anchorNote(t, b); err != nil || !strings.HasPrefix(string(note), "audit.example.com/anchor/1\n1\n") {
		t.Errorf("%v\n%s", err, note)
	}
}

// A step of the documents that goes wrong delays an anchor and loses none.
func TestAnchor_faults(t *testing.T) {
	t.Parallel()
	for _, step := range []storetest.Step{storetest.StepGet, storetest.StepPut} {
		for _, fault := range storetest.Faults() {
			for n := 1; n <= 6; n++ {
				t.Run(string(step)+" "+fault.String(), func(t *testing.T) {
					t.Parallel()
					now, marks, s, docs := newClock(), storetest.Marks(), storetest.Memory(), storetest.Memory()
					faulty := storetest.Faulty(docs, storetest.Once(step, n, fault))
					faulty.Delay = time.Millisecond
					for round := range 4 {
						b := open(t, s, anchored(faulty, marks, now))
						record(t, b, "org_a", daybook.Request{Events: texts(round, 3)})
						now.move(time.Minute)
						if err := b.Close(); err != nil {
							t.Fatal(err)
						}
						s = s.Reopen()
					}
					faulty.Heal()
					b := open(t, s, anchored(docs, marks, now))
					if r := checkAnchored(t, b, "org_a", ""); r.Anchored == 0 {
						t.Errorf("not anchored: %+v", r)
					}
				})
			}
		}
	}
}

// anchorNote returns the newest checkpoint of the anchor log.
func anchorNote(t *testing.T, b *daybook.Book) ([]byte, error) {
	t.Helper()
	a, err := b.Anchors(t.Context())
	if err != nil {
		return nil, err
	}
	return a.Note, nil
}
