package verify

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// DefaultSkew is how far the log's clock may have been ahead when it signed.
const DefaultSkew = 5 * time.Minute

// Options say what the reader trusts and remembers. The zero value trusts nobody: every report then has [KeyNotPinned].
type Options struct {
	Keys       []Key               // pinned: of the log, and of its clock if that is to be held too
	AnchorKeys []Key               // pinned keys of anchor logs; with one, an anchor by it is required
	State      State               // pins, and what is remembered of this log
	Since      *Note               // one more remembered checkpoint, which must be linked whatever its origin
	Receipts   map[int64]tlog.Hash // leaf hashes that producers were given, by seq
	Policy     *Policy             // witnesses that must have signed; nil: none
	MaxSkew    time.Duration       // 0: DefaultSkew
	MaxAge     time.Duration       // 0: a checkpoint may be of any age
	Now        func() time.Time    // needed with MaxAge

	// Copy, if set, is given what the bundle shows.
	Copy Copier

	// Progress, if set, is called now and then with how many of the entries were looked at.
	Progress func(done, total int64)
}

// Bundle verifies an evidence bundle, plain or compressed with gzip, which is read once from start to end. It keeps nothing of r, and
// an error of r is a finding. What the report says is proved if its Exit is 0; the bundle's own keys are trusted only as far as
// pinned keys lead to them.
func Bundle(r io.Reader, o Options) *Report {
	b := &bundle{o: o, rep: &Report{}, sum: sha256.New(), linked: map[tlog.Tree]bool{}, control: -1}
	b.skew = o.MaxSkew
	if b.skew == 0 {
		b.skew = DefaultSkew
	}
	in, err := newLineReader(r)
	if err != nil {
		b.number = 1
		b.end(err)
		return b.rep
	}
	for n := 1; ; n++ {
		line, err := in.next()
		if b.rank == rankFooter && errors.Is(err, io.EOF) {
			return b.rep
		}
		if b.number = n; err == nil {
			err = b.line(line)
		}
		if err != nil {
			b.end(err)
			return b.rep
		}
	}
}

// bundle is the state of one verification.
type bundle struct {
	o      Options
	rep    *Report
	skew   time.Duration
	parser parser
	ms     members // of the line
	number int     // of the line, from 1
	sum    hash.Hash
	rank   int // of the line before; a bundle begins below the header

	head      header
	note      *Note
	rotations []rotation
	linked    map[tlog.Tree]bool // trees that are the beginning of this one

	tree    *Range // nil: a hash is missing and there is no root
	pos     int64  // the next seq of the range
	control int64  // of the control line before
	entry   entry
	times   times
	gone    removals

	anchors  []bound
	anchored bool // by a pinned key
	cosigned bool // by the policy's witnesses, over an anchor of all entries shown
}

// fault is an error that is one finding.
type fault struct {
	code Code
	seq  int64
	err  error
}

func (f *fault) Error() string { return f.err.Error() }

// stop ends the verification with this finding.
func stop(code Code, seq int64, format string, args ...any) error {
	return &fault{code, seq, fmt.Errorf(format, args...)}
}

// malformed ends the verification with the fault in a line: it is malformed unless it is not known.
func malformed(seq int64, format string, err error) error {
	code := Malformed
	if errors.Is(err, errUnknown) || errors.Is(err, ErrKeyType) || errors.Is(err, ErrExtension) {
		code = Unsupported
	}
	return stop(code, seq, format+": %w", err)
}

// end ends the verification early, with what a line or the reader had to say.
func (b *bundle) end(err error) {
	b.rep.Stopped = true
	code, seq := Unreachable, int64(-1)
	var f *fault
	switch {
	case errors.As(err, &f):
		code, seq = f.code, f.seq
	case errors.Is(err, io.EOF):
		code, err = Truncated, errors.New("the file ends before the footer")
	case errors.Is(err, errCut), errors.Is(err, errDamaged):
		code = Truncated
	case errors.Is(err, errLong):
		code = Malformed
	}
	b.rep.Add(Finding{code, b.number, seq, err.Error()})
}

// find adds a finding of this line after which the verification goes on.
func (b *bundle) find(code Code, seq int64, format string, args ...any) {
	b.rep.Add(Finding{code, b.number, seq, fmt.Sprintf(format, args...)})
}

// The ranks of lines: they do not fall.
const (
	rankNone = iota
	rankHeader
	rankCheckpoint
	rankRotation
	rankConsistency
	rankRangeProof
	rankControl
	rankBody
	rankAnchor
	rankFooter
)

// shape is what the lines of one type look like.
type shape struct {
	rank               int
	many               bool
	required, optional []string
}

// shapes holds all types of lines. The members of entries and control entries depend on their form: see entry.read.
var shapes = map[string]shape{
	"header": {
		rank: rankHeader, required: []string{"t", "format", "origin", "vkey", "from", "to", "size"},
		optional: []string{"clock_vkey", "anchor_vkey", "filter", "mask", "info"},
	},
	"checkpoint":  {rank: rankCheckpoint, required: []string{"t", "note"}},
	"rotation":    {rank: rankRotation, many: true, required: []string{"t", "vkey", "note", "entry", "proof", "consistency"}},
	"consistency": {rank: rankConsistency, many: true, required: []string{"t", "note", "proof"}},
	"range_proof": {rank: rankRangeProof, required: []string{"t", "left", "right"}},
	"control":     {rank: rankControl, many: true},
	"entry":       {rank: rankBody, many: true},
	"leaf":        {rank: rankBody, many: true, required: []string{"t", "seq", "leaf"}},
	"hashes":      {rank: rankBody, many: true, required: []string{"t", "seq", "count", "hashes"}},
	"anchor": {
		rank: rankAnchor, many: true,
		required: []string{"t", "size", "root", "consistency", "batch_index", "batch_proof", "leaf", "proof", "note"},
	},
	"footer": {rank: rankFooter, required: []string{"t", "lines", "sha256"}},
}

// line reads the next line.
func (b *bundle) line(line []byte) error {
	if b.rank == rankFooter {
		return stop(Malformed, -1, "something follows the footer")
	}
	text := line[:len(line)-1]
	if holdsNUL(text) {
		return stop(Malformed, -1, "a string holds U+0000")
	}
	var err error
	if b.ms, err = b.parser.object(b.ms[:0], text); err != nil {
		return malformed(-1, "read the line", err)
	}
	kind, err := unquote(b.ms.get("t"))
	if err != nil {
		return stop(Malformed, -1, "the line has no type")
	}
	s, ok := shapes[kind]
	if !ok {
		return stop(Unsupported, -1, "the type of line %q is not known to this version", kind)
	}
	if err := b.turn(kind, s); err != nil {
		return err
	}
	if s.required != nil {
		if err := b.ms.only(s.required, s.optional); err != nil {
			return malformed(-1, kind, err)
		}
	}
	if err := b.read(kind); err != nil {
		return err
	}
	b.sum.Write(line)
	return nil
}

// turn checks that a line of this shape may stand here, and ends what was before it.
func (b *bundle) turn(kind string, s shape) error {
	late := s.rank < b.rank || s.rank == b.rank && !s.many
	for _, needed := range []int{rankHeader, rankCheckpoint, rankRangeProof} {
		late = late || b.rank < needed && s.rank > needed
	}
	if late {
		return stop(Malformed, -1, "a line %q does not stand here", kind)
	}
	if b.rank < rankRangeProof && s.rank >= rankRangeProof {
		b.endHead()
	}
	if b.rank < rankAnchor && s.rank >= rankAnchor {
		b.endBody()
	}
	b.rank = s.rank
	return nil
}

func (b *bundle) read(kind string) error {
	switch kind {
	case "header":
		return b.readHeader()
	case "checkpoint":
		return b.readCheckpoint()
	case "rotation":
		return b.readRotation()
	case "consistency":
		return b.readConsistency()
	case "range_proof":
		return b.readRangeProof()
	case "control":
		return b.readControl()
	case "entry":
		return b.readEntry()
	case "leaf":
		return b.readLeaf()
	case "hashes":
		return b.readHashes()
	case "anchor":
		return b.readAnchor()
	default:
		return b.readFooter()
	}
}

// readFooter compares the digest of all lines before this one, and judges what needed all of them.
func (b *bundle) readFooter() error {
	lines, err := integer(b.ms.get("lines"))
	if err != nil {
		return malformed(-1, "lines", err)
	}
	var sum [sha256.Size]byte
	if err := encoded(sum[:], b.ms.get("sha256")); err != nil {
		return malformed(-1, "sha256", err)
	}
	if n := int64(b.number - 1); lines != n {
		b.find(FooterMismatch, -1, "the footer counts %d lines, there are %d", lines, n)
	}
	if [sha256.Size]byte(b.sum.Sum(nil)) != sum {
		b.find(FooterMismatch, -1, "the digest in the footer is not that of the lines before it: the file is damaged or was edited")
	}
	b.number = 0 // what follows belongs to no line
	b.judge()
	return nil
}

// holds returns the holds that were in force just before the range, nil if the reader does not know them.
func (b *bundle) holds() Holds {
	switch m := b.o.State[b.head.origin]; {
	case m == nil || m.Size != b.head.from:
		return nil
	case m.Holds == nil:
		return Holds{}
	default:
		return m.Holds
	}
}

// judge reports what can be said only at the end.
func (b *bundle) judge() {
	b.times.judge(b.rep)
	b.times.anchored(b.rep, b.anchors)
	b.gone.judge(b.rep, b.holds())
	b.judgeMemory()
	if len(b.o.AnchorKeys) > 0 && !b.anchored {
		b.find(ProofMissing, -1, "no anchor by the pinned anchor key")
	}
	b.judgeAge()
	b.judgeQuorum()
	if b.rep.Masked || b.rep.Filtered {
		b.rep.note("filtered or masked copy: completeness of the selection is not proved")
	}
}
