package daybook

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/query"
)

// The states of a hold in its control entries.
const (
	holdPlaced   = "placed"
	holdReleased = "released"
)

// HoldRequest says what is to be kept, whatever retention and erasure ask for.
type HoldRequest struct {
	Org    OrgID
	ID     string // hold_…; empty: one is made. Repeating a request with the same id places no second hold
	Text   string // the query (docs/reference/query-language.md, place: a hold); empty: the whole log, and all that is to come
	Reason string // required; it stands in the log for ever: no personal data
	By     Party
}

// Hold is a legal hold.
type Hold struct {
	ID       string
	Query    string // in normal form; empty: the whole log
	Reason   string
	By       Party
	Entries  int64 // that it named when it was placed; entries that came later and match are kept as well. Of the whole log: its size
	Seq      int64 // of its first control entry
	PlacedAt int64 // µs since 1970

	ReleasedAt     int64 // 0: it is in force
	ReleasedBy     Party
	ReleasedReason string
}

// PlaceHold places a legal hold: until it is released, nothing that it covers is erased or removed by retention, not even what was
// asked for before and is not carried out yet. Its control entries are durable when it returns: they name every entry that matches now.
// What matches later is kept too, but only this process sees to that; a reader of the log cannot prove it.
func (b *Book) PlaceHold(ctx context.Context, r HoldRequest) (Hold, error) {
	if err := r.check(); err != nil {
		return Hold{}, err
	}
	q, err := query.Parse(r.Text, query.Options{Place: query.Hold})
	if err != nil {
		return Hold{}, &Error{Code: CodeInvalid, Rule: "query_invalid", Field: "query", Message: queryMessage(err), Err: err}
	}
	if r.ID == "" {
		r.ID = newID("hold")
	}
	return again(ctx, func() (Hold, error) { return b.placeHold(ctx, &r, q) })
}

func (b *Book) placeHold(ctx context.Context, r *HoldRequest, q *query.Query) (Hold, error) {
	a, v, err := b.lockActs(ctx, r.Org)
	if err != nil {
		return Hold{}, fmt.Errorf("place a hold: %w", err)
	}
	defer a.unlock()
	if h, ok := a.hold(r.ID); ok {
		return h, b.fence(ctx, v.head.Log)
	}
	c := control{Op: opHold, State: holdPlaced, HoldID: r.ID, Query: q.String(), Reason: r.Reason, By: r.By}
	texts := []string{leaf.WholeLog().String()}
	if !q.Empty() {
		list, err := b.named(ctx, r.Org, q)
		if err != nil {
			return Hold{}, fmt.Errorf("find what the hold covers: %w", err)
		}
		// Without a match there is nothing to name yet: the entries to come are kept by the query.
		if texts = list.texts(); len(texts) == 0 {
			texts = []string{""}
		}
		c.Count = list.entries
	} else {
		c.Count = v.size
	}
	if err := b.recordParts(ctx, r.Org, &c, texts, v.basis()); err != nil {
		return Hold{}, fmt.Errorf("place a hold: %w", err)
	}
	if err := b.fence(ctx, v.head.Log); err != nil {
		return Hold{}, fmt.Errorf("place a hold: %w", err)
	}
	return b.Hold(ctx, r.Org, r.ID)
}

func (r *HoldRequest) check() error {
	switch {
	case r.Reason == "":
		return &Error{Code: CodeInvalid, Rule: "required", Field: "reason", Message: "a hold needs a reason."}
	case len(r.Reason) > maxReason:
		return &Error{Code: CodeInvalid, Rule: "invalid_value", Field: "reason", Message: fmt.Sprintf("the reason has at most %d bytes.", maxReason)}
	case r.ID != "" && !validID("hold", r.ID):
		return &Error{Code: CodeInvalid, Rule: "invalid_format", Field: "id", Message: "the id of a hold is hold_ and 26 characters."}
	}
	return checkParty(r.By)
}

// fence keeps another process from applying what it planned to remove from a log before it knew of the hold that was just recorded: it
// raises the log's turn. A crash before it leaves a hold that was not acknowledged.
func (b *Book) fence(ctx context.Context, log LogNo) error {
	if b.fleet == nil {
		return nil // the turn of the log's acts does
	}
	if err := b.store.Replace(ctx, []Swap{{Log: log}}); err != nil {
		return fmt.Errorf("tell other processes of the hold: %w", err)
	}
	return nil
}

// named returns all entries that match q now.
func (b *Book) named(ctx context.Context, org OrgID, q *query.Query) (*itemList, error) {
	list := &itemList{}
	err := b.sweep(ctx, org, q, sweepOptions{}, func(_ *scan, e *kept.Entry) (bool, error) { return true, list.add(e.Seq, nil) })
	return list, err
}

// recordParts records the control entry c, once for each text of items.
func (b *Book) recordParts(ctx context.Context, org OrgID, c *control, items []string, rests *basis) error {
	texts := make([][]byte, len(items))
	for i, text := range items {
		part := *c
		if part.Items = text; c.Of != "" {
			part.Items, part.OfItems = "", text
		}
		if len(items) > 1 || c.Op == opErase {
			part.Part, part.Parts = i+1, len(items)
		}
		var err error
		if texts[i], err = json.Marshal(&part); err != nil {
			return fmt.Errorf("write a control entry: %w", err)
		}
	}
	_, err := b.recordControls(ctx, org, texts, rests)
	return err
}

// ReleaseHold ends a hold, durable when it returns. What was to be removed and was kept for its sake is removed then. Releasing a hold
// that is released changes nothing; one that there never was is CodeNotFound.
func (b *Book) ReleaseHold(ctx context.Context, org OrgID, id, reason string, by Party) (Hold, error) {
	if reason == "" {
		return Hold{}, &Error{Code: CodeInvalid, Rule: "required", Field: "reason", Message: "releasing a hold needs a reason."}
	}
	if err := checkParty(by); err != nil {
		return Hold{}, err
	}
	return again(ctx, func() (Hold, error) { return b.releaseHold(ctx, org, id, reason, by) })
}

func (b *Book) releaseHold(ctx context.Context, org OrgID, id, reason string, by Party) (Hold, error) {
	a, v, err := b.lockActs(ctx, org)
	if err != nil {
		return Hold{}, fmt.Errorf("release a hold: %w", err)
	}
	defer a.unlock()
	h, ok := a.hold(id)
	if !ok {
		if h, err = b.Hold(ctx, org, id); err != nil { // of an earlier epoch, whose log says nothing more: this one does
			return Hold{}, err
		}
	}
	if h.ReleasedAt != 0 {
		return h, nil
	}
	c := control{Op: opHold, State: holdReleased, HoldID: id, Reason: reason, By: by}
	if err := b.recordParts(ctx, org, &c, []string{""}, v.basis()); err != nil {
		return Hold{}, fmt.Errorf("release a hold: %w", err)
	}
	b.merger.retryHeld()
	return b.Hold(ctx, org, id)
}

// Hold returns one hold of org: CodeNotFound if there is none.
func (b *Book) Hold(ctx context.Context, org OrgID, id string) (Hold, error) {
	holds, err := b.Holds(ctx, org)
	if err != nil {
		return Hold{}, err
	}
	for i := range holds {
		if holds[i].ID == id {
			return holds[i], nil
		}
	}
	return Hold{}, &Error{Code: CodeNotFound, Message: "there is no hold " + truncate(id, 64)}
}

// Holds returns every hold that was ever placed on the logs of org, epoch after epoch in the order of placing, those that are released
// included. They are read from the logs' control entries.
func (b *Book) Holds(ctx context.Context, org OrgID) ([]Hold, error) {
	older, err := b.olderHolds(ctx, org)
	if err != nil {
		return nil, err
	}
	a, done, err := b.knownActs(ctx, org)
	if err != nil || a == nil {
		return nil, err
	}
	defer done()
	a.free(older)
	return append(older, a.ordered()...), nil
}

// olderHolds returns the holds of the epochs of org that have ended.
func (b *Book) olderHolds(ctx context.Context, org OrgID) ([]Hold, error) {
	v, err := b.view(ctx, org)
	if err != nil || v.head.Log == 0 || v.head.Epoch == 0 {
		return nil, err
	}
	heads, err := b.store.Epochs(ctx, org)
	if err != nil {
		return nil, fmt.Errorf("read the epochs of %s: %w", org, err)
	}
	var holds []Hold
	s := b.shardOf(org)
	for i := range heads {
		if heads[i].Epoch >= v.head.Epoch {
			break
		}
		a, done, err := b.actsOfLog(ctx, s, s.logOf(heads[i]))
		if err != nil {
			return nil, err
		}
		a.free(holds)
		holds = append(holds, a.ordered()...)
		done()
	}
	return holds, nil
}

// free says of holds of earlier epochs what this log says of their release. The caller holds mu.
func (a *logActs) free(older []Hold) {
	for i := range older {
		if f, ok := a.freed[older[i].ID]; ok {
			older[i].ReleasedAt, older[i].ReleasedBy, older[i].ReleasedReason = f.ReleasedAt, f.ReleasedBy, f.ReleasedReason
		}
	}
}

// ordered returns the holds that were placed in this log. The caller holds mu.
func (a *logActs) ordered() []Hold {
	holds := slices.Clone(a.released)
	for _, h := range a.holds {
		holds = append(holds, h.Hold)
	}
	slices.SortFunc(holds, func(x, y Hold) int { return int(x.Seq - y.Seq) })
	return holds
}

// hold returns a hold by id, in force or released.
func (a *logActs) hold(id string) (Hold, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, h := range a.holds {
		if h.ID == id {
			return h.Hold, true
		}
	}
	for _, h := range a.released {
		if h.ID == id {
			return h, true
		}
	}
	return Hold{}, false
}

// placed takes a control entry that places a hold, or a part of one. The caller holds mu. A query that this program cannot read keeps
// everything: a hold errs on the side of keeping.
func (a *knownActs) placed(c *control, e *kept.Entry) error {
	for i, h := range a.holds {
		if h.ID == c.HoldID {
			more := *h // others may be reading h
			more.items = slices.Concat(h.items, c.items)
			a.holds[i] = &more
			return nil
		}
	}
	h := &activeHold{items: c.items, Hold: Hold{
		ID: c.HoldID, Query: c.Query, Reason: c.Reason, By: c.By, Entries: c.Count, Seq: e.Seq, PlacedAt: e.Received,
	}}
	if c.Query != "" {
		var err error
		if h.query, err = query.Parse(c.Query, query.Options{Place: query.Hold}); err != nil {
			h.items = leaf.WholeLog()
		}
	}
	a.holds = append(a.holds, h)
	return nil
}

// release takes a control entry that releases a hold. The caller holds mu.
func (a *knownActs) release(c *control, e *kept.Entry) {
	i := slices.IndexFunc(a.holds, func(h *activeHold) bool { return h.ID == c.HoldID })
	if i < 0 {
		a.freed[c.HoldID] = Hold{ID: c.HoldID, ReleasedAt: e.Received, ReleasedBy: c.By, ReleasedReason: c.Reason}
		return
	}
	h := a.holds[i].Hold
	h.ReleasedAt, h.ReleasedBy, h.ReleasedReason = e.Received, c.By, c.Reason
	a.holds, a.released = slices.Delete(a.holds, i, i+1), append(a.released, h)
}

// holding returns the first hold in force that covers the entry of r, nil if none does.
func holding(holds []*activeHold, r *query.Record) *activeHold {
	for _, h := range holds {
		if h.items.Covers(r.Seq, -1) || h.query != nil && h.query.Match(r) {
			return h
		}
	}
	return nil
}

// holdsInForce returns the holds on the log of org that are in force.
func (b *Book) holdsInForce(ctx context.Context, org OrgID) ([]*activeHold, error) {
	a, done, err := b.knownActs(ctx, org)
	if err != nil || a == nil {
		return nil, err
	}
	defer done()
	return slices.Clone(a.holds), nil
}

// inForce returns the holds in force.
func (a *logActs) inForce() []*activeHold {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.holds)
}
