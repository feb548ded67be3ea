package postgres

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook"
)

const (
	sqlAppend = `SELECT @append($1::smallint, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`
	sqlKeys   = `SELECT u.i, k.first, k.n, k.expires FROM unnest($1::bigint[], $2::bytea[]) WITH ORDINALITY AS u(l, h, i)
		JOIN @idem k ON k.log_no = u.l AND k.hash = u.h ORDER BY u.i`
	headColumns = `log_no, org, epoch, log_id, packed, frontier, last_received, state, id_ahead, turn`
	sqlHeads    = `SELECT DISTINCT ON (org) ` + headColumns + ` FROM @heads WHERE org = ANY($1) ORDER BY org, epoch DESC`
	sqlLogHeads = `SELECT ` + headColumns + ` FROM @heads WHERE log_no = ANY($1)`
	sqlLogs     = `SELECT ` + headColumns + ` FROM @heads WHERE log_no > $1 ORDER BY log_no LIMIT $2`
	sqlNewLogs  = `INSERT INTO @heads (org, shard, log_id) SELECT u.org, u.shard, u.id FROM unnest($1::text[], $2::smallint[], $3::bytea[]) AS u(org, shard, id)
		WHERE NOT EXISTS (SELECT FROM @heads h WHERE h.org = u.org) ORDER BY u.org ON CONFLICT (org, epoch) DO NOTHING`
)

// Append implements [daybook.Appender]: one statement, which is its own transaction.
func (s *Store) Append(ctx context.Context, c *daybook.Commit) error {
	keys, err := s.checked(c)
	if err != nil {
		return err
	}
	_, err = s.exec(ctx, durable, statement{text: sqlAppend, args: appendArgs(c, keys)})
	if err == nil {
		s.news.tell()
	}
	if state(err) == stateKeysExist {
		return keysExist(err, keys)
	}
	return err
}

// checked returns the keys of a commit that can be appended: in one order for everybody, since two that insert the same keys must not wait
// for each other.
func (s *Store) checked(c *daybook.Commit) ([]daybook.Key, error) {
	if c.Shard < 0 || c.Shard >= s.shards {
		return nil, fmt.Errorf("append to shard %d of %d", c.Shard, s.shards)
	}
	if len(c.Bytes) < 24 || !bytes.Equal(c.Bytes[8:24], c.ID[:]) {
		return nil, errors.New("append: the commit's bytes do not carry its id")
	}
	if len(c.Keys) < 2 {
		return c.Keys, nil
	}
	return slices.SortedFunc(slices.Values(c.Keys), func(a, b daybook.Key) int {
		return cmp.Or(cmp.Compare(a.Log, b.Log), bytes.Compare(a.Hash[:], b.Hash[:]))
	}), nil
}

// appendArgs are what the function append is given.
func appendArgs(c *daybook.Commit, keys []daybook.Key) []any {
	k := columnsOf(keys)
	return []any{c.Shard, int64(c.Prev), c.States, c.At, c.Entries, int64(c.Raw), c.Bytes, k.logs, k.hashes, k.firsts, k.counts, k.expires}
}

// keyColumns are keys as arrays, a column each.
type keyColumns struct {
	logs, firsts, expires []int64
	hashes                [][]byte
	counts                []int32
}

func columnsOf(keys []daybook.Key) keyColumns {
	var c keyColumns
	for i := range keys {
		k := &keys[i]
		c.logs, c.firsts, c.expires = append(c.logs, int64(k.Log)), append(c.firsts, k.First), append(c.expires, k.Expires)
		c.hashes, c.counts = append(c.hashes, k.Hash[:]), append(c.counts, int32(k.N))
	}
	return c
}

// keysExist reads which of keys the function append found taken: places from 1, between commas.
func keysExist(err error, keys []daybook.Key) error {
	var e *pgconn.PgError
	errors.As(err, &e)
	taken := &daybook.KeyExistsError{}
	for word := range strings.SplitSeq(e.Detail, ",") {
		i, err := strconv.Atoi(word)
		if err != nil || i < 1 || i > len(keys) {
			return fmt.Errorf("the database names the taken keys as %q", e.Detail)
		}
		taken.Keys = append(taken.Keys, keys[i-1].KeyRef)
	}
	return taken
}

// Keys implements [daybook.Appender].
func (s *Store) Keys(ctx context.Context, ks []daybook.KeyRef) ([]daybook.Key, error) {
	logs, hashes := make([]int64, len(ks)), make([][]byte, len(ks))
	for i := range ks {
		logs[i], hashes[i] = int64(ks[i].Log), ks[i].Hash[:]
	}
	var found []daybook.Key
	var place int64
	var k daybook.Key
	err := s.rows(ctx, statement{text: sqlKeys, args: []any{logs, hashes}}, []any{&place, &k.First, &k.N, &k.Expires}, func() error {
		k.KeyRef = ks[place-1]
		found = append(found, k)
		return nil
	})
	return found, err
}

// Heads implements [daybook.Appender].
func (s *Store) Heads(ctx context.Context, orgs []daybook.OrgID, create bool) ([]daybook.Head, error) {
	heads, missing, err := s.newest(ctx, orgs)
	if err != nil || len(missing) == 0 || !create {
		return heads, err
	}
	shards, ids := make([]int16, len(missing)), make([][]byte, len(missing))
	for i, org := range missing {
		shards[i], ids[i] = int16(daybook.ShardOf(daybook.OrgID(org), s.shards)), newLogID()
	}
	_, err = s.exec(ctx, durable, statement{everyOrg(), sqlNewLogs, []any{missing, shards, ids}})
	if err != nil {
		return nil, fmt.Errorf("make %d logs: %w", len(missing), err)
	}
	heads, missing, err = s.newest(ctx, orgs)
	if err == nil && len(missing) > 0 {
		err = fmt.Errorf("the log of %s was made and is not there", missing[0])
	}
	return heads, err
}

func newLogID() []byte {
	id := make([]byte, 10)
	rand.Read(id) // never fails
	return id
}

// newest returns the heads of orgs from one snapshot, and those that have none, each once.
func (s *Store) newest(ctx context.Context, orgs []daybook.OrgID) (heads []daybook.Head, missing []string, err error) {
	names := make([]string, len(orgs))
	for i, org := range orgs {
		names[i] = string(org)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	found := make(map[daybook.OrgID]daybook.Head, len(names))
	wall := everyOrg()
	if len(names) == 1 {
		wall = ofOrg(daybook.OrgID(names[0]))
	}
	err = s.listHeads(ctx, statement{wall, sqlHeads, []any{names}}, func(h daybook.Head) { found[h.Org] = h })
	if err != nil {
		return nil, nil, err
	}
	heads = make([]daybook.Head, len(orgs))
	for i, org := range orgs {
		heads[i] = found[org]
		heads[i].Org = org
		heads[i].Frontier = slices.Clone(heads[i].Frontier)
	}
	for _, name := range names {
		if found[daybook.OrgID(name)].Log == 0 {
			missing = append(missing, name)
		}
	}
	return heads, missing, nil
}

// headRow is where a row of headColumns is read into.
type headRow struct {
	daybook.Head
	id, frontier []byte
}

func (h *headRow) into() []any {
	return []any{&h.Log, &h.Org, &h.Epoch, &h.id, &h.Packed, &h.frontier, &h.LastReceived, &h.State, &h.IDAhead, &h.Turn}
}

// head returns the row as a head of its own.
func (h *headRow) head() (daybook.Head, error) {
	if copy(h.LogID[:], h.id) != 10 || len(h.frontier)%tlog.HashSize != 0 {
		return daybook.Head{}, fmt.Errorf("the head of log %d is damaged: log id of %d bytes, frontier of %d", h.Log, len(h.id), len(h.frontier))
	}
	h.Frontier = nil
	for rest := h.frontier; len(rest) > 0; rest = rest[tlog.HashSize:] {
		h.Frontier = append(h.Frontier, tlog.Hash(rest[:tlog.HashSize]))
	}
	return h.Head, nil
}

// listHeads gives each row of a statement that selects headColumns to f.
func (s *Store) listHeads(ctx context.Context, q statement, f func(h daybook.Head)) error {
	var row headRow
	return s.rows(ctx, q, row.into(), func() error {
		h, err := row.head()
		if err == nil {
			f(h)
		}
		return err
	})
}

// LogHeads implements [daybook.Appender].
func (s *Store) LogHeads(ctx context.Context, logs []daybook.LogNo) ([]daybook.Head, error) {
	found := make(map[daybook.LogNo]daybook.Head, len(logs))
	if err := s.listHeads(ctx, statement{everyOrg(), sqlLogHeads, []any{logs}}, func(h daybook.Head) { found[h.Log] = h }); err != nil {
		return nil, err
	}
	heads := make([]daybook.Head, len(logs))
	for i, log := range logs {
		h, ok := found[log]
		if !ok {
			return nil, fmt.Errorf("log %d: %w", log, daybook.ErrNotExist)
		}
		heads[i] = h
		heads[i].Frontier = slices.Clone(h.Frontier)
	}
	return heads, nil
}

// Logs implements [daybook.Reader].
func (s *Store) Logs(ctx context.Context, after daybook.LogNo, limit int) ([]daybook.Head, error) {
	var heads []daybook.Head
	err := s.listHeads(ctx, statement{everyOrg(), sqlLogs, []any{after, max(limit, 0)}}, func(h daybook.Head) { heads = append(heads, h) })
	return heads, err
}
