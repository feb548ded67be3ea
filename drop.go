package daybook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/internal/checkpoint"
)

// DropRequest asks that an organization is removed with all its logs.
type DropRequest struct {
	Org OrgID
	// HandOver gets how every log ended, oldest epoch first: nothing is recorded any more, and nothing has gone. What it keeps, durable when
	// it returns, is all that stays of the logs. After an error nothing goes and recording goes on. It must not use the org's logs.
	HandOver func(ctx context.Context, last []LastHead) error
}

// LastHead is how a log ended.
type LastHead struct {
	Epoch  int
	Size   int64
	Root   tlog.Hash
	Origin string // empty: nothing was ever signed
	Vkey   string // of the newest key that signed it; empty: unknown
	Note   []byte // its newest checkpoint, of Size unless the log was frozen; nil: there is none
}

// errDropping is why nothing is recorded in a log that is being dropped.
var errDropping = errors.New("daybook: the organization is being erased")

// errOrgErasing refuses what would make a log of an org whose logs are being dropped.
func errOrgErasing(org OrgID) error {
	return &Error{Code: CodeConflict, Rule: "org_erasing", Message: truncate(string(org), 128) + " is being erased: wait until that is done", Err: errDropping}
}

// DropOrg ends all logs of an org and has them removed: entries, blocks, filters, checkpoints, idempotency keys. When it returns, that is
// durably decided, nobody reads or records there any more, and a job of this Book removes the bytes, over restarts; [Book.FinishDrop]
// waits for it. Afterwards the org is unknown, and a log made for it is another one, with an origin of its own.
//
// The error is CodeConflict with rule on_hold while a hold is in force, and CodeNotFound for an org without a log. An org that is being
// dropped already is no error, and HandOver is not called. What a crash leaves behind: before the logs are closed, logs as they were;
// after it, logs that the next Open goes on dropping.
func (b *Book) DropOrg(ctx context.Context, r DropRequest) error {
	if !r.Org.Valid() {
		return errInvalidOrg(r.Org)
	}
	switch heads, err := b.closedLogs(ctx, r.Org); {
	case err != nil:
		return err
	case len(heads) > 0: // by an earlier call, whose outcome was perhaps unknown
		b.forgetLogs(r.Org, heads)
		return nil
	}
	_, err := again(ctx, func() (struct{}, error) {
		a, _, err := b.lockActs(ctx, r.Org)
		if err != nil {
			return struct{}{}, err
		}
		defer a.unlock()
		return struct{}{}, b.dropOrg(ctx, &r)
	})
	if err != nil {
		return fmt.Errorf("erase %s: %w", r.Org, err)
	}
	return nil
}

// Dropping reports whether logs of org are being dropped.
func (b *Book) Dropping(ctx context.Context, org OrgID) (bool, error) {
	if !org.Valid() {
		return false, errInvalidOrg(org)
	}
	heads, err := b.closedLogs(ctx, org)
	return len(heads) > 0, err
}

// closedLogs returns the heads of org's closed logs.
func (b *Book) closedLogs(ctx context.Context, org OrgID) ([]Head, error) {
	heads, err := b.store.Epochs(ctx, org)
	if err != nil {
		return nil, fmt.Errorf("read the epochs of %s: %w", org, err)
	}
	return slices.DeleteFunc(heads, func(h Head) bool { return h.State != LogClosed }), nil
}

// forgetLogs lets nobody find logs that were closed in the store, and has the merger drop them.
func (b *Book) forgetLogs(org OrgID, heads []Head) {
	s := b.shardOf(org)
	s.closeLogs(org, heads)
	b.merger.dropSoon(heads)
	s.announce()
}

// dropOrg is DropOrg for who has the turn of the newest log's acts: no hold is placed meanwhile.
func (b *Book) dropOrg(ctx context.Context, r *DropRequest) error {
	held, err := b.Holds(ctx, r.Org)
	if err != nil {
		return err
	}
	var ids []string
	for i := range held {
		if held[i].ReleasedAt == 0 {
			ids = append(ids, held[i].ID)
		}
	}
	if len(ids) > 0 {
		return &Error{Code: CodeConflict, Rule: "on_hold", Message: "a hold keeps what is to be erased: " + strings.Join(ids[:min(len(ids), 10)], ", ")}
	}
	s := b.shardOf(r.Org)
	heads, err := b.store.Epochs(ctx, r.Org)
	if err != nil {
		return fmt.Errorf("read the epochs of %s: %w", r.Org, err)
	}
	newest := s.logOf(heads[len(heads)-1])
	s.mu.Lock()
	ending := newest.frozen == nil
	if ending {
		newest.frozen = errDropping
	}
	s.mu.Unlock()
	last, err := b.lastHeads(ctx, s, heads, ending)
	if err == nil && r.HandOver != nil {
		err = r.HandOver(ctx, last)
	}
	if err == nil {
		err = b.endsAt(ctx, s, newest, last[len(last)-1].Size)
	}
	if err != nil {
		s.mu.Lock()
		if ending {
			newest.frozen = nil
		}
		s.mu.Unlock()
		return err
	}
	// An unknown outcome leaves a log in which nothing is recorded; the next call, or the next Open, finds out.
	if err := b.store.CloseLogs(ctx, r.Org); err != nil {
		return s.refusal(err)
	}
	b.forgetLogs(r.Org, heads)
	b.o.Logger.WarnContext(ctx, "the logs of an organization are being dropped", slog.String("org", string(r.Org)), slog.Int("logs", len(heads)))
	return nil
}

// endsAt returns an error when another process has recorded in t since it was handed over at a size: an entry, which would be lost without
// a word, or a hold. What it records in the moment between this look and the closing is lost all the same.
//
// BUG: nothing compares in that moment. It is as long as one call of the store, unless this process is stopped just then.
func (b *Book) endsAt(ctx context.Context, s *shard, t *logTail, size int64) error {
	if b.fleet == nil {
		return nil
	}
	if err := b.fleet.refresh(ctx, s); err != nil {
		return err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if t.size == size {
		return nil
	}
	return errActsMoved
}

// lastHeads returns how the logs of heads ended, of which the newest takes nothing any more. With sign its head is signed a last time.
func (b *Book) lastHeads(ctx context.Context, s *shard, heads []Head, sign bool) ([]LastHead, error) {
	var last []LastHead
	for i := range heads {
		t := s.logOf(heads[i])
		var l LastHead
		err := s.between(ctx, func() { // whatever was being committed is in the picture
			s.mu.RLock()
			defer s.mu.RUnlock()
			l = LastHead{Epoch: t.epoch, Size: t.size, Root: t.tree.Root()}
		})
		if err == nil && b.signer != nil {
			err = b.signer.lastNote(ctx, s, t, &l, sign && i == len(heads)-1 && heads[i].State == LogOpen)
		}
		if err != nil {
			return nil, err
		}
		last = append(last, l)
	}
	return last, nil
}

// lastNote completes l with what is signed of t.
func (g *signer) lastNote(ctx context.Context, s *shard, t *logTail, l *LastHead, sign bool) error {
	if err := t.sig.lock(ctx); err != nil {
		return err
	}
	defer t.sig.unlock()
	l.Origin = g.origin(t)
	keys, err := g.logKeys(ctx, s, t)
	if err != nil && !isRule(err, "master_key") {
		return err
	}
	if ours := err == nil; ours {
		l.Vkey = keys[len(keys)-1].Vkey()
	} else {
		sign = false
	}
	if sign {
		c, err := g.signHead(ctx, s, t)
		if err == nil {
			l.Note = c.Note
		}
		if err == nil || !frozenBy(err) { // what was rolled back may be erased all the same: it ends with what was signed before
			return err
		}
	}
	c, stored, err := g.b.storedNote(ctx, t, 0, newestSize)
	if stored {
		l.Note = c.Note
	}
	return err
}

// closeLogs lets nobody find the logs of heads any more. Their entries stay until the merger has dropped them.
func (s *shard) closeLogs(org OrgID, heads []Head) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.orgs, org)
	for i := range heads {
		s.gone[heads[i].Log] = struct{}{}
		if t := s.logs[heads[i].Log]; t != nil {
			s.closeLog(t)
		}
	}
}

// closeLog lets nobody find t any more. The caller holds mu.
func (s *shard) closeLog(t *logTail) {
	s.gone[t.no] = struct{}{}
	if s.orgs[t.org] == t {
		delete(s.orgs, t.org)
	}
	t.head.State = LogClosed
	if t.frozen == nil {
		t.frozen = errDropping
	}
}

// dropping is one closed log that the merger has to drop.
type dropping struct {
	log    LogNo
	org    OrgID
	id     [10]byte
	told   bool  // whoever keeps copies has removed them
	folded bool  // nothing of it is in commits
	at     int64 // not before this time, µs
}

// drops is what the merger has to drop.
type drops struct {
	queue []*dropping // guarded by the merger's mu
}

func (d *drops) add(h *Head) {
	if !d.has(h.Log) {
		d.queue = append(d.queue, &dropping{log: h.Log, org: h.Org, id: h.LogID})
	}
}

func (d *drops) has(log LogNo) bool {
	return slices.ContainsFunc(d.queue, func(x *dropping) bool { return x.log == log })
}

// dropSoon says that logs were closed.
func (m *merger) dropSoon(heads []Head) {
	m.closedMu.Lock()
	m.closed = append(m.closed, heads...)
	m.closedMu.Unlock()
	m.wake()
}

// takeClosed queues what was closed since the last time.
func (m *merger) takeClosed() {
	m.closedMu.Lock()
	defer m.closedMu.Unlock()
	for i := range m.closed {
		m.drops.add(&m.closed[i])
	}
	m.closed = nil
}

// dropsIn returns how long no log is to be dropped; a negative time: there is none.
func (m *merger) dropsIn(now int64) time.Duration {
	wait := time.Duration(-1)
	for _, d := range m.drops.queue {
		in := max(0, time.Duration(d.at-now)*time.Microsecond)
		if wait < 0 || in < wait {
			wait = in
		}
	}
	return wait
}

// dropStep drops a part of a closed log.
func (m *merger) dropStep(ctx context.Context) (worked bool, err error) {
	m.takeClosed()
	now := m.b.now()
	for _, d := range m.drops.queue {
		if d.at > now {
			continue
		}
		err := m.dropPart(ctx, d)
		switch {
		case err == nil, errors.Is(err, ErrBroken), ctx.Err() != nil:
		default: // the tail must go on, whatever is wrong with this log
			d.at = now + removalRetry.Microseconds()
			m.b.o.Logger.ErrorContext(ctx, "dropping a log failed", slog.Int64("log", int64(d.log)), slog.Any("error", err), slog.Duration("retry_in", removalRetry))
			err = nil
		}
		return true, err
	}
	return false, nil
}

// dropText is what stands beside the high-water marks of a log that was dropped.
const dropText = `{"op":"drop"}`

// dropPart does the next part of d. Each part is safe to repeat, and a crash after any of them leaves a closed log, which the next start
// finds: its head goes last.
func (m *merger) dropPart(ctx context.Context, d *dropping) error {
	switch {
	case !d.told:
		if there, err := m.stillClosed(ctx, d); err != nil || !there {
			return err
		}
		if g := m.b.signer; g != nil {
			r := Removal{Origin: checkpoint.Origin(m.b.o.Origin, d.id), Seq: -1, Text: dropText, At: m.b.now()}
			if err := m.b.o.HighWater.AddRemoval(ctx, r); err != nil {
				return fmt.Errorf("list that log %d is dropped: %w", d.log, err)
			}
		}
		if m.b.o.Dropped != nil {
			if err := m.b.o.Dropped(ctx, d.org); err != nil {
				return fmt.Errorf("remove what else is kept of %s: %w", d.org, err)
			}
		}
		d.told = true
		return nil
	case !d.folded:
		return m.foldDropped(ctx, d)
	}
	gone, err := m.b.store.DropLog(ctx, d.log)
	if err != nil || !gone {
		return err
	}
	if err := m.scrub(ctx); err != nil {
		return err
	}
	m.b.shardOf(d.org).dropped(d.log)
	delete(m.stale, d.log)
	m.drops.queue = slices.DeleteFunc(m.drops.queue, func(x *dropping) bool { return x == d })
	m.b.o.Logger.InfoContext(ctx, "a log was dropped", slog.Int64("log", int64(d.log)))
	return nil
}

// stillClosed reports whether the log of d is there and closed: another process may have dropped it. Then d is not queued any more.
func (m *merger) stillClosed(ctx context.Context, d *dropping) (bool, error) {
	if m.lease == nil {
		return true, nil
	}
	heads, err := m.b.store.LogHeads(ctx, []LogNo{d.log})
	if err != nil && !errors.Is(err, ErrNotExist) {
		return false, fmt.Errorf("read the head of log %d: %w", d.log, err)
	}
	if err == nil && heads[0].State == LogClosed {
		return true, nil
	}
	m.drops.queue = slices.DeleteFunc(m.drops.queue, func(x *dropping) bool { return x == d })
	return false, nil
}

// foldDropped takes the last entries of d out of the commits, which hold those of others too, and forgets what is known of d.
func (m *merger) foldDropped(ctx context.Context, d *dropping) error {
	s := m.b.shardOf(d.org)
	if err := m.mergeTail(ctx, s); err != nil {
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
	m.openPieces -= len(m.open[d.log])
	delete(m.open, d.log)
	clear(m.days)
	m.debts.drop(d.log)
	m.owed.Store(m.debts.entries())
	m.removals.queue = slices.DeleteFunc(m.removals.queue, func(r *removal) bool { return r.log == d.log })
	m.pendingCount.Store(int64(len(m.removals.queue)))
	m.b.cache.forget(d.log)
	m.b.nodes.ForgetRuns(int64(d.log))
	m.b.actsMu.Lock()
	delete(m.b.actsOf, d.log)
	m.b.actsMu.Unlock()
	d.folded = true
	return nil
}

// drop forgets the windows of a log.
func (d *debts) drop(log LogNo) {
	for i := range d.byCount {
		d.byCount[i] = slices.DeleteFunc(d.byCount[i], func(w window) bool { return w.log == log })
	}
	for _, known := range []map[window]struct{}{d.known, d.unreadable} {
		for w := range known {
			if w.log == log {
				delete(known, w)
			}
		}
	}
}

// dropped says that nothing is left of a log.
func (s *shard) dropped(log LogNo) {
	s.mu.Lock()
	if t := s.logs[log]; t != nil && s.orgs[t.org] == t {
		delete(s.orgs, t.org)
	}
	delete(s.logs, log)
	s.mu.Unlock()
	s.b.actsMu.Lock()
	defer s.b.actsMu.Unlock()
	delete(s.b.actsOf, log)
}

// FinishDrop drops what is closed of org's logs now, and returns when their bytes are gone from the store, as far as it rules over them,
// or with the first error: then the job goes on later. It is safe to repeat, and nothing to do is no error.
func (b *Book) FinishDrop(ctx context.Context, org OrgID) error {
	for {
		heads, err := b.closedLogs(ctx, org)
		if err != nil || len(heads) == 0 {
			return err
		}
		for i := range heads {
			if err := b.merger.dropNow(ctx, &heads[i]); err != nil {
				return fmt.Errorf("erase %s: %w", org, err)
			}
		}
	}
}

// dropNow does the next part of dropping a log.
func (m *merger) dropNow(ctx context.Context, h *Head) error {
	return m.alone(ctx, func() error {
		m.drops.add(h)
		for _, d := range m.drops.queue {
			if d.log == h.Log {
				return m.dropPart(ctx, d)
			}
		}
		return nil
	})
}
