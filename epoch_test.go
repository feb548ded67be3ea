package daybook_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/storetest"
)

var by = daybook.Party{Type: "user", ID: "usr_9"}

func logInfo(t testing.TB, b *daybook.Book, org daybook.OrgID) daybook.LogInfo {
	t.Helper()
	info, err := b.LogInfo(t.Context(), org)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// signers returns which of vkeys signed a note, by their places.
func signers(t testing.TB, text []byte, vkeys ...string) (held []int) {
	t.Helper()
	for i, vkey := range vkeys {
		v, err := note.NewVerifier(vkey)
		if err != nil {
			t.Fatal(err)
		}
		var unverified *note.UnverifiedNoteError
		switch _, err := note.Open(text, note.VerifierList(v)); {
		case err == nil:
			held = append(held, i)
		case !errors.As(err, &unverified):
			t.Fatalf("%v\n%s", err, text)
		}
	}
	return held
}

func TestRotateKey(t *testing.T) {
	t.Parallel()
	s, marks, now := storetest.Memory(), storetest.Marks(), newClock()
	b := open(t, s, signing(marks, now))
	var ended []daybook.Vkey
	record(t, b, "org_a", daybook.Request{Events: texts(0, 3)})
	first := logInfo(t, b, "org_a").Keys[0]
	if held := signers(t, checkpoint(t, b, "org_a").Note, first.Vkey); len(held) != 1 {
		t.Fatal("the first key did not sign")
	}
	added, err := b.RotateKey(t.Context(), "org_a", by)
	if err != nil {
		t.Fatal(err)
	}
	if added.Generation != 2 || added.Seq != 3 || added.Vkey == first.Vkey || added.State != daybook.KeyCurrent {
		t.Errorf("added %+v", added)
	}
	stored, err := b.CheckpointAt(t.Context(), "org_a", 4)
	if err != nil {
		t.Fatalf("the key entry was not signed at once: %v", err)
	}
	if held := signers(t, stored.Note, first.Vkey, added.Vkey); !slices.Equal(held, []int{0, 1}) {
		t.Errorf("signed by %v of the two keys:\n%s", held, stored.Note)
	}
	var rule *daybook.Error
	if _, err := b.RotateKey(t.Context(), "org_a", by); !errors.As(err, &rule) || rule.Code != daybook.CodeConflict || rule.Rule != "key_rotation" {
		t.Errorf("a second rotation during the first: %v", err)
	}
	e, err := b.EntryAt(t.Context(), "org_a", 3)
	if err != nil || !strings.HasPrefix(string(e.Payload), `{"op":"key","state":"added","generation":2,"vkey":"`+added.Vkey+`","by":{"type":"user","id":"usr_9"}`) {
		t.Errorf("the entry is %s, %v", e.Payload, err)
	}
	// The state of the keys is that of the log's entries, whether they lie in the tail or in blocks, after a restart too.
	states := func(b *daybook.Book) (out []string) {
		for _, k := range logInfo(t, b, "org_a").Keys {
			out = append(out, k.State)
		}
		return out
	}
	for range 2 {
		if got := states(b); !slices.Equal(got, []string{daybook.KeyRetiring, daybook.KeyCurrent}) {
			t.Errorf("keys are %v", got)
		}
		if err := b.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		s = s.Reopen()
		o := signing(marks, now)
		o.Metrics = &daybook.Metrics{Retire: func(org daybook.OrgID, key daybook.Vkey) {
			if org != "org_a" {
				t.Errorf("a key of %s was retired", org)
			}
			ended = append(ended, key)
		}}
		b = open(t, s, o)
	}
	now.move(31 * 24 * time.Hour)
	record(t, b, "org_a", daybook.Request{Events: texts(3, 1)})
	last := checkpoint(t, b, "org_a")
	if held := signers(t, last.Note, first.Vkey, added.Vkey); !slices.Equal(held, []int{1}) {
		t.Errorf("after the overlap signed by %v", held)
	}
	if e, err := b.EntryAt(t.Context(), "org_a", 5); err != nil || !strings.Contains(string(e.Payload), `"state":"retired","generation":1,"vkey":"`+first.Vkey+`"`) {
		t.Errorf("the entry is %s, %v", e.Payload, err)
	}
	if got := states(b); last.Size != 6 || !slices.Equal(got, []string{daybook.KeyRetired, daybook.KeyCurrent}) {
		t.Errorf("size %d, keys are %v", last.Size, got)
	}
	if want := []daybook.Vkey{{Vkey: first.Vkey, Generation: 1, State: daybook.KeyRetired, Seq: 5}}; !slices.Equal(ended, want) {
		t.Errorf("told of %+v", ended)
	}
	if third, err := b.RotateKey(t.Context(), "org_a", by); err != nil || third.Generation != 3 {
		t.Errorf("the next rotation: %+v, %v", third, err)
	}
	verify(t, s)
}

// A log that was signed with keys from another master key is not signed, and goes on being recorded in.
func TestCheckpoint_otherMaster(t *testing.T) {
	t.Parallel()
	s, marks, now := storetest.Memory(), storetest.Marks(), newClock()
	b := open(t, s, signing(marks, now))
	record(t, b, "org_a", daybook.Request{Events: texts(0, 3)})
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	o := signing(marks, now)
	o.MasterKey = bytes.Repeat([]byte{8}, 32)
	b = open(t, s.Reopen(), o)
	record(t, b, "org_a", daybook.Request{Events: texts(3, 1)})
	var rule *daybook.Error
	if _, err := b.Checkpoint(t.Context(), "org_a"); !errors.As(err, &rule) || rule.Rule != "master_key" {
		t.Errorf("got %v", err)
	}
	record(t, b, "org_b", daybook.Request{Events: texts(3, 1)})
	checkpoint(t, b, "org_b")
}

func TestNewEpoch(t *testing.T) {
	t.Parallel()
	type epochEntry struct {
		Op, Cause, Reason, Vkey, Lost string
		Epoch                         int
		PrevCheckpoint                string `json:"prev_checkpoint"`
		Prev                          struct {
			Origin, Vkey string
			Size         int64
			Root         tlog.Hash
		}
		By daybook.Party
	}
	first := func(t *testing.T, b *daybook.Book) (e epochEntry) {
		t.Helper()
		entry, err := b.EntryAt(t.Context(), "org_a", 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(entry.Payload, &e); err != nil {
			t.Fatal(err)
		}
		return e
	}
	// rolledBack is a book whose org_a has five entries of the eight that were signed.
	rolledBack := func(t *testing.T, now *clock) (*storetest.MemoryStore, *storetest.MemoryMarks, daybook.LogInfo, daybook.Checkpoint, *daybook.Book) {
		t.Helper()
		s, marks := storetest.Memory(), storetest.Marks()
		b := open(t, s, signing(marks, now))
		record(t, b, "org_a", daybook.Request{Events: texts(0, 5)})
		checkpoint(t, b, "org_a")
		older := s.Copy()
		record(t, b, "org_a", daybook.Request{Events: texts(5, 3)})
		record(t, b, "org_b", daybook.Request{Events: texts(0, 1)})
		c, info := checkpoint(t, b, "org_a"), logInfo(t, b, "org_a")
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		now.move(time.Minute)
		return older, marks, info, c, open(t, older, signing(marks, now))
	}
	t.Run("after a rollback says where the last epoch ended and what was lost", func(t *testing.T) {
		t.Parallel()
		now := newClock()
		s, marks, old, signed, b := rolledBack(t, now)
		frozen, err := b.FrozenLogs(t.Context())
		if err != nil || len(frozen) != 1 || frozen[0].Org != "org_a" || daybook.CodeOf(errors.Unwrap(frozen[0].Err)) != daybook.CodeTampered {
			t.Fatalf("frozen: %+v, %v", frozen, err)
		}
		info, err := b.NewEpoch(t.Context(), daybook.EpochRequest{Org: "org_a", Cause: daybook.CauseRestore, Reason: "disk failure", By: by})
		if err != nil {
			t.Fatal(err)
		}
		if info.Epoch != 1 || info.Size != 1 || info.SignedSize != 1 || info.State != daybook.LogOpen || info.Origin == old.Origin || info.Keys[0].Vkey == old.Keys[0].Vkey {
			t.Errorf("the new log: %+v", info)
		}
		e := first(t, b)
		if e.Op != "epoch" || e.Epoch != 1 || e.Cause != "restore" || e.Reason != "disk failure" || e.Vkey != info.Keys[0].Vkey || e.Lost != "5-7" || e.By != by {
			t.Errorf("entry 0: %+v", e)
		}
		if e.Prev.Origin != old.Origin || e.Prev.Vkey != old.Keys[0].Vkey || e.Prev.Size != 5 || e.PrevCheckpoint != string(signed.Note) {
			t.Errorf("entry 0 of the last epoch: %+v\n%s", e.Prev, signed.Note)
		}
		record(t, b, "org_a", daybook.Request{Events: texts(8, 2)})
		c := checkpoint(t, b, "org_a")
		if held := signers(t, c.Note, info.Keys[0].Vkey, old.Keys[0].Vkey); !slices.Equal(held, []int{0, 1}) || c.Size != 3 || c.Epoch != 1 {
			t.Errorf("signed by %v of both epochs, %+v\n%s", held, c, c.Note)
		}
		if frozen, err := b.FrozenLogs(t.Context()); err != nil || len(frozen) != 0 {
			t.Errorf("frozen still: %+v, %v", frozen, err)
		}
		now.move(31 * 24 * time.Hour)
		if held := signers(t, checkpoint(t, b, "org_a").Note, info.Keys[0].Vkey, old.Keys[0].Vkey); !slices.Equal(held, []int{0}) {
			t.Errorf("after 30 days signed by %v", held)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		s = s.Reopen()
		verify(t, s)
		b = open(t, s, signing(marks, now))
		record(t, b, "org_a", daybook.Request{Events: texts(10, 2)})
		if c := checkpoint(t, b, "org_a"); c.Size != 5 || c.Epoch != 1 {
			t.Errorf("after a restart: %+v", c)
		}
	})
	t.Run("of a healthy log loses nothing", func(t *testing.T) {
		t.Parallel()
		b := open(t, storetest.Memory(), signing(storetest.Marks(), newClock()))
		record(t, b, "org_a", daybook.Request{Events: texts(0, 4)})
		c, old := checkpoint(t, b, "org_a"), logInfo(t, b, "org_a")
		info, err := b.NewEpoch(t.Context(), daybook.EpochRequest{Org: "org_a", Cause: daybook.CauseKeyCompromise, By: by})
		if err != nil {
			t.Fatal(err)
		}
		if e := first(t, b); e.Lost != "" || e.Prev.Size != 4 || e.Prev.Root != c.Root || e.PrevCheckpoint != string(c.Note) {
			t.Errorf("entry 0: %+v", e)
		}
		if held := signers(t, checkpoint(t, b, "org_a").Note, info.Keys[0].Vkey, old.Keys[0].Vkey); !slices.Equal(held, []int{0}) {
			t.Errorf("after a key compromise signed by %v of both epochs", held)
		}
	})
	t.Run("with a new master key still names the last checkpoint", func(t *testing.T) {
		t.Parallel()
		s, marks, now := storetest.Memory(), storetest.Marks(), newClock()
		b := open(t, s, signing(marks, now))
		record(t, b, "org_a", daybook.Request{Events: texts(0, 4)})
		c := checkpoint(t, b, "org_a")
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		o := signing(marks, now)
		o.MasterKey = bytes.Repeat([]byte{8}, 32)
		b = open(t, s.Reopen(), o)
		if _, err := b.NewEpoch(t.Context(), daybook.EpochRequest{Org: "org_a", Cause: daybook.CauseKeyCompromise, By: by}); err != nil {
			t.Fatal(err)
		}
		if e := first(t, b); e.Prev.Vkey != "" || e.PrevCheckpoint != string(c.Note) {
			t.Errorf("entry 0: %+v", e)
		}
	})
	t.Run("is refused without a known cause or log", func(t *testing.T) {
		t.Parallel()
		b := open(t, storetest.Memory(), signing(storetest.Marks(), newClock()))
		if _, err := b.NewEpoch(t.Context(), daybook.EpochRequest{Org: "org_a", Cause: daybook.CauseRestore}); daybook.CodeOf(err) != daybook.CodeNotFound {
			t.Errorf("no such org: %v", err)
		}
		if _, err := b.NewEpoch(t.Context(), daybook.EpochRequest{Org: "org_a", Cause: "mood"}); daybook.CodeOf(err) != daybook.CodeInvalid {
			t.Errorf("no such cause: %v", err)
		}
	})
	for _, step := range []storetest.Step{storetest.StepEpoch, storetest.StepAppend, storetest.StepPutNote} {
		for _, fault := range storetest.Faults() {
			t.Run("is finished by the next call after: "+string(step)+" "+fault.String(), func(t *testing.T) {
				t.Parallel()
				now := newClock()
				s, marks, _, _, b := rolledBack(t, now)
				if err := b.Close(); err != nil {
					t.Fatal(err)
				}
				s = s.Reopen()
				o := signing(marks, now)
				o.CommitTimeout = 10 * time.Second
				faulty := storetest.Faulty(s, storetest.Once(step, 1, fault))
				faulty.Delay = time.Millisecond
				b = open(t, faulty, o)
				request := daybook.EpochRequest{Org: "org_a", Cause: daybook.CauseRestore, By: by}
				_, err := b.NewEpoch(t.Context(), request)
				if faulty.Hits() == 0 {
					t.Fatal("nothing went wrong: nothing was tested")
				}
				if err != nil { // a restart in between: what is half done takes nothing
					if err := b.Close(); err != nil {
						t.Fatal(err)
					}
					s = s.Reopen()
					b = open(t, s, signing(marks, now))
					_, recordErr := b.RecordJSON(t.Context(), "org_a", daybook.Request{Events: texts(20, 1)})
					if info := logInfo(t, b, "org_a"); info.Size == 0 || info.Epoch == 0 {
						if daybook.CodeOf(recordErr) != daybook.CodeUnavailable {
							t.Errorf("recorded in epoch %d: %v", info.Epoch, recordErr)
						}
						if frozen, err := b.FrozenLogs(t.Context()); err != nil || len(frozen) != 1 {
							t.Errorf("frozen: %+v, %v", frozen, err)
						}
						if _, err := b.NewEpoch(t.Context(), request); err != nil {
							t.Fatal(err)
						}
					}
				}
				record(t, b, "org_a", daybook.Request{Events: texts(30, 1)})
				if e := first(t, b); e.Op != "epoch" || e.Epoch != 1 || e.Lost != "5-7" || e.Prev.Size != 5 {
					t.Errorf("entry 0: %+v", e)
				}
				if err := b.Close(); err != nil {
					t.Fatal(err)
				}
				verify(t, s.Reopen())
			})
		}
	}
}

func TestTrustDatabase(t *testing.T) {
	t.Parallel()
	s, marks, now := storetest.Memory(), storetest.Marks(), newClock()
	b := open(t, s, signing(marks, now))
	record(t, b, "org_a", daybook.Request{Events: texts(0, 5)})
	c := checkpoint(t, b, "org_a")
	record(t, b, "org_a", daybook.Request{Events: texts(5, 1)})
	older := s.Copy()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	var rule *daybook.Error
	b = open(t, older.Copy(), signing(marks, now))
	if err := b.TrustDatabase(t.Context(), "org_a"); !errors.As(err, &rule) || rule.Code != daybook.CodeConflict || rule.Rule != "high_water" {
		t.Errorf("a log that contradicts its mark was trusted: %v", err)
	}
	lost := storetest.Marks()
	b = open(t, older, signing(lost, now))
	if _, err := b.RecordJSON(t.Context(), "org_a", daybook.Request{Events: texts(9, 1)}); daybook.CodeOf(err) != daybook.CodeUnavailable {
		t.Fatalf("recorded without a mark: %v", err)
	}
	if err := b.TrustDatabase(t.Context(), "org_a"); err != nil {
		t.Fatal(err)
	}
	if m, ok, err := lost.Mark(t.Context(), logInfo(t, b, "org_a").Origin); err != nil || !ok || m.Size != 5 || m.Root != c.Root {
		t.Errorf("the mark is %+v, %v, %v", m, ok, err)
	}
	record(t, b, "org_a", daybook.Request{Events: texts(9, 1)})
	if c := checkpoint(t, b, "org_a"); c.Size != 7 {
		t.Errorf("signed %+v", c)
	}
}
