package daybook

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/daybook-audit/daybook/internal/checkpoint"
	"github.com/daybook-audit/daybook/leaf"
)

// A store that was restored from an older copy holds again what was erased since. The high-water store is not restored with it, and lists
// what was erased: while it opens, the Book erases it again, before anybody reads it.

// Reapplied is an erasure that was carried out again after a restore.
type Reapplied struct {
	Org     OrgID
	ID      string // of the erasure; empty: the org itself was erased, and is again
	Entries int64  // that it names, of those that the older copy holds
	// Recorded says that a control entry of the org's newest log names them. Else its log is frozen: the first entries of the next epoch
	// will name them (daybook recover).
	Recorded bool
}

// Reapplied returns what was carried out again when the Book was opened, and since.
func (b *Book) Reapplied() []Reapplied {
	b.reapplyMu.Lock()
	defer b.reapplyMu.Unlock()
	return slices.Clone(b.reapplied)
}

func (b *Book) tellReapplied(r Reapplied) {
	b.o.Logger.Warn("an erasure was carried out again after a restore", slog.String("org", string(r.Org)), slog.String("id", r.ID), slog.Int64("entries", r.Entries))
	b.reapplyMu.Lock()
	defer b.reapplyMu.Unlock()
	i := slices.IndexFunc(b.reapplied, func(x Reapplied) bool { return x.Org == r.Org && x.ID == r.ID })
	if i < 0 {
		b.reapplied = append(b.reapplied, r)
	} else {
		b.reapplied[i] = r
	}
}

// listed is one erasure as it stands beside the high-water marks: the parts of its control entries.
type listed struct {
	rows   []Removal
	acts   []*control // of rows
	target string     // origin of the log in which something was erased
}

// reapply carries out again what is listed as removed and is in the store, of org alone if it is set. What a crash leaves behind is done by
// the next Open: nothing is taken off the list, and whether something was carried out is in the store itself.
func (b *Book) reapply(ctx context.Context, org OrgID) error {
	if b.signer == nil {
		return nil
	}
	rows, err := b.o.HighWater.Removals(ctx)
	if err != nil {
		return fmt.Errorf("read what was removed: %w", err)
	}
	if len(rows) == 0 {
		return nil
	}
	heads := map[string]Head{}
	for h, err := range everyLog(ctx, b.store) {
		if err != nil {
			return err
		}
		if org == "" || h.Org == org {
			heads[checkpoint.Origin(b.o.Origin, h.LogID)] = h
		}
	}
	gone, erasures, err := readListed(rows)
	if err != nil {
		return err
	}
	for _, origin := range gone {
		if h, there := heads[origin]; there && h.State != LogClosed {
			if err := b.redrop(ctx, h.Org); err != nil {
				return err
			}
		}
	}
	for _, l := range erasures {
		if h, there := heads[l.target]; there && h.State != LogClosed {
			_, err := again(ctx, func() (struct{}, error) { return struct{}{}, b.reerase(ctx, l, h, heads) })
			if err != nil {
				return fmt.Errorf("carry out the erasure %s of %s again: %w", l.acts[0].ErasureID, h.Org, err)
			}
		}
	}
	return nil
}

// readListed returns the origins of logs that were dropped, and erasures in the order in which they stand in their logs.
func readListed(rows []Removal) (gone []string, erasures []*listed, err error) {
	type key struct{ target, id string }
	byKey := map[key]*listed{}
	for _, r := range rows {
		if r.Seq < 0 {
			gone = append(gone, r.Origin)
			continue
		}
		c, err := parseControl([]byte(r.Text))
		if err != nil {
			return nil, nil, fmt.Errorf("what is listed as removed in %s at entry %d: %w", r.Origin, r.Seq, err)
		}
		k := key{cmp.Or(c.Of, r.Origin), c.ErasureID}
		l := byKey[k]
		if l == nil {
			l = &listed{target: k.target}
			byKey[k], erasures = l, append(erasures, l)
		}
		l.rows, l.acts = append(l.rows, r), append(l.acts, c)
	}
	return gone, erasures, nil
}

// redrop drops an org whose logs came back.
func (b *Book) redrop(ctx context.Context, org OrgID) error {
	if err := b.store.CloseLogs(ctx, org); err != nil {
		return fmt.Errorf("erase %s again: %w", org, err)
	}
	heads, err := b.closedLogs(ctx, org)
	if err != nil {
		return err
	}
	b.forgetLogs(org, heads)
	b.tellReapplied(Reapplied{Org: org, Recorded: true})
	if err := b.FinishDrop(ctx, org); err != nil { // it is closed, so nobody reads it; the job goes on
		b.o.Logger.ErrorContext(ctx, "erasing an organization again", slog.String("org", string(org)), slog.Any("error", err))
	}
	return nil
}

// reerase carries out l again in the log of h, unless that was done.
func (b *Book) reerase(ctx context.Context, l *listed, h Head, heads map[string]Head) error {
	if done, err := b.carriedOut(ctx, l, heads); err != nil || done {
		return err
	}
	s := b.shardOf(h.Org)
	newest, err := s.open(ctx, h.Org, false)
	if err != nil || newest == nil {
		return err
	}
	target := s.logOf(h)
	s.mu.RLock()
	size, rests := target.size, basis{newest.no, newest.size}
	s.mu.RUnlock()
	items := l.items(size)
	if len(items) == 0 {
		return nil // what was erased is not in this copy
	}
	id := l.acts[0].ErasureID
	seqs, err := b.recordedErasure(ctx, s, target, newest, id)
	if err != nil {
		return err
	}
	told := Reapplied{Org: h.Org, ID: id, Entries: entriesOf(items), Recorded: true}
	if len(seqs) > 0 { // it is in the log, and may not be carried out
		done, err := b.merger.carryOut(ctx, s, seqs)
		if err == nil && !done {
			b.tellReapplied(told)
		}
		return err
	}
	if err := b.vet(ctx, s, newest); err != nil && !frozenBy(err) {
		return err
	}
	if s.writable(newest) != nil || s.unbegun(newest) {
		told.Recorded = false
		c := *l.acts[0]
		c.items = items
		changed, err := b.merger.removeListed(ctx, s, target, &c)
		if err == nil && changed {
			b.tellReapplied(told)
		}
		return err
	}
	if err := b.recordAgain(ctx, l, target, &rests, items); err != nil {
		return err
	}
	if seqs, err = b.recordedErasure(ctx, s, target, newest, id); err != nil {
		return err
	}
	b.tellReapplied(told)
	_, err = b.merger.carryOut(ctx, s, seqs)
	return err
}

// items returns what l names of the first entries of its log.
func (l *listed) items(size int64) leaf.Items {
	var items leaf.Items
	for _, c := range l.acts {
		named := c.items
		if c.Of != "" {
			named = c.ofItems
		}
		for _, it := range named {
			if it.First < size {
				it.Last = min(it.Last, size-1)
				items = append(items, it)
			}
		}
	}
	// The same erasure is listed again after each restore, as far as the copy went: of what overlaps, the longest counts.
	slices.SortFunc(items, func(a, b leaf.Item) int { return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(b.Last, a.Last)) })
	next := int64(0)
	items = slices.DeleteFunc(items, func(it leaf.Item) bool {
		if it.First < next {
			return true
		}
		next = it.Last + 1
		return false
	})
	return items
}

// carriedOut reports whether every control entry of l is in the store, and carried out.
func (b *Book) carriedOut(ctx context.Context, l *listed, heads map[string]Head) (bool, error) {
	for _, r := range l.rows {
		h, there := heads[r.Origin]
		if !there {
			continue // of a log that this copy does not have, or no longer
		}
		found := false
		for slip, err := range b.store.Slips(ctx, h.Log, controlKey(r.Seq), controlKey(r.Seq+1)) {
			if err != nil {
				return false, fmt.Errorf("read the control slips of log %d: %w", h.Log, err)
			}
			c, err := parseControlSlip(&slip)
			if err != nil {
				return false, err
			}
			found = c.removes && c.done != 0
		}
		if !found {
			return false, nil
		}
	}
	return slices.ContainsFunc(l.rows, func(r Removal) bool { _, there := heads[r.Origin]; return there }), nil
}

// actPlace is where a control entry stands.
type actPlace struct {
	log LogNo
	seq int64
}

// recordedErasure returns where the control entries of an erasure stand, in the log itself or in its org's newest.
func (b *Book) recordedErasure(ctx context.Context, s *shard, target, newest *logTail, id string) ([]actPlace, error) {
	for _, t := range []*logTail{newest, target} {
		a, done, err := b.actsOfLog(ctx, s, t)
		if err != nil {
			return nil, err
		}
		var places []actPlace
		if x := a.byID[id]; x != nil {
			for _, seq := range x.Seqs {
				places = append(places, actPlace{t.no, seq})
			}
		}
		done()
		if len(places) > 0 || newest == target {
			return places, nil
		}
	}
	return nil, nil
}

// recordAgain records the control entries of l in the newest log, of what the log target has.
func (b *Book) recordAgain(ctx context.Context, l *listed, target *logTail, rests *basis, items leaf.Items) error {
	c := *l.acts[0]
	c.Of, c.OfItems, c.Count = "", "", entriesOf(items)
	if target.no != rests.log {
		c.Of = checkpoint.Origin(b.o.Origin, target.id)
	}
	return b.recordParts(ctx, target.org, &c, (&itemList{items: items}).texts(), rests)
}

// carryOut carries out control entries now, and returns when what they name is gone from the blocks, or when a hold keeps it. done: it was
// before.
func (m *merger) carryOut(ctx context.Context, s *shard, places []actPlace) (done bool, err error) {
	err = m.alone(ctx, func() (err error) {
		done, err = m.carryOutNow(ctx, s, places)
		return err
	})
	return done, err
}

func (m *merger) carryOutNow(ctx context.Context, s *shard, places []actPlace) (done bool, err error) {
	if m.lease != nil {
		if err := m.b.fleet.refresh(ctx, s); err != nil {
			return false, err
		}
	}
	if err := m.mergeTail(ctx, s); err != nil {
		m.again = true
		return false, err
	}
	done = true
	for _, p := range places {
		if err := m.findRemovals(ctx, p.log); err != nil {
			return false, err
		}
		i := slices.IndexFunc(m.removals.queue, func(r *removal) bool { return r.log == p.log && r.seq == p.seq })
		if i < 0 {
			continue
		}
		done = false
		if err := m.removeNow(ctx, m.removals.queue[i]); err != nil {
			return false, err
		}
	}
	return done, nil
}

// removeNow carries out r until nothing that it names is left in blocks. What comes after that goes on in the background.
func (m *merger) removeNow(ctx context.Context, r *removal) error {
	defer func() { m.pendingCount.Store(int64(len(m.removals.queue))) }()
	for try := 0; slices.Contains(m.removals.queue, r); {
		worked, err := m.remove(ctx, r)
		switch {
		case r.clear || r.at > m.b.now():
			return nil
		case err == nil && worked:
			continue
		case err == nil, errors.Is(err, ErrSwapped), errors.Is(err, ErrNotExist):
			if try++; try < 10 {
				continue
			}
			return fmt.Errorf("control entry %d of log %d: %w", r.seq, r.log, ErrSwapped)
		default:
			return err
		}
	}
	return nil
}

// removeListed removes what c names from a log whose org takes no control entry just now. What authorises it is the list; the control entry
// comes with the next epoch.
func (m *merger) removeListed(ctx context.Context, s *shard, t *logTail, c *control) (changed bool, err error) {
	err = m.alone(ctx, func() (err error) {
		changed, err = m.removeListedNow(ctx, s, t, c)
		return err
	})
	return changed, err
}

func (m *merger) removeListedNow(ctx context.Context, s *shard, t *logTail, c *control) (changed bool, err error) {
	if err := m.mergeTail(ctx, s); err != nil {
		m.again = true
		return false, err
	}
	s.mu.RLock()
	h := t.head
	s.mu.RUnlock()
	if c.items.Last() >= h.Packed {
		return false, damaged("an erasure names entries up to %d, and %d are merged", c.items.Last(), h.Packed)
	}
	m.plan(&h)
	defer m.dropScratch()
	r := &removal{log: t.no, seq: -1}
	for more := true; more; {
		if more, err = m.removeBlocks(ctx, r, c, &h, nil); err != nil {
			return false, err
		}
	}
	if !r.changed {
		return false, nil
	}
	return true, m.purge(ctx, &h, c)
}

// entriesOf returns how many entries items name, or name something of.
func entriesOf(items leaf.Items) (n int64) {
	for _, it := range items {
		n += it.Last - it.First + 1
	}
	return n
}

// logIDOf returns the part of an origin that names the log.
func logIDOf(origin string) string { return origin[strings.LastIndexByte(origin, '/')+1:] }
