package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/daybook-audit/daybook"
)

// The tables of the baseline in PostgreSQL: an event is a jsonb, and the usual columns beside it have the usual indexes. There is no GIN
// over the event, which many would add, and which would make it several times slower.
const rowsPostgres = `
CREATE TABLE entries (org text NOT NULL, seq bigint NOT NULL, id bytea NOT NULL, received bigint NOT NULL, occurred text NOT NULL,
  action text NOT NULL, actor text NOT NULL, target text NOT NULL, leaf bytea NOT NULL, secret bytea NOT NULL, event jsonb NOT NULL,
  PRIMARY KEY (org, seq));
CREATE INDEX by_action ON entries (org, action, seq);
CREATE INDEX by_actor ON entries (org, actor, seq);
CREATE INDEX by_target ON entries (org, target, seq);
CREATE INDEX by_occurred ON entries (org, occurred);
CREATE TABLE heads (org text PRIMARY KEY, size bigint NOT NULL, frontier bytea NOT NULL) WITH (fillfactor = 50)`

var rowsColumnNames = []string{"org", "seq", "id", "received", "occurred", "action", "actor", "target", "leaf", "secret", "event"}

// rowsWriters commit at the same time, each the organizations of its own: more of them were not faster on two cores.
const rowsWriters = 4

// plainWriters are as many connections as an application's pool has.
const plainWriters = 16

// openRowsPostgres is the baseline in PostgreSQL: COPY of everything that waited and the heads, in one transaction, on a connection a
// writer. plain is what applications do: a transaction a request.
func openRowsPostgres(ctx context.Context, url string, plain bool) (*rows, error) {
	writers, gather := rowsWriters, rowsGather
	if plain {
		writers, gather = plainWriters, 0
	}
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.MaxConns = max(config.MaxConns, int32(writers))
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	if _, err := pool.Exec(ctx, rowsPostgres); err != nil {
		return nil, fmt.Errorf("make the baseline's tables: %w", err)
	}
	var commits []rowsCommit
	for range writers {
		conn, err := pool.Acquire(ctx)
		if err != nil {
			return nil, err
		}
		commits = append(commits, func(batch []*rowsJob, heads map[daybook.OrgID]*rowsHead) error {
			return copyRows(conn.Conn(), batch, heads)
		})
	}
	return newRows(commits, gather, func() error { pool.Reset(); return nil }), nil
}

func copyRows(conn *pgx.Conn, batch []*rowsJob, heads map[daybook.OrgID]*rowsHead) (err error) {
	ctx := context.Background()
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tx.Rollback(ctx))
		}
	}()
	touched := place(batch, heads)
	job, event := 0, -1
	next := func() ([]any, error) {
		for event++; job < len(batch) && event == len(batch[job].events); event = 0 {
			job++
		}
		if job == len(batch) {
			return nil, nil
		}
		j := batch[job]
		e := &j.events[event]
		return []any{string(j.org), e.seq, e.id[:], e.at, e.head.OccurredAt, e.head.Action, e.head.Actor.ID, e.target(), e.leaf[:], e.secret[:], e.text}, nil
	}
	if _, err := tx.CopyFrom(ctx, pgx.Identifier{"entries"}, rowsColumnNames, pgx.CopyFromFunc(next)); err != nil {
		return err
	}
	var orgs []string
	var sizes []int64
	var frontiers [][]byte
	for org := range touched {
		orgs, sizes, frontiers = append(orgs, string(org)), append(sizes, heads[org].size), append(frontiers, heads[org].bytes())
	}
	if _, err := tx.Exec(ctx, `INSERT INTO heads SELECT * FROM unnest($1::text[], $2::bigint[], $3::bytea[])
		ON CONFLICT (org) DO UPDATE SET size = excluded.size, frontier = excluded.frontier`, orgs, sizes, frontiers); err != nil {
		return err
	}
	return tx.Commit(ctx)
}
