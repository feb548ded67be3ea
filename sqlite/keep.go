package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook"
)

const (
	sqlReplacing = `UPDATE guard SET replacing = ?1`
	sqlPacked    = `SELECT packed FROM heads WHERE log_no = ?1`
	sqlBlockN    = `SELECT n FROM blocks WHERE k = ?1 AND gen = ?2`
	sqlOut       = `DELETE FROM blocks WHERE k = ?1`
	sqlOutData   = `DELETE FROM block_data WHERE k = ?1`
	sqlIn        = `INSERT INTO blocks (k, n, live, gen, state, raw, min_received, max_received, min_occurred, max_occurred, late_min, late_max, roots, facets, filter)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)`
	sqlInData = `INSERT INTO block_data (k, data) VALUES (?1, ?2)`
	sqlSlip   = `INSERT INTO slips (k, data) VALUES (?1, ?2) ON CONFLICT (k) DO UPDATE SET data = excluded.data`
	sqlFold   = `UPDATE heads SET packed = ?2, last_received = ?3, frontier = ?4, id_ahead = ?5 WHERE log_no = ?1`

	sqlMerged   = `UPDATE shards SET merged = max(merged, ?1) WHERE shard = 0 AND last >= ?1`
	sqlTrimTo   = `SELECT n, length(data) FROM commits WHERE n <= ?1 ORDER BY n`
	sqlTrim     = `DELETE FROM commits WHERE n <= ?1`
	sqlKeysOf   = `SELECT hash, first, n FROM idem WHERE log_no = ?1 AND hash > ?2 ORDER BY hash LIMIT ?3`
	sqlDropKey  = `DELETE FROM idem WHERE log_no = ?1 AND hash = ?2 AND first = ?3`
	sqlTrimKeys = `DELETE FROM idem WHERE id IN (SELECT id FROM idem WHERE expires <= ?1 LIMIT 1000)`
)

// Replace implements [daybook.Keeper]. Waiting commits go first; the transaction itself is not divided, so callers keep it small.
func (s *Store) Replace(ctx context.Context, swaps []daybook.Swap) error {
	return s.write(ctx, merging, func(w *conn) error {
		if _, err := w.exec(sqlReplacing, int64(1)); err != nil {
			return err
		}
		for i := range swaps {
			if err := swap(w, &swaps[i]); err != nil {
				return fmt.Errorf("swap %d, of log %d: %w", i, swaps[i].Log, err)
			}
		}
		w.written *= 2 // what went out was zeroed and is in the write-ahead log too
		_, err := w.exec(sqlReplacing, int64(0))
		return err
	})
}

func swap(w *conn, p *daybook.Swap) error {
	packed := int64(-1)
	if err := w.query(sqlPacked, func(row []driver.Value) error { packed = number(row[0]); return nil }, int64(p.Log)); err != nil {
		return err
	}
	if packed < 0 {
		return daybook.ErrNotExist
	}
	covers, err := takeOut(w, p)
	if err != nil {
		return err
	}
	if err := p.Check(packed, covers); err != nil {
		return err
	}
	return putIn(w, p)
}

// takeOut deletes the blocks that p takes out and returns how many seqs each of them covered, 0 if it is not there.
func takeOut(w *conn, p *daybook.Swap) (covers []int, err error) {
	covers = make([]int, len(p.Out))
	for i, ref := range p.Out {
		k := key(p.Log, ref.First)
		if err := w.query(sqlBlockN, func(row []driver.Value) error { covers[i] = int(number(row[0])); return nil }, k, int64(ref.Gen)); err != nil {
			return nil, err
		}
		if covers[i] == 0 {
			continue
		}
		for _, statement := range []string{sqlOut, sqlOutData} {
			if _, err := w.exec(statement, k); err != nil {
				return nil, err
			}
		}
	}
	return covers, nil
}

func putIn(w *conn, p *daybook.Swap) error {
	for i := range p.In {
		b := &p.In[i]
		k := key(p.Log, b.First)
		_, err := w.exec(sqlIn, k, int64(b.N), int64(b.Live), int64(b.Gen), int64(b.State), int64(b.Raw), b.Received.Min, b.Received.Max,
			b.Occurred.Min, b.Occurred.Max, b.Late.Min, b.Late.Max, notNull(b.Roots), notNull(b.Facets), b.Filter)
		if err != nil {
			return err
		}
		if _, err := w.exec(sqlInData, k, notNull(b.Bytes)); err != nil {
			return err
		}
	}
	for i := range p.Slips {
		if _, err := w.exec(sqlSlip, slipKey(p.Log, p.Slips[i].SlipKey), notNull(p.Slips[i].Bytes)); err != nil {
			return err
		}
	}
	if f := p.Fold; f != nil {
		frontier := make([]byte, 0, len(f.Frontier)*tlog.HashSize)
		for _, h := range f.Frontier {
			frontier = append(frontier, h[:]...)
		}
		if _, err := w.exec(sqlFold, int64(p.Log), f.Packed, f.LastReceived, frontier, f.IDAhead); err != nil {
			return err
		}
	}
	return nil
}

// notNull turns a nil slice into an empty one: nil would be stored as NULL.
func notNull(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// Trim implements [daybook.Keeper]. It drops commits, and then keys, a little in each transaction, so that waiting commits come in
// between. A crash between two of them leaves merged commits behind; the next Trim drops them.
func (s *Store) Trim(ctx context.Context, shard int, through daybook.CommitNo, now int64) error {
	if shard != 0 {
		return fmt.Errorf("trim shard %d of 1", shard)
	}
	for {
		var upTo, size int64
		err := s.write(ctx, merging, func(w *conn) error {
			n, err := w.exec(sqlMerged, int64(through))
			if err != nil {
				return err
			}
			if n == 0 {
				return errors.New("trim beyond the last commit")
			}
			err = w.query(sqlTrimTo, func(row []driver.Value) error {
				upTo = number(row[0])
				if size += number(row[1]); size >= s.o.trimBytes {
					return errStop
				}
				return nil
			}, int64(through))
			if err != nil || upTo == 0 {
				return err
			}
			w.written += size
			_, err = w.exec(sqlTrim, upTo)
			return err
		})
		if err != nil {
			return fmt.Errorf("trim through commit %d: %w", through, err)
		}
		if size < s.o.trimBytes {
			break
		}
	}
	for {
		var n int64
		err := s.write(ctx, merging, func(w *conn) (err error) {
			if n, err = w.exec(sqlTrimKeys, now); err == nil && n == 0 {
				err = errNothing
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("drop expired keys: %w", err)
		}
		if n < 1000 {
			return nil
		}
	}
}

// keyPage is how many keys DropKeys looks at in one statement.
const keyPage = 1000

// DropKeys implements [daybook.Keeper], a page of the log's keys in each transaction.
func (s *Store) DropKeys(ctx context.Context, log daybook.LogNo, covers func(first int64, n int) bool) error {
	after := []byte{}
	for {
		var drop []daybook.Key
		looked := 0
		err := s.read(ctx, func(r *conn) error {
			return r.query(sqlKeysOf, func(row []driver.Value) error {
				looked++
				after = blob(row[0])
				if first, n := number(row[1]), int(number(row[2])); covers(first, n) {
					drop = append(drop, daybook.Key{KeyRef: daybook.KeyRef{Log: log, Hash: [16]byte(after)}, First: first})
				}
				return nil
			}, int64(log), after, int64(keyPage))
		})
		if err != nil {
			return fmt.Errorf("look at the keys of log %d: %w", log, err)
		}
		if err := s.dropKeys(ctx, drop); err != nil {
			return fmt.Errorf("drop %d keys of log %d: %w", len(drop), log, err)
		}
		if looked < keyPage {
			return nil
		}
	}
}

// dropKeys deletes keys that still stand for the same entries.
func (s *Store) dropKeys(ctx context.Context, keys []daybook.Key) error {
	if len(keys) == 0 {
		return nil
	}
	return s.write(ctx, merging, func(w *conn) error {
		for i := range keys {
			if _, err := w.exec(sqlDropKey, int64(keys[i].Log), keys[i].Hash[:], keys[i].First); err != nil {
				return err
			}
		}
		return nil
	})
}
