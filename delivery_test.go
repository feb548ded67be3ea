package daybook_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
)

// fail makes m fail with err from now on.
func (m *memory) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
}

// actions returns what was recorded.
func (m *memory) actions() (out []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.events {
		out = append(out, e.Action)
	}
	return out
}

func closeClerk(t *testing.T, c *daybook.Clerk, wantKept, wantLost int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if kept, lost, err := c.Close(ctx); kept != wantKept || lost != wantLost || err != nil {
		t.Errorf("closed with %d kept and %d lost: %v; want %d and %d", kept, lost, err, wantKept, wantLost)
	}
}

// TestRecordAsync: events are recorded in order, with the id and the time of the call, whatever the Recorder does meanwhile.
func TestRecordAsync(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{err: errors.New("down")}
		c := newClerk(t, m, daybook.ClerkOptions{Org: "acme", Spool: folder})
		var want []string
		ids := map[daybook.ID]time.Time{}
		for i := range 10 {
			e := daybook.Event{Action: fmt.Sprintf("page.viewed%d", i), Actor: ada}
			id, err := c.RecordAsync(t.Context(), e)
			if err != nil {
				t.Fatal(err)
			}
			want, ids[id] = append(want, e.Action), time.Now()
			time.Sleep(time.Second)
			synctest.Wait()
		}
		if len(m.actions()) != 0 || c.Stats().Spooled != 10 || c.Stats().SpoolBytes == 0 {
			t.Errorf("recorded %v, stats %+v", m.actions(), c.Stats())
		}
		m.fail(nil)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if diff := cmp.Diff(want, m.actions()); diff != "" {
			t.Errorf("recorded (-want +got):\n%s", diff)
		}
		for _, e := range m.events {
			if at, ok := ids[e.ID]; !ok || !e.OccurredAt.Equal(at) {
				t.Errorf("%s happened at %v, and the call was at %v", e.ID, e.OccurredAt, at)
			}
		}
		if c.Stats().SpoolBytes != 0 {
			t.Errorf("%d bytes wait", c.Stats().SpoolBytes)
		}
		closeClerk(t, c, 0, 0)
	})
}

// TestSpool_adopted: what a closed Clerk kept the next one records, and one that runs beside it takes another part of the folder.
func TestSpool_adopted(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	down := &memory{err: errors.New("down")}
	first, second := newClerk(t, down, daybook.ClerkOptions{Org: "acme", Spool: folder}), newClerk(t, down, daybook.ClerkOptions{Org: "acme", Spool: folder})
	for i, c := range []*daybook.Clerk{first, second, first} {
		if _, err := c.RecordAsync(t.Context(), daybook.Event{Action: fmt.Sprintf("a.%d", i), Actor: ada}); err != nil {
			t.Fatal(err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for c, want := range map[*daybook.Clerk]int{first: 2, second: 1} {
		if kept, lost, err := c.Close(ended); kept != want || lost != 0 || err != nil {
			t.Errorf("kept %d, lost %d: %v", kept, lost, err)
		}
		if _, err := c.Record(t.Context(), daybook.Event{Action: "a.b", Actor: ada}); !errors.Is(err, daybook.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		if _, _, err := c.Close(ended); !errors.Is(err, daybook.ErrClosed) {
			t.Errorf("a second Close: %v", err)
		}
	}
	m := &memory{}
	closeClerk(t, newClerk(t, m, daybook.ClerkOptions{Spool: folder}), 0, 0)
	if diff := cmp.Diff([]string{"a.1", "a.0", "a.2"}, m.actions()); diff != "" { // the adopted part first
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
	closeClerk(t, newClerk(t, down, daybook.ClerkOptions{Spool: folder}), 0, 0)
}

// TestFailSpool: what the Recorder does not take goes into the spool, unless it never would.
func TestFailSpool(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	m := &memory{err: errors.New("down")}
	c := newClerk(t, m, daybook.ClerkOptions{Org: "acme", Spool: folder, Failure: []daybook.FailureRule{{Action: "page.*", Policy: daybook.FailSpool}}})
	if _, err := c.Record(t.Context(), daybook.Event{Action: "invoice.paid", Actor: ada}); err == nil {
		t.Error("it fails closed by default")
	}
	m.fail(&daybook.Error{Code: daybook.CodeInvalid, Message: "no"})
	if _, err := c.Record(t.Context(), daybook.Event{Action: "page.viewed", Actor: ada}); daybook.CodeOf(err) != daybook.CodeInvalid {
		t.Errorf("a refused event: %v", err)
	}
	m.fail(errors.New("down"))
	receipt, err := c.Record(t.Context(), daybook.Event{Action: "page.viewed", Actor: ada})
	if err != nil || receipt.ID.IsZero() || receipt.Org != "acme" {
		t.Errorf("%+v %v", receipt, err)
	}
	m.fail(nil)
	closeClerk(t, c, 0, 0)
	if e := m.events; len(e) != 1 || e[0].ID != receipt.ID || e[0].OccurredAt.IsZero() {
		t.Errorf("recorded %+v", e)
	}
}

// TestSpool_full: it refuses and never drops, and FailSpool is FailClosed then.
func TestSpool_full(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	m := &memory{err: down}
	c := newClerk(t, m, daybook.ClerkOptions{
		Org: "acme", Spool: t.TempDir(), MaxSpoolBytes: 1000, Failure: []daybook.FailureRule{{Action: "*", Policy: daybook.FailSpool}},
	})
	n := 0
	for ; n < 100; n++ {
		if _, err := c.RecordAsync(t.Context(), daybook.Event{Action: "a.b", Actor: ada}); err != nil {
			if !errors.Is(err, daybook.ErrSpoolFull) {
				t.Error(err)
			}
			break
		}
	}
	if n < 2 || n > 10 {
		t.Errorf("%d events of some hundred bytes have room in 1000", n)
	}
	if _, err := c.Record(t.Context(), daybook.Event{Action: "a.b", Actor: ada}); !errors.Is(err, daybook.ErrSpoolFull) || !errors.Is(err, down) {
		t.Errorf("got %v", err)
	}
	m.fail(nil)
	closeClerk(t, c, 0, 0)
	if len(m.events) != n {
		t.Errorf("%d of %d were recorded", len(m.events), n)
	}
}

// TestSpool_refused: an event that the log refuses later is counted, logged and kept aside, and the others go on.
func TestSpool_refused(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	m := &picky{refuse: "a.bad"}
	c := newClerk(t, m, daybook.ClerkOptions{Org: "acme", Spool: folder})
	for _, action := range []string{"a.1", "a.bad", "a.2"} {
		if _, err := c.RecordAsync(t.Context(), daybook.Event{Action: action, Actor: ada}); err != nil {
			t.Fatal(err)
		}
	}
	closeClerk(t, c, 0, 0)
	var got []string
	for _, a := range m.actions() {
		if a != "recording.interrupted" { // says that one was lost
			got = append(got, a)
		}
	}
	if diff := cmp.Diff([]string{"a.1", "a.2"}, got); diff != "" || c.Stats().Lost != 1 {
		t.Errorf("stats %+v, recorded (-want +got):\n%s", c.Stats(), diff)
	}
	aside, err := filepath.Glob(filepath.Join(folder, "*", "*.aside"))
	if err != nil || len(aside) != 1 {
		t.Fatalf("set aside: %v %v", aside, err)
	}
	if text, err := os.ReadFile(aside[0]); err != nil || !strings.Contains(string(text), "a.bad") {
		t.Errorf("%q %v", text, err)
	}
}

// picky refuses one action.
type picky struct {
	memory
	refuse string
}

func (p *picky) RecordBatch(ctx context.Context, org daybook.OrgID, es []daybook.Event) ([]daybook.Receipt, error) {
	for i, e := range es {
		if e.Action == p.refuse {
			return nil, &daybook.BatchError{Errors: []daybook.EventError{{Index: i, Err: &daybook.Error{Code: daybook.CodeInvalid, Message: "no"}}}}
		}
	}
	return p.memory.RecordBatch(ctx, org, es)
}

// TestTryRecord: it is recorded behind the call, refused when there is no room, and lost when nobody takes it in the end.
func TestTryRecord(t *testing.T) {
	t.Parallel()
	m := &memory{}
	c := newClerk(t, m, daybook.ClerkOptions{Org: "acme", MaxQueueBytes: 1000})
	if err := c.TryRecord(t.Context(), daybook.Event{Action: "a.b"}); !errors.Is(err, daybook.ErrNoActor) {
		t.Errorf("nobody: %v", err)
	}
	if err := c.TryRecord(t.Context(), daybook.Event{Action: "a.0", Actor: ada}); err != nil {
		t.Fatal(err)
	}
	closeClerk(t, c, 0, 0)
	if diff := cmp.Diff([]string{"a.0"}, m.actions()); diff != "" {
		t.Error(diff)
	}
	if err := c.TryRecord(t.Context(), daybook.Event{Action: "a.b", Actor: ada}); !errors.Is(err, daybook.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	m.fail(errors.New("down"))
	c = newClerk(t, m, daybook.ClerkOptions{Org: "acme", MaxQueueBytes: 1000})
	n := 0
	for c.TryRecord(t.Context(), daybook.Event{Action: "a.b", Actor: ada}) == nil {
		n++
	}
	if err := c.TryRecord(t.Context(), daybook.Event{Action: "a.b", Actor: ada}); !errors.Is(err, daybook.ErrQueueFull) || c.Stats().Full != 2 || n == 0 {
		t.Errorf("%d taken, %v, stats %+v", n, err, c.Stats())
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if kept, lost, err := c.Close(ended); kept != 0 || lost != n || err != nil || c.Stats().Lost != int64(n) {
		t.Errorf("kept %d, lost %d of %d: %v", kept, lost, n, err)
	}
}

// TestClerk_interrupted: when recording works again the log says how much it missed.
func TestClerk_interrupted(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	m := &memory{err: errors.New("down")}
	c := newClerk(t, m, daybook.ClerkOptions{Org: "acme", Now: func() time.Time { return now }, Failure: []daybook.FailureRule{{Action: "*", Policy: daybook.FailOpen}}})
	for range 3 {
		now = now.Add(time.Second)
		if _, err := c.Record(t.Context(), daybook.Event{Action: "a.b", Actor: ada}); err != nil {
			t.Fatal(err)
		}
	}
	m.fail(nil)
	for range 2 {
		if _, err := c.Record(t.Context(), daybook.Event{Action: "a.b", Actor: ada}); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"a.b", "recording.interrupted", "a.b"}, m.actions()); diff != "" {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
	want := `{"lost":3,"first_at":"2026-01-02T03:04:06.000000Z","last_at":"2026-01-02T03:04:08.000000Z"}`
	if got := string(m.events[1].Metadata); got != want {
		t.Errorf("metadata %s", got)
	}
}

// TestNewClerk_spool: what cannot be a spool is refused at the start.
func TestNewClerk_spool(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]daybook.ClerkOptions{
		"a file":   {Spool: file},
		"no spool": {Failure: []daybook.FailureRule{{Action: "*", Policy: daybook.FailSpool}}},
	} {
		if _, err := daybook.NewClerk(&memory{}, o); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if _, err := newClerk(t, &memory{}, daybook.ClerkOptions{Org: "acme"}).RecordAsync(t.Context(), daybook.Event{Action: "a.b", Actor: ada}); err == nil {
		t.Error("RecordAsync without a spool")
	}
}
