package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook"
)

const (
	sqlPacked = `SELECT packed FROM @heads WHERE log_no = $1 FOR UPDATE`
	sqlOut    = `DELETE FROM @blocks b USING unnest($2::bigint[], $3::int[]) AS u(first, gen) WHERE b.log_no = $1 AND b.first = u.first AND b.gen = u.gen
		RETURNING b.first, b.n`
	sqlOutData = `DELETE FROM @block_data WHERE log_no = $1 AND first = ANY($2)`
	sqlIn      = `INSERT INTO @blocks (log_no, first, n, live, gen, state, raw, min_received, max_received, min_occurred, max_occurred, late_min, late_max, roots, facets, filter)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`
	sqlInData = `INSERT INTO @block_data (log_no, first, data) VALUES ($1, $2, $3)`
	sqlSlip   = `INSERT INTO @slips (log_no, kind, a, b, data) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (log_no, kind, a, b) DO UPDATE SET data = excluded.data`
	sqlFold   = `UPDATE @heads SET packed = $2, last_received = $3, frontier = $4, id_ahead = $5 WHERE log_no = $1`

	sqlMerged = `UPDATE @shards SET merged = greatest(merged, $2) WHERE shard = $1 AND last >= $2`
	sqlTrim   = `DELETE FROM @commits WHERE shard = $1 AND n <= (SELECT max(n) FROM (SELECT n FROM @commits WHERE shard = $1 AND n <= $2 ORDER BY n LIMIT $3) AS page)`

	sqlTrimKeys = `DELETE FROM @idem WHERE ctid = ANY (ARRAY(SELECT ctid FROM @idem WHERE expires <= $1 LIMIT $2))`
	sqlKeysOf   = `SELECT hash, first, n FROM @idem WHERE log_no = $1 AND hash > $2 ORDER BY hash LIMIT $3`
	sqlDropKeys = `DELETE FROM @idem k USING unnest($2::bytea[], $3::bigint[]) AS u(hash, first) WHERE k.log_no = $1 AND k.hash = u.hash AND k.first = u.first`
)

// Replace implements [daybook.Keeper].
func (s *Store) Replace(ctx context.Context, swaps []daybook.Swap) error {
	return s.transact(ctx, true, func(ctx context.Context, tx pgx.Tx) error {
		for i := range swaps {
			if err := s.swap(ctx, tx, &swaps[i]); err != nil {
				return fmt.Errorf("swap %d, of log %d: %w", i, swaps[i].Log, err)
			}
		}
		return nil
	})
}

func (s *Store) swap(ctx context.Context, tx pgx.Tx, p *daybook.Swap) error {
	packed, covers, err := s.takeOut(ctx, tx, p)
	if err != nil {
		return err
	}
	if err := p.Check(packed, covers); err != nil {
		return err
	}
	return s.putIn(ctx, tx, p)
}

// takeOut locks the head of the log and deletes the blocks that p takes out, in one round trip. It returns where the head ends and how
// many seqs each of the blocks covered, 0 if it is not there.
func (s *Store) takeOut(ctx context.Context, tx pgx.Tx, p *daybook.Swap) (packed int64, covers []int, err error) {
	firsts, gens := make([]int64, len(p.Out)), make([]int32, len(p.Out))
	for i, ref := range p.Out {
		firsts[i], gens[i] = ref.First, ref.Gen
	}
	var batch pgx.Batch
	batch.Queue(s.sql(sqlPacked), p.Log)
	batch.Queue(s.sql(sqlOut), p.Log, firsts, gens)
	batch.Queue(s.sql(sqlOutData), p.Log, firsts)
	results := tx.SendBatch(ctx, &batch)
	defer func() { err = cmp.Or(err, results.Close()) }()
	if err := results.QueryRow().Scan(&packed); errors.Is(err, pgx.ErrNoRows) {
		return 0, nil, daybook.ErrNotExist
	} else if err != nil {
		return 0, nil, err
	}
	rows, err := results.Query()
	if err != nil {
		return 0, nil, err
	}
	covers = make([]int, len(p.Out))
	var first int64
	var n int
	_, err = pgx.ForEachRow(rows, []any{&first, &n}, func() error {
		covers[slices.Index(firsts, first)] = n // a block named twice counts once
		return nil
	})
	return packed, covers, err
}

// putIn writes what p brings, in one round trip.
func (s *Store) putIn(ctx context.Context, tx pgx.Tx, p *daybook.Swap) error {
	var batch pgx.Batch
	for i := range p.In {
		b := &p.In[i]
		batch.Queue(s.sql(sqlIn), p.Log, b.First, b.N, b.Live, b.Gen, int16(b.State), int64(b.Raw), b.Received.Min, b.Received.Max,
			b.Occurred.Min, b.Occurred.Max, b.Late.Min, b.Late.Max, notNull(b.Roots), notNull(b.Facets), b.Filter)
		batch.Queue(s.sql(sqlInData), p.Log, b.First, notNull(b.Bytes))
	}
	for i := range p.Slips {
		k := &p.Slips[i]
		batch.Queue(s.sql(sqlSlip), p.Log, int16(k.Kind), int32(k.A), int64(k.B), notNull(k.Bytes))
	}
	if f := p.Fold; f != nil {
		frontier := make([]byte, 0, len(f.Frontier)*tlog.HashSize)
		for _, h := range f.Frontier {
			frontier = append(frontier, h[:]...)
		}
		batch.Queue(s.sql(sqlFold), p.Log, f.Packed, f.LastReceived, frontier, f.IDAhead)
	}
	return tx.SendBatch(ctx, &batch).Close()
}

// Rows that one transaction drops or looks at.
const (
	trimRows = 256
	keyRows  = 5000
)

// Trim implements [daybook.Keeper]. It drops commits, and then keys, a little in each transaction. A crash between two of them leaves
// merged commits behind; the next Trim drops them.
func (s *Store) Trim(ctx context.Context, shard int, through daybook.CommitNo, now int64) error {
	if shard < 0 || shard >= s.shards {
		return fmt.Errorf("trim shard %d of %d", shard, s.shards)
	}
	err := s.transact(ctx, true, func(ctx context.Context, tx pgx.Tx) error {
		done, err := tx.Exec(ctx, s.sql(sqlMerged), shard, through)
		if err == nil && done.RowsAffected() == 0 {
			err = errors.New("it is beyond the last commit")
		}
		return err
	})
	if err == nil {
		err = s.drop(ctx, true, trimRows, sqlTrim, shard, through, trimRows)
	}
	if err != nil {
		return fmt.Errorf("trim shard %d through commit %d: %w", shard, through, err)
	}
	if err := s.drop(ctx, true, keyRows, sqlTrimKeys, now, keyRows); err != nil {
		return fmt.Errorf("drop expired keys: %w", err)
	}
	return nil
}

// drop repeats a statement that deletes at most page rows, each time in a transaction of its own, until it finds no more.
func (s *Store) drop(ctx context.Context, lazy bool, page int64, text string, args ...any) error {
	for dropped := page; dropped >= page; {
		err := s.transact(ctx, lazy, func(ctx context.Context, tx pgx.Tx) error {
			done, err := tx.Exec(ctx, s.sql(text), args...)
			dropped = done.RowsAffected()
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// DropKeys implements [daybook.Keeper], a page of the log's keys in each transaction.
func (s *Store) DropKeys(ctx context.Context, log daybook.LogNo, covers func(first int64, n int) bool) error {
	for after, looked := []byte{}, keyRows; looked == keyRows; {
		var hashes [][]byte
		var firsts []int64
		looked = 0
		err := s.read(ctx, func(ctx context.Context, c *pgxpool.Conn) error {
			rows, err := c.Query(ctx, s.sql(sqlKeysOf), log, after, keyRows)
			if err != nil {
				return err
			}
			var hash []byte
			var first int64
			var n int
			_, err = pgx.ForEachRow(rows, []any{&hash, &first, &n}, func() error {
				looked++
				after = hash
				if covers(first, n) {
					hashes, firsts = append(hashes, hash), append(firsts, first)
				}
				return nil
			})
			return err
		})
		if err != nil {
			return fmt.Errorf("look at the keys of log %d: %w", log, err)
		}
		if len(hashes) == 0 {
			continue
		}
		err = s.transact(ctx, true, func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, s.sql(sqlDropKeys), log, hashes, firsts)
			return err
		})
		if err != nil {
			return fmt.Errorf("drop %d keys of log %d: %w", len(hashes), log, err)
		}
	}
	return nil
}
