package storetest

import (
	"context"
	"time"

	"github.com/daybook-audit/daybook"
)

// FaultyNode is a [FaultyStore] over a store of several processes, which it is too. See [FaultyFleet].
type FaultyNode struct {
	*FaultyStore
	fleet daybook.Fleet
}

var (
	_ daybook.Store     = (*FaultyNode)(nil)
	_ daybook.Documents = (*FaultyNode)(nil)
	_ daybook.Fleet     = (*FaultyNode)(nil)
)

// FaultyFleet is [Faulty] for a store that is a [daybook.Fleet]; another one is a mistake of the test and panics.
func FaultyFleet(s daybook.Store, plan Plan) *FaultyNode {
	return &FaultyNode{FaultyStore: Faulty(s, plan), fleet: s.(daybook.Fleet)} //nolint:forcetypeassert // as the comment says
}

// AppendNext implements [daybook.Fleet]. A fault that leaves nothing behind comes before build is called.
func (f *FaultyNode) AppendNext(ctx context.Context, shard int, after daybook.CommitNo, build func(newer daybook.Tail) (*daybook.Commit, error)) error {
	return f.run(StepAppend, daybook.ErrHeadMoved, func() error { return f.fleet.AppendNext(ctx, shard, after, build) })
}

// Watch implements [daybook.Fleet].
func (f *FaultyNode) Watch(ctx context.Context, seen []daybook.Place) ([]daybook.Place, error) {
	return get(f.FaultyStore, StepWatch, nil, func() ([]daybook.Place, error) { return f.fleet.Watch(ctx, seen) })
}

// Moved implements [daybook.Fleet].
func (f *FaultyNode) Moved(ctx context.Context, shard int, since int64) (heads []daybook.Head, now int64, err error) {
	heads, err = get(f.FaultyStore, StepMoved, nil, func() (heads []daybook.Head, err error) {
		heads, now, err = f.fleet.Moved(ctx, shard, since)
		return heads, err
	})
	return heads, now, err
}

// Lease implements [daybook.Fleet].
func (f *FaultyNode) Lease(ctx context.Context, name, holder string, ttl time.Duration) error {
	return f.run(StepLease, daybook.ErrLeaseHeld, func() error { return f.fleet.Lease(ctx, name, holder, ttl) })
}
