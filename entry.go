package daybook

import (
	"encoding/base64"
	"slices"
	"strconv"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/internal/rawjson"
	"github.com/daybook-audit/daybook/internal/timestamp"
	"github.com/daybook-audit/daybook/leaf"
)

// Kinds of entries.
const (
	KindEvent   byte = 0 // what a producer recorded
	KindControl byte = 1 // what the log itself recorded: erasure, pruning, hold, key, epoch
)

// Entry is an event as it stands in the log.
type Entry struct {
	Org        OrgID
	Seq        int64
	ID         ID
	ReceivedAt int64 // µs since 1970
	LeafHash   tlog.Hash
	Kind       byte
	// Payload is the accepted JSON, byte for byte. Of an entry with erased fields it is the JSON object of what is left, in another
	// order of members; of a removed one it is nil.
	Payload []byte

	// Removed says why nothing of the entry is left but its place, id and time; RemovedBy names the erasure, or the retention rule. What
	// retention has left a hash of has no ID and no ReceivedAt; what it has left nothing of, no LeafHash and no RemovedBy either.
	Removed   Why
	RemovedBy string

	// Erased is the number of fields that are gone although the entry is there. ErasedFields are the JSON pointers of those whose
	// names were kept, in the order of their indexes; nothing proves these names.
	Erased       int
	ErasedFields []string

	// Held: a hold in force keeps the entry. Only what [Book.Search] finds says so, and only when EventQuery.Held asks.
	Held bool

	// Masked is the number of fields that are not gone, but left out of the [Excerpt] that the entry is read from.
	Masked int

	top topLevel // of Payload, as far as that is known
}

// Why is the reason for which an entry is gone.
type Why byte

// The reasons. NotRemoved is the zero value.
const (
	NotRemoved         = Why(kept.NotGone)
	RemovedByErasure   = Why(kept.ByErasure)   // named by an erase entry
	RemovedByRetention = Why(kept.ByRetention) // named by a prune entry
	LeftOut            = Why(kept.LeftOut)     // the log has it, this [Excerpt] has not
)

// String returns the word of the entry JSON.
func (w Why) String() string {
	switch w {
	case RemovedByErasure:
		return "erased"
	case RemovedByRetention:
		return "retention"
	case LeftOut:
		return "left_out"
	case NotRemoved:
	}
	return ""
}

// topLevel says which members a payload has at its top level.
type topLevel byte

const (
	topKnown    topLevel = 1 << iota // the other two are true
	topID                            // an id
	topOccurred                      // an occurred_at
)

// Event returns what was recorded, as a struct. Members that the struct has no place for are left out, and so is what is erased.
func (e *Entry) Event() (Event, error) {
	ev := Event{}
	if e.Removed != NotRemoved {
		return Event{Org: e.Org, ID: e.ID}, nil
	}
	if err := decodeEvent(e.Payload, &ev); err != nil {
		return Event{}, err
	}
	ev.Org, ev.ID = e.Org, e.ID
	if ev.OccurredAt.IsZero() {
		ev.OccurredAt = time.UnixMicro(e.ReceivedAt).UTC()
	}
	return ev, nil
}

// AppendJSON appends the entry as one line of JSON without a newline: org, seq, id, received_at and leaf_hash, then the recorded
// bytes as they are, so that numbers keep their digits. The id is left out in front when the recorded bytes carry it, and
// occurred_at is added when they do not. A removed entry is a tombstone: removed and by follow leaf_hash, and nothing else, and what
// is not known of it any more is left out. When
// fields are erased, erased_fields follows leaf_hash.
func (e *Entry) AppendJSON(dst []byte) []byte {
	top := e.top
	if e.Removed == NotRemoved && top&topKnown == 0 {
		top = readTop(e.Payload)
	}
	dst = append(dst, `{"org":"`...)
	dst = append(dst, e.Org...) // the form of an org id needs no escapes
	dst = append(dst, `","seq":`...)
	dst = strconv.AppendInt(dst, e.Seq, 10)
	if top&topID == 0 && !e.ID.IsZero() {
		dst = append(dst, `,"id":"`...)
		dst = e.ID.Append(dst)
		dst = append(dst, '"')
	}
	if e.ReceivedAt != 0 || e.Removed == NotRemoved {
		dst = append(dst, `,"received_at":"`...)
		dst = append(AppendTime(dst, e.ReceivedAt), '"')
	}
	if e.LeafHash != (tlog.Hash{}) || e.Removed == NotRemoved {
		dst = append(base64.StdEncoding.AppendEncode(append(dst, `,"leaf_hash":"`...), e.LeafHash[:]), '"')
	}
	if e.Removed != NotRemoved {
		dst = append(append(append(dst, `,"removed":"`...), e.Removed.String()...), '"')
		if e.RemovedBy != "" {
			dst = rawjson.Quote(append(dst, `,"by":`...), []byte(e.RemovedBy))
		}
		return append(dst, '}')
	}
	if e.Erased > 0 {
		dst = append(dst, `,"erased_fields":[`...)
		for _, name := range e.ErasedFields {
			dst = rawjson.Quote(rawjson.Comma(dst), []byte(name))
		}
		dst = append(dst, ']')
	}
	if top&topOccurred == 0 && e.occurredKnown() {
		dst = append(dst, `,"occurred_at":"`...)
		dst = AppendTime(dst, e.ReceivedAt)
		dst = append(dst, '"')
	}
	rest := e.Payload[1:]
	if len(rest) > 1 { // more than the closing brace
		dst = append(dst, ',')
	}
	return append(dst, rest...)
}

// occurredKnown reports whether an entry that shows no occurred_at was recorded without one. It is not known when it may be what was
// erased.
func (e *Entry) occurredKnown() bool {
	return e.Masked == 0 && e.Erased == len(e.ErasedFields) && !slices.Contains(e.ErasedFields, "/occurred_at")
}

// MarshalJSON is AppendJSON.
func (e Entry) MarshalJSON() ([]byte, error) { return e.AppendJSON(nil), nil }

// AppendTime appends a time in µs since 1970 as RFC 3339 in UTC with exactly six decimals.
func AppendTime(dst []byte, micros int64) []byte {
	return timestamp.Append(dst, micros)
}

// readTop reads which members payload carries. It was accepted before, so it is not judged again.
func readTop(payload []byte) topLevel {
	d := leaf.Get()
	defer leaf.Put(d)
	if d.ReadTrusted(payload) != nil {
		return topKnown
	}
	return topOf(d)
}

func topOf(d *leaf.Doc) topLevel {
	top := topKnown
	for i := range d.Len() {
		switch string(d.Path(i)) {
		case "/id":
			top |= topID
		case "/occurred_at":
			top |= topOccurred
		}
	}
	return top
}
