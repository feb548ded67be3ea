package leaf

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// What is hashed begins with one of these bytes, so that no hash of one kind can be taken for one of another.
const (
	tagLeaf  = 0x00
	tagField = 0x02
	tagRoot  = 0x03
	tagSalts = 0x04
)

// sortKey is a field's place in the sorted order: the first 16 bytes of its path as two numbers settle most comparisons.
type sortKey struct {
	high, low uint64
	field     int
}

// Sort brings the fields into the order of their paths, bytewise ascending. The index of a field in this order is its name in
// commitments and in control entries.
func (d *Doc) Sort() {
	n := len(d.fields)
	if len(d.order) != n {
		d.order = d.order[:0]
		for i := range n {
			d.order = append(d.order, i)
		}
	}
	// The fields come in the order that the last ones were sorted into. Events of one producer look alike, and then they are sorted now.
	d.keys = slices.Grow(d.keys[:0], n)[:n]
	d.arena = slices.Grow(d.arena, 16)
	whole := d.arena[:cap(d.arena)]
	for i, of := range d.order {
		f, k := &d.fields[of], &d.keys[i]
		k.high, k.low = prefix(whole[f.path:], f.pathEnd-f.path)
		k.field = of
	}
	d.sortKeys()
	d.sorted = d.sorted[:0]
	for i := range d.keys {
		d.order[i] = d.keys[i].field
		d.sorted = append(d.sorted, d.fields[d.order[i]])
	}
	d.fields, d.sorted = d.sorted, d.fields
}

// prefix returns the first 16 bytes of the path of n bytes that b begins with, zeros behind a shorter one; b has at least 16. A path
// holds no zero byte, so equal numbers mean equal bytes, and equal paths if they are shorter than 17 bytes.
func prefix(b []byte, n uint32) (high, low uint64) {
	high, low = binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])
	switch {
	case n >= 16:
		return high, low
	case n >= 8:
		return high, low >> (8 * (16 - n)) << (8 * (16 - n))
	}
	return high >> (8 * (8 - n)) << (8 * (8 - n)), 0
}

// sortKeys sorts keys by path. Most events have few fields, settled by the numbers alone: for them plain insertion beats
// slices.SortFunc, which calls a function for each comparison (BenchmarkSort).
func (d *Doc) sortKeys() {
	if len(d.keys) > 48 {
		slices.SortFunc(d.keys, func(a, b sortKey) int {
			if d.less(&a, &b) {
				return -1
			}
			return 1 // never equal: no two fields have one path
		})
		return
	}
	for i := 1; i < len(d.keys); i++ {
		k := d.keys[i]
		j := i
		for ; j > 0; j-- {
			before := &d.keys[j-1]
			if before.high < k.high || before.high == k.high && !d.less(&k, before) {
				break
			}
			d.keys[j] = *before
		}
		d.keys[j] = k
	}
}

func (d *Doc) less(a, b *sortKey) bool {
	switch {
	case a.high != b.high:
		return a.high < b.high
	case a.low != b.low:
		return a.low < b.low
	}
	return bytes.Compare(d.Path(a.field), d.Path(b.field)) < 0
}

// Root returns the payload root: the hash over the salted commitments to all fields. It sorts the fields as [Doc.Sort] does.
func (d *Doc) Root(secret *[16]byte) [32]byte {
	d.Sort()
	d.commits = append(d.commits[:0], tagRoot)
	d.commits = binary.BigEndian.AppendUint32(d.commits, uint32(len(d.fields)))
	var pair [32]byte
	for i := range d.fields {
		if i%2 == 0 {
			pair = salts(secret, i/2)
		}
		f := &d.fields[i]
		d.message = appendField(d.message[:0], pair[i%2*16:i%2*16+16], d.arena[f.path:f.pathEnd], f.kind, d.Value(i))
		c := sha256.Sum256(d.message)
		d.commits = append(d.commits, c[:]...)
	}
	return sha256.Sum256(d.commits)
}

// salts returns the salts of fields 2k and 2k+1.
func salts(secret *[16]byte, k int) [32]byte {
	var b [19]byte
	b[0] = tagSalts
	copy(b[1:], secret[:])
	binary.BigEndian.PutUint16(b[17:], uint16(k))
	return sha256.Sum256(b[:])
}

// appendField appends what the commitment to a field is the hash of.
func appendField(dst, salt, path []byte, kind byte, value []byte) []byte {
	dst = append(dst, tagField)
	dst = append(dst, salt...)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(path)))
	dst = append(dst, path...)
	dst = append(dst, kind)
	return append(dst, value...)
}
