package sqlite_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"testing"

	"go.uber.org/goleak"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/sqlite"
)

// TestMain makes this binary the process that the tests of crashes kill, trace and starve.
func TestMain(m *testing.M) {
	if os.Getenv("DAYBOOK_TEST_CHILD") == "" {
		goleak.VerifyTestMain(m) // which exits
	}
	if err := child(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// child appends commits to a store and prints a line for each that was acknowledged.
func child() error {
	f := flag.NewFlagSet("child", flag.ContinueOnError)
	path := f.String("path", "", "the database")
	n := f.Int("n", 0, "commits")
	size := f.Int("size", 400, "bytes of each")
	synchronous := f.String("synchronous", "FULL", "PRAGMA synchronous")
	wal := f.Int64("wal", 64<<10, "bytes of write-ahead log after which it is copied")
	merge := f.Int("merge", 0, "put a block in place and trim every so many commits")
	disk := f.Int64("disk", 0, "mount a disk of that size first and fill it")
	if err := f.Parse(os.Args[1:]); err != nil {
		return err
	}
	runtime.LockOSThread() // strace counts the calls of each thread by itself
	if *disk > 0 {
		return fillDisk(*path, *disk)
	}
	o := sqlite.Tuned(*synchronous, *wal, 2**wal, 4**wal)
	o.Logger = slog.New(slog.DiscardHandler)
	s, err := sqlite.Open(*path, o)
	if err != nil {
		return err
	}
	ctx := context.Background()
	tail, err := s.Tail(ctx, 0, 1<<60, 1)
	if err != nil {
		return err
	}
	hs, err := s.Heads(ctx, []daybook.OrgID{"org"}, true)
	if err != nil {
		return err
	}
	fmt.Printf("opened %d\n", tail.Last)
	head := hs[0]
	for i := range *n {
		c := commit(tail.Last+daybook.CommitNo(i), *size)
		if err := s.Append(ctx, c); err != nil {
			return outcome(ctx, s, c, err)
		}
		fmt.Printf("commit %d %x\n", c.Prev+1, c.ID)
		if *merge > 0 && i%*merge == *merge-1 {
			if err := mergeAndTrim(ctx, s, &head, c.Prev); err != nil {
				return outcome(ctx, s, c, err)
			}
			fmt.Printf("merged %d %d\n", c.Prev, head.Packed)
		}
	}
	if err := s.Close(); err != nil {
		return err
	}
	fmt.Println("closed")
	return nil
}

// outcome prints what a failed call said, and what the same commit says when it is repeated.
func outcome(ctx context.Context, s *sqlite.Store, c *daybook.Commit, err error) error {
	fmt.Printf("failed no_space=%t broken=%t\n", errors.Is(err, daybook.ErrNoSpace), errors.Is(err, daybook.ErrBroken))
	err = s.Append(ctx, c)
	fmt.Printf("repeated no_space=%t broken=%t ok=%t\n", errors.Is(err, daybook.ErrNoSpace), errors.Is(err, daybook.ErrBroken), err == nil)
	_, err = s.Tail(ctx, 0, 0, 1<<20)
	fmt.Printf("read ok=%t\n", err == nil || errors.Is(err, daybook.ErrTrimmed))
	return nil // without Close, as a process ends that must
}

// mergeAndTrim does what the merger does: the seqs up to the commit's number become blocks, some of them merged, and commits go.
func mergeAndTrim(ctx context.Context, s *sqlite.Store, head *daybook.Head, through daybook.CommitNo) error {
	next := *head
	next.Packed = int64(through)
	b := daybook.Block{BlockMeta: daybook.BlockMeta{BlockRef: daybook.BlockRef{First: head.Packed, Gen: 1}, N: int(next.Packed - head.Packed)}, Bytes: make([]byte, 20_000)}
	if err := s.Replace(ctx, []daybook.Swap{{Log: head.Log, In: []daybook.Block{b}, Fold: &next}}); err != nil {
		return err
	}
	*head = next
	again := b
	again.Gen++
	if err := s.Replace(ctx, []daybook.Swap{{Log: head.Log, Out: []daybook.BlockRef{b.BlockRef}, In: []daybook.Block{again}}}); err != nil {
		return err
	}
	return s.Trim(ctx, 0, through, 0)
}
