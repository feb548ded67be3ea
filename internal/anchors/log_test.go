package anchors_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/internal/anchors"
	"github.com/daybook-audit/daybook/internal/checkpoint"
)

// memory is a shelf and the marks of origins.
type memory struct {
	mu    sync.Mutex
	docs  map[string][]byte
	vers  map[string]int64
	marks map[string]anchors.Mark
	fail  error // of every Put
}

func newMemory() *memory {
	return &memory{docs: map[string][]byte{}, vers: map[string]int64{}, marks: map[string]anchors.Mark{}}
}

func (m *memory) Get(_ context.Context, kind, id string) ([]byte, int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.docs[kind+id], m.vers[kind+id], nil
}

func (m *memory) Put(_ context.Context, kind, id string, version int64, data []byte) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil || m.vers[kind+id] != version {
		return m.fail == nil, m.fail
	}
	m.docs[kind+id] = bytes.Clone(data)
	m.vers[kind+id]++
	return false, nil
}

func (m *memory) Mark(_ context.Context, origin string) (anchors.Mark, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	mark, ok := m.marks[origin]
	return mark, ok, nil
}

func (m *memory) Advance(_ context.Context, origin string, old, next anchors.Mark) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.marks[origin] != old {
		return errors.New("the mark moved")
	}
	m.marks[origin] = next
	return nil
}

// open returns a log of one of several processes over m; its clock stands still and what it has read is always old.
func open(m *memory) *anchors.Log {
	ticks := time.Unix(0, 0)
	return anchors.Open(anchors.Options{
		Host: "h", Master: bytes.Repeat([]byte{1}, checkpoint.MasterSize), Every: time.Minute, Shared: true, Shelf: m, Marks: m,
		Now:       func() int64 { return 1_000_000 },
		Monotonic: func() time.Time { ticks = ticks.Add(time.Hour); return ticks },
	})
}

func head(n int64) anchors.Head {
	return anchors.Head{Tag: anchors.Tag(fmt.Sprintf("h/o/%d", n)), Size: n, Root: tlog.Hash{byte(n)}, At: 1_000_000}
}

// TestLog lets two processes append in turn: it is one log, of which every head that was appended is found and proved.
func TestLog(t *testing.T) {
	t.Parallel()
	ctx, m := t.Context(), newMemory()
	logs := []*anchors.Log{open(m), open(m)}
	if v, err := logs[0].Newest(ctx); v != nil || err != nil {
		t.Fatalf("an empty log has a checkpoint: %v %v", v, err)
	}
	var before *anchors.View
	for n := int64(1); n <= 9; n++ {
		if err := logs[n%2].Append(ctx, []anchors.Head{head(n), head(n + 100)}); err != nil {
			t.Fatal(err)
		}
		v, err := logs[1-n%2].Newest(ctx)
		if err != nil || v == nil || v.Size != n {
			t.Fatalf("after %d leaves the other process sees %v: %v", n, v, err)
		}
		root, err := checkpoint.Root(v.Note, v.Size)
		if err != nil {
			t.Fatal(err)
		}
		found, err := logs[1-n%2].Find(ctx, fmt.Sprintf("h/o/%d", n), n)
		if err != nil || found == nil || found.Size != n || found.Root != head(n).Root {
			t.Fatalf("the head of log %d: %+v, %v", n, found, err)
		}
		if err := tlog.CheckRecord(found.Proof, v.Size, root, n-1, tlog.RecordHash(found.Leaf)); err != nil {
			t.Errorf("leaf %d: %v", n-1, err)
		}
		if before != nil {
			proof, err := v.Consistency(ctx, before.Size, v.Size)
			if err != nil {
				t.Fatal(err)
			}
			old, err := checkpoint.Root(before.Note, before.Size)
			if err != nil {
				t.Fatal(err)
			}
			if err := tlog.CheckTree(proof, v.Size, root, before.Size, old); err != nil {
				t.Errorf("size %d does not extend size %d: %v", v.Size, before.Size, err)
			}
		}
		before = v
	}
	if found, err := logs[0].Find(ctx, "h/o/5", 4); found != nil || err != nil {
		t.Errorf("an anchor beyond what was asked for: %v %v", found, err)
	}
	for what, err := range map[string]error{
		"tile":  func() error { _, err := before.Tile(ctx, 0, 0, 10); return err }(),
		"leaf":  func() error { _, err := before.Batch(ctx, 9); return err }(),
		"note":  func() error { _, err := before.NoteAt(ctx, 10); return err }(),
		"proof": func() error { _, _, err := before.Inclusion(ctx, 9, 9); return err }(),
	} {
		if e, ok := errors.AsType[*anchors.Error](err); !ok || e.Kind != anchors.Beyond {
			t.Errorf("%s beyond the log: %v", what, err)
		}
	}
}

// TestLog_rolledBack puts back an older shelf: nothing is anchored beside what was signed, until the log is renewed under another origin.
func TestLog_rolledBack(t *testing.T) {
	t.Parallel()
	ctx, m := t.Context(), newMemory()
	if err := open(m).Append(ctx, []anchors.Head{head(1)}); err != nil {
		t.Fatal(err)
	}
	docs, vers := maps.Clone(m.docs), maps.Clone(m.vers)
	if err := open(m).Append(ctx, []anchors.Head{head(2)}); err != nil {
		t.Fatal(err)
	}
	m.docs, m.vers = docs, vers
	log := open(m)
	err := log.Append(ctx, []anchors.Head{head(3)})
	if e, ok := errors.AsType[*anchors.Error](err); !ok || e.Kind != anchors.Contradicts {
		t.Fatalf("appended to a log that was rolled back: %v", err)
	}
	if renewed, err := log.Renew(ctx); !renewed || err != nil {
		t.Fatalf("renewed: %v, %v", renewed, err)
	}
	if renewed, err := log.Renew(ctx); renewed || err != nil {
		t.Errorf("renewed a whole log: %v, %v", renewed, err)
	}
	if err := log.Append(ctx, []anchors.Head{head(3)}); err != nil {
		t.Fatal(err)
	}
	if v, err := log.Newest(ctx); err != nil || v.Origin != "h/anchor/1" || v.Size != 1 {
		t.Errorf("the next log is %+v: %v", v, err)
	}
	m.fail = errors.New("no room")
	if err := log.Append(ctx, []anchors.Head{head(4)}); !errors.Is(err, m.fail) {
		t.Errorf("a shelf without room: %v", err)
	}
	m.fail = nil
	if err := log.Append(ctx, []anchors.Head{head(4)}); err != nil {
		t.Errorf("after a failure: %v", err)
	}
}
