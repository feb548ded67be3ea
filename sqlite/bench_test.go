package sqlite_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/sqlite"
)

func open(tb testing.TB, path string) *sqlite.Store {
	tb.Helper()
	s, err := sqlite.Open(path, sqlite.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

func commit(prev daybook.CommitNo, size int) *daybook.Commit {
	c := &daybook.Commit{Prev: prev, At: 1_700_000_000_000_000 + int64(prev), Entries: 1, Raw: size, Bytes: make([]byte, max(size, 24))}
	rand.Read(c.Bytes)
	copy(c.ID[:], c.Bytes[8:24])
	return c
}

// BenchmarkAppend is the store's part of a commit: of one event, of a hundred, of a thousand; and of 64 events with a key each.
func BenchmarkAppend(b *testing.B) {
	for _, c := range []struct{ size, keys int }{{400, 0}, {400, 1}, {20_500, 0}, {205_000, 0}, {15_000, 64}} {
		b.Run(fmt.Sprintf("bytes=%d/keys=%d", c.size, c.keys), func(b *testing.B) {
			s := open(b, filepath.Join(b.TempDir(), "daybook.db"))
			b.SetBytes(int64(c.size))
			b.ReportAllocs()
			c0 := commit(0, c.size)
			prev := daybook.CommitNo(0)
			for b.Loop() {
				next := *c0
				next.Prev = prev
				for range c.keys {
					k := daybook.Key{KeyRef: daybook.KeyRef{Log: 1}, First: 1, N: 1, Expires: 1 << 40}
					rand.Read(k.Hash[:])
					next.Keys = append(next.Keys, k)
				}
				if err := s.Append(context.Background(), &next); err != nil {
					b.Fatal(err)
				}
				prev++
			}
		})
	}
}
