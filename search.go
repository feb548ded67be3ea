package daybook

import (
	"context"
	"iter"
	"time"

	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/query"
)

// Order is the order in which a search gives entries.
type Order byte

// The orders.
const (
	OrderLog      Order = iota // by seq: the order of recording
	OrderOccurred              // by occurred_at; entries of one microsecond by seq
)

// Bounds of a page.
const (
	DefaultLimit = 50
	MaxLimit     = 1000
	maxHeld      = 32 << 20 // bytes of payloads in one page
)

// EventQuery says which entries of one org are looked for, and how they are given.
//
// With a Cursor everything but Limit is as it was when the cursor was made: what is zero here is taken from the cursor, and what
// is not must agree with it. Within is never taken from a cursor.
type EventQuery struct {
	Org OrgID

	// What to look for: Query, or if it is nil Text (docs/reference/query-language.md). Both empty: everything.
	Query *query.Query
	Text  string
	// Within is a further condition that was not typed but comes from elsewhere: the route, or what the reader may see. A cursor
	// made within one condition is refused within another. Nil: none.
	Within *query.Query
	// Hide are the fields that the reader may not see, as [query.Query.Hiding] takes them: what was asked for is as blind to them as
	// the reader, Within is not. Whoever shows entries withholds them there. Not kept in a cursor: the next page hides as it is told.
	Hide []string

	// Zone is that of times without one in Text, FromText and ToText, and the one in which a histogram is cut. Default UTC.
	Zone *time.Location
	// From and To bound occurred_at, [From, To), µs since 1970; 0: open. FromText and ToText say the same in words
	// ("2026-11-01", "now-7d"); From and To win.
	From, To         int64
	FromText, ToText string
	// Now is what relative times are relative to, µs since 1970; 0: the Book's clock. A cursor keeps it.
	Now int64

	Order Order
	Asc   bool // oldest first; default newest first
	// Gaps: what cannot be read because it is damaged is passed over, and Searched.Damaged says so. Else it is a [DamageError]: the
	// answer is whole or there is none.
	Gaps bool
	// Held: entries say whether a hold keeps them. Not kept in a cursor. A log without a hold in force pays nothing for it.
	Held   bool
	Limit  int    // entries in a page: default 50, at most 1,000. For Events: entries in all, default no limit
	Cursor string // NextCursor of the page before
}

// Page is one page of a search.
type Page struct {
	Entries    []Entry
	NextCursor string // empty at the end
	Size       int64  // the log's size at the first page; later entries are on no page
	Query      string // the normal form of what was asked for
	From, To   *int64 // the bounds asked for, relative times resolved; nil: open
	Searched   Searched
}

// Searched says what was looked through for an answer, so that nothing is left out silently.
type Searched struct {
	From, To     int64    // the part of time that was looked through, µs since 1970
	Days, OfDays int      // its days, and those of all that was asked for
	Blocks       int      // unpacked
	Damaged      []Damage // what was passed over, with EventQuery.Gaps; in it may be entries that were looked for
	Complete     bool     // nothing of From to To was left out, and the answer is whole: if not, Reason says why
	Reason       string
}

// Reasons why an answer is not complete.
const (
	ReasonTime    = "time limit"
	ReasonBlocks  = "block limit"
	ReasonSize    = "size limit"
	ReasonBars    = "bar limit" // of a histogram: even years are too many
	ReasonDamaged = "damaged"   // Searched.Damaged says what
)

// Search returns one page. It stops when the page is full, when nothing is left, or when the search has used up what Options
// grant it; then the page holds what was found so far, Searched says how far that was, and NextCursor goes on from there. At
// most four searches per org run at once; the others wait their turn or the end of ctx.
//
// The first page fixes the size of the log: entries recorded later are on none of its pages, so that pages neither repeat nor
// miss an entry.
//
// An *Error of CodeInvalid says what is wrong with q: rule query_invalid (with a *query.Error inside), invalid_value,
// invalid_org, or cursor_invalid for every cursor that was not made for this question.
func (b *Book) Search(ctx context.Context, q EventQuery) (*Page, error) {
	p, err := b.question(&q)
	if err != nil {
		return nil, err
	}
	return b.page(ctx, p, pageLimit(q.Limit))
}

func pageLimit(n int) int {
	if n <= 0 {
		return DefaultLimit
	}
	return min(n, MaxLimit)
}

// Events gives every entry that Search would give on all its pages, in the same order. It reads page by page and holds nothing
// open between two: the caller may take its time. The first error ends it.
func (b *Book) Events(ctx context.Context, q EventQuery) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		p, err := b.question(&q)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		const perPage = 500
		left := q.Limit
		for !p.done {
			limit := perPage
			if q.Limit > 0 {
				limit = min(limit, left)
			}
			page, err := b.page(ctx, p, limit)
			if err != nil {
				yield(Entry{}, err)
				return
			}
			for i := range page.Entries {
				if !yield(page.Entries[i], nil) {
					return
				}
			}
			if left -= len(page.Entries); q.Limit > 0 && left <= 0 {
				return
			}
		}
	}
}

// page looks for the next entries of p, moves p on, and says what it did.
func (b *Book) page(ctx context.Context, p *question, limit int) (*Page, error) {
	s, err := b.enterScan(ctx, p)
	if err != nil {
		return nil, err
	}
	defer s.close()
	page := &Page{Size: p.size, Query: p.text, From: p.bound(p.from), To: p.bound(p.to)}
	if p.order == OrderOccurred {
		err = s.pageByOccurred(page, limit)
	} else {
		err = s.pageBySeq(page, limit)
	}
	if err != nil {
		return nil, err
	}
	if page.Searched, err = s.searched(); err != nil {
		return nil, err
	}
	if !p.done {
		page.NextCursor = b.makeCursor(p)
	}
	return page, nil
}

// pageBySeq fills a page in the order of the log.
func (s *scan) pageBySeq(page *Page, limit int) error {
	p := s.question
	lo, hi := int64(0), p.size
	if p.at.set {
		if p.asc {
			lo = max(p.at.seq, 0)
		} else {
			hi = min(p.at.seq, p.size)
		}
	}
	held := 0
	stop, err := s.walk(lo, hi, p.asc, func(e *kept.Entry) (bool, error) {
		entry, err := s.open(e)
		if err != nil {
			return false, err
		}
		page.Entries = append(page.Entries, entry)
		if held += len(entry.Payload); held >= maxHeld {
			s.budget.reason = ReasonSize
			return false, nil
		}
		return len(page.Entries) < limit, nil
	})
	if err != nil {
		return err
	}
	p.at = position{set: true, seq: stop}
	if p.asc {
		p.done = stop >= hi
	} else {
		p.done = stop <= lo
	}
	return nil
}
