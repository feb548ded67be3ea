package daybook

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/internal/merkle"
)

// maxPrune bounds how many entries one ApplyRetention names.
const maxPrune = 500_000

// Pruned says what an ApplyRetention has asked for.
type Pruned struct {
	Entries int64   // that are named by prune entries now
	Held    int64   // entries that are due and that a hold keeps
	Seqs    []int64 // of the prune entries
	More    bool    // there is more to remove: apply it again when this is carried out
}

// ApplyRetention removes what is due: it records prune entries that name it, durable when it returns, and the merger carries them out in
// the background, over restarts. Nothing is recorded when nothing is due, and none while earlier prune entries of the log are not
// carried out. Entries under a hold stay, and control entries do too; the tombstone of an erased entry is treated like any other.
//
// What leaves a tile goes at its time like what leaves a hash. Whole runs of it from the beginning of the log on are then named with keep
// tile: those that hold a control entry are passed over, and the first one that holds anything that has to stay ends it.
func (b *Book) ApplyRetention(ctx context.Context, org OrgID, p Retention) (Pruned, error) {
	now := b.now()
	rules, err := p.definite(now)
	if err != nil || len(rules) == 0 {
		return Pruned{}, err
	}
	if p.By == (Party{}) {
		p.By = Party{Type: "system", ID: "retention"}
	}
	return again(ctx, func() (Pruned, error) { return b.applyRetention(ctx, org, &p, rules) })
}

// applyRetention is ApplyRetention with rules that count now.
func (b *Book) applyRetention(ctx context.Context, org OrgID, p *Retention, rules []retentionRule) (Pruned, error) {
	a, v, err := b.lockActs(ctx, org)
	if err != nil {
		return Pruned{}, fmt.Errorf("apply retention: %w", err)
	}
	defer a.unlock()
	if waits, err := b.prunePending(ctx, &v); err != nil || waits {
		return Pruned{More: waits}, err
	}
	d := due{rules: rules, lists: make([]itemList, len(rules)), whole: make([]itemList, len(rules))}
	nothing := a.weigh(&d)
	if nothing != nil {
		return *nothing, nil
	}
	for i := range rules {
		d.until = max(d.until, rules[i].cutoff)
	}
	err = b.sweep(ctx, org, nil, sweepOptions{skip: d.skip, tombstones: true}, d.entry)
	if err == nil {
		err = d.endRun()
	}
	if err != nil {
		return Pruned{}, fmt.Errorf("find what is due: %w", err)
	}
	out, err := b.recordPrunes(ctx, org, p, &d, v.basis())
	if err == nil && len(out.Seqs) == 0 {
		a.mu.Lock()
		a.idle, a.idleSaid = d.key, out
		a.mu.Unlock()
	}
	return out, err
}

// weigh tells d what is to be kept. If the same was asked with the same rules and holds in the same step of time, and nothing was to be
// removed, it returns the answer of that time: entries that were recorded since are younger than any cutoff of then.
func (a *logActs) weigh(d *due) *Pruned {
	a.mu.Lock()
	defer a.mu.Unlock()
	d.holds, d.reach = slices.Clone(a.holds), floorTo(a.lost.Last()+1, merkle.RunWidth)
	var key strings.Builder
	for i := range d.rules {
		fmt.Fprintf(&key, "%s\n%s %d\n", d.rules[i].Match, d.rules[i].Leave, d.rules[i].cutoff)
	}
	fmt.Fprint(&key, len(a.holds), len(a.released), len(a.erasures))
	if d.key = key.String(); d.key == a.idle {
		said := a.idleSaid
		return &said
	}
	return nil
}

// prunePending reports whether a prune entry of the log is not carried out.
func (b *Book) prunePending(ctx context.Context, v *view) (bool, error) {
	for _, r := range v.runs {
		for i := range r.len() {
			if r.c.Kind(r.at+i) != KindControl {
				continue
			}
			if c, err := parseControl(r.entry(i).Body); err == nil && c.Op == opPrune {
				return true, nil
			}
		}
	}
	slips, err := b.controlSlips(ctx, v.head.Log)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(slips, func(s controlSlip) bool { return s.removes && s.done == 0 }), nil
}

// due is what retention finds in a log.
type due struct {
	rules []retentionRule
	holds []*activeHold
	key   string     // of what is asked
	until int64      // no rule removes what was received at this time or later
	lists []itemList // by rule, what leaves a leaf or hash
	whole []itemList // by rule of the last entry, runs that leave a tile
	found int64
	held  int64
	more  bool

	reach int64 // everything below is gone, as far as it ever goes; a whole number of runs
	run   dueRun
}

// dueRun is the aligned run of merkle.RunWidth entries that a sweep is in.
type dueRun struct {
	first   int64
	n       int
	stays   bool // some of it is to be kept, or is not due
	control bool // it holds an entry that is never removed
	rule    int  // of its last entry
	pending []dueEntry
}

// dueEntry is one that leaves a leaf or hash, unless its whole run goes.
type dueEntry struct {
	seq  int64
	rule int
}

// judgement is what retention says of an entry for which a rule counts.
type judgement int

const (
	notYet judgement = iota // it is not due
	held                    // it is due and a hold keeps it
	goes                    // it is due
	passed                  // it is due and there is no more to remove of it by itself
)

// judge returns the place of the rule that counts for the entry that s has just met, −1: none does. Control entries are never removed.
// An entry without a time is due: it was when that went.
func (d *due) judge(s *scan, e *kept.Entry) (rule int, says judgement, by *activeHold) {
	if e.Kind == KindControl {
		return -1, notYet, nil
	}
	i := d.ruleOf(s, e)
	switch {
	case i < 0:
		return i, notYet, nil
	case e.Form.HasLeaf() && e.Received >= d.rules[i].cutoff:
		return i, notYet, nil
	case e.Form == kept.FormNone:
		return i, passed, nil
	}
	if h := holding(d.holds, &s.rec); h != nil {
		return i, held, h
	}
	if e.Form >= min(d.rules[i].Leave.form(), kept.FormHash) {
		return i, passed, nil
	}
	return i, goes, nil
}

// ruleOf returns the place of the rule that counts for the entry that s has just met, −1: none does.
func (d *due) ruleOf(s *scan, e *kept.Entry) int {
	if e.Pruned() {
		_, by, _ := e.Tombstone() // if that cannot be read, it says nothing
		i := slices.IndexFunc(d.rules, func(r retentionRule) bool { return r.Match != "" && strings.HasPrefix(by, r.Match+" ") })
		if i >= 0 {
			return i
		}
	}
	return slices.IndexFunc(d.rules, func(r retentionRule) bool { return r.query.Match(&s.rec) })
}

// skip passes over blocks of which no rule removes more, and ends where nothing can be due: at a block of young entries, unless some of
// its entries are without a time, which are due whatever times the others have.
func (d *due) skip(m *BlockMeta) (skip, end bool) {
	least := kept.FormLeaf
	for i := range d.rules {
		least = max(least, d.rules[i].Leave.form())
	}
	timeless := m.Received.Min > m.Received.Max
	switch least {
	case kept.FormLeaf:
		skip = m.Live == 0
	case kept.FormHash:
		skip = timeless
	default:
		skip = m.Live == 0 && m.Raw == 0 // not even why it is gone
	}
	return skip, d.until > 0 && m.Live == m.N && m.Received.Min >= d.until
}

// entry is the visit of ApplyRetention.
func (d *due) entry(s *scan, e *kept.Entry) (more bool, err error) {
	if e.Form.HasLeaf() && e.Received >= d.until {
		return false, nil
	}
	if first := floorTo(e.Seq, merkle.RunWidth); first != d.run.first {
		if err := d.endRun(); err != nil {
			return false, err
		}
		d.run = dueRun{first: first, pending: d.run.pending[:0]}
	}
	r := &d.run
	r.n++
	if e.Kind == KindControl {
		r.control = true
		return true, nil
	}
	i, says, _ := d.judge(s, e)
	r.rule = i
	r.stays = r.stays || says == notYet || says == held || d.rules[i].Leave != LeaveTile
	switch {
	case says == held && !e.Gone():
		d.held++
	case says == goes && d.found == maxPrune:
		d.more = true
		return false, nil
	case says == goes:
		d.found++
		r.pending = append(r.pending, dueEntry{e.Seq, i})
	}
	return true, nil
}

// endRun decides how the entries of the run go: as a whole, or each by itself.
func (d *due) endRun() error {
	r := &d.run
	if r.n == merkle.RunWidth && !r.stays && r.first == d.reach {
		d.reach += merkle.RunWidth
		if !r.control {
			d.found += int64(merkle.RunWidth - len(r.pending))
			for seq := r.first; seq < d.reach; seq++ {
				if err := d.whole[r.rule].add(seq, nil); err != nil {
					return err
				}
			}
			return nil
		}
	}
	for _, e := range r.pending {
		if err := d.lists[e.rule].add(e.seq, nil); err != nil {
			return err
		}
	}
	return nil
}

// recordPrunes records the prune entries of what was found, all of them in one commit.
func (b *Book) recordPrunes(ctx context.Context, org OrgID, p *Retention, d *due, rests *basis) (Pruned, error) {
	out := Pruned{Entries: d.found, Held: d.held, More: d.more}
	var texts [][]byte
	for i := range d.rules {
		r := &d.rules[i]
		keep := LeaveLeaf
		if r.Leave.form() > kept.FormLeaf {
			keep = LeaveHash
		}
		c := control{Op: opPrune, Keep: string(keep), Policy: r.name(), Before: string(AppendTime(nil, r.cutoff)), By: p.By}
		single, err := pruneTexts(c, &d.lists[i])
		if err != nil {
			return Pruned{}, err
		}
		c.Keep = string(LeaveTile)
		whole, err := pruneTexts(c, &d.whole[i])
		if err != nil {
			return Pruned{}, err
		}
		texts = append(append(texts, single...), whole...)
	}
	if len(texts) == 0 {
		return out, nil
	}
	// A crash before this leaves nothing; after it the merger finds the entries in the log and does what they say.
	receipts, err := b.recordControls(ctx, org, texts, rests)
	if err != nil {
		return Pruned{}, fmt.Errorf("apply retention: %w", err)
	}
	for i := range receipts {
		out.Seqs = append(out.Seqs, receipts[i].Seq)
	}
	return out, nil
}

// pruneTexts returns the payloads of c for what list names, in as many parts as it needs.
func pruneTexts(c control, list *itemList) ([][]byte, error) {
	parts := list.texts()
	texts := make([][]byte, len(parts))
	for i := range parts {
		c.Items, c.Count = parts[i], list.entries
		if len(parts) > 1 {
			c.Part, c.Parts = i+1, len(parts)
		}
		var err error
		if texts[i], err = json.Marshal(&c); err != nil {
			return nil, fmt.Errorf("write a control entry: %w", err)
		}
	}
	return texts, nil
}
