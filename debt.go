package daybook

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/daybook-audit/daybook/internal/packed"
)

// maxDebt is the number of entries in finished windows of several pieces from which they are rewritten even while commits come.
const maxDebt = 5_000_000

// window names a run of windowSize seqs of one log.
type window struct {
	log LogNo
	no  int64
}

// debts are finished windows that are not whole, by their number of blocks.
type debts struct {
	known      map[window]struct{}
	unreadable map[window]struct{} // given up, for Fsck to name
	byCount    [64][]window
}

func newDebts() debts { return debts{known: map[window]struct{}{}, unreadable: map[window]struct{}{}} }

// finished takes a window that is finished, with its blocks, unless they are whole.
func (d *debts) finished(log LogNo, ps []piece) {
	for i := range ps {
		if ps[i].state != stateWhole {
			d.add(window{log, ps[0].First / windowSize}, len(ps))
			return
		}
	}
}

func (d *debts) add(w window, blocks int) {
	_, known := d.known[w]
	if _, unreadable := d.unreadable[w]; known || unreadable {
		return
	}
	d.known[w] = struct{}{}
	i := min(blocks, len(d.byCount)-1)
	d.byCount[i] = append(d.byCount[i], w)
}

// take removes the window of the most blocks.
func (d *debts) take() (w window, ok bool) {
	for i := len(d.byCount) - 1; i >= 0; i-- {
		if n := len(d.byCount[i]); n > 0 {
			w, d.byCount[i] = d.byCount[i][n-1], d.byCount[i][:n-1]
			delete(d.known, w)
			return w, true
		}
	}
	return window{}, false
}

func (d *debts) entries() int64 { return int64(len(d.known)) * windowSize }

// idle does a piece of work that can wait: it makes a finished window whole, or looks for windows that were finished before this
// process began.
func (m *merger) idle(ctx context.Context) (worked bool, err error) {
	w, ok := m.debts.take()
	if !ok {
		return m.surveyStep(ctx)
	}
	if err := m.makeWhole(ctx, w); err != nil {
		m.forget(nil)
		if CodeOf(err) == CodeTampered || errors.Is(err, ErrNewer) {
			m.debts.unreadable[w] = struct{}{}
		} else if !errors.Is(err, ErrNotExist) {
			m.debts.add(w, 0) // again, after the others
		}
		m.owed.Store(m.debts.entries())
		return false, fmt.Errorf("merge entries %d to %d of log %d: %w", w.no*windowSize, (w.no+1)*windowSize-1, w.log, err)
	}
	m.owed.Store(m.debts.entries())
	return true, nil
}

// makeWhole packs the pieces of a finished window together, as many into one block as fit. A crash leaves each block as it was or as
// it is to be; windows that are not whole then are found by the next survey.
func (m *merger) makeWhole(ctx context.Context, w window) error {
	heads, err := m.b.store.LogHeads(ctx, []LogNo{w.log})
	if err != nil {
		return fmt.Errorf("read the head: %w", err)
	}
	m.plan(&heads[0])
	ps, err := m.list(ctx, w.log, w.no*windowSize, (w.no+1)*windowSize)
	if err != nil {
		return err
	}
	defer m.dropScratch()
	for len(ps) > 0 {
		n, raw := 0, 0
		for n < len(ps) && ps[n].state != stateWhole && (n == 0 || raw+ps[n].raw <= packed.MaxBytes) {
			raw += ps[n].raw
			n++
		}
		if n == 0 {
			ps = ps[1:]
			continue
		}
		es, err := m.readPieces(ctx, w.log, ps[:n])
		if err != nil {
			return err
		}
		into := join(ps[:n])
		into.state = stateWhole
		if err := m.put(ctx, nil, &newBlock{head: &heads[0], into: into, out: ps[:n], entries: es, fresh: len(es)}); err != nil {
			return err
		}
		ps = ps[n:]
	}
	return m.flush(ctx, nil)
}

// survey goes once through all logs of the store and finds the windows that an earlier process left unfinished.
type survey struct {
	done  bool
	after LogNo
	heads []Head // of the logs after it, the first one under way
	at    int64  // where in the first
}

// surveyWindows is how many windows a step looks at.
const surveyWindows = 64

func (m *merger) surveyStep(ctx context.Context) (worked bool, err error) {
	v := &m.survey
	if v.done {
		return false, nil
	}
	if len(v.heads) == 0 {
		if v.heads, err = m.b.store.Logs(ctx, v.after, 256); err != nil {
			return false, fmt.Errorf("list logs after %d: %w", v.after, err)
		}
		if len(v.heads) == 0 {
			v.done = true
			return true, nil
		}
		v.after = v.heads[len(v.heads)-1].Log
	}
	h := &v.heads[0]
	end := h.Packed / windowSize * windowSize
	from, to := v.at, min(v.at+surveyWindows*windowSize, end)
	if v.at = to; to == end {
		v.heads, v.at = v.heads[1:], 0
	}
	if from == to || h.State == LogClosed || m.drops.has(h.Log) {
		return true, nil
	}
	return true, m.surveyLog(ctx, h.Log, from, to) // what fails is left to the next start: it costs time, not correctness
}

// surveyLog looks at the finished windows of [from, to).
func (m *merger) surveyLog(ctx context.Context, log LogNo, from, to int64) error {
	ps, err := m.list(ctx, log, from, to)
	if err != nil {
		return err
	}
	for len(ps) > 0 {
		n := 1
		for n < len(ps) && ps[n].First/windowSize == ps[0].First/windowSize {
			n++
		}
		m.debts.finished(log, ps[:n])
		ps = ps[n:]
	}
	m.owed.Store(m.debts.entries())
	return nil
}

// What counts as quiet: so little was committed in a while that no commit had to wait.
const (
	quietPeriod  = 50 * time.Millisecond
	quietCommits = 8
	quietBytes   = 512 << 10
)

// load is what was committed when it was last looked at.
type load struct {
	at      int64
	commits CommitNo
	bytes   int64
	calm    bool
}

// quiet reports whether little was committed in the last full quietPeriod. It must be asked at least that often.
func (l *load) quiet(b *Book, now int64) bool {
	passed := time.Duration(now-l.at) * time.Microsecond
	if passed >= 0 && passed < quietPeriod {
		return l.calm
	}
	next := load{at: now}
	for _, s := range b.shards {
		s.mu.RLock()
		next.commits += s.last
		next.bytes += s.tailBytes
		s.mu.RUnlock()
	}
	periods := max(1, float64(passed)/float64(quietPeriod))
	next.calm = l.at != 0 && float64(next.commits-l.commits) <= quietCommits*periods && float64(next.bytes-l.bytes) <= quietBytes*periods
	*l = next
	return l.calm
}
