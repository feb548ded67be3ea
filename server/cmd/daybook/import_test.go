package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What remembers an import is for a file whose records are the same: another one is refused, whatever its form.
func TestImportState(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state")
	if s, err := readImportState(path); err != nil || s.Line != 0 {
		t.Errorf("nothing was imported: %+v, %v", s, err)
	}
	if err := os.WriteFile(path, []byte(`{"line":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readImportState(path); err == nil {
		t.Error("a damaged state is read")
	}
	im := &importer{state: path}
	if err := im.remember(7, [32]byte{1}); err != nil {
		t.Fatal(err)
	}
	if s, err := readImportState(path); err != nil || s.Line != 7 || !strings.HasPrefix(s.SHA256, "0100") {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestMemoryFor(t *testing.T) {
	t.Parallel()
	for tail, want := range map[int64]int64{0: leastMemory, 20 << 20: leastMemory, 80 << 20: 200 << 20, 1 << 40: mostMemory} {
		if got := memoryFor(tail, 500); got != want {
			t.Errorf("with a tail of %d: %d, not %d", tail, got, want)
		}
	}
	if got := memoryFor(0, 10_500); got < leastMemory+10_000*connection || got > leastMemory+10_000*connection+8<<20 {
		t.Errorf("with 10,500 connections: %d", got)
	}
}
