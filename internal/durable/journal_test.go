package durable

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func openJournal(t *testing.T, folder string) *Journal {
	t.Helper()
	j, err := OpenJournal(folder)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func closeJournal(t *testing.T, j *Journal) {
	t.Helper()
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}

// take returns what the oldest segment holds.
func take(t *testing.T, j *Journal) (name string, records []string, torn int) {
	t.Helper()
	name, raw, torn, err := j.Take()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range raw {
		records = append(records, string(r))
	}
	return name, records, torn
}

func appendAll(t *testing.T, j *Journal, records ...string) {
	t.Helper()
	for _, r := range records {
		if err := j.Append([]byte(r)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestJournal: records come in the order of appending, until they are removed, through any number of processes.
func TestJournal(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "a", "b")
	j := openJournal(t, folder)
	if name, _, _ := take(t, j); name != "" || j.Size() != 0 {
		t.Errorf("an empty journal has %q", name)
	}
	appendAll(t, j, "1", "2")
	if _, err := OpenJournal(folder); !errors.Is(err, ErrLocked) {
		t.Errorf("a second one: %v", err)
	}
	first, got, _ := take(t, j)
	if diff := cmp.Diff([]string{"1", "2"}, got); diff != "" {
		t.Error(diff)
	}
	appendAll(t, j, "3")
	if again, _, _ := take(t, j); again != first {
		t.Errorf("took %s, not %s, which was not removed", again, first)
	}
	closeJournal(t, j)
	j = openJournal(t, folder)
	appendAll(t, j, "4")
	if n, err := j.Count(); n != 4 || err != nil {
		t.Errorf("%d wait: %v", n, err)
	}
	for _, want := range [][]string{{"1", "2"}, {"3"}, {"4"}} {
		name, got, torn := take(t, j)
		if diff := cmp.Diff(want, got); diff != "" || torn != 0 {
			t.Errorf("%s: torn %d, %s", name, torn, diff)
		}
		if err := j.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	if j.Size() != 0 {
		t.Errorf("%d bytes are left", j.Size())
	}
	closeJournal(t, j)
}

// TestJournal_torn: whole records before a torn one are read, and what is set aside is kept.
func TestJournal_torn(t *testing.T) {
	t.Parallel()
	for name, tear := range map[string]func(text []byte) []byte{
		"in the head":   func(text []byte) []byte { return append(text, 0, 0, 0) },
		"in the record": func(text []byte) []byte { return text[:len(text)-1] },
		"zeros":         func(text []byte) []byte { return append(text, make([]byte, 64)...) },
		"a bit":         func(text []byte) []byte { text[len(text)-1] ^= 1; return text },
		"a long length": func(text []byte) []byte { return append(text, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			j := openJournal(t, folder)
			appendAll(t, j, "one", "two")
			closeJournal(t, j)
			file := filepath.Join(folder, fmt.Sprintf("%016d.journal", 1))
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, tear(text), 0o600); err != nil {
				t.Fatal(err)
			}
			j = openJournal(t, folder)
			segment, got, torn := take(t, j)
			if len(got) == 0 || got[0] != "one" || torn == 0 {
				t.Errorf("%v, torn %d", got, torn)
			}
			if err := j.SetAside(segment); err != nil {
				t.Fatal(err)
			}
			if next, _, _ := take(t, j); next != "" {
				t.Errorf("%s comes again", next)
			}
			closeJournal(t, j)
			if !slices.Contains(names(t, folder), segment+".aside") {
				t.Errorf("it was not kept: %v", names(t, folder))
			}
		})
	}
}

// TestJournal_concurrent: every acknowledged record is taken once, and those that append together share a sync.
func TestJournal_concurrent(t *testing.T) {
	t.Parallel()
	j := openJournal(t, t.TempDir())
	var mu sync.Mutex
	syncs := 0
	j.calls.sync = func(f *os.File) error {
		mu.Lock()
		syncs++
		mu.Unlock()
		return f.Sync()
	}
	const writers, each = 8, 50
	seen := map[string]int{}
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if err := j.Append(fmt.Appendf(nil, "%d.%d", w, i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	stop := make(chan struct{})
	go func() { wg.Wait(); close(stop) }()
	for ended := false; ; {
		select {
		case <-stop:
			ended = true
		default:
		}
		name, records, torn := take(t, j)
		if name == "" {
			if ended {
				break
			}
			continue
		}
		if torn != 0 {
			t.Errorf("%s is torn by %d", name, torn)
		}
		for _, r := range records {
			seen[r]++
		}
		if err := j.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	closeJournal(t, j)
	if len(seen) != writers*each {
		t.Errorf("%d records were taken, want %d", len(seen), writers*each)
	}
	for r, n := range seen {
		if n != 1 {
			t.Errorf("%s was taken %d times", r, n)
		}
	}
}

// TestJournal_sync: a failed sync is an error for those who waited for it, and is not repeated on that file.
func TestJournal_sync(t *testing.T) {
	t.Parallel()
	j := openJournal(t, t.TempDir())
	fails := errors.New("input/output error")
	j.calls.sync = func(f *os.File) error {
		if info, err := f.Stat(); err == nil && !info.IsDir() {
			return fails
		}
		return nil
	}
	if err := j.Append([]byte("1")); !errors.Is(err, fails) {
		t.Errorf("got %v", err)
	}
	if err := j.Append([]byte("2")); !errors.Is(err, fails) {
		t.Errorf("into another segment: %v", err)
	}
	j.calls.sync = (*os.File).Sync
	if err := j.Append([]byte("3")); err != nil {
		t.Errorf("once it works again: %v", err)
	}
	for _, want := range []string{"1", "2", "3"} { // the first two are written, and not known to be durable
		if name, got, _ := take(t, j); len(got) != 1 || got[0] != want || j.Remove(name) != nil {
			t.Errorf("%s %v, want %s", name, got, want)
		}
	}
	closeJournal(t, j)
}
