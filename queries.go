package daybook

import (
	"context"
	"errors"
	"fmt"
)

// queryOne reads the first row of a query; [ErrNotExist] when there is none.
func queryOne(ctx context.Context, q Querier, query string, args []any, into ...any) (err error) {
	rows, err := q.Query(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("query: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return fmt.Errorf("query: %w", err)
		}
		return ErrNotExist
	}
	if err := rows.Scan(into...); err != nil {
		return fmt.Errorf("read a row: %w", err)
	}
	return nil
}

// queryAll reads every row of a query into a T; into returns where its columns go.
func queryAll[T any](ctx context.Context, q Querier, query string, args []any, into func(*T) []any) (all []T, err error) {
	rows, err := q.Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("query: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var one T
		if err := rows.Scan(into(&one)...); err != nil {
			return nil, fmt.Errorf("read a row: %w", err)
		}
		all = append(all, one)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("query: %w", err)
	}
	return all, nil
}
