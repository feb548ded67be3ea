package main

import (
	"io"
	"path/filepath"
	"testing"
	"time"
)

// BenchmarkSample is what a first `daybook dev` waits for.
func BenchmarkSample(b *testing.B) {
	for b.Loop() {
		e := newEnv(nil, io.Discard, io.Discard, func(string) string { return "" })
		e.now = time.Now
		if err := e.makeSample(b.Context(), filepath.Join(b.TempDir(), "daybook.db")); err != nil {
			b.Fatal(err)
		}
	}
}
