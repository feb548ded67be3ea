package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"
	_ "modernc.org/sqlite"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/leaf"
)

// rows is the baseline: what one would write first. One row an event and four indexes, in the same database with the same durability,
// behind the same HTTP layer, with the same strict reading, commitments and tree, and with group commit, so that the ratio compares
// layouts and nothing else. It validates less than a Book does, which is in its favour.
type rows struct {
	unused
	lanes  []chan *rowsJob // one writer each; an organization is always the same one's
	gather int             // entries that a transaction takes more requests up to
	done   sync.WaitGroup
	close  func() error
}

// rowsGather is group commit: what waited goes in one transaction.
const rowsGather = 16 << 10

// rowsCommit makes a batch durable and fills in the places of its events. Only one call runs at a time.
type rowsCommit func(batch []*rowsJob, heads map[daybook.OrgID]*rowsHead) error

// newRows starts a writer for each commit. With a gather of 0 each request is a transaction of its own.
func newRows(commits []rowsCommit, gather int, closeDB func() error) *rows {
	r := &rows{gather: gather, close: closeDB}
	for _, commit := range commits {
		lane := make(chan *rowsJob, 4096)
		r.lanes = append(r.lanes, lane)
		r.done.Go(func() { r.write(lane, commit) })
	}
	return r
}

type rowsJob struct {
	org    daybook.OrgID
	events []rowsEvent
	answer chan error
}

type rowsEvent struct {
	text   []byte
	id     daybook.ID
	secret [16]byte
	root   tlog.Hash
	seq    int64
	at     int64
	leaf   tlog.Hash
	head   rowsColumns
}

// rowsColumns is what the indexes need of an event.
type rowsColumns struct {
	Action     string `json:"action"`
	OccurredAt string `json:"occurred_at"`
	Actor      struct {
		ID string `json:"id"`
	} `json:"actor"`
	Targets []struct {
		Type string `json:"type"`
		ID   string `json:"id"`
	} `json:"targets"`
}

const rowsSchema = `
CREATE TABLE entries (org TEXT NOT NULL, seq INTEGER NOT NULL, id BLOB NOT NULL, received INTEGER NOT NULL, occurred TEXT NOT NULL,
  action TEXT NOT NULL, actor TEXT NOT NULL, target TEXT NOT NULL, leaf BLOB NOT NULL, secret BLOB NOT NULL, event BLOB NOT NULL,
  PRIMARY KEY (org, seq)) WITHOUT ROWID;
CREATE INDEX by_action ON entries (org, action, seq);
CREATE INDEX by_actor ON entries (org, actor, seq);
CREATE INDEX by_target ON entries (org, target, seq);
CREATE INDEX by_occurred ON entries (org, occurred);
CREATE TABLE heads (org TEXT PRIMARY KEY, size INTEGER NOT NULL, frontier BLOB NOT NULL) WITHOUT ROWID;`

func openRows(path string) (*rows, error) {
	dsn := "file:" + path + "?_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=cache_size(-65536)"
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(context.Background(), rowsSchema); err != nil {
		return nil, fmt.Errorf("make the baseline's tables: %w", err)
	}
	return newRows([]rowsCommit{func(batch []*rowsJob, heads map[daybook.OrgID]*rowsHead) error { return commitRows(db, batch, heads) }}, rowsGather, db.Close), nil
}

// Close ends the writers.
func (r *rows) Close() error {
	for _, lane := range r.lanes {
		close(lane)
	}
	r.done.Wait()
	return r.close()
}

// RecordJSON is what the HTTP layer calls.
func (r *rows) RecordJSON(ctx context.Context, org daybook.OrgID, q daybook.Request) (daybook.Result, error) {
	j := &rowsJob{org: org, events: make([]rowsEvent, len(q.Events)), answer: make(chan error, 1)}
	d := leaf.Get()
	defer leaf.Put(d)
	for i, text := range q.Events {
		e := &j.events[i]
		e.text, e.id = bytes.Clone(text), daybook.NewID()
		if _, err := rand.Read(e.secret[:]); err != nil {
			return daybook.Result{}, err
		}
		if err := d.Read(text); err != nil {
			return daybook.Result{}, err
		}
		if err := json.Unmarshal(text, &e.head); err != nil {
			return daybook.Result{}, err
		}
		e.root = d.Root(&e.secret)
	}
	h := fnv.New32a()
	h.Write([]byte(org))
	r.lanes[h.Sum32()%uint32(len(r.lanes))] <- j
	if err := <-j.answer; err != nil {
		return daybook.Result{}, err
	}
	var res daybook.Result
	for i := range j.events {
		e := &j.events[i]
		res.Receipts = append(res.Receipts, daybook.Receipt{ID: e.id, Org: org, Seq: e.seq, LeafHash: e.leaf, ReceivedAt: time.UnixMicro(e.at)})
	}
	return res, nil
}

// write is a writer: one transaction for what it gathers.
func (r *rows) write(jobs <-chan *rowsJob, commit rowsCommit) {
	heads := map[daybook.OrgID]*rowsHead{}
	for j := range jobs {
		batch, entries := []*rowsJob{j}, len(j.events)
		for more := true; more && entries < r.gather; {
			select {
			case next, ok := <-jobs:
				if more = ok; ok {
					batch, entries = append(batch, next), entries+len(next.events)
				}
			default:
				more = false
			}
		}
		err := commit(batch, heads)
		for _, j := range batch {
			j.answer <- err
		}
	}
}

// place gives every event of a batch its seq, its time and its leaf, and returns the organizations it touches.
func place(batch []*rowsJob, heads map[daybook.OrgID]*rowsHead) map[daybook.OrgID]bool {
	touched := map[daybook.OrgID]bool{}
	now := time.Now().UnixMicro()
	for _, j := range batch {
		h := heads[j.org]
		if h == nil {
			h = &rowsHead{}
			heads[j.org] = h
		}
		touched[j.org] = true
		for i := range j.events {
			e := &j.events[i]
			e.seq, e.at = h.size, now
			l := leaf.Leaf{Seq: e.seq, ReceivedAt: e.at, ID: e.id, Root: e.root}
			e.leaf = l.Hash()
			h.append(e.leaf)
		}
	}
	return touched
}

// target is what the index of targets holds.
func (e *rowsEvent) target() string {
	if len(e.head.Targets) == 0 {
		return ""
	}
	return e.head.Targets[0].Type + ":" + e.head.Targets[0].ID
}

type rowsHead struct {
	size     int64
	frontier []tlog.Hash
}

func (h *rowsHead) append(leaf tlog.Hash) {
	for n := h.size; n&1 == 1; n >>= 1 {
		last := len(h.frontier) - 1
		leaf = tlog.NodeHash(h.frontier[last], leaf)
		h.frontier = h.frontier[:last]
	}
	h.frontier = append(h.frontier, leaf)
	h.size++
}

func (h *rowsHead) bytes() []byte {
	var frontier []byte
	for _, x := range h.frontier {
		frontier = append(frontier, x[:]...)
	}
	return frontier
}

func commitRows(db *sql.DB, batch []*rowsJob, heads map[daybook.OrgID]*rowsHead) (err error) {
	ctx := context.Background()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tx.Rollback())
		}
	}()
	insert, err := tx.PrepareContext(ctx, `INSERT INTO entries VALUES (?,?,?,?,?,?,?,?,?,?,?)`)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, insert.Close()) }()
	touched := place(batch, heads)
	for _, j := range batch {
		for i := range j.events {
			e := &j.events[i]
			if _, err := insert.ExecContext(ctx, string(j.org), e.seq, e.id[:], e.at, e.head.OccurredAt, e.head.Action, e.head.Actor.ID, e.target(),
				e.leaf[:], e.secret[:], e.text); err != nil {
				return err
			}
		}
	}
	for org := range touched {
		if _, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO heads VALUES (?,?,?)`, string(org), heads[org].size, heads[org].bytes()); err != nil {
			return err
		}
	}
	return tx.Commit()
}
