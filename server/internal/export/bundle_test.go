package export_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/server/internal/export"
	"github.com/daybook-audit/daybook/verify"
)

// proved verifies a bundle with the key that it names, as a reader who was given that key in another way.
func proved(t *testing.T, b []byte) *verify.Report {
	t.Helper()
	loose := verify.Bundle(bytes.NewReader(b), verify.Options{})
	if loose.Exit() != 7 || len(loose.Findings) != 1 || !loose.Has(verify.KeyNotPinned) {
		t.Fatalf("without a key: %d %v", loose.Exit(), loose.Findings)
	}
	key, err := verify.ParseKey(loose.Key)
	if err != nil {
		t.Fatal(err)
	}
	return verify.Bundle(bytes.NewReader(b), verify.Options{Keys: []verify.Key{key}})
}

// TestBundle: a bundle is proved by who has the key, plain and compressed, whole, filtered and masked.
func TestBundle(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.record("org_acme", 1000, "doc.opened")
	f.record("org_acme", 500, "doc.closed")
	r := f.runner(f.book, export.Options{})
	for _, c := range []struct {
		x                control.Export
		rows             int64
		masked, filtered bool
		suffix           string
	}{
		{control.Export{}, 1500, false, false, ".daybook.gz"},
		{control.Export{Compression: export.Plain}, 1500, false, false, ".daybook"},
		{control.Export{Query: "action:doc.closed"}, 500, false, true, ".daybook.gz"},
		{control.Export{Mask: []string{"/actor/id"}}, 1500, true, false, ".daybook.gz"},
	} {
		c.x.Format = export.Bundle
		f.create(r, c.x)
		x := f.wait()
		if x.State != control.ExportReady || x.Rows != c.rows || x.Scanned != 1500 || x.Size != 1500 {
			t.Fatalf("%+v", x)
		}
		file, name, _, err := r.Download(&x)
		if err != nil || !strings.HasSuffix(name, c.suffix) {
			t.Fatalf("%s %v", name, err)
		}
		b, err := io.ReadAll(file)
		if err = errors.Join(err, file.Close()); err != nil {
			t.Fatal(err)
		}
		report := proved(t, b)
		if report.Exit() != 0 || report.Size != 1500 || report.Entries != c.rows || report.Masked != c.masked || report.Filtered != c.filtered {
			t.Errorf("%+v: %+v", c.x, report)
		}
	}
	var coded *daybook.Error
	if _, err := r.Create(t.Context(), export.Request{Export: control.Export{Org: "org_none", Format: export.Bundle}}); !errors.As(err, &coded) || coded.Rule != "empty_range" {
		t.Errorf("of nothing: %v", err)
	}
}

// erasing is a Book in which something is erased while the first bundle is written.
type erasing struct {
	export.Book
	f    *fixture
	left atomic.Int32
}

func (e *erasing) WriteBundle(ctx context.Context, w io.Writer, q daybook.BundleQuery) (daybook.BundleStat, error) {
	if e.left.Add(-1) >= 0 {
		if _, err := io.WriteString(w, "what was written is worthless"); err != nil {
			return daybook.BundleStat{}, err
		}
		e.f.record("org_acme", 1, "late.event")
		return daybook.BundleStat{}, &daybook.Error{Code: daybook.CodeConflict, Rule: "removed_since", Message: "something was erased"}
	}
	return e.Book.WriteBundle(ctx, w, q)
}

// TestBundleAgain: what an erasure overtakes is written again, of a tree that knows of the erasure.
func TestBundleAgain(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.record("org_acme", 10, "doc.opened")
	b := &erasing{Book: f.book, f: f}
	b.left.Store(2)
	r := f.runner(b, export.Options{})
	f.create(r, control.Export{Format: export.Bundle})
	x := f.wait()
	if x.State != control.ExportReady || x.Size != 12 || x.Rows != 12 {
		t.Fatalf("%+v", x)
	}
	if report := proved(t, f.content(r, x)); report.Exit() != 0 || report.Size != 12 {
		t.Errorf("%+v", report)
	}
}

// TestBundleResume: one that a shutdown interrupts begins again.
func TestBundleResume(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.record("org_acme", 10, "doc.opened")
	h := &halting{Book: f.book, came: make(chan struct{})}
	r := f.runner(h, export.Options{})
	f.create(r, control.Export{Format: export.Bundle})
	<-h.came
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r = f.runner(f.book, export.Options{})
	x := f.wait()
	if report := proved(t, f.content(r, x)); report.Exit() != 0 || report.Entries != 10 {
		t.Errorf("%+v", report)
	}
}

// halting is a Book that never ends a bundle.
type halting struct {
	export.Book
	came chan struct{}
}

func (h *halting) WriteBundle(ctx context.Context, w io.Writer, _ daybook.BundleQuery) (daybook.BundleStat, error) {
	_, err := io.WriteString(w, "half a bundle")
	close(h.came)
	<-ctx.Done()
	return daybook.BundleStat{}, errors.Join(ctx.Err(), err)
}
