package sqlite

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook"
)

const (
	sqlAdvance = `UPDATE shards SET last = last + 1 WHERE shard = 0 AND last = ?1 AND signed <= ?2`
	sqlCommit  = `INSERT INTO commits (n, at, entries, raw, data) VALUES (?1, ?2, ?3, ?4, ?5)`
	sqlKey     = `INSERT INTO idem (log_no, hash, first, n, expires) VALUES (?1, ?2, ?3, ?4, ?5)
		ON CONFLICT (log_no, hash) DO UPDATE SET first = excluded.first, n = excluded.n, expires = excluded.expires WHERE idem.expires <= ?6`
	sqlCommitID = `SELECT substr(data, 9, 16) FROM commits WHERE n = ?1`
	sqlKeys     = `SELECT first, n, expires FROM idem WHERE log_no = ?1 AND hash = ?2`
	sqlHead     = `SELECT ` + headColumns + ` FROM heads WHERE org = ?1 ORDER BY epoch DESC LIMIT 1`
	sqlLogHead  = `SELECT ` + headColumns + ` FROM heads WHERE log_no = ?1`
	sqlLogs     = `SELECT ` + headColumns + ` FROM heads WHERE log_no > ?1 ORDER BY log_no LIMIT ?2`
	headColumns = `log_no, org, epoch, log_id, packed, frontier, last_received, state, id_ahead`
	sqlNewLog   = `INSERT INTO heads (org, log_id) SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM heads WHERE org = ?1)`
)

const microsPerHour = 3_600_000_000

// Append implements [daybook.Appender].
func (s *Store) Append(ctx context.Context, c *daybook.Commit) error {
	if c.Shard != 0 {
		return fmt.Errorf("append to shard %d of 1", c.Shard)
	}
	if len(c.Bytes) < 24 || !bytes.Equal(c.Bytes[8:24], c.ID[:]) {
		return errors.New("append: the commit's bytes do not carry its id")
	}
	return s.write(ctx, recording, func(w *conn) error { return add(w, c) })
}

func add(w *conn, c *daybook.Commit) error {
	n, err := w.exec(sqlAdvance, int64(c.Prev), c.At)
	if err != nil {
		return err
	}
	if n == 0 {
		return repeated(w, c)
	}
	if _, err := w.exec(sqlCommit, int64(c.Prev)+1, c.At, int64(c.Entries), int64(c.Raw), c.Bytes); err != nil {
		return err
	}
	if len(c.Keys) == 0 {
		return nil
	}
	keys := c.Keys
	if len(keys) > 1 { // in the order of the table
		keys = slices.SortedFunc(slices.Values(keys), func(a, b daybook.Key) int {
			return cmp.Or(cmp.Compare(a.Log, b.Log), bytes.Compare(a.Hash[:], b.Hash[:]))
		})
	}
	var taken []daybook.KeyRef
	for i := range keys {
		k := &keys[i]
		n, err := w.exec(sqlKey, int64(k.Log), k.Hash[:], k.First, int64(k.N), k.Expires, c.At/microsPerHour)
		if err != nil {
			return err
		}
		if n == 0 {
			taken = append(taken, k.KeyRef)
		}
	}
	if len(taken) > 0 {
		return &daybook.KeyExistsError{Keys: taken}
	}
	return nil
}

// repeated answers a commit that does not follow the last one: it is there already, or another came first.
func repeated(w *conn, c *daybook.Commit) error {
	answer := daybook.ErrHeadMoved
	err := w.query(sqlCommitID, func(row []driver.Value) error {
		if bytes.Equal(blob(row[0]), c.ID[:]) {
			answer = errNothing
		}
		return nil
	}, int64(c.Prev)+1)
	return cmp.Or(err, answer)
}

// Keys implements [daybook.Appender].
func (s *Store) Keys(ctx context.Context, ks []daybook.KeyRef) ([]daybook.Key, error) {
	var found []daybook.Key
	err := s.read(ctx, func(r *conn) error {
		for i := range ks {
			err := r.query(sqlKeys, func(row []driver.Value) error {
				found = append(found, daybook.Key{KeyRef: ks[i], First: number(row[0]), N: int(number(row[1])), Expires: number(row[2])})
				return nil
			}, int64(ks[i].Log), ks[i].Hash[:])
			if err != nil {
				return err
			}
		}
		return nil
	})
	return found, err
}

// Heads implements [daybook.Appender].
func (s *Store) Heads(ctx context.Context, orgs []daybook.OrgID, create bool) ([]daybook.Head, error) {
	var heads []daybook.Head
	missing := false
	list := func(c *conn) error {
		heads, missing = make([]daybook.Head, len(orgs)), false
		for i, org := range orgs {
			heads[i].Org = org
			if err := c.query(sqlHead, func(row []driver.Value) error { return scanHead(row, &heads[i]) }, string(org)); err != nil {
				return err
			}
			missing = missing || heads[i].Log == 0
		}
		return nil
	}
	if err := s.snapshot(ctx, list); err != nil || !missing || !create {
		return heads, err
	}
	err := s.write(ctx, recording, func(w *conn) error {
		for i, org := range orgs {
			if heads[i].Log != 0 {
				continue
			}
			id := make([]byte, 10)
			rand.Read(id) // never fails
			if _, err := w.exec(sqlNewLog, string(org), id); err != nil {
				return err
			}
		}
		return list(w)
	})
	return heads, err
}

// LogHeads implements [daybook.Appender].
func (s *Store) LogHeads(ctx context.Context, logs []daybook.LogNo) ([]daybook.Head, error) {
	heads := make([]daybook.Head, len(logs))
	err := s.snapshot(ctx, func(r *conn) error {
		for i, log := range logs {
			if err := r.query(sqlLogHead, func(row []driver.Value) error { return scanHead(row, &heads[i]) }, int64(log)); err != nil {
				return err
			}
			if heads[i].Log == 0 {
				return fmt.Errorf("log %d: %w", log, daybook.ErrNotExist)
			}
		}
		return nil
	})
	return heads, err
}

// Logs implements [daybook.Reader].
func (s *Store) Logs(ctx context.Context, after daybook.LogNo, limit int) ([]daybook.Head, error) {
	var heads []daybook.Head
	err := s.read(ctx, func(r *conn) error {
		return r.query(sqlLogs, func(row []driver.Value) error {
			var h daybook.Head
			if err := scanHead(row, &h); err != nil {
				return err
			}
			heads = append(heads, h)
			return ctx.Err()
		}, int64(after), int64(max(limit, 0)))
	})
	return heads, err
}

func scanHead(row []driver.Value, h *daybook.Head) error {
	org, _ := row[1].(string)
	*h = daybook.Head{
		Log: daybook.LogNo(number(row[0])), Org: daybook.OrgID(org), Epoch: int(number(row[2])), State: daybook.LogState(number(row[7])),
		Packed: number(row[4]), LastReceived: number(row[6]), IDAhead: number(row[8]),
	}
	id, frontier := blob(row[3]), blob(row[5])
	if copy(h.LogID[:], id) != 10 || len(frontier)%tlog.HashSize != 0 {
		return fmt.Errorf("the head of log %d is damaged: log id of %d bytes, frontier of %d", h.Log, len(id), len(frontier))
	}
	for ; len(frontier) > 0; frontier = frontier[tlog.HashSize:] {
		h.Frontier = append(h.Frontier, tlog.Hash(frontier[:tlog.HashSize]))
	}
	return nil
}
