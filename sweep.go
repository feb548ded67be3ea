package daybook

import (
	"context"
	"fmt"

	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/query"
)

// sweepVisit gets an entry that matches, whose record is in s. Returning false ends the sweep after it.
type sweepVisit func(s *scan, e *kept.Entry) (more bool, err error)

// sweepOptions say how a sweep goes on. The zero value looks at every entry.
type sweepOptions struct {
	size int64 // below which entries are looked at; 0: all there are when it begins
	// skip, if set, may pass over a whole block or window of the tail by what its meta says; end ends the sweep before it.
	skip func(m *BlockMeta) (skip, end bool)
	// tombstones says that what retention has removed is looked at too, as far as anything is left of it.
	tombstones bool
}

// sweep calls each for every entry of org that q matches, in the order of the log; nil matches all. What retention has removed is left
// out, unless o asks for it. Unlike a search it has no budget: it ends at the size that the log had when it began, at an error, or with ctx. It holds no picture of the log for longer than a search may.
func (b *Book) sweep(ctx context.Context, org OrgID, q *query.Query, o sweepOptions, each sweepVisit) error {
	if q == nil {
		q = &query.Query{}
	}
	p := &question{org: org, query: q, now: b.now(), from: openFrom, to: openTo, asc: true}
	for at := int64(0); !p.done; {
		stop, err := b.sweepPart(ctx, p, at, o, each)
		if err != nil {
			return fmt.Errorf("sweep the log of %s from %d: %w", org, at, err)
		}
		at = stop
	}
	return nil
}

// sweepPart sweeps as much as one search may look at.
func (b *Book) sweepPart(ctx context.Context, p *question, at int64, o sweepOptions, each sweepVisit) (int64, error) {
	s, err := b.enterScan(ctx, p)
	if err != nil {
		return at, err
	}
	defer s.close()
	s.need, s.ids, s.tombstones = true, true, o.tombstones
	size := p.size
	if o.size > 0 {
		size = min(size, o.size)
	}
	ended := false
	w := walker{scan: s, asc: true, each: func(e *kept.Entry) (more bool, err error) {
		more, err = each(s, e)
		ended = ended || !more
		return more, err
	}}
	if o.skip != nil {
		w.take = func(m *BlockMeta, _ *dayTally) (taken, more bool, err error) {
			skip, end := o.skip(m)
			ended = ended || end
			return skip || end, !end, nil
		}
	}
	stop, err := w.walk(at, size)
	p.done = ended || stop >= size
	return stop, err
}
