package daybook

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/internal/merkle"
	"github.com/daybook-audit/daybook/internal/packed"
	"github.com/daybook-audit/daybook/internal/termfilter"
	"github.com/daybook-audit/daybook/leaf"
)

// Excerpt is a part of one log with what proves it, as an evidence bundle shows it. It is a [Store] in memory that only reads: a [Book] over
// it searches, counts and proves like one over the log, as far as the excerpt reaches, its log is frozen, and its checkpoint is the one that
// the excerpt hangs on. An [ExcerptWriter] makes it. It is safe for concurrent use.
type Excerpt struct {
	is     ExcerptHead
	head   Head
	none   BlockMeta  // of a window of which nothing is there
	blocks []Block    // by First; each window that holds anything is covered
	slips  []Slip     // by key
	note   StoredNote // the checkpoint
	root   tlog.Hash

	part    *merkle.Part // the range, and what is beside it
	outside map[int64]excerptEntry
}

// excerptEntry is an entry beside the range: its hash, and how it is proved.
type excerptEntry struct {
	hash  tlog.Hash
	proof []tlog.Hash
}

// ExcerptHead says what an excerpt is of: the entries [From, To) of the tree of Size.
type ExcerptHead struct {
	Org             OrgID // what its log is called here
	Origin          string
	Vkey, ClockVkey string // the second may be empty
	From, To, Size  int64
	Note            []byte      // the checkpoint of Size
	Signed          int64       // when that was signed, µs since 1970; 0: it is not known
	Left, Right     []tlog.Hash // the range proof

	// Filtered says that entries were left out, those that Filter does not find; Mask which fields were.
	Filtered bool
	Filter   string
	Mask     []string
}

// ExcerptEntry is what an excerpt has of one entry: its payload and the secret that opens it, or its fields, or its leaf alone.
type ExcerptEntry struct {
	Leaf    leaf.Leaf
	Secret  [16]byte
	Payload []byte
	Fields  []leaf.Field
	Proof   []tlog.Hash // of one beside the range, in the tree of Size
}

// ExcerptWriter makes an excerpt. It belongs to one goroutine, and checks nothing but that what it is given can be kept: what an excerpt
// says is as good as the check that its content came through.
type ExcerptWriter struct {
	x       *Excerpt
	builder blockBuilder
	tree    *merkle.Growing // of the range

	window  int64        // the first seq of the one being filled; −1: none is
	entries []kept.Entry // of that window
	beside  []kept.Entry // ascending: those beside the range that are in no window yet
	drafts  []draft
	acts    []*control
	days    map[uint32]*dayCounts
}

// draft is a window of which something is missing: why is known only at the end.
type draft struct {
	first int64
	bytes [][]byte // its blocks
}

// NewExcerptWriter begins an excerpt. An error says what of h cannot be.
func NewExcerptWriter(h ExcerptHead) (*ExcerptWriter, error) {
	if !h.Org.Valid() {
		return nil, errInvalidOrg(h.Org)
	}
	if h.From < 0 || h.From >= h.To || h.To > h.Size || h.Size > packed.MaxSeq {
		return nil, &Error{Code: CodeInvalid, Rule: "empty_range", Message: fmt.Sprintf("%d to %d is no range of a tree of size %d", h.From, h.To-1, h.Size)}
	}
	x := &Excerpt{is: h, outside: map[int64]excerptEntry{}, note: StoredNote{Size: h.Size, Note: slices.Clone(h.Note)}}
	x.part = merkle.NewPart(h.From, h.To, h.Size, h.Left, h.Right, func(first, end int64) error {
		return errLeftOut("the hashes of entries %d to %d are not in this excerpt", first, end-1)
	})
	if x.part == nil {
		return nil, &Error{Code: CodeInvalid, Rule: "invalid_value", Message: "the range proof has another number of hashes"}
	}
	sum := sha256.Sum256([]byte(h.Origin))
	x.head = Head{Log: 1, Org: h.Org, State: LogFrozen, Turn: 1, LogID: [10]byte(sum[:]), Packed: h.Size}
	x.none = BlockMeta{State: stateWhole | stateErased, Received: emptySpan, Occurred: emptySpan, Late: emptySpan, Filter: termfilter.Nothing()}
	return &ExcerptWriter{x: x, tree: merkle.Grow(h.From, h.To, h.Left), window: -1, days: map[uint32]*dayCounts{}}, nil
}

// Add adds an entry: first those beside the range, then those in it, each in order. What comes twice or too late is left out.
func (w *ExcerptWriter) Add(e *ExcerptEntry) error {
	p, err := e.packed()
	if err != nil {
		return err
	}
	if p.Kind == KindControl {
		w.act(&p)
	}
	seq := p.Seq
	if inside := seq >= w.x.is.From && seq < w.x.is.To; !inside {
		if seq < 0 || seq >= w.x.is.Size || len(w.beside) > 0 && w.beside[len(w.beside)-1].Seq >= seq {
			return nil
		}
		w.beside = append(w.beside, p)
		w.x.outside[seq] = excerptEntry{e.Leaf.Hash(), slices.Clone(e.Proof)}
		return nil
	}
	if seq < w.tree.Next() {
		return nil
	}
	w.tree.Leaf(seq, e.Leaf.Hash())
	return w.put(&p)
}

// AddHashes adds a run of entries of which only the leaf hashes are there.
func (w *ExcerptWriter) AddHashes(first int64, hs []tlog.Hash) error {
	for i, h := range hs {
		seq := first + int64(i)
		if seq < w.tree.Next() || seq >= w.x.is.To {
			continue
		}
		w.tree.Leaf(seq, h)
		p := kept.Entry{Seq: seq, Form: kept.FormHash, LeafHash: h, Body: kept.Tombstone(kept.LeftOut, "")}
		if err := w.put(&p); err != nil {
			return err
		}
	}
	return nil
}

// packed is e as storage keeps it.
func (e *ExcerptEntry) packed() (kept.Entry, error) {
	l := &e.Leaf
	p := kept.Entry{Seq: l.Seq, Kind: l.Kind, Received: l.ReceivedAt, ID: l.ID}
	switch {
	case e.Payload != nil:
		p.Secret, p.Body = e.Secret, slices.Clone(e.Payload)
	case e.Fields != nil:
		p.Form, p.Body = kept.FormFields, kept.FieldsBody(e.Fields)
	default:
		p.Form, p.Root, p.Body = kept.FormLeaf, tlog.Hash(l.Root), kept.Tombstone(kept.ByRetention, "")
	}
	if len(p.Body) > packed.MaxBytes {
		return p, damaged("entry %d is too large to be kept", l.Seq)
	}
	return p, nil
}

// act keeps what a control entry says of removals and holds, and where it stands.
func (w *ExcerptWriter) act(p *kept.Entry) {
	text, err := p.Remainder()
	if err != nil {
		return
	}
	c, err := parseControl(text)
	if err != nil {
		return // what cannot be read explains nothing
	}
	w.x.slips = append(w.x.slips, (&controlSlip{seq: p.Seq, removes: c.removes(), done: max(1, p.Received)}).slip())
	if c.removes() {
		w.acts = append(w.acts, c)
	}
}

// put puts p into its window, and ends those before it.
func (w *ExcerptWriter) put(p *kept.Entry) error {
	if err := w.open(floorTo(p.Seq, windowSize)); err != nil {
		return err
	}
	w.entries[p.Seq-w.window] = *p
	return nil
}

// open begins a window; those before it are complete.
func (w *ExcerptWriter) open(window int64) error {
	if window == w.window {
		return nil
	}
	if err := w.end(); err != nil {
		return err
	}
	for len(w.beside) > 0 && floorTo(w.beside[0].Seq, windowSize) < window {
		w.begin(floorTo(w.beside[0].Seq, windowSize))
		if err := w.end(); err != nil {
			return err
		}
	}
	w.begin(window)
	return nil
}

// begin begins a window with what is beside the range in it. Of what is not there nothing is kept.
func (w *ExcerptWriter) begin(window int64) {
	w.window, w.entries = window, w.entries[:0]
	for seq := window; seq < min(window+windowSize, w.x.is.Size); seq++ {
		if len(w.beside) > 0 && w.beside[0].Seq == seq {
			w.entries = append(w.entries, w.beside[0])
			w.beside = w.beside[1:]
			continue
		}
		w.entries = append(w.entries, kept.Entry{Seq: seq, Form: kept.FormNone})
	}
}

// end makes the blocks of the open window, or puts it aside until all acts are known.
func (w *ExcerptWriter) end() error {
	if w.window < 0 {
		return nil
	}
	whole := !slices.ContainsFunc(w.entries, func(e kept.Entry) bool { return e.Form != kept.FormWhole && e.Form != kept.FormNone })
	first := w.window
	w.window = -1
	if whole {
		return w.build(first, w.entries)
	}
	d := draft{first: first}
	for es := range blockfuls(w.entries) {
		d.bytes = append(d.bytes, w.builder.writer.Append(nil, w.x.head.packed(), es, packed.S2))
	}
	w.drafts = append(w.drafts, d)
	return nil
}

// blockfuls cuts entries so that each part fits a block.
func blockfuls(es []kept.Entry) func(yield func([]kept.Entry) bool) {
	return func(yield func([]kept.Entry) bool) {
		for len(es) > 0 {
			n, size := 0, 0
			for n < len(es) && (n == 0 || size+len(es[n].Body) <= packed.MaxBytes) {
				size += len(es[n].Body)
				n++
			}
			if !yield(es[:n]) {
				return
			}
			es = es[n:]
		}
	}
}

// build makes the blocks of a window.
func (w *ExcerptWriter) build(first int64, es []kept.Entry) error {
	for part := range blockfuls(es) {
		p := piece{BlockRef: BlockRef{First: first, Gen: 1}, n: len(part), state: stateWhole}
		first += int64(len(part))
		// A block keeps the roots of the runs that end in it.
		for run := p.First / merkle.RunWidth; (run+1)*merkle.RunWidth <= first; run++ {
			root := w.tree.Roots[run] // of one that is partly beside the range nobody asks
			p.roots = append(p.roots, root[:]...)
		}
		b, err := w.builder.build(&w.x.head, part, &p, 0)
		if err != nil {
			return fmt.Errorf("keep the entries from %d: %w", p.First, err)
		}
		b.Bytes, b.Filter, b.Facets = slices.Clone(b.Bytes), slices.Clone(b.Filter), slices.Clone(b.Facets)
		w.x.blocks = append(w.x.blocks, b)
		for day, counts := range w.builder.days.All() {
			if w.days[day] == nil {
				w.days[day] = &dayCounts{}
			}
			w.days[day].Merge(counts)
		}
	}
	return nil
}
