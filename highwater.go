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

	// AddRemoval keeps r beside the marks, durable on return. One of the same Origin and Seq stays as it is.
	AddRemoval(ctx context.Context, r Removal) error
	// Removals returns what was kept, by Origin and Seq.
	Removals(ctx context.Context) ([]Removal, error)
	// ForgetRemovals removes what was kept with an At before a time, µs since 1970: no copy of the store is older than that.
	ForgetRemovals(ctx context.Context, before int64) error
}

// Removal says that something was removed from the store for good: whoever restores an older copy of the store removes it again. It names
// places in a log and never what was there.
type Removal struct {
	Origin string // of the log in which the control entry stands, or that was dropped
	Seq    int64  // of the control entry; −1: the log was dropped
	Text   string // what the control entry said
	At     int64  // when it was to be removed, µs since 1970
}

// ErrMarkMoved is returned by Advance when the stored mark is another than the one given. Nothing was changed.
var ErrMarkMoved = errors.New("daybook: the high-water mark moved")
