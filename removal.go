package daybook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/daybook-audit/daybook/internal/checkpoint"
	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/query"
)

// What erase and prune entries name is removed by the merger: it alone swaps blocks. A control entry is durable before anything is
// removed, and its slip says until when it was not carried out, so that a crash at any step leaves the rest of the work to the next
// start.

// Bounds of one step of a removal.
const (
	removalBlocks = 64
	removalRetry  = time.Minute // after a failure
	heldRetry     = time.Hour   // while a hold keeps something; releasing it comes first
	surveyLogs    = 256
)

// removal is one control entry that is to be carried out.
type removal struct {
	log  LogNo
	seq  int64
	next int64 // everything below is carried out, or kept for a hold
	lost int64 // the runs below have lost their hashes, if they are to
	held bool  // something was kept

	changed bool  // a block was rewritten
	clear   bool  // nothing of it is left in blocks, so that nobody reads it
	at      int64 // not before this time, µs
}

// pendingRemovals is what the merger has to carry out. It is guarded by the merger's mu.
type pendingRemovals struct {
	queue    []*removal
	surveyed bool  // the slips of every log were read
	after    LogNo // as far as they were
	builder  removalBuilder
}

// removalBuilder is the working memory of a removal.
type removalBuilder struct {
	doc    *leaf.Doc
	record query.Record
	days   dayTally
}

// add queues the removal of a control entry, once.
func (p *pendingRemovals) add(log LogNo, seq int64) {
	for _, r := range p.queue {
		if r.log == log && r.seq == seq {
			return
		}
	}
	p.queue = append(p.queue, &removal{log: log, seq: seq})
}

// retryHeld says that a hold was released.
func (m *merger) retryHeld() {
	m.released.Store(true)
	m.wake()
}

// removalsIn returns how long no removal is to be tried; a negative time: there is none.
func (m *merger) removalsIn(now int64) time.Duration {
	if !m.removals.surveyed {
		return 0
	}
	wait := time.Duration(-1)
	for _, r := range m.removals.queue {
		in := max(quietPeriod, time.Duration(r.at-now)*time.Microsecond)
		if wait < 0 || in < wait {
			wait = in
		}
	}
	return wait
}

// removeStep carries out a part of a removal, or looks for some that an earlier process has left.
func (m *merger) removeStep(ctx context.Context) (worked bool, err error) {
	if !m.removals.surveyed {
		return true, m.surveyRemovals(ctx)
	}
	if err := m.takeLookAt(ctx); err != nil {
		return true, err
	}
	if m.released.Swap(false) {
		for _, r := range m.removals.queue {
			r.at, r.next, r.lost = 0, 0, 0
		}
	}
	now := m.b.now()
	for _, r := range m.removals.queue {
		if r.at > now {
			continue
		}
		worked, err := m.remove(ctx, r)
		switch {
		case err == nil && !worked:
			continue // somebody else decides about this log just now
		case err == nil, errors.Is(err, ErrBroken), ctx.Err() != nil:
		case errors.Is(err, ErrSwapped), errors.Is(err, ErrNotExist):
			r.next, r.lost, err = 0, 0, nil
			r.at = now + quietPeriod.Microseconds()
		default: // the tail must go on, whatever is wrong with this log
			r.next, r.lost, r.at = 0, 0, now+removalRetry.Microseconds()
			m.b.o.Logger.ErrorContext(ctx, "removal failed", slog.Int64("log", int64(r.log)), slog.Int64("seq", r.seq), slog.Any("error", err),
				slog.Duration("retry_in", removalRetry))
			err = nil
		}
		m.countRemovals()
		return true, err
	}
	return false, nil
}

// surveyRemovals finds what was not carried out before the restart.
func (m *merger) surveyRemovals(ctx context.Context) error {
	p := &m.removals
	heads, err := m.b.store.Logs(ctx, p.after, surveyLogs)
	if err != nil {
		return fmt.Errorf("list logs after %d: %w", p.after, err)
	}
	for i := range heads {
		if heads[i].State == LogClosed {
			m.drops.add(&heads[i])
		} else if err := m.findRemovals(ctx, heads[i].Log); err != nil {
			return err
		}
		p.after = heads[i].Log
	}
	p.surveyed = len(heads) == 0
	return nil
}

// findRemovals queues what the slips of one log say is not carried out. Damaged slips are left to Fsck to name: they hold up no other log.
func (m *merger) findRemovals(ctx context.Context, log LogNo) error {
	slips, err := m.b.controlSlips(ctx, log)
	if damagedStore(err) {
		m.b.o.Logger.ErrorContext(ctx, "what is to be removed from a log is not known", slog.Int64("log", int64(log)), slog.Any("error", err))
		return nil
	}
	if err != nil {
		return err
	}
	for _, s := range slips {
		if s.removes && s.done == 0 {
			m.removals.add(log, s.seq)
		}
	}
	m.countRemovals()
	return nil
}

// remove carries out some blocks of r, or what is left after the last one. It has the turn of the log's acts meanwhile: a hold that is
// placed comes before or after.
func (m *merger) remove(ctx context.Context, r *removal) (worked bool, err error) {
	a := m.b.acts(r.log)
	if !a.tryLock() {
		return false, nil
	}
	defer a.unlock()
	v, err := m.freshView(ctx, r.log)
	if m.lease != nil && errors.Is(err, ErrNotExist) { // another process has dropped the log
		m.removals.queue = slices.DeleteFunc(m.removals.queue, func(x *removal) bool { return x == r })
		return true, nil
	}
	if err != nil {
		return true, err
	}
	a.mu.Lock()
	err = a.catchUp(ctx, m.b, &v)
	a.mu.Unlock()
	if err != nil {
		return true, err
	}
	es, err := m.b.entries(ctx, v, r.seq, r.seq+1)
	if err != nil {
		return true, fmt.Errorf("read control entry %d: %w", r.seq, err)
	}
	text, err := es[0].Remainder()
	if err != nil {
		return true, ofStored(err)
	}
	c, err := parseControl(text)
	if err != nil {
		return true, err
	}
	from, holds, err := m.removesFrom(ctx, r, c, a, &v.head)
	if err != nil {
		return true, err
	}
	m.plan(&v.head)
	m.plan(from)
	defer m.dropScratch()
	more, err := m.removeBlocks(ctx, r, c, from, holds)
	if err == nil && !more && c.Op == opPrune && c.form() == kept.FormNone {
		more, err = m.loseRuns(ctx, r, c, from, holds)
	}
	if err != nil || more {
		return true, err
	}
	r.clear = true
	if r.held {
		r.held, r.next, r.lost, r.at = false, 0, 0, m.b.now()+heldRetry.Microseconds()
		return true, nil
	}
	if err := m.finishRemoval(ctx, r, c, &v.head, from); err != nil {
		return true, err
	}
	m.removals.queue = slices.DeleteFunc(m.removals.queue, func(x *removal) bool { return x == r })
	return true, nil
}

// listRemoval lists an erasure beside the high-water marks, before it counts as complete: an older copy of the store that is restored later
// knows nothing of it. It is not listed sooner, because what is listed is carried out before a start serves anybody.
func (m *merger) listRemoval(ctx context.Context, r *removal, c *control, h *Head) error {
	if m.b.signer == nil {
		return nil
	}
	text, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("list what control entry %d removes: %w", r.seq, err)
	}
	row := Removal{Origin: checkpoint.Origin(m.b.o.Origin, h.LogID), Seq: r.seq, Text: string(text), At: m.b.now()}
	if err := m.b.o.HighWater.AddRemoval(ctx, row); err != nil {
		return fmt.Errorf("list what control entry %d removes: %w", r.seq, err)
	}
	return nil
}

// removesFrom returns the head of the log that c removes from: its own, h, or that of an epoch that has ended, and the holds that keep
// something there. What was erased before the epoch ended is erased again whatever was on hold there: a hold was asked then.
func (m *merger) removesFrom(ctx context.Context, r *removal, c *control, a *logActs, h *Head) (*Head, []*activeHold, error) {
	if c.Of == "" {
		if c.items.Last() >= min(r.seq, h.Packed) {
			return nil, nil, damaged("control entry %d names entries up to %d", r.seq, c.items.Last())
		}
		return h, a.inForce(), nil
	}
	heads, err := m.b.store.Epochs(ctx, h.Org)
	if err != nil {
		return nil, nil, fmt.Errorf("read the epochs of %s: %w", h.Org, err)
	}
	i := slices.IndexFunc(heads, func(x Head) bool { return checkpoint.Origin("", x.LogID) == "/o/"+logIDOf(c.Of) })
	if i < 0 {
		return nil, nil, damaged("control entry %d removes from %s, which is no log of this organization", r.seq, c.Of)
	}
	if c.ofItems.Last() >= heads[i].Packed { // its last entries are not merged yet
		return nil, nil, fmt.Errorf("control entry %d names entries up to %d: %w", r.seq, c.ofItems.Last(), ErrNotExist)
	}
	c.items = c.ofItems
	return &heads[i], nil, nil
}

// viewOf is the picture of a log, which need not be the newest of its org.
func (m *merger) viewOf(ctx context.Context, log LogNo) (view, error) {
	heads, err := m.b.store.LogHeads(ctx, []LogNo{log})
	if err != nil {
		return view{}, fmt.Errorf("read the head of log %d: %w", log, err)
	}
	v, err := m.b.view(ctx, heads[0].Org)
	if err == nil && v.head.Log != log {
		v = view{head: heads[0], size: heads[0].Packed, received: heads[0].LastReceived}
	}
	return v, err
}

// removeBlocks rewrites the next blocks that hold something of c and moves r.next behind them. more is false when none is left.
func (m *merger) removeBlocks(ctx context.Context, r *removal, c *control, h *Head, holds []*activeHold) (more bool, err error) {
	next, held := r.next, false
	for range removalBlocks {
		i := slices.IndexFunc(c.items, func(it leaf.Item) bool { return it.Last >= next })
		if i < 0 {
			break
		}
		meta, err := m.blockAt(ctx, h, max(next, c.items[i].First))
		if err != nil {
			m.forget(nil)
			return false, err
		}
		kept, err := m.removeFrom(ctx, c, h, meta, holds)
		if err != nil {
			m.forget(nil)
			return false, err
		}
		held = held || kept
		if next = meta.end(); m.slice.bytes >= sliceBytes/2 || m.slice.rows >= sliceRows/2 {
			break
		}
	}
	r.changed = r.changed || len(m.slice.swaps) > 0
	// A crash before this leaves what was removed in the store, and after it the store says nothing of how far r is: the next start
	// begins again with the first block and finds nothing left in it.
	if err := m.flush(ctx, nil); err != nil {
		m.forget(nil)
		return false, err
	}
	r.next, r.held = next, r.held || held
	return c.items.Last() >= next, nil
}

// blockAt returns the meta of the block that holds seq.
func (m *merger) blockAt(ctx context.Context, h *Head, seq int64) (*BlockMeta, error) {
	for meta, err := range m.b.store.Blocks(ctx, BlockQuery{Log: h.Log, From: seq, To: seq + 1}) {
		if err != nil {
			return nil, fmt.Errorf("list the block of entry %d: %w", seq, err)
		}
		return &meta, nil
	}
	return nil, damaged("no block of log %d holds entry %d", h.Log, seq)
}

// removeFrom removes from one block what c names and no hold keeps. held: something was kept.
func (m *merger) removeFrom(ctx context.Context, c *control, h *Head, meta *BlockMeta, holds []*activeHold) (held bool, err error) {
	p := piece{BlockRef: meta.BlockRef, n: meta.N, raw: meta.Raw, state: meta.State & stateSize, roots: meta.Roots}
	es, err := m.readPieces(ctx, h.Log, []piece{p})
	if err != nil {
		return false, err
	}
	b := &m.removals.builder
	b.doc = leaf.Get()
	defer leaf.Put(b.doc)
	b.days.Reset()
	changed := false
	for i := range es {
		e := &es[i]
		fields, named := fieldsOf(c.items, e.Seq)
		if !named || fields == nil && e.Kind == KindControl {
			continue
		}
		if slices.ContainsFunc(holds, func(h *activeHold) bool { return h.items.Covers(e.Seq, -1) }) {
			held = true
			continue
		}
		out, did, err := m.removeEntry(c, h.Org, e, fields)
		if err != nil {
			return held, err
		}
		if did {
			*e, changed = out, true
		}
	}
	if !changed {
		return held, nil
	}
	out := []piece{p}
	p.Gen++
	m.forgetOpen(h.Log) // they name the block that goes
	if err := m.put(ctx, nil, &newBlock{head: h, into: p, out: out, entries: es, fresh: len(es)}); err != nil {
		return held, err
	}
	m.slice.count(h.Log, &b.days)
	return held, nil
}

// forgetOpen forgets the pieces of a log's last window.
func (m *merger) forgetOpen(log LogNo) {
	m.openPieces -= len(m.open[log])
	delete(m.open, log)
}

// fieldsOf returns the fields that items name of the entry at seq; nil with named: all of it.
func fieldsOf(items leaf.Items, seq int64) (fields []int, named bool) {
	i, _ := slices.BinarySearchFunc(items, seq, func(it leaf.Item, seq int64) int {
		if it.Last < seq {
			return -1
		}
		return 1
	})
	if i == len(items) || items[i].First > seq {
		return nil, false
	}
	return items[i].Fields, true
}

// removeEntry returns e without what c names of it, and moves what the days count.
func (m *merger) removeEntry(c *control, org OrgID, e *kept.Entry, fields []int) (kept.Entry, bool, error) {
	b := &m.removals.builder
	if err := b.count(org, e, -1); err != nil {
		return *e, false, err
	}
	var out kept.Entry
	var changed bool
	var err error
	if c.Op == opPrune { // a run loses its hashes later, as a whole
		out, changed, err = e.Reduce(b.doc, min(c.form(), kept.FormHash), kept.ByRetention, c.Policy)
	} else {
		out, changed, err = e.Erase(b.doc, fields, c.Names != namesErased, kept.ByErasure, c.ErasureID)
	}
	if err != nil {
		return *e, false, fmt.Errorf("entry %d: %w", e.Seq, ofStored(err))
	}
	return out, changed, b.count(org, &out, 1)
}

// count adds an entry to the days n times, as a search of the histogram sees it.
func (b *removalBuilder) count(org OrgID, e *kept.Entry, n int64) error {
	if e.Pruned() {
		return nil
	}
	if err := readRecordWithoutID(e, org, b.doc, &b.record); err != nil {
		return err
	}
	b.days.Add(b.record.Occurred, recordedOutcome(b.doc), n)
	return nil
}

// recordedOutcome returns the outcome of the payload in d: success, if it does not say.
func recordedOutcome(d *leaf.Doc) []byte {
	for i := range d.Len() {
		if string(d.Path(i)) == "/outcome" {
			return d.Value(i)
		}
	}
	return []byte(Success)
}

// finishRemoval removes the copies that are not in blocks, and says in the log of h that c is carried out.
//
// A crash before the slip is durable leaves c to be carried out again, which changes nothing but the time of completion.
func (m *merger) finishRemoval(ctx context.Context, r *removal, c *control, h, from *Head) error {
	if err := m.purge(ctx, from, c); err != nil {
		return err
	}
	if c.Op == opErase {
		if err := m.tellErased(ctx, h, c); err != nil {
			return err
		}
		if err := m.listRemoval(ctx, r, c, h); err != nil {
			return err
		}
	}
	done := controlSlip{seq: r.seq, removes: true, done: m.b.now()}
	swaps := []Swap{{Log: h.Log, Slips: []Slip{done.slip()}}}
	m.takeTurns(swaps)
	if err := m.b.store.Replace(ctx, swaps); err != nil {
		m.forget(nil)
		return fmt.Errorf("note that control entry %d is carried out: %w", r.seq, err)
	}
	m.turned(&swaps[0])
	return m.scrub(ctx) // it also makes the slip durable
}

// purge removes what c names from everything of the store but the blocks of h, where it is gone.
func (m *merger) purge(ctx context.Context, h *Head, c *control) error {
	s := m.b.shardOf(h.Org)
	if err := m.mergeTail(ctx, s); err != nil { // the commits that hold what was removed are trimmed with the others
		return err
	}
	if !s.intact() {
		return errors.New("the commits of a frozen log cannot be dropped, and what is to be removed is among them")
	}
	s.mu.RLock()
	through := s.merged
	s.mu.RUnlock()
	if err := m.b.store.Trim(ctx, s.no, through, m.b.o.Now().Unix()/3600); err != nil { // what a crash left behind of an earlier one
		return fmt.Errorf("trim through commit %d: %w", through, err)
	}
	m.b.forgetLog(h.Log)
	if c.Op == opErase || c.form() > kept.FormLeaf { // who repeats the request would be shown what is gone
		meets := func(first int64, n int) bool {
			_, ok := c.items.Meets(leaf.Items{{First: first, Last: first + int64(n) - 1}})
			return n > 0 && ok
		}
		if err := m.b.store.DropKeys(ctx, h.Log, meets); err != nil {
			return fmt.Errorf("drop idempotency keys: %w", err)
		}
	}
	return m.scrub(ctx)
}

// tellErased tells whoever keeps copies.
func (m *merger) tellErased(ctx context.Context, h *Head, c *control) error {
	if m.b.o.Erased == nil {
		return nil
	}
	x, known := m.b.acts(h.Log).erasure(c.ErasureID)
	if !known {
		return damaged("the erasure %s is not known", c.ErasureID)
	}
	x.Items = c.Items
	if err := m.b.o.Erased(ctx, x); err != nil {
		return fmt.Errorf("remove copies of what was erased: %w", err)
	}
	return nil
}

// scrub lets the store overwrite what it has dropped.
func (m *merger) scrub(ctx context.Context) error {
	if s, ok := m.b.store.(Scrubber); ok {
		if err := s.Scrub(ctx); err != nil {
			return fmt.Errorf("scrub the store: %w", err)
		}
	}
	return nil
}
