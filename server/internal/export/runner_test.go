package export_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/server/internal/export"
	"github.com/daybook-audit/daybook/storetest"
)

// fixture is a Book on a store in memory, and a folder for its exports.
type fixture struct {
	*storetest.Clock
	t       *testing.T
	store   *storetest.MemoryStore
	book    *daybook.Book
	exports *control.Exports
	dir     string
	ended   chan control.Export
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	// The ids of exports carry the real time.
	f := &fixture{Clock: storetest.ClockAt(time.Now()), t: t, store: storetest.Memory()}
	var err error
	if f.book, err = daybook.Open(t.Context(), f.store, daybook.Options{
		Now: f.Now, Origin: "audit.example.com", MasterKey: bytes.Repeat([]byte{7}, 32), HighWater: storetest.Marks(), SignEvery: time.Hour,
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.book.Close(); err != nil {
			t.Error(err)
		}
	})
	return f.beside(t)
}

// beside is f with exports and a folder of their own.
func (f *fixture) beside(t *testing.T) *fixture {
	t.Helper()
	return &fixture{
		Clock: f.Clock, t: t, store: f.store, book: f.book, exports: control.NewExports(storetest.Memory(), f.Now),
		dir: filepath.Join(t.TempDir(), "exports"), ended: make(chan control.Export, 100),
	}
}

// record records n small events of one kind.
func (f *fixture) record(org daybook.OrgID, n int, action string) {
	f.t.Helper()
	for n > 0 {
		events := make([][]byte, min(n, 500))
		for i := range events {
			events[i] = fmt.Appendf(nil, `{"action":"%s","actor":{"type":"user","id":"u%d"},"targets":[{"type":"doc","id":"d%d"}]}`, action, i%7, i)
		}
		if _, err := f.book.RecordJSON(f.t.Context(), org, daybook.Request{Events: events}); err != nil {
			f.t.Fatal(err)
		}
		n -= len(events)
	}
	if err := f.book.Settle(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
}

// runner opens one; the test closes it.
func (f *fixture) runner(book export.Book, o export.Options) *export.Runner {
	f.t.Helper()
	o.Dir, o.Now, o.Ended = f.dir, f.Now, func(x control.Export) { f.ended <- x }
	r, err := export.Open(f.t.Context(), book, f.exports, []byte("key"), o)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() {
		if err := r.Close(); err != nil {
			f.t.Error(err)
		}
	})
	return r
}

func (f *fixture) create(r *export.Runner, x control.Export) control.Export {
	f.t.Helper()
	if x.Org == "" {
		x.Org = "org_acme"
	}
	x, err := r.Create(f.t.Context(), export.Request{Export: x})
	if err != nil {
		f.t.Fatal(err)
	}
	return x
}

// wait returns the next export that has ended.
func (f *fixture) wait() control.Export {
	f.t.Helper()
	select {
	case x := <-f.ended:
		return x
	case <-f.t.Context().Done():
		f.t.Fatal("no export ends")
		return control.Export{}
	}
}

// until looks at x again and again.
func (f *fixture) until(r *export.Runner, x control.Export, is func(control.Export) bool) {
	f.t.Helper()
	for {
		now, err := r.Get(f.t.Context(), x.Org, x.ID)
		if err != nil {
			f.t.Fatal(err)
		}
		if is(now) {
			return
		}
		runtime.Gosched()
	}
}

// content returns the file of x, which must be what x says.
func (f *fixture) content(r *export.Runner, x control.Export) []byte {
	f.t.Helper()
	file, name, _, err := r.Download(&x)
	if err != nil {
		f.t.Fatal(err)
	}
	defer file.Close() //nolint:errcheck // opened for reading
	b, err := io.ReadAll(file)
	if err != nil {
		f.t.Fatal(err)
	}
	if sum := sha256.Sum256(b); int64(len(b)) != x.Bytes || !bytes.Equal(sum[:], x.SHA256) || !strings.Contains(name, x.ID) {
		f.t.Errorf("%s: %d bytes of %x, the export says %d of %x", name, len(b), sum, x.Bytes, x.SHA256)
	}
	return b
}

// want makes the same file at once.
func (f *fixture) want(x control.Export, q daybook.PassageQuery) []byte {
	f.t.Helper()
	var ps []*daybook.Passage
	q.Org, q.Size = x.Org, x.Size
	for p, err := range f.book.Passages(f.t.Context(), q) {
		if err != nil {
			f.t.Fatal(err)
		}
		ps = append(ps, p)
	}
	b, err := export.File(&x, ps, len(ps))
	if err != nil {
		f.t.Fatal(err)
	}
	return b
}

// rows counts the rows of a Parquet file, the lines of another.
func rows(t *testing.T, format string, b []byte) int {
	t.Helper()
	switch format {
	case export.Parquet:
		return len(readParquet(t, b))
	case export.NDJSON:
		return bytes.Count(b, []byte("\n"))
	}
	return bytes.Count(b, []byte("\n")) - 1
}

func (f *fixture) files() []string {
	f.t.Helper()
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		f.t.Fatal(err)
	}
	names := []string{}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestRunner: every format is written whole, with what matches and was there when the export was made, and nothing else.
func TestRunner(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.record("org_acme", 3000, "doc.opened")
	f.record("org_acme", 1500, "doc.closed")
	f.record("org_globex", 10, "doc.opened")
	gate := newGate(f.book)
	r := f.runner(gate, export.Options{Workers: 3})
	for _, c := range []struct {
		x    control.Export
		rows int
	}{
		{control.Export{Format: export.CSV}, -1},
		{control.Export{Format: export.CSV, Query: "action:doc.closed", Columns: []string{"seq", "action"}}, 1500},
		{control.Export{Format: export.NDJSON}, -1},
		{control.Export{Format: export.NDJSON, Query: "action:nothing.happened"}, 0},
		{control.Export{Format: export.Parquet, Query: "-action:doc.closed,late.*"}, 3000},
		{control.Export{Format: export.WorkOS, Door: "workos"}, -1},
		{control.Export{Format: export.CSV, Org: "org_globex"}, 10},
		{control.Export{Format: export.CSV, Org: "org_empty"}, 0},
		{control.Export{Format: export.Parquet, Org: "org_none"}, 0},
	} {
		gate.shut()
		x := f.create(r, c.x)
		f.record(x.Org, 1, "late.event") // after the export was made
		gate.open()
		if c.rows < 0 {
			c.rows = int(x.Size)
		}
		ended := f.wait()
		if ended.ID != x.ID || ended.State != control.ExportReady || ended.Rows != int64(c.rows) || ended.Scanned != x.Size {
			t.Fatalf("%+v: %+v", c.x, ended)
		}
		b := f.content(r, ended)
		if n := rows(t, c.x.Format, b); n != c.rows {
			t.Errorf("%+v: %d rows in the file", c.x, n)
		}
		if c.x.Format == export.NDJSON || c.x.Format == export.CSV && x.Size > 0 {
			if !bytes.Equal(b, f.want(ended, daybook.PassageQuery{Text: c.x.Query})) {
				t.Errorf("%+v: the file is another than the one made at once", c.x)
			}
		}
		if n := len(f.files()); n != 1 {
			t.Errorf("%d files are there: %v", n, f.files())
		}
		if _, _, err := r.Cancel(t.Context(), x.Org, x.ID); err != nil {
			t.Fatal(err)
		}
	}
}

// gate is a Book whose reading can be held up, and that counts and breaks.
type gate struct {
	export.Book
	mu    sync.Mutex
	way   chan struct{} // closed while open
	after int           // passages that come through a shut gate
	came  chan struct{} // gets one when somebody stands before it
	fail  error
	first []int64 // of each reading
}

func newGate(b export.Book) *gate {
	g := &gate{Book: b, way: make(chan struct{}), came: make(chan struct{}, 100)}
	close(g.way)
	return g
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.way = make(chan struct{})
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.way)
}

func (g *gate) breaks(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fail = err
}

func (g *gate) Passages(ctx context.Context, q daybook.PassageQuery) iter.Seq2[*daybook.Passage, error] {
	return func(yield func(*daybook.Passage, error) bool) {
		g.mu.Lock()
		g.first = append(g.first, q.First)
		way, after, fail := g.way, g.after, g.fail
		g.mu.Unlock()
		for p, err := range g.Book.Passages(ctx, q) {
			if after--; after < 0 {
				if fail != nil {
					yield(nil, fail)
					return
				}
				select {
				case <-way:
				default:
					g.came <- struct{}{}
					select {
					case <-way:
					case <-ctx.Done():
						yield(nil, ctx.Err())
						return
					}
				}
			}
			if !yield(p, err) {
				return
			}
		}
	}
}

// TestResume: an export that a shutdown or a crash interrupts goes on where it was kept, and the file is the same.
func TestResume(t *testing.T) {
	t.Parallel()
	whole := newFixture(t)
	whole.record("org_acme", 40_000, "doc.opened")
	crashes := []string{"shutdown", "more was written", "the file is lost", "the file is short", "the folder is lost"}
	for _, format := range []string{export.CSV, export.NDJSON, export.Parquet, export.WorkOS} {
		for _, crash := range crashes {
			if format != export.Parquet && format != export.CSV && crash != "more was written" {
				continue // they are no different there
			}
			t.Run(format+"/"+crash, func(t *testing.T) {
				t.Parallel()
				f := whole.beside(t)
				g := newGate(f.book)
				g.after = 70
				g.shut()
				r := f.runner(g, export.Options{Every: time.Nanosecond, Workers: 2})
				x := f.create(r, control.Export{Format: format, Door: "workos"})
				if format == export.WorkOS { // it measures first
					<-g.came
					g.mu.Lock()
					way := g.way
					g.way = make(chan struct{})
					g.mu.Unlock()
					close(way)
				}
				<-g.came
				f.until(r, x, func(x control.Export) bool { return x.Scanned > 0 })
				if err := r.Close(); err != nil {
					t.Fatal(err)
				}
				kept, err := f.exports.Get(t.Context(), x.Org, x.ID)
				if err != nil || kept.State != control.ExportRunning || kept.Scanned == 0 || kept.Bytes == 0 {
					t.Fatalf("%+v %v", kept, err)
				}
				part := filepath.Join(f.dir, x.ID+".part")
				switch crash {
				case "more was written":
					for _, name := range f.files() {
						appendTo(t, filepath.Join(f.dir, name), "half a piece")
					}
				case "the file is lost":
					err = os.Remove(part)
				case "the file is short":
					err = os.Truncate(part, kept.Bytes-1)
				case "the folder is lost":
					err = os.RemoveAll(f.dir)
				}
				if err != nil {
					t.Fatal(err)
				}
				g = newGate(f.book)
				r = f.runner(g, export.Options{})
				ended := f.wait()
				if ended.State != control.ExportReady || ended.Rows != 40_000 {
					t.Fatalf("%+v", ended)
				}
				b := f.content(r, ended)
				if n := rows(t, format, b); n != 40_000 {
					t.Errorf("%d rows", n)
				}
				if format != export.Parquet && format != export.WorkOS && !bytes.Equal(b, f.want(ended, daybook.PassageQuery{})) {
					t.Error("the file is another than the one made at once")
				}
				whole := crash == "shutdown" || crash == "more was written"
				if last := g.first[len(g.first)-1]; whole && last != kept.Scanned || !whole && last != 0 {
					t.Errorf("it went on at %d, was kept at %d", last, kept.Scanned)
				}
				if d := f.files(); len(d) != 1 {
					t.Errorf("files are left: %v", d)
				}
			})
		}
	}
}

func appendTo(t *testing.T, name, text string) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestCancel: whatever an export is doing, afterwards it does not, and its file is gone.
func TestCancel(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.record("org_acme", 2000, "doc.opened")
	g := newGate(f.book)
	r := f.runner(g, export.Options{Jobs: 1})
	ready := f.create(r, control.Export{Format: export.CSV})
	f.wait()
	g.shut()
	running := f.create(r, control.Export{Format: export.CSV})
	<-g.came
	pending := f.create(r, control.Export{Format: export.CSV})
	for _, c := range []struct {
		x     control.Export
		state string
	}{{pending, control.ExportCancelled}, {running, control.ExportCancelled}, {ready, control.ExportExpired}} {
		for i := range 2 { // a second time changes nothing
			x, changed, err := r.Cancel(t.Context(), "org_acme", c.x.ID)
			if err != nil || x.State != c.state || changed != (i == 0) {
				t.Errorf("%+v %v %v", x, changed, err)
			}
			if _, _, _, err := r.Download(&x); !errors.Is(err, control.ErrNotFound) {
				t.Errorf("its file can be fetched: %v", err)
			}
		}
	}
	g.open()
	if d := f.files(); len(d) != 0 {
		t.Errorf("files are left: %v", d)
	}
	if _, _, err := r.Cancel(t.Context(), "org_globex", ready.ID); !errors.Is(err, control.ErrNotFound) {
		t.Errorf("another organization cancels: %v", err)
	}
	f.create(r, control.Export{Format: export.CSV})
	if x := f.wait(); x.State != control.ExportReady {
		t.Errorf("the next one: %+v", x)
	}
}

// TestFails: what cannot be written says why; what may pass is tried again.
func TestFails(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.record("org_acme", 2000, "doc.opened")
	g := newGate(f.book)
	g.breaks(&daybook.Error{Code: daybook.CodeTampered, Rule: "damaged", Message: "the payload of entry 7 cannot be read"})
	r := f.runner(g, export.Options{})
	f.create(r, control.Export{Format: export.CSV})
	if x := f.wait(); x.State != control.ExportFailed || x.Error != "the payload of entry 7 cannot be read" || x.FinishedAt == 0 {
		t.Errorf("%+v", x)
	}
	if d := f.files(); len(d) != 0 {
		t.Errorf("files are left: %v", d)
	}
	g.breaks(errors.New("the disk at /var/lib/secret is on fire"))
	x := f.create(r, control.Export{Format: export.CSV})
	f.until(r, x, func(x control.Export) bool { return x.Attempts > 0 })
	g.breaks(nil)
	if x := f.wait(); x.State != control.ExportReady || x.Rows != 2000 {
		t.Errorf("%+v", x)
	}
}

// TestWithdraw: what was written before an erasure cannot be fetched after it; what is being written begins again.
func TestWithdraw(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.record("org_acme", 5000, "doc.opened")
	f.record("org_globex", 10, "doc.opened")
	g := newGate(f.book)
	g.after = 3
	r := f.runner(g, export.Options{Every: time.Nanosecond, Jobs: 1})
	ready, other := f.create(r, control.Export{Format: export.NDJSON}), f.create(r, control.Export{Format: export.NDJSON, Org: "org_globex"})
	f.wait()
	f.wait()
	g.shut()
	running := f.create(r, control.Export{Format: export.NDJSON})
	<-g.came
	if err := r.Withdraw(t.Context(), "org_acme"); err != nil {
		t.Fatal(err)
	}
	<-g.came
	g.open()
	x := f.wait()
	if x.ID != running.ID || x.State != control.ExportReady || x.Rows != 5000 {
		t.Errorf("%+v", x)
	}
	if g.first[len(g.first)-1] != 0 {
		t.Errorf("it went on at %d", g.first[len(g.first)-1])
	}
	f.content(r, x)
	if x, err := r.Get(t.Context(), "org_acme", ready.ID); err != nil || x.State != control.ExportExpired || x.Error == "" {
		t.Errorf("%+v %v", x, err)
	}
	if x, err := r.Find(t.Context(), other.ID); err != nil || x.State != control.ExportReady {
		t.Errorf("another organization's: %+v %v", x, err)
	}
	if d := f.files(); len(d) != 2 {
		t.Errorf("files: %v", d)
	}
}

// TestSweep: files go when their time has come, or when nobody knows them; records stay for a while.
func TestSweep(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.record("org_acme", 10, "doc.opened")
	r := f.runner(f.book, export.Options{Keep: time.Hour})
	x := f.create(r, control.Export{Format: export.CSV})
	f.wait()
	for _, name := range []string{"exp_01m7w2y7m0fhra2avt0s3fj8ks", "exp_01m7w2y7m0fhra2avt0s3fj8ks.part", "somebody else's"} {
		if err := os.WriteFile(filepath.Join(f.dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sweep := func(state string, files int) {
		t.Helper()
		if err := r.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		now, err := r.Get(t.Context(), "org_acme", x.ID)
		if err != nil || now.State != state || len(f.files()) != files {
			t.Errorf("%+v %v, files %v", now, err, f.files())
		}
	}
	sweep(control.ExportReady, 2)
	f.Add(time.Hour)
	if now, err := r.Get(t.Context(), "org_acme", x.ID); err != nil {
		t.Fatal(err)
	} else if _, _, _, err := r.Download(&now); !errors.Is(err, control.ErrNotFound) {
		t.Errorf("an expired file can be fetched: %v", err)
	}
	sweep(control.ExportExpired, 1)
	f.Add(91 * 24 * time.Hour)
	if err := r.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Find(t.Context(), x.ID); !errors.Is(err, control.ErrNotFound) {
		t.Errorf("it is still known: %v", err)
	}
}

// TestCreateRefuses: what cannot be asked for is refused at once, in the words of a search.
func TestCreateRefuses(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.record("org_acme", 10, "doc.opened")
	g := newGate(f.book)
	g.shut()
	r := f.runner(g, export.Options{Jobs: 1})
	for _, c := range []struct {
		x    control.Export
		from string
		rule string
	}{
		{control.Export{Format: export.CSV, Query: "actr:x"}, "", "query_invalid"},
		{control.Export{Format: export.CSV, Query: "org:x"}, "", "query_invalid"},
		{control.Export{Format: export.CSV}, "yesterdy", "invalid_value"},
		{control.Export{Format: export.CSV, TZ: "Mars/Olympus"}, "", "invalid_value"},
		{control.Export{Format: export.CSV, TZ: "Local"}, "", "invalid_value"},
	} {
		c.x.Org = "org_acme"
		var coded *daybook.Error
		if _, err := r.Create(t.Context(), export.Request{Export: c.x, FromText: c.from}); !errors.As(err, &coded) || coded.Rule != c.rule {
			t.Errorf("%+v: %v", c.x, err)
		}
	}
	for range 20 {
		f.create(r, control.Export{Format: export.CSV})
	}
	var coded *daybook.Error
	if _, err := r.Create(t.Context(), export.Request{Export: control.Export{Format: export.CSV, Org: "org_acme"}}); !errors.As(err, &coded) || coded.Rule != "too_many_exports" {
		t.Errorf("one too many: %v", err)
	}
	if all, err := r.All(t.Context(), "org_acme"); err != nil || len(all) != 20 || all[0].ID < all[19].ID {
		t.Errorf("%d exports, newest first: %v", len(all), err)
	}
}

func TestLink(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	r := f.runner(f.book, export.Options{Link: time.Minute})
	text, until := r.Link("exp_a")
	exp, sig, ok := strings.Cut(strings.TrimPrefix(text, "exp="), "&sig=")
	if !ok || until.Sub(f.Now()) > time.Minute {
		t.Fatalf("%s until %s", text, until)
	}
	if err := r.CheckLink("exp_a", exp, sig); err != nil {
		t.Errorf("a good one: %v", err)
	}
	for _, c := range []struct{ id, exp, sig string }{
		{"exp_b", exp, sig}, {"exp_a", exp + "0", sig}, {"exp_a", exp, sig[1:]}, {"exp_a", exp, ""}, {"exp_a", "", ""}, {"exp_a", exp, "=" + sig}, {"exp_a\n" + exp, "", sig},
	} {
		if err := r.CheckLink(c.id, c.exp, c.sig); !errors.Is(err, export.ErrLinkInvalid) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	f.Add(time.Minute)
	if err := r.CheckLink("exp_a", exp, sig); !errors.Is(err, export.ErrLinkExpired) {
		t.Errorf("an old one: %v", err)
	}
}
