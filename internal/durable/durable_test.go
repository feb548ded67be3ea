package durable

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The tests are in the package because they make its system calls fail.

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func names(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	ns := []string{}
	for _, e := range entries {
		ns = append(ns, e.Name())
	}
	return ns
}

func TestWriteFile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	name := filepath.Join(folder, "state.json")
	for _, c := range []struct {
		content string
		perm    fs.FileMode
	}{{"one", 0o644}, {"a longer second one", 0o600}, {"", 0o640}} {
		if err := WriteFile(name, []byte(c.content), c.perm); err != nil {
			t.Fatal(err)
		}
		if got := read(t, name); got != c.content {
			t.Errorf("content %q, want %q", got, c.content)
		}
		at, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if at.Mode() != c.perm {
			t.Errorf("permissions %v, want %v", at.Mode(), c.perm)
		}
	}
	if diff := cmp.Diff([]string{"state.json"}, names(t, folder)); diff != "" {
		t.Errorf("files (- want, + got):\n%s", diff)
	}
}

// The order of the calls is what makes a file durable: content before name, name before success.
func TestOrderOfCalls(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	name := filepath.Join(folder, "f")
	var trace []string
	c := calls{
		sync: func(f *os.File) error {
			what := "sync folder"
			if f.Name() != folder {
				what = "sync " + read(t, f.Name())
			}
			trace = append(trace, what)
			return f.Sync()
		},
		rename: func(from, to string) error {
			trace = append(trace, "rename to "+filepath.Base(to))
			return os.Rename(from, to)
		},
	}
	f, err := create(name, 0o600, c)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"a", "b", "c"} {
		if _, err := f.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the name is seen before Commit: %v", err)
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	f.Abort() // does nothing now
	if diff := cmp.Diff([]string{"sync abc", "rename to f", "sync folder"}, trace); diff != "" {
		t.Errorf("calls (- want, + got):\n%s", diff)
	}
	if got := read(t, name); got != "abc" {
		t.Errorf("content %q, want abc", got)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	broken := errors.New("input/output error")
	for _, c := range []struct {
		fails    string
		want     string // content afterwards
		unsynced bool
	}{
		{"sync of the file", "old", false},
		{"rename", "old", false},
		{"sync of the folder", "new", true},
	} {
		t.Run(c.fails, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			name := filepath.Join(folder, "f")
			if err := WriteFile(name, []byte("old"), 0o600); err != nil {
				t.Fatal(err)
			}
			attempts := 0
			fail := func(what string, call func() error) error {
				if what != c.fails {
					return call()
				}
				attempts++
				return broken
			}
			f, err := create(name, 0o600, calls{
				sync: func(f *os.File) error {
					if f.Name() == folder {
						return fail("sync of the folder", f.Sync)
					}
					return fail("sync of the file", f.Sync)
				},
				rename: func(from, to string) error { return fail("rename", func() error { return os.Rename(from, to) }) },
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.Write([]byte("new")); err != nil {
				t.Fatal(err)
			}
			err = f.Commit()
			if !errors.Is(err, broken) || errors.Is(err, ErrUnsynced) != c.unsynced || !strings.Contains(fmt.Sprint(err), name) {
				t.Errorf("Commit: %v", err)
			}
			if attempts != 1 {
				t.Errorf("the failed call was made %d times, want once", attempts)
			}
			if got := read(t, name); got != c.want {
				t.Errorf("content %q, want %q", got, c.want)
			}
			if diff := cmp.Diff([]string{"f"}, names(t, folder)); diff != "" {
				t.Errorf("files (- want, + got):\n%s", diff)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := WriteFile(filepath.Join(folder, "missing", "f"), nil, 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in a missing folder: %v", err)
	}
	taken := filepath.Join(folder, "taken")
	if err := os.MkdirAll(filepath.Join(taken, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(taken, []byte("x"), 0o600); err == nil {
		t.Error("a folder was replaced by a file")
	}
	if err := MkdirAll(filepath.Join(folder, "f", "g"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(filepath.Join(folder, "plain"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := MkdirAll(filepath.Join(folder, "plain", "g"), 0o700); err == nil {
		t.Error("a folder was made below a file")
	}
	if err := MkdirAll(filepath.Join(folder, "plain"), 0o700); err == nil {
		t.Error("MkdirAll says that a file is a folder")
	}
	if diff := cmp.Diff([]string{"f", "plain", "taken"}, names(t, folder)); diff != "" {
		t.Errorf("files (- want, + got):\n%s", diff)
	}
}

func TestAbort(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	name := filepath.Join(folder, "f")
	if err := WriteFile(name, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Create(name, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("new")); err != nil {
		t.Fatal(err)
	}
	f.Abort()
	f.Abort()
	if got := read(t, name); got != "old" {
		t.Errorf("content %q, want old", got)
	}
	if n := len(names(t, folder)); n != 1 {
		t.Errorf("%d files, want 1", n)
	}
}

// A temporary file may hold a secret: nobody else can read it at any time.
func TestTemporaryFileIsPrivate(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	f, err := Create(filepath.Join(folder, "key"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Abort()
	at, err := os.Stat(f.file.Name())
	if err != nil {
		t.Fatal(err)
	}
	if at.Mode() != 0o600 {
		t.Errorf("permissions %v, want 0600", at.Mode())
	}
}

// Sweep finishes what a crash between Create and Commit leaves, and touches nothing else.
func TestSweep(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := WriteFile(filepath.Join(folder, "f"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	keep := []string{".hidden", "dump" + suffix, "f"}
	for _, n := range keep[:2] {
		if err := os.WriteFile(filepath.Join(folder, n), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // two writers that never came to their end
		f, err := Create(filepath.Join(folder, "f"), 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(f.Abort)
	}
	if n := len(names(t, folder)); n != 5 {
		t.Fatalf("%d files before, want 5", n)
	}
	if err := Sweep(folder); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(keep, names(t, folder)); diff != "" {
		t.Errorf("files (- want, + got):\n%s", diff)
	}
	if err := Sweep(filepath.Join(folder, "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Sweep of a missing folder: %v", err)
	}
}

func TestWritersAtOnce(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	name := filepath.Join(folder, "f")
	content := func(i int) []byte { return bytes.Repeat([]byte{byte('a' + i)}, 10_000) }
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			if err := WriteFile(name, content(i), 0o600); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	got := read(t, name)
	if got == "" || got != string(content(int(got[0]-'a'))) {
		t.Errorf("the file is a mixture of %d bytes", len(got))
	}
	if n := len(names(t, folder)); n != 1 {
		t.Errorf("%d files, want 1", n)
	}
}

func TestMkdirAll(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "a", "b", "c")
	for range 2 {
		if err := MkdirAll(name+"/", 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range []string{name, filepath.Dir(name)} {
		if at, err := os.Stat(n); err != nil || !at.IsDir() || at.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", n, at, err)
		}
	}
}
