package appsql

import (
	"context"
	"errors"
	"fmt"
)

// Rows is a result that is read row by row.
type Rows interface {
	Next() bool
	Scan(into ...any) error
	Err() error
	Close() error
}

// Querier reads a database whose results are R.
type Querier[R Rows] interface {
	Query(ctx context.Context, query string, args ...any) (R, error)
}

// One reads the first row of a query into what into points to; found is false when there is none.
func One[R Rows](ctx context.Context, q Querier[R], query string, args []any, into ...any) (found bool, err error) {
	rows, err := q.Query(ctx, query, args...)
	if err != nil {
		return false, fmt.Errorf("query: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return false, fmt.Errorf("query: %w", err)
		}
		return false, nil
	}
	if err := rows.Scan(into...); err != nil {
		return false, fmt.Errorf("read a row: %w", err)
	}
	return true, nil
}

// All reads every row of a query into a T; into returns where its columns go.
func All[T any, R Rows](ctx context.Context, q Querier[R], query string, args []any, into func(*T) []any) (all []T, err error) {
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
