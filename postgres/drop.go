package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/daybook-audit/daybook"
)

const (
	sqlCloseLogs = `SELECT @close_logs($1)`
	sqlDropLog   = `SELECT @drop_log($1, $2)`
	sqlDeleteOrg = `DELETE FROM @documents WHERE org = $1 AND (kind, id) IN (SELECT kind, id FROM @documents WHERE org = $1 LIMIT $2)`
)

// dropRows is how many rows of each kind one DropLog removes.
const dropRows = 256

// CloseLogs implements [daybook.Keeper].
func (s *Store) CloseLogs(ctx context.Context, org daybook.OrgID) error {
	_, err := s.exec(ctx, durable, statement{text: sqlCloseLogs, args: []any{org}})
	if err != nil {
		return fmt.Errorf("close the logs of %s: %w", org, err)
	}
	s.news.tell()
	return nil
}

// DropLog implements [daybook.Keeper]. The head goes last, so that a crash leaves a head by which the rest is found.
func (s *Store) DropLog(ctx context.Context, log daybook.LogNo) (gone bool, err error) {
	_, err = s.write(ctx, lazy, statement{text: sqlDropLog, args: []any{log, dropRows}}, []any{&gone}, func() error { return nil })
	if err != nil {
		return false, fmt.Errorf("drop log %d: %w", log, err)
	}
	s.news.tell()
	return gone, nil
}

// DeleteOrg implements [daybook.Documents], some documents in each transaction.
func (s *Store) DeleteOrg(ctx context.Context, org daybook.OrgID) error {
	if org == "" {
		return errors.New("delete the documents of no org")
	}
	if err := s.drop(ctx, durable, dropRows, statement{ofOrg(org), sqlDeleteOrg, []any{org, dropRows}}); err != nil {
		return fmt.Errorf("delete the documents of %s: %w", org, err)
	}
	return nil
}
