package export_test

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/server/internal/export"
)

// leases are those of a store; time passes when a test says so.
type leases struct {
	mu   sync.Mutex
	held map[string]string
}

// of is how one process takes them.
func (l *leases) of(holder string) func(context.Context, string, time.Duration) error {
	return func(_ context.Context, name string, ttl time.Duration) error {
		l.mu.Lock()
		defer l.mu.Unlock()
		switch {
		case l.held[name] != "" && l.held[name] != holder && ttl > 0:
			return daybook.ErrLeaseHeld
		case ttl > 0:
			l.held[name] = holder
		case l.held[name] == holder:
			delete(l.held, name)
		}
		return nil
	}
}

// expire ends all of them.
func (l *leases) expire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.held)
}

// exportsIn is what a folder holds beside its mark.
func (f *fixture) exportsIn() []string {
	return slices.DeleteFunc(f.files(), func(name string) bool { return name == ".daybook-exports" })
}

// TestFleet: an export that a process was writing when it died is written by another one, once its lease has ended and not before; when
// the first was only frozen and wakes up, it does no harm.
func TestFleet(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.record("org_acme", 20_000, "doc.opened")
	l := &leases{held: map[string]string{}}
	frozen := newGate(f.book)
	frozen.after = 20
	frozen.shut()
	a := f.runner(frozen, export.Options{Every: time.Nanosecond, Workers: 2, Lease: l.of("a"), Node: "a"})
	x := f.create(a, control.Export{Format: export.CSV})
	<-frozen.came
	f.until(a, x, func(x control.Export) bool { return x.Scanned > 0 && x.Maker == "a" })

	g := newGate(f.book)
	b := f.runner(g, export.Options{Lease: l.of("b"), Node: "b", Jobs: 1})
	if err := b.Adopt(t.Context()); err != nil {
		t.Fatal(err)
	}
	other := f.create(b, control.Export{Format: export.CSV, Query: "action:none"}) // behind the one that b may not write
	if ended := f.wait(); ended.ID != other.ID {
		t.Fatalf("%s ended, and another process holds it", ended.ID)
	}
	l.expire()
	if err := b.Adopt(t.Context()); err != nil {
		t.Fatal(err)
	}
	ended := f.wait()
	if ended.ID != x.ID || ended.State != control.ExportReady || ended.Rows != 20_000 || ended.Maker != "b" {
		t.Fatalf("taken over: %+v", ended)
	}
	frozen.mu.Lock()
	way := frozen.way
	frozen.mu.Unlock()
	close(way) // it wakes up and goes on writing
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*export.Runner{a, b} { // whoever is asked
		if !bytes.Equal(f.content(r, ended), f.want(ended, daybook.PassageQuery{})) {
			t.Error("the file is another one")
		}
	}
	if err := b.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := f.exportsIn(); len(left) != 2 {
		t.Errorf("files: %v", left)
	}
}

// TestFleetHandOver: what a process that stops has written is continued by another one.
func TestFleetHandOver(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.record("org_acme", 20_000, "doc.opened")
	l := &leases{held: map[string]string{}}
	g := newGate(f.book)
	g.after = 20
	g.shut()
	a := f.runner(g, export.Options{Every: time.Nanosecond, Workers: 2, Lease: l.of("a"), Node: "a"})
	x := f.create(a, control.Export{Format: export.CSV})
	<-g.came
	f.until(a, x, func(x control.Export) bool { return x.Scanned > 0 })
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	kept, err := f.exports.Get(t.Context(), x.Org, x.ID)
	if err != nil || kept.Maker != "" || kept.Scanned == 0 {
		t.Fatalf("let go: %+v, %v", kept, err)
	}
	g = newGate(f.book)
	b := f.runner(g, export.Options{Lease: l.of("b"), Node: "b"})
	ended := f.wait()
	if ended.State != control.ExportReady || !bytes.Equal(f.content(b, ended), f.want(ended, daybook.PassageQuery{})) {
		t.Errorf("%+v", ended)
	}
	if last := g.first[len(g.first)-1]; last != kept.Scanned {
		t.Errorf("it went on at %d, was kept at %d", last, kept.Scanned)
	}
}

// TestFleetFolders: a process that does not see the folder of another says so, and does not say that there is no export.
func TestFleetFolders(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.record("org_acme", 10, "doc.opened")
	l := &leases{held: map[string]string{}}
	a := f.runner(f.book, export.Options{Lease: l.of("a"), Node: "a"})
	f.create(a, control.Export{Format: export.CSV})
	ended := f.wait()
	f.dir = filepath.Join(t.TempDir(), "elsewhere")
	b := f.runner(f.book, export.Options{Lease: l.of("b"), Node: "b"})
	if _, _, _, err := b.Download(&ended); !errors.Is(err, export.ErrElsewhere) {
		t.Errorf("a file in another folder: %v", err)
	}
	if err := b.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(f.content(a, ended)) == 0 {
		t.Error("the file is gone")
	}
}
