package daybook

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

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
	commits     []*tailCommit // ascending, those not trimmed
	last        CommitNo      // the newest durable commit
	merged      CommitNo
	signed      int64
	tailBytes   int64
	cutBytes    int64 // of tailBytes, what the merger has cut and is folding
	tailEntries int
	tailSince   int64         // when the oldest commit that no cut has seen came; 0: none
	changed     chan struct{} // closed and replaced by every commit

	// The queue. Guarded by qmu.
	qmu    sync.Mutex
	queue  []*job
	queued int64 // bytes
	closed bool
	wake   chan struct{} // one slot
	room   chan struct{} // one slot: the merger made room
	done   chan struct{} // closed when run has returned
	stop   chan struct{} // closed by close: no commit is repeated any more

	// Owned by run.
	ids   *idFilter
	batch batch
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

	// told says that done was sent on: the caller has its events back and may have changed them. Owned by run while it has the job.
	told bool

	first, received int64 // results
}

// pending is one event on its way: everything about it that needs no place in the log.
type pending struct {
	text     []byte // accepted JSON
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
		return &Error{Code: CodeUnavailable, Rule: "closing", Message: "the log is being closed"}
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

// take removes what one commit may hold from the queue, leaving out jobs whose caller has gone.
func (s *shard) take(into []*job) []*job {
	s.qmu.Lock()
	defer s.qmu.Unlock()
	entries, bytes, n := 0, int64(0), 0
	for _, j := range s.queue {
		if n > 0 && (entries+len(j.events) > maxCommitEntries || bytes+j.bytes > maxCommitBytes) {
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
		jobs = s.take(jobs[:0])
		if len(jobs) > 0 {
			s.commit(jobs)
			s.waitForRoom()
			continue
		}
		s.qmu.Lock()
		end := s.closed && len(s.queue) == 0
		s.qmu.Unlock()
		if end {
			return
		}
		<-s.wake
	}
}

// waitForRoom slows admission while the merger is behind: the further the part of the tail that it has not cut is over its soft
// bound, the longer. At the hard bound it waits until the merger has made room; meanwhile the queue fills, and add refuses what does
// not fit. So a tail holds at most the part being folded, of about TailBytes, and one and a half times TailBytes.
func (s *shard) waitForRoom() {
	soft, span := s.b.o.TailBytes+s.b.o.TailBytes/4, s.b.o.TailBytes/4+1
	for {
		s.mu.RLock()
		over := s.tailBytes - s.cutBytes - soft
		s.mu.RUnlock()
		if over <= 0 {
			return
		}
		pause := time.NewTimer(time.Duration(min(1, float64(over)/float64(span)) * float64(20*time.Millisecond)))
		select {
		case <-s.room:
		case <-pause.C:
			if over < span {
				return
			}
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
		unanswered = s.sendBack(unanswered, nil)
		if len(unanswered) == 0 {
			return
		}
		c, row := s.prepare(unanswered)
		err := s.append(c, row, unanswered)
		var exists *KeyExistsError
		switch {
		case err == nil:
			s.settled(c)
			if s.b.metrics.Commit != nil { // first: who was answered is counted
				s.b.metrics.Commit(len(c.entries), len(row), s.b.o.Now().Sub(begin).Seconds())
			}
			for _, j := range unanswered {
				j.answer(nil)
			}
			return
		case errors.Is(err, ErrHeadMoved):
			if err = s.catchUp(context.Background()); err == nil {
				s.announce()
			}
			if err == nil && !s.has(c.n, s.batch.id) {
				unanswered = slices.DeleteFunc(unanswered, func(j *job) bool { return j.told })
				continue
			}
		case errors.As(err, &exists):
			unanswered = s.sendBack(unanswered, exists.Keys)
			continue
		case errors.Is(err, ErrNoSpace):
			err = &Error{Code: CodeOverloaded, Message: "no space is left to record; reads go on", Err: err}
		case errors.Is(err, ErrBroken):
			s.b.fail(err)
			err = &Error{Code: CodeUnavailable, Rule: "store_broken", Message: "the store must be reopened before it can record", Err: err}
		}
		for _, j := range unanswered {
			j.answer(err)
		}
		return
	}
}

// has reports whether commit n is the one with this id. A commit of unknown outcome that is repeated and found to have been overtaken
// may have been written the first time; its entries must not be recorded again.
func (s *shard) has(n CommitNo, id [16]byte) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, c := range s.commits {
		if c.n == n {
			return c.id == id
		}
	}
	return false
}

// answer tells the caller, once: a job whose outcome was unknown for too long has been answered already.
func (j *job) answer(err error) {
	j.told = true
	select {
	case j.done <- err:
	default:
	}
}

// append hands the commit to the store. While the outcome is unknown it holds the shard and repeats the same commit, which is safe:
// the store answers a commit that it has by its id. After CommitTimeout the callers are told that the outcome is unknown.
func (s *shard) append(c *tailCommit, row []byte, jobs []*job) error {
	commit := &Commit{
		ID: s.batch.id, Shard: s.no, Prev: c.n - 1, At: s.batch.at, Entries: len(c.entries), Raw: len(c.bodies), Bytes: row, Keys: s.batch.keys,
	}
	err := s.b.store.Append(context.Background(), commit)
	if known(err) {
		return err
	}
	s.b.o.Logger.Error("commit of unknown outcome: the shard is held until it is settled",
		slog.Int("shard", s.no), slog.Int64("commit", int64(c.n)), slog.Any("error", err))
	deadline := time.NewTimer(s.b.o.CommitTimeout)
	defer deadline.Stop()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		select {
		case <-s.stop:
			return fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
		case <-deadline.C:
			for _, j := range jobs {
				j.answer(fmt.Errorf("%w: %w", ErrUnknownOutcome, err))
			}
		case <-again.C:
			if err = s.b.store.Append(context.Background(), commit); known(err) {
				if errors.Is(err, ErrBroken) {
					s.b.fail(err)
					return fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
				}
				return err
			}
		}
	}
}

// known reports whether err tells if the commit was written.
func known(err error) bool {
	var exists *KeyExistsError
	return err == nil || errors.Is(err, ErrHeadMoved) || errors.Is(err, ErrNoSpace) || errors.Is(err, ErrBroken) || errors.As(err, &exists)
}

// batch is the working memory of one commit.
type batch struct {
	id      [16]byte
	at      int64
	keys    []Key
	touched []touchedLog
	index   map[*logTail]int // into touched
	ids     map[explicitID]struct{}
	hashes  map[KeyRef]struct{}
	packed  []packed
	row     []byte
}

// touchedLog is one log's part of a commit being prepared: the state it will have if the commit succeeds.
type touchedLog struct {
	log  *logTail
	jobs []*job
	tree frontier
}

type explicitID struct {
	log LogNo
	id  ID
}

// sendBack answers jobs that cannot be part of this commit (their log is frozen, or something of theirs may be recorded already)
// and returns the rest. exist, when set, are keys that the store has.
func (s *shard) sendBack(jobs []*job, exist []KeyRef) []*job {
	clear(s.batch.ids)
	clear(s.batch.hashes)
	kept := jobs[:0]
	for _, j := range jobs {
		switch err := s.refuse(j, exist); err {
		case nil:
			kept = append(kept, j)
		default:
			j.answer(err)
		}
	}
	return kept
}

func (s *shard) refuse(j *job, exist []KeyRef) error {
	s.mu.RLock()
	fault, state, ahead, since := j.log.fault, j.log.head.State, j.log.ahead, recent{commits: s.commits, oldest: s.last + 1}
	if len(s.commits) > 0 {
		since.oldest = s.commits[0].n
	}
	s.mu.RUnlock()
	if fault != nil || state != LogOpen {
		return &Error{Code: CodeUnavailable, Rule: "log_frozen", Message: "this log is frozen: reads go on, nothing is recorded", Err: fault}
	}
	for i := range j.keys {
		ref := KeyRef{Log: j.log.no, Hash: j.keys[i].hash}
		if _, twice := s.batch.hashes[ref]; twice || j.looked+1 < since.oldest || since.hasKey(ref, j.looked) {
			return errLookUp
		}
		if slices.Contains(exist, ref) {
			return errLookUp
		}
		s.batch.hashes[ref] = struct{}{}
	}
	for i := range j.events {
		p := &j.events[i]
		if p.explicit && !s.isNew(j, &p.id, &since, ahead) {
			return errLookUp
		}
	}
	return nil
}

// isNew reports whether an id that the producer gave is certainly not in the log.
func (s *shard) isNew(j *job, id *ID, since *recent, ahead int64) bool {
	key := explicitID{j.log.no, *id}
	if _, twice := s.batch.ids[key]; twice {
		return false
	}
	// An id that the filter does not know is new if it was made, and so recorded, after covered, or if the whole log was: unless the
	// log knows of clocks that were ahead, whose ids may be older than they look.
	madeAt := id.Micros()
	switch {
	case !s.ids.maybe(id) && (madeAt > s.ids.covered+clockSlack && madeAt > ahead || j.log.emptyAt >= s.ids.covered):
	case j.looked+1 < since.oldest || since.hasID(j.log.no, id, j.looked):
		return false
	}
	s.batch.ids[key] = struct{}{}
	return true
}

// recent is one picture of the commits in memory. The merger may trim them meanwhile, which changes neither.
type recent struct {
	commits []*tailCommit // ascending
	oldest  CommitNo      // of commits, or the next one
}

// hasID looks for an id in the commits after n. They are few: a caller looked up the others a moment ago.
func (r *recent) hasID(log LogNo, id *ID, n CommitNo) bool {
	for i := len(r.commits) - 1; i >= 0 && r.commits[i].n > n; i-- {
		c := r.commits[i]
		for k := range c.runs {
			run := &c.runs[k]
			if run.log != log {
				continue
			}
			for e := run.at; e < run.at+run.count; e++ {
				if c.entries[e].id == *id {
					return true
				}
			}
		}
	}
	return false
}

// hasKey looks for a key in the commits after n.
func (r *recent) hasKey(ref KeyRef, n CommitNo) bool {
	for i := len(r.commits) - 1; i >= 0 && r.commits[i].n > n; i-- {
		if slices.Contains(r.commits[i].keys, ref) {
			return true
		}
	}
	return false
}

// prepare gives every event its seq and received_at, computes leaf hashes and frontiers, and packs the row. It changes nothing that
// others see: publish does, once the commit is durable.
func (s *shard) prepare(jobs []*job) (*tailCommit, []byte) {
	bt := &s.batch
	if _, err := rand.Read(bt.id[:]); err != nil {
		panic(err) // crypto/rand.Read never returns an error
	}
	s.group(jobs)
	s.mu.RLock()
	c := &tailCommit{n: s.last + 1}
	signed := s.signed
	s.mu.RUnlock()
	entries, size := 0, 0
	for _, j := range jobs {
		entries += len(j.events)
		for i := range j.events {
			size += len(j.events[i].body)
		}
	}
	c.entries = make([]tailEntry, 0, entries)
	c.runs = make([]commitRun, 0, len(bt.touched))
	now := s.b.now()
	bt.at, bt.keys, bt.packed = now, bt.keys[:0], bt.packed[:0]
	for i := range bt.touched {
		s.sequence(&bt.touched[i], c, max(now, signed))
	}
	plain := appendColumns(make([]byte, 0, size+len(bt.packed)*maxColumnBytes), bt.packed, false)
	bodies := 0
	for i := range bt.packed {
		c.entries[i].off = uint32(bodies)
		bodies += len(bt.packed[i].body)
	}
	c.id, c.bodies = bt.id, plain[len(plain)-bodies:]
	for i := range bt.keys {
		c.keys = append(c.keys, bt.keys[i].KeyRef)
	}
	bt.row = packCommit(bt.row, bt.id, c, plain)
	return c, bt.row
}

// group puts the jobs of one log together, logs in the order of their first job.
func (s *shard) group(jobs []*job) {
	bt := &s.batch
	for i := range bt.touched {
		clear(bt.touched[i].jobs)
		bt.touched[i].jobs = bt.touched[i].jobs[:0]
	}
	used := 0
	clear(bt.index)
	for _, j := range jobs {
		i, ok := bt.index[j.log]
		if !ok {
			i = used
			used++
			if i == cap(bt.touched) {
				bt.touched = append(bt.touched[:i], touchedLog{})
			}
			bt.touched = bt.touched[:used]
			bt.index[j.log] = i
			bt.touched[i].log = j.log
			bt.touched[i].tree.set(&j.log.tree) // owned by run, like every logTail.tree
		}
		bt.touched[i].jobs = append(bt.touched[i].jobs, j)
	}
	bt.touched = bt.touched[:used]
}

// sequence adds the run of one log to c.
func (s *shard) sequence(t *touchedLog, c *tailCommit, notBefore int64) {
	run := commitRun{log: t.log.no, first: t.tree.size, received: max(notBefore, t.log.received+1), at: len(c.entries)}
	l := leaf.Leaf{Seq: run.first, ReceivedAt: run.received}
	for _, j := range t.jobs {
		j.first, j.received = l.Seq, l.ReceivedAt
		for i := range j.events {
			p := &j.events[i]
			l.Kind, l.ID, l.Root = p.kind, p.id, p.root
			p.leaf = l.Hash()
			t.tree.append(p.leaf)
			s.ids.add(&p.id, notBefore)
			c.entries = append(c.entries, tailEntry{
				leaf: p.leaf, id: p.id, secret: p.secret, len: uint32(len(p.body)), idAt: uint32(p.idAt), state: p.kind << stateKind,
			})
			s.batch.packed = append(s.batch.packed, packed{id: p.id, kind: p.kind, idAt: p.idAt, body: p.body})
			l.Seq++
			l.ReceivedAt++
		}
		for _, k := range j.keys {
			key := Key{KeyRef: KeyRef{run.log, k.hash}, First: k.first, N: k.n, Expires: k.expires}
			if k.first < 0 {
				key.First, key.N = j.first, len(j.events)
			}
			s.batch.keys = append(s.batch.keys, key)
		}
	}
	if run.count = len(c.entries) - run.at; run.count > 0 {
		run.check = t.tree.check()
		c.runs = append(c.runs, run)
	}
}

// settled makes a durable commit visible.
func (s *shard) settled(c *tailCommit) {
	s.mu.Lock()
	for i := range s.batch.touched {
		t := &s.batch.touched[i]
		t.log.tree.set(&t.tree)
	}
	s.publish(c)
	s.mu.Unlock()
	s.announce()
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

// catchUp applies commits that someone else made, so that the next one is prepared on top of them.
func (s *shard) catchUp(ctx context.Context) error {
	for {
		s.mu.RLock()
		after := s.last
		s.mu.RUnlock()
		tail, err := s.b.store.Tail(ctx, s.no, after, 16<<20)
		if err != nil {
			return fmt.Errorf("read the commits after %d: %w", after, err)
		}
		if tail.Last < after { // without this, commit would ask for what is newer for ever
			return damaged("the store ends at commit %d, and commit %d was durable: it was rolled back", tail.Last, after)
		}
		if err := s.apply(ctx, tail); err != nil {
			return err
		}
		if len(tail.Rows) == 0 || tail.Rows[len(tail.Rows)-1].N >= tail.Last {
			return nil
		}
	}
}

// apply takes stored commits into the tail: those after a restart, and those of others. A log whose stored head and commits
// contradict each other is frozen; the rest of the commit counts.
func (s *shard) apply(ctx context.Context, tail Tail) error {
	commits := make([]*tailCommit, len(tail.Rows))
	errs := make([]error, len(tail.Rows))
	var group sync.WaitGroup
	for i, row := range tail.Rows {
		group.Go(func() { commits[i], errs[i] = unpackCommit(row.N, row.Bytes) })
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("unpack commits: %w", err)
	}
	if err := s.openLogs(ctx, commits); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signed, s.merged = max(s.signed, tail.Signed), max(s.merged, tail.Merged)
	for _, c := range commits {
		if c.n != s.last+1 {
			return damaged("commit %d follows %d", c.n, s.last)
		}
		for i := range c.runs {
			s.check(c, &c.runs[i])
		}
		for i := range c.entries {
			s.ids.add(&c.entries[i].id, s.ids.covered)
		}
		s.publish(c)
	}
	return nil
}

// openLogs reads the heads of logs that commits name and this process has not opened.
func (s *shard) openLogs(ctx context.Context, commits []*tailCommit) error {
	var missing []LogNo
	seen := map[LogNo]bool{}
	s.mu.RLock()
	for _, c := range commits {
		for _, r := range c.runs {
			if s.logs[r.log] == nil && !seen[r.log] {
				seen[r.log] = true
				missing = append(missing, r.log)
			}
		}
	}
	s.mu.RUnlock()
	if len(missing) == 0 {
		return nil
	}
	heads, err := s.b.store.LogHeads(ctx, missing)
	if err != nil {
		return fmt.Errorf("read the heads of %d logs: %w", len(missing), err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range heads {
		if s.logs[h.Log] == nil {
			s.addLog(h).emptyAt = 0
		}
	}
	return nil
}

// check continues the frontier of a stored run and compares it with the check value that the commit carries. The caller holds mu.
func (s *shard) check(c *tailCommit, r *commitRun) {
	t := s.logs[r.log]
	end := r.first + int64(r.count)
	if t.fault != nil || end <= t.head.Packed { // folded before the restart
		return
	}
	if skip := t.tree.size - r.first; skip >= 0 && skip < int64(r.count) {
		for e := r.at + int(skip); e < r.at+r.count; e++ {
			t.tree.append(c.entries[e].leaf)
		}
		if t.tree.check() == r.check {
			return
		}
	}
	t.fault = &Error{
		Code: CodeTampered, Rule: "head_mismatch",
		Message: fmt.Sprintf("log %d of %s: commit %d does not continue the stored head at entry %d", r.log, t.head.Org, c.n, r.first),
	}
	s.b.o.Logger.Error("log frozen", slog.String("org", string(t.head.Org)), slog.Any("error", t.fault))
}

// cut returns the accepted JSON without the id text: what is kept of it.
func (p *pending) cut() []byte {
	if p.idAt == 0 {
		return p.text
	}
	b := make([]byte, 0, len(p.text)-idTextLen)
	b = append(b, p.text[:p.idAt-1]...)
	return append(b, p.text[p.idAt-1+idTextLen:]...)
}
