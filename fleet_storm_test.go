package daybook_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/storetest"
)

// storm is a load on several processes, some of which die, sleep or have wrong clocks.
type storm struct {
	generous bool // everybody gets every lease: several merge at once
	skew     time.Duration
	stops    bool // a process sleeps now and then, past its leases
	kills    bool // a process dies now and then, and another one begins
	calls    int
}

// Whatever happens to processes that share a store, nothing that was acknowledged is lost, doubled, or found in another place, and
// everything recomputed agrees.
func TestFleet_storm(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]storm{
		"calm":                         {},
		"clocks are wrong":             {skew: 11 * time.Minute},
		"processes sleep":              {stops: true},
		"processes die":                {kills: true},
		"several merge":                {generous: true},
		"several merge, sleep and die": {generous: true, stops: true, kills: true, skew: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s.calls = 60
			if nightly {
				s.calls = 2000
			}
			s.run(t)
		})
	}
}

func (s *storm) run(t *testing.T) {
	t.Helper()
	f := newFleet()
	h := storetest.NewHistory(storetest.Load{Seed: rand.Uint64(), Start: time.Now().UnixMicro(), Writers: 6, Orgs: 3})
	h.Fsck = f.fsck()
	t.Logf("seed %d", h.Load.Seed)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var others sync.WaitGroup
	var procs [3]*process
	for i := range procs {
		procs[i] = &process{f: f, s: s, skew: time.Duration(i-1) * s.skew}
		procs[i].begin(t)
		others.Go(func() { procs[i].live(ctx, t) })
	}
	others.Go(func() { s.keep(ctx, t, procs[0], procs[1]) })
	var writers sync.WaitGroup
	for w := range h.Load.Writers {
		writers.Go(func() {
			p := procs[w%len(procs)]
			for no := h.Next(w); no < s.calls && ctx.Err() == nil; no = h.Next(w) {
				alive, b := p.now()
				h.Load.Write(alive, b, w, no, no+1, 0, func(a storetest.Answer) {
					if err := h.Add(a); err != nil {
						t.Error(err)
						cancel()
					}
				})
			}
		})
	}
	writers.Wait()
	cancel()
	others.Wait()
	last := f.book(t)
	if err := h.Settle(t.Context(), last); err != nil {
		t.Error(err)
	}
	if err := last.Settle(t.Context()); err != nil {
		t.Errorf("settle: %v", err)
	}
	for _, p := range procs {
		p.end(t)
	}
	if err := last.Close(); err != nil {
		t.Error(err)
	}
	h.Check(t, f.Reopen())
}

// process is one after the other in the place of one.
type process struct {
	f    *fleet
	s    *storm
	skew time.Duration

	mu   sync.Mutex
	node *node
	b    *daybook.Book
	dead []*daybook.Book
	ctx  context.Context //nolint:containedctx // ends with the process
	die  context.CancelFunc
}

// now returns the Book, and what ends with its process.
func (p *process) now() (context.Context, *daybook.Book) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ctx, p.b
}

func (p *process) book() *daybook.Book {
	_, b := p.now()
	return b
}

func (p *process) begin(t *testing.T) {
	t.Helper()
	n := newNode(p.f.MemoryStore)
	n.generous = p.s.generous
	b, err := daybook.Open(t.Context(), n, p.f.options(p.skew))
	if err != nil {
		t.Error(err)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.node, p.b = n, b
	p.ctx, p.die = context.WithCancel(t.Context())
}

// live lets what the storm has happen to the process.
func (p *process) live(ctx context.Context, t *testing.T) {
	t.Helper()
	r := rand.New(rand.NewPCG(rand.Uint64(), 1))
	for {
		tick := time.NewTimer(time.Duration(20+r.IntN(60)) * time.Millisecond)
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
		switch what := r.IntN(6); {
		case what == 0 && p.s.kills:
			_ = p.node.Close() // from here on it does nothing more; its goroutines end with the test
			p.die()
			p.dead = append(p.dead, p.b)
			p.begin(t)
		case what == 1 && p.s.stops:
			goOn := p.node.stop()
			<-time.After(leaseTime + leaseTime/2)
			goOn()
		case what == 2:
			settling, done := context.WithTimeout(ctx, 5*leaseTime)
			_ = p.book().Settle(settling) // others may be at it
			done()
		default:
			p.read(ctx, t, daybook.OrgID(fmt.Sprint("org_", r.IntN(3))))
		}
	}
}

// read reads a log: an error is an answer, another entry than the next is none.
func (p *process) read(ctx context.Context, t *testing.T, org daybook.OrgID) {
	t.Helper()
	next := int64(0)
	for e, err := range p.book().Events(ctx, daybook.EventQuery{Org: org, Asc: true}) {
		if err != nil {
			return
		}
		if e.Seq != next {
			t.Errorf("read entry %d of %s instead of %d", e.Seq, org, next)
			return
		}
		next++
	}
}

// keep places and releases holds on one process while another erases: what a hold that was acknowledged covers, and was not erased before,
// stays as long as it does.
func (s *storm) keep(ctx context.Context, t *testing.T, holder, eraser *process) {
	t.Helper()
	const org = "org_kept"
	storm := ctx
	for n := 0; storm.Err() == nil; n++ {
		ctx, done := context.WithTimeout(storm, 10*leaseTime)
		defer done()
		res, err := holder.book().RecordJSON(ctx, org, daybook.Request{Events: [][]byte{fmt.Appendf(nil, `{"action":"note.written","actor":{"type":"user","id":"u%d"},"reason":"secret %d"}`, n, n)}})
		if err != nil {
			continue
		}
		seq := res.Receipts[0].Seq
		actor := fmt.Sprint("u", n)
		var both sync.WaitGroup
		var hold daybook.Hold
		var held, erased error
		both.Go(func() {
			hold, held = holder.book().PlaceHold(ctx, daybook.HoldRequest{Org: org, Text: "actor:" + actor, Reason: "case", By: officer})
		})
		both.Go(func() {
			_, erased = eraser.book().Erase(ctx, daybook.EraseRequest{Org: org, Actor: &daybook.Party{Type: "user", ID: actor}, Whole: true, Reason: "asked", By: officer})
		})
		both.Wait()
		if held != nil || ctx.Err() != nil {
			continue
		}
		before := shown(ctx, holder.book(), org, seq)
		if before == "" {
			continue // nobody can say; or it was erased before the hold was placed
		}
		_ = eraser.book().Settle(ctx)
		if after := shown(ctx, holder.book(), org, seq); after != before && after != "" {
			t.Errorf("hold %s was placed (erased: %v), and entry %d went from %q to %q", hold.ID, erased, seq, before, after)
			return
		}
		_, _ = holder.book().ReleaseHold(ctx, org, hold.ID, "over", officer)
	}
}

// shown returns what a consistent read shows of an entry: its payload, "gone", or nothing if it fails.
func shown(ctx context.Context, b *daybook.Book, org daybook.OrgID, seq int64) string {
	e, err := b.EntryAt(daybook.Consistent(ctx), org, seq)
	switch {
	case err != nil:
		return ""
	case !bytes.Contains(e.Payload, []byte("secret")):
		return "gone"
	default:
		return strings.Clone(string(e.Payload))
	}
}

// end closes the Book and those that died before.
func (p *process) end(t *testing.T) {
	t.Helper()
	for _, b := range append(p.dead, p.b) {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
}
