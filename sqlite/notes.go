package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql/driver"
	"fmt"
	"iter"
	"math"

	"github.com/daybook-audit/daybook"
)

const (
	sqlSigned     = `UPDATE shards SET signed = max(signed, ?1) WHERE shard = 0`
	sqlPutNote    = `INSERT INTO checkpoints (log_no, size, at, note) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING`
	sqlNotesAsc   = `SELECT size, at, note FROM checkpoints WHERE log_no = ?1 AND size >= ?2 AND size < ?3 ORDER BY size LIMIT ?4`
	sqlNotesDesc  = `SELECT size, at, note FROM checkpoints WHERE log_no = ?1 AND size >= ?2 AND size < ?3 ORDER BY size DESC LIMIT ?4`
	sqlEpochs     = `SELECT ` + headColumns + ` FROM heads WHERE org = ?1 ORDER BY epoch`
	sqlNextEpoch  = `SELECT ` + headColumns + ` FROM heads WHERE org = ?1 AND epoch = ?2`
	sqlFreeze     = `UPDATE heads SET state = 1 WHERE log_no = ?1`
	sqlBeginEpoch = `INSERT INTO heads (org, epoch, log_id) VALUES (?1, ?2, ?3)`
)

// PutNote implements [daybook.Keeper].
func (s *Store) PutNote(ctx context.Context, log daybook.LogNo, n daybook.StoredNote) error {
	exists := false
	err := s.write(ctx, writing, func(w *conn) error {
		if h, err := logHead(w, log); err != nil {
			return err
		} else if h.Log == 0 {
			return daybook.ErrNotExist
		}
		if _, err := w.exec(sqlSigned, n.At); err != nil {
			return err
		}
		put, err := w.exec(sqlPutNote, int64(log), n.Size, n.At, notNull(n.Note))
		exists = put == 0
		return err
	})
	if err == nil && exists {
		err = daybook.ErrExists
	}
	if err != nil {
		return fmt.Errorf("put the checkpoint of log %d at size %d: %w", log, n.Size, err)
	}
	return nil
}

// Notes implements [daybook.Reader].
func (s *Store) Notes(ctx context.Context, log daybook.LogNo, from, to int64, desc bool) iter.Seq2[daybook.StoredNote, error] {
	return func(yield func(daybook.StoredNote, error) bool) {
		for page, from, to := 1, from, to; from < to; page = min(page*16, lastPage) {
			var notes []daybook.StoredNote
			query := sqlNotesAsc
			if desc {
				query = sqlNotesDesc
			}
			err := s.read(ctx, func(r *conn) error {
				return r.query(query, func(row []driver.Value) error {
					notes = append(notes, daybook.StoredNote{Size: number(row[0]), At: number(row[1]), Note: blob(row[2])})
					return nil
				}, int64(log), from, to, int64(page))
			})
			if err != nil {
				yield(daybook.StoredNote{}, fmt.Errorf("list checkpoints of log %d: %w", log, err))
				return
			}
			for _, n := range notes {
				if !yield(n, nil) {
					return
				}
			}
			if len(notes) < page {
				return
			}
			if last := notes[len(notes)-1].Size; desc {
				to = last
			} else {
				from = last + 1
			}
		}
	}
}

// Epochs implements [daybook.Reader].
func (s *Store) Epochs(ctx context.Context, org daybook.OrgID) ([]daybook.Head, error) {
	var heads []daybook.Head
	err := s.read(ctx, func(r *conn) error {
		return r.query(sqlEpochs, func(row []driver.Value) error {
			var h daybook.Head
			if err := scanHead(row, &h); err != nil {
				return err
			}
			heads = append(heads, h)
			return nil
		}, string(org))
	})
	return heads, err
}

// NewEpoch implements [daybook.Keeper].
func (s *Store) NewEpoch(ctx context.Context, log daybook.LogNo) (daybook.Head, error) {
	var next daybook.Head
	err := s.write(ctx, writing, func(w *conn) error {
		old, err := logHead(w, log)
		if err != nil {
			return err
		}
		if old.Log == 0 {
			return daybook.ErrNotExist
		}
		epoch := func() error {
			return w.query(sqlNextEpoch, func(row []driver.Value) error { return scanHead(row, &next) }, string(old.Org), int64(old.Epoch)+1)
		}
		if err := epoch(); err != nil || next.Log != 0 {
			return firstOf(err, errNothing)
		}
		if old.Epoch == math.MaxUint16 {
			return fmt.Errorf("epoch %d is the last", old.Epoch)
		}
		if _, err := w.exec(sqlFreeze, int64(log)); err != nil {
			return err
		}
		id := make([]byte, 10)
		rand.Read(id) // never fails
		if _, err := w.exec(sqlBeginEpoch, string(old.Org), int64(old.Epoch)+1, id); err != nil {
			return err
		}
		return epoch()
	})
	if err != nil {
		return daybook.Head{}, fmt.Errorf("begin the epoch after log %d: %w", log, err)
	}
	return next, nil
}

// logHead returns the head of a log; Log 0: there is none.
func logHead(c *conn, log daybook.LogNo) (h daybook.Head, err error) {
	err = c.query(sqlLogHead, func(row []driver.Value) error { return scanHead(row, &h) }, int64(log))
	return h, err
}
