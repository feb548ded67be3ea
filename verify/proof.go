package verify

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/leaf"
)

// proofFormat is the first line of a C2SP tlog-proof.
const proofFormat = "c2sp.org/tlog-proof@v1"

// Inclusion is the content of a .tlog-proof: one leaf of one tree.
type Inclusion struct {
	Leaf  *leaf.Leaf // from the extra line; nil: it has none
	Index int64
	Proof []tlog.Hash
	Note  *Note
}

// ParseProof reads a C2SP tlog-proof whose extra line, if there is one, holds the 70 bytes of the leaf. Nothing is proved by reading.
func ParseProof(text string) (*Inclusion, error) {
	head, checkpoint, ok := strings.Cut(text, "\n\n")
	if !ok {
		return nil, errors.New("read a proof: no empty line before the checkpoint")
	}
	lines := strings.Split(head, "\n")
	if lines[0] != proofFormat {
		return nil, fmt.Errorf("read a proof: the format %q is %w", lines[0], errUnknown)
	}
	p := &Inclusion{}
	lines = lines[1:]
	if len(lines) > 0 && strings.HasPrefix(lines[0], "extra ") {
		raw, err := base64.StdEncoding.Strict().DecodeString(strings.TrimPrefix(lines[0], "extra "))
		if err != nil {
			return nil, fmt.Errorf("read a proof: extra: %w", err)
		}
		l, err := leaf.ParseLeaf(raw)
		if err != nil {
			return nil, fmt.Errorf("read a proof: extra: %w", err)
		}
		p.Leaf = &l
		lines = lines[1:]
	}
	if len(lines) == 0 || !strings.HasPrefix(lines[0], "index ") {
		return nil, errors.New("read a proof: no index line")
	}
	var err error
	if p.Index, err = parseDecimal(strings.TrimPrefix(lines[0], "index ")); err != nil {
		return nil, fmt.Errorf("read a proof: index: %w", err)
	}
	if len(lines)-1 > maxProof {
		return nil, errors.New("read a proof: more than 63 hashes")
	}
	for _, line := range lines[1:] {
		h, err := parseHash(line)
		if err != nil {
			return nil, fmt.Errorf("read a proof: %w", err)
		}
		p.Proof = append(p.Proof, h)
	}
	if p.Note, err = ParseNote([]byte(checkpoint)); err != nil {
		return nil, fmt.Errorf("read a proof: %w", err)
	}
	return p, nil
}

// Proof verifies the .tlog-proof of one event: a pinned key signed a tree that holds its leaf. With an entry, that leaf is the entry's;
// without one, only the leaf is proved, and what the event says stays open.
func Proof(text string, e *Entry, o Options) *Report {
	b := &bundle{o: o, rep: &Report{}, linked: map[tlog.Tree]bool{}, control: -1}
	p, err := ParseProof(text)
	if err != nil {
		b.end(malformed(-1, "the proof", err))
		return b.rep
	}
	b.open(p.Note)
	b.rep.From, b.rep.To = p.Index, p.Index+1
	var h tlog.Hash
	switch {
	case p.Leaf != nil:
		h = p.Leaf.Hash()
		if p.Leaf.Seq != p.Index {
			b.find(PositionMismatch, p.Index, "the leaf of entry %d stands at %d", p.Leaf.Seq, p.Index)
		}
	case e != nil:
		h = e.Hash
	default:
		b.find(ProofMissing, p.Index, "the proof holds no leaf: give the entry")
		return b.rep
	}
	if err := CheckInclusion(p.Proof, p.Note.Size, p.Note.Root, p.Index, h); err != nil {
		b.find(ProofInvalid, p.Index, "the inclusion proof of entry %d: %v", p.Index, err)
	}
	if e == nil {
		b.rep.note("the leaf of entry %d is proved; give its entry to prove what it says", p.Index)
	} else {
		b.rep.Entries = 1
		b.checkEntry(e, p.Index, h)
	}
	if p.Leaf != nil && !b.rep.Signed.IsZero() && p.Leaf.ReceivedAt > b.rep.Signed.UnixMicro() {
		b.find(TimeOrder, p.Index, "received at %s, later than the signature over it", formatTime(p.Leaf.ReceivedAt))
	}
	b.receipt(p.Index, h)
	return b.rep
}

func (b *bundle) checkEntry(e *Entry, index int64, h tlog.Hash) {
	switch {
	case e.Leaf.Seq != index:
		b.find(PositionMismatch, index, "the entry given is %d, the proof is of %d", e.Leaf.Seq, index)
	case e.Hash != h:
		b.find(LeafMismatch, index, "the entry given is not the one that the proof is of")
	}
}
