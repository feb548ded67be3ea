package verify

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// The functions of this file hold a checkpoint against what the reader trusts and remembers.

// Checkpoint verifies a checkpoint by itself: a pinned key has signed it, it does not contradict what is remembered, it is young
// enough, and the policy's witnesses have signed. Its clock is known only if its key is pinned. A remembered tree that is smaller
// needs a proof, which [Bundle] has: here it is no finding.
func Checkpoint(text []byte, o Options) *Report {
	b := &bundle{o: o, rep: &Report{}}
	n, err := ParseNote(text)
	if err != nil {
		b.end(malformed(-1, "the checkpoint", err))
		return b.rep
	}
	b.open(n)
	for _, m := range b.memory() {
		if code, message := b.compare(m); code != "" && (m.Size >= n.Size || m.Origin != n.Origin) {
			b.find(code, -1, "%s", message)
		}
	}
	return b.rep
}

// open judges a note that stands alone.
func (b *bundle) open(n *Note) {
	b.note = n
	b.head.origin, b.head.size = n.Origin, n.Size
	b.rep.Origin, b.rep.Size, b.rep.Note, b.rep.Root = n.Origin, n.Size, n.String(), n.Root
	for _, k := range b.pins() {
		if !k.Cosigner() {
			continue
		}
		if t, err := n.Signed(k); err == nil {
			b.head.clock, b.rep.Signed = &k, t
		} else if errors.Is(err, ErrBadSignature) {
			b.find(SignatureInvalid, -1, "the checkpoint and the pinned key %s: %v", k, err)
		}
	}
	b.judgeTrust()
	b.rep.Witnesses = b.witnessed(n)
	b.judgeAge()
	b.judgeQuorum()
}

// judgeTrust looks for a pinned key that signed the checkpoint, or that leads to the key that did.
func (b *bundle) judgeTrust() {
	var logs []Key
	other := "" // a pinned key of another origin that signed
	trusted := false
	for _, k := range b.pins() {
		if k.Cosigner() {
			b.judgeClock(k)
			continue
		}
		logs = append(logs, k)
		_, err := b.note.Signed(k)
		switch {
		case errors.Is(err, ErrBadSignature):
			if !k.Equal(b.head.key) { // reported with the checkpoint
				b.find(SignatureInvalid, -1, "the checkpoint and the pinned key %s: %v", k, err)
			}
		case k.Name() != b.head.origin:
			if err == nil {
				other = k.Name()
			}
		default:
			trusted = trusted || err == nil || b.leads(k)
			if err == nil && b.rep.Key == "" {
				b.rep.Key = k.String()
			}
		}
	}
	switch {
	case trusted:
	case len(logs) == 0:
		b.find(KeyNotPinned, -1, "self-consistent, issuer NOT authenticated: no key of a log is pinned")
	case other != "":
		b.find(EpochChanged, -1, "the pinned key of %s signed, but this is the log %s: pin its key if the new epoch is announced", other, b.head.origin)
	default:
		b.find(KeyUnknown, -1, "no pinned key signed the checkpoint of %s or leads to its signer", b.head.origin)
	}
}

// pins returns the pinned keys: those of the state and of the policy's logs too. Keys of other logs are among them, so that a new epoch
// is told from a stranger.
func (b *bundle) pins() []Key {
	keys := slices.Clone(b.o.Keys)
	for _, origin := range slices.Sorted(maps.Keys(b.o.State)) {
		for _, k := range b.o.State[origin].Keys {
			if origin == b.head.origin || !k.Cosigner() {
				keys = append(keys, k)
			}
		}
	}
	if b.o.Policy != nil {
		keys = append(keys, b.o.Policy.Logs...)
	}
	return keys
}

// judgeClock holds the clock that the evidence names against a pinned one.
func (b *bundle) judgeClock(k Key) {
	if b.head.clock == nil || !b.head.clock.Equal(k) {
		b.find(KeyUnknown, -1, "the clock is not the pinned %s", k)
	}
}

// leads reports whether an unbroken chain of rotations goes from k to the key of the header.
func (b *bundle) leads(k Key) bool {
	if i := slices.IndexFunc(b.rotations, func(r rotation) bool { return r.key.Equal(k) }); i >= 0 {
		return !slices.ContainsFunc(b.rotations[i:], func(r rotation) bool { return !r.holds })
	}
	return false
}

// memory returns the remembered checkpoints.
func (b *bundle) memory() []*Note {
	var ns []*Note
	if m := b.o.State[b.head.origin]; m != nil && m.Note != nil {
		ns = append(ns, m.Note)
	}
	if b.o.Since != nil {
		ns = append(ns, b.o.Since)
	}
	return ns
}

// judgeMemory links the tree to each remembered one.
func (b *bundle) judgeMemory() {
	for _, n := range b.memory() {
		code, message := b.compare(n)
		if code == "" {
			continue
		}
		b.find(code, -1, "%s", message)
	}
}

// compare returns what is wrong between the tree of the bundle and a remembered one.
func (b *bundle) compare(n *Note) (Code, string) {
	now := b.note
	if n.Origin != b.head.origin {
		return ProofMissing, "the remembered checkpoint is of another log, " + n.Origin
	}
	if n.Size > now.Size {
		if b.laterThan(n) {
			return Rollback, fmt.Sprintf("size %d was signed after the remembered size %d", now.Size, n.Size)
		}
		return ProofMissing, fmt.Sprintf("the remembered tree of %d is larger than this one of %d", n.Size, now.Size)
	}
	tree := tlog.Tree{N: n.Size, Hash: n.Root}
	if b.linked[tree] || n.Size == now.Size && n.Root == now.Root || n.Size == 0 && n.Root == emptyRoot {
		return "", ""
	}
	if n.Size == now.Size {
		return Fork, fmt.Sprintf("two roots of size %d: %s is remembered, %s is signed here", n.Size, n.Root, now.Root)
	}
	for m := range b.linked {
		if m.N == n.Size {
			return Fork, fmt.Sprintf("two roots of size %d: %s is remembered, this log began as %s", n.Size, n.Root, m.Hash)
		}
	}
	return ProofMissing, fmt.Sprintf("nothing links this tree to the remembered one of size %d", n.Size)
}

// laterThan reports whether the log's clock signed this checkpoint after the remembered one.
func (b *bundle) laterThan(n *Note) bool {
	if b.head.clock == nil || b.rep.Signed.IsZero() {
		return false
	}
	t, err := n.Signed(*b.head.clock)
	return err == nil && b.rep.Signed.After(t)
}

func (b *bundle) judgeAge() {
	if b.o.MaxAge <= 0 || b.o.Now == nil {
		return
	}
	if b.rep.Signed.IsZero() {
		b.find(Stale, -1, "the checkpoint has no signed time")
		return
	}
	if age := b.o.Now().Sub(b.rep.Signed); age > b.o.MaxAge {
		b.find(Stale, -1, "the checkpoint was signed at %s, %s ago", b.rep.Signed.Format(time.RFC3339), age.Round(time.Second))
	}
}

// judgeQuorum asks for the policy's witnesses, on the checkpoint or on an anchor over all entries shown.
func (b *bundle) judgeQuorum() {
	if b.o.Policy == nil || b.cosigned || b.o.Policy.Satisfied(b.note) {
		return
	}
	b.find(Quorum, -1, "%d of the policy's %d witnesses have signed", b.rep.Witnesses, len(b.o.Policy.Witnesses))
}
