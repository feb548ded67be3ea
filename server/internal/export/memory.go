package export

import (
	"sync"

	"github.com/daybook-audit/daybook"
)

// What an export of millions of entries would otherwise allocate again for every few hundred: the collector would run all the time, and
// memory would grow to what it is allowed.

// Bounds of what is kept for the next piece.
const (
	mostPooledBytes   = 4 << 20
	mostPooledEntries = 1024
)

var (
	pieces  sync.Pool // of *[]byte
	entries sync.Pool // of *[]daybook.Entry
)

// takeBytes returns an empty slice with room for about size bytes.
func takeBytes(size int) []byte {
	if b, ok := pieces.Get().(*[]byte); ok && cap(*b) >= size {
		return (*b)[:0]
	}
	return make([]byte, 0, size)
}

// giveBytes gives back what takeBytes returned, wherever it has grown to.
func giveBytes(b []byte) {
	if cap(b) > 0 && cap(b) <= mostPooledBytes {
		pieces.Put(&b)
	}
}

func takeEntries() []daybook.Entry {
	if es, ok := entries.Get().(*[]daybook.Entry); ok {
		return *es
	}
	return nil
}

// giveEntries forgets what es refer to.
func giveEntries(es []daybook.Entry) {
	if es = es[:cap(es)]; len(es) > 0 && len(es) <= mostPooledEntries {
		clear(es)
		es = es[:0]
		entries.Put(&es)
	}
}
