package daybook

import (
	"math"

	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/query"
)

// The states of a block, in its meta.
const (
	statePiece = 0 // soon to become part of a larger one
	stateWhole = 1 // its window, or as much of it as fits: never rewritten for size
)

// emptySpan holds no time.
var emptySpan = Span{Min: math.MaxInt64, Max: math.MinInt64}

// add widens s to hold t.
func (s *Span) add(t int64) { s.Min, s.Max = min(s.Min, t), max(s.Max, t) }

// maxKeptTerms is up to how many terms the memory for them is kept: several times what a block of ordinary events has.
const maxKeptTerms = 256 << 10

// blockBuilder makes blocks with everything that their metas say, reusing its memory. It belongs to one goroutine; the zero value is
// ready. All its work is on the entries it is given: it holds no lock and asks no store.
type blockBuilder struct {
	writer blockWriter
	record query.Record
	terms  []query.Term
	met    query.Met
	set    termSet
	facets facetTally
	days   dayTally // of the last build
	out    []byte
}

// build makes the block of es, consecutive entries of the log that h names; ref, state and roots are those of p. The entries from
// fresh on are counted in days. The block is valid until the next build.
func (bb *blockBuilder) build(h *Head, es []packed, p *piece, fresh int) (Block, error) {
	meta := BlockMeta{
		BlockRef: p.BlockRef, N: len(es), Live: len(es), State: p.state, Roots: p.roots,
		Received: Span{es[0].received, es[len(es)-1].received}, Occurred: emptySpan, Late: emptySpan,
	}
	bb.facets.reset()
	bb.days.reset()
	bb.terms = bb.terms[:0]
	bb.met.Reset()
	doc := leaf.Get()
	defer leaf.Put(doc)
	for i := range es {
		if err := es[i].recordWithoutID(h.Org, doc, &bb.record); err != nil {
			return Block{}, err
		}
		meta.Raw += len(es[i].body)
		occurred := bb.record.Occurred
		if d := occurred - es[i].received; d > microsPerDay || d < -microsPerDay {
			meta.Late.add(occurred)
		} else {
			meta.Occurred.add(occurred)
		}
		bb.terms = append(bb.met.AppendTerms(bb.terms, &bb.record), query.NewTerm('i', es[i].id[:]))
		outcome := bb.facets.add(doc)
		if i >= fresh {
			bb.days.add(occurred, outcome)
		}
	}
	fill, codec := pieceFill, byte(codecS2)
	if p.state == stateWhole {
		fill, codec = wholeFill, codecZstd
	}
	bb.out = bb.writer.append(bb.out[:0], h, es, codec)
	packed := len(bb.out)
	bb.out = bb.set.appendFilter(bb.out, bb.terms, fill)
	filtered := len(bb.out)
	if len(es) >= minFacets {
		bb.out = bb.facets.append(bb.out)
	}
	meta.Filter, meta.Facets = bb.out[packed:filtered], bb.out[filtered:]
	if len(bb.terms) > maxKeptTerms {
		bb.terms, bb.set = nil, termSet{}
	}
	return Block{BlockMeta: meta, Bytes: bb.out[:packed]}, nil
}

// dayTally counts the entries of one log by day: few days, the last one again and again.
type dayTally struct {
	days   []uint32
	counts []dayCounts
}

func (t *dayTally) reset() { t.days, t.counts = t.days[:0], t.counts[:0] }

func (t *dayTally) add(occurred int64, outcome []byte) {
	t.of(dayKey(occurred).B).add(occurred, outcome)
}

// of returns the counts of a day.
func (t *dayTally) of(day uint32) *dayCounts {
	for i := len(t.days) - 1; i >= 0; i-- {
		if t.days[i] == day {
			return &t.counts[i]
		}
	}
	t.days = append(t.days, day)
	t.counts = append(t.counts, dayCounts{})
	return &t.counts[len(t.counts)-1]
}
