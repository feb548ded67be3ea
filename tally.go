package daybook

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"slices"

	"github.com/daybook-audit/daybook/leaf"
)

// facetsVersion is the first byte of a block's facets. A reader refuses others with [ErrNewer].
const facetsVersion = 1

// The facets of a block, in the order in which they are stored, and how many values of each are named.
var facetFields = [...]struct {
	name string
	top  int
}{{"action", 64}, {"actor.type", 64}, {"target.type", 64}, {"outcome", 64}, {"actor.id", 16}}

// facetCounts says, for each of facetFields, how many entries hold which value.
type facetCounts [len(facetFields)]facetCount

// facetCount counts the entries that hold each value of one field. The counts of the named values are exact; a value that is not
// named is held by at most unnamed() entries.
type facetCount struct {
	values []facetValue // most frequent first, then bytewise
	other  int64        // entries, counted once for each value of theirs that is not named
}

type facetValue struct {
	value string
	count int64
}

// unnamed returns the most that a value which is not named can count.
func (c *facetCount) unnamed() int64 {
	if c.other == 0 {
		return 0
	}
	return min(c.other, c.values[len(c.values)-1].count)
}

// field returns the counts of a field by name, nil if there are none of that name.
func (c *facetCounts) field(name string) *facetCount {
	for i := range facetFields {
		if facetFields[i].name == name {
			return &c[i]
		}
	}
	return nil
}

// parseFacets reads the facets of a block.
func parseFacets(b []byte) (facetCounts, error) {
	var c facetCounts
	if len(b) == 0 {
		return c, damaged("empty facets")
	}
	if b[0] != facetsVersion {
		return c, fmt.Errorf("facets of version %d: %w", b[0], ErrNewer)
	}
	r := columnReader{rest: b[1:]}
	for i := range c {
		values := make([]facetValue, r.uvarint(uint64(facetFields[i].top)))
		for j := range values {
			v := &values[j]
			v.value = string(r.bytes(leaf.MaxPayload))
			v.count = int64(r.uvarint(maxSeq))
			if v.count == 0 || j > 0 && v.count > values[j-1].count {
				r.bad = true
			}
		}
		c[i].values, c[i].other = values, int64(r.uvarint(maxSeq))
		if c[i].other > 0 && len(values) == 0 {
			r.bad = true
		}
	}
	if r.bad || len(r.rest) > 0 {
		return facetCounts{}, damaged("facets of %d bytes", len(b))
	}
	return c, nil
}

// bytes reads a length and that many bytes.
func (r *columnReader) bytes(limit uint64) []byte {
	n := r.uvarint(limit)
	if n > uint64(len(r.rest)) {
		r.bad = true
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

// minFacets is the number of entries from which a block has facets; smaller ones are scanned.
const minFacets = 64

// facetTally counts the values of facetFields over entries, reusing its memory. The zero value is ready.
type facetTally struct {
	fields  [len(facetFields)]tally
	entries int32
}

func (t *facetTally) reset() {
	t.entries = 0
	for i := range t.fields {
		t.fields[i].reset()
	}
}

// add counts the fields of one entry and returns its outcome: success, if it does not say.
func (t *facetTally) add(d *leaf.Doc) (outcome []byte) {
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
		outcome = []byte(Success)
		t.fields[3].add(outcome, t.entries)
	}
	return outcome
}

// append adds the stored form of the counts to dst: the version, then for each field the number of named values, each with its
// length and count, and the rest.
func (t *facetTally) append(dst []byte) []byte {
	dst = append(dst, facetsVersion)
	for i := range t.fields {
		dst = t.fields[i].append(dst, facetFields[i].top)
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
