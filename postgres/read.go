package postgres

import (
	"context"
	"fmt"
	"iter"

	"github.com/daybook-audit/daybook"
)

const (
	// One statement, so one moment. n is null when there is no commit after $2. The lengths are read without the bytes.
	sqlTail = `SELECT s.last, s.merged, s.signed, s.states, c.n, c.data FROM @shards s LEFT JOIN (
		SELECT n, data FROM (SELECT n, data, sum(octet_length(data)) OVER (ORDER BY n) - octet_length(data) AS before
			FROM (SELECT n, data FROM @commits WHERE shard = $1 AND n > $2 ORDER BY n LIMIT 4096) AS page) AS sized WHERE before < $3) AS c ON true
		WHERE s.shard = $1 ORDER BY c.n`

	metaColumns = `SELECT first, gen, n, live, raw, state, min_received, max_received, min_occurred, max_occurred, late_min, late_max, roots, facets, `
	// From the block that holds the seq $2, or the first after it, up to the seq $3. Behind the wall a condition is looked up in an index
	// only if all of it is known to keep secrets, which coalesce outside of the parentheses is not.
	metaAsc = ` FROM @blocks WHERE log_no = $1 AND first >= (SELECT coalesce(max(first), $2) FROM @blocks WHERE log_no = $1 AND first <= $2)
		AND first < $3 ORDER BY first LIMIT $4`
	// From the last block that begins before the seq $3 down to the one that holds $2.
	metaDesc = ` FROM @blocks WHERE log_no = $1 AND first >= (SELECT coalesce(max(first), $2) FROM @blocks WHERE log_no = $1 AND first <= $2)
		AND first < $3 ORDER BY first DESC LIMIT $4`
	sqlBlocksAsc         = metaColumns + `NULL::bytea` + metaAsc
	sqlBlocksDesc        = metaColumns + `NULL::bytea` + metaDesc
	sqlBlocksAscFilters  = metaColumns + `filter` + metaAsc
	sqlBlocksDescFilters = metaColumns + `filter` + metaDesc

	sqlRead = `SELECT u.i, d.data FROM unnest($2::bigint[], $3::int[]) WITH ORDINALITY AS u(first, gen, i)
		JOIN @blocks b ON b.log_no = $1 AND b.first = u.first AND b.gen = u.gen JOIN @block_data d ON d.log_no = $1 AND d.first = u.first`
	sqlSlips = `SELECT kind, a, b, data FROM @slips WHERE log_no = $1 AND (kind, a, b) >= ($2::smallint, $3::int, $4::int) AND (kind, a, b) < ($5::smallint, $6::int, $7::int)
		ORDER BY kind, a, b LIMIT $8`
)

// A page grows as a reader goes on, so that one that wants the newest block alone does not pay for 256.
const (
	firstPage = 4
	lastPage  = 256
)

// Tail implements [daybook.Reader].
func (s *Store) Tail(ctx context.Context, shard int, after daybook.CommitNo, maxBytes int) (daybook.Tail, error) {
	var t daybook.Tail
	if shard < 0 || shard >= s.shards {
		return t, fmt.Errorf("tail of shard %d of %d", shard, s.shards)
	}
	var n *daybook.CommitNo
	var data []byte
	q := statement{text: sqlTail, args: []any{shard, after, max(maxBytes, 1)}}
	err := s.rows(ctx, q, []any{&t.Last, &t.Merged, &t.Signed, &t.States, &n, &data}, func() error {
		next := after + daybook.CommitNo(len(t.Rows)) + 1
		switch {
		case n == nil && after < t.Last, n != nil && *n != next:
			if after < t.Merged {
				return daybook.ErrTrimmed
			}
			return fmt.Errorf("commit %d of %d is missing", next, t.Last)
		case n != nil:
			t.Rows = append(t.Rows, daybook.TailRow{N: next, Bytes: data})
		}
		return nil
	})
	return t, err
}

// Blocks implements [daybook.Reader].
func (s *Store) Blocks(ctx context.Context, q daybook.BlockQuery) iter.Seq2[daybook.BlockMeta, error] {
	return func(yield func(daybook.BlockMeta, error) bool) {
		q.From = max(q.From, 0)
		for page := firstPage; q.From < q.To; page = min(page*4, lastPage) {
			metas, err := s.page(ctx, q, page)
			if err != nil {
				yield(daybook.BlockMeta{}, fmt.Errorf("list blocks of log %d: %w", q.Log, err))
				return
			}
			for _, m := range metas {
				// The next page begins where this block ends, in seqs: had it been swapped by then, its successor is found.
				if q.Desc {
					q.To = m.First
				} else {
					q.From = m.First + int64(m.N)
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
	text := sqlBlocksAsc
	switch {
	case q.Desc && q.Filters:
		text = sqlBlocksDescFilters
	case q.Desc:
		text = sqlBlocksDesc
	case q.Filters:
		text = sqlBlocksAscFilters
	}
	metas := make([]daybook.BlockMeta, 0, limit)
	var m daybook.BlockMeta
	var state int16
	into := []any{
		&m.First, &m.Gen, &m.N, &m.Live, &m.Raw, &state, &m.Received.Min, &m.Received.Max, &m.Occurred.Min, &m.Occurred.Max,
		&m.Late.Min, &m.Late.Max, &m.Roots, &m.Facets, &m.Filter,
	}
	err := s.rows(ctx, statement{ofLog(q.Log), text, []any{q.Log, q.From, q.To, limit}}, into, func() error {
		if m.State = byte(state); m.First+int64(m.N) > q.From { // the first one may end before From
			metas = append(metas, m)
		}
		return nil
	})
	return metas, err
}

// Read implements [daybook.Reader].
func (s *Store) Read(ctx context.Context, log daybook.LogNo, refs []daybook.BlockRef) ([][]byte, error) {
	firsts, gens := make([]int64, len(refs)), make([]int32, len(refs))
	for i, ref := range refs {
		firsts[i], gens[i] = ref.First, ref.Gen
	}
	out := make([][]byte, len(refs))
	var place int64
	var data []byte
	err := s.rows(ctx, statement{ofLog(log), sqlRead, []any{log, firsts, gens}}, []any{&place, &data}, func() error {
		out[place-1] = data
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read blocks of log %d: %w", log, err)
	}
	for i, ref := range refs {
		if out[i] == nil {
			return nil, fmt.Errorf("block %d.%d of log %d: %w", ref.First, ref.Gen, log, daybook.ErrNotExist)
		}
	}
	return out, nil
}

// Slips implements [daybook.Reader].
func (s *Store) Slips(ctx context.Context, log daybook.LogNo, from, to daybook.SlipKey) iter.Seq2[daybook.Slip, error] {
	return func(yield func(daybook.Slip, error) bool) {
		for page := firstPage; ; page = min(page*4, lastPage) {
			var slips []daybook.Slip
			var kind, a, b int64
			var data []byte
			q := statement{ofLog(log), sqlSlips, []any{log, int16(from.Kind), int32(from.A), int64(from.B), int16(to.Kind), int32(to.A), int64(to.B), page}}
			err := s.rows(ctx, q, []any{&kind, &a, &b, &data}, func() error {
				slips = append(slips, daybook.Slip{SlipKey: daybook.SlipKey{Kind: uint8(kind), A: uint16(a), B: uint32(b)}, Bytes: data})
				return nil
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
			from = slips[len(slips)-1].SlipKey
			from.B++ // 24 bits of 32 are used
		}
	}
}
