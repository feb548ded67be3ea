package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/sqlite"
)

// fillDisk mounts a small disk at the folder of path, fills it while appending, makes room and goes on. It prints what happened.
func fillDisk(path string, size int64) error {
	dir := filepath.Dir(path)
	if err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		return fmt.Errorf("mount a disk: %w", err)
	}
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, size/2), 0o600); err != nil {
		return err
	}
	o := sqlite.Tuned("FULL", size/8, size/4, size/4)
	o.Logger = slog.New(slog.DiscardHandler) // the checkpointer says that it cannot
	s, err := sqlite.Open(path, o)
	if err != nil {
		return err
	}
	ctx := context.Background()
	last := daybook.CommitNo(0)
	appendUntil := func(stop func(error) bool) error {
		for range 10_000 {
			err := s.Append(ctx, commit(last, 30_000))
			if err == nil {
				last++
			}
			if stop(err) {
				return nil
			}
			if err != nil {
				return err
			}
		}
		return errors.New("the disk does not fill")
	}
	for range 3 { // full, and full, and full again
		if err := appendUntil(func(err error) bool { return errors.Is(err, daybook.ErrNoSpace) }); err != nil {
			return fmt.Errorf("filling: %w", err)
		}
	}
	_, err = s.Put(ctx, daybook.Document{Kind: "k", ID: "id", Data: make([]byte, 100_000)})
	fmt.Printf("put no_space=%t\n", errors.Is(err, daybook.ErrNoSpace))
	tail, err := s.Tail(ctx, 0, 0, 1<<30)
	fmt.Printf("reads whole=%t\n", err == nil && tail.Last == last && len(tail.Rows) == int(last))
	if err := os.Remove(filler); err != nil {
		return err
	}
	before := last
	if err := appendUntil(func(err error) bool { return err == nil && last == before+10 }); err != nil {
		return fmt.Errorf("after making room: %w", err)
	}
	if err := s.Close(); err != nil {
		return err
	}
	if s, err = sqlite.Open(path, sqlite.Options{}); err != nil {
		return err
	}
	tail, err = s.Tail(ctx, 0, 0, 1<<30)
	fmt.Printf("reopened whole=%t\n", err == nil && tail.Last == last && len(tail.Rows) == int(last))
	return s.Close()
}

// On a full disk nothing is written, reads go on, and it recovers without a restart.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	cmd := childCommand(t, "-disk", "16777216")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if want := "put no_space=true\nreads whole=true\nreopened whole=true\n"; string(out) != want {
		t.Errorf("the child said\n%s", out)
	}
}

func childCommand(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	path := filepath.Join(t.TempDir(), "daybook.db")
	cmd := exec.CommandContext(t.Context(), os.Args[0], append([]string{"-path", path}, args...)...)
	cmd.Env = append(os.Environ(), "DAYBOOK_TEST_CHILD=1")
	return cmd
}

// TestIOErrors fails one system call and every later one like it. Whatever was acknowledged is there afterwards; after a failed fsync
// or a failed write of the log every write is refused until the store is opened again, and reads go on.
func TestIOErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		call, fault string
		from, step  int // the numbers of the calls that fail first
		broken      bool
	}{
		{"fsync", "EIO", 20, 7, true},
		{"pwrite64", "EIO", 120, 53, true},
		{"pwrite64", "ENOSPC", 120, 53, false},
	} {
		for i := range 4 {
			first := c.from + i*c.step
			t.Run(fmt.Sprintf("%s/%s/%d", c.call, c.fault, first), func(t *testing.T) {
				t.Parallel()
				cmd := childCommand(t, "-n", "200", "-size", "9000", "-merge", "20")
				path := cmd.Args[2]
				inject := fmt.Sprintf("inject=%s:error=%s:when=%d+", c.call, c.fault, first)
				trace := filepath.Join(filepath.Dir(path), "trace")
				cmd.Args = append([]string{"strace", "-f", "-o", trace, "-e", "trace=" + c.call, "-e", inject}, cmd.Args...)
				strace, err := exec.LookPath("strace")
				if err != nil {
					t.Fatal("install strace")
				}
				cmd.Path = strace
				out, err := cmd.CombinedOutput()
				if err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				said := strings.Split(strings.TrimSpace(string(out)), "\n")
				if len(said) < 4 {
					t.Fatalf("the child said\n%s", out)
				}
				end := said[len(said)-3:]
				if end[0] == "failed no_space=false broken=true" && c.broken {
					end[0] = "failed no_space=false broken=false" // the checkpointer met it first
				}
				want := []string{
					fmt.Sprintf("failed no_space=%t broken=false", !c.broken),
					fmt.Sprintf("repeated no_space=%t broken=%t ok=false", !c.broken, c.broken),
					"read ok=true",
				}
				for i := range want {
					if end[i] != want[i] {
						t.Errorf("the child ended with %q, want %q", end, want)
						break
					}
				}
				if err := checkStore(t, path, said); err != nil {
					t.Error(err)
				}
			})
		}
	}
}
