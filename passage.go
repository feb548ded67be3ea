package daybook

import (
	"context"
	"fmt"
	"iter"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/query"
)

// PassageQuery says which entries [Book.Passages] gives. Query, Text, Within, Zone, From, To, FromText and ToText are those of
// EventQuery.
type PassageQuery struct {
	Org              OrgID
	Query            *query.Query
	Text             string
	Within           *query.Query
	Zone             *time.Location
	From, To         int64
	FromText, ToText string

	// Now is what relative times are relative to, µs since 1970; 0: the Book's clock. Who reads on later gives the same again.
	Now int64
	// First is the first seq to look at, Size the one to stop before; 0: the size that the log has now.
	First, Size int64
	// Epoch of the log that First and Size are of; a log in another epoch is not read. Not looked at while Size is 0.
	Epoch int
}

// Passage is neighbouring entries of a log that match, read and not yet opened. It keeps nothing alive but their own bytes.
type Passage struct {
	org     OrgID
	entries []kept.Entry // the body of a whole one is the accepted JSON, the id in it
	bytes   int
	chunks  [][]byte // where the bodies stand; all but the first few may be empty
	filling int      // the chunk that is being filled

	// released takes p back. It belongs to the one reading, so that its end frees everything, and no collection does so before.
	released chan *Passage

	// Next is the seq that was not looked at: everything from the passage before to here was. Reading goes on at it, now or after a
	// restart.
	Next int64
	// Size is the one that reading stops before, Epoch that of the log.
	Size  int64
	Epoch int
	// Query is the normal form of what is asked for.
	Query string
}

// Bounds of a passage.
const (
	passageEntries = windowSize
	passageBytes   = 1 << 20
	passageChunk   = 64 << 10 // what memory for bodies is taken in
	mostReleased   = 64       // passages that wait to be filled again
)

// Passages reads a log from First on in its order, for those who take out much of it. What it yields is read but not opened, which is
// where most of the work is: Open does that, in any goroutine. A passage has at most 512 entries and about 1 MiB of them, and none
// when nothing matched for a while, so that the reader learns how far it came.
//
// Nothing is held between two passages, so the caller may take its time; entries recorded after the first passage are in none, unless
// Size says so. The first error ends it. Rule log_changed says that the log is not the one that Size and Epoch are of.
func (b *Book) Passages(ctx context.Context, q PassageQuery) iter.Seq2[*Passage, error] {
	return func(yield func(*Passage, error) bool) {
		p, err := b.question(&EventQuery{
			Org: q.Org, Query: q.Query, Text: q.Text, Within: q.Within, Zone: q.Zone, Now: q.Now,
			From: q.From, To: q.To, FromText: q.FromText, ToText: q.ToText, Asc: true,
		})
		if err != nil {
			yield(nil, err)
			return
		}
		v, err := b.view(ctx, q.Org)
		if err != nil {
			yield(nil, err)
			return
		}
		p.once = true
		p.pinned, p.logID, p.epoch, p.size = true, v.head.LogID, v.head.Epoch, v.size
		if q.Size != 0 {
			if q.Size > v.size || q.Epoch != p.epoch {
				yield(nil, &Error{Code: CodeConflict, Rule: "log_changed", Message: fmt.Sprintf("the log of %s is not the one that was to be read: it has %d entries in epoch %d", q.Org, v.size, v.head.Epoch)})
				return
			}
			p.size = q.Size
		}
		released := make(chan *Passage, mostReleased)
		for next := q.First; next < p.size; {
			passage, err := b.passage(ctx, p, next, released)
			if err != nil {
				yield(nil, err)
				return
			}
			if next = passage.Next; !yield(passage, nil) {
				return
			}
		}
	}
}

// passage reads the next one.
func (b *Book) passage(ctx context.Context, p *question, first int64, released chan *Passage) (*Passage, error) {
	s, err := b.enterScan(ctx, p)
	if err != nil {
		return nil, err
	}
	defer s.close()
	passage := newPassage(p, released)
	passage.Next, err = s.walk(first, p.size, true, func(e *kept.Entry) (bool, error) {
		passage.add(e)
		return len(passage.entries) < passageEntries && passage.bytes < passageBytes, nil
	})
	return passage, err
}

func newPassage(q *question, released chan *Passage) *Passage {
	var p *Passage
	select {
	case p = <-released:
	default:
		p = &Passage{entries: make([]kept.Entry, 0, passageEntries)}
	}
	*p = Passage{org: q.org, entries: p.entries[:0], chunks: p.chunks, released: released, Size: q.size, Epoch: q.epoch, Query: q.text}
	return p
}

// Release gives the memory of p back, for the next one. Neither p nor what Open returned may be used afterwards. Who does not call it
// leaves p to the collector.
func (p *Passage) Release() {
	kept := 0
	for _, chunk := range p.chunks {
		if cap(chunk) == passageChunk && kept < passageBytes/passageChunk {
			p.chunks[kept] = chunk[:0]
			kept++
		}
	}
	clear(p.chunks[kept:])
	p.chunks = p.chunks[:kept]
	clear(p.entries)
	select {
	case p.released <- p:
	default: // there are enough
	}
}

// add keeps a copy of e.
func (p *Passage) add(e *kept.Entry) {
	room := p.room(len(e.Body) + kept.IDTextLen)
	at := len(*room)
	if e.Form == kept.FormWhole {
		*room = e.Text(*room)
	} else {
		*room = append(*room, e.Body...)
	}
	p.entries = append(p.entries, *e)
	p.entries[len(p.entries)-1].Body = (*room)[at:len(*room):len(*room)]
	p.bytes += len(*room) - at
}

// room returns a chunk that n bytes can be appended to.
func (p *Passage) room(n int) *[]byte {
	for ; p.filling < len(p.chunks); p.filling++ {
		if chunk := &p.chunks[p.filling]; cap(*chunk)-len(*chunk) >= n {
			return chunk
		}
	}
	p.chunks = append(p.chunks, make([]byte, 0, max(n, passageChunk)))
	return &p.chunks[p.filling]
}

// Len returns the number of entries.
func (p *Passage) Len() int { return len(p.entries) }

// Bytes returns the length of all payloads.
func (p *Passage) Bytes() int { return p.bytes }

// Open appends the entries to dst. Their payloads are the passage's: they must not be changed. Without leaves LeafHash may be zero, which
// costs a fraction: of an entry in a block it is computed from what is stored. It is not compared with the tree, which is what [Fsck] and
// a verifier do; an *Error of CodeTampered says that a payload cannot even be read. Passages may be opened at once.
func (p *Passage) Open(dst []Entry, leaves bool) ([]Entry, error) {
	d := leaf.Get()
	defer leaf.Put(d)
	for i := range p.entries {
		e := &p.entries[i]
		if e.Form != kept.FormWhole { // rare enough to be read with care
			entry, err := openEntry(e, p.org, d)
			if err != nil {
				return dst, err
			}
			dst = append(dst, entry)
			continue
		}
		entry := Entry{Org: p.org, Seq: e.Seq, ID: e.ID, ReceivedAt: e.Received, LeafHash: e.LeafHash, Kind: e.Kind, Payload: e.Body}
		if leaves && e.LeafHash == (tlog.Hash{}) {
			// Read would cost more than the hash: the text was judged when it was accepted, and its block has a checksum.
			if err := d.ReadTrusted(entry.Payload); err != nil {
				return dst, &Error{Code: CodeTampered, Rule: "damaged", Message: fmt.Sprintf("the payload of entry %d of %s cannot be read", e.Seq, p.org), Err: err}
			}
			entry.top = topOf(d)
			l := leaf.Leaf{Kind: e.Kind, Seq: e.Seq, ReceivedAt: e.Received, ID: e.ID, Root: d.Root(&e.Secret)}
			entry.LeafHash = tlog.Hash(l.Hash())
		}
		dst = append(dst, entry)
	}
	return dst, nil
}
