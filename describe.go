package daybook

import (
	"math"

	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/query"
)

// maxKeptTerms is up to how many terms the memory for them is kept: several times what a block of ordinary events has.
const maxKeptTerms = 256 << 10

// emptySpan holds no time.
var emptySpan = Span{Min: math.MaxInt64, Max: math.MinInt64}

// add widens s to hold t.
func (s *Span) add(t int64) { s.Min, s.Max = min(s.Min, t), max(s.Max, t) }

// describer gathers what the meta of a run of entries says, be they a block or a window of the tail, reusing its memory. It belongs
// to one goroutine; the zero value is ready.
type describer struct {
	record query.Record
	terms  []query.Term
	met    query.Met
	set    termSet
	facets facetTally
	days   dayTally
}

// begin begins a run, of which meta is to speak.
func (d *describer) begin(meta *BlockMeta) {
	meta.Received, meta.Occurred, meta.Late = emptySpan, emptySpan, emptySpan
	d.facets.reset()
	d.days.reset()
	d.terms = d.terms[:0]
	d.met.Reset()
}

// add adds the next entry of the run, one of org; to days only if it is fresh: not counted there yet. It leaves e's payload in doc.
func (d *describer) add(meta *BlockMeta, org OrgID, e *packed, doc *leaf.Doc, fresh bool) error {
	meta.Raw += len(e.body)
	if e.kind == KindControl {
		meta.State |= stateControl
	}
	if e.form != formWhole {
		meta.State |= stateErased
	}
	if !hasLeaf(e.form) {
		return nil
	}
	meta.Received.add(e.received)
	d.terms = append(d.terms, query.NewTerm('i', e.id[:]))
	if e.pruned() { // no search finds it, and nothing counts it, but its id does
		return nil
	}
	if err := e.recordWithoutID(org, doc, &d.record); err != nil {
		return err
	}
	meta.Live++
	occurred := d.record.Occurred
	if off := occurred - e.received; off > microsPerDay || off < -microsPerDay {
		meta.Late.add(occurred)
	} else {
		meta.Occurred.add(occurred)
	}
	d.terms = d.met.AppendTerms(d.terms, &d.record)
	outcome := d.facets.add(doc)
	if fresh {
		d.days.add(occurred, outcome)
	}
	return nil
}

// trim gives back memory that few runs need. It ends the run.
func (d *describer) trim() {
	if len(d.terms) > maxKeptTerms {
		d.terms, d.set = nil, termSet{}
	}
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

func (t *dayTally) addTimes(occurred int64, outcome []byte, n int64) {
	t.of(dayKey(occurred).B).addTimes(occurred, outcome, n)
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
