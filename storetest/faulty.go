package storetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/daybook-audit/daybook"
)

// Step is a method of a store that a plan can make fail.
type Step string

// The steps.
const (
	StepHeads   Step = "Heads" // LogHeads and Logs too
	StepAppend  Step = "Append"
	StepKeys    Step = "Keys"
	StepTail    Step = "Tail"
	StepBlocks  Step = "Blocks"
	StepRead    Step = "Read"
	StepSlips   Step = "Slips"
	StepReplace Step = "Replace"
	StepTrim    Step = "Trim"
	StepNotes   Step = "Notes"
	StepPutNote Step = "PutNote"
	StepEpoch   Step = "NewEpoch" // Epochs too
	StepDrop    Step = "DropKeys"
	StepClose   Step = "CloseLogs"
	StepDropLog Step = "DropLog"
	StepScrub   Step = "Scrub"
	StepGet     Step = "Get" // List too
	StepPut     Step = "Put"
	StepDelete  Step = "Delete" // DeleteOrg too

	// Those of a store of several processes.
	StepWatch Step = "Watch"
	StepMoved Step = "Moved"
	StepLease Step = "Lease"
)

// FleetSteps returns the steps that only a [FaultyNode] has.
func FleetSteps() []Step { return []Step{StepWatch, StepMoved, StepLease} }

// Steps returns all steps of a store of one process.
func Steps() []Step {
	return []Step{
		StepHeads, StepAppend, StepKeys, StepTail, StepBlocks, StepRead, StepSlips, StepReplace, StepTrim, StepNotes, StepPutNote,
		StepEpoch, StepDrop, StepClose, StepDropLog, StepScrub, StepGet, StepPut, StepDelete,
	}
}

// Fault is what goes wrong in one call.
type Fault int

// The faults. A step that writes nothing fails alike with the first two.
const (
	None         Fault = iota
	NotPersisted       // ErrFault, nothing was done
	Persisted          // ErrFault, and yet it was done
	Slow               // done and reported, but late, whatever the context says meanwhile
	ContextEnded       // context.DeadlineExceeded, nothing was done
	Moved              // somebody else came first: ErrHeadMoved, ErrSwapped, ErrVersionMoved, Read's ErrNotExist; nothing was done
	Lost               // reported as done, and forgotten: no store may do this, and a test that does not notice is none
)

// Faults returns the faults that a store may show: all but Lost.
func Faults() []Fault { return []Fault{NotPersisted, Persisted, Slow, ContextEnded, Moved} }

// String returns the name.
func (f Fault) String() string {
	return [...]string{"none", "not persisted", "persisted but reported failed", "slow", "context ended", "moved head", "lost"}[f]
}

// ErrFault is the error of a planned fault.
var ErrFault = errors.New("storetest: planned fault")

// Plan says what goes wrong in a call: the n-th of its step, from 1. It is called by one goroutine at a time.
type Plan func(step Step, n int) Fault

// Once is the plan in which the n-th call of one step goes wrong and everything else goes well.
func Once(step Step, n int, fault Fault) Plan {
	return func(s Step, i int) Fault {
		if s == step && i == n {
			return fault
		}
		return None
	}
}

// FaultyStore is a store whose calls go wrong as planned. See [Faulty].
type FaultyStore struct {
	daybook.Store
	Delay time.Duration // how late a slow call answers; default 50 ms

	mu    sync.Mutex
	plan  Plan
	calls map[Step]int
	hits  int
}

var (
	_ daybook.Store     = (*FaultyStore)(nil)
	_ daybook.Documents = (*FaultyStore)(nil)
)

// Faulty returns s with the faults of plan. It is a [daybook.Documents] too; those methods fail if s is none.
func Faulty(s daybook.Store, plan Plan) *FaultyStore {
	return &FaultyStore{Store: s, Delay: 50 * time.Millisecond, plan: plan, calls: map[Step]int{}}
}

// Hits returns how many calls went wrong. A test that plans a fault and has no hit has tested nothing.
func (f *FaultyStore) Hits() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hits
}

// Heal ends all faults.
func (f *FaultyStore) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.plan = func(Step, int) Fault { return None }
}

// run makes one call, as the plan has it. moved is the step's error when somebody else came first; nil: it has none.
func (f *FaultyStore) run(step Step, moved error, call func() error) error {
	f.mu.Lock()
	f.calls[step]++
	fault := f.plan(step, f.calls[step])
	if fault != None {
		f.hits++
	}
	f.mu.Unlock()
	planned := fmt.Errorf("%s, %s: %w", step, fault, ErrFault)
	switch fault {
	case NotPersisted:
		return planned
	case Persisted:
		if err := call(); err != nil {
			return err
		}
		return planned
	case Slow:
		err := call()
		<-time.After(f.Delay)
		return err
	case ContextEnded:
		return context.DeadlineExceeded
	case Moved:
		if moved == nil {
			return planned
		}
		return moved
	case Lost:
		return nil
	default:
		return call()
	}
}

// get is run for a step with a result.
func get[T any](f *FaultyStore, step Step, moved error, call func() (T, error)) (v T, err error) {
	var zero T
	err = f.run(step, moved, func() (err error) {
		v, err = call()
		return err
	})
	if err != nil {
		return zero, err
	}
	return v, nil
}

// Heads implements [daybook.Appender].
func (f *FaultyStore) Heads(ctx context.Context, orgs []daybook.OrgID, create bool) ([]daybook.Head, error) {
	return get(f, StepHeads, nil, func() ([]daybook.Head, error) { return f.Store.Heads(ctx, orgs, create) })
}

// LogHeads implements [daybook.Appender].
func (f *FaultyStore) LogHeads(ctx context.Context, logs []daybook.LogNo) ([]daybook.Head, error) {
	return get(f, StepHeads, nil, func() ([]daybook.Head, error) { return f.Store.LogHeads(ctx, logs) })
}

// Logs implements [daybook.Reader].
func (f *FaultyStore) Logs(ctx context.Context, after daybook.LogNo, limit int) ([]daybook.Head, error) {
	return get(f, StepHeads, nil, func() ([]daybook.Head, error) { return f.Store.Logs(ctx, after, limit) })
}

// Append implements [daybook.Appender].
func (f *FaultyStore) Append(ctx context.Context, c *daybook.Commit) error {
	return f.run(StepAppend, daybook.ErrHeadMoved, func() error { return f.Store.Append(ctx, c) })
}

// Keys implements [daybook.Appender].
func (f *FaultyStore) Keys(ctx context.Context, ks []daybook.KeyRef) ([]daybook.Key, error) {
	return get(f, StepKeys, nil, func() ([]daybook.Key, error) { return f.Store.Keys(ctx, ks) })
}

// Tail implements [daybook.Reader].
func (f *FaultyStore) Tail(ctx context.Context, shard int, after daybook.CommitNo, maxBytes int) (daybook.Tail, error) {
	return get(f, StepTail, nil, func() (daybook.Tail, error) { return f.Store.Tail(ctx, shard, after, maxBytes) })
}

// Blocks implements [daybook.Reader].
func (f *FaultyStore) Blocks(ctx context.Context, q daybook.BlockQuery) iter.Seq2[daybook.BlockMeta, error] {
	return listed(f, StepBlocks, func() iter.Seq2[daybook.BlockMeta, error] { return f.Store.Blocks(ctx, q) })
}

// Read implements [daybook.Reader].
func (f *FaultyStore) Read(ctx context.Context, log daybook.LogNo, refs []daybook.BlockRef) ([][]byte, error) {
	return get(f, StepRead, daybook.ErrNotExist, func() ([][]byte, error) { return f.Store.Read(ctx, log, refs) })
}

// Slips implements [daybook.Reader].
func (f *FaultyStore) Slips(ctx context.Context, log daybook.LogNo, from, to daybook.SlipKey) iter.Seq2[daybook.Slip, error] {
	return listed(f, StepSlips, func() iter.Seq2[daybook.Slip, error] { return f.Store.Slips(ctx, log, from, to) })
}

// listed yields what list yields. A planned fault comes after the first of it: a listing that breaks off.
func listed[T any](f *FaultyStore, step Step, list func() iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		fault := f.run(step, nil, func() error { return nil })
		for v, err := range list() {
			if !yield(v, err) || err != nil {
				return
			}
			if fault != nil {
				break
			}
		}
		if fault != nil {
			var zero T
			yield(zero, fault)
		}
	}
}

// Replace implements [daybook.Keeper].
func (f *FaultyStore) Replace(ctx context.Context, swaps []daybook.Swap) error {
	return f.run(StepReplace, daybook.ErrSwapped, func() error { return f.Store.Replace(ctx, swaps) })
}

// Trim implements [daybook.Keeper].
func (f *FaultyStore) Trim(ctx context.Context, shard int, through daybook.CommitNo, now int64) error {
	return f.run(StepTrim, nil, func() error { return f.Store.Trim(ctx, shard, through, now) })
}

// Epochs implements [daybook.Reader].
func (f *FaultyStore) Epochs(ctx context.Context, org daybook.OrgID) ([]daybook.Head, error) {
	return get(f, StepEpoch, nil, func() ([]daybook.Head, error) { return f.Store.Epochs(ctx, org) })
}

// Notes implements [daybook.Reader].
func (f *FaultyStore) Notes(ctx context.Context, log daybook.LogNo, from, to int64, desc bool) iter.Seq2[daybook.StoredNote, error] {
	return listed(f, StepNotes, func() iter.Seq2[daybook.StoredNote, error] { return f.Store.Notes(ctx, log, from, to, desc) })
}

// PutNote implements [daybook.Keeper].
func (f *FaultyStore) PutNote(ctx context.Context, log daybook.LogNo, n daybook.StoredNote) error {
	return f.run(StepPutNote, nil, func() error { return f.Store.PutNote(ctx, log, n) })
}

// NewEpoch implements [daybook.Keeper].
func (f *FaultyStore) NewEpoch(ctx context.Context, log daybook.LogNo) (daybook.Head, error) {
	return get(f, StepEpoch, nil, func() (daybook.Head, error) { return f.Store.NewEpoch(ctx, log) })
}

// DropKeys implements [daybook.Keeper].
func (f *FaultyStore) DropKeys(ctx context.Context, log daybook.LogNo, covers func(first int64, n int) bool) error {
	return f.run(StepDrop, nil, func() error { return f.Store.DropKeys(ctx, log, covers) })
}

// CloseLogs implements [daybook.Keeper].
func (f *FaultyStore) CloseLogs(ctx context.Context, org daybook.OrgID) error {
	return f.run(StepClose, nil, func() error { return f.Store.CloseLogs(ctx, org) })
}

// DropLog implements [daybook.Keeper].
func (f *FaultyStore) DropLog(ctx context.Context, log daybook.LogNo) (bool, error) {
	return get(f, StepDropLog, nil, func() (bool, error) { return f.Store.DropLog(ctx, log) })
}

// Scrub implements [daybook.Scrubber]; a store that needs none is scrubbed.
func (f *FaultyStore) Scrub(ctx context.Context) error {
	return f.run(StepScrub, nil, func() error {
		if s, ok := f.Store.(daybook.Scrubber); ok {
			return s.Scrub(ctx)
		}
		return nil
	})
}

func (f *FaultyStore) documents() (daybook.Documents, error) {
	if d, ok := f.Store.(daybook.Documents); ok {
		return d, nil
	}
	return nil, fmt.Errorf("%T keeps no documents", f.Store)
}

// Get implements [daybook.Documents].
func (f *FaultyStore) Get(ctx context.Context, kind string, org daybook.OrgID, id string) (daybook.Document, error) {
	d, err := f.documents()
	if err != nil {
		return daybook.Document{}, err
	}
	return get(f, StepGet, nil, func() (daybook.Document, error) { return d.Get(ctx, kind, org, id) })
}

// List implements [daybook.Documents].
func (f *FaultyStore) List(ctx context.Context, kind string, org daybook.OrgID, after string, limit int) ([]daybook.Document, error) {
	d, err := f.documents()
	if err != nil {
		return nil, err
	}
	return get(f, StepGet, nil, func() ([]daybook.Document, error) { return d.List(ctx, kind, org, after, limit) })
}

// Put implements [daybook.Documents].
func (f *FaultyStore) Put(ctx context.Context, doc daybook.Document) (int64, error) {
	d, err := f.documents()
	if err != nil {
		return 0, err
	}
	return get(f, StepPut, daybook.ErrVersionMoved, func() (int64, error) { return d.Put(ctx, doc) })
}

// Delete implements [daybook.Documents].
func (f *FaultyStore) Delete(ctx context.Context, kind string, org daybook.OrgID, id string, version int64) error {
	d, err := f.documents()
	if err != nil {
		return err
	}
	return f.run(StepDelete, daybook.ErrVersionMoved, func() error { return d.Delete(ctx, kind, org, id, version) })
}

// DeleteOrg implements [daybook.Documents].
func (f *FaultyStore) DeleteOrg(ctx context.Context, org daybook.OrgID) error {
	d, err := f.documents()
	if err != nil {
		return err
	}
	return f.run(StepDelete, nil, func() error { return d.DeleteOrg(ctx, org) })
}
