package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook"
)

const (
	sqlReplace = `SELECT r_packed, r_covers FROM @replace_blocks($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,
		$22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32)`
	sqlTrim     = `SELECT @drop_commits($1::smallint, $2, $3)`
	sqlTrimKeys = `DELETE FROM @idem WHERE ctid = ANY (ARRAY(SELECT ctid FROM @idem WHERE expires <= $1 LIMIT $2))`
	sqlKeysOf   = `SELECT hash, first, n FROM @idem WHERE log_no = $1 AND hash > $2 ORDER BY hash LIMIT $3`
	sqlDropKeys = `DELETE FROM @idem k USING unnest($2::bytea[], $3::bigint[]) AS u(hash, first) WHERE k.log_no = $1 AND k.hash = u.hash AND k.first = u.first`
)

// Replace implements [daybook.Keeper]. All swaps go in one statement, or in as many as a log is named times.
func (s *Store) Replace(ctx context.Context, swaps []daybook.Swap) error {
	err := s.transact(ctx, func(ctx context.Context, tx pgx.Tx) error {
		for from := 0; from < len(swaps); {
			seen, to := map[daybook.LogNo]bool{}, from
			for to < len(swaps) && !seen[swaps[to].Log] {
				seen[swaps[to].Log] = true
				to++
			}
			if err := s.replace(ctx, tx, swaps[from:to]); err != nil {
				return err
			}
			from = to
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("replace blocks of %d logs: %w", len(swaps), err)
	}
	if len(swaps) > 0 {
		s.news.tell()
	}
	return nil
}

// replace applies swaps of logs that are each named once. The function has checked what it can; whether each swap may be applied is asked
// once more here, before the transaction ends.
func (s *Store) replace(ctx context.Context, tx pgx.Tx, swaps []daybook.Swap) error {
	var p swapColumns
	for i := range swaps {
		p.add(&swaps[i])
	}
	var packed []int64
	var covers []int32
	if err := tx.QueryRow(ctx, s.sql(sqlReplace), p.args()...).Scan(&packed, &covers); err != nil {
		return err
	}
	if len(packed) != len(swaps) || len(covers) != len(p.outLog) {
		return fmt.Errorf("the database answers for %d of %d swaps", len(packed), len(swaps))
	}
	for i := range swaps {
		out := make([]int, len(swaps[i].Out))
		for j := range out {
			out[j] = int(covers[j])
		}
		covers = covers[len(out):]
		if err := swaps[i].Check(packed[i], out); err != nil {
			return fmt.Errorf("swap %d, of log %d: %w", i, swaps[i].Log, err)
		}
	}
	return nil
}

// swapColumns are swaps as arrays, a column each.
type swapColumns struct {
	log, turn []int64

	outLog, outFirst []int64
	outGen           []int32

	inLog, inFirst, inRaw                []int64
	inN, inLive, inGen                   []int32
	inState                              []int16
	times                                [6][]int64 // min and max of Received, Occurred, Late
	inRoots, inFacets, inFilter, inBytes [][]byte

	slipLog    []int64
	slipKind   []int16
	slipA      []int32
	slipB      []int32
	slip       [][]byte
	foldLog    []int64
	foldPacked []int64
	received   []int64
	ahead      []int64
	frontier   [][]byte
}

func (p *swapColumns) add(s *daybook.Swap) {
	log := int64(s.Log)
	p.log, p.turn = append(p.log, log), append(p.turn, s.Turn)
	for _, ref := range s.Out {
		p.outLog, p.outFirst, p.outGen = append(p.outLog, log), append(p.outFirst, ref.First), append(p.outGen, ref.Gen)
	}
	for i := range s.In {
		b := &s.In[i]
		p.inLog, p.inFirst, p.inRaw = append(p.inLog, log), append(p.inFirst, b.First), append(p.inRaw, int64(b.Raw))
		p.inN, p.inLive, p.inGen = append(p.inN, int32(b.N)), append(p.inLive, int32(b.Live)), append(p.inGen, b.Gen)
		p.inState = append(p.inState, int16(b.State))
		for j, t := range []int64{b.Received.Min, b.Received.Max, b.Occurred.Min, b.Occurred.Max, b.Late.Min, b.Late.Max} {
			p.times[j] = append(p.times[j], t)
		}
		p.inRoots, p.inFacets, p.inFilter = append(p.inRoots, notNull(b.Roots)), append(p.inFacets, notNull(b.Facets)), append(p.inFilter, b.Filter)
		p.inBytes = append(p.inBytes, notNull(b.Bytes))
	}
	last := map[daybook.SlipKey]int{} // of two with one key the later counts
	for i := range s.Slips {
		last[s.Slips[i].SlipKey] = i
	}
	for i := range s.Slips {
		k := &s.Slips[i]
		if last[k.SlipKey] != i {
			continue
		}
		p.slipLog, p.slipKind = append(p.slipLog, log), append(p.slipKind, int16(k.Kind))
		p.slipA, p.slipB, p.slip = append(p.slipA, int32(k.A)), append(p.slipB, int32(k.B)), append(p.slip, notNull(k.Bytes))
	}
	if f := s.Fold; f != nil {
		frontier := make([]byte, 0, len(f.Frontier)*tlog.HashSize)
		for _, h := range f.Frontier {
			frontier = append(frontier, h[:]...)
		}
		p.foldLog, p.foldPacked, p.received = append(p.foldLog, log), append(p.foldPacked, f.Packed), append(p.received, f.LastReceived)
		p.frontier, p.ahead = append(p.frontier, frontier), append(p.ahead, f.IDAhead)
	}
}

func (p *swapColumns) args() []any {
	t := &p.times
	return []any{
		p.log, p.turn, p.outLog, p.outFirst, p.outGen,
		p.inLog, p.inFirst, p.inN, p.inLive, p.inGen, p.inState, p.inRaw, t[0], t[1], t[2], t[3], t[4], t[5], p.inRoots, p.inFacets, p.inFilter, p.inBytes,
		p.slipLog, p.slipKind, p.slipA, p.slipB, p.slip,
		p.foldLog, p.foldPacked, p.received, p.frontier, p.ahead,
	}
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
	for dropped := trimRows; dropped >= trimRows; {
		_, err := s.write(ctx, lazy, statement{text: sqlTrim, args: []any{shard, through, trimRows}}, []any{&dropped}, func() error { return nil })
		if err == nil && dropped < 0 {
			err = errors.New("it is beyond the last commit")
		}
		if err != nil {
			return fmt.Errorf("trim shard %d through commit %d: %w", shard, through, err)
		}
	}
	if err := s.drop(ctx, lazy, keyRows, statement{text: sqlTrimKeys, args: []any{now, keyRows}}); err != nil {
		return fmt.Errorf("drop expired keys: %w", err)
	}
	return nil
}

// drop repeats a statement that deletes at most page rows, each time in a transaction of its own, until it finds no more.
func (s *Store) drop(ctx context.Context, d durability, page int64, q statement) error {
	for dropped := page; dropped >= page; {
		var err error
		if dropped, err = s.exec(ctx, d, q); err != nil {
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
		var hash []byte
		var first int64
		var n int
		looked = 0
		err := s.rows(ctx, statement{text: sqlKeysOf, args: []any{log, after, keyRows}}, []any{&hash, &first, &n}, func() error {
			looked++
			after = hash
			if covers(first, n) {
				hashes, firsts = append(hashes, hash), append(firsts, first)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("look at the keys of log %d: %w", log, err)
		}
		if len(hashes) == 0 {
			continue
		}
		if _, err = s.exec(ctx, lazy, statement{text: sqlDropKeys, args: []any{log, hashes, firsts}}); err != nil {
			return fmt.Errorf("drop %d keys of log %d: %w", len(hashes), log, err)
		}
	}
	return nil
}
