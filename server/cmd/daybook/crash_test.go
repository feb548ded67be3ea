//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/postgres"
	"github.com/daybook-audit/daybook/sqlite"
	"github.com/daybook-audit/daybook/storetest"
)

//nolint:gochecknoinits // main_test.go is built everywhere, these children only here
func init() {
	children["serve"] = func() int { return report(serveChild()) }
	children["disk"] = func() int { return report(fillDisk()) }
}

// nightly says that the reliability tests run in their long sizes.
var nightly = os.Getenv("DAYBOOK_TEST_SIZE") == "nightly"

// task is what a child is to do, as JSON in DAYBOOK_TEST_TASK.
type task struct {
	Path string         // the database, or what lies beside the one at URL
	URL  string         // of the database in PostgreSQL
	Load storetest.Load // what it records
	From []int          // the call with which each writer begins
	To   int            // the call before which each ends, merges everything, ends again To/2 calls later, and closes; 0: never

	Die      string // kills itself as soon as this step of the store has succeeded …
	DieAt    int    // … for the n-th time
	OneByOne bool   // all calls of the store on one thread

	Keep     bool // a keeper works too: beside the writers, or, with To, after them and for two cycles
	KeepFrom int  // its first cycle
}

// line is what a child prints, one JSON object a line: it is printed after what it says has happened.
type line struct {
	Ready   int64             `json:",omitempty"` // it can record, after so many µs
	Answer  *storetest.Answer `json:",omitempty"`
	Wrong   string            `json:",omitempty"` // something read was not what was acknowledged
	Settled bool              `json:",omitempty"` // everything is merged
	Closed  bool              `json:",omitempty"`
	Act     *keepAct          `json:",omitempty"`
}

// errBroken is how a child ends when the Book says that the store must be reopened.
var errBroken = errors.New("the book is broken")

func report(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errBroken):
		return 1
	}
	fmt.Fprintln(os.Stderr, err)
	return 2
}

// serveChild is the child: it opens a Book and lets the writers of its load record.
func serveChild() error {
	var d task
	if err := json.Unmarshal([]byte(os.Getenv("DAYBOOK_TEST_TASK")), &d); err != nil {
		return err
	}
	ctx := context.Background()
	begin := time.Now()
	s, err := d.open()
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	o, marks, err := d.signing(s)
	if err != nil {
		return fmt.Errorf("open the high-water store: %w", err)
	}
	said := speaker{}
	k := &keeper{say: func(a keepAct) { said.say(line{Act: &a}) }}
	if k.shift.Store(int64(d.KeepFrom)); d.Keep {
		o.Now = k.now
	}
	b, err := daybook.Open(ctx, s, o)
	if err != nil {
		return fmt.Errorf("open the book: %w", err)
	}
	said.b, k.b = b, b
	said.say(line{Ready: time.Since(begin).Microseconds()})
	for _, to := range d.ends() {
		var writers sync.WaitGroup
		if d.Keep && d.To == 0 {
			writers.Go(func() {
				if err := k.run(ctx, d.KeepFrom, 0); err != nil {
					said.say(line{Wrong: err.Error()})
				}
			})
		}
		for w, from := range d.From {
			writers.Go(func() {
				d.Load.Write(ctx, b, w, from, to, 0, func(a storetest.Answer) {
					if c := d.Load.Call(w, a.No); a.Answered() || !c.Repeatable {
						d.From[w] = a.No + 1
					}
					said.answer(d.Load, a)
				})
			})
		}
		writers.Wait()
		if err := b.Settle(ctx); err == nil {
			said.say(line{Settled: true})
		}
	}
	if d.Keep && d.To != 0 {
		if err := k.run(ctx, d.KeepFrom, 2); err != nil {
			return err
		}
	}
	select {
	case <-b.Broken():
		return errBroken // without Close, as a process ends that must
	default:
	}
	if err := errors.Join(b.Close(), s.Close(), marks()); err != nil {
		return err
	}
	said.say(line{Closed: true})
	return nil
}

// smallTail makes the merger work all the time.
var smallTail = daybook.Options{TailEntries: 100, CommitTimeout: 300 * time.Millisecond}

// signing is smallTail with checkpoints signed all the time, and what closes the high-water store. Where each system call counts, nothing
// is signed.
func (d *task) signing(s daybook.Store) (o daybook.Options, closeMarks func() error, err error) {
	o = smallTail
	if d.URL != "" {
		o.LeaseTime = time.Second // what a killed process had is free again after that
	}
	if d.OneByOne && !d.Keep {
		return o, func() error { return nil }, nil
	}
	var marks *sqlite.HighWater
	open := func() (err error) {
		marks, err = sqlite.OpenHighWater(d.Path + ".marks")
		return err
	}
	o.Origin, o.MasterKey, o.SignEvery = crashOrigin, make([]byte, 32), 20*time.Millisecond
	if one, ok := s.(*oneByOne); ok { // the background signs when it is told to, so that runs are alike
		o.SignEvery = time.Hour
		if _, err := ask(one, func() (any, error) { return nil, open() }); err != nil {
			return o, nil, err
		}
		o.HighWater = &oneByOneMarks{marks: marks, one: one}
		return o, marks.Close, nil
	}
	if err := open(); err != nil {
		return o, nil, err
	}
	o.HighWater = marks
	if d.Die == "Advance" || d.Die == "AddRemoval" {
		o.HighWater = &mortalMarks{HighWater: marks, mortal: &mortal{step: d.Die, at: int64(d.DieAt)}}
	}
	return o, marks.Close, nil
}

const crashOrigin = "audit.example.com"

func (d *task) ends() []int {
	if d.To == 0 {
		return []int{1 << 40}
	}
	return []int{d.To, d.To + d.To/2}
}

func (d *task) open() (daybook.Store, error) {
	open := func() (daybook.Store, error) { return openCrashed(context.Background(), d.URL, d.Path) }
	if d.OneByOne {
		return openOneByOne(open)
	}
	s, err := open()
	if err == nil && d.Die != "" && d.Die != "Advance" && d.Die != "AddRemoval" {
		return &mortal{Store: s, step: d.Die, at: int64(d.DieAt)}, nil
	}
	return s, err
}

// openCrashed opens the store at a URL, or else at a path.
func openCrashed(ctx context.Context, url, path string) (daybook.Store, error) {
	if url != "" {
		return postgres.Open(ctx, url, postgres.Options{Logger: slog.New(slog.DiscardHandler), Shards: 2, Timeout: time.Minute})
	}
	return sqlite.Open(path, sqlite.Options{Logger: slog.New(slog.DiscardHandler)})
}

// speaker prints lines.
type speaker struct {
	b  *daybook.Book
	mu sync.Mutex
}

func (s *speaker) say(l line) {
	text, err := json.Marshal(l)
	if err != nil {
		panic(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := os.Stdout.Write(append(text, '\n')); err != nil {
		os.Exit(3) // nobody listens any more
	}
}

// answer prints an answer, and reads what was just acknowledged: an error is an answer, other content is not.
func (s *speaker) answer(l storetest.Load, a storetest.Answer) {
	s.say(line{Answer: &a})
	if len(a.Receipts) == 0 || a.No%3 != 0 {
		return
	}
	rc := a.Receipts[len(a.Receipts)-1]
	e, err := s.b.Entry(context.Background(), l.Call(a.Writer, a.No).Org, rc.ID)
	if daybook.CodeOf(err) == daybook.CodeNotFound || err == nil && (e.Seq != rc.Seq || e.LeafHash != rc.LeafHash) {
		s.say(line{Wrong: fmt.Sprintf("call %d.%d: %s is entry %d, acknowledged as %d: %v", a.Writer, a.No, rc.ID, e.Seq, rc.Seq, err)})
	}
}

// mortal is a store whose process is killed the moment after a step has succeeded for the n-th time.
type mortal struct {
	daybook.Store
	step  string
	at    int64
	count atomic.Int64
}

func (m *mortal) after(step string, err error) error {
	if step == m.step && err == nil && m.count.Add(1) == m.at {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	return err
}

func (m *mortal) Append(ctx context.Context, c *daybook.Commit) error {
	return m.after("Append", m.Store.Append(ctx, c))
}

func (m *mortal) Replace(ctx context.Context, swaps []daybook.Swap) error {
	return m.after("Replace", m.Store.Replace(ctx, swaps))
}

func (m *mortal) PutNote(ctx context.Context, log daybook.LogNo, n daybook.StoredNote) error {
	return m.after("PutNote", m.Store.PutNote(ctx, log, n))
}

// mortalMarks is a high-water store whose process is killed the moment after a mark was raised.
type mortalMarks struct {
	daybook.HighWater
	mortal *mortal
}

func (m *mortalMarks) Advance(ctx context.Context, origin string, old, next daybook.Mark) error {
	return m.mortal.after("Advance", m.HighWater.Advance(ctx, origin, old, next))
}

func (m *mortalMarks) AddRemoval(ctx context.Context, r daybook.Removal) error {
	return m.mortal.after("AddRemoval", m.HighWater.AddRemoval(ctx, r))
}

func (m *mortal) NewEpoch(ctx context.Context, log daybook.LogNo) (daybook.Head, error) {
	h, err := m.Store.NewEpoch(ctx, log)
	return h, m.after("NewEpoch", err)
}

func (m *mortal) CloseLogs(ctx context.Context, org daybook.OrgID) error {
	return m.after("CloseLogs", m.Store.CloseLogs(ctx, org))
}

func (m *mortal) DropLog(ctx context.Context, log daybook.LogNo) (bool, error) {
	gone, err := m.Store.DropLog(ctx, log)
	return gone, m.after("DropLog", err)
}

func (m *mortal) DropKeys(ctx context.Context, log daybook.LogNo, covers func(first int64, n int) bool) error {
	return m.after("DropKeys", m.Store.DropKeys(ctx, log, covers))
}

// Scrub implements [daybook.Scrubber].
func (m *mortal) Scrub(ctx context.Context) error {
	s, ok := m.Store.(daybook.Scrubber)
	if !ok {
		return nil
	}
	return m.after("Scrub", s.Scrub(ctx))
}

func (m *mortal) Trim(ctx context.Context, shard int, through daybook.CommitNo, now int64) error {
	return m.after("Trim", m.Store.Trim(ctx, shard, through, now))
}

// command returns the child for d.
func (d *task) command(t *testing.T) *exec.Cmd {
	t.Helper()
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Env = append(os.Environ(), "DAYBOOK_TEST_CHILD=serve", "DAYBOOK_TEST_TASK="+string(text))
	return cmd
}

// run runs cmd, kills it when kill returns, if it is to be killed, and reads what it said to the end. ready is closed when it can record, or
// has ended.
func (c *crash) run(t *testing.T, cmd *exec.Cmd, kill func(ready <-chan struct{})) error {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	killed := make(chan struct{})
	c.enough = make(chan struct{})
	go func() {
		defer close(killed)
		if kill != nil {
			kill(ready)
			_ = cmd.Process.Kill() // it may have ended by itself
		}
	}()
	c.listen(t, bufio.NewReader(out), ready)
	<-killed
	if err = cmd.Wait(); stderr.Len() > 0 {
		err = fmt.Errorf("%w: %s", err, stderr.String())
	}
	return err
}

// listen takes in what a child says. A line without an end was never said.
func (c *crash) listen(t *testing.T, out *bufio.Reader, ready chan<- struct{}) {
	t.Helper()
	isReady := sync.OnceFunc(func() { close(ready) })
	defer isReady()
	defer c.hasEnough()
	for {
		text, err := out.ReadBytes('\n')
		if err != nil {
			return
		}
		var l line
		if err := json.Unmarshal(text, &l); err != nil {
			t.Errorf("the child said %s: %v", text, err)
			continue
		}
		c.said = append(c.said, l)
		switch {
		case l.Ready > 0:
			isReady()
		case l.Wrong != "":
			t.Error(l.Wrong)
		case l.Act != nil:
			if c.kept.acts = append(c.kept.acts, *l.Act); l.Act.Step == keepErasing && c.history.Acknowledged() >= enoughCalls {
				c.hasEnough()
			}
		case l.Answer != nil:
			if err := c.history.Add(*l.Answer); err != nil {
				t.Error(err)
			}
		}
	}
}

// crash is a store that children use until they end badly.
type crash struct {
	path     string
	url      string // of the database, if it is in PostgreSQL
	history  *storetest.History
	said     []line        // by the last child
	unsigned bool          // nothing is signed
	slowest  time.Duration // the last start after a crash
	keeps    bool          // a keeper works too
	kept     kept

	enough chan struct{} // closed when the child that runs has said enough for a test to have tested something, or has ended
}

// enoughCalls is how many calls must have been acknowledged then; a quiet machine acknowledges hundreds a second.
const enoughCalls = 100

func (c *crash) hasEnough() {
	select {
	case <-c.enough:
	default:
		close(c.enough)
	}
}

// newCrash returns one in a folder of its own. random gives it a load of writers.
func newCrash(t *testing.T, random *rand.Rand, writers int) *crash {
	t.Helper()
	c := crashIn(t.TempDir(), storetest.Load{Seed: random.Uint64(), Start: time.Now().UnixMicro(), Writers: writers, Orgs: 5})
	c.unsigned = false
	return c
}

func crashIn(dir string, load storetest.Load) *crash {
	return &crash{path: filepath.Join(dir, "daybook.db"), history: storetest.NewHistory(load), unsigned: true}
}

// task returns what the next child does: it goes on where the last one ended.
func (c *crash) task() *task {
	c.said = nil
	d := &task{Path: c.path, URL: c.url, Load: c.history.Load, Keep: c.keeps, KeepFrom: c.kept.next()}
	for w := range d.Load.Writers {
		d.From = append(d.From, c.history.Next(w))
	}
	return d
}

// check fails t with what is wrong after a crash.
func (c *crash) check(t *testing.T, settle bool) {
	t.Helper()
	for i, f := range c.verify(t.Context(), settle) {
		if i == 20 {
			t.Error("… and more")
			break
		}
		t.Error(f)
	}
}

// verify opens the store as a restarted process does, and returns what is wrong. With settle it first repeats what was not answered.
func (c *crash) verify(ctx context.Context, settle bool) (findings []storetest.Finding) {
	find := func(invariant string, err error) {
		if err != nil {
			findings = append(findings, storetest.Finding{Invariant: invariant, Text: err.Error()})
		}
	}
	begin := time.Now()
	slow := time.AfterFunc(restartLimit, func() { tellStacks(os.Stderr) })
	defer slow.Stop()
	s, err := openCrashed(ctx, c.url, c.path)
	if err != nil {
		find("open", err)
		return findings
	}
	o, marks, err := (&task{Path: c.path, URL: c.url, OneByOne: c.unsigned}).signing(s)
	if err != nil {
		find("open", errors.Join(err, s.Close()))
		return findings
	}
	b, err := daybook.Open(ctx, s, o)
	c.slowest = time.Since(begin)
	slow.Stop()
	if err != nil {
		find("open", errors.Join(err, s.Close(), marks()))
		return findings
	}
	if settle {
		find("I2", c.history.Settle(ctx, b))
	}
	if c.keeps {
		find("keeper", c.kept.recover(ctx, b))
		findings = append(findings, c.kept.check(ctx, b, o.HighWater)...)
	}
	if frozen, err := b.FrozenLogs(ctx); err != nil || len(frozen) > 0 {
		find("I5", fmt.Errorf("frozen after a crash: %+v, %w", frozen, err))
	}
	find("close", b.Close())
	c.history.Fsck = daybook.FsckOptions{HighWater: o.HighWater, Origin: o.Origin}
	findings = append(findings, c.history.Verify(ctx, s)...)
	find("close", errors.Join(s.Close(), marks()))
	if c.url == "" {
		find("I8", integrity(ctx, c.path))
	}
	return findings
}

// integrity is what SQLite itself says of a database (I8).
func integrity(ctx context.Context, path string) (err error) {
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro&immutable=1")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var says string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check").Scan(&says); err != nil {
		return fmt.Errorf("check the integrity of the database: %w", err)
	}
	if says != "ok" {
		return fmt.Errorf("the integrity of the database: %s", says)
	}
	return nil
}

// seeded returns the random source of a test, which DAYBOOK_TEST_SEED repeats.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if s := os.Getenv("DAYBOOK_TEST_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("DAYBOOK_TEST_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// restartLimit is how long a start after a crash may take on a machine that is as busy with other tests as can be: one that takes longer
// hangs. How long it takes on a quiet one is measured: docs/reliability.md.
const restartLimit = time.Minute

// TestKillLoop kills a process that records and merges, starts it again, and lets it repeat what was not answered: 0 entries are lost,
// 0 are there twice.
func TestKillLoop(t *testing.T) {
	t.Parallel()
	cycles := 24
	if nightly {
		cycles = 2000
	}
	killLoop(t, cycles, func(random *rand.Rand) *crash { return newCrash(t, random, 8) })
}

// killLoop does so. Every 40 cycles it makes a store.
func killLoop(t *testing.T, cycles int, newStore func(random *rand.Rand) *crash) {
	t.Helper()
	random := seeded(t)
	restarts, acknowledged, kept := make([]time.Duration, 0, cycles), 0, map[string]int{}
	count := func(c *crash) {
		acknowledged += c.history.Acknowledged()
		for _, a := range c.kept.acts {
			kept[a.Step]++
		}
	}
	var c *crash
	for cycle := range cycles {
		if cycle%40 == 0 { // else the log grows, and with it the time of every check
			if c != nil {
				count(c)
			}
			c = newStore(random)
			c.keeps = true
			t.Logf("after %d cycles: %d calls acknowledged, slowest restart %s", cycle, acknowledged, slices.Max(append(restarts, 0)))
		}
		inStart, wait := random.IntN(8) == 0, time.Duration(5+random.IntN(496))*time.Millisecond
		long := cycle%40 == min(22, cycles-2) // on a busy machine others end before the keeper comes to anything
		err := c.run(t, c.task().command(t), func(ready <-chan struct{}) {
			if !inStart || long {
				<-ready
			}
			if long {
				select {
				case <-c.enough:
				case <-time.After(patience):
					t.Errorf("cycle %d: in %s the keeper has erased nothing, or not %d calls were acknowledged", cycle, patience, enoughCalls)
				}
			}
			<-time.After(wait)
		})
		if !isKilled(err) {
			t.Fatalf("cycle %d: the child ended with %v", cycle, err)
		}
		c.check(t, false)
		if restarts = append(restarts, c.slowest); c.slowest > restartLimit {
			t.Errorf("cycle %d: the restart took %s", cycle, c.slowest)
		}
		if t.Failed() {
			if c.url == "" {
				keepStore(t, c.path)
			}
			t.Fatalf("cycle %d: killed %s after its start", cycle, wait)
		}
	}
	count(c)
	slices.Sort(restarts)
	t.Logf("%d cycles, %d calls acknowledged, none lost, none twice; restart: median %s, slowest %s",
		cycles, acknowledged, restarts[len(restarts)/2], restarts[len(restarts)-1])
	t.Logf("kept: %v", kept)
	// On a busy machine few cycles of the keeper come to their end; TestKillAtSyscall kills in each of its steps.
	if acknowledged < min(cycles, enoughCalls) || kept[keepErasing] == 0 || nightly && kept[keepDropped] == 0 {
		t.Error("next to nothing was acknowledged: next to nothing was tested")
	}
}

// tellStacks writes what every goroutine does, for a start that takes too long.
func tellStacks(w io.Writer) {
	stacks := make([]byte, 1<<20)
	_, _ = w.Write(stacks[:runtime.Stack(stacks, true)])
}

func isKilled(err error) bool {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// keepStore copies a store that failed a test to testdata/failures.
func keepStore(t *testing.T, path string) {
	t.Helper()
	dir := filepath.Join("testdata", "failures", strings.ReplaceAll(t.Name(), "/", "_"))
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		t.Log(err)
		return
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Log(err)
	}
	if err := os.CopyFS(dir, os.DirFS(filepath.Dir(path))); err != nil {
		t.Log(err)
	}
	t.Logf("the store is kept in %s", dir)
}

// TestKillLoop_betweenCommitAndAnswer kills a process between a step of the store and what would have followed: the commit is durable
// and nobody was told. The repeat must find it.
func TestKillLoop_betweenCommitAndAnswer(t *testing.T) {
	t.Parallel()
	random := seeded(t)
	times := []int{1, 2, 4, 9}
	if nightly {
		times = slices.Collect(func(yield func(int) bool) {
			for n := 1; n <= 60 && yield(n); n++ {
			}
		})
	}
	for _, step := range []string{"Append", "Replace", "Trim", "PutNote", "Advance", "AddRemoval", "NewEpoch", "DropKeys", "CloseLogs", "DropLog", "Scrub"} {
		for _, n := range times {
			c := newCrash(t, random, 4)
			c.keeps = true
			t.Run(fmt.Sprintf("%s %d", step, n), func(t *testing.T) {
				t.Parallel()
				d := c.task()
				d.Die, d.DieAt = step, n
				if err := c.run(t, d.command(t), nil); !isKilled(err) {
					t.Fatalf("the child ended with %v", err)
				}
				c.check(t, true)
			})
		}
	}
}
