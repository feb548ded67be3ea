package daybook

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/internal/merkle"
	"github.com/daybook-audit/daybook/internal/packed"
)

// tailCommit is one commit in memory. It is immutable once published, but for folded.
type tailCommit struct {
	packed.Commit
	n      CommitNo
	keys   []KeyRef
	folded int64 // of bytes, what is in blocks; guarded by the mu of its shard
}

// unpackCommit reads the row of commit n. Damage is CodeTampered; what it does not know is ErrNewer.
func unpackCommit(n CommitNo, row []byte) (*tailCommit, error) {
	c, err := packed.ReadCommit(row)
	if err != nil {
		return nil, fmt.Errorf("commit %d: %w", n, ofStored(err))
	}
	return &tailCommit{Commit: c, n: n}, nil
}

// bytes is what c weighs against the tail's limits.
func (c *tailCommit) bytes() int64 { return c.Bytes(0, c.Len()) }

// tailRun is a run of consecutive entries of one log, within one commit.
type tailRun struct {
	c          *tailCommit
	at, count  int
	seq, recvd int64
}

// run returns a run of c.
func (c *tailCommit) run(r *packed.Run) tailRun {
	return tailRun{c: c, at: r.At, count: r.Count, seq: r.First, recvd: r.Received}
}

func (r tailRun) first() int64 { return r.seq }
func (r tailRun) len() int     { return r.count }
func (r tailRun) end() int64   { return r.seq + int64(r.count) }

// bytes is what the entries of r below seq weigh.
func (r tailRun) bytes(seq int64) int64 {
	return r.c.Bytes(r.at, r.at+int(min(seq, r.end())-r.seq))
}

// entry returns the i-th entry of r.
func (r tailRun) entry(i int) kept.Entry {
	e := r.c.Entry(r.at + i)
	e.Seq, e.Received = r.seq+int64(i), r.recvd+int64(i)
	return e
}

// from returns r without the entries below seq.
func (r tailRun) from(seq int64) tailRun {
	if d := int(seq - r.seq); d > 0 {
		r.at, r.count, r.seq, r.recvd = r.at+d, r.count-d, r.seq+int64(d), r.recvd+int64(d)
	}
	return r
}

// logTail is one log in memory: its folded head and what was committed since.
type logTail struct {
	no       LogNo // never changes, so it needs no lock; neither do org, epoch and id
	org      OrgID
	epoch    int
	id       [10]byte        // Head.LogID
	head     Head            // folded
	size     int64           // seqs given and durable
	received int64           // received_at of entry size−1
	tree     merkle.Frontier // of [0, size)
	runs     []tailRun       // ascending, cover [head.Packed, size)
	ahead    int64           // Head.IDAhead of now
	emptyAt  int64           // the time at which the log was known to be empty; 0: it had entries when first seen
	unseen   int64           // received_at of the last entry whose id this process's filter may not know; 0: it knows all
	controls int64           // all control entries stand below
	fault    error           // stored bytes contradict each other: the log is frozen
	frozen   error           // what was signed contradicts the log, or it ends here: nothing is recorded or signed any more
	sig      logSigning
}

// view is one consistent picture of a log. Its log takes further entries meanwhile; they are not in it.
type view struct {
	head     Head // folded; Log 0: the org has no log
	size     int64
	received int64
	runs     []tailRun // ascending, cover [head.Packed, size)
	through  CommitNo  // the shard's last commit in this picture
}

// view returns the picture of now. Entries below head.Packed are in blocks, which may be newer than the picture: whoever reads
// blocks after this ignores what they hold from head.Packed on.
func (b *Book) view(ctx context.Context, org OrgID) (view, error) {
	s := b.shardOf(org)
	t, err := s.open(ctx, org, false)
	if err != nil {
		return view{}, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if t == nil {
		return view{through: s.last}, nil
	}
	return s.viewOf(t), nil
}

// viewOf returns the picture of t. The caller holds mu.
func (s *shard) viewOf(t *logTail) view {
	return view{head: t.head, size: t.size, received: t.received, runs: slices.Clip(t.runs), through: s.last}
}

// open returns the log of org, reading its head if this process has not seen it; nil if it does not exist and create is false.
func (s *shard) open(ctx context.Context, org OrgID, create bool) (*logTail, error) {
	if err := s.consistent(ctx); err != nil {
		return nil, err
	}
	for {
		t, again, err := s.tryOpen(ctx, org, create)
		if !again {
			return t, err
		}
	}
}

// tryOpen is open, to be called again if what it read may be older than what was skipped meanwhile.
func (s *shard) tryOpen(ctx context.Context, org OrgID, create bool) (t *logTail, again bool, err error) {
	s.mu.RLock()
	t, skips := s.orgs[org], s.skips
	s.mu.RUnlock()
	if t != nil {
		return t, false, nil
	}
	heads, err := s.b.store.Heads(ctx, []OrgID{org}, create)
	if err != nil {
		return nil, false, s.refusal(fmt.Errorf("read the head of %s: %w", org, err)) // with create it is a write
	}
	if heads[0].Log == 0 {
		return nil, false, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.orgs[org]; t != nil {
		return t, false, nil
	}
	if s.skips != skips {
		return nil, true, nil
	}
	if _, gone := s.gone[heads[0].Log]; gone || heads[0].State == LogClosed {
		if create {
			return nil, false, errOrgErasing(org)
		}
		return nil, false, nil
	}
	t = s.logs[heads[0].Log]
	if t == nil {
		t = s.addLog(heads[0])
	}
	s.orgs[org] = t
	return t, false, nil
}

// addLog takes a log into memory. The caller holds mu. An open log is its org's newest; of others open asks the store. A log that comes
// here has no commits among those seen so far that are not folded: who applies a commit adds the logs that it names first.
func (s *shard) addLog(h Head) *logTail {
	t := &logTail{
		no: h.Log, org: h.Org, epoch: h.Epoch, id: h.LogID, head: h, size: h.Packed, received: h.LastReceived, ahead: h.IDAhead,
		unseen: h.LastReceived, controls: h.Packed, tree: merkle.Frontier{Size: h.Packed, Hashes: slices.Clone(h.Frontier)},
	}
	t.sig.turn = make(chan struct{}, 1)
	t.sig.size.Store(-1)
	if h.Packed == 0 {
		t.emptyAt = s.b.now()
	}
	s.logs[h.Log] = t
	if h.State == LogOpen {
		s.orgs[h.Org] = t
	}
	return t
}

// publish adds a durable commit to the tail. The caller holds mu and wakes readers.
func (s *shard) publish(c *tailCommit) {
	c.folded = c.bytes()
	for _, r := range c.Runs {
		t := s.logs[LogNo(r.Log)]
		if t == nil {
			continue // dropped before this process saw the commit
		}
		run := c.run(&r)
		if run.end() <= t.head.Packed || t.fault != nil {
			continue // folded before the restart, or frozen: what cannot be trusted is not shown
		}
		run = run.from(t.head.Packed)
		t.runs = append(t.runs, run)
		c.folded -= run.bytes(run.end())
		for i := range run.count {
			at := run.at + i
			if c.Kind(at) == KindControl {
				t.controls = run.seq + int64(i) + 1
				s.noticeControl(c.Body(at))
			}
			t.ahead = max(t.ahead, idAhead(c.EntryID(at), run.recvd+int64(i)))
		}
		t.size, t.received = run.end(), run.recvd+int64(run.count)-1
	}
	s.commits = append(s.commits, c)
	s.last = c.n
	s.tailBytes += c.bytes()
	s.foldedBytes += c.folded
	s.tailEntries += c.Len()
	if s.tailSince == 0 {
		s.tailSince = s.b.now()
	}
}

// cutLog is what one log has in a cut tail.
type cutLog struct {
	head Head      // folded
	runs []tailRun // ascending, from head.Packed
}

// cutTail returns what was committed and is not folded, of the oldest commits of about so many bytes, and the last of those; 0: there is
// nothing to merge. The tail stays as it is until setFolded and trimmed.
func (s *shard) cutTail(bytes int64) (logs []cutLog, through CommitNo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last > s.merged {
		through = s.last
	}
	whole := s.tailBytes-bytes <= bytes/4 // what is left would be little
	for i := 0; !whole && bytes > 0; i++ {
		bytes -= s.commits[i].bytes()
		through = s.commits[i].n
	}
	for _, t := range s.logs {
		n := len(t.runs)
		if !whole {
			n, _ = slices.BinarySearchFunc(t.runs, through, func(r tailRun, through CommitNo) int { return cmp.Or(cmp.Compare(r.c.n, through), -1) })
		}
		if n > 0 {
			logs = append(logs, cutLog{head: t.head, runs: slices.Clip(t.runs[:n])})
		}
	}
	slices.SortFunc(logs, func(a, b cutLog) int { return int(a.head.Log - b.head.Log) })
	if whole {
		s.tailSince, s.removes = 0, false
	}
	return logs, through
}

// noticeControl notes what a control entry that was committed here or elsewhere asks of the merger. The caller holds mu.
func (s *shard) noticeControl(text []byte) {
	c, err := parseControl(text)
	switch {
	case err != nil:
	case c.removes():
		s.removes = true
	case c.Op == opHold && c.State == holdReleased && s.b.merger != nil:
		s.b.merger.released.Store(true)
	}
}

// setFolded says that everything of h.Log below h.Packed is in blocks.
func (s *shard) setFolded(h Head) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.logs[h.Log]; t != nil {
		s.setHead(t, h)
	}
	s.madeRoom()
}

// madeRoom wakes a sequencer that waits for room.
func (s *shard) madeRoom() {
	select {
	case s.room <- struct{}{}:
	default:
	}
}

// setHead is setFolded of t, unless that is known, or more. The caller holds mu.
func (s *shard) setHead(t *logTail, h Head) {
	if h.Turn < t.head.Turn || h.Packed < t.head.Packed || h.Packed > t.size {
		t.head.State = max(h.State, t.head.State)
		return
	}
	kept := make([]tailRun, 0, 4)
	for _, r := range t.runs {
		if r.seq < h.Packed {
			folded := r.bytes(h.Packed)
			r.c.folded += folded
			s.foldedBytes += folded
		}
		if r.end() > h.Packed {
			kept = append(kept, r.from(h.Packed))
		}
	}
	h.State = max(h.State, t.head.State) // it may have ended since the cut
	t.head, t.runs = h, kept
}

// trimmed says that the store has dropped the commits ≤ through.
func (s *shard) trimmed(through CommitNo) {
	s.mu.Lock()
	i := 0
	for i < len(s.commits) && s.commits[i].n <= through {
		i++
	}
	s.letGo(i)
	s.merged = max(s.merged, through)
	s.mu.Unlock()
	s.madeRoom()
}

// letGo drops the oldest n commits from memory. The caller holds mu.
func (s *shard) letGo(n int) {
	if n == 0 {
		return
	}
	for _, c := range s.commits[:n] {
		s.tailBytes -= c.bytes()
		s.tailEntries -= c.Len()
		s.foldedBytes -= c.folded
	}
	s.commits = slices.Clone(s.commits[n:])
}

// turned says that a swap that this process had applied has left a log in a turn.
func (s *shard) turned(log LogNo, turn int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.logs[log]; t != nil {
		t.head.Turn = max(t.head.Turn, turn)
	}
}
