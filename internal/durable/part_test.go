package durable

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPart(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	name := filepath.Join(folder, "out.csv")
	p, err := Resume(name, 0o600, 0)
	if err != nil {
		t.Fatal(err)
	}
	write(t, p, "kept")
	if err := p.Sync(); err != nil {
		t.Fatal(err)
	}
	write(t, p, " and lost")
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"out.csv.part"}, names(t, folder)); d != "" {
		t.Errorf("an unfinished file shows: %s", d)
	}
	if err := Sweep(folder); err != nil {
		t.Fatal(err)
	}
	if p, err = Resume(name, 0o600, 4); err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 4)
	if _, err := p.ReadAt(head, 0); err != nil || string(head) != "kept" {
		t.Errorf("read %q, %v", head, err)
	}
	write(t, p, " on")
	if err := p.Commit(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, name); got != "kept on" {
		t.Errorf("%q", got)
	}
	at, err := os.Stat(name)
	if err != nil || at.Mode() != 0o600 {
		t.Errorf("%v, %v", at.Mode(), err)
	}
	if err := RemovePart(name); err != nil {
		t.Fatal(err)
	}
	if err := RemovePart(name); err != nil {
		t.Errorf("a second time: %v", err)
	}
	if d := cmp.Diff([]string{}, names(t, folder)); d != "" {
		t.Errorf("files are left: %s", d)
	}
}

func write(t *testing.T, p *Part, text string) {
	t.Helper()
	if _, err := p.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

func TestPartFails(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	name := filepath.Join(folder, "out")
	if _, err := Resume(name, 0o600, 1); !errors.Is(err, ErrShort) {
		t.Errorf("nothing is there to go on with: %v", err)
	}
	fire := errors.New("fire")
	for _, c := range []struct {
		what  string
		calls calls
		left  []string
	}{
		{"sync", calls{sync: func(f *os.File) error {
			if f.Name() != folder {
				return fire
			}
			return nil
		}, rename: os.Rename}, []string{"out.part"}},
		{"rename", calls{sync: (*os.File).Sync, rename: func(string, string) error { return fire }}, []string{"out.part"}},
	} {
		p, err := resume(name, 0o600, 0, c.calls)
		if err != nil {
			t.Fatal(err)
		}
		write(t, p, "x")
		if err := p.Commit(); !errors.Is(err, fire) || errors.Is(err, ErrUnsynced) {
			t.Errorf("%s: %v", c.what, err)
		}
		if d := cmp.Diff(c.left, names(t, folder)); d != "" {
			t.Errorf("%s: %s", c.what, d)
		}
	}
	late := false
	p, err := resume(name, 0o600, 0, calls{rename: os.Rename, sync: func(f *os.File) error {
		if late && f.Name() == folder {
			return fire
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	late = true
	if err := p.Commit(); !errors.Is(err, ErrUnsynced) {
		t.Errorf("folder: %v", err)
	}
}
