package daybook

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/daybook-audit/daybook/leaf"
)

// Request is what one caller records in one log, in one commit.
type Request struct {
	Events  [][]byte // one JSON object each; not changed, and not kept after the call
	Partial bool     // record the good ones when some are refused

	// Key is the caller's idempotency key, at most 255 bytes; empty: none. Keys of different doors do not meet.
	Key, Door string
	// Repeat is kept for 24 hours when there is no Key, and Repeats are looked for as if they had been the Key: a door that sees
	// repeats without a key gives hashes that nobody can guess. Zero and nil: none.
	Repeat  [16]byte
	Repeats [][16]byte

	Internal bool // actions that begin with "daybook." are allowed
}

// Result answers a Request.
type Result struct {
	Receipts []Receipt    // in the order of Events; zero where an event was refused
	Errors   []EventError // what was refused, with Partial
}

// Record records one event. See [Recorder] for what an error means.
func (b *Book) Record(ctx context.Context, org OrgID, e Event) (Receipt, error) {
	rs, err := b.RecordBatch(ctx, org, []Event{e})
	if err != nil {
		if batch, ok := errors.AsType[*BatchError](err); ok {
			return Receipt{}, batch.Errors[0].Err
		}
		return Receipt{}, err
	}
	return rs[0], nil
}

// RecordBatch records all of es or none, in one commit.
func (b *Book) RecordBatch(ctx context.Context, org OrgID, es []Event) ([]Receipt, error) {
	texts := make([][]byte, len(es))
	for i := range es {
		text, err := appendEvent(nil, &es[i])
		if err != nil {
			return nil, fmt.Errorf("event %d: %w", i, err)
		}
		texts[i] = text
	}
	res, err := b.RecordJSON(ctx, org, Request{Events: texts})
	return res.Receipts, err
}

// RecordJSON records events given as JSON (the members: docs/reference/api.md) and returns their receipts in order once they are
// durable. Without Partial all are recorded or none. A *BatchError or another *Error means that nothing was recorded; when ctx
// ends while the request waits for its turn, nothing was recorded either, and the error is that of ctx; ErrUnknownOutcome means
// that nobody knows: repeat the call with the same ids or key.
func (b *Book) RecordJSON(ctx context.Context, org OrgID, r Request) (Result, error) {
	if !org.Valid() {
		return Result{}, errInvalidOrg(org)
	}
	if len(r.Key) > 255 {
		return Result{}, &Error{Code: CodeInvalid, Rule: "invalid_value", Field: "Idempotency-Key", Message: "an idempotency key has at most 255 bytes"}
	}
	s := b.shardOf(org)
	log, err := s.open(ctx, org, true)
	if err != nil {
		return Result{}, err
	}
	q := &recording{b: b, s: s, r: &r, job: &job{org: org, log: log, looked: -1, ctx: ctx, done: make(chan error, 1)}}
	if err := q.accept(); err != nil {
		return Result{}, err
	}
	if err := q.record(ctx); err != nil {
		return Result{}, err
	}
	return Result{Receipts: q.receipts, Errors: q.refused}, nil
}

// recording is one RecordJSON under way.
type recording struct {
	b        *Book
	s        *shard
	r        *Request
	job      *job
	index    []int      // of job.events: their place in Request.Events
	given    map[ID]int // of job.events, the ids that the producer gave
	twins    []twin
	receipts []Receipt
	refused  []EventError
	early    int          // how often the key was found before its entries
	unfit    []EventError // what a schema refuses, unless it was recorded before
}

// twin is an event whose id an earlier event of the same request has.
type twin struct {
	index, of int // places in Request.Events
	same      bool
}

// accept reads every event and computes what needs no place in the log.
func (q *recording) accept() error {
	n := len(q.r.Events)
	q.receipts = make([]Receipt, n)
	q.job.events = make([]pending, 0, n)
	q.index = make([]int, 0, n)
	random := make([]byte, 32*n) // a secret and an id each
	if _, err := rand.Read(random); err != nil {
		panic(err) // crypto/rand.Read never returns an error
	}
	now := q.b.o.Now()
	oldest, newest := int64(math.MaxInt64), int64(math.MinInt64) // times that producers gave
	d := leaf.Get()
	defer leaf.Put(d)
	judged, err := q.judged()
	if err != nil {
		return err
	}
	for i, text := range q.r.Events {
		a, err := accept(d, text, q.r.Internal)
		var sent []byte
		if err == nil && judged {
			sent = a.Text
			if a, err = q.judge(i, d, a); err != nil && CodeOf(err) == CodeInternal {
				return err
			}
		}
		if err != nil {
			if !q.refuse(i, err) {
				break
			}
			continue
		}
		if a.HasOccurred {
			oldest, newest = min(oldest, a.Occurred), max(newest, a.Occurred)
		}
		p := pending{text: a.Text, sent: sent, id: a.ID, explicit: a.IDAt > 0, idAt: a.IDAt, secret: [16]byte(random[32*i:])}
		if p.explicit && q.isTwin(i, &p, d) {
			continue
		}
		if !p.explicit {
			p.id = idAt(now.UnixMilli(), [16]byte(random[32*i+16:]))
		}
		p.root, p.body = d.Root(&p.secret), p.cut()
		q.job.events = append(q.job.events, p)
		q.index = append(q.index, i)
		q.job.bytes += int64(len(p.text)) + 256
	}
	if len(q.refused) > 0 && (!q.r.Partial || len(q.refused) == n) {
		return &BatchError{Errors: q.refused[:min(len(q.refused), 100)]}
	}
	if q.b.metrics.Clock != nil && oldest <= newest && !q.r.Internal {
		at := now.UnixMicro()
		q.b.metrics.Clock(q.job.org, time.Duration(at-newest)*time.Microsecond, time.Duration(at-oldest)*time.Microsecond)
	}
	return nil
}

// refuse notes a refusal. It returns false when reading on is of no use: the batch is lost and enough is known.
func (q *recording) refuse(i int, err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Code: CodeInternal, Message: "the event could not be read", Err: err}
	}
	q.refused = append(q.refused, EventError{Index: i, Err: e})
	return q.r.Partial || len(q.refused) < 100
}

// isTwin reports whether an earlier event of the request has p's id, and notes it: the first wins, the second is compared.
func (q *recording) isTwin(i int, p *pending, d *leaf.Doc) bool {
	if len(q.r.Events) == 1 {
		return false
	}
	if q.given == nil {
		q.given = make(map[ID]int, len(q.r.Events))
	}
	of, twice := q.given[p.id]
	if !twice {
		q.given[p.id] = len(q.job.events)
		return false
	}
	first := &q.job.events[of]
	q.twins = append(q.twins, twin{index: i, of: q.index[of], same: d.Root(&first.secret) == first.root})
	return true
}

// record submits the job until it is recorded, or found to be recorded already.
func (q *recording) record(ctx context.Context) error {
	if err := q.b.vet(ctx, q.s, q.job.log); err != nil {
		return err
	}
	if err := q.compareTwins(); err != nil {
		return err
	}
	hashes := q.hashes()
	look := len(hashes) > 0 || len(q.unfit) > 0
	for {
		if look {
			done, err := q.lookUp(ctx, hashes)
			if done || err != nil {
				return err
			}
			if err := q.refuseUnfit(); err != nil {
				return err
			}
		}
		q.job.queued, q.job.told = q.b.o.Now(), false
		if err := q.s.add(q.job); err != nil {
			return err
		}
		err := q.wait(ctx)
		if err == nil {
			q.fill()
			return nil
		}
		if !errors.Is(err, errLookUp) {
			return err
		}
		look = true
	}
}

// wait waits for the sequencer. The end of ctx counts only while the job is in the queue: a commit is never abandoned half-way,
// and its outcome is known soon, or is answered as unknown after CommitTimeout.
func (q *recording) wait(ctx context.Context) error {
	select {
	case err := <-q.job.done:
		return err
	case <-ctx.Done():
		if q.s.leave(q.job) {
			return ctx.Err()
		}
		return <-q.job.done
	}
}

// leave takes j out of the queue; false: the sequencer has it, or has answered it.
func (s *shard) leave(j *job) bool {
	s.qmu.Lock()
	defer s.qmu.Unlock()
	for i := range s.queue {
		if s.queue[i] == j {
			s.queue = append(s.queue[:i], s.queue[i+1:]...)
			s.queued -= j.bytes
			return true
		}
	}
	return false
}

// fill writes the receipts of what was just recorded.
func (q *recording) fill() {
	for i := range q.job.events {
		p := &q.job.events[i]
		q.receipts[q.index[i]] = Receipt{
			ID: p.id, Org: q.job.org, Seq: q.job.first + int64(i), LeafHash: p.leaf, ReceivedAt: time.UnixMicro(q.job.received + int64(i)).UTC(),
		}
	}
	for _, t := range q.twins {
		if t.same {
			rc := q.receipts[t.of]
			rc.Duplicate = true
			q.receipts[t.index] = rc
		}
	}
}

// compareTwins refuses events that have the id of an earlier one and other content.
func (q *recording) compareTwins() error {
	for _, t := range q.twins {
		if !t.same {
			if err := q.conflict(t.index, "an earlier event of this request has the same id and other content"); err != nil {
				return err
			}
		}
	}
	return nil
}

// conflict refuses event i, which has the id of an entry with other content: the whole request, or the event alone with Partial.
func (q *recording) conflict(i int, why string) error {
	e := &Error{Code: CodeConflict, Rule: "id_conflict", Field: "/id", Message: why}
	if !q.r.Partial {
		return &BatchError{Errors: []EventError{{Index: i, Err: e}}}
	}
	q.refused = append(q.refused, EventError{Index: i, Err: e})
	q.receipts[i] = Receipt{}
	return nil
}

// hashes returns the idempotency keys to look for, the one to keep first.
func (q *recording) hashes() [][16]byte {
	var hs [][16]byte
	switch {
	case q.r.Key != "":
		hs = append(hs, keyHash(q.r.Door, q.r.Key))
		q.job.keys = []jobKey{{hash: hs[0], first: -1, expires: q.expires(q.b.o.IdempotencyWindow)}}
	case q.r.Repeat != [16]byte{}:
		hs = append(hs, q.r.Repeat)
		q.job.keys = []jobKey{{hash: hs[0], first: -1, expires: q.expires(24 * time.Hour)}}
	}
	return append(hs, q.r.Repeats...)
}

func (q *recording) expires(d time.Duration) int64 {
	return q.b.o.Now().Add(d+time.Hour-1).Unix() / 3600
}

// keyHash is how a key is kept: SHA-256 of door, 0 and key, its first half.
func keyHash(door, key string) [16]byte {
	h := sha256.New()
	h.Write([]byte(door))
	h.Write([]byte{0})
	h.Write([]byte(key))
	return [16]byte(h.Sum(nil))
}
