package postgres

import (
	"context"
	"fmt"
	"iter"
	"math"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/daybook-audit/daybook"
)

const (
	// One statement, so one transaction; the shard's row is locked before the note is there.
	sqlPutNote = `WITH log AS (SELECT shard FROM @heads WHERE log_no = $1),
		signed AS (UPDATE @shards s SET signed = greatest(s.signed, $3) FROM log WHERE s.shard = log.shard RETURNING s.shard),
		put AS (INSERT INTO @checkpoints (log_no, size, at, note) SELECT $1, $2, $3, $4 FROM signed ON CONFLICT DO NOTHING RETURNING size)
		SELECT (SELECT count(*) FROM signed), (SELECT count(*) FROM put)`
	sqlNotesAsc   = `SELECT size, at, note FROM @checkpoints WHERE log_no = $1 AND size >= $2 AND size < $3 ORDER BY size LIMIT $4`
	sqlNotesDesc  = `SELECT size, at, note FROM @checkpoints WHERE log_no = $1 AND size >= $2 AND size < $3 ORDER BY size DESC LIMIT $4`
	sqlEpochs     = `SELECT ` + headColumns + ` FROM @heads WHERE org = $1 ORDER BY epoch`
	sqlHeadOf     = `SELECT ` + headColumns + ` FROM @heads WHERE log_no = $1 FOR UPDATE`
	sqlNextEpoch  = `SELECT ` + headColumns + ` FROM @heads WHERE org = $1 AND epoch = $2`
	sqlFreeze     = `UPDATE @heads SET state = 1 WHERE log_no = $1`
	sqlBeginEpoch = `INSERT INTO @heads (org, epoch, shard, log_id) SELECT org, epoch + 1, shard, $2 FROM @heads WHERE log_no = $1`
)

// PutNote implements [daybook.Keeper].
func (s *Store) PutNote(ctx context.Context, log daybook.LogNo, n daybook.StoredNote) error {
	var there, put int
	err := s.transact(ctx, false, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, s.sql(sqlPutNote), log, n.Size, n.At, notNull(n.Note)).Scan(&there, &put)
	})
	switch {
	case err != nil:
	case there == 0:
		err = daybook.ErrNotExist
	case put == 0:
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
		text := sqlNotesAsc
		if desc {
			text = sqlNotesDesc
		}
		for page, from, to := 1, from, to; from < to; page = min(page*16, lastPage) {
			var notes []daybook.StoredNote
			err := s.read(ctx, func(ctx context.Context, c *pgxpool.Conn) error {
				rows, err := c.Query(ctx, s.sql(text), log, from, to, page)
				if err != nil {
					return err
				}
				var n daybook.StoredNote
				_, err = pgx.ForEachRow(rows, []any{&n.Size, &n.At, &n.Note}, func() error {
					notes = append(notes, n)
					return nil
				})
				return err
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
	err := s.listHeads(ctx, sqlEpochs, func(h daybook.Head) { heads = append(heads, h) }, org)
	return heads, err
}

// NewEpoch implements [daybook.Keeper]. The head's row is locked first, so that of two calls the second sees the first one's log.
func (s *Store) NewEpoch(ctx context.Context, log daybook.LogNo) (daybook.Head, error) {
	var next daybook.Head
	err := s.transact(ctx, false, func(ctx context.Context, tx pgx.Tx) error {
		var old daybook.Head
		if err := s.scanHeads(ctx, tx, sqlHeadOf, func(h daybook.Head) { old = h }, log); err != nil {
			return err
		}
		if old.Log == 0 {
			return daybook.ErrNotExist
		}
		follower := func() error {
			return s.scanHeads(ctx, tx, sqlNextEpoch, func(h daybook.Head) { next = h }, old.Org, old.Epoch+1)
		}
		if err := follower(); err != nil || next.Log != 0 {
			return err
		}
		if old.Epoch == math.MaxUint16 {
			return fmt.Errorf("epoch %d is the last", old.Epoch)
		}
		if _, err := tx.Exec(ctx, s.sql(sqlFreeze), log); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, s.sql(sqlBeginEpoch), log, newLogID()); err != nil {
			return err
		}
		return follower()
	})
	if err != nil {
		return daybook.Head{}, fmt.Errorf("begin the epoch after log %d: %w", log, err)
	}
	return next, nil
}
