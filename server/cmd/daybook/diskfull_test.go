//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/daybook-audit/daybook"
)

// diskSize is that of the disk of TestDiskFull, and fillerSize what is on it besides the store until there is room again.
const (
	diskSize   = 16 << 20
	fillerSize = 11 << 20
)

// TestDiskFull lets the disk become full while events are recorded. Each is then refused as overloaded, with nothing recorded; reads
// go on; and when there is room again, recording goes on without a restart.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	rounds := 1
	if nightly {
		rounds = 50
	}
	random := seeded(t)
	for range rounds {
		c := newCrash(t, random, 1)
		cmd := c.task().command(t)
		cmd.Env = append(cmd.Env, "DAYBOOK_TEST_CHILD=disk")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS} // its mounts end with it
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v (the test mounts a disk in a namespace of its own, which needs root)\n%s", err, out)
		}
	}
}

// fillDisk is the child of TestDiskFull.
func fillDisk() error {
	var d task
	if err := json.Unmarshal([]byte(os.Getenv("DAYBOOK_TEST_TASK")), &d); err != nil {
		return err
	}
	dir := filepath.Dir(d.Path)
	if err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", diskSize)); err != nil {
		return fmt.Errorf("mount a disk: %w", err)
	}
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, fillerSize), 0o600); err != nil {
		return err
	}
	c := fullDisk{crash: crashIn(dir, d.Load)}
	store, err := d.open()
	if err != nil {
		return err
	}
	ctx := context.Background()
	c.book, err = daybook.Open(ctx, store, smallTail)
	if err != nil {
		return err
	}
	// Full; and still full, whatever is tried; and room, and on.
	if err := c.until(ctx, 5000, func() bool { return c.refused == 10 }); err != nil {
		return fmt.Errorf("filling the disk: %w", err)
	}
	if err := c.readAll(ctx); err != nil {
		return fmt.Errorf("reading while the disk is full: %w", err)
	}
	// A new log is small and may still find its place.
	_, err = c.book.RecordJSON(ctx, "org_new", daybook.Request{Events: d.Load.Call(0, 0).Request.Events[:1]})
	if err != nil && daybook.CodeOf(err) != daybook.CodeOverloaded {
		return fmt.Errorf("recording in a new log while the disk is full: %w", err)
	}
	if err := os.Remove(filler); err != nil {
		return err
	}
	before := c.recorded
	if err := c.until(ctx, 300, func() bool { return c.recorded >= before+100 }); err != nil {
		return fmt.Errorf("after making room: %w", err)
	}
	if err := errors.Join(c.history.Settle(ctx, c.book), c.book.Settle(ctx), c.book.Close(), store.Close()); err != nil {
		return err
	}
	if findings := c.verify(ctx, false); len(findings) > 0 {
		return fmt.Errorf("afterwards: %v", findings[:min(len(findings), 10)])
	}
	return nil
}

// fullDisk records one call after the other.
type fullDisk struct {
	*crash
	book              *daybook.Book
	next              int
	recorded, refused int
}

// until makes at most n calls, and an error unless stop becomes true.
func (f *fullDisk) until(ctx context.Context, n int, stop func() bool) error {
	for range n {
		c := f.history.Load.Call(0, f.next)
		res, err := f.book.RecordJSON(ctx, c.Org, c.Request)
		switch {
		case daybook.CodeOf(err) == daybook.CodeOverloaded && errors.Is(err, daybook.ErrNoSpace):
			f.refused++
		case err == nil, c.Conflict && daybook.CodeOf(err) == daybook.CodeConflict:
			if err == nil {
				f.recorded++
			}
			if err := f.history.Add(c.Answer(res, err)); err != nil {
				return err
			}
			f.next++
		default:
			return err
		}
		if stop() {
			return nil
		}
	}
	return fmt.Errorf("%d calls were recorded and %d refused", f.recorded, f.refused)
}

// readAll reads every log to its end.
func (f *fullDisk) readAll(ctx context.Context) error {
	for i := range f.history.Load.Orgs {
		org := daybook.OrgID(fmt.Sprintf("org_%d", i))
		info, err := f.book.Info(ctx, org)
		if err != nil {
			return err
		}
		next := int64(0)
		for e, err := range f.book.Events(ctx, daybook.EventQuery{Org: org, Asc: true}) {
			if err != nil {
				return err
			}
			if e.Seq != next {
				return fmt.Errorf("%s: entry %d instead of %d", org, e.Seq, next)
			}
			next++
		}
		if next != info[0].Size {
			return fmt.Errorf("%s: %d entries of %d", org, next, info[0].Size)
		}
	}
	return nil
}
