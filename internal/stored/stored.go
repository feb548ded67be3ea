// Package stored reads the small binary texts that Daybook has stored itself: a version, then integers as varints, and bytes with their length
// in front. What cannot be right is a [DamageError], what a later version of Daybook wrote is [ErrNewer].
package stored

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrNewer says that a later version of Daybook wrote what was to be read.
var ErrNewer = errors.New("daybook: made by a newer version")

// DamageError says that stored bytes contradict each other.
type DamageError struct {
	Text string // without anything of what was recorded
	Err  error  // the cause; may be nil
}

// Error returns the text, followed by the cause.
func (d *DamageError) Error() string {
	if d.Err == nil {
		return d.Text
	}
	return d.Text + ": " + d.Err.Error()
}

// Unwrap returns the cause.
func (d *DamageError) Unwrap() error { return d.Err }

// Damaged returns a DamageError without a cause.
func Damaged(format string, args ...any) error {
	return &DamageError{Text: fmt.Sprintf(format, args...)}
}

// Reader reads from the front of a text. After the first thing that cannot be right it is bad, and everything it returns is zero.
type Reader struct {
	rest []byte
	bad  bool
}

// Open returns a reader of what follows the version in text. The error, a DamageError or ErrNewer, calls the text what.
func Open(text []byte, version byte, what string) (Reader, error) {
	switch {
	case len(text) == 0:
		return Reader{}, Damaged("%s without a byte", what)
	case text[0] != version:
		return Reader{}, fmt.Errorf("%s of version %d: %w", what, text[0], ErrNewer)
	}
	return Reader{rest: text[1:]}, nil
}

// Read returns a reader of a text that has no version.
func Read(text []byte) Reader { return Reader{rest: text} }

// Count reads an integer of at most most.
func (r *Reader) Count(most int64) int64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 || v > uint64(most) || r.bad {
		r.bad = true
		return 0
	}
	r.rest = r.rest[n:]
	return int64(v)
}

// Int reads a signed integer.
func (r *Reader) Int() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 || r.bad {
		r.bad = true
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// Bytes reads a length that is not over most, and so many bytes, which are a part of the text.
func (r *Reader) Bytes(most int64) []byte {
	return r.Take(int(r.Count(most)))
}

// Take reads n bytes, which are a part of the text.
func (r *Reader) Take(n int) []byte {
	if n > len(r.rest) {
		r.bad = true
	}
	if r.bad {
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

// Byte reads one byte.
func (r *Reader) Byte() byte {
	if b := r.Take(1); b != nil {
		return b[0]
	}
	return 0
}

// Refuse makes the reader bad: what was read cannot be right.
func (r *Reader) Refuse() { r.bad = true }

// End reports whether all of the text was read and nothing in it was wrong.
func (r *Reader) End() bool { return !r.bad && len(r.rest) == 0 }
