package daybook_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/storetest"
)

// event returns the JSON of a small event; more is put in front of its members and ends with a comma.
func event(n int, more string) []byte {
	return fmt.Appendf(nil, `{%s"action":"invoice.paid","actor":{"type":"user","id":"usr_%d"},"targets":[{"type":"invoice","id":"%d"}]}`, more, n%7, n)
}

func open(t testing.TB, s daybook.Store, o daybook.Options) *daybook.Book {
	t.Helper()
	b, err := daybook.Open(t.Context(), s, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func record(t testing.TB, b *daybook.Book, org daybook.OrgID, r daybook.Request) []daybook.Receipt {
	t.Helper()
	res, err := b.RecordJSON(t.Context(), org, r)
	if err != nil {
		t.Fatal(err)
	}
	return res.Receipts
}

func texts(from, n int) [][]byte {
	var ts [][]byte
	for i := range n {
		ts = append(ts, event(from+i, ""))
	}
	return ts
}

// verify recomputes the whole store and fails on any finding.
func verify(t testing.TB, s daybook.Store) daybook.FsckReport {
	t.Helper()
	report, err := daybook.Fsck(context.Background(), s, daybook.FsckOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Findings {
		t.Errorf("fsck: %+v", f)
	}
	return report
}

func TestRecordJSON(t *testing.T) {
	t.Parallel()
	t.Run("receipts are in order, gapless, and their leaf hashes give the root", func(t *testing.T) {
		t.Parallel()
		s := storetest.Memory()
		b := open(t, s, daybook.Options{})
		var leaves []tlog.Hash
		var last time.Time
		for i := range 20 {
			for _, rc := range record(t, b, "org_a", daybook.Request{Events: texts(i, i)}) {
				if rc.Seq != int64(len(leaves)) || rc.Duplicate || rc.Org != "org_a" || !rc.ReceivedAt.After(last) {
					t.Fatalf("receipt %d: %+v after %s", len(leaves), rc, last)
				}
				last = rc.ReceivedAt
				leaves = append(leaves, rc.LeafHash)
			}
		}
		info, err := b.Info(t.Context(), "org_a", "org_none")
		if err != nil {
			t.Fatal(err)
		}
		if info[0].Root != treeHash(t, leaves) || info[0].Size != int64(len(leaves)) || info[0].ReceivedAt != last.UnixMicro() {
			t.Errorf("the receipts do not give the root: %+v", info[0])
		}
		if info[1].Exists {
			t.Error("a log that nobody recorded in exists")
		}
		verify(t, s)
	})
	t.Run("a batch with one bad event records nothing and names every bad one", func(t *testing.T) {
		t.Parallel()
		b := open(t, storetest.Memory(), daybook.Options{})
		events := [][]byte{event(1, ""), []byte(`{"action":""}`), event(2, ""), []byte(`[]`)}
		_, err := b.RecordJSON(t.Context(), "org_a", daybook.Request{Events: events})
		var batch *daybook.BatchError
		if !errors.As(err, &batch) || len(batch.Errors) != 2 || batch.Errors[0].Index != 1 || batch.Errors[1].Index != 3 {
			t.Fatalf("got %v", err)
		}
		if got := size(t, b, "org_a"); got != 0 {
			t.Errorf("%d entries", got)
		}
	})
	t.Run("with Partial the good ones are recorded and the bad ones named", func(t *testing.T) {
		t.Parallel()
		b := open(t, storetest.Memory(), daybook.Options{})
		events := [][]byte{event(1, ""), []byte(`{"action":""}`), event(2, "")}
		res, err := b.RecordJSON(t.Context(), "org_a", daybook.Request{Events: events, Partial: true})
		if err != nil {
			t.Fatal(err)
		}
		if len(res.Errors) != 1 || res.Errors[0].Index != 1 || res.Receipts[0].Seq != 0 || res.Receipts[2].Seq != 1 || !res.Receipts[1].ID.IsZero() {
			t.Errorf("got %+v", res)
		}
	})
	t.Run("an org id of another form is refused", func(t *testing.T) {
		t.Parallel()
		b := open(t, storetest.Memory(), daybook.Options{})
		for _, org := range []daybook.OrgID{"", "a b", "ä", "x/y"} {
			_, err := b.RecordJSON(t.Context(), org, daybook.Request{Events: texts(0, 1)})
			var e *daybook.Error
			if !errors.As(err, &e) || e.Rule != "invalid_org" {
				t.Errorf("%q: got %v", org, err)
			}
		}
	})
	t.Run("received_at rises although the clock goes back, also after a restart", func(t *testing.T) {
		t.Parallel()
		s := storetest.Memory()
		at := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
		var last time.Time
		for i := range 4 {
			now := at.Add(-time.Duration(i) * time.Hour)
			b := open(t, s, daybook.Options{Now: func() time.Time { return now }})
			for _, rc := range record(t, b, "org_a", daybook.Request{Events: texts(i, 3)}) {
				if !rc.ReceivedAt.After(last) {
					t.Fatalf("received_at %s after %s", rc.ReceivedAt, last)
				}
				last = rc.ReceivedAt
			}
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
		}
		verify(t, s)
	})
	t.Run("after Close it refuses", func(t *testing.T) {
		t.Parallel()
		b := open(t, storetest.Memory(), daybook.Options{})
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := b.RecordJSON(t.Context(), "org_a", daybook.Request{Events: texts(0, 1)}); daybook.CodeOf(err) != daybook.CodeUnavailable {
			t.Errorf("got %v", err)
		}
	})
}

func treeHash(t testing.TB, leaves []tlog.Hash) tlog.Hash {
	t.Helper()
	var stored []tlog.Hash
	read := tlog.HashReaderFunc(func(at []int64) (hs []tlog.Hash, err error) {
		for _, x := range at {
			hs = append(hs, stored[x])
		}
		return hs, nil
	})
	for i, h := range leaves {
		hs, err := tlog.StoredHashesForRecordHash(int64(i), h, read)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, hs...)
	}
	root, err := tlog.TreeHash(int64(len(leaves)), read)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func size(t testing.TB, b *daybook.Book, org daybook.OrgID) int64 {
	t.Helper()
	info, err := b.Info(t.Context(), org)
	if err != nil {
		t.Fatal(err)
	}
	return info[0].Size
}

func TestIdempotency(t *testing.T) {
	t.Parallel()
	id := daybook.NewID()
	withID := fmt.Sprintf(`"id":%q,`, id)
	t.Run("a hundred callers with one id make one entry and get equal receipts", func(t *testing.T) {
		t.Parallel()
		testOneEntry(t, func(int) daybook.Request { return daybook.Request{Events: [][]byte{event(1, withID)}} })
	})
	t.Run("a hundred callers with one key make one entry and get equal receipts", func(t *testing.T) {
		t.Parallel()
		testOneEntry(t, func(int) daybook.Request { return daybook.Request{Events: [][]byte{event(1, "")}, Key: "k"} })
	})
	t.Run("with one key and two bodies one body wins and the other is a conflict", func(t *testing.T) {
		t.Parallel()
		b := open(t, storetest.Memory(), daybook.Options{})
		var mu sync.Mutex
		won := map[int]bool{}
		all(100, func(i int) {
			_, err := b.RecordJSON(t.Context(), "org_a", daybook.Request{Events: [][]byte{event(i%2, "")}, Key: "k"})
			mu.Lock()
			defer mu.Unlock()
			switch rule(err) {
			case "":
				won[i%2] = true
			case "key_conflict":
			default:
				t.Errorf("got %v", err)
			}
		})
		if len(won) != 1 || size(t, b, "org_a") != 1 {
			t.Errorf("bodies recorded: %v, size %d", won, size(t, b, "org_a"))
		}
	})
	t.Run("the same id with other content is a conflict, and white space and order are not content", func(t *testing.T) {
		t.Parallel()
		b := open(t, storetest.Memory(), daybook.Options{})
		first := record(t, b, "org_a", daybook.Request{Events: [][]byte{event(1, withID)}})
		again := fmt.Appendf(nil, "{ \"targets\":[{\"id\":\"1\",\"type\":\"invoice\"}],\n \"actor\":{\"id\":\"usr_1\",\"type\":\"us\\u0065r\"}, \"action\":\"invoice.paid\", \"id\":%q }", id)
		second := record(t, b, "org_a", daybook.Request{Events: [][]byte{again}})
		first[0].Duplicate = true
		if d := cmp.Diff(first, second); d != "" {
			t.Errorf("the repeat differs: %s", d)
		}
		if _, err := b.RecordJSON(t.Context(), "org_a", daybook.Request{Events: [][]byte{event(2, withID)}}); rule(err) != "id_conflict" {
			t.Errorf("got %v", err)
		}
		if rcs := record(t, b, "org_b", daybook.Request{Events: [][]byte{event(2, withID)}}); rcs[0].Duplicate {
			t.Error("the id of another org counts")
		}
	})
	t.Run("one id twice in a batch", func(t *testing.T) {
		t.Parallel()
		b := open(t, storetest.Memory(), daybook.Options{})
		rcs := record(t, b, "org_a", daybook.Request{Events: [][]byte{event(1, withID), event(5, ""), event(1, withID)}})
		if rcs[2].Seq != rcs[0].Seq || !rcs[2].Duplicate || rcs[1].Seq != 1 {
			t.Errorf("got %+v", rcs)
		}
		other := fmt.Sprintf(`"id":%q,`, daybook.NewID())
		if _, err := b.RecordJSON(t.Context(), "org_a", daybook.Request{Events: [][]byte{event(1, other), event(2, other)}}); rule(err) != "id_conflict" {
			t.Errorf("got %v", err)
		}
		if size(t, b, "org_a") != 2 {
			t.Errorf("size %d", size(t, b, "org_a"))
		}
	})
	t.Run("keys and ids hold after a restart and after merging", func(t *testing.T) {
		t.Parallel()
		s := storetest.Memory()
		b := open(t, s, daybook.Options{})
		request := daybook.Request{Events: append(texts(0, 3), event(9, withID)), Key: "batch"}
		first := record(t, b, "org_a", request)
		for i := range first {
			first[i].Duplicate = true
		}
		for _, stage := range []string{"same process", "restarted", "merged", "merged and restarted"} {
			switch stage {
			case "restarted", "merged and restarted":
				if err := b.Close(); err != nil {
					t.Fatal(err)
				}
				b = open(t, s, daybook.Options{})
			case "merged":
				if err := b.Settle(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if d := cmp.Diff(first, record(t, b, "org_a", request)); d != "" {
				t.Errorf("%s: by key: %s", stage, d)
			}
			if d := cmp.Diff(first[3:], record(t, b, "org_a", daybook.Request{Events: request.Events[3:]})); d != "" {
				t.Errorf("%s: by id: %s", stage, d)
			}
		}
		if size(t, b, "org_a") != 4 {
			t.Errorf("size %d", size(t, b, "org_a"))
		}
		verify(t, s)
	})
	t.Run("an id made by a clock that is days ahead holds after merging and a restart", func(t *testing.T) {
		t.Parallel()
		s := storetest.Memory()
		b := open(t, s, daybook.Options{})
		ahead := daybook.NewID()
		ahead[1]++ // 2³² ms, about 50 days
		request := daybook.Request{Events: [][]byte{event(1, fmt.Sprintf(`"id":%q,`, ahead))}}
		first := record(t, b, "org_a", request)
		record(t, b, "org_a", daybook.Request{Events: texts(2, 600)})
		for range 2 {
			if err := b.Settle(t.Context()); err != nil {
				t.Fatal(err)
			}
			if again := record(t, b, "org_a", request); again[0].Seq != first[0].Seq || !again[0].Duplicate {
				t.Errorf("got %+v", again)
			}
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
			b = open(t, s, daybook.Options{})
		}
	})
	t.Run("a key that is new for an old entry is kept", func(t *testing.T) {
		t.Parallel()
		b := open(t, storetest.Memory(), daybook.Options{})
		first := record(t, b, "org_a", daybook.Request{Events: [][]byte{event(1, withID)}})
		record(t, b, "org_a", daybook.Request{Events: [][]byte{event(1, withID)}, Key: "late"})
		again := record(t, b, "org_a", daybook.Request{Events: [][]byte{event(1, withID)}, Key: "late"})
		if again[0].Seq != first[0].Seq || !again[0].Duplicate {
			t.Errorf("got %+v", again)
		}
		if _, err := b.RecordJSON(t.Context(), "org_a", daybook.Request{Events: [][]byte{event(2, "")}, Key: "late"}); rule(err) != "key_conflict" {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a repeat without a key is found by its hash, and a later key is remembered", func(t *testing.T) {
		t.Parallel()
		b := open(t, storetest.Memory(), daybook.Options{})
		hash := [16]byte{1, 2, 3}
		first := record(t, b, "org_a", daybook.Request{Events: texts(1, 1), Door: "d", Repeat: hash})
		repeat := record(t, b, "org_a", daybook.Request{Events: texts(1, 1), Door: "d", Repeat: hash})
		keyed := record(t, b, "org_a", daybook.Request{Events: texts(1, 1), Door: "d", Key: "k", Repeats: [][16]byte{hash}})
		again := record(t, b, "org_a", daybook.Request{Events: texts(1, 1), Door: "d", Key: "k"})
		for _, rc := range []daybook.Receipt{repeat[0], keyed[0], again[0]} {
			if rc.Seq != first[0].Seq || !rc.Duplicate {
				t.Errorf("got %+v", rc)
			}
		}
		if rcs := record(t, b, "org_a", daybook.Request{Events: texts(1, 1), Door: "other", Key: "k"}); rcs[0].Duplicate {
			t.Error("the key of another door counts")
		}
	})
	t.Run("a key ends with its window", func(t *testing.T) {
		t.Parallel()
		c := newClock()
		b := open(t, storetest.Memory(), daybook.Options{Now: c.now, IdempotencyWindow: 24 * time.Hour})
		record(t, b, "org_a", daybook.Request{Events: texts(1, 1), Key: "k"})
		c.move(23 * time.Hour)
		if rcs := record(t, b, "org_a", daybook.Request{Events: texts(1, 1), Key: "k"}); !rcs[0].Duplicate {
			t.Error("the key ended early")
		}
		c.move(3 * time.Hour)
		if rcs := record(t, b, "org_a", daybook.Request{Events: texts(2, 1), Key: "k"}); rcs[0].Duplicate {
			t.Error("the key did not end")
		}
	})
}

func rule(err error) string {
	if e, ok := errors.AsType[*daybook.Error](err); ok {
		return e.RuleName()
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// all runs f(0) … f(n−1) at once and waits.
func all(n int, f func(i int)) {
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { f(i) })
	}
	group.Wait()
}

func testOneEntry(t *testing.T, request func(i int) daybook.Request) {
	t.Helper()
	s := storetest.Memory()
	b := open(t, s, daybook.Options{})
	var mu sync.Mutex
	var got []daybook.Receipt
	fresh := 0
	all(100, func(i int) {
		res, err := b.RecordJSON(t.Context(), "org_a", request(i))
		if err != nil {
			t.Error(err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if !res.Receipts[0].Duplicate {
			fresh++
		}
		res.Receipts[0].Duplicate = false
		got = append(got, res.Receipts[0])
	})
	for _, rc := range got {
		if cmp.Diff(rc, got[0]) != "" {
			t.Errorf("receipts differ: %+v and %+v", rc, got[0])
		}
	}
	if fresh != 1 || size(t, b, "org_a") != 1 {
		t.Errorf("%d receipts are no duplicates, the log has %d entries", fresh, size(t, b, "org_a"))
	}
	verify(t, s)
}
