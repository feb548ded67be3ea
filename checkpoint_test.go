package daybook_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/storetest"
)

// signing are options with which checkpoints are signed. The background signs when a test closes the book, not before.
func signing(marks daybook.HighWater, c *clock) daybook.Options {
	return daybook.Options{
		Now: c.now, Origin: "audit.example.com", MasterKey: bytes.Repeat([]byte{7}, 32), HighWater: marks, SignEvery: 5 * time.Minute,
	}
}

func checkpoint(t testing.TB, b *daybook.Book, org daybook.OrgID) daybook.Checkpoint {
	t.Helper()
	c, err := b.Checkpoint(t.Context(), org)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// openNote opens a checkpoint's note with the log's key and returns its text and the number of signatures that hold and that are not known.
func openNote(t testing.TB, b *daybook.Book, c daybook.Checkpoint) (text string, held, unknown int) {
	t.Helper()
	info, err := b.LogInfo(t.Context(), c.Org)
	if err != nil {
		t.Fatal(err)
	}
	var verifiers []note.Verifier
	for _, k := range info.Keys {
		v, err := note.NewVerifier(k.Vkey)
		if err != nil {
			t.Fatal(err)
		}
		verifiers = append(verifiers, v)
	}
	n, err := note.Open(c.Note, note.VerifierList(verifiers...))
	if err != nil {
		t.Fatalf("%v:\n%s", err, c.Note)
	}
	return n.Text, len(n.Sigs), len(n.UnverifiedSigs)
}

func TestCheckpoint(t *testing.T) {
	t.Parallel()
	t.Run("is signed by the log's key and the clock, and names origin, size and root", func(t *testing.T) {
		t.Parallel()
		b := open(t, storetest.Memory(), signing(storetest.Marks(), newClock()))
		record(t, b, "org_a", daybook.Request{Events: texts(0, 5)})
		c := checkpoint(t, b, "org_a")
		text, held, unknown := openNote(t, b, c)
		info, err := b.LogInfo(t.Context(), "org_a")
		if err != nil {
			t.Fatal(err)
		}
		want := info.Origin + "\n5\n" + base64Of(info.Root) + "\n"
		if text != want || held != 1 || unknown != 1 || c.Size != 5 || c.Root != info.Root || c.Org != "org_a" || info.SignedSize != 5 {
			t.Errorf("text %q with %d and %d signatures, want %q; %+v; %+v", text, held, unknown, want, c, info)
		}
		if !strings.HasPrefix(info.Origin, "audit.example.com/o/") || !strings.Contains(string(c.Note), "\n— audit.example.com/clock ") {
			t.Errorf("origin %s, note\n%s", info.Origin, c.Note)
		}
		if want := time.Date(2026, 11, 1, 8, 0, 1, 0, time.UTC); !c.At.Equal(want) {
			t.Errorf("signed at %s, not %s", c.At, want)
		}
	})
	t.Run("is that of an empty log", func(t *testing.T) {
		t.Parallel()
		b := open(t, storetest.Memory(), signing(storetest.Marks(), newClock()))
		if err := b.CreateLog(t.Context(), "org_a"); err != nil {
			t.Fatal(err)
		}
		c := checkpoint(t, b, "org_a")
		if text, _, _ := openNote(t, b, c); !strings.HasSuffix(text, "\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n") {
			t.Errorf("got %q", text)
		}
	})
	t.Run("is signed again only for a larger log, or when the interval is over", func(t *testing.T) {
		t.Parallel()
		now, marks := newClock(), storetest.Marks()
		b := open(t, storetest.Memory(), signing(marks, now))
		record(t, b, "org_a", daybook.Request{Events: texts(0, 3)})
		first := checkpoint(t, b, "org_a")
		now.move(4 * time.Minute)
		if again := checkpoint(t, b, "org_a"); !bytes.Equal(again.Note, first.Note) {
			t.Errorf("signed again within the interval:\n%s\n%s", first.Note, again.Note)
		}
		now.move(2 * time.Minute)
		later := checkpoint(t, b, "org_a")
		if later.Size != 3 || later.Root != first.Root || !later.At.After(first.At) {
			t.Errorf("after the interval: %+v", later)
		}
		stored, err := b.CheckpointAt(t.Context(), "org_a", 3)
		if err != nil || !bytes.Equal(stored.Note, first.Note) {
			t.Errorf("the stored one is not the first: %v\n%s", err, stored.Note)
		}
		record(t, b, "org_a", daybook.Request{Events: texts(3, 1)})
		if c := checkpoint(t, b, "org_a"); c.Size != 4 {
			t.Errorf("after one more entry: size %d", c.Size)
		}
		if _, err := b.CheckpointAt(t.Context(), "org_a", 2); !errors.Is(err, daybook.ErrNotExist) || daybook.CodeOf(err) != daybook.CodeNotFound {
			t.Errorf("a size that was never signed: %v", err)
		}
	})
	t.Run("its time bounds every entry on both sides, however often it is signed", func(t *testing.T) {
		t.Parallel()
		now := newClock()
		b := open(t, storetest.Memory(), signing(storetest.Marks(), now))
		begin := now.now()
		for i := range 50 {
			before := record(t, b, "org_a", daybook.Request{Events: texts(i, 1)})[0]
			c := checkpoint(t, b, "org_a")
			after := record(t, b, "org_b", daybook.Request{Events: texts(i, 1)})[0]
			if c.At.Before(before.ReceivedAt) || c.At.Sub(after.ReceivedAt) >= time.Second {
				t.Fatalf("round %d: received %s, signed %s, received %s", i, before.ReceivedAt, c.At, after.ReceivedAt)
			}
			now.move(time.Millisecond)
		}
		if c := checkpoint(t, b, "org_a"); c.At.Sub(begin) > 2*time.Second {
			t.Errorf("50 signings in 50 ms moved the clock by %s", c.At.Sub(begin))
		}
		now.move(-time.Hour)
		last := checkpoint(t, b, "org_a")
		rc := record(t, b, "org_b", daybook.Request{Events: texts(99, 1)})[0]
		if d := last.At.Sub(rc.ReceivedAt); d >= time.Second {
			t.Errorf("after the clock was set back an entry is %s older than the checkpoint before it", d)
		}
	})
	t.Run("is not there: no such org, and no signing", func(t *testing.T) {
		t.Parallel()
		b := open(t, storetest.Memory(), signing(storetest.Marks(), newClock()))
		if _, err := b.Checkpoint(t.Context(), "org_none"); daybook.CodeOf(err) != daybook.CodeNotFound {
			t.Errorf("no such org: %v", err)
		}
		off := open(t, storetest.Memory(), daybook.Options{})
		record(t, off, "org_a", daybook.Request{Events: texts(0, 1)})
		var e *daybook.Error
		if _, err := off.Checkpoint(t.Context(), "org_a"); !errors.As(err, &e) || e.Rule != "signing_off" {
			t.Errorf("no origin: %v", err)
		}
	})
	t.Run("is signed on Close for every changed log, and after the next Open", func(t *testing.T) {
		t.Parallel()
		s, marks, now := storetest.Memory(), storetest.Marks(), newClock()
		b := open(t, s, signing(marks, now))
		for _, org := range []daybook.OrgID{"org_a", "org_b", "org_c"} {
			record(t, b, org, daybook.Request{Events: texts(0, 2)})
		}
		record(t, b, "org_c", daybook.Request{Events: texts(2, 2)})
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		s = s.Reopen()
		sizes := map[daybook.LogNo]int64{}
		heads, err := s.Logs(t.Context(), 0, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range heads {
			for n, err := range s.Notes(t.Context(), h.Log, 0, 100, true) {
				if err != nil {
					t.Fatal(err)
				}
				sizes[h.Log] = max(sizes[h.Log], n.Size)
			}
		}
		if sizes[1] != 2 || sizes[2] != 2 || sizes[3] != 4 {
			t.Errorf("stored checkpoints of %v", sizes)
		}
	})
	t.Run("many at once sign once", func(t *testing.T) {
		t.Parallel()
		b := open(t, storetest.Memory(), signing(storetest.Marks(), newClock()))
		record(t, b, "org_a", daybook.Request{Events: texts(0, 3)})
		var group sync.WaitGroup
		notes := make([][]byte, 16)
		for i := range notes {
			group.Go(func() { notes[i] = checkpoint(t, b, "org_a").Note })
		}
		group.Wait()
		for _, n := range notes {
			if !bytes.Equal(n, notes[0]) {
				t.Fatalf("two notes of one head:\n%s\n%s", n, notes[0])
			}
		}
	})
}

// A control entry is signed at once, without anybody asking and before the interval is over.
func TestCheckpoint_afterControl(t *testing.T) {
	t.Parallel()
	stored := make(chan int64, 8)
	o := signing(storetest.Marks(), newClock())
	b := open(t, putNotes{storetest.Memory(), stored}, o)
	record(t, b, "org_a", daybook.Request{Events: texts(0, 3)})
	if _, err := b.RecordControls(t.Context(), "org_a", `{"op":"hold","state":"placed","hold_id":"hold_x","items":"*"}`); err != nil {
		t.Fatal(err)
	}
	for size := range stored {
		if size == 4 {
			return
		}
	}
}

// putNotes says which checkpoints were stored.
type putNotes struct {
	daybook.Store
	stored chan<- int64
}

func (p putNotes) PutNote(ctx context.Context, log daybook.LogNo, n daybook.StoredNote) error {
	err := p.Store.PutNote(ctx, log, n)
	select {
	case p.stored <- n.Size:
	default:
	}
	return err
}

// Every changed log is signed each interval, without anybody asking.
func TestCheckpoint_interval(t *testing.T) {
	t.Parallel()
	stored := make(chan int64, 8)
	o := signing(storetest.Marks(), newClock())
	o.SignEvery = time.Millisecond
	b := open(t, putNotes{storetest.Memory(), stored}, o)
	for size := int64(1); size < 4; size++ {
		record(t, b, "org_a", daybook.Request{Events: texts(int(size), 1)})
		for <-stored != size {
		}
	}
}

// TestRollback restores older copies of the database, of the high-water store, and of both.
func TestRollback(t *testing.T) {
	t.Parallel()
	type state struct {
		store *storetest.MemoryStore
		marks *storetest.MemoryMarks
	}
	// history records five entries, signs them, takes a copy, records three more and signs them.
	history := func(t *testing.T, now *clock) (older, newer state) {
		t.Helper()
		s, marks := storetest.Memory(), storetest.Marks()
		b := open(t, s, signing(marks, now))
		record(t, b, "org_a", daybook.Request{Events: texts(0, 5)})
		checkpoint(t, b, "org_a")
		older = state{s.Copy(), marks.Copy()}
		record(t, b, "org_a", daybook.Request{Events: texts(5, 3)})
		record(t, b, "org_b", daybook.Request{Events: texts(0, 1)})
		checkpoint(t, b, "org_a")
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		return older, state{s.Reopen(), marks}
	}
	frozen := func(t *testing.T, b *daybook.Book, rule string) {
		t.Helper()
		_, err := b.RecordJSON(t.Context(), "org_a", daybook.Request{Events: texts(100, 1)})
		var e *daybook.Error
		if !errors.As(err, &e) || e.Code != daybook.CodeUnavailable || e.Rule != "log_frozen" {
			t.Fatalf("recording in a log that was rolled back: %v", err)
		}
		if cause, ok := errors.AsType[*daybook.Error](e.Err); !ok || cause.Code != daybook.CodeTampered || cause.Rule != rule {
			t.Errorf("the cause is %v, not %s", e.Err, rule)
		}
		if info, err := b.Info(t.Context(), "org_a"); err != nil || info[0].State != daybook.LogFrozen || info[0].Fault == nil || info[0].Fault.Check != rule {
			t.Errorf("the log is not shown frozen: %+v, %v", info, err)
		}
		record(t, b, "org_other", daybook.Request{Events: texts(0, 1)}) // other logs go on
	}
	t.Run("old database: frozen, nothing signed, the old checkpoint served", func(t *testing.T) {
		t.Parallel()
		now := newClock()
		older, newer := history(t, now)
		b := open(t, older.store, signing(newer.marks, now))
		frozen(t, b, "rollback")
		now.move(time.Hour)
		if c := checkpoint(t, b, "org_a"); c.Size != 5 || c.At.After(now.now().Add(-time.Minute)) {
			t.Errorf("served %+v", c)
		}
	})
	t.Run("old database that was appended to before anybody looked: fork", func(t *testing.T) {
		t.Parallel()
		now := newClock()
		older, newer := history(t, now)
		elsewhere := open(t, older.store, daybook.Options{Now: now.now})
		record(t, elsewhere, "org_a", daybook.Request{Events: texts(50, 4)})
		if err := elsewhere.Close(); err != nil {
			t.Fatal(err)
		}
		frozen(t, open(t, older.store.Reopen(), signing(newer.marks, now)), "fork")
	})
	t.Run("old database that was appended to, to the same size: fork", func(t *testing.T) {
		t.Parallel()
		now := newClock()
		older, newer := history(t, now)
		elsewhere := open(t, older.store, daybook.Options{Now: now.now})
		record(t, elsewhere, "org_a", daybook.Request{Events: texts(50, 3)})
		if err := elsewhere.Close(); err != nil {
			t.Fatal(err)
		}
		frozen(t, open(t, older.store.Reopen(), signing(newer.marks, now)), "fork")
	})
	t.Run("no high-water store: frozen", func(t *testing.T) {
		t.Parallel()
		now := newClock()
		_, newer := history(t, now)
		frozen(t, open(t, newer.store, signing(storetest.Marks(), now)), "rollback")
	})
	t.Run("old high-water store: it is raised again", func(t *testing.T) {
		t.Parallel()
		now := newClock()
		older, newer := history(t, now)
		b := open(t, newer.store, signing(older.marks, now))
		record(t, b, "org_a", daybook.Request{Events: texts(100, 1)})
		c := checkpoint(t, b, "org_a")
		info, err := b.LogInfo(t.Context(), "org_a")
		if err != nil {
			t.Fatal(err)
		}
		if m, ok, err := older.marks.Mark(t.Context(), info.Origin); c.Size != 9 || err != nil || !ok || m.Size != 9 || m.Root != c.Root {
			t.Errorf("checkpoint %+v, mark %+v, %v", c, m, err)
		}
	})
	t.Run("both old: nothing local can know", func(t *testing.T) {
		t.Parallel()
		now := newClock()
		older, _ := history(t, now)
		b := open(t, older.store, signing(older.marks, now))
		record(t, b, "org_a", daybook.Request{Events: texts(100, 1)})
		if c := checkpoint(t, b, "org_a"); c.Size != 6 {
			t.Errorf("checkpoint %+v", c)
		}
	})
	t.Run("the log is found frozen although nobody writes to it", func(t *testing.T) {
		t.Parallel()
		now := newClock()
		older, newer := history(t, now)
		found := make(chan daybook.OrgID, 1)
		o := signing(newer.marks, now)
		o.Metrics = &daybook.Metrics{Freeze: func(org daybook.OrgID, _ error) { found <- org }}
		open(t, older.store, o)
		if org := <-found; org != "org_a" {
			t.Errorf("frozen: %s", org)
		}
	})
	t.Run("a stored checkpoint that is not of this log freezes it", func(t *testing.T) {
		t.Parallel()
		now := newClock()
		s, marks := storetest.Memory(), storetest.Marks()
		b := open(t, s, signing(marks, now))
		record(t, b, "org_a", daybook.Request{Events: texts(0, 5)})
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		s = s.Reopen()
		n := daybook.StoredNote{Size: 3, At: now.micros.Load(), Note: []byte("audit.example.com/o/x\n3\n" + base64Of(tlog.Hash{1}) + "\n\n— x y\n")}
		s.DropNotes(1)
		if err := s.PutNote(t.Context(), 1, n); err != nil {
			t.Fatal(err)
		}
		frozen(t, open(t, s, signing(marks, now)), "fork")
	})
}

// TestCheckpoint_faults lets every step of signing go wrong in every way: what is given out is always an extension of what was given out
// before, and what is signed last covers everything.
func TestCheckpoint_faults(t *testing.T) {
	t.Parallel()
	for _, step := range []storetest.Step{storetest.StepNotes, storetest.StepPutNote, storetest.StepAppend, storetest.StepTail} {
		for _, fault := range storetest.Faults() {
			for n := 1; n <= 3; n++ {
				t.Run(string(step)+" "+fault.String(), func(t *testing.T) {
					t.Parallel()
					now, marks := newClock(), storetest.Marks()
					memory := storetest.Memory()
					faulty := storetest.Faulty(memory, storetest.Once(step, n, fault))
					faulty.Delay = time.Millisecond
					o := signing(marks, now)
					o.CommitTimeout = 10 * time.Second
					b, err := daybook.Open(t.Context(), faulty, o)
					if err != nil {
						b, err = daybook.Open(t.Context(), faulty, o)
					}
					if err != nil {
						t.Fatal(err)
					}
					var given []daybook.Checkpoint
					for i := range 5 {
						_, err := b.RecordJSON(t.Context(), "org_a", daybook.Request{Events: texts(i, 3)})
						if err != nil {
							continue
						}
						if c, err := b.Checkpoint(t.Context(), "org_a"); err == nil {
							given = append(given, c)
						}
						now.move(time.Second)
					}
					if len(given) < 3 {
						t.Errorf("one fault, and only %d checkpoints", len(given))
					}
					if err := b.Close(); err != nil {
						t.Fatal(err)
					}
					again := open(t, memory.Reopen(), signing(marks, now))
					last := checkpoint(t, again, "org_a")
					for _, c := range given {
						if stored, err := again.CheckpointAt(t.Context(), "org_a", c.Size); err != nil || stored.Root != c.Root {
							t.Errorf("size %d was given out and is not stored: %v", c.Size, err)
						}
						proof, err := again.Consistency(t.Context(), "org_a", c.Size, last.Size)
						if err != nil {
							t.Fatal(err)
						}
						if err := tlog.CheckTree(proof, last.Size, last.Root, c.Size, c.Root); err != nil {
							t.Errorf("size %d is not the beginning of size %d: %v", c.Size, last.Size, err)
						}
					}
				})
			}
		}
	}
}

func base64Of(h tlog.Hash) string { return base64.StdEncoding.EncodeToString(h[:]) }
