package daybook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/internal/idfilter"
	"github.com/daybook-audit/daybook/leaf"
)

// Bounds of one commit: a request larger than either is a commit of its own.
const (
	maxCommitEntries = 16 << 10
	maxCommitBytes   = 8 << 20
)

// shard is one commit order: one sequencer goroutine, the only writer of commits, and the tail it makes.
type shard struct {
	b  *Book
	no int

	// The tail. Guarded by mu; written by run (publish), the merger (setFolded, trimmed) and open.
	mu          sync.RWMutex
	orgs        map[OrgID]*logTail
	logs        map[LogNo]*logTail
	gone        map[LogNo]struct{} // closed by this process: nobody finds them any more
	commits     []*tailCommit      // ascending, those not trimmed
	last        CommitNo           // the newest durable commit
	merged      CommitNo
	signed      int64
	states      int64 // of the Tail that the heads in memory are as new as
	mark        int64 // the Moved that they are as new as
	skips       int   // how often commits were gone before they were seen
	tailBytes   int64
	foldedBytes int64 // of tailBytes, what is in blocks already: it goes with the last of its commit
	tailEntries int
	removes     bool          // something that no cut has seen is to be removed
	tailSince   int64         // when the oldest commit that no cut has seen came; 0: none
	changed     chan struct{} // closed and replaced by every commit

	// The queue. Guarded by qmu.
	qmu    sync.Mutex
	queue  []*job
	queued int64    // bytes
	asked  []asking // between two commits; see between
	held   bool     // by a commit of unknown outcome
	closed bool
	ended  bool          // run takes no more of them
	wake   chan struct{} // one slot
	room   chan struct{} // one slot: the merger made room
	done   chan struct{} // closed when run has returned
	stop   chan struct{} // closed by close: no commit is repeated any more

	following chan struct{} // one slot: who reads what others did

	full atomic.Bool // the store had no space for what was last to be committed

	// Owned by run.
	overtaken time.Time // when another process last committed before this one could, by the monotonic clock
	ids       *idfilter.Filter
	batch     batch
}

// job is what one request adds to one log. The sequencer fills in the results before it sends on done.
type job struct {
	org    OrgID
	log    *logTail
	events []pending
	keys   []jobKey
	looked CommitNo // ids and keys were looked up in everything through this commit; −1: they were not
	bytes  int64
	ctx    context.Context // only asked while the job is in the queue
	done   chan error      // one slot
	queued time.Time

	// decided says that the job's control entries rest on what the log's control entries below seen say: any other comes first, and it is
	// errActsMoved.
	decided bool
	seen    int64

	// told says that done was sent on: the caller has its events back and may have changed them. Owned by run while it has the job.
	told bool

	first, received int64 // results
}

// pending is one event on its way: everything about it that needs no place in the log.
type pending struct {
	text     []byte // accepted JSON
	sent     []byte // the same before it was stamped; nil: it was not
	body     []byte // the same without the id text
	id       ID
	explicit bool // the producer gave the id
	idAt     int
	kind     byte
	secret   [16]byte
	root     tlog.Hash
	leaf     tlog.Hash // result
}

// jobKey is an idempotency key to be kept with the job's entries, or with older ones.
type jobKey struct {
	hash    [16]byte
	first   int64 // −1: the job's own entries
	n       int
	expires int64 // hours since 1970
}

// errLookUp sends a job back: something in it may be recorded already. The caller looks and comes again.
var errLookUp = errors.New("daybook: look up and come again")

// add queues j, or refuses it at once. After nil, exactly one error or nil comes on j.done.
func (s *shard) add(j *job) error {
	s.qmu.Lock()
	defer s.qmu.Unlock()
	switch {
	case s.closed:
		return errClosing()
	case s.queued > 0 && s.queued+j.bytes > s.b.o.MaxQueueBytes:
		return &Error{Code: CodeOverloaded, Message: "too many events are waiting to be recorded; try again"}
	}
	s.queue = append(s.queue, j)
	s.queued += j.bytes
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return nil
}

// take removes what one commit may hold beside the jobs of into from the queue, leaving out jobs whose caller has gone.
func (s *shard) take(into []*job) []*job {
	s.qmu.Lock()
	defer s.qmu.Unlock()
	entries, bytes, n := 0, int64(0), 0
	for _, j := range into {
		entries, bytes = entries+len(j.events), bytes+j.bytes
	}
	for _, j := range s.queue {
		if len(into) > 0 && (entries+len(j.events) > maxCommitEntries || bytes+j.bytes > maxCommitBytes) {
			break
		}
		n++
		s.queued -= j.bytes
		if err := j.ctx.Err(); err != nil {
			j.done <- err // nothing of it was recorded
			continue
		}
		entries, bytes = entries+len(j.events), bytes+j.bytes
		into = append(into, j)
	}
	rest := copy(s.queue, s.queue[n:])
	clear(s.queue[rest:])
	s.queue = s.queue[:rest]
	return into
}

// run is the sequencer. It ends when the queue is closed and empty.
func (s *shard) run() {
	defer close(s.done)
	var jobs []*job
	for {
		s.answerAsked()
		runtime.Gosched() // who was answered, and who is on its way into the queue, goes first: the next commit holds more
		jobs = s.take(jobs[:0])
		if len(jobs) > 0 {
			s.commit(jobs)
			s.waitForRoom()
			continue
		}
		s.qmu.Lock()
		end := s.closed && len(s.queue) == 0 && len(s.asked) == 0
		s.ended = s.ended || end
		s.qmu.Unlock()
		if end {
			return
		}
		<-s.wake
	}
}

// waitForRoom slows admission while the merger is behind: the further what is in no block is over its soft bound, the longer. At the hard
// bound, twice TailBytes, it waits until the merger, of whatever process, has folded some of it; meanwhile the queue fills, and
// add refuses what does not fit. So who records more than can be merged waits often and little, not once for a whole tail, and a tail
// holds at most one TailBytes more, which is folded and waits to be trimmed with the rest of its cut. A merger that makes no room for
// CommitTimeout is one that cannot: from then on until it does, whoever waits is refused.
func (s *shard) waitForRoom() {
	span := s.b.o.TailBytes/4 + 1
	soft := 2*s.b.o.TailBytes - span
	var late <-chan time.Time
	for {
		s.answerAsked() // who follows other processes makes room too
		s.mu.RLock()
		over := s.tailBytes - s.foldedBytes - soft
		s.mu.RUnlock()
		if over <= 0 {
			return
		}
		if late == nil {
			late = time.After(s.b.o.CommitTimeout)
		}
		pause := time.NewTimer(time.Duration(min(1, float64(over)/float64(span)) * float64(20*time.Millisecond)))
		select {
		case <-s.room:
		case <-pause.C:
			if over < span {
				return
			}
		case <-late:
			s.b.o.Logger.Error("what was recorded is not merged: nothing more is taken until it is", slog.Int("shard", s.no), slog.Int64("bytes", soft+over))
			late = time.After(againEvery)
			s.turnAway(&Error{Code: CodeOverloaded, Message: "what was recorded before cannot be merged; nothing was recorded, try again"})
		case <-s.stop:
			pause.Stop()
			return
		}
		pause.Stop()
	}
}

// commit makes one commit of jobs and answers them. Jobs that may repeat something are sent back first.
func (s *shard) commit(jobs []*job) {
	begin := s.b.o.Now()
	if s.b.metrics.Wait != nil {
		s.b.metrics.Wait(begin.Sub(jobs[0].queued).Seconds())
	}
	unanswered := jobs
	for {
		var c *tailCommit
		var row []byte
		var err error
		if s.contested() {
			c, row, unanswered, err = s.appendNext(unanswered)
		} else if unanswered = s.sendBack(unanswered, nil); len(unanswered) > 0 {
			c, row = s.prepare(unanswered)
			err = s.append(c, row, unanswered)
		}
		if len(unanswered) == 0 {
			return
		}
		var exists *KeyExistsError
		switch {
		case err == nil:
			s.full.Store(false)
			s.settled(c)
			if s.b.metrics.Commit != nil { // first: who was answered is counted
				s.b.metrics.Commit(c.Len(), len(row), s.b.o.Now().Sub(begin).Seconds())
			}
			for _, j := range unanswered {
				j.answer(nil)
			}
			return
		case errors.Is(err, ErrHeadMoved):
			var written bool
			if written, err = s.overtook(c); err == nil && !written {
				unanswered = untold(unanswered)
				continue
			}
		case errors.As(err, &exists):
			unanswered = s.sendBack(untold(unanswered), exists.Keys)
			continue
		case c == nil:
			continue // nothing was sent: the next attempt is made without others waiting
		default:
			err = s.refusal(err)
		}
		for _, j := range unanswered {
			j.answer(err)
		}
		return
	}
}

// overtook applies what others committed, and reports whether c is there all the same; nil: it was not sent.
func (s *shard) overtook(c *tailCommit) (written bool, err error) {
	if s.b.fleet != nil {
		s.overtaken = monotonic()
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.b.o.CommitTimeout) // others wait
	defer cancel()
	if err = s.catchUp(ctx); err == nil {
		s.announce()
	} else if !damagedStore(err) {
		err = fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
	}
	if err != nil || c == nil {
		return false, err
	}
	return s.has(ctx, c)
}

// refusal turns an error of a write that says that nothing was written into what the caller is told. A store that failed to sync ends
// the Book. An outcome that is not known stays so: it is no refusal.
func (s *shard) refusal(err error) error {
	switch {
	case errors.Is(err, ErrUnknownOutcome):
		return err
	case errors.Is(err, ErrNoSpace):
		s.full.Store(true)
		return &Error{Code: CodeOverloaded, Message: "no space is left to record; reads go on", Err: err}
	case errors.Is(err, ErrBroken):
		s.b.fail(err)
		return &Error{Code: CodeUnavailable, Rule: "store_broken", Message: "the store must be reopened before it can record", Err: err}
	}
	return err
}

// has reports whether the store has c, which was overtaken. A commit of unknown outcome that is repeated and found to have been overtaken
// may have been written the first time; its entries must not be recorded again.
func (s *shard) has(ctx context.Context, c *tailCommit) (bool, error) {
	s.mu.RLock()
	for _, other := range s.commits {
		if other.n == c.n {
			defer s.mu.RUnlock()
			return other.ID == c.ID, nil
		}
	}
	gone := s.last >= c.n // others have merged it, while this process slept
	var v view
	if gone && len(c.Runs) > 0 && s.logs[LogNo(c.Runs[0].Log)] != nil {
		v = s.viewOf(s.logs[LogNo(c.Runs[0].Log)])
	}
	s.mu.RUnlock()
	switch {
	case !gone:
		return false, nil
	case v.head.Log == 0: // nothing but keys, or of a log that is not there any more
		return false, fmt.Errorf("%w: commit %d was merged", ErrUnknownOutcome, c.n)
	}
	first := &c.Runs[0]
	if v.size <= first.First {
		return false, nil
	}
	es, err := s.b.entries(ctx, v, first.First, first.First+1)
	if err != nil {
		return false, fmt.Errorf("%w: look for commit %d: %w", ErrUnknownOutcome, c.n, err)
	}
	d := leaf.Get()
	defer leaf.Put(d)
	h, err := es[0].Hash(d)
	if err != nil {
		return false, fmt.Errorf("%w: look for commit %d: %w", ErrUnknownOutcome, c.n, ofStored(err))
	}
	return h == c.LeafHash(first.At), nil // it has this entry's secret in it: no other commit made it
}

// damagedStore reports whether err says that what is stored cannot be: repeating a call is of no use.
func damagedStore(err error) bool { return CodeOf(err) == CodeTampered || errors.Is(err, ErrNewer) }

// answer tells the caller, once: a job whose outcome was unknown for too long has been answered already.
func (j *job) answer(err error) {
	j.told = true
	select {
	case j.done <- err:
	default:
	}
}

// untold returns those of jobs whose callers still wait. The others have their events back: a commit that was not written takes none of them
// a second time.
func untold(jobs []*job) []*job {
	return slices.DeleteFunc(jobs, func(j *job) bool { return j.told })
}

// storeCommit is what the store is handed of a commit that was just prepared.
func (s *shard) storeCommit(c *tailCommit, row []byte) *Commit {
	return &Commit{
		ID: s.batch.id, Shard: s.no, Prev: c.n - 1, At: s.batch.at, Entries: c.Len(), Raw: c.Raw(), Bytes: row, Keys: s.batch.keys,
		States: s.batch.states,
	}
}

// settled makes a durable commit visible.
func (s *shard) settled(c *tailCommit) {
	s.mu.Lock()
	for i := range s.batch.touched {
		t := &s.batch.touched[i]
		t.log.tree.Set(&t.tree)
	}
	s.publish(c)
	s.mu.Unlock()
	s.announce()
	if g := s.b.signer; g != nil {
		for i := range s.batch.touched {
			if s.batch.touched[i].control {
				g.signSoon(s, s.batch.touched[i].log)
			}
		}
	}
}

// announce wakes whoever waits for commits.
func (s *shard) announce() {
	s.mu.Lock()
	woken := s.changed
	s.changed = make(chan struct{})
	s.mu.Unlock()
	close(woken)
	s.b.merger.wake()
}
