package daybook_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/storetest"
)

// prunedLog is a log that is signed now and then, and what was true of it before anything was removed.
type prunedLog struct {
	*evidenced
	store  *storetest.MemoryStore
	marks  daybook.HighWater
	leaves []tlog.Hash
	stored []tlog.Hash // as tlog keeps hashes
	events []bool      // by seq: a producer recorded it
	signed []int64     // sizes of stored checkpoints
}

func newPruned(t testing.TB) *prunedLog {
	t.Helper()
	p := &prunedLog{store: storetest.Memory(), marks: storetest.Marks()}
	p.evidenced = &evidenced{clock: newClock()}
	p.reopen(t)
	if err := p.CreateLog(t.Context(), "org_a"); err != nil {
		t.Fatal(err)
	}
	var err error
	if p.info, err = p.LogInfo(t.Context(), "org_a"); err != nil {
		t.Fatal(err)
	}
	return p
}

// reopen closes the book, if it is open, and opens it again. Nothing is merged or signed in the background but for control entries.
func (p *prunedLog) reopen(t testing.TB) {
	t.Helper()
	if p.Book != nil {
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	o := signing(p.marks, p.clock)
	o.TailBytes, o.TailEntries, o.TailAge, o.SearchTime = 1<<40, 1<<40, 1<<60, time.Hour
	p.Book = open(t, p.store, o)
}

// ReadHashes is what tlog asks.
func (p *prunedLog) ReadHashes(at []int64) ([]tlog.Hash, error) {
	hs := make([]tlog.Hash, len(at))
	for i, x := range at {
		hs[i] = p.stored[x]
	}
	return hs, nil
}

// grow records n events, signs, and notes what the log holds by now.
func (p *prunedLog) grow(t testing.TB, n int) {
	t.Helper()
	if n > 0 {
		record(t, p.Book, "org_a", daybook.Request{Events: texts(len(p.leaves), n)})
	}
	c := checkpoint(t, p.Book, "org_a")
	for seq := int64(len(p.leaves)); seq < c.Size; seq++ {
		e, err := p.EntryAt(t.Context(), "org_a", seq)
		if err != nil {
			t.Fatal(err)
		}
		hs, err := tlog.StoredHashesForRecordHash(seq, e.LeafHash, p)
		if err != nil {
			t.Fatal(err)
		}
		p.stored, p.leaves, p.events = append(p.stored, hs...), append(p.leaves, e.LeafHash), append(p.events, e.Kind == daybook.KindEvent)
	}
	p.signed = append(p.signed, c.Size)
	p.move(time.Second)
}

// prune applies rules that leave so much of everything older than five days, and has it carried out.
func (p *prunedLog) prune(t testing.TB, leave daybook.Leave) daybook.Pruned {
	t.Helper()
	keep, err := daybook.ParsePeriod("5d")
	if err != nil {
		t.Fatal(err)
	}
	p.settle(t) // while something is to be removed, nothing more is named
	out, err := p.ApplyRetention(t.Context(), "org_a", daybook.Retention{Rules: []daybook.RetentionRule{{Keep: keep, Leave: leave}}})
	if err != nil {
		t.Fatal(err)
	}
	p.grow(t, 0)
	if p.settle(t); p.Stats().Removals != 0 {
		t.Fatalf("%d removals are not carried out", p.Stats().Removals)
	}
	return out
}

func (p *prunedLog) settle(t testing.TB) {
	t.Helper()
	settle(t, p.Book)
	if p.move(time.Second); p.Stats().Removals > 0 {
		settle(t, p.Book)
	}
}

// lost says which of the runs of 256 have lost their hashes, when everything below size is due.
func (p *prunedLog) lost(size int64) map[int64]bool {
	lost := map[int64]bool{}
	for run := int64(0); 256*(run+1) <= size; run++ {
		lost[run] = !slices.Contains(p.events[256*run:256*(run+1)], false)
	}
	return lost
}

// isPruned fails unless err says that retention has removed what was asked for.
func isPruned(t testing.TB, err error, format string, args ...any) {
	t.Helper()
	var e *daybook.Error
	if !errors.As(err, &e) || e.Code != daybook.CodeGone || e.Rule != "pruned" {
		t.Errorf(format+": %v", append(args, err)...)
	}
}

// check compares everything that the log proves with tlog. The entries below size are due.
func (p *prunedLog) check(t testing.TB, leave daybook.Leave, size int64) {
	t.Helper()
	ctx := t.Context()
	report, err := daybook.Fsck(ctx, p.store, daybook.FsckOptions{HighWater: p.marks, Origin: "audit.example.com"})
	if err != nil || len(report.Findings) > 0 || report.Entries != int64(len(p.leaves)) {
		t.Fatalf("fsck: %+v, %v", report, err)
	}
	lost := map[int64]bool{}
	if leave == daybook.LeaveTile {
		lost = p.lost(size)
	}
	p.checkConsistency(t, lost)
	end := int64(len(p.leaves))
	for seq := range end {
		gone, due := lost[seq/256], p.events[seq] && seq < size
		e, err := p.EntryAt(ctx, "org_a", seq)
		if seq%7 == 0 {
			p.checkInclusion(t, seq, gone)
		}
		if gone {
			isPruned(t, err, "entry %d", seq)
			continue
		}
		if err != nil || e.LeafHash != p.leaves[seq] || (e.Removed != daybook.NotRemoved) != due {
			t.Fatalf("entry %d: %+v, %v", seq, e, err)
		}
		if timeless := due && leave != daybook.LeaveLeaf; e.ID.IsZero() != timeless || (e.ReceivedAt == 0) != timeless {
			t.Fatalf("entry %d: %+v", seq, e)
		}
	}
	for run := range end / 256 {
		_, tileErr := p.Tile(ctx, "org_a", 0, run, 256)
		if _, err := p.EntryBundle(ctx, "org_a", run, 256); leave != daybook.LeaveLeaf && slices.Contains(p.events[min(256*run, size):min(256*(run+1), size)], true) {
			isPruned(t, err, "entry bundle %d", run)
		} else if err != nil {
			t.Errorf("entry bundle %d: %v", run, err)
		}
		if lost[run] {
			isPruned(t, tileErr, "tile %d", run)
		} else if tileErr != nil {
			t.Errorf("tile %d: %v", run, tileErr)
		}
	}
	top, err := p.Tile(ctx, "org_a", 1, 0, int(end/256))
	if err != nil || int64(len(top)) != end/256*32 {
		t.Errorf("tile of level 1: %d bytes, %v", len(top), err)
	}
}

// checkInclusion proves an entry; gone: its run has lost its hashes, and only the edge of a checkpoint beside it may prove it.
func (p *prunedLog) checkInclusion(t testing.TB, seq int64, gone bool) {
	t.Helper()
	end := int64(len(p.leaves))
	in, err := p.Inclusion(t.Context(), "org_a", seq, end)
	if gone && err != nil {
		isPruned(t, err, "inclusion of %d", seq)
		return
	}
	want, proveErr := tlog.ProveRecord(end, seq, p)
	if err != nil || proveErr != nil || in.LeafHash != p.leaves[seq] || !slices.Equal(want, in.Proof) {
		t.Fatalf("inclusion of %d: %v, %v", seq, in, err)
	}
}

// checkConsistency links every checkpoint to many sizes that have not lost their run, and to every other checkpoint of another run.
func (p *prunedLog) checkConsistency(t testing.TB, lost map[int64]bool) {
	t.Helper()
	end := int64(len(p.leaves))
	for _, from := range p.signed {
		for to := from; to <= end; to++ {
			inside := to%256 != 0 && lost[to/256]
			if signed := slices.Contains(p.signed, to); !signed && (inside || to%37 != 0) {
				continue
			}
			got, err := p.Consistency(t.Context(), "org_a", from, to)
			if inside && from/256 == to/256 && from != to && err != nil {
				isPruned(t, err, "consistency within a run, %d to %d", from, to)
				continue
			}
			want, proveErr := tlog.ProveTree(to, from, p)
			if err != nil || proveErr != nil || !slices.Equal(got, want) {
				t.Fatalf("consistency of %d with %d: %v, %v, want %v", from, to, got, err, want)
			}
		}
	}
}

func TestPrune(t *testing.T) {
	t.Parallel()
	for _, leave := range []daybook.Leave{daybook.LeaveLeaf, daybook.LeaveHash, daybook.LeaveTile} {
		t.Run(string(leave), func(t *testing.T) {
			t.Parallel()
			p := newPruned(t)
			r := rand.New(rand.NewPCG(1, uint64(len(leave))))
			for len(p.leaves) < 1100 {
				p.grow(t, 1+r.IntN(150))
				if r.IntN(4) == 0 {
					settle(t, p.Book)
				}
			}
			erase(t, p.Book, daybook.EraseRequest{Org: "org_a", Text: "seq:300", Whole: true})
			erase(t, p.Book, daybook.EraseRequest{Org: "org_a", Text: "seq:700", Paths: []string{"/actor/id"}})
			p.grow(t, 400)
			size := int64(len(p.leaves))
			p.move(10 * 24 * time.Hour)
			p.grow(t, 300)
			if out := p.prune(t, leave); out.Entries < 1500 || out.More || len(out.Seqs) == 0 {
				t.Errorf("%+v", out)
			}
			p.check(t, leave, size)
			if out := p.prune(t, leave); len(out.Seqs) != 0 {
				t.Errorf("again: %+v", out)
			}
			info, err := p.LogInfo(t.Context(), "org_a")
			if err != nil {
				t.Fatal(err)
			}
			begin := int64(0)
			for run, is := range p.lost(size) {
				if is && leave == daybook.LeaveTile {
					begin = max(begin, 256*(run+1))
				}
			}
			if info.MinIndex != begin || leave == daybook.LeaveTile && begin < 1024 {
				t.Errorf("min_index %d, want %d", info.MinIndex, begin)
			}
			p.checkBundles(t, leave, begin)
			p.reopen(t)
			p.check(t, leave, size)
			p.grow(t, 600)
			settle(t, p.Book)
			p.check(t, leave, size)
		})
	}
}

// checkBundles has both verifiers judge what is left.
func (p *prunedLog) checkBundles(t *testing.T, leave daybook.Leave, begin int64) {
	t.Helper()
	text, stat := p.bundle(t, daybook.BundleQuery{})
	notes := 0
	if begin > 0 { // of what is not even a hash any more
		notes = 1
	}
	if rep := p.accepted(t, text); rep.From != begin || len(rep.Notes) != notes || len(rep.Unexplained(0, begin)) > 0 {
		t.Errorf("%+v", rep)
	}
	p.acceptedOutside(t, text)
	if hidden := stat.Hidden > 0; hidden != (leave != daybook.LeaveLeaf) {
		t.Errorf("%+v", stat)
	}
	for _, q := range []daybook.BundleQuery{{First: begin + 3, End: begin + 100}, {Text: "action:invoice.paid"}, {Since: p.signed[:10]}} {
		text, _ := p.bundle(t, q)
		p.accepted(t, text)
	}
	if leave != daybook.LeaveTile {
		return
	}
	text, _ = p.bundle(t, daybook.BundleQuery{First: 256 * 4, End: 256 * 5}) // the run of the erase entries
	p.accepted(t, text)
	_, err := p.WriteBundle(t.Context(), &strings.Builder{}, daybook.BundleQuery{Org: "org_a", First: 5, End: 20})
	isPruned(t, err, "a bundle of what is gone")
}

func TestPrune_holds(t *testing.T) {
	t.Parallel()
	p := newPruned(t)
	p.grow(t, 900)
	settle(t, p.Book)
	h, err := p.PlaceHold(t.Context(), daybook.HoldRequest{Org: "org_a", Text: "seq:300", Reason: "litigation", By: officer})
	if err != nil {
		t.Fatal(err)
	}
	p.move(10 * 24 * time.Hour)
	if out := p.prune(t, daybook.LeaveTile); out.Held != 1 || out.Entries != 899 {
		t.Errorf("%+v", out)
	}
	begin := func(want int64) {
		t.Helper()
		if info, err := p.LogInfo(t.Context(), "org_a"); err != nil || info.MinIndex != want {
			t.Errorf("min_index %d, want %d: %v", info.MinIndex, want, err)
		}
		verify(t, p.store)
	}
	begin(256) // the run of the entry that is held ends what can go
	if e, err := p.EntryAt(t.Context(), "org_a", 300); err != nil || e.Payload == nil {
		t.Errorf("%+v, %v", e, err)
	}
	if e, err := p.EntryAt(t.Context(), "org_a", 301); err != nil || e.Removed != daybook.RemovedByRetention || !e.ID.IsZero() {
		t.Errorf("%+v, %v", e, err)
	}
	if _, err := p.ReleaseHold(t.Context(), "org_a", h.ID, "over", officer); err != nil {
		t.Fatal(err)
	}
	p.prune(t, daybook.LeaveTile)
	begin(768)
	text, _ := p.bundle(t, daybook.BundleQuery{})
	p.accepted(t, text)
}

// TestFsckPruned: what a store says wrongly about removals is found.
func TestFsckPruned(t *testing.T) {
	t.Parallel()
	findings := func(t *testing.T, p *prunedLog, code string, seq int64) {
		t.Helper()
		report, err := daybook.Fsck(t.Context(), p.store, daybook.FsckOptions{HighWater: p.marks, Origin: "audit.example.com"})
		if err != nil || len(report.Findings) == 0 || report.Findings[0].Code != code || report.Findings[0].Seq != seq {
			t.Errorf("%+v, %v", report.Findings, err)
		}
	}
	t.Run("a removal of what a hold keeps", func(t *testing.T) {
		t.Parallel()
		p := newPruned(t)
		p.grow(t, 10)
		h, err := p.PlaceHold(t.Context(), daybook.HoldRequest{Org: "org_a", Text: "seq:4..6", Reason: "r", By: officer})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.RecordControls(t.Context(), "org_a", `{"op":"prune","items":"2-5","keep":"hash","policy":"1d","by":{"type":"system","id":"retention"}}`); err != nil {
			t.Fatal(err)
		}
		findings(t, p, "hold_violated", 11)
		if _, err := p.ReleaseHold(t.Context(), "org_a", h.ID, "over", officer); err != nil {
			t.Fatal(err)
		}
		findings(t, p, "hold_violated", 11) // it was, whatever came later
	})
	for name, edge := range map[string]func(s *daybook.Slip){
		"an edge that is cut short":             func(s *daybook.Slip) { s.Bytes = s.Bytes[:len(s.Bytes)-32] },
		"a hash below the size of a checkpoint": func(s *daybook.Slip) { s.Bytes[1]++ },
		"a hash above the size of a checkpoint": func(s *daybook.Slip) { s.Bytes[len(s.Bytes)-1]++ },
		"no edge":                               func(s *daybook.Slip) { s.Bytes = nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPruned(t)
			p.grow(t, 100)
			p.grow(t, 500)
			p.move(10 * 24 * time.Hour)
			p.prune(t, daybook.LeaveTile)
			p.check(t, daybook.LeaveTile, 600)
			key := daybook.SlipKey{Kind: daybook.SlipEdge, B: 100}
			for slip, err := range p.store.Slips(t.Context(), 1, key, daybook.SlipKey{Kind: daybook.SlipEdge, B: 101}) {
				if err != nil {
					t.Fatal(err)
				}
				if edge(&slip); slip.SlipKey != key {
					t.Fatalf("%+v", slip)
				}
				if err := p.store.Replace(t.Context(), []daybook.Swap{{Log: 1, Slips: []daybook.Slip{slip}}}); err != nil {
					t.Fatal(err)
				}
			}
			findings(t, p, "checkpoint_mismatch", 99)
		})
	}
}

// Rules of one policy may leave different things. A run that holds anything that stays ends what loses its hashes.
func TestPrune_rules(t *testing.T) {
	t.Parallel()
	p := newPruned(t)
	p.grow(t, 300)
	login := []byte(`{"action":"auth.login","actor":{"type":"user","id":"u"}}`)
	record(t, p.Book, "org_a", daybook.Request{Events: [][]byte{login}})
	p.grow(t, 400)
	p.move(10 * 24 * time.Hour)
	keep := func(text string) daybook.Period {
		t.Helper()
		d, err := daybook.ParsePeriod(text)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	policy := daybook.Retention{Rules: []daybook.RetentionRule{{Match: "action:auth.*", Keep: keep("1d"), Leave: daybook.LeaveLeaf}, {Keep: keep("5d"), Leave: daybook.LeaveTile}}}
	plan, err := p.PlanRetention(t.Context(), "org_a", policy)
	if err != nil || plan.Rules[0].Entries != 1 || plan.Rules[1].Entries != 700 || plan.Rules[1].Leave != daybook.LeaveTile || plan.Kept != 0 {
		t.Errorf("%+v, %v", plan, err)
	}
	out, err := p.ApplyRetention(t.Context(), "org_a", policy)
	if err != nil || out.Entries != 701 || len(out.Seqs) != 3 {
		t.Fatalf("%+v, %v", out, err)
	}
	p.grow(t, 0)
	p.settle(t)
	for i, want := range []string{
		`{"op":"prune","items":"300","keep":"leaf","policy":"action:auth.* 1d","before":"2026-11-10T08:00:00.000000Z","count":1,"by":{"type":"system","id":"retention"}}`,
		`{"op":"prune","items":"256-299;301-700","keep":"hash","policy":"5d","before":"2026-11-06T00:00:00.000000Z","count":444,"by":{"type":"system","id":"retention"}}`,
		`{"op":"prune","items":"0-255","keep":"tile","policy":"5d","before":"2026-11-06T00:00:00.000000Z","count":256,"by":{"type":"system","id":"retention"}}`,
	} {
		if e, err := p.EntryAt(t.Context(), "org_a", out.Seqs[i]); err != nil || string(e.Payload) != want {
			t.Errorf("%s, %v", e.Payload, err)
		}
	}
	if text := entryJSON(t, p.Book, 301); !strings.HasPrefix(text, `{"org":"org_a","seq":301,"leaf_hash":"`) || !strings.HasSuffix(text, `,"removed":"retention","by":"5d"}`) {
		t.Errorf("%s", text)
	}
	if text := entryJSON(t, p.Book, 300); !strings.Contains(text, `"received_at":`) {
		t.Errorf("%s", text)
	}
	var followed int
	for step, err := range p.Follow(t.Context(), daybook.FollowQuery{Org: "org_a", From: 0}) {
		if err != nil || step.Entry.Seq != int64(followed) {
			t.Fatalf("%+v, %v", step, err)
		}
		if text := string(step.Entry.AppendJSON(nil)); followed == 7 && text != `{"org":"org_a","seq":7,"removed":"retention"}` {
			t.Errorf("%s", text)
		}
		if followed++; followed == len(p.leaves) {
			break
		}
	}
	wantHits(t, p.Book, "-is:control")
	if plan, err = p.PlanRetention(t.Context(), "org_a", policy); err != nil || plan.Rules[0].Entries != 0 || plan.Rules[1].Entries != 0 {
		t.Errorf("%+v, %v", plan, err)
	}
	bad := policy
	bad.Rules = []daybook.RetentionRule{{Keep: keep("1d"), Leave: "root"}}
	if _, err := p.PlanRetention(t.Context(), "org_a", bad); daybook.CodeOf(err) != daybook.CodeInvalid {
		t.Errorf("%v", err)
	}
}
