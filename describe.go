package daybook

import (
	"math"

	"github.com/daybook-audit/daybook/internal/facets"
	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/internal/termfilter"
	"github.com/daybook-audit/daybook/internal/timeline"
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
	set    termfilter.Builder
	facets facets.Counter
	days   dayTally
}

// begin begins a run, of which meta is to speak.
func (d *describer) begin(meta *BlockMeta) {
	meta.Received, meta.Occurred, meta.Late = emptySpan, emptySpan, emptySpan
	d.facets.Reset()
	d.days.Reset()
	d.terms = d.terms[:0]
	d.met.Reset()
}

// add adds the next entry of the run, one of org; to days only if it is fresh: not counted there yet. It leaves e's payload in doc.
func (d *describer) add(meta *BlockMeta, org OrgID, e *kept.Entry, doc *leaf.Doc, fresh bool) error {
	meta.Raw += len(e.Body)
	if e.Kind == KindControl {
		meta.State |= stateControl
	}
	if e.Form != kept.FormWhole {
		meta.State |= stateErased
	}
	if !e.Form.HasLeaf() {
		return nil
	}
	meta.Received.add(e.Received)
	d.terms = append(d.terms, query.NewTerm('i', e.ID[:]))
	if e.Pruned() { // no search finds it, and nothing counts it, but its id does
		return nil
	}
	if err := readRecordWithoutID(e, org, doc, &d.record); err != nil {
		return err
	}
	meta.Live++
	occurred := d.record.Occurred
	if off := occurred - e.Received; off > timeline.DayLength || off < -timeline.DayLength {
		meta.Late.add(occurred)
	} else {
		meta.Occurred.add(occurred)
	}
	d.terms = d.met.AppendTerms(d.terms, &d.record)
	outcome := d.facets.Add(doc)
	if fresh {
		d.days.Add(occurred, outcome, 1)
	}
	return nil
}

// trim gives back memory that few runs need. It ends the run.
func (d *describer) trim() {
	if len(d.terms) > maxKeptTerms {
		d.terms, d.set = nil, termfilter.Builder{}
	}
}

// The counts of days that the merger keeps beside the blocks.
type (
	dayCounts = timeline.Day
	dayTally  = timeline.Tally
)

// slipDay is the kind of a day slip: A is 0, B the day, and its content a timeline.Day of the entries that occurred on it.
const slipDay = 4

// dayKey returns the key of the day slip that counts what occurred at a time in µs. Times are of the years 1970 to 9999, whose days
// fit the key.
func dayKey(occurred int64) SlipKey { return SlipKey{Kind: slipDay, B: timeline.DayOf(occurred)} }

// readDay reads a day slip.
func readDay(text []byte) (dayCounts, error) {
	d, err := timeline.ReadDay(text)
	return d, ofStored(err)
}
