package delivery_test

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook/internal/delivery"
)

func openSpool(t *testing.T, folder string, most int64, o *office) *delivery.Spool {
	t.Helper()
	s, err := delivery.OpenSpool(folder, most, o, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t *testing.T, s *delivery.Spool, all ...delivery.Letter) {
	t.Helper()
	for i := range all {
		if err := s.Append(&all[i]); err != nil {
			t.Fatal(err)
		}
	}
}

// closeSpool gives it ten seconds, or no time.
func closeSpool(t *testing.T, s *delivery.Spool, now bool, want int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	if now {
		cancel()
	}
	defer cancel()
	if kept, err := s.Close(ctx); kept != want || err != nil {
		t.Errorf("%d kept, want %d: %v", kept, want, err)
	}
}

// TestSpool_format: what stands on the disk of those who spool is read for ever.
func TestSpool_format(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	s := openSpool(t, folder, 1<<20, &office{down: true})
	put(t, s, delivery.Letter{ID: "evt_1", Org: "acme", Text: "{\"a\":\n1}"})
	closeSpool(t, s, true, 1)
	const onDisk = "00000013f571e51c6576745f310a61636d650a7b2261223a0a317d"
	path := filepath.Join(folder, "1", "0000000000000001.journal")
	text, err := os.ReadFile(path)
	if err != nil || hex.EncodeToString(text) != onDisk {
		t.Fatalf("%x %v", text, err)
	}
	o := &office{}
	closeSpool(t, openSpool(t, folder, 1<<20, o), false, 0)
	if diff := cmp.Diff([][]string{{"{\"a\":\n1}"}}, o.calls); diff != "" {
		t.Error(diff)
	}
	if left, err := filepath.Glob(filepath.Join(folder, "1", "*.journal*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// TestSpool_order: letters arrive org by org in the order in which they were taken, however long the log is away; the Office learns of it.
func TestSpool_order(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		o := &office{down: true, refuse: "bad"}
		s := openSpool(t, folder, 1<<20, o)
		put(t, s, letters("a", "1", "bad", "2")...)
		time.Sleep(time.Second)
		put(t, s, append(letters("b", "3"), letters("a", "4")...)...)
		time.Sleep(time.Hour)
		if s.Size() == 0 || len(o.got()) > 0 {
			t.Errorf("%d bytes wait, recorded %v", s.Size(), o.got())
		}
		o.fail(false)
		time.Sleep(time.Minute)
		synctest.Wait()
		if diff := cmp.Diff([]string{"1", "2", "3", "4"}, o.got()); diff != "" || s.Size() != 0 {
			t.Errorf("%d bytes wait, recorded (-want +got):\n%s", s.Size(), diff)
		}
		if diff := cmp.Diff([]string{"bad: no"}, o.lost); diff != "" {
			t.Errorf("lost (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"a", "b", "a"}, slices.Compact(o.arrived)); diff != "" {
			t.Errorf("arrived (-want +got):\n%s", diff)
		}
		closeSpool(t, s, false, 0)
		if err := s.Append(&delivery.Letter{}); !errors.Is(err, delivery.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
	if aside, err := filepath.Glob(filepath.Join(folder, "1", "*.aside")); err != nil || len(aside) != 1 {
		t.Errorf("what was refused is not kept aside: %v %v", aside, err)
	}
}

// TestSpool_adopts: who shares a folder has a part of it, and takes over the parts of those that are gone, theirs first.
func TestSpool_adopts(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	down := &office{down: true}
	one, two := openSpool(t, folder, 1<<20, down), openSpool(t, folder, 1<<20, down)
	put(t, one, letters("a", "1", "2")...)
	put(t, two, letters("a", "3")...)
	closeSpool(t, two, true, 1)
	beside := &office{}
	three := openSpool(t, folder, 1<<20, beside)
	put(t, three, letters("a", "4")...)
	closeSpool(t, three, false, 0)
	if diff := cmp.Diff([]string{"3", "4"}, beside.recorded); diff != "" { // it got the second part
		t.Errorf("beside one that lives (-want +got):\n%s", diff)
	}
	closeSpool(t, one, true, 2)
	after := &office{}
	closeSpool(t, openSpool(t, folder, 1<<20, after), false, 0)
	if diff := cmp.Diff([]string{"1", "2"}, after.recorded); diff != "" {
		t.Errorf("after it (-want +got):\n%s", diff)
	}
}

// TestSpool_full: it refuses what has no room, and drops nothing.
func TestSpool_full(t *testing.T) {
	t.Parallel()
	o := &office{down: true}
	s := openSpool(t, t.TempDir(), 100, o)
	l := letters("a", strings.Repeat("x", 40))[0]
	put(t, s, l)
	if err := s.Append(&l); err != nil { // 54 bytes in the file, and 46 to come
		t.Fatal(err)
	}
	if err := s.Append(&l); !errors.Is(err, delivery.ErrSpoolFull) {
		t.Errorf("got %v", err)
	}
	o.fail(false)
	closeSpool(t, s, false, 0)
	if len(o.recorded) != 2 {
		t.Errorf("%d of 2 were recorded", len(o.recorded))
	}
}

// TestSpool_torn: what a crash tore is kept aside, and what stands before it arrives.
func TestSpool_torn(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	s := openSpool(t, folder, 1<<20, &office{down: true})
	put(t, s, letters("a", "1", "2")...)
	closeSpool(t, s, true, 2)
	segments, err := filepath.Glob(filepath.Join(folder, "1", "*.journal"))
	if err != nil || len(segments) == 0 {
		t.Fatalf("%v %v", segments, err)
	}
	path := segments[len(segments)-1] // the first may have been sealed before the second letter
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text[:len(text)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	o := &office{}
	closeSpool(t, openSpool(t, folder, 1<<20, o), false, 0)
	if diff := cmp.Diff([]string{"1"}, o.recorded); diff != "" {
		t.Error(diff)
	}
	if kept, err := os.ReadFile(path + ".aside"); err != nil || string(kept) != string(text[:len(text)-1]) {
		t.Errorf("kept aside: %q %v", kept, err)
	}
}

// FuzzSpool_record: a letter is read as it was written, and whatever else stands in a record is some letter.
func FuzzSpool_record(f *testing.F) {
	f.Add("evt_1", "acme", "{}", []byte("x"))
	f.Add("", "", "", []byte("\n\n"))
	f.Add("evt_1", "", "\n", []byte("evt_1\nacme"))
	f.Fuzz(func(t *testing.T, id, org, text string, record []byte) {
		if !strings.Contains(id+org, "\n") {
			l := delivery.Letter{N: 3, ID: id, Org: org, Text: text}
			if got := delivery.LetterOf(3, delivery.Record(&l)); got != l {
				t.Errorf("%+v is read as %+v", l, got)
			}
		}
		if l := delivery.LetterOf(0, record); strings.Contains(l.ID+l.Org, "\n") {
			t.Errorf("%q is read as %+v", record, l)
		}
	})
}

// TestQueue: letters in memory are delivered behind the call, refused without room, and lost when nobody takes them in the end.
func TestQueue(t *testing.T) {
	t.Parallel()
	o := &office{}
	q := delivery.NewQueue(10, o, slog.New(slog.DiscardHandler))
	for _, l := range letters("a", "12345", "67890") {
		if err := q.Add(l); err != nil {
			t.Fatal(err)
		}
	}
	if lost := q.Close(t.Context()); lost != 0 {
		t.Errorf("%d lost", lost)
	}
	if diff := cmp.Diff([]string{"12345", "67890"}, o.recorded); diff != "" {
		t.Error(diff)
	}
	if err := q.Add(delivery.Letter{}); !errors.Is(err, delivery.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	o.fail(true)
	q = delivery.NewQueue(10, o, slog.New(slog.DiscardHandler))
	for i, want := range []error{nil, nil, delivery.ErrQueueFull} {
		if err := q.Add(letters("a", "12345")[0]); !errors.Is(err, want) {
			t.Errorf("letter %d: %v", i, err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if lost := q.Close(ended); lost != 2 {
		t.Errorf("%d of 2 lost", lost)
	}
	if lost := delivery.NewQueue(10, o, nil).Close(ended); lost != 0 {
		t.Errorf("%d lost of a queue that never had a letter", lost)
	}
}

// spoolEnv makes the test binary the process that TestSpool_killed kills: it spools until then, and prints what was acknowledged.
const spoolEnv = "DAYBOOK_TEST_SPOOL"

// TestSpool_child is that process.
func TestSpool_child(t *testing.T) {
	folder := os.Getenv(spoolEnv)
	if folder == "" {
		return // nobody asked
	}
	s := openSpool(t, folder, 1<<30, &office{down: true})
	var mu sync.Mutex
	for w := range 4 {
		go func() {
			for i := 0; ; i++ {
				l := delivery.Letter{ID: fmt.Sprintf("%d-%d-%d", os.Getpid(), w, i), Org: "acme", Text: strings.Repeat("x", i%2000)}
				l.Text += l.ID + "."
				if err := s.Append(&l); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				mu.Lock()
				fmt.Println(l.Text)
				mu.Unlock()
			}
		}()
	}
	select {}
}

// TestSpool_killed: what Append acknowledged is delivered by the next process, whenever the one before was killed.
func TestSpool_killed(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	acknowledged := map[string]bool{}
	for round := range 3 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestSpool_child$")
		cmd.Env = append(os.Environ(), spoolEnv+"="+folder)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; n < 50+70*round && lines.Scan(); n++ {
			acknowledged[lines.Text()] = true
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // what it still said
			if strings.HasSuffix(lines.Text(), ".") {
				acknowledged[lines.Text()] = true
			}
		}
		if err := cmd.Wait(); err == nil {
			t.Error("it was not killed")
		}
	}
	o := &office{}
	closeSpool(t, openSpool(t, folder, 1<<30, o), false, 0)
	seen := map[string]bool{}
	for _, text := range o.recorded {
		seen[text] = true
	}
	for text := range acknowledged {
		if !seen[text] {
			t.Errorf("%s was acknowledged and is lost", text)
		}
	}
	if len(acknowledged) < 300 {
		t.Errorf("only %d were acknowledged", len(acknowledged))
	}
}
