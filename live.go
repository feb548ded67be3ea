package daybook

import (
	"context"
	"iter"
	"time"

	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/query"
)

// FollowHead as FollowQuery.From begins with the next entry to be recorded.
const FollowHead = -1

// FollowQuery says which entries are followed. Query, Text, Within, Hide and Zone are those of EventQuery; relative times are relative to
// the moment at which Follow begins.
type FollowQuery struct {
	Org    OrgID
	Query  *query.Query
	Text   string
	Within *query.Query
	Hide   []string
	Zone   *time.Location
	From   int64 // the first seq to look at; FollowHead: the next to be recorded
	// Every is how often at most a step only says how far the log was read; default 5 s.
	Every time.Duration
}

// Step is one step of following a log: an entry, or, where a query leaves entries out, only how far the log was read.
type Step struct {
	Entry    *Entry // nil: only a position
	Position int64  // everything through this seq was looked at
	Size     int64  // of the log at that moment
}

// Bounds of what a follower reads before it gives it out: a picture of the log is not held while the caller is busy.
const (
	followSteps = 128
	followBytes = 1 << 20
)

// Follow gives the entries that match, in the order of the log, and waits for those to come. Nothing is skipped, however slow the
// caller is, and without a query what retention has removed comes as its tombstone: entries are read by seq, and a commit only wakes the reader. To go on later, begin with the last Position plus one.
// While a query leaves entries out, a step without an entry now and then says how far the log was read.
//
// An org whose log does not exist yet is waited for. The last step carries the error of ctx, or another one that ended it.
func (b *Book) Follow(ctx context.Context, q FollowQuery) iter.Seq2[Step, error] {
	return func(yield func(Step, error) bool) {
		p, err := b.question(&EventQuery{Org: q.Org, Query: q.Query, Text: q.Text, Within: q.Within, Hide: q.Hide, Zone: q.Zone, Asc: true})
		if err != nil {
			yield(Step{}, err)
			return
		}
		f := follower{b: b, question: p, next: q.From, told: q.From - 1, every: q.Every}
		setDefault(&f.every, 5*time.Second)
		if err := f.run(ctx, yield); err != nil {
			yield(Step{}, err)
		}
	}
}

// follower is one Follow.
type follower struct {
	b        *Book
	question *question
	next     int64 // the first seq not looked at; FollowHead: not known yet
	told     int64 // the caller knows that everything through here was looked at
	size     int64
	log      LogNo // that was read last; 0: the org had none yet
	every    time.Duration
}

// run returns nil when the caller wants no more.
func (f *follower) run(ctx context.Context, yield func(Step, error) bool) error {
	due := time.NewTimer(f.every)
	defer due.Stop()
	for {
		steps, wake, err := f.read(ctx)
		if err != nil {
			return err
		}
		for i := range steps {
			if !yield(steps[i], nil) {
				return nil
			}
		}
		if n := len(steps); n > 0 {
			f.told = steps[n-1].Position
			due.Reset(f.every)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-wake:
		case <-due.C:
			if f.next-1 > f.told {
				f.told = f.next - 1
				if !yield(Step{Position: f.told, Size: f.size}, nil) {
					return nil
				}
			}
			due.Reset(f.every)
		}
	}
}

// read returns what is there from next on, a bounded part of it, and moves next. wake is closed when there is more to read: it was
// asked for before the log was looked at, so that no commit falls between the two.
func (f *follower) read(ctx context.Context) (steps []Step, wake <-chan struct{}, err error) {
	wake = f.b.changed(f.question.org)
	v, err := f.b.view(ctx, f.question.org)
	if err != nil {
		return nil, nil, err
	}
	if f.log != 0 && v.head.Log == 0 { // what is recorded for this id from now on is another organization's
		return nil, nil, &Error{Code: CodeNotFound, Message: "there is no such log any more"}
	}
	f.log = v.head.Log
	if f.size = v.size; f.next == FollowHead {
		f.next, f.told = v.size, v.size-1
	}
	if f.next >= v.size {
		return nil, wake, nil // another log of the shard
	}
	p := *f.question
	s, err := f.b.newScan(ctx, &p)
	if err != nil {
		return nil, nil, err
	}
	defer s.close()
	s.tombstones = s.all
	f.size = p.size
	if f.next < s.view.head.Packed {
		release, err := f.b.limits.enter(ctx, p.org)
		if err != nil {
			return nil, nil, err
		}
		defer release()
	}
	held := 0
	stop, err := s.walk(f.next, p.size, true, func(e *kept.Entry) (bool, error) {
		entry, err := openEntry(e, p.org, s.doc)
		if err != nil {
			return false, err
		}
		steps = append(steps, Step{Entry: &entry, Position: e.Seq, Size: p.size})
		held += len(entry.Payload)
		return len(steps) < followSteps && held < followBytes, nil
	})
	if err != nil {
		return nil, nil, err
	}
	if f.next = stop; f.next < p.size {
		wake = closedChan
	}
	return steps, wake, nil
}

// closedChan wakes at once.
var closedChan = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()
