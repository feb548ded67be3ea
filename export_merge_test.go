package daybook

import (
	"context"

	"github.com/daybook-audit/daybook/internal/facets"
	"github.com/daybook-audit/daybook/internal/packed"
	"github.com/daybook-audit/daybook/internal/termfilter"
	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/query"
)

// What the tests of package daybook_test need of blocks and of the merger.

const (
	WindowSize = windowSize
	StateWhole = stateWhole
	SlipDay    = slipDay
	SlipEdge   = slipEdge
)

// BlockEntry is an entry as a block holds it.
type BlockEntry struct {
	Entry
	Occurred int64
	Terms    []query.Term
}

// ReadBlock unpacks a block.
func ReadBlock(org OrgID, data []byte) (logID [10]byte, es []BlockEntry, err error) {
	b, err := packed.ReadBlock(data, nil)
	if err != nil {
		return logID, nil, ofStored(err)
	}
	d := leaf.Get()
	defer leaf.Put(d)
	for i := range b.Len() {
		p := b.Entry(i)
		var r query.Record
		if err := readRecord(&p, org, d, &r); err != nil {
			return logID, nil, err
		}
		e := BlockEntry{Occurred: r.Occurred, Terms: query.AppendTerms(nil, &r)}
		e.Entry = Entry{Org: org, Seq: p.Seq, ID: p.ID, ReceivedAt: p.Received, Kind: p.Kind, Payload: p.Text(nil)}
		if err := d.Read(e.Payload); err != nil {
			return logID, nil, err
		}
		l := leaf.Leaf{Kind: p.Kind, Seq: p.Seq, ReceivedAt: p.Received, ID: p.ID, Root: d.Root(&p.Secret)}
		e.LeafHash = l.Hash()
		es = append(es, e)
	}
	return b.Log.ID, es, nil
}

// FilterHas is filterHas.
func FilterHas(filter []byte, first int64, t query.Term) bool {
	return termfilter.Has(filter, first, t)
}

// DayTotals reads a day slip: total, failure, denied of each hour.
func DayTotals(b []byte) (h [24][3]int64, err error) {
	d, err := readDay(b)
	for i := range h {
		h[i] = [3]int64{d.Hour[i].Total, d.Hour[i].Failure, d.Hour[i].Denied}
	}
	return h, err
}

// FacetValues reads facets: count by field and value.
func FacetValues(b []byte) (map[string]map[string]int64, error) {
	sum, _ := facets.NewSum(nil)
	if err := sum.Block(b); err != nil {
		return nil, err
	}
	m := map[string]map[string]int64{}
	for _, f := range sum.Fields(64) {
		m[f.Name] = map[string]int64{}
		for _, v := range f.Values {
			m[f.Name][v.Text] = v.Count
		}
		if f.Other > 0 {
			m[f.Name]["(other)"] = f.Other
		}
	}
	return m, nil
}

// MergeTail merges what is committed and leaves the debt.
func (b *Book) MergeTail(ctx context.Context) error {
	b.merger.mu.Lock()
	defer b.merger.mu.Unlock()
	for _, s := range b.shards {
		if err := b.merger.mergeTail(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// HoldMerger keeps the merger from working until release is called.
func (b *Book) HoldMerger() (release func()) {
	b.merger.mu.Lock()
	return b.merger.mu.Unlock
}
