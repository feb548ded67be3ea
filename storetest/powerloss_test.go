package storetest_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/daybook-audit/daybook/storetest"
)

// TestMain makes this binary the process that TestRecord traces.
func TestMain(m *testing.M) {
	dir := os.Getenv("DAYBOOK_TEST_CHILD")
	if dir == "" {
		os.Exit(m.Run())
	}
	if err := scribble(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// scribble writes a file durably, then one that is not, and says so.
func scribble(dir string) error {
	for _, name := range []string{"durable", "hasty"} {
		f, err := os.Create(filepath.Join(dir, name+".tmp"))
		if err != nil {
			return err
		}
		for i := range 3 {
			if _, err := f.Write(slices.Repeat([]byte{'a' + byte(i)}, 1000)); err != nil {
				return err
			}
		}
		if _, err := f.WriteAt([]byte("!"), 3999); err != nil {
			return err
		}
		if err := f.Truncate(3500); err != nil {
			return err
		}
		if name == "durable" {
			if err := f.Sync(); err != nil {
				return err
			}
		}
		if err := os.Rename(f.Name(), filepath.Join(dir, name)); err != nil {
			return err
		}
		if name == "durable" {
			d, err := os.Open(dir)
			if err != nil {
				return err
			}
			if err := d.Sync(); err != nil {
				return err
			}
		}
		fmt.Println(name)
	}
	return nil
}

func TestRecord(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "old"), []byte("old content"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "DAYBOOK_TEST_CHILD="+dir)
	r, err := storetest.Record(dir, cmd)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Said(); !slices.Equal(got, []string{"durable", "hasty"}) {
		t.Fatalf("said %q", got)
	}
	if got := r.Syncs(); len(got) != 2 || got[0] != 1 || got[1] != 1 {
		t.Errorf("syncs %v", got)
	}
	want := strings.Repeat("a", 1000) + strings.Repeat("b", 1000) + strings.Repeat("c", 1000) + strings.Repeat("\x00", 500)
	random := rand.New(rand.NewPCG(1, 2))
	seen := map[string]bool{}
	for range 2000 {
		c := r.Crash(random)
		if string(c.Files["old"]) != "old content" {
			t.Fatalf("%s: the old file is %q", c.Name, c.Files["old"])
		}
		if slices.Contains(c.Said, "durable") {
			if got := c.Files["durable"]; string(got) != want {
				t.Fatalf("%s: the durable file has %d bytes", c.Name, len(got))
			}
		}
		hasty, ok := c.Files["hasty"]
		switch {
		case !slices.Contains(c.Said, "hasty"):
		case !ok:
			seen["no name"] = true
		case len(hasty) == 0:
			seen["empty"] = true
		case string(hasty) == want:
			seen["whole"] = true
		default:
			seen["torn"] = true
		}
	}
	for _, state := range []string{"no name", "empty", "whole", "torn"} {
		if !seen[state] {
			t.Errorf("of 2000 losses of power none left the hasty file with: %s", state)
		}
	}
	restored := t.TempDir()
	if err := r.Crash(random).Restore(restored); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(restored, "old")); err != nil || string(b) != "old content" {
		t.Errorf("restored %q, %v", b, err)
	}
}
