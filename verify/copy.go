package verify

import (
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/leaf"
)

// Copier is given what a bundle shows while it is verified, in the order of the file, so that who wants to look at it reads it once. What
// it is given is valid during the call; it is proved only if the report's Exit is 0 in the end.
type Copier interface {
	// Begin is called first, and not at all if a bundle cannot be read so far.
	Begin(h Head)
	// Entry is called with every entry that is shown. proof is that of a control entry from outside the range, in the tree of Head.Size, and
	// nil within it. What an entry shows need not give its Hash: then the report says so.
	Entry(e *Entry, proof []tlog.Hash)
	// Leaf is called with every entry whose body is gone.
	Leaf(l leaf.Leaf)
	// Hashes is called with runs of entries of which only the leaf hashes are there.
	Hashes(first int64, hs []tlog.Hash)
}

// Head is what stands in a bundle before its entries.
type Head struct {
	Origin                      string
	Vkey, ClockVkey, AnchorVkey string // the last two: empty if the header names none
	From, To, Size              int64
	Filtered                    bool // entries were left out: those that Filter, a query, does not find
	Filter                      string
	Mask                        []string
	Info                        []byte      // a JSON object, or nil: what its maker says of it; nothing proves it
	Note                        string      // the checkpoint
	Signed                      time.Time   // by the log's own clock; zero: the header names none, or it did not sign
	Left, Right                 []tlog.Hash // the range proof
}

func (b *bundle) copyHead(left, right []tlog.Hash) {
	if b.o.Copy == nil {
		return
	}
	h := Head{
		Origin: b.head.origin, Vkey: b.head.key.String(), From: b.head.from, To: b.head.to, Size: b.head.size,
		Filtered: b.rep.Filtered, Filter: b.head.filter, Mask: b.head.mask, Info: b.head.info, Note: b.note.String(), Signed: b.rep.Signed, Left: left, Right: right,
	}
	if b.head.clock != nil {
		h.ClockVkey = b.head.clock.String()
	}
	if b.head.anchor != nil {
		h.AnchorVkey = b.head.anchor.String()
	}
	b.o.Copy.Begin(h)
}

func (b *bundle) copyEntry(e *entry, proof []tlog.Hash) {
	if b.o.Copy == nil {
		return
	}
	shown := Entry{Leaf: e.leaf, Hash: e.hash, Payload: b.ms.get("payload"), Secret: e.secretShown(), Fields: e.fields}
	b.o.Copy.Entry(&shown, proof)
}
