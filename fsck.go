package daybook

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/internal/merkle"
	"github.com/daybook-audit/daybook/internal/packed"
	"github.com/daybook-audit/daybook/internal/termfilter"
	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/query"
)

// FsckOptions are those of [Fsck]. The zero value works.
type FsckOptions struct {
	Workers  int                 // logs checked at once, default 2
	Progress func(entries int64) // called now and then with the number of entries checked so far; may be nil

	TailOnly bool // only what a Book reads when it is opened: whether a server would start

	// HighWater and Origin are those of the Book: with them the log is compared with the largest head that was ever signed.
	HighWater HighWater
	Origin    string
}

// FsckReport is what [Fsck] found.
type FsckReport struct {
	Logs, Blocks, Commits int
	Closed                int // logs that are being dropped, and are not looked at
	Entries, Checkpoints  int64
	Findings              []Finding // at most 100 per log; empty: everything agrees
}

// Finding is a place where stored bytes contradict each other.
type Finding struct {
	Org     OrgID
	Seq     int64 // of the entry or of the first entry of the block; −1: none
	Code    string
	Message string
}

// Fsck recomputes a whole store from its bytes: payload → fields → leaf → subtree roots → frontier → stored head and check values,
// and that seqs are gapless, times ascend, ids agree, every block's bounds and filter cover what it holds, and every stored checkpoint and
// the high-water mark are heads that the log had. It writes nothing. An error means that it could not look; what is wrong with the bytes is in the report.
func Fsck(ctx context.Context, store Store, o FsckOptions) (FsckReport, error) {
	f := &fsck{store: store, o: o, tails: map[LogNo][]tailRun{}, signed: map[LogNo]signedBefore{}, erased: map[string][]leaf.Items{}}
	if !o.TailOnly {
		if err := f.readSigned(ctx); err != nil {
			return f.report, err
		}
	}
	for shard := range store.Shards() {
		if err := f.loadTail(ctx, shard); err != nil {
			return f.report, err
		}
	}
	if o.TailOnly {
		return f.report, nil
	}
	if err := f.readElsewhere(ctx); err != nil {
		return f.report, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	heads := make(chan Head)
	var group sync.WaitGroup
	for range max(o.Workers, 2) {
		group.Go(func() {
			for h := range heads {
				if err := f.log(ctx, h); err != nil {
					cancel(err)
				}
			}
		})
	}
	err := f.feed(ctx, heads)
	close(heads)
	group.Wait()
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	slices.SortStableFunc(f.report.Findings, func(a, b Finding) int { return cmp.Compare(a.Org, b.Org) })
	return f.report, err
}

type fsck struct {
	store Store
	o     FsckOptions
	tails map[LogNo][]tailRun

	erased map[string][]leaf.Items // by log id: what entries of other logs name, and the list beside the marks
	signed map[LogNo]signedBefore  // read before the tail: the log had these heads by then

	mu     sync.Mutex
	report FsckReport
}

func (f *fsck) feed(ctx context.Context, heads chan<- Head) error {
	for h, err := range everyLog(ctx, f.store) {
		if err != nil {
			return err
		}
		if h.State == LogClosed { // half of it may be gone
			f.report.Closed++
			continue
		}
		select {
		case heads <- h:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// EveryLog yields the folded heads of all logs of a store by number, those of epochs that have ended included, or one error.
func EveryLog(ctx context.Context, s Reader) iter.Seq2[Head, error] { return everyLog(ctx, s) }

// everyLog yields the folded heads of all logs by number, or one error. The tables of a damaged store may lead in a circle: that is an
// *Error of CodeTampered, and no endless list.
func everyLog(ctx context.Context, s Reader) iter.Seq2[Head, error] {
	return func(yield func(Head, error) bool) {
		for after := LogNo(0); ; {
			page, err := s.Logs(ctx, after, 1000)
			if err != nil {
				yield(Head{}, fmt.Errorf("list logs: %w", err))
				return
			}
			if len(page) == 0 {
				return
			}
			for i := range page {
				if page[i].Log <= after {
					yield(Head{}, damaged("log %d is listed after log %d", page[i].Log, after))
					return
				}
				after = page[i].Log
				if !yield(page[i], nil) {
					return
				}
			}
		}
	}
}

// loadTail reads the commits that are not merged. One that cannot be read is a finding, and so is, in the check of its log, each place
// after which the next commit begins: what the damaged one held. No server starts on it.
func (f *fsck) loadTail(ctx context.Context, shard int) error {
	tail, err := f.store.Tail(ctx, shard, newestCommit, 1)
	after := tail.Merged
	for err == nil {
		if tail, err = f.store.Tail(ctx, shard, after, 16<<20); err != nil {
			break
		}
		for _, row := range tail.Rows {
			if row.N != after+1 {
				f.badCommit(damaged("commit %d of shard %d follows commit %d", row.N, shard, after))
			}
			after = max(after, row.N)
			c, err := unpackCommit(row.N, row.Bytes)
			if err != nil {
				f.badCommit(damagedCommit(shard, row.N, err))
				continue
			}
			f.report.Commits++
			for _, r := range c.Runs {
				log := LogNo(r.Log)
				f.tails[log] = append(f.tails[log], c.run(&r))
			}
		}
		if len(tail.Rows) == 0 {
			return nil
		}
	}
	return fmt.Errorf("read the commits of shard %d after %d: %w", shard, after, err)
}

// badCommit is a finding about a commit.
func (f *fsck) badCommit(err error) {
	said := err.Error()
	if e, ok := errors.AsType[*Error](err); ok {
		said = e.Message
	}
	f.report.Findings = append(f.report.Findings, Finding{Seq: -1, Code: "commit_damaged", Message: said})
}

// logCheck is the check of one log under way.
type logCheck struct {
	f        *fsck
	ctx      context.Context //nolint:containedctx // of the one call that it lives for
	head     Head
	tree     merkle.Frontier
	received int64
	ahead    int64
	doc      *leaf.Doc
	record   query.Record
	terms    []query.Term
	text     []byte
	gone     bool            // the entry just read was removed by retention
	timeless bool            // some entry has no time and no id any more
	lost     int             // entries just read, of a run that has lost its leaf hashes
	run      merkle.Frontier // of the aligned run of 256 entries under way
	roots    []byte          // of the runs that ended in the block being checked
	read     int             // blocks
	findings []Finding
	removals removals
	signed   signedHeads
}

// log checks one log. Beside a running server the merger may fold and swap blocks meanwhile: then it looks again. A block that is
// listed again after it was not there was not swapped: its bytes are lost.
func (f *fsck) log(ctx context.Context, h Head) error {
	var gone *BlockRef
	for {
		c := &logCheck{f: f, ctx: ctx, head: h, doc: leaf.Get()}
		again, err := c.all(ctx, gone)
		leaf.Put(c.doc)
		switch {
		case err != nil:
			return fmt.Errorf("check the log of %s: %w", h.Org, err)
		case again == nil:
			c.tell()
			return nil
		}
		h, gone = again.head, again.gone
	}
}

// anew says how to look again: at which head, and which block was not there.
type anew struct {
	head Head
	gone *BlockRef
}

// all checks the whole log, unless it changed meanwhile.
func (c *logCheck) all(ctx context.Context, gone *BlockRef) (*anew, error) {
	defer c.beginSigned(ctx)()
	blocks, at, err := c.blocks(ctx)
	if err != nil && !errors.Is(err, ErrNotExist) {
		return nil, fmt.Errorf("read its blocks: %w", err)
	}
	now, headErr := c.f.store.LogHeads(ctx, []LogNo{c.head.Log})
	if headErr != nil {
		return nil, fmt.Errorf("read its head: %w", headErr)
	}
	lost := err != nil && gone != nil && *gone == at
	switch {
	case !lost && err != nil:
		return &anew{now[0], &at}, nil
	case !lost && now[0].Packed != c.head.Packed:
		return &anew{head: now[0]}, nil
	case lost:
		c.find(at.First, "block_damaged", "block %d.%d is listed and its bytes are not there", at.First, at.Gen)
	default:
		c.finish()
	}
	c.read = blocks
	return nil, nil
}

// tell adds what was found to the report.
func (c *logCheck) tell() {
	f := c.f
	f.mu.Lock()
	defer f.mu.Unlock()
	f.report.Logs++
	f.report.Blocks += c.read
	f.report.Entries += c.tree.Size
	f.report.Checkpoints += c.signed.count
	if f.o.Progress != nil {
		f.o.Progress(f.report.Entries)
	}
	f.report.Findings = append(f.report.Findings, c.findings...)
}

// blocks checks the blocks below the head and returns their number, and the last one that it asked for.
func (c *logCheck) blocks(ctx context.Context) (n int, at BlockRef, err error) {
	for m, err := range c.f.store.Blocks(ctx, BlockQuery{Log: c.head.Log, From: 0, To: c.head.Packed, Filters: true}) {
		if err != nil {
			return n, at, err
		}
		at = m.BlockRef
		data, err := c.f.store.Read(ctx, c.head.Log, []BlockRef{at})
		if err != nil {
			return n, at, err
		}
		if !c.block(&m, data[0]) {
			return n, at, nil
		}
		n++
	}
	return n, at, nil
}

// finish compares the blocks with the head, and the commits with both.
func (c *logCheck) finish() {
	defer c.lawful()
	defer c.finishSigned()
	h := &c.head
	if c.tree.Size != h.Packed || !slices.Equal(c.tree.Hashes, h.Frontier) {
		c.find(c.tree.Size, "head_mismatch", "the blocks end at size %d and do not give the stored head of size %d", c.tree.Size, h.Packed)
		return
	}
	if h.Packed > 0 && c.received != h.LastReceived {
		c.find(h.Packed-1, "head_mismatch", "received_at of the last packed entry is not that of the head")
	}
	if c.ahead > h.IDAhead || c.ahead < h.IDAhead && !c.timeless {
		c.find(h.Packed-1, "head_mismatch", "the latest id of a clock that was ahead is not that of the head: a repeat of it could be taken for new")
	}
	for _, r := range c.f.tails[h.Log] {
		if r.end() <= c.tree.Size {
			continue // folded, not yet trimmed
		}
		if r.first() > c.tree.Size {
			c.find(c.tree.Size, "gap", "entries %d to %d are missing", c.tree.Size, r.first()-1)
			return
		}
		full := r
		r = r.from(c.tree.Size)
		for i := range r.len() {
			e := r.entry(i)
			if got, ok := c.entry(&e); ok && got != e.LeafHash {
				c.find(e.Seq, "leaf_mismatch", "the stored leaf hash is not that of the payload")
			}
			c.tree.Append(e.LeafHash)
			c.compareSigned()
		}
		if c.tree.Check() != full.c.checkOf(h.Log) {
			c.find(full.first(), "head_mismatch", "the check value of commit %d does not agree", full.c.n)
			return
		}
	}
}

// checkOf returns the check value of the run of log.
func (c *tailCommit) checkOf(log LogNo) [8]byte {
	for i := range c.Runs {
		if c.Runs[i].Log == int64(log) {
			return c.Runs[i].Check
		}
	}
	return [8]byte{}
}

func (c *logCheck) find(seq int64, code, format string, args ...any) {
	if len(c.findings) < 100 {
		c.findings = append(c.findings, Finding{Org: c.head.Org, Seq: seq, Code: code, Message: fmt.Sprintf(format, args...)})
	}
}

// block checks one block. It returns false when what follows cannot be placed any more.
func (c *logCheck) block(m *BlockMeta, data []byte) bool {
	b, err := packed.ReadBlock(data, nil)
	if err != nil {
		c.find(m.First, "block_damaged", "%v", err)
		return false
	}
	if next := c.tree.Size + int64(c.lost); m.First != next || b.First != m.First || b.Len() != m.N {
		c.find(next, "gap", "expected entry %d, the block holds %d entries from %d", next, b.Len(), b.First)
		return false
	}
	c.roots = c.roots[:0]
	raw, live := 0, 0
	for i := range b.Len() {
		e := b.Entry(i)
		raw += len(e.Body)
		if c.lost > 0 || e.Form == kept.FormNone {
			if !c.lostEntry(m, &e) {
				return false
			}
			continue
		}
		h, ok := c.entry(&e)
		if !ok {
			return false
		}
		if !e.Pruned() {
			live++
		}
		c.tree.Append(h)
		c.compareSigned()
		if c.run.Append(h); c.run.Size == merkle.RunWidth {
			c.roots = append(c.roots, c.run.Hashes[0][:]...)
			c.run = merkle.Frontier{}
		}
		c.covered(m)
	}
	if raw != m.Raw || live != m.Live {
		c.find(m.First, "meta_mismatch", "the block holds %d entries with %d bytes of bodies, its meta says %d and %d", live, raw, m.Live, m.Raw)
	}
	if !bytes.Equal(m.Roots, c.roots) {
		c.find(m.First, "root_mismatch", "the stored roots of 256 entries do not agree")
	}
	return true
}

// entry computes the leaf hash of e from its payload and secret, and checks what can be checked of it alone.
func (c *logCheck) entry(e *kept.Entry) (tlog.Hash, bool) {
	if !e.Form.HasLeaf() {
		c.timeless = true
		return c.remainder(e)
	}
	if e.Received <= c.received {
		c.find(e.Seq, "time_order", "received_at does not ascend")
	}
	c.received, c.ahead = e.Received, max(c.ahead, idAhead(e.ID, e.Received))
	if e.Form != kept.FormWhole {
		return c.remainder(e)
	}
	if err := readRecord(e, c.head.Org, c.doc, &c.record); err != nil {
		c.find(e.Seq, "payload_damaged", "%v", err)
		return tlog.Hash{}, false
	}
	c.terms, c.gone = query.AppendTerms(c.terms[:0], &c.record), false
	c.text = e.Text(c.text[:0])
	if err := c.doc.Read(c.text); err != nil {
		c.find(e.Seq, "payload_damaged", "%v", err)
		return tlog.Hash{}, false
	}
	if e.Kind == KindControl {
		c.control(e.Seq, c.text)
	}
	l := leaf.Leaf{Kind: e.Kind, Seq: e.Seq, ReceivedAt: e.Received, ID: e.ID, Root: c.doc.Root(&e.Secret)}
	return l.Hash(), true
}

// covered checks that the entry just read lies within the block's bounds and that its terms are in the block's filter: an entry
// that is not would not be found.
func (c *logCheck) covered(m *BlockMeta) {
	r := &c.record
	if c.gone && r.Received == 0 {
		return // it has neither time nor terms
	}
	if r.Received < m.Received.Min || r.Received > m.Received.Max {
		c.find(r.Seq, "bounds", "received_at is outside the block's bounds")
	}
	if !c.gone && (r.Occurred < m.Occurred.Min || r.Occurred > m.Occurred.Max) && (r.Occurred < m.Late.Min || r.Occurred > m.Late.Max) {
		c.find(r.Seq, "bounds", "occurred_at is outside the block's bounds")
	}
	for _, t := range c.terms {
		if !termfilter.Has(m.Filter, m.First, t) {
			c.find(r.Seq, "filter", "a term of the entry is not in the block's filter")
			return
		}
	}
}
