//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/storetest"
)

// straced is a run of a child under strace.
type straced struct {
	*crash
	trace string // what strace wrote
}

// strace runs the script of these tests (two writers, everything merged, more calls, everything merged, closed) under strace: with the
// arguments given and those that make it quick and quiet.
func strace(t *testing.T, c *crash, args ...string) (r straced, err error) {
	t.Helper()
	program, err := exec.LookPath("strace")
	if err != nil {
		t.Fatal("the test needs strace: run tools/install-test-needs")
	}
	r = straced{crash: c, trace: filepath.Join(t.TempDir(), "trace")}
	d := c.task()
	d.To, d.OneByOne = 8, true
	cmd := d.command(t)
	// Not with --seccomp-bpf, with which strace 6.1 injects no signals.
	cmd.Args = append(append([]string{program, "-f", "-qq", "-e", "signal=none", "-o", r.trace}, args...), cmd.Path)
	cmd.Path = program
	return r, c.run(t, cmd, nil)
}

// only are the arguments that leave out calls for other files than those of the store, the runtime's for example.
func (c *crash) only() (args []string) {
	for _, end := range []string{"", "-wal", "-shm", ".lock", ".marks", ".marks-wal", ".marks-shm"} {
		args = append(args, "-P", c.path+end)
	}
	return append(args, "-P", filepath.Dir(c.path))
}

var traceCall = regexp.MustCompile(`^(\d+) +([a-z0-9]+)\(`)

// countCalls runs the script with a load, which it returns, and with a keeper if it keeps, and says how often it makes each of calls in the thread that makes most.
func countCalls(t *testing.T, keeps bool, calls ...string) (storetest.Load, map[string]int) {
	t.Helper()
	c := newCrash(t, seeded(t), 2)
	c.keeps, c.unsigned = keeps, !keeps
	r, err := strace(t, c, append(c.only(), "-e", "trace="+strings.Join(calls, ","))...)
	if err != nil {
		t.Fatal(err)
	}
	if !c.said[len(c.said)-1].Closed {
		t.Fatalf("the script ended with %+v", c.said[len(c.said)-1])
	}
	trace, err := os.ReadFile(r.trace)
	if err != nil {
		t.Fatal(err)
	}
	counts, most := map[[2]string]int{}, map[string]int{}
	for text := range bytes.Lines(trace) {
		if m := traceCall.FindSubmatch(text); m != nil {
			key := [2]string{string(m[1]), string(m[2])}
			counts[key]++
			most[key[1]] = max(most[key[1]], counts[key])
		}
	}
	t.Logf("calls: %v", most)
	return c.history.Load, most
}

// TestKillAtSyscall kills the process at the entry of one system call that changes a file, at each that it makes.
func TestKillAtSyscall(t *testing.T) {
	t.Parallel()
	calls := []string{"fsync", "fdatasync", "pwrite64", "ftruncate", "rename", "unlink"}
	load, counts := countCalls(t, true, calls...)
	for _, call := range calls {
		step := 19
		switch {
		case nightly:
			step = 1
		case call == "pwrite64": // a thousand, most of them between the same two syncs
			step = 89
		}
		for k := 1; k <= counts[call]; k += step {
			c := crashIn(t.TempDir(), load)
			c.keeps, c.unsigned = true, false
			t.Run(fmt.Sprintf("%s %d of %d", call, k, counts[call]), func(t *testing.T) {
				t.Parallel()
				_, err := strace(t, c, append(c.only(), "-e", "trace="+call, "-e", fmt.Sprintf("inject=%s:signal=SIGKILL:when=%d", call, k))...)
				if err != nil && !isKilled(err) {
					t.Fatalf("the child ended with %v", err)
				}
				if err == nil && k < counts[call]*3/4 { // no two runs make exactly the same calls
					t.Error("the child was not killed")
				}
				c.check(t, true)
			})
		}
	}
}

// TestIOErrors fails one system call. Nothing is acknowledged that is not there afterwards, nothing read is other than what was
// acknowledged, and after a failed fsync nothing is acknowledged at all until the store has been opened again.
func TestIOErrors(t *testing.T) {
	t.Parallel()
	step := 11
	if nightly {
		step = 1
	}
	calls := []string{"pwrite64", "fsync", "fdatasync", "pread64", "ftruncate", "openat"}
	load, counts := countCalls(t, false, calls...)
	faults, n := []string{"EIO", "ENOSPC", "EINTR"}, 0
	for _, call := range calls {
		step := step
		if call == "fsync" { // few, and each decides what may be acknowledged
			step = min(step, 3)
		}
		for k := 1; k <= counts[call]; k += step {
			for i, fault := range faults {
				if n++; !nightly && n%len(faults) != i {
					continue // each k fails once, in turn in another way
				}
				c := crashIn(t.TempDir(), load)
				t.Run(fmt.Sprintf("%s %d of %d %s", call, k, counts[call], fault), func(t *testing.T) {
					t.Parallel()
					ioError(t, c, call, k, fault)
				})
			}
		}
	}
}

func ioError(t *testing.T, c *crash, call string, k int, fault string) {
	t.Helper()
	args := []string{"-e", "trace=write," + call}
	if call != "fsync" { // fsync is only called for the store's files, and what is said must be in the same trace
		args = append(c.only(), "-e", "trace="+call)
	}
	r, err := strace(t, c, append(args, "-e", fmt.Sprintf("inject=%s:error=%s:when=%d", call, fault, k))...)
	if err != nil && (isKilled(err) || strings.Contains(err.Error(), "goroutine ")) {
		t.Fatalf("the child ended with %v", err)
	}
	t.Logf("the child ended with %v, after %d lines", err, len(c.said))
	if call == "fsync" {
		r.saidAfterFault(t)
	}
	c.check(t, false) // what was refused is not there
	c.check(t, true)
}

// saidAfterFault fails t when the child acknowledged after an fsync had failed: more than each writer one call, whose commit was
// durable before.
func (r *straced) saidAfterFault(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(r.trace)
	if err != nil {
		t.Fatal(err)
	}
	_, after, failed := strings.Cut(string(text), "(INJECTED)")
	if !failed {
		return
	}
	said := regexp.MustCompile(`write\(1, .*"Receipts\\":\[`).FindAllString(after, -1)
	if len(said) > r.history.Load.Writers {
		t.Errorf("%d calls were acknowledged after a failed fsync", len(said))
	}
}

// oneByOne makes all calls of a store in one thread: strace counts the calls of each thread by itself.
type oneByOne struct {
	store daybook.Store
	calls chan func()
}

func openOneByOne(open func() (daybook.Store, error)) (daybook.Store, error) {
	o := &oneByOne{calls: make(chan func())}
	go func() {
		runtime.LockOSThread()
		for call := range o.calls {
			call()
		}
	}()
	var err error
	o.do(func() { o.store, err = open() })
	return o, err
}

func (o *oneByOne) do(call func()) {
	done := make(chan struct{})
	o.calls <- func() {
		defer close(done)
		call()
	}
	<-done
}

func ask[T any](o *oneByOne, call func() (T, error)) (v T, err error) {
	o.do(func() { v, err = call() })
	return v, err
}

func listAll[T any](o *oneByOne, list func() iter.Seq2[T, error]) iter.Seq2[T, error] {
	var all []T
	var failed error
	o.do(func() {
		for v, err := range list() {
			if failed = err; err != nil {
				return
			}
			all = append(all, v)
		}
	})
	return func(yield func(T, error) bool) {
		for _, v := range all {
			if !yield(v, nil) {
				return
			}
		}
		if failed != nil {
			var none T
			yield(none, failed)
		}
	}
}

func (o *oneByOne) Heads(ctx context.Context, orgs []daybook.OrgID, create bool) ([]daybook.Head, error) {
	return ask(o, func() ([]daybook.Head, error) { return o.store.Heads(ctx, orgs, create) })
}

func (o *oneByOne) LogHeads(ctx context.Context, logs []daybook.LogNo) ([]daybook.Head, error) {
	return ask(o, func() ([]daybook.Head, error) { return o.store.LogHeads(ctx, logs) })
}

func (o *oneByOne) Append(ctx context.Context, c *daybook.Commit) error {
	_, err := ask(o, func() (any, error) { return nil, o.store.Append(ctx, c) })
	return err
}

func (o *oneByOne) Keys(ctx context.Context, ks []daybook.KeyRef) ([]daybook.Key, error) {
	return ask(o, func() ([]daybook.Key, error) { return o.store.Keys(ctx, ks) })
}

func (o *oneByOne) Logs(ctx context.Context, after daybook.LogNo, limit int) ([]daybook.Head, error) {
	return ask(o, func() ([]daybook.Head, error) { return o.store.Logs(ctx, after, limit) })
}

func (o *oneByOne) Tail(ctx context.Context, shard int, after daybook.CommitNo, maxBytes int) (daybook.Tail, error) {
	return ask(o, func() (daybook.Tail, error) { return o.store.Tail(ctx, shard, after, maxBytes) })
}

func (o *oneByOne) Blocks(ctx context.Context, q daybook.BlockQuery) iter.Seq2[daybook.BlockMeta, error] {
	return listAll(o, func() iter.Seq2[daybook.BlockMeta, error] { return o.store.Blocks(ctx, q) })
}

func (o *oneByOne) Read(ctx context.Context, log daybook.LogNo, refs []daybook.BlockRef) ([][]byte, error) {
	return ask(o, func() ([][]byte, error) { return o.store.Read(ctx, log, refs) })
}

func (o *oneByOne) Slips(ctx context.Context, log daybook.LogNo, from, to daybook.SlipKey) iter.Seq2[daybook.Slip, error] {
	return listAll(o, func() iter.Seq2[daybook.Slip, error] { return o.store.Slips(ctx, log, from, to) })
}

func (o *oneByOne) Replace(ctx context.Context, swaps []daybook.Swap) error {
	_, err := ask(o, func() (any, error) { return nil, o.store.Replace(ctx, swaps) })
	return err
}

func (o *oneByOne) Trim(ctx context.Context, shard int, through daybook.CommitNo, now int64) error {
	_, err := ask(o, func() (any, error) { return nil, o.store.Trim(ctx, shard, through, now) })
	return err
}

func (o *oneByOne) Epochs(ctx context.Context, org daybook.OrgID) ([]daybook.Head, error) {
	return ask(o, func() ([]daybook.Head, error) { return o.store.Epochs(ctx, org) })
}

func (o *oneByOne) Notes(ctx context.Context, log daybook.LogNo, from, to int64, desc bool) iter.Seq2[daybook.StoredNote, error] {
	return listAll(o, func() iter.Seq2[daybook.StoredNote, error] { return o.store.Notes(ctx, log, from, to, desc) })
}

func (o *oneByOne) PutNote(ctx context.Context, log daybook.LogNo, n daybook.StoredNote) error {
	_, err := ask(o, func() (any, error) { return nil, o.store.PutNote(ctx, log, n) })
	return err
}

func (o *oneByOne) NewEpoch(ctx context.Context, log daybook.LogNo) (daybook.Head, error) {
	return ask(o, func() (daybook.Head, error) { return o.store.NewEpoch(ctx, log) })
}

func (o *oneByOne) DropKeys(ctx context.Context, log daybook.LogNo, covers func(first int64, n int) bool) error {
	_, err := ask(o, func() (any, error) { return nil, o.store.DropKeys(ctx, log, covers) })
	return err
}

func (o *oneByOne) CloseLogs(ctx context.Context, org daybook.OrgID) error {
	_, err := ask(o, func() (any, error) { return nil, o.store.CloseLogs(ctx, org) })
	return err
}

func (o *oneByOne) DropLog(ctx context.Context, log daybook.LogNo) (bool, error) {
	return ask(o, func() (bool, error) { return o.store.DropLog(ctx, log) })
}

// oneByOneMarks is a high-water store in the same thread.
type oneByOneMarks struct {
	marks daybook.HighWater
	one   *oneByOne
}

func (m *oneByOneMarks) Mark(ctx context.Context, origin string) (mark daybook.Mark, ok bool, err error) {
	m.one.do(func() { mark, ok, err = m.marks.Mark(ctx, origin) })
	return mark, ok, err
}

func (m *oneByOneMarks) Advance(ctx context.Context, origin string, old, next daybook.Mark) (err error) {
	m.one.do(func() { err = m.marks.Advance(ctx, origin, old, next) })
	return err
}

func (m *oneByOneMarks) Reset(ctx context.Context, origin string, to daybook.Mark) (err error) {
	m.one.do(func() { err = m.marks.Reset(ctx, origin, to) })
	return err
}

func (m *oneByOneMarks) AddRemoval(ctx context.Context, r daybook.Removal) (err error) {
	m.one.do(func() { err = m.marks.AddRemoval(ctx, r) })
	return err
}

func (m *oneByOneMarks) Removals(ctx context.Context) ([]daybook.Removal, error) {
	return ask(m.one, func() ([]daybook.Removal, error) { return m.marks.Removals(ctx) })
}

func (m *oneByOneMarks) ForgetRemovals(ctx context.Context, before int64) (err error) {
	m.one.do(func() { err = m.marks.ForgetRemovals(ctx, before) })
	return err
}

func (o *oneByOne) Scrub(ctx context.Context) error {
	_, err := ask(o, func() (any, error) {
		if s, ok := o.store.(daybook.Scrubber); ok {
			return nil, s.Scrub(ctx)
		}
		return nil, nil
	})
	return err
}

func (o *oneByOne) Shards() int { return o.store.Shards() }

func (o *oneByOne) Close() (err error) {
	o.do(func() { err = o.store.Close() })
	close(o.calls)
	return err
}
