// Package facets counts the values of a few fields over many entries: by entry, for the block that holds them, and by blocks, for all that a
// question finds. The counts of a block name its most frequent values exactly; what a sum of blocks can be wrong by is known and said.
package facets

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"hash/maphash"
	"slices"

	"github.com/daybook-audit/daybook/internal/stored"
	"github.com/daybook-audit/daybook/leaf"
)

// version is the first byte of a block's facets.
const version = 1

// maxCount is more than the entries of any log.
const maxCount = 1 << 53

// field is what is counted, and how many of its values are named.
type field struct {
	name string
	top  int
}

// The fields in the order in which they are stored.
var fields = [...]field{{"action", 64}, {"actor.type", 64}, {"target.type", 64}, {"outcome", 64}, {"actor.id", 16}}

// counts says, for each of fields, how many entries hold which value.
type counts [len(fields)]count

// count counts the entries that hold each value of one field. The counts of the named values are exact; a value that is not
// named is held by at most unnamed() entries.
type count struct {
	values []value // most frequent first, then bytewise
	other  int64   // entries, counted once for each value of theirs that is not named
}

type value struct {
	text  string
	count int64
}

// unnamed returns the most that a value which is not named can count.
func (c *count) unnamed() int64 {
	if c.other == 0 {
		return 0
	}
	return min(c.other, c.values[len(c.values)-1].count)
}

// parse reads the facets of a block.
func parse(text []byte) (c counts, err error) {
	r, err := stored.Open(text, version, "facets")
	if err != nil {
		return c, err
	}
	for i := range c {
		values := make([]value, r.Count(int64(fields[i].top)))
		for j := range values {
			v := &values[j]
			v.text = string(r.Bytes(leaf.MaxPayload))
			v.count = r.Count(maxCount)
			if v.count == 0 || j > 0 && v.count > values[j-1].count {
				r.Refuse()
			}
		}
		c[i].values, c[i].other = values, r.Count(maxCount)
		if c[i].other > 0 && len(values) == 0 {
			r.Refuse()
		}
	}
	if !r.End() {
		return counts{}, stored.Damaged("facets of %d bytes", len(text))
	}
	return c, nil
}

// MinEntries is the number of entries from which a block has facets; smaller ones are read.
const MinEntries = 64

// Counter counts the values of the fields over entries, reusing its memory. It belongs to one goroutine; the zero value is ready.
type Counter struct {
	fields  [len(fields)]tally
	entries int32
}

// Reset makes t count nothing yet.
func (t *Counter) Reset() {
	t.entries = 0
	for i := range t.fields {
		t.fields[i].reset()
	}
}

// Add counts the fields of one entry and returns its outcome: success, if it does not say.
func (t *Counter) Add(d *leaf.Doc) (outcome []byte) {
	t.entries++
	for i := range d.Len() {
		path := d.Path(i)
		switch string(path) {
		case "/action":
			t.fields[0].add(d.Value(i), t.entries)
		case "/actor/type":
			t.fields[1].add(d.Value(i), t.entries)
		case "/outcome":
			outcome = d.Value(i)
			t.fields[3].add(outcome, t.entries)
		case "/actor/id":
			t.fields[4].add(d.Value(i), t.entries)
		default:
			if bytes.HasPrefix(path, []byte("/targets/~#")) && bytes.HasSuffix(path, []byte("/type")) && bytes.Count(path, []byte("/")) == 3 {
				t.fields[2].add(d.Value(i), t.entries)
			}
		}
	}
	if outcome == nil {
		outcome = []byte("success")
		t.fields[3].add(outcome, t.entries)
	}
	return outcome
}

// Append adds the stored form of the counts to dst, for [Sum.Block]: the version, then for each field the number of named values, each with its
// length and count, and the rest.
func (t *Counter) Append(dst []byte) []byte {
	dst = append(dst, version)
	for i := range t.fields {
		dst = t.fields[i].append(dst, fields[i].top)
	}
	return dst
}

// tally counts values: a hash table whose memory is reused, since a block has few different values which meet again and again.
type tally struct {
	values []tallied
	text   []byte
	table  []uint32 // 1 + index into values; 0: free
	seed   maphash.Seed
}

type tallied struct {
	off, len    uint32 // in text
	count, last int32  // last: the entry that was counted last
}

func (t *tally) reset() {
	t.values, t.text = t.values[:0], t.text[:0]
	clear(t.table)
}

// add counts value for an entry, once however often the entry holds it.
func (t *tally) add(value []byte, entry int32) {
	if 2*len(t.values) >= len(t.table) {
		t.grow()
	}
	at := t.slot(value)
	if t.table[at] == 0 {
		t.values = append(t.values, tallied{off: uint32(len(t.text)), len: uint32(len(value))})
		t.text = append(t.text, value...)
		t.table[at] = uint32(len(t.values))
	}
	if v := &t.values[t.table[at]-1]; v.last != entry {
		v.count++
		v.last = entry
	}
}

// slot returns where value is in the table, or the free slot where it belongs.
func (t *tally) slot(value []byte) uint64 {
	mask := uint64(len(t.table) - 1)
	for at := maphash.Bytes(t.seed, value) & mask; ; at = (at + 1) & mask {
		if i := t.table[at]; i == 0 || bytes.Equal(t.value(&t.values[i-1]), value) {
			return at
		}
	}
}

func (t *tally) value(v *tallied) []byte { return t.text[v.off : v.off+v.len] }

func (t *tally) grow() {
	if t.table == nil {
		t.seed = maphash.MakeSeed()
	}
	t.table = make([]uint32, max(64, 2*len(t.table)))
	for i := range t.values {
		t.table[t.slot(t.value(&t.values[i]))] = uint32(i + 1)
	}
}

// append adds the counts: the number of named values, each with its length and count, most frequent first, then the rest. The
// values are reordered, so that nothing may be added afterwards.
func (t *tally) append(dst []byte, top int) []byte {
	slices.SortFunc(t.values, func(a, b tallied) int {
		return cmp.Or(int(b.count-a.count), bytes.Compare(t.value(&a), t.value(&b)))
	})
	top = min(top, len(t.values))
	dst = binary.AppendUvarint(dst, uint64(top))
	other := int64(0)
	for i := range t.values {
		v := &t.values[i]
		if i >= top {
			other += int64(v.count)
			continue
		}
		dst = binary.AppendUvarint(dst, uint64(v.len))
		dst = append(dst, t.value(v)...)
		dst = binary.AppendUvarint(dst, uint64(v.count))
	}
	return binary.AppendUvarint(dst, uint64(other))
}
