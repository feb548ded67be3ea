package leaf

import (
	"bytes"
	"encoding/binary"
	"slices"
	"unicode/utf8"
)

// Judging: walk reads a text that nobody has read before in one pass, and accepts it alone. Whatever it doubts, the tokenizer reads
// again: that one says what is wrong, in the words that producers know, or that nothing is. So walk may refuse too much, which costs
// time, and must not accept too much, which FuzzLeafRead holds.

// name is one that an object has.
type name struct {
	key     uint64 // of names with different keys nothing more need be compared
	at, end uint32 // of its component, in the arena
}

// maxJudged bounds the names of one object that walk compares with each other: the tokenizer has a map for more.
const maxJudged = 64

// quiet reports whether no byte of text is a control character and all of it is UTF-8: then every string in it is too.
func quiet(text []byte) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	var control, high uint64
	rest := text
	for ; len(rest) >= 8; rest = rest[8:] {
		w := binary.LittleEndian.Uint64(rest)
		control |= (w - 0x20*ones) &^ w // the high bit of each byte that is below 0x20, and of some above such a one
		high |= w
	}
	for _, c := range rest {
		if c < 0x20 {
			return false
		}
		high |= uint64(c)
	}
	return control&highs == 0 && (high&highs == 0 || utf8.Valid(text))
}

// twice reports whether in has a name whose component is the arena from at on, or too many to tell; else it keeps this one.
func (d *Doc) twice(in *level, at int) bool {
	component := d.arena[at:]
	key := nameKey(component)
	others := d.names[in.names:]
	if len(others) == maxJudged {
		return true
	}
	for i := range others {
		if o := &others[i]; o.key == key && bytes.Equal(d.arena[o.at:o.end], component) {
			return true
		}
	}
	n := len(d.names)
	d.names = slices.Grow(d.names, 1)[:n+1]
	o := &d.names[n]
	o.key, o.at, o.end = key, uint32(at), uint32(len(d.arena))
	return false
}

// nameKey returns the first bytes, the last bytes and the length of a component in one number.
func nameKey(b []byte) uint64 {
	n := len(b)
	switch {
	case n >= 8:
		return binary.LittleEndian.Uint64(b) ^ binary.LittleEndian.Uint64(b[n-8:])<<1 ^ uint64(n)
	case n >= 4:
		return uint64(binary.LittleEndian.Uint32(b))<<32 | uint64(binary.LittleEndian.Uint32(b[n-4:])) ^ uint64(n)
	case n > 0:
		return uint64(b[0])<<16 | uint64(b[n/2])<<8 | uint64(b[n-1]) | uint64(n)<<24
	}
	return 0
}
