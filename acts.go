package daybook

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/internal/keyring"
	"github.com/daybook-audit/daybook/internal/stored"
	"github.com/daybook-audit/daybook/internal/typeid"
	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/query"
)

// The acts of control entries that this file knows; others belong to whoever records them.
const (
	opErase = "erase"
	opPrune = "prune"
	opHold  = "hold"
)

// Party is who is responsible for an act, as it stands in a control entry.
type Party struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

// control is the payload of a control entry about removal (docs/reference/integrity.md, section 9).
type control struct {
	Op        string `json:"op"`
	State     string `json:"state,omitempty"`
	HoldID    string `json:"hold_id,omitempty"`
	ErasureID string `json:"erasure_id,omitempty"`
	Items     string `json:"items,omitempty"`
	Keep      string `json:"keep,omitempty"`
	Policy    string `json:"policy,omitempty"`
	Before    string `json:"before,omitempty"`
	Count     int64  `json:"count,omitempty"`
	Query     string `json:"query,omitempty"`
	Basis     string `json:"legal_basis,omitempty"`
	Reason    string `json:"reason,omitempty"`
	Names     string `json:"names,omitempty"` // "erased": the names of erased fields are not kept
	By        Party  `json:"by"`
	// ApprovedBy is the second of two who agreed to an erasure.
	ApprovedBy *Party `json:"approved_by,omitempty"`
	// Of is the origin of an earlier epoch of the same org, from which OfItems are erased again after a restore; such an entry has no Items.
	Of      string `json:"of,omitempty"`
	OfItems string `json:"of_items,omitempty"`
	Part    int    `json:"part,omitempty"`
	Parts   int    `json:"parts,omitempty"`

	items, ofItems leaf.Items // of Items and OfItems; nil when there are none
}

// parseControl reads the payload of a control entry. Members that it does not know are ignored.
func parseControl(text []byte) (*control, error) {
	c := &control{}
	if err := json.Unmarshal(text, c); err != nil {
		return nil, fmt.Errorf("read a control entry: %w", err)
	}
	for text, items := range map[string]*leaf.Items{c.Items: &c.items, c.OfItems: &c.ofItems} {
		if text == "" {
			continue
		}
		var err error
		if *items, err = leaf.ParseItems(text); err != nil {
			return nil, fmt.Errorf("items of a control entry: %w", err)
		}
	}
	return c, nil
}

// removes reports whether c names entries or fields that are to go.
func (c *control) removes() bool { return c.Op == opErase || c.Op == opPrune }

// removes reports whether the control entry with this payload does.
func removes(text []byte) bool {
	c, err := parseControl(text)
	return err == nil && c.removes()
}

// form returns the form to which c reduces what it names as a whole.
func (c *control) form() kept.Form { return Leave(c.Keep).form() }

// newID returns a new public id with a prefix, such as ers_….
func newID(prefix string) string { return typeid.New(prefix) }

// slipControl is the kind of a slip that says that a control entry about removal stands at a seq, of which A holds the upper 12 bits and
// B the lower 24, and what has become of it. The merger writes it in the Replace that folds the entry, so that one read of a few rows
// finds every act of a log. A log of 2³⁶ entries is more than its keys hold.
const slipControl = 6

// controlSlipVersion is the first byte of such a slip. A reader refuses others with [ErrNewer].
const controlSlipVersion = 1

func controlKey(seq int64) SlipKey {
	return SlipKey{Kind: slipControl, A: uint16(seq >> 24 & 0xfff), B: uint32(seq & 0xffffff)}
}

// controlSlip is what such a slip says.
type controlSlip struct {
	seq     int64
	removes bool  // else nothing is to be carried out
	done    int64 // when it was carried out, µs; 0: it was not
}

func (c *controlSlip) slip() Slip {
	b := []byte{controlSlipVersion, 0}
	if c.removes {
		b[1] = 1
	}
	return Slip{SlipKey: controlKey(c.seq), Bytes: binary.AppendUvarint(b, uint64(c.done))}
}

func parseControlSlip(s *Slip) (controlSlip, error) {
	c := controlSlip{seq: int64(s.A)<<24 | int64(s.B)}
	b := s.Bytes
	switch {
	case len(b) > 0 && b[0] != controlSlipVersion:
		return c, fmt.Errorf("control slip of version %d: %w", b[0], ErrNewer)
	case len(b) < 3 || b[1] > 1:
		return c, damaged("a control slip of %d bytes", len(b))
	}
	r := stored.Read(b[2:])
	c.removes, c.done = b[1] == 1, r.Count(1<<62)
	if !r.End() {
		return c, damaged("a control slip of %d bytes", len(b))
	}
	return c, nil
}

// controlSlips reads the control slips of a log, by seq.
func (b *Book) controlSlips(ctx context.Context, log LogNo) ([]controlSlip, error) {
	var out []controlSlip
	for s, err := range b.store.Slips(ctx, log, SlipKey{Kind: slipControl}, SlipKey{Kind: slipControl + 1}) {
		if err != nil {
			return nil, fmt.Errorf("read the control slips of log %d: %w", log, err)
		}
		c, err := parseControlSlip(&s)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// logActs is what the control entries of one log say about holds and erasures, and the right to say more.
type logActs struct {
	// turn has one slot. Whoever decides what may be removed or must be kept has it from looking until its control entries are durable,
	// and the merger from looking until it has removed: so no hold comes between the two.
	turn chan struct{}

	doubted atomic.Bool // another process may have erased something of what was read

	// Guarded by mu.
	mu sync.Mutex
	knownActs
}

// knownActs is what logActs knows.
type knownActs struct {
	torn     bool  // reading failed half-way
	through  int64 // every entry below was looked at
	folded   bool  // what was folded at the first look was read
	holds    []*activeHold
	released []Hold
	freed    map[string]Hold // holds of earlier epochs that were released in this log, by id: when, by whom, why
	erasures []*Erasure      // by their first control entry
	byID     map[string]*Erasure
	keys     []keyring.Act // about keys and epochs, oldest first
	lost     leaf.Items    // what prune entries with keep tile name
	idle     string        // what retention was asked when it last found nothing to remove
	idleSaid Pruned
}

// activeHold is a hold in force. It is not changed once others may see it.
type activeHold struct {
	Hold
	items leaf.Items
	query *query.Query // nil: there is none
}

// acts returns what is known of the log of v's control entries, not yet caught up.
func (b *Book) acts(log LogNo) *logActs {
	b.actsMu.Lock()
	defer b.actsMu.Unlock()
	a := b.actsOf[log]
	if a == nil {
		a = &logActs{turn: make(chan struct{}, 1), knownActs: newKnownActs()}
		b.actsOf[log] = a
	}
	return a
}

// lock waits for the turn, or the end of ctx.
func (a *logActs) lock(ctx context.Context) error {
	select {
	case a.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// tryLock takes the turn if nobody has it. The merger never waits for it: whoever has it may be waiting for the merger to make room.
func (a *logActs) tryLock() bool {
	select {
	case a.turn <- struct{}{}:
		return true
	default:
		return false
	}
}

func (a *logActs) unlock() { <-a.turn }

// catchUp reads the control entries that v holds and a does not know. The caller holds a.mu.
func (a *logActs) catchUp(ctx context.Context, b *Book, v *view) error {
	if v.size < a.through { // an older picture: what is known is not forgotten for it
		return nil
	}
	doubted := a.doubted.Swap(false)
	if !a.torn {
		err := a.read(ctx, b, v)
		a.torn = err != nil
		if err == nil && (!doubted || len(a.erasures) == 0) { // else a reason may be gone, or who it was
			return nil
		}
		if err != nil {
			if doubted {
				a.doubted.Store(true)
			}
			return err
		}
	}
	fresh := newKnownActs()
	err := fresh.read(ctx, b, v)
	if err == nil {
		a.knownActs = fresh
	} else if doubted {
		a.doubted.Store(true)
	}
	return err
}

func newKnownActs() knownActs {
	return knownActs{byID: map[string]*Erasure{}, freed: map[string]Hold{}}
}

// read reads the control entries that v holds and a does not know. After an error some were taken.
func (a *knownActs) read(ctx context.Context, b *Book, v *view) error {
	if a.through >= v.size {
		return nil
	}
	if !a.folded || a.through < v.head.Packed {
		slips, err := b.controlSlips(ctx, v.head.Log)
		if err != nil {
			return err
		}
		for _, s := range slips {
			if s.seq < a.through || s.seq >= v.head.Packed {
				continue
			}
			es, err := b.entries(ctx, *v, s.seq, s.seq+1)
			if err != nil {
				return fmt.Errorf("read control entry %d: %w", s.seq, err)
			}
			if err := a.take(v.head.Org, &es[0]); err != nil {
				return err
			}
		}
		a.folded, a.through = true, max(a.through, v.head.Packed)
	}
	for _, r := range v.runs {
		for i := max(0, int(a.through-r.first())); i < r.len(); i++ {
			if r.c.Kind(r.at+i) != KindControl {
				continue
			}
			e := r.entry(i)
			if err := a.take(v.head.Org, &e); err != nil {
				return err
			}
		}
		a.through = max(a.through, r.end())
	}
	return nil
}

// take takes one control entry. What it says of itself and is no longer there, it does not say.
func (a *knownActs) take(org OrgID, e *kept.Entry) error {
	text, err := e.Remainder()
	if err != nil {
		return ofStored(err)
	}
	c, err := parseControl(text)
	if err != nil {
		return fmt.Errorf("control entry %d: %w", e.Seq, err)
	}
	switch {
	case c.Op == keyring.OpKey || c.Op == keyring.OpEpoch:
		return a.key(text, e)
	case c.Op == opErase:
		a.erased(org, c, e)
	case c.Op == opPrune && c.form() == kept.FormNone:
		a.lost = append(slices.Clip(a.lost), c.items...) // ascending: they name more and more of the log
	case c.Op == opHold && c.State == holdPlaced:
		return a.placed(c, e)
	case c.Op == opHold && c.State == holdReleased:
		a.release(c, e)
	}
	return nil
}

// lockActs takes the turn of org's log and brings its acts up to date with a picture of the log. The caller gives the turn back. An org
// without a log is CodeNotFound.
func (b *Book) lockActs(ctx context.Context, org OrgID) (*logActs, view, error) {
	v, err := b.existing(ctx, org)
	if err != nil {
		return nil, view{}, err
	}
	a := b.acts(v.head.Log)
	if err := a.lock(ctx); err != nil {
		return nil, view{}, err
	}
	if v, err = b.view(ctx, org); err == nil { // what others have recorded meanwhile counts
		a.mu.Lock()
		err = a.catchUp(ctx, b, &v)
		a.mu.Unlock()
	}
	if err != nil {
		a.unlock()
		return nil, view{}, err
	}
	return a, v, nil
}

// existing is view for an org that must have a log.
func (b *Book) existing(ctx context.Context, org OrgID) (view, error) {
	if !org.Valid() {
		return view{}, errInvalidOrg(org)
	}
	v, err := b.view(ctx, org)
	if err == nil && v.head.Log == 0 {
		err = &Error{Code: CodeNotFound, Message: "there is no such log"}
	}
	return v, err
}

// knownActs returns the acts of org's log as of now, with mu held for reading them: the caller calls done. An org without a log has none.
func (b *Book) knownActs(ctx context.Context, org OrgID) (a *logActs, done func(), err error) {
	v, err := b.view(ctx, org)
	if err != nil || v.head.Log == 0 {
		return nil, nil, err
	}
	return b.actsKnownTo(ctx, v, func() (view, error) { return b.view(ctx, org) })
}

// actsKnownTo is knownActs of the log of v, of which again takes a new picture.
func (b *Book) actsKnownTo(ctx context.Context, v view, again func() (view, error)) (a *logActs, done func(), err error) {
	a = b.acts(v.head.Log)
	a.mu.Lock()
	for range 10 {
		if err = a.catchUp(ctx, b, &v); !errors.Is(err, ErrNotExist) {
			break
		}
		if v, err = again(); err != nil { // folded and swapped meanwhile
			break
		}
	}
	if err != nil {
		a.mu.Unlock()
		return nil, nil, err
	}
	return a, a.mu.Unlock, nil
}

// actsOfLog is knownActs for one log, of whatever epoch.
func (b *Book) actsOfLog(ctx context.Context, s *shard, t *logTail) (a *logActs, done func(), err error) {
	look := func() (view, error) {
		s.mu.RLock()
		defer s.mu.RUnlock()
		return s.viewOf(t), nil
	}
	v, err := look()
	if err != nil {
		return nil, nil, err
	}
	if a, done, err = b.actsKnownTo(ctx, v, look); err != nil {
		return nil, nil, fmt.Errorf("read the control entries of %s: %w", t.org, err)
	}
	return a, done, nil
}

// lost returns the runs that have lost their leaf hashes, or are about to. Behind the last one the log is whole.
func (l *Log) lost(ctx context.Context) (leaf.Items, error) {
	a, done, err := l.b.actsKnownTo(ctx, l.view(), func() (view, error) { return l.view(), nil })
	if err != nil {
		return nil, err
	}
	defer done()
	return a.lost, nil
}

// itemList says which entries and fields are named, as they are met in the order of the log. Neighbours of which the same is named become
// one range.
type itemList struct {
	items   leaf.Items
	entries int64
	fields  int64 // named by themselves
}

// maxItems bounds what one erasure or hold names: about a thousand control entries.
const maxItems = 2_000_000

// add names the fields of an entry, or the whole of it when fields is nil.
func (l *itemList) add(seq int64, fields []int) error {
	l.entries++
	l.fields += int64(len(fields))
	if n := len(l.items); n > 0 {
		last := &l.items[n-1]
		if last.Last == seq-1 && (fields == nil) == (last.Fields == nil) && equalInts(fields, last.Fields) {
			last.Last = seq
			return nil
		}
	}
	if len(l.items) == maxItems {
		return &Error{Code: CodeTooLarge, Rule: "too_many_items", Message: fmt.Sprintf("more than %d separate entries at once: narrow the selection, by time for example", maxItems)}
	}
	l.items = append(l.items, leaf.Item{First: seq, Last: seq, Fields: fields})
	return nil
}

func equalInts(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// texts returns the items as the texts of control entries, each at most [leaf.MaxItems] long.
func (l *itemList) texts() []string {
	var out []string
	var part []byte
	for i := range l.items {
		one := l.items[i : i+1].String()
		if len(part) > 0 && len(part)+1+len(one) > leaf.MaxItems {
			out, part = append(out, string(part)), part[:0]
		}
		if len(part) > 0 {
			part = append(part, ';')
		}
		part = append(part, one...)
	}
	if len(part) > 0 {
		out = append(out, string(part))
	}
	return out
}
