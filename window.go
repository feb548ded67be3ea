package daybook

import (
	"slices"
	"sync"

	"github.com/daybook-audit/daybook/internal/packed"
	"github.com/daybook-audit/daybook/internal/termfilter"
)

// windowSize is the number of seqs of a window, an aligned run that no block crosses.
const windowSize = packed.Window

// A whole window of the tail is described like a block, with bounds, filter and facets, when a search first has to read it entry by
// entry: the next search asks the description. The tail changes at its end only, so that a description stays true.

// Of the windows that a search meets in the tail, the first are only read: mostly a page is full by then. One that looks for
// literals, which is quick without, describes a few all the same, so that the next has less to do.
const (
	readFirst    = 2
	literalFirst = 4
)

// tailWindow describes a whole window of the tail.
type tailWindow struct {
	BlockMeta
	days dayTally
}

func (t *tailWindow) bytes() int64 {
	const itself = 512
	return int64(itself+len(t.Filter)+len(t.Facets)) + t.days.Bytes()
}

// tailPlace is where an entry of the tail is.
type tailPlace struct{ run, at int }

// locate finds the entries [lo, hi) of the tail, which lie in one window.
func (s *scan) locate(lo, hi int64) {
	runs := s.view.runs
	i, found := slices.BinarySearchFunc(runs, lo, func(r tailRun, seq int64) int { return int(r.first() - seq) })
	if !found {
		i--
	}
	at := int(lo - runs[i].first())
	for k := range hi - lo {
		for at == runs[i].len() {
			i, at = i+1, 0
		}
		s.places[k] = tailPlace{i, at}
		at++
	}
}

// describe returns the description of the located window that begins at first, which is made unless it is cached; nil when it is
// not to be made now.
func (s *scan) describe(first int64, mayMake bool) (*tailWindow, error) {
	if t := s.b.cache.window(s.view.head.Log, first/windowSize); t != nil {
		return t, nil
	}
	if !mayMake {
		return nil, nil
	}
	d, _ := describers.Get().(*describer)
	defer describers.Put(d)
	t, err := d.window(s, first)
	if err == nil {
		s.b.cache.putWindow(s.view.head.Log, first/windowSize, t)
	}
	return t, err
}

var describers = sync.Pool{New: func() any { return new(describer) }}

// window describes the located window that begins at first.
func (d *describer) window(s *scan, first int64) (*tailWindow, error) {
	t := &tailWindow{BlockMeta: BlockMeta{BlockRef: BlockRef{First: first}, N: windowSize}}
	d.begin(&t.BlockMeta)
	u := unit{first: first, n: windowSize, scan: s}
	for i := range windowSize {
		e := u.entry(i)
		if err := d.add(&t.BlockMeta, s.org, &e, s.doc, true); err != nil {
			return nil, err
		}
	}
	t.Filter = d.set.Append(nil, d.terms, first, termfilter.PieceFill)
	t.Facets = d.facets.Append(nil)
	t.days, d.days = d.days, dayTally{}
	d.trim()
	return t, nil
}
