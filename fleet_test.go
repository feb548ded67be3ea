package daybook_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/storetest"
)

// node is one process of a fleet: a handle to the store that can be stopped, as by SIGSTOP while calls are under way, or killed.
type node struct {
	*storetest.MemoryNode
	gate     sync.RWMutex
	generous bool // nobody is refused a lease
	late     func()
}

func newNode(m *storetest.MemoryStore) *node { return &node{MemoryNode: m.Node()} }

// stop lets no call through until the result is called; those that wait then go on, whatever their context says.
func (n *node) stop() (goOn func()) {
	n.gate.Lock()
	return n.gate.Unlock
}

func through[T any](n *node, ctx context.Context, call func(ctx context.Context) (T, error)) (T, error) {
	n.gate.RLock()
	defer n.gate.RUnlock()
	if n.late != nil {
		n.late()
	}
	return call(context.WithoutCancel(ctx))
}

func (n *node) Append(ctx context.Context, c *daybook.Commit) error {
	_, err := through(n, ctx, func(ctx context.Context) (int, error) { return 0, n.MemoryNode.Append(ctx, c) })
	return err
}

func (n *node) AppendNext(ctx context.Context, shard int, after daybook.CommitNo, build func(newer daybook.Tail) (*daybook.Commit, error)) error {
	pass := func(context.Context) (int, error) { return 0, nil } // the gate is not held: build goes through it too
	if _, err := through(n, ctx, pass); err != nil {
		return err
	}
	return n.MemoryNode.AppendNext(ctx, shard, after, func(newer daybook.Tail) (*daybook.Commit, error) {
		if _, err := through(n, ctx, pass); err != nil {
			return nil, err
		}
		return build(newer)
	})
}

func (n *node) Replace(ctx context.Context, swaps []daybook.Swap) error {
	_, err := through(n, ctx, func(ctx context.Context) (int, error) { return 0, n.MemoryNode.Replace(ctx, swaps) })
	return err
}

func (n *node) Trim(ctx context.Context, shard int, to daybook.CommitNo, now int64) error {
	_, err := through(n, ctx, func(ctx context.Context) (int, error) { return 0, n.MemoryNode.Trim(ctx, shard, to, now) })
	return err
}

func (n *node) Tail(ctx context.Context, shard int, after daybook.CommitNo, maxBytes int) (daybook.Tail, error) {
	return through(n, ctx, func(ctx context.Context) (daybook.Tail, error) { return n.MemoryNode.Tail(ctx, shard, after, maxBytes) })
}

func (n *node) LogHeads(ctx context.Context, logs []daybook.LogNo) ([]daybook.Head, error) {
	return through(n, ctx, func(ctx context.Context) ([]daybook.Head, error) { return n.MemoryNode.LogHeads(ctx, logs) })
}

func (n *node) Watch(ctx context.Context, seen []daybook.Place) ([]daybook.Place, error) {
	if _, err := through(n, ctx, func(context.Context) (int, error) { return 0, nil }); err != nil {
		return nil, err
	}
	return n.MemoryNode.Watch(ctx, seen) // else it would hold the gate
}

func (n *node) Moved(ctx context.Context, shard int, since int64) ([]daybook.Head, int64, error) {
	n.gate.RLock()
	defer n.gate.RUnlock()
	return n.MemoryNode.Moved(ctx, shard, since)
}

func (n *node) Lease(ctx context.Context, name, holder string, ttl time.Duration) error {
	if n.generous {
		return nil
	}
	_, err := through(n, ctx, func(ctx context.Context) (int, error) { return 0, n.MemoryNode.Lease(ctx, name, holder, ttl) })
	return err
}

// leaseTime is short, so that a test sees leases end.
const leaseTime = 150 * time.Millisecond

// fleet is a store and what is signed of it.
type fleet struct {
	*storetest.MemoryStore
	marks *storetest.MemoryMarks
	docs  *storetest.MemoryStore
}

func newFleet() *fleet {
	return &fleet{MemoryStore: storetest.Memory(), marks: storetest.Marks(), docs: storetest.Memory()}
}

// options are those of every process; each has a clock of its own, which is off by skew.
func (f *fleet) options(skew time.Duration) daybook.Options {
	return daybook.Options{
		Now: func() time.Time { return time.Now().Add(skew) }, TailEntries: 60, CommitTimeout: 3 * time.Second, LeaseTime: leaseTime,
		Origin: "audit.example.com", MasterKey: make([]byte, 32), HighWater: f.marks, SignEvery: 20 * time.Millisecond, Anchors: f.docs,
		CursorKey: make([]byte, 32),
	}
}

// book opens a Book of another process.
func (f *fleet) book(t *testing.T) *daybook.Book {
	t.Helper()
	return open(t, newNode(f.MemoryStore), f.options(0))
}

// books opens n of them.
func (f *fleet) books(t *testing.T, n int) []*daybook.Book {
	t.Helper()
	bs := make([]*daybook.Book, n)
	for i := range bs {
		bs[i] = f.book(t)
	}
	return bs
}

func (f *fleet) fsck() daybook.FsckOptions {
	return daybook.FsckOptions{HighWater: f.marks, Origin: "audit.example.com"}
}

// check recomputes the store.
func (f *fleet) check(t *testing.T) {
	t.Helper()
	report, err := daybook.Fsck(context.Background(), f.Reopen(), f.fsck())
	if err != nil {
		t.Fatal(err)
	}
	for _, finding := range report.Findings {
		t.Errorf("fsck: %+v", finding)
	}
}

// eventually waits until holds says so: what other processes do comes by itself, soon.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(3 * time.Minute); !holds(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not in time: %s", what)
		}
	}
}

func sizeOf(t testing.TB, b *daybook.Book, org daybook.OrgID) int64 {
	t.Helper()
	infos, err := b.Info(t.Context(), org)
	if err != nil {
		t.Fatal(err)
	}
	return infos[0].Size
}

// What one process was told is recorded is seen by the others: by itself soon, and at once by who asks for it.
func TestFleet_reads(t *testing.T) {
	t.Parallel()
	f := newFleet()
	bs := f.books(t, 3)
	for n := range 30 {
		record(t, bs[n%3], "org_a", daybook.Request{Events: texts(n, 1)})
		ctx := daybook.Consistent(t.Context())
		reader := bs[(n+1)%3]
		page, err := reader.Search(ctx, daybook.EventQuery{Org: "org_a"})
		if err != nil || page.Size != int64(n+1) || len(page.Entries) != n+1 {
			t.Fatalf("after %d events a search has %+v, %v", n+1, page, err)
		}
		if l, err := reader.Log(daybook.Consistent(t.Context()), "org_a", daybook.NewestEpoch); err != nil {
			t.Fatal(err)
		} else if c, err := l.Checkpoint(t.Context()); err != nil || c.Size != int64(n+1) {
			t.Fatalf("after %d events the checkpoint has size %d, %v", n+1, c.Size, err)
		}
	}
	record(t, bs[0], "org_a", daybook.Request{Events: texts(30, 1)})
	for i, b := range bs {
		eventually(t, fmt.Sprintf("book %d follows", i), func() bool { return sizeOf(t, b, "org_a") == 31 })
	}
}

// A Book whose store is not to be reached says so to who asks for everything, and shows the others what it knows.
func TestFleet_consistentFails(t *testing.T) {
	t.Parallel()
	f := newFleet()
	n := newNode(f.MemoryStore)
	b := open(t, n, daybook.Options{LeaseTime: leaseTime})
	record(t, b, "org_a", daybook.Request{Events: texts(0, 1)})
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Search(daybook.Consistent(t.Context()), daybook.EventQuery{Org: "org_a"}); err == nil {
		t.Error("a consistent search without a store has no error")
	}
	if page, err := b.Search(t.Context(), daybook.EventQuery{Org: "org_a"}); err != nil || len(page.Entries) != 1 {
		t.Errorf("what is known is not shown: %v", err)
	}
}

// The same id, and the same key, on several processes at once is one entry, and everybody gets its receipt.
func TestFleet_idempotency(t *testing.T) {
	t.Parallel()
	f := newFleet()
	bs := f.books(t, 3)
	for n := range 40 {
		request := daybook.Request{Events: texts(n, 2), Key: fmt.Sprint("key ", n)}
		if n%2 == 0 {
			id := daybook.NewID()
			request = daybook.Request{Events: [][]byte{event(n, fmt.Sprintf(`"id":"%s",`, id))}}
		}
		receipts := make([][]daybook.Receipt, 2*len(bs))
		var all sync.WaitGroup
		for i := range receipts {
			all.Go(func() {
				res, err := bs[i%len(bs)].RecordJSON(t.Context(), "org_a", request)
				if err != nil {
					t.Error(err)
				}
				receipts[i] = res.Receipts
			})
		}
		all.Wait()
		if t.Failed() {
			return
		}
		firsts := 0
		for i := range receipts {
			for k := range receipts[i] {
				rc := receipts[i][k]
				if !rc.Duplicate {
					firsts++
				}
				rc.Duplicate = receipts[0][k].Duplicate
				if rc != receipts[0][k] {
					t.Fatalf("receipts differ: %+v and %+v", rc, receipts[0][k])
				}
			}
		}
		if firsts != len(request.Events) {
			t.Fatalf("%d of %d events were recorded by %d receipts", firsts, len(request.Events), len(receipts))
		}
	}
	f.check(t)
}

// A process that slept while everything it had not seen was merged and trimmed goes on: without a gap for who reads live, and it takes no
// event twice.
func TestFleet_sleeper(t *testing.T) {
	t.Parallel()
	f := newFleet()
	awake, sleeper := f.book(t), newNode(f.MemoryStore)
	b := open(t, sleeper, f.options(0))
	record(t, b, "org_a", daybook.Request{Events: texts(0, 3)})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen := make(chan int64, 1000)
	var reader sync.WaitGroup
	reader.Go(func() {
		for step, err := range b.Follow(ctx, daybook.FollowQuery{Org: "org_a"}) {
			if err != nil {
				return
			}
			seen <- step.Position
		}
	})
	eventually(t, "the live reader has begun", func() bool { return len(seen) == 3 })
	id := daybook.NewID()
	twice := daybook.Request{Events: [][]byte{event(7, fmt.Sprintf(`"id":"%s",`, id))}}
	goOn := sleeper.stop()
	first := record(t, awake, "org_a", twice)
	for n := range 20 {
		record(t, awake, "org_a", daybook.Request{Events: texts(10*n, 10)})
		record(t, awake, daybook.OrgID(fmt.Sprint("org_", n)), daybook.Request{Events: texts(n, 1)})
	}
	if err := awake.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	goOn()
	again := record(t, b, "org_a", twice)
	if !again[0].Duplicate || again[0].Seq != first[0].Seq {
		t.Errorf("an event that was merged while the process slept is recorded again: %+v, first %+v", again, first)
	}
	if rs := record(t, b, "org_a", daybook.Request{Events: texts(500, 1)}); rs[0].Seq != 204 {
		t.Errorf("the next event is entry %d", rs[0].Seq)
	}
	for want := range int64(205) {
		if got := <-seen; got != want {
			t.Fatalf("the live reader has entry %d instead of %d", got, want)
		}
	}
	cancel()
	reader.Wait()
	f.check(t)
}

// A commit whose answer never came, from a process that slept until others had merged and trimmed it, was recorded once.
func TestFleet_sleeperCommitted(t *testing.T) {
	t.Parallel()
	f := newFleet()
	awake := f.book(t)
	n := newNode(f.MemoryStore)
	lost := &lostAnswer{node: n, slept: make(chan struct{}), woken: make(chan struct{})}
	o := f.options(0)
	o.CommitTimeout = time.Minute
	b := open(t, lost, o)
	record(t, awake, "org_a", daybook.Request{Events: texts(0, 1)})
	lost.armed.Store(true)
	answer := make(chan []daybook.Receipt, 1)
	go func() {
		res, err := b.RecordJSON(t.Context(), "org_a", daybook.Request{Events: texts(1, 2)})
		if err != nil {
			t.Error(err)
		}
		answer <- res.Receipts
	}()
	<-lost.slept
	record(t, awake, "org_a", daybook.Request{Events: texts(3, 1)})
	if err := awake.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	close(lost.woken)
	rs := <-answer
	if len(rs) != 2 || rs[0].Seq != 1 || rs[1].Seq != 2 {
		t.Errorf("the commit whose answer was lost is %+v", rs)
	}
	if n := sizeOf(t, awake, "org_a"); n != 4 {
		t.Errorf("the log has %d entries", n)
	}
	f.check(t)
}

// lostAnswer loses the answer of one Append, and lets the next one wait.
type lostAnswer struct {
	*node
	armed, lost  atomic.Bool
	slept, woken chan struct{}
}

func (l *lostAnswer) Append(ctx context.Context, c *daybook.Commit) error {
	return l.lose(func() error { return l.node.Append(ctx, c) })
}

func (l *lostAnswer) AppendNext(ctx context.Context, shard int, after daybook.CommitNo, build func(newer daybook.Tail) (*daybook.Commit, error)) error {
	return l.lose(func() error { return l.node.AppendNext(ctx, shard, after, build) })
}

func (l *lostAnswer) lose(call func() error) error {
	if l.lost.Load() {
		<-l.woken
	}
	err := call()
	if err == nil && l.armed.CompareAndSwap(true, false) {
		l.lost.Store(true)
		close(l.slept)
		return errors.New("the connection is gone")
	}
	return err
}
