package storetest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"

	"github.com/daybook-audit/daybook"
)

// Load makes requests for tests of faults: single events, batches, ids and keys used twice, by the same writer, by two writers at
// once and within one batch, and ids used again for other content, which a Book must refuse. The same Load makes the same requests, in
// whatever process: what a child was doing when it was killed is known to its parent.
type Load struct {
	Seed    uint64
	Start   int64 // µs since 1970: the time that is in most ids; others are of a day before and of minutes ahead
	Writers int   // at least 1. Each makes its calls one after the other
	Orgs    int   // at least 1
}

// Call is one request of a load, the No-th of its writer.
type Call struct {
	Writer, No int
	Org        daybook.OrgID
	Request    daybook.Request
	Repeatable bool // its key or its ids make it safe to repeat
	Conflict   bool // an id in it stands for other content: it must be refused, and record nothing

	marks []string // of the events of Request; equal marks are the same event
}

// Answer is what became of one call.
type Answer struct {
	Writer, No int
	Receipts   []daybook.Receipt // in order; nil: not acknowledged
	Nothing    bool              // refused with a promise that nothing was recorded
	Code       daybook.Code      // of the error
	Error      string
}

// Call returns call no of a writer.
func (l Load) Call(writer, no int) Call {
	pair := l.random(uint64(writer/2)|1<<32, no)
	if pair.IntN(10) == 0 && l.Writers > 1 {
		return l.shared(writer, no, pair)
	}
	r := l.random(uint64(writer), no)
	c := Call{Writer: writer, No: no, Org: l.org(r)}
	switch r.IntN(10) {
	case 0, 1: // a single event without an id cannot be repeated: it would be another one
		l.events(&c, r, 1, 0)
	case 2, 3:
		l.events(&c, r, 1, 1)
	case 4:
		l.events(&c, r, 2+r.IntN(19), 0)
		c.Request.Key = fmt.Sprintf("%d.%d", writer, no)
	case 5:
		l.events(&c, r, 2+r.IntN(19), 1)
		c.Request.Events, c.marks = append(c.Request.Events, c.Request.Events[0]), append(c.marks, c.marks[0])
	case 6:
		l.events(&c, r, 2+r.IntN(19), r.Float64())
		c.Request.Key = fmt.Sprintf("%d.%d", writer, no)
	case 7, 8:
		return l.repeat(c, r)
	default:
		return l.conflict(c, r)
	}
	c.Repeatable = c.Request.Key != "" || c.marks[0][0] == 'i'
	return c
}

// random is the source of everything about one call.
func (l Load) random(stream uint64, no int) *rand.Rand {
	return rand.New(rand.NewPCG(l.Seed^stream*0x9e3779b97f4a7c15, uint64(no)))
}

// org returns the first half of the time the same org, so that one log is long.
func (l Load) org(r *rand.Rand) daybook.OrgID {
	n := 0
	if r.IntN(2) == 0 {
		n = r.IntN(l.Orgs)
	}
	return daybook.OrgID(fmt.Sprintf("org_%d", n))
}

// events gives c n events, that part of them with ids.
func (l Load) events(c *Call, r *rand.Rand, n int, withID float64) {
	for i := range n {
		id := r.Float64() < withID
		mark := fmt.Sprintf("%d.%d.%d", c.Writer, c.No, i)
		c.add(l, r, mark, id)
	}
}

// add appends an event. Its mark says in the log which one it is.
func (c *Call) add(l Load, r *rand.Rand, mark string, withID bool) {
	text := []byte("{")
	if withID {
		mark = "i" + mark
		text = fmt.Appendf(text, `"id":"%s",`, l.id(r, c.No))
	}
	size := r.IntN(300)
	if r.IntN(50) == 0 {
		size = 20_000
	}
	pad := make([]byte, 0, size+16)
	for len(pad) < size {
		pad = strconv.AppendUint(append(pad, ' '), r.Uint64(), 36)
	}
	text = fmt.Appendf(text, `"action":"load.called","actor":{"type":"writer","id":"%d"},"targets":[{"type":"mark","id":"%s"}],"metadata":{"pad":"%s"}}`,
		r.IntN(9), mark, pad)
	c.Request.Events, c.marks = append(c.Request.Events, text), append(c.marks, mark)
}

// id returns a UUIDv7 (RFC 9562 §5.7).
func (l Load) id(r *rand.Rand, no int) daybook.ID {
	ms := l.Start/1000 + int64(no)
	switch r.IntN(10) {
	case 0:
		ms -= 24 * 3_600_000
	case 1:
		ms += 4 * 60_000
	}
	var id daybook.ID
	binary.BigEndian.PutUint64(id[:], uint64(ms)<<16|0x7000|uint64(r.IntN(1<<12)))
	binary.BigEndian.PutUint64(id[8:], 1<<63|r.Uint64()>>2)
	return id
}

// shared is a call that two writers make, each on its own, possibly at the same moment.
func (l Load) shared(writer, no int, r *rand.Rand) Call {
	c := Call{Writer: writer, No: no, Org: l.org(r), Repeatable: true}
	withID := r.IntN(2) == 0
	for i := range 1 + r.IntN(3) {
		c.add(l, r, fmt.Sprintf("p%d.%d.%d", writer/2, no, i), withID)
	}
	if !withID {
		c.Request.Key = fmt.Sprintf("p%d.%d", writer/2, no)
	}
	return c
}

// repeat makes an earlier call again.
func (l Load) repeat(c Call, r *rand.Rand) Call {
	for back := 1 + r.IntN(20); back <= c.No; back++ {
		if of := l.Call(c.Writer, c.No-back); of.Repeatable {
			of.No = c.No
			return of
		}
	}
	l.events(&c, r, 1, 1)
	c.Repeatable = true
	return c
}

// conflict uses the id of an earlier call for another event, after one that is good: neither may be recorded.
func (l Load) conflict(c Call, r *rand.Rand) Call {
	for back := 1 + r.IntN(20); back <= c.No; back++ {
		of := l.Call(c.Writer, c.No-back)
		if of.Conflict || of.marks[0][0] != 'i' || of.Request.Key != "" {
			continue
		}
		c.Org, c.Conflict, c.Repeatable = of.Org, true, true
		l.events(&c, r, 1, 0)
		id := of.Request.Events[0][len(`{"id":"`):][:30]
		mark := fmt.Sprintf("c%d.%d", c.Writer, c.No)
		text := fmt.Appendf(nil, `{"id":"%s","action":"load.conflicted","actor":{"type":"writer","id":"0"},"targets":[{"type":"mark","id":"%s"}]}`, id, mark)
		c.Request.Events, c.marks = append(c.Request.Events, text), append(c.marks, mark)
		return c
	}
	l.events(&c, r, 1, 1)
	c.Repeatable = true
	return c
}

// Do makes the call and returns what became of it. An acknowledgement is in the answer the moment RecordJSON returned it.
func (c *Call) Do(ctx context.Context, b *daybook.Book) Answer {
	return c.Answer(b.RecordJSON(ctx, c.Org, c.Request))
}

// Answer returns what RecordJSON has answered to the call.
func (c *Call) Answer(res daybook.Result, err error) Answer {
	a := Answer{Writer: c.Writer, No: c.No}
	if err == nil {
		a.Receipts = res.Receipts
		return a
	}
	var coded *daybook.Error
	a.Nothing = errors.As(err, &coded)
	a.Code, a.Error = daybook.CodeOf(err), err.Error()
	return a
}

// Answered reports whether the call need not be made again: it was acknowledged, or refused as it had to be.
func (a *Answer) Answered() bool { return a.Receipts != nil || a.Code == daybook.CodeConflict }

// Write makes calls from…to−1 of one writer, one after the other, and says at once what became of each. A call that is not answered
// is repeated up to again times if it can be; else the writer goes on after a call that cannot be repeated, and ends after one that
// can, since later calls use its ids. It ends early when ctx ends.
func (l Load) Write(ctx context.Context, b *daybook.Book, writer, from, to, again int, tell func(Answer)) {
	for no := from; no < to && ctx.Err() == nil; no++ {
		c := l.Call(writer, no)
		a := c.Do(ctx, b)
		tell(a)
		for n := 0; n < again && !a.Answered() && (c.Repeatable || a.Nothing); n++ {
			a = c.Do(ctx, b)
			tell(a)
		}
		if !a.Answered() && c.Repeatable {
			return
		}
	}
}
