package daybook

import (
	"context"
	"errors"

	"golang.org/x/mod/sumdb/tlog"
)

// Mark is the largest head of one origin that was ever signed, or was about to be.
type Mark struct {
	Size int64
	Root tlog.Hash
	At   int64 // when it was signed, µs since 1970
}

// HighWater keeps the marks of all origins, outside the store and at best on another volume, so that whoever restores an old copy of
// the store does not restore them with it. Nothing is signed that does not extend its mark. Its methods may be called concurrently, by
// several processes.
type HighWater interface {
	// Mark returns the mark of origin; false: it has none.
	Mark(ctx context.Context, origin string) (Mark, bool, error)
	// Advance replaces the mark old of origin by next, durable on return. ErrMarkMoved, and nothing is changed, unless old is the stored
	// mark in all its fields; the zero Mark stands for none. It MUST refuse a next that is smaller or earlier than old. After another
	// error the mark may be old or next: ask for it.
	Advance(ctx context.Context, origin string, old, next Mark) error
	// Reset puts a mark whatever there is, durable on return. It is for the repair of a lost high-water store and nothing else: whoever
	// calls it answers for what was signed before.
	Reset(ctx context.Context, origin string, to Mark) error
}

// ErrMarkMoved is returned by Advance when the stored mark is another than the one given. Nothing was changed.
var ErrMarkMoved = errors.New("daybook: the high-water mark moved")
