package daybook

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/internal/bundle"
	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/internal/merkle"
	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/query"
)

// BundleQuery says what an evidence bundle shows. The zero value but for Org is the whole log.
type BundleQuery struct {
	Org OrgID

	// First and End are the seqs that the bundle covers, [First, End); End 0: to the end of the tree. Every one of them is in it: shown,
	// or as a leaf or leaf hash. Where the beginning of the log was pruned with its hashes, First 0 is LogInfo.MinIndex, and the prune
	// entries that say so are in the bundle.
	First, End int64
	// Size is that of the tree, of a stored checkpoint; 0: of the newest, which is signed first if there is anything unsigned.
	Size int64

	// Which of the entries are shown: those that a search would find. Of the others the bundle holds the leaf hashes, and says that it is
	// filtered. Entries that the log itself made are always shown. All fields empty: everything.
	Query            *query.Query
	Text             string
	Within           *query.Query
	Zone             *time.Location
	From, To         int64
	FromText, ToText string
	Now              int64 // what relative times are relative to, µs since 1970; 0: the Book's clock

	// Mask withholds fields: those whose path (docs/reference/integrity.md) is one of these, such as "/actor/email", or lies below one. A
	// step * is any one, and a number an element of a list too: "/targets/*/name".
	// Entries that the log itself made are not masked.
	Mask []string

	// WithoutHolds leaves out holds and their releases: of those in the range the bundle holds the leaf hashes, and says that it is filtered.
	// It is for readers who may see the log and must not learn who holds it, and why.
	WithoutHolds bool

	// Since are sizes of older checkpoints that the reader may remember: the bundle links them to its own. One of size First is linked
	// even so.
	Since []int64

	Info     json.RawMessage  // any JSON object, for people; nothing proves it
	Progress func(BundleStat) // called now and then; may be nil
}

// BundleStat says what a bundle holds, or holds so far.
type BundleStat struct {
	First, End, Size int64
	Shown            int64 // entries with what is left of their payload
	Leaves           int64 // entries whose payload is gone
	Hidden           int64 // entries of which only the leaf hash is there
	Lines, Bytes     int64
}

// bundler writes one bundle.
type bundler struct {
	l      *Log
	ctx    context.Context //nolint:containedctx // of the one call that a bundler lives for
	q      *BundleQuery
	e      *evidence
	begin  int64 // below it whole runs were pruned with their hashes
	tree   *merkle.Tree
	view   view // that tree is of
	scan   *scan
	filter string // empty: everything is shown
	why    []explanation
	looked int64 // every control entry below this seq is known
	out    *bundle.Writer
	shown  bundle.Entry // the memory of the entry being written
}

// WriteBundle writes an evidence bundle (docs/reference/integrity.md): NDJSON by which anybody who has the log's vkey can check, offline,
// that the entries of a range are complete and unaltered, also after lawful erasure and retention. Memory does not grow with the range.
//
// What was written when it fails is worthless: begin again. Rule removed_since (CodeConflict) says that something in the range was erased
// or pruned after the checkpoint of q.Size: begin again with a newer one.
// An *Error of CodeNotFound: no such org, or no checkpoint of a size that was asked for; of CodeInvalid: what is wrong with q; of CodeGone:
// the range holds what was pruned with its hashes.
func (b *Book) WriteBundle(ctx context.Context, w io.Writer, q BundleQuery) (BundleStat, error) {
	if !q.Org.Valid() {
		return BundleStat{}, errInvalidOrg(q.Org)
	}
	l, err := b.Log(ctx, q.Org, NewestEpoch)
	if err != nil {
		return BundleStat{}, err
	}
	return l.WriteBundle(ctx, w, q)
}

// WriteBundle is Book.WriteBundle of this log; the Org of q is not looked at.
func (l *Log) WriteBundle(ctx context.Context, w io.Writer, q BundleQuery) (BundleStat, error) {
	if err := q.check(); err != nil {
		return BundleStat{}, err
	}
	q.Org = l.t.org
	e, err := l.evidence(ctx, &q)
	if err != nil {
		return BundleStat{}, err
	}
	if q.End == 0 {
		q.End = e.size
	}
	s := &bundler{l: l, ctx: ctx, q: &q, e: e}
	lost, err := l.lost(ctx)
	if err != nil {
		return BundleStat{}, err
	}
	if s.begin = lost.Last() + 1; q.First == 0 && s.begin < q.End {
		q.First = s.begin
	}
	if _, ok := lost.Meets(leaf.Items{{First: q.First, Last: q.End - 1}}); ok {
		return BundleStat{}, errPruned("entries below %d were removed by retention together with their hashes: begin there", s.begin)
	}
	if q.First >= q.End || q.End > e.size {
		return BundleStat{}, q.noRange(e.size)
	}
	s.out = bundle.NewWriter(w)
	if err := s.open(); err != nil {
		return BundleStat{}, err
	}
	defer s.scan.close()
	if err := s.write(); err != nil {
		return s.stat(), fmt.Errorf("write a bundle of %s: %w", q.Org, err)
	}
	return s.stat(), nil
}

// stat says what was written so far.
func (s *bundler) stat() BundleStat {
	n := &s.out.Count
	return BundleStat{First: s.q.First, End: s.q.End, Size: s.e.size, Shown: n.Shown, Leaves: n.Leaves, Hidden: n.Hidden, Lines: n.Lines, Bytes: n.Bytes}
}

// open reads the question and takes a picture of the log.
func (s *bundler) open() error {
	q := s.q
	p, err := s.l.b.question(&EventQuery{
		Org: q.Org, Query: q.Query, Text: q.Text, Within: q.Within, Zone: q.Zone, Now: q.Now,
		From: q.From, To: q.To, FromText: q.FromText, ToText: q.ToText, Asc: true,
	})
	if err != nil {
		return err
	}
	if s.tree, s.view, err = s.l.tree(s.ctx, s.e.size); err != nil {
		return err
	}
	head := &s.view.head
	p.pinned, p.logID, p.epoch, p.size = true, head.LogID, head.Epoch, s.e.size
	if s.scan, err = s.l.b.scanOf(s.ctx, p, s.view); err != nil {
		return err
	}
	if !s.scan.all {
		s.filter = p.filterText()
	}
	if x := s.l.b.excerpt; x != nil && x.is.Filtered {
		s.filter = strings.TrimSpace(x.is.Filter + " " + s.filter)
	}
	if s.q.WithoutHolds {
		s.filter = strings.TrimSpace(s.filter + " (without holds)")
	}
	return nil
}

// noRange is the refusal of a range.
func (q *BundleQuery) noRange(size int64) error {
	return &Error{
		Code: CodeInvalid, Rule: "empty_range", Field: "first",
		Message: fmt.Sprintf("a bundle covers at least one entry: %d to %d is no range of a tree of size %d.", q.First, q.End-1, size),
	}
}

// check refuses what no bundle can be or no verifier would read.
func (q *BundleQuery) check() error {
	if q.First < 0 {
		return &Error{Code: CodeInvalid, Rule: "empty_range", Field: "first", Message: "the first seq is 0."}
	}
	if m, refused := bundle.Mask(q.Mask).Refused(); refused {
		return &Error{Code: CodeInvalid, Rule: "invalid_value", Field: "mask", Message: fmt.Sprintf("%q is no path of a field: it begins with / and a name.", truncate(m, 64))}
	}
	if len(q.Info) > 0 {
		d := leaf.Get()
		defer leaf.Put(d)
		if err := d.Read(q.Info); err != nil {
			return &Error{Code: CodeInvalid, Rule: "invalid_value", Field: "info", Message: "info is one JSON object: " + err.Error()}
		}
	}
	return nil
}

// filterText is the query that a filtered bundle names, bounds and what the reader may see included.
func (p *question) filterText() string {
	parts := make([]string, 0, 2)
	if p.from != openFrom {
		parts = append(parts, "occurred:>="+string(AppendTime(nil, p.from)))
	}
	if p.to != openTo {
		parts = append(parts, "occurred:<"+string(AppendTime(nil, p.to)))
	}
	bounds, err := query.Parse(strings.Join(parts, " "), p.options())
	if err != nil {
		return strings.TrimSpace(p.query.String() + " " + strings.Join(parts, " "))
	}
	return query.And(p.query, bounds).String()
}

func (s *bundler) write() error {
	for _, step := range []func() error{s.header, s.rotations, s.consistency, s.rangeProof, s.controls, s.entries, s.anchor, s.out.Done} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (s *bundler) header() error {
	h := bundle.Header{
		Origin: s.e.origin, Vkey: s.e.vkey, ClockVkey: s.e.clockVKey, From: s.q.First, To: s.q.End, Size: s.e.size,
		Filter: s.filter, Mask: s.q.Mask, Info: s.q.Info, Note: s.e.note,
	}
	if s.e.anchor != nil {
		h.AnchorVkey = s.e.anchorVKey
	}
	return s.out.Header(&h)
}

func (s *bundler) rotations() error {
	for i := range s.e.rotations {
		r := &s.e.rotations[i]
		in, err := s.l.inclusion(s.tree, r.seq, r.note.size)
		if err != nil {
			return err
		}
		link, err := s.tree.Consistency(r.note.size, s.e.size)
		if err != nil {
			return err
		}
		err = s.l.b.eachLeaf(s.ctx, s.view, r.seq, r.seq+1, func(e *kept.Entry, d *leaf.Doc) error {
			if err := s.show(e, in.LeafHash, false, d); err != nil {
				return err
			}
			return s.out.Rotation(r.vkey, r.note.note, &s.shown, in.Proof, link)
		})
		if err != nil {
			return fmt.Errorf("show the key entry %d: %w", r.seq, err)
		}
	}
	return nil
}

// show makes e with its leaf hash what a bundle shows of it. With a mask that may withhold something of it, it has its fields too. It reads
// into d.
func (s *bundler) show(e *kept.Entry, h tlog.Hash, masked bool, d *leaf.Doc) (err error) {
	s.shown = bundle.Entry{Seq: e.Seq, Kind: e.Kind, ID: e.ID, Received: e.Received, Hash: h}
	if e.Form == kept.FormWhole {
		s.shown.Secret, s.shown.Payload = e.Secret, e.Text(nil)
	}
	if masked || e.Form != kept.FormWhole {
		s.shown.Fields, err = e.Disclosed(d)
	}
	return ofStored(err)
}

func (s *bundler) consistency() error {
	for i := range s.e.older {
		o := &s.e.older[i]
		p, err := s.tree.Consistency(o.size, s.e.size)
		if err != nil {
			return err
		}
		if err := s.out.Consistency(o.note, p); err != nil {
			return err
		}
	}
	return nil
}

func (s *bundler) rangeProof() error {
	left, right, err := s.tree.Beside(s.q.First, s.q.End, s.e.size)
	if err != nil {
		return err
	}
	return s.out.RangeProof(left, right)
}

// entries writes the range, window by window, each from a new picture of the log: nothing is held while the reader is slow, and what
// is erased meanwhile is not shown.
func (s *bundler) entries() error {
	for at := s.q.First; at < s.q.End; {
		to := min(floorTo(at, windowSize)+windowSize, s.q.End)
		if err := s.l.b.eachLeaf(s.ctx, s.l.view(), at, to, s.entry); err != nil {
			return err
		}
		at = to
		if s.q.Progress != nil {
			s.q.Progress(s.stat())
		}
	}
	return nil
}

// entry writes one entry of the range.
func (s *bundler) entry(e *kept.Entry, d *leaf.Doc) error {
	h, err := e.Hash(d)
	err = ofStored(err)
	if CodeOf(err) == CodeGone { // which may be news to the reader
		err = cmp.Or(s.explained(e), err)
	}
	if err != nil {
		return err
	}
	shown, err := s.shows(e)
	if err != nil {
		return err
	}
	if !shown {
		return s.out.Hash(e.Seq, h)
	}
	if err := s.explained(e); err != nil {
		return err
	}
	switch {
	case e.Form == kept.FormHash:
		return s.out.Hash(e.Seq, h)
	case e.Gone():
		l, err := e.Leaf(d)
		if err != nil {
			return ofStored(err)
		}
		return s.out.Leaf(&l)
	}
	if err := s.show(e, h, len(s.q.Mask) > 0 && e.Kind == KindEvent, d); err != nil {
		return err
	}
	return s.out.Entry(&s.shown)
}

// shows reports whether an entry of the range is to be shown, as far as that is still possible.
func (s *bundler) shows(e *kept.Entry) (bool, error) {
	switch {
	case e.Kind == KindEvent && !s.scan.all:
		return s.scan.match(e)
	case e.Kind == KindControl && s.q.WithoutHolds:
		text, err := e.Remainder()
		if err != nil {
			return false, ofStored(err)
		}
		c, err := parseControl(text)
		return err == nil && c.Op != opHold, nil // what cannot be read explains nothing, and may be one
	}
	return true, nil
}

func (s *bundler) anchor() error {
	if s.e.anchor == nil {
		return nil
	}
	return s.out.Anchor(s.e.anchor)
}
