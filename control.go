package daybook

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/daybook-audit/daybook/internal/rawjson"
	"github.com/daybook-audit/daybook/internal/shape"
	"github.com/daybook-audit/daybook/leaf"
)

// basis is what a decision about a log rests on: what its control entries below seen say.
type basis struct {
	log  LogNo
	seen int64
}

// basis returns that of a decision that knows the control entries in v.
func (v *view) basis() *basis { return &basis{v.head.Log, v.size} }

// errActsMoved says that a control entry came between a decision and its own control entries: it is to be decided again.
var errActsMoved = errors.New("daybook: another control entry came first")

// maxAgain is how often a decision is made again.
const maxAgain = 20

// again calls decide until no other control entry comes first.
func again[T any](ctx context.Context, decide func() (T, error)) (T, error) {
	for try := 0; ; try++ {
		v, err := decide()
		switch {
		case !errors.Is(err, errActsMoved):
			return v, err
		case ctx.Err() != nil:
			return v, context.Cause(ctx)
		case try == maxAgain:
			return v, &Error{Code: CodeOverloaded, Message: "others keep deciding about this log; try again", Err: err}
		}
	}
}

// recordControl appends one control entry to the log of org: see recordControls.
func (b *Book) recordControl(ctx context.Context, org OrgID, text []byte, rests *basis) (Receipt, error) {
	rs, err := b.recordControls(ctx, org, [][]byte{text}, rests)
	if err != nil {
		return Receipt{}, err
	}
	return rs[0], nil
}

// recordControls appends control entries (kind 1: docs/reference/integrity.md, section 9) to the newest log of org, which is made if
// there is none. They are neighbours, in one commit, and durable when it returns: all of them or none. Each text is one JSON object
// that fits a payload; it is kept without its insignificant white space and is not checked further, so that what it says is its
// caller's to answer for. It carries no id: the log gives one.
//
// rests says what the decision rests on: when another control entry came first, here or from another process, it is errActsMoved and
// nothing was recorded. Nil: on nothing.
//
// The errors are those of [Book.RecordJSON]. After ErrUnknownOutcome the caller reads the log's control entries before it repeats the
// call: nothing in a control entry keeps it from being recorded twice.
func (b *Book) recordControls(ctx context.Context, org OrgID, texts [][]byte, rests *basis) ([]Receipt, error) {
	if !org.Valid() {
		return nil, errInvalidOrg(org)
	}
	s := b.shardOf(org)
	log, err := s.open(ctx, org, true)
	if err != nil {
		return nil, err
	}
	q := &recording{
		b: b, s: s, r: &Request{}, job: &job{org: org, log: log, looked: -1, ctx: ctx, done: make(chan error, 1)},
		receipts: make([]Receipt, len(texts)),
	}
	if rests != nil {
		if log.no != rests.log {
			return nil, errActsMoved
		}
		q.job.decided, q.job.seen = true, rests.seen
	}
	if err := q.acceptControls(texts); err != nil {
		return nil, err
	}
	if err := q.record(ctx); err != nil {
		return nil, fmt.Errorf("record %d control entries: %w", len(texts), err)
	}
	return q.receipts, nil
}

// acceptControls is accept for what the log itself says.
func (q *recording) acceptControls(texts [][]byte) error {
	random := make([]byte, 32*len(texts)) // a secret and an id each
	if _, err := rand.Read(random); err != nil {
		panic(err) // crypto/rand.Read never returns an error
	}
	now := q.b.o.Now().UnixMilli()
	d := leaf.Get()
	defer leaf.Put(d)
	for i, text := range texts {
		text = rawjson.Compact(text)
		if err := shape.Read(d, text); err != nil {
			return fmt.Errorf("control entry %d of %d: %w", i+1, len(texts), refusalOf(err))
		}
		for k := range d.Len() {
			if string(d.Path(k)) == "/id" {
				return errors.New("a control entry carries an id of its own")
			}
		}
		p := pending{text: text, id: idAt(now, [16]byte(random[32*i+16:])), kind: KindControl, secret: [16]byte(random[32*i:])}
		p.root, p.body = d.Root(&p.secret), text
		q.job.events = append(q.job.events, p)
		q.index = append(q.index, i)
		q.job.bytes += int64(len(text)) + 256
	}
	return nil
}
