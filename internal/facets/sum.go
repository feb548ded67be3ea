package facets

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/daybook-audit/daybook/leaf"
)

// Field says how many entries have which value of one field. An entry with several targets counts for each of their types.
type Field struct {
	Name   string
	Values []Value // most frequent first
	Other  int64   // entries with other values, once for each
}

// Value is one value of a field.
type Value struct {
	Text   string
	Count  int64
	Excess int64 // the count may be too high by so much
}

// Sum adds up entries and whole blocks. It belongs to one goroutine.
type Sum struct {
	asked  []int // places in fields
	tally  Counter
	blocks [len(fields)]blockSum
}

// blockSum adds up one field over blocks.
type blockSum struct {
	values  map[string]*valueSum
	other   int64
	unnamed int64 // the most that a value named by no block can count
}

type valueSum struct {
	count   int64
	unnamed int64 // of the blocks that name the value
}

// NewSum returns a sum of the fields with these names, nil: of all. unknown is a name that no field has, if there is one.
func NewSum(names []string) (s *Sum, unknown string) {
	s = &Sum{}
	for i := range fields {
		s.blocks[i].values = map[string]*valueSum{}
		if names == nil {
			s.asked = append(s.asked, i)
		}
	}
	for _, name := range names {
		i := slices.IndexFunc(fields[:], func(f field) bool { return f.name == name })
		if i < 0 {
			return nil, name
		}
		s.asked = append(s.asked, i)
	}
	return s, ""
}

// Empty reports whether s is a sum of no fields: then nothing need be added.
func (s *Sum) Empty() bool { return len(s.asked) == 0 }

// Full reports whether no more entries can be added.
func (s *Sum) Full() bool { return s.tally.entries == math.MaxInt32 }

// Entry adds an entry.
func (s *Sum) Entry(d *leaf.Doc) { s.tally.Add(d) }

// Block adds a whole block by its facets, which [Counter.Append] made. After an error nothing was added.
func (s *Sum) Block(text []byte) error {
	c, err := parse(text)
	if err != nil {
		return err
	}
	for _, i := range s.asked {
		unnamed, sum := c[i].unnamed(), &s.blocks[i]
		sum.other += c[i].other
		sum.unnamed += unnamed
		for _, v := range c[i].values {
			have := sum.of(v.text)
			have.count += v.count
			have.unnamed += unnamed
		}
	}
	return nil
}

// of returns the sum of a value.
func (b *blockSum) of(value string) *valueSum {
	have := b.values[value]
	if have == nil {
		have = &valueSum{}
		b.values[value] = have
	}
	return have
}

// Fields returns the sums in the order asked for, of each field at most top values: those that are certain to be most frequent first.
// Nothing may be added afterwards.
func (s *Sum) Fields(top int) []Field {
	out := make([]Field, 0, len(s.asked))
	for _, i := range s.asked {
		sum, t := &s.blocks[i], &s.tally.fields[i]
		for j := range t.values {
			sum.of(string(t.value(&t.values[j]))).count += int64(t.values[j].count)
		}
		values := make([]Value, 0, len(sum.values))
		for v, have := range sum.values {
			values = append(values, Value{Text: v, Count: have.count, Excess: sum.unnamed - have.unnamed})
		}
		slices.SortFunc(values, func(a, b Value) int {
			return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Text, b.Text))
		})
		field := Field{Name: fields[i].name, Other: sum.other}
		for _, v := range values[min(top, len(values)):] {
			field.Other += v.Count
		}
		field.Values = values[:min(top, len(values))]
		for j := range field.Values {
			field.Values[j].Count += field.Values[j].Excess
		}
		out = append(out, field)
	}
	return out
}
