package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"

	"github.com/daybook-audit/daybook"
)

const (
	sqlCloseLogs  = `UPDATE heads SET state = 2 WHERE org = ?1`
	sqlDropList   = `SELECT b.k, coalesce(length(d.data), 0) FROM blocks b LEFT JOIN block_data d ON d.k = b.k WHERE b.k >= ?1 AND b.k <= ?2 ORDER BY b.k LIMIT 64`
	sqlDropSlips  = `DELETE FROM slips WHERE k IN (SELECT k FROM slips WHERE k >= ?1 AND k <= ?2 LIMIT 500)`
	sqlDropNotes  = `DELETE FROM checkpoints WHERE log_no = ?1 AND size IN (SELECT size FROM checkpoints WHERE log_no = ?1 LIMIT 500)`
	sqlDropHashes = `DELETE FROM idem WHERE id IN (SELECT id FROM idem WHERE log_no = ?1 LIMIT 500)`
	sqlDropHead   = `DELETE FROM heads WHERE log_no = ?1`
)

// CloseLogs implements [daybook.Keeper].
func (s *Store) CloseLogs(ctx context.Context, org daybook.OrgID) error {
	err := s.write(ctx, writing, func(w *conn) error {
		n, err := w.exec(sqlCloseLogs, string(org))
		if err == nil && n == 0 {
			err = errNothing
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("close the logs of %s: %w", org, err)
	}
	return nil
}

// dropBytes is about how much one transaction of DropLog takes out.
const dropBytes = 512 << 10

// DropLog implements [daybook.Keeper]: blocks first, then the small things, then the head, so that a crash leaves a head by which the
// rest is found.
func (s *Store) DropLog(ctx context.Context, log daybook.LogNo) (gone bool, err error) {
	err = s.write(ctx, merging, func(w *conn) error {
		h, err := logHead(w, log)
		switch {
		case err != nil:
			return err
		case h.Log == 0:
			gone = true
			return errNothing
		case h.State != daybook.LogClosed:
			return fmt.Errorf("drop log %d: it is not closed", log)
		}
		if _, err := w.exec(sqlReplacing, int64(1)); err != nil {
			return err
		}
		if gone, err = dropPart(w, log); err != nil {
			return err
		}
		_, err = w.exec(sqlReplacing, int64(0))
		return err
	})
	if err != nil {
		return false, fmt.Errorf("drop log %d: %w", log, err)
	}
	return gone, nil
}

// dropPart removes the next part of a log; gone: it was the last.
func dropPart(w *conn, log daybook.LogNo) (gone bool, err error) {
	first, last := key(log, 0), key(log, lastSeq)
	var blocks []int64
	size := int64(0)
	err = w.query(sqlDropList, func(row []driver.Value) error {
		n, _ := row[1].(int64)
		blocks = append(blocks, number(row[0]))
		if size += n; size >= dropBytes {
			return errStop
		}
		return nil
	}, first, last)
	if err != nil {
		return false, err
	}
	for _, k := range blocks {
		for _, statement := range []string{sqlOut, sqlOutData} {
			if _, err := w.exec(statement, k); err != nil {
				return false, err
			}
		}
	}
	if w.written += 2 * size; len(blocks) > 0 {
		return false, nil
	}
	dropped := int64(0)
	for _, part := range []struct {
		statement string
		args      []any
	}{{sqlDropSlips, []any{first, last}}, {sqlDropNotes, []any{int64(log)}}, {sqlDropHashes, []any{int64(log)}}} {
		n, err := w.exec(part.statement, part.args...)
		if err != nil {
			return false, err
		}
		dropped += n
	}
	if dropped > 0 {
		return false, nil
	}
	_, err = w.exec(sqlDropHead, int64(log))
	return err == nil, err
}
