package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"iter"

	"github.com/daybook-audit/daybook"
)

const (
	// One statement, so one moment. n is null when there is no commit after ?1.
	sqlTail = `SELECT s.last, s.merged, s.signed, c.n, c.data FROM shards s LEFT JOIN commits c ON c.n > ?1 WHERE s.shard = 0 ORDER BY c.n`

	metaColumns = `SELECT k, n, live, gen, state, raw, min_received, max_received, min_occurred, max_occurred, late_min, late_max, roots, facets`
	// From the block that holds the seq of key ?2, or the first after it, up to the key ?3; ?1 is the log's lowest key.
	metaAsc = ` FROM blocks WHERE k >= coalesce((SELECT max(k) FROM blocks WHERE k BETWEEN ?1 AND ?2), ?2) AND k < ?3 ORDER BY k LIMIT ?4`
	// From the last block that begins before the key ?3 down to the one that holds the seq of key ?2.
	metaDesc = ` FROM blocks WHERE k >= coalesce((SELECT max(k) FROM blocks WHERE k BETWEEN ?1 AND ?2), ?2) AND k < ?3 ORDER BY k DESC LIMIT ?4`

	sqlBlocksAsc         = metaColumns + metaAsc
	sqlBlocksDesc        = metaColumns + metaDesc
	sqlBlocksAscFilters  = metaColumns + ", filter" + metaAsc
	sqlBlocksDescFilters = metaColumns + ", filter" + metaDesc

	sqlRead  = `SELECT d.data FROM blocks b JOIN block_data d ON d.k = b.k WHERE b.k = ?1 AND b.gen = ?2`
	sqlSlips = `SELECT k, data FROM slips WHERE k >= ?1 AND k < ?2 ORDER BY k LIMIT ?3`
)

// A page grows as a reader goes on, so that one that wants the newest block alone does not pay for 256.
const (
	firstPage = 4
	lastPage  = 256
)

// Tail implements [daybook.Reader].
func (s *Store) Tail(ctx context.Context, shard int, after daybook.CommitNo, maxBytes int) (daybook.Tail, error) {
	var t daybook.Tail
	if shard != 0 {
		return t, fmt.Errorf("tail of shard %d of 1", shard)
	}
	size := 0
	err := s.read(ctx, func(r *conn) error {
		return r.query(sqlTail, func(row []driver.Value) error {
			t.Last, t.Merged, t.Signed = daybook.CommitNo(number(row[0])), daybook.CommitNo(number(row[1])), number(row[2])
			next := after + daybook.CommitNo(len(t.Rows)) + 1
			switch n, ok := row[3].(int64); {
			case !ok && after < t.Last, ok && daybook.CommitNo(n) != next:
				if after < t.Merged {
					return daybook.ErrTrimmed
				}
				return fmt.Errorf("commit %d of %d is missing", next, t.Last)
			case !ok:
				return nil
			}
			b := blob(row[4])
			t.Rows = append(t.Rows, daybook.TailRow{N: next, Bytes: b})
			if size += len(b); size >= maxBytes {
				return errStop
			}
			return ctx.Err()
		}, int64(after))
	})
	return t, err
}

func key(log daybook.LogNo, first int64) int64 { return int64(log)<<40 | first }

// lastSeq is the largest seq that a key has room for.
const lastSeq = 1<<40 - 1

// Blocks implements [daybook.Reader].
func (s *Store) Blocks(ctx context.Context, q daybook.BlockQuery) iter.Seq2[daybook.BlockMeta, error] {
	return func(yield func(daybook.BlockMeta, error) bool) {
		from, to := max(q.From, 0), min(q.To, lastSeq)
		for page := firstPage; from < to; page = min(page*4, lastPage) {
			metas, err := s.page(ctx, daybook.BlockQuery{Log: q.Log, From: from, To: to, Desc: q.Desc, Filters: q.Filters}, page)
			if err != nil {
				yield(daybook.BlockMeta{}, fmt.Errorf("list blocks of log %d: %w", q.Log, err))
				return
			}
			for _, m := range metas {
				// The next page begins where this block ends, in seqs: had it been swapped by then, its successor is found.
				if q.Desc && m.First >= to { // the tree of a damaged file may lead in a circle
					yield(daybook.BlockMeta{}, fmt.Errorf("list blocks of log %d: the store is damaged: block %d is listed below %d", q.Log, m.First, to))
					return
				}
				if q.Desc {
					to = m.First
				} else {
					from = m.First + int64(m.N)
				}
				if !yield(m, nil) {
					return
				}
			}
			if len(metas) == 0 {
				return
			}
		}
	}
}

// page returns the next metas of q, at most limit. None means that there are no more.
func (s *Store) page(ctx context.Context, q daybook.BlockQuery, limit int) ([]daybook.BlockMeta, error) {
	query := sqlBlocksAsc
	switch {
	case q.Desc && q.Filters:
		query = sqlBlocksDescFilters
	case q.Desc:
		query = sqlBlocksDesc
	case q.Filters:
		query = sqlBlocksAscFilters
	}
	metas := make([]daybook.BlockMeta, 0, limit)
	err := s.read(ctx, func(r *conn) error {
		return r.query(query, func(row []driver.Value) error {
			m := scanMeta(row)
			if m.First+int64(m.N) > q.From { // the first one may end before From
				metas = append(metas, m)
			}
			return nil
		}, key(q.Log, 0), key(q.Log, q.From), key(q.Log, q.To), int64(limit))
	})
	return metas, err
}

// scanMeta reads one row of blocks. Its gen and state were an int32 and a byte when they were written.
func scanMeta(row []driver.Value) daybook.BlockMeta {
	m := daybook.BlockMeta{
		BlockRef: daybook.BlockRef{First: number(row[0]) & lastSeq, Gen: int32(number(row[3]))},
		N:        int(number(row[1])), Live: int(number(row[2])), Raw: int(number(row[5])),
		State:    byte(number(row[4])),
		Received: daybook.Span{Min: number(row[6]), Max: number(row[7])},
		Occurred: daybook.Span{Min: number(row[8]), Max: number(row[9])},
		Late:     daybook.Span{Min: number(row[10]), Max: number(row[11])},
		Roots:    blob(row[12]), Facets: blob(row[13]),
	}
	if len(row) > 14 {
		m.Filter = blob(row[14])
	}
	return m
}

// Read implements [daybook.Reader].
func (s *Store) Read(ctx context.Context, log daybook.LogNo, refs []daybook.BlockRef) ([][]byte, error) {
	out := make([][]byte, len(refs))
	err := s.read(ctx, func(r *conn) error {
		for i, ref := range refs {
			found := false
			err := r.query(sqlRead, func(row []driver.Value) error {
				out[i], found = blob(row[0]), true
				return nil
			}, key(log, ref.First), int64(ref.Gen))
			if err == nil && !found {
				err = fmt.Errorf("block %d.%d of log %d: %w", ref.First, ref.Gen, log, daybook.ErrNotExist)
			}
			if err = firstOf(err, ctx.Err()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func firstOf(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

func slipKey(log daybook.LogNo, k daybook.SlipKey) int64 {
	return int64(log)<<40 | int64(k.Kind)<<36 | int64(k.A)<<24 | int64(k.B)
}

// Slips implements [daybook.Reader].
func (s *Store) Slips(ctx context.Context, log daybook.LogNo, from, to daybook.SlipKey) iter.Seq2[daybook.Slip, error] {
	return func(yield func(daybook.Slip, error) bool) {
		next, end := slipKey(log, from), slipKey(log, to)
		for page := firstPage; next < end; page = min(page*4, lastPage) {
			var slips []daybook.Slip
			err := s.read(ctx, func(r *conn) error {
				return r.query(sqlSlips, func(row []driver.Value) error {
					k := number(row[0])
					next = k + 1
					slips = append(slips, daybook.Slip{
						SlipKey: daybook.SlipKey{Kind: uint8(k >> 36 & 0xf), A: uint16(k >> 24 & 0xfff), B: uint32(k & 0xffffff)},
						Bytes:   blob(row[1]),
					})
					return nil
				}, next, end, int64(page))
			})
			if err != nil {
				yield(daybook.Slip{}, fmt.Errorf("list slips of log %d: %w", log, err))
				return
			}
			for _, slip := range slips {
				if !yield(slip, nil) {
					return
				}
			}
			if len(slips) < page {
				return
			}
		}
	}
}
