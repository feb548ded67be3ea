package daybook

import (
	"github.com/daybook-audit/daybook/internal/facets"
	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/internal/packed"
	"github.com/daybook-audit/daybook/internal/termfilter"
	"github.com/daybook-audit/daybook/leaf"
)

// The states of a block, in its meta: one of the first, and any of the others.
const (
	statePiece = 0 // soon to become part of a larger one
	stateWhole = 1 // its window, or as much of it as fits: never rewritten for size

	stateSize    = 0x0f // mask of the above
	stateControl = 32   // it holds control entries
	stateErased  = 64   // it holds entries that are not whole
)

// blockBuilder makes blocks with everything that their metas say, reusing its memory. It belongs to one goroutine; the zero value is
// ready. All its work is on the entries it is given: it holds no lock and asks no store.
type blockBuilder struct {
	writer packed.BlockWriter
	describer
	out []byte
}

// build makes the block of es, consecutive entries of the log that h names; ref, size and roots are those of p. The entries from
// fresh on are counted in days. The block is valid until the next build.
func (bb *blockBuilder) build(h *Head, es []kept.Entry, p *piece, fresh int) (Block, error) {
	meta := BlockMeta{BlockRef: p.BlockRef, N: len(es), State: p.state, Roots: p.roots}
	bb.begin(&meta)
	doc := leaf.Get()
	defer leaf.Put(doc)
	for i := range es {
		if err := bb.add(&meta, h.Org, &es[i], doc, i >= fresh); err != nil {
			return Block{}, err
		}
	}
	fill, codec := termfilter.PieceFill, packed.S2
	if p.state == stateWhole {
		fill, codec = termfilter.WholeFill, packed.Zstd
	}
	bb.out = bb.writer.Append(bb.out[:0], h.packed(), es, codec)
	end := len(bb.out)
	bb.out = bb.set.Append(bb.out, bb.terms, p.First, fill)
	filtered := len(bb.out)
	if len(es) >= facets.MinEntries {
		bb.out = bb.facets.Append(bb.out)
	}
	meta.Filter, meta.Facets = bb.out[end:filtered], bb.out[filtered:]
	bb.trim()
	return Block{BlockMeta: meta, Bytes: bb.out[:end]}, nil
}

// packed names the log of h as its blocks do.
func (h *Head) packed() packed.Log { return packed.Log{ID: h.LogID, Epoch: h.Epoch} }
