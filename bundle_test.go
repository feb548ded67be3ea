package daybook_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/storetest"
	offline "github.com/daybook-audit/daybook/verify"
)

// evidenced is a book that signs, with the keys that its reader has pinned.
type evidenced struct {
	*daybook.Book
	*clock
	*writer
	info daybook.LogInfo
}

func newEvidenced(t testing.TB, seed uint64) *evidenced {
	t.Helper()
	c := newClock()
	o := signing(storetest.Marks(), c)
	o.SearchTime = time.Hour
	b := open(t, storetest.Memory(), o)
	if err := b.CreateLog(t.Context(), "org_a"); err != nil {
		t.Fatal(err)
	}
	info, err := b.LogInfo(t.Context(), "org_a")
	if err != nil {
		t.Fatal(err)
	}
	return &evidenced{b, c, newWriter(seed), info}
}

// add records n events of every form, and the clock goes on.
func (e *evidenced) add(t testing.TB, n int) {
	t.Helper()
	e.record(t, e.Book, "org_a", n)
	e.move(time.Second)
}

func (e *evidenced) bundle(t testing.TB, q daybook.BundleQuery) (string, daybook.BundleStat) {
	t.Helper()
	q.Org = "org_a"
	var out bytes.Buffer
	stat, err := e.WriteBundle(t.Context(), &out, q)
	if err != nil {
		t.Fatal(err)
	}
	if stat.Bytes != int64(out.Len()) || stat.Lines != int64(strings.Count(out.String(), "\n")) || stat.Shown+stat.Leaves+stat.Hidden != stat.End-stat.First {
		t.Fatalf("%+v of %d bytes", stat, out.Len())
	}
	return out.String(), stat
}

func pinned(t testing.TB, vkeys ...string) (keys []offline.Key) {
	t.Helper()
	for _, v := range vkeys {
		k, err := offline.ParseKey(v)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	return keys
}

// accepted fails unless package verify proves the bundle with pinned keys.
func (e *evidenced) accepted(t testing.TB, text string) *offline.Report {
	t.Helper()
	r := offline.Bundle(strings.NewReader(text), offline.Options{Keys: pinned(t, e.info.Keys[0].Vkey, e.info.ClockVkey)})
	if r.Exit() != 0 {
		t.Fatalf("exit %d: %v\n%s", r.Exit(), r.Findings, text[:min(len(text), 4000)])
	}
	return r
}

// acceptedOutside fails unless the verifier in Python proves the bundle.
func (e *evidenced) acceptedOutside(t *testing.T, text string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bundle.daybook")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "python3", "docs/verify/verify.py", path, "--vkey", e.info.Keys[0].Vkey).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, text[:min(len(text), 4000)])
	}
}

func TestWriteBundle(t *testing.T) {
	t.Parallel()
	t.Run("a whole log is accepted by both verifiers, whatever lies in blocks", func(t *testing.T) {
		t.Parallel()
		e := newEvidenced(t, 1)
		e.add(t, 700)
		if err := e.MergeTail(t.Context()); err != nil {
			t.Fatal(err)
		}
		e.add(t, 100)
		text, stat := e.bundle(t, daybook.BundleQuery{Info: json.RawMessage(`{ "organization" : "org_a\" " , "n":[ ] }`)})
		if stat.Size != 800 || stat.Shown != 800 || stat.End != 800 {
			t.Errorf("%+v", stat)
		}
		if !strings.Contains(text, `"info":{"organization":"org_a\" ","n":[]}`) {
			t.Errorf("info is not as it was given: %s", text[:800])
		}
		if r := e.accepted(t, text); r.Entries != 800 || r.Size != 800 || r.Signed.IsZero() || r.Filtered || r.Masked {
			t.Errorf("%+v", r)
		}
		e.acceptedOutside(t, text)
	})
	t.Run("white space in payloads is dropped, and no token is changed", func(t *testing.T) {
		t.Parallel()
		e := newEvidenced(t, 2)
		event := `{ "action" : "a.b" , "actor" : {"type":"user","id":"u \" 1"},"metadata":{"n":1.10,"big":9007199254740993,"s":"d\u00e9j\u00e0 \\ vu\/","e":[ ]}}`
		record(t, e.Book, "org_a", daybook.Request{Events: [][]byte{[]byte(event)}})
		text, _ := e.bundle(t, daybook.BundleQuery{})
		want := `"payload":{"action":"a.b","actor":{"type":"user","id":"u \" 1"},"metadata":{"n":1.10,"big":9007199254740993,"s":"d\u00e9j\u00e0 \\ vu\/","e":[]}}`
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
		e.accepted(t, text)
		e.acceptedOutside(t, text)
	})
	t.Run("a range links the checkpoint at its start and those asked for", func(t *testing.T) {
		t.Parallel()
		e := newEvidenced(t, 3)
		var notes []daybook.Checkpoint
		for range 4 {
			e.add(t, 30)
			notes = append(notes, checkpoint(t, e.Book, "org_a"))
		}
		text, stat := e.bundle(t, daybook.BundleQuery{First: 60, End: 100, Since: []int64{30}})
		if stat.Shown != 40 || stat.Size != 120 || strings.Count(text, `{"t":"consistency"`) != 2 {
			t.Errorf("%+v\n%s", stat, text)
		}
		e.acceptedOutside(t, text)
		for i, linked := range []bool{true, true, false, true} { // the last one is the bundle's own
			n, err := offline.ParseNote(notes[i].Note)
			if err != nil {
				t.Fatal(err)
			}
			r := offline.Bundle(strings.NewReader(text), offline.Options{Keys: pinned(t, e.info.Keys[0].Vkey), Since: n})
			if (r.Exit() == 0) != linked {
				t.Errorf("checkpoint of size %d: %v", notes[i].Size, r.Findings)
			}
		}
		if text, _ = e.bundle(t, daybook.BundleQuery{Size: 90, End: 60}); e.accepted(t, text).Size != 90 {
			t.Error("the tree is not the one that was asked for")
		}
	})
	t.Run("a filtered copy shows what a search finds, and hides the rest", func(t *testing.T) {
		t.Parallel()
		e := newEvidenced(t, 4)
		e.add(t, 5000)
		if err := e.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		e.add(t, 100)
		found := 0
		q := daybook.EventQuery{Org: "org_a", Text: "outcome:failure OR actor:usr_7", FromText: "2021-01-05", Asc: true}
		for _, err := range e.Events(t.Context(), q) {
			if err != nil {
				t.Fatal(err)
			}
			found++
		}
		text, stat := e.bundle(t, daybook.BundleQuery{Text: q.Text, FromText: q.FromText})
		if found == 0 || stat.Shown != int64(found) || !strings.Contains(text[:1000], `"filter":"(outcome:failure OR actor:usr_7) occurred:>=2021-01-05T00:00:00.000000Z"`) {
			t.Errorf("%d found, %+v\n%s", found, stat, text[:1000])
		}
		if r := e.accepted(t, text); !r.Filtered || r.Entries != int64(found) || r.Hashed != stat.Hidden {
			t.Errorf("%+v", r)
		}
		e.acceptedOutside(t, text)
	})
	t.Run("a masked copy withholds the fields and what is below them", func(t *testing.T) {
		t.Parallel()
		e := newEvidenced(t, 5)
		e.add(t, 50)
		text, _ := e.bundle(t, daybook.BundleQuery{Mask: []string{"/actor/id", "/targets", "/acti"}})
		if strings.Contains(text, "usr_") || strings.Contains(text, `"t1"`) || !strings.Contains(text, "doc.") {
			t.Errorf("%s", text)
		}
		if r := e.accepted(t, text); !r.Masked || r.Withheld == 0 {
			t.Errorf("%+v", r)
		}
		e.acceptedOutside(t, text)
	})
	t.Run("a step of a mask may be any, and the number of an element", func(t *testing.T) {
		t.Parallel()
		for _, mask := range []string{"/targets/*/id", "/targets/0/id", "/*/*/id", "/targets/*"} {
			e := newEvidenced(t, 7)
			e.add(t, 5)
			text, _ := e.bundle(t, daybook.BundleQuery{Mask: []string{mask}})
			if strings.Contains(text, `"/targets/~#0/id"`) || strings.Contains(text, `"secret"`) || !strings.Contains(text, "usr_") {
				t.Errorf("%s: %s", mask, text)
			}
			if r := e.accepted(t, text); !r.Masked || r.Withheld == 0 {
				t.Errorf("%s: %+v", mask, r)
			}
		}
		e := newEvidenced(t, 8)
		e.add(t, 5)
		for _, mask := range []string{"/targets/1/id", "/targets/*/id/*", "/target*", "/*/*/*/*", "/targets/00/id"} {
			if text, _ := e.bundle(t, daybook.BundleQuery{Mask: []string{mask}}); !strings.Contains(text, `"secret"`) {
				t.Errorf("%s withholds something: %s", mask, text)
			}
		}
	})
	t.Run("what is wrong with a question is said before a byte is written", func(t *testing.T) {
		t.Parallel()
		e := newEvidenced(t, 6)
		e.add(t, 3)
		checkpoint(t, e.Book, "org_a")
		e.add(t, 3)
		for rule, q := range map[string]daybook.BundleQuery{
			"empty_range":      {First: 2, End: 2},
			"empty_range/":     {First: 2, End: 7},
			"empty_range//":    {First: -1, End: 2},
			"empty_range///":   {Size: 3, End: 4},
			"not_found":        {Size: 2},
			"not_found/":       {Since: []int64{2}},
			"invalid_value":    {Since: []int64{-2}},
			"invalid_value/":   {Mask: []string{"actor"}},
			"invalid_value//":  {Info: json.RawMessage(`[]`)},
			"invalid_value///": {Info: json.RawMessage(`{"a":1,"a":2}`)},
			"query_invalid":    {Text: "actr:7"},
		} {
			q.Org = "org_a"
			var out bytes.Buffer
			_, err := e.WriteBundle(t.Context(), &out, q)
			coded, ok := errors.AsType[*daybook.Error](err)
			if !ok || coded.RuleName() != strings.TrimRight(rule, "/") || out.Len() > 0 {
				t.Errorf("%s: %v, %d bytes", rule, err, out.Len())
			}
		}
		if _, err := e.WriteBundle(t.Context(), &bytes.Buffer{}, daybook.BundleQuery{Org: "org_none"}); daybook.CodeOf(err) != daybook.CodeNotFound {
			t.Errorf("of an org that is not there: %v", err)
		}
	})
	t.Run("a reader that breaks off ends it", func(t *testing.T) {
		t.Parallel()
		e := newEvidenced(t, 7)
		e.add(t, 2000)
		if _, err := e.WriteBundle(t.Context(), &full{left: 100_000}, daybook.BundleQuery{Org: "org_a"}); !errors.Is(err, errFull) {
			t.Errorf("%v", err)
		}
	})
}

var errFull = errors.New("full")

// full is a writer that takes so many bytes.
type full struct{ left int }

func (f *full) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestBundleAfterErasure(t *testing.T) {
	t.Parallel()
	erase := func(t *testing.T, e *evidenced, r daybook.EraseRequest) {
		t.Helper()
		r.Org, r.Reason, r.By = "org_a", "request", daybook.Party{Type: "user", ID: "usr_9"}
		if _, err := e.Erase(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		e.move(time.Second)
		if err := e.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("what is missing is explained, in the range and from outside", func(t *testing.T) {
		t.Parallel()
		e := newEvidenced(t, 8)
		e.add(t, 600)
		hold, err := e.PlaceHold(t.Context(), daybook.HoldRequest{Org: "org_a", Text: "actor:usr_3", Reason: "litigation", By: daybook.Party{Type: "user", ID: "usr_9"}})
		if err != nil {
			t.Fatal(err)
		}
		e.add(t, 20)
		if _, err := e.ReleaseHold(t.Context(), "org_a", hold.ID, "closed", daybook.Party{Type: "user", ID: "usr_9"}); err != nil {
			t.Fatal(err)
		}
		erase(t, e, daybook.EraseRequest{Text: "actor:usr_3", Paths: []string{"/actor/id"}})
		e.add(t, 10)
		erase(t, e, daybook.EraseRequest{Text: "outcome:denied", Whole: true})
		text, stat := e.bundle(t, daybook.BundleQuery{})
		if stat.Leaves == 0 || strings.Contains(text, `"denied"`) || strings.Contains(text, `"usr_3"`) || !strings.Contains(text, `"op":"erase"`) {
			t.Errorf("%+v\n%s", stat, text[:4000])
		}
		if r := e.accepted(t, text); r.Removed != stat.Leaves || r.Withheld == 0 {
			t.Errorf("%+v", r)
		}
		e.acceptedOutside(t, text)
		text, _ = e.bundle(t, daybook.BundleQuery{First: 5, End: 610}) // it has the hold, and neither its end nor the erasures
		if n := strings.Count(text, `{"t":"control"`); n < 3 {
			t.Errorf("%d control lines", n)
		}
		e.accepted(t, text)
		e.acceptedOutside(t, text)
		text, _ = e.bundle(t, daybook.BundleQuery{First: 5, End: 610, Text: "doc", Mask: []string{"/actor"}})
		e.accepted(t, text)
		e.acceptedOutside(t, text)
	})
	t.Run("what was removed after the checkpoint needs a newer one", func(t *testing.T) {
		t.Parallel()
		e := newEvidenced(t, 9)
		e.add(t, 50)
		c := checkpoint(t, e.Book, "org_a")
		e.bundle(t, daybook.BundleQuery{Size: c.Size})
		erase(t, e, daybook.EraseRequest{Text: "outcome:denied", Whole: true})
		_, err := e.WriteBundle(t.Context(), &bytes.Buffer{}, daybook.BundleQuery{Org: "org_a", Size: c.Size})
		if coded, ok := errors.AsType[*daybook.Error](err); !ok || coded.Rule != "removed_since" {
			t.Fatalf("%v", err)
		}
		text, _ := e.bundle(t, daybook.BundleQuery{})
		e.accepted(t, text)
	})
}

// TestBundles: of any history of recording, merging, holding and erasing, any range, filtered and masked in any way, is accepted; with any
// one byte changed it is not accepted as something else.
func TestBundles(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		e := newEvidenced(t, rapid.Uint64().Draw(rt, "seed"))
		by := daybook.Party{Type: "user", ID: "usr_9"}
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			e.add(t, rapid.IntRange(1, 300).Draw(rt, "events"))
			actor := fmt.Sprintf("actor:usr_%d", rapid.IntRange(0, 39).Draw(rt, "actor"))
			var err error
			switch rapid.IntRange(0, 9).Draw(rt, "step") {
			case 0:
				err = e.MergeTail(t.Context())
			case 1:
				err = e.Settle(t.Context())
			case 2:
				_, err = e.Erase(t.Context(), daybook.EraseRequest{Org: "org_a", Text: actor, Whole: true, Reason: "request", By: by})
			case 3:
				_, err = e.Erase(t.Context(), daybook.EraseRequest{Org: "org_a", Text: actor, Paths: []string{"/actor/id", "/targets/*/id"}, Reason: "request", By: by})
			case 4:
				_, err = e.PlaceHold(t.Context(), daybook.HoldRequest{Org: "org_a", Text: actor, Reason: "case", By: by})
			case 5:
				checkpoint(t, e.Book, "org_a")
			case 6:
				_, err = e.RotateKey(t.Context(), "org_a", by)
			case 7, 8:
				keep, bad := daybook.ParsePeriod("3s")
				if bad != nil {
					rt.Fatal(bad)
				}
				_, err = e.ApplyRetention(t.Context(), "org_a", daybook.Retention{Rules: []daybook.RetentionRule{{
					Match: rapid.SampledFrom([]string{"", "", "action:doc.a"}).Draw(rt, "match"), Keep: keep,
					Leave: rapid.SampledFrom([]daybook.Leave{daybook.LeaveLeaf, daybook.LeaveHash, daybook.LeaveTile}).Draw(rt, "leave"),
				}}})
			}
			if code := daybook.CodeOf(err); err != nil && code != daybook.CodeConflict && code != daybook.CodeNotFound {
				rt.Fatal(err)
			}
		}
		size := checkpoint(t, e.Book, "org_a").Size
		e.move(time.Second)
		settle(rt, e.Book)
		q := daybook.BundleQuery{First: rapid.Int64Range(logInfo(t, e.Book, "org_a").MinIndex, size-1).Draw(rt, "first")}
		q.End = rapid.Int64Range(q.First+1, size).Draw(rt, "end")
		q.Text = rapid.SampledFrom([]string{"", "", "outcome:failure", "is:erased"}).Draw(rt, "text")
		if rapid.Bool().Draw(rt, "masked") {
			q.Mask = []string{"/actor/id", "/outcome"}
		}
		text, _ := e.bundle(t, q)
		e.accepted(t, text)
		e.sameExcerpt(t, text)
		at := rapid.IntRange(0, len(text)-1).Draw(rt, "flip")
		flipped := []byte(text)
		flipped[at] ^= byte(1 << rapid.IntRange(0, 7).Draw(rt, "bit"))
		r := offline.Bundle(bytes.NewReader(flipped), offline.Options{Keys: pinned(t, e.info.Keys[0].Vkey, e.info.ClockVkey)})
		if r.Exit() == 0 {
			rt.Fatalf("byte %d changed, and accepted: %s", at, text[max(0, at-60):at+1])
		}
	})
}

func TestBundleOfOtherKeys(t *testing.T) {
	t.Parallel()
	t.Run("who pinned an older key is led to the one that signed", func(t *testing.T) {
		t.Parallel()
		e := newEvidenced(t, 10)
		first := e.info.Keys[0].Vkey
		for generation := 2; generation <= 4; generation++ {
			e.add(t, 20)
			if _, err := e.RotateKey(t.Context(), "org_a", by); err != nil {
				t.Fatal(err)
			}
			text, _ := e.bundle(t, daybook.BundleQuery{}) // signed by both
			e.accepted(t, text)
			e.move(31 * 24 * time.Hour)
			e.add(t, 20)
			checkpoint(t, e.Book, "org_a") // retires the older one
		}
		text, _ := e.bundle(t, daybook.BundleQuery{First: 10, End: 20})
		if n := strings.Count(text, `{"t":"rotation"`); n != 3 {
			t.Errorf("%d rotations\n%s", n, text)
		}
		for _, key := range logInfo(t, e.Book, "org_a").Keys {
			if r := offline.Bundle(strings.NewReader(text), offline.Options{Keys: pinned(t, key.Vkey)}); r.Exit() != 0 {
				t.Errorf("generation %d: %v", key.Generation, r.Findings)
			}
		}
		if e.info.Keys[0].Vkey != first {
			t.Fatal("the pinned key is not the first")
		}
		e.acceptedOutside(t, text)
	})
	t.Run("an epoch that has ended is still shown and proved", func(t *testing.T) {
		t.Parallel()
		e := newEvidenced(t, 11)
		e.add(t, 30)
		checkpoint(t, e.Book, "org_a")
		old, err := e.Log(t.Context(), "org_a", 0)
		if err != nil {
			t.Fatal(err)
		}
		next, err := e.NewEpoch(t.Context(), daybook.EpochRequest{Org: "org_a", Cause: daybook.CauseOther, Reason: "test", By: by})
		if err != nil {
			t.Fatal(err)
		}
		e.add(t, 5)
		again, err := e.Log(t.Context(), "org_a", 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range []*daybook.Log{old, again} {
			var out bytes.Buffer
			if _, err := l.WriteBundle(t.Context(), &out, daybook.BundleQuery{Text: "outcome:failure"}); err != nil {
				t.Fatal(err)
			}
			if r := e.accepted(t, out.String()); r.Size != 30 || r.Origin != e.info.Origin {
				t.Errorf("%+v", r)
			}
			info, err := l.Info(t.Context())
			if err != nil || info.Epoch != 0 || info.State != daybook.LogFrozen || info.SignedSize != 30 {
				t.Errorf("%+v %v", info, err)
			}
			if _, err := l.Inclusion(t.Context(), 29, 30); err != nil {
				t.Error(err)
			}
		}
		e.info = next
		text, stat := e.bundle(t, daybook.BundleQuery{})
		if r := e.accepted(t, text); stat.Size != 6 || r.Origin != next.Origin {
			t.Errorf("%+v %+v", stat, r)
		}
		e.acceptedOutside(t, text)
		if _, err := e.Log(t.Context(), "org_a", 2); daybook.CodeOf(err) != daybook.CodeNotFound {
			t.Errorf("an epoch that is not there: %v", err)
		}
	})
}
