package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/daybook-audit/daybook"
)

const (
	sqlCloseLogs = `UPDATE @heads SET state = 2 WHERE org = $1`
	sqlState     = `SELECT state FROM @heads WHERE log_no = $1 FOR UPDATE`
	// A part of a log: blocks and their bytes first.
	sqlDropBlocks = `WITH some_blocks AS (SELECT first FROM @blocks WHERE log_no = $1 ORDER BY first LIMIT $2),
		bytes AS (DELETE FROM @block_data d USING some_blocks s WHERE d.log_no = $1 AND d.first = s.first)
		DELETE FROM @blocks b USING some_blocks s WHERE b.log_no = $1 AND b.first = s.first`
	sqlDropSlips  = `DELETE FROM @slips WHERE ctid = ANY (ARRAY(SELECT ctid FROM @slips WHERE log_no = $1 LIMIT $2))`
	sqlDropNotes  = `DELETE FROM @checkpoints WHERE ctid = ANY (ARRAY(SELECT ctid FROM @checkpoints WHERE log_no = $1 LIMIT $2))`
	sqlDropHashes = `DELETE FROM @idem WHERE ctid = ANY (ARRAY(SELECT ctid FROM @idem WHERE log_no = $1 LIMIT $2))`
	sqlDropHead   = `DELETE FROM @heads WHERE log_no = $1`

	sqlDeleteOrg = `DELETE FROM @documents WHERE ctid = ANY (ARRAY(SELECT ctid FROM @documents WHERE org = $1 LIMIT $2))`
)

// dropRows is how many rows of each kind one DropLog removes.
const dropRows = 256

// CloseLogs implements [daybook.Keeper].
func (s *Store) CloseLogs(ctx context.Context, org daybook.OrgID) error {
	err := s.transact(ctx, false, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, s.sql(sqlCloseLogs), org)
		return err
	})
	if err != nil {
		return fmt.Errorf("close the logs of %s: %w", org, err)
	}
	return nil
}

// DropLog implements [daybook.Keeper]. The head goes last, so that a crash leaves a head by which the rest is found.
func (s *Store) DropLog(ctx context.Context, log daybook.LogNo) (gone bool, err error) {
	err = s.transact(ctx, true, func(ctx context.Context, tx pgx.Tx) error {
		var state daybook.LogState
		switch err := tx.QueryRow(ctx, s.sql(sqlState), log).Scan(&state); {
		case errors.Is(err, pgx.ErrNoRows):
			gone = true
			return nil
		case err != nil:
			return err
		case state != daybook.LogClosed:
			return errors.New("it is not closed")
		}
		dropped := int64(0)
		for _, text := range []string{sqlDropBlocks, sqlDropSlips, sqlDropNotes, sqlDropHashes} {
			done, err := tx.Exec(ctx, s.sql(text), log, dropRows)
			if err != nil {
				return err
			}
			dropped += done.RowsAffected()
		}
		if dropped > 0 {
			return nil
		}
		_, err := tx.Exec(ctx, s.sql(sqlDropHead), log)
		gone = err == nil
		return err
	})
	if err != nil {
		return false, fmt.Errorf("drop log %d: %w", log, err)
	}
	return gone, nil
}

// DeleteOrg implements [daybook.Documents], some documents in each transaction.
func (s *Store) DeleteOrg(ctx context.Context, org daybook.OrgID) error {
	if org == "" {
		return errors.New("delete the documents of no org")
	}
	if err := s.drop(ctx, false, dropRows, sqlDeleteOrg, org, dropRows); err != nil {
		return fmt.Errorf("delete the documents of %s: %w", org, err)
	}
	return nil
}
