// Package storetest is what drivers and users of [daybook.Store] test with: the conformance suite [Run], a correct store in memory
// ([Memory]) and one that fails on demand ([Faulty]). Production code never imports it.
package storetest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook"
)

// MemoryStore is a [daybook.Store] and [daybook.Documents] in memory with one shard. It keeps every promise of the interfaces but
// durability: what it holds lives as long as the process. See [MemoryStore.Reopen].
type MemoryStore struct {
	fleet  bool // one of several processes: see Node
	closed bool // guarded by mu
	*content
}

// content is what outlives a handle.
type content struct {
	mu                   sync.Mutex
	commits              map[daybook.CommitNo][]byte
	last, merged, oldest daybook.CommitNo // oldest: the first commit still there, if any is
	signed               int64
	logs                 []*memoryLog // log number 1 is logs[0]; nil: it was dropped
	newest               map[daybook.OrgID]*memoryLog
	keys                 map[daybook.KeyRef]daybook.Key
	documents            map[documentRef]daybook.Document
	shared
}

type memoryLog struct {
	head   daybook.Head
	moved  int64           // when it changed last, in content.moved
	blocks []daybook.Block // by First, contiguous from 0
	slips  map[daybook.SlipKey][]byte
	notes  []daybook.StoredNote // by Size
}

type documentRef struct {
	kind string
	org  daybook.OrgID
	id   string
}

var (
	_ daybook.Store     = (*MemoryStore)(nil)
	_ daybook.Documents = (*MemoryStore)(nil)
)

// Memory returns an empty store.
func Memory() *MemoryStore {
	return &MemoryStore{content: &content{
		oldest: 1, newest: map[daybook.OrgID]*memoryLog{}, commits: map[daybook.CommitNo][]byte{},
		keys: map[daybook.KeyRef]daybook.Key{}, documents: map[documentRef]daybook.Document{}, shared: newShared(),
	}}
}

// Reopen closes the handle m and returns a new one to the same content: what a restart is to a store on disk.
func (m *MemoryStore) Reopen() *MemoryStore {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	m.wake()
	return &MemoryStore{content: m.content, fleet: m.fleet}
}

// Copy returns another store with the content of this moment: what a restore brings back.
func (m *MemoryStore) Copy() *MemoryStore {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := &content{
		commits: maps.Clone(m.commits), last: m.last, merged: m.merged, oldest: m.oldest, signed: m.signed,
		logs: slices.Clone(m.logs), newest: map[daybook.OrgID]*memoryLog{}, keys: maps.Clone(m.keys), documents: maps.Clone(m.documents),
		shared: m.alone(),
	}
	for i, l := range c.logs {
		if l == nil {
			continue
		}
		l := &memoryLog{head: copyHead(l.head), moved: l.moved, blocks: slices.Clone(l.blocks), slips: maps.Clone(l.slips), notes: slices.Clone(l.notes)}
		c.logs[i], c.newest[l.head.Org] = l, l // numbers ascend with epochs
	}
	return &MemoryStore{content: c, fleet: m.fleet}
}

// DropNotes forgets the checkpoints of log: what no store may do.
func (m *MemoryStore) DropNotes(log daybook.LogNo) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.logs[log-1].notes = nil
}

// enter locks m for one call; without an error the caller unlocks it.
func (m *MemoryStore) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return fmt.Errorf("memory store: %w", fs.ErrClosed)
	}
	return nil
}

// Shards returns 1.
func (m *MemoryStore) Shards() int { return 1 }

// Close makes every later call fail. It never fails itself.
func (m *MemoryStore) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	m.wake()
	return nil
}

// Heads implements [daybook.Appender].
func (m *MemoryStore) Heads(ctx context.Context, orgs []daybook.OrgID, create bool) ([]daybook.Head, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	heads := make([]daybook.Head, len(orgs))
	for i, org := range orgs {
		l := m.newest[org]
		if l == nil && create {
			l = m.newLog(org, 0)
		}
		if l != nil {
			heads[i] = m.headOf(l)
		} else {
			heads[i] = daybook.Head{Org: org}
		}
	}
	return heads, nil
}

// newLog makes the log of an epoch of org.
func (c *content) newLog(org daybook.OrgID, epoch int) *memoryLog {
	l := &memoryLog{slips: map[daybook.SlipKey][]byte{}}
	l.head = daybook.Head{Log: daybook.LogNo(len(c.logs) + 1), Org: org, Epoch: epoch, Turn: 1}
	rand.Read(l.head.LogID[:]) // never fails
	c.logs = append(c.logs, l)
	c.newest[org] = l
	return l
}

// LogHeads implements [daybook.Appender].
func (m *MemoryStore) LogHeads(ctx context.Context, logs []daybook.LogNo) ([]daybook.Head, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	heads := make([]daybook.Head, len(logs))
	for i, no := range logs {
		l, err := m.log(no)
		if err != nil {
			return nil, err
		}
		heads[i] = m.headOf(l)
	}
	return heads, nil
}

// Logs implements [daybook.Reader].
func (m *MemoryStore) Logs(ctx context.Context, after daybook.LogNo, limit int) ([]daybook.Head, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var heads []daybook.Head
	for _, l := range m.logs {
		if l != nil && l.head.Log > after && len(heads) < limit {
			heads = append(heads, m.headOf(l))
		}
	}
	return heads, nil
}

// Epochs implements [daybook.Reader].
func (m *MemoryStore) Epochs(ctx context.Context, org daybook.OrgID) ([]daybook.Head, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var heads []daybook.Head
	for _, l := range m.logs { // numbers ascend with epochs
		if l != nil && l.head.Org == org {
			heads = append(heads, m.headOf(l))
		}
	}
	return heads, nil
}

// copyHead copies h with what it holds.
func copyHead(h daybook.Head) daybook.Head {
	h.Frontier = append([]tlog.Hash(nil), h.Frontier...)
	return h
}

// headOf returns the head of l as this handle shows it.
func (m *MemoryStore) headOf(l *memoryLog) daybook.Head {
	h := copyHead(l.head)
	if !m.fleet {
		h.Turn = 0
	}
	return h
}

func (c *content) log(no daybook.LogNo) (*memoryLog, error) {
	if no < 1 || int(no) > len(c.logs) || c.logs[no-1] == nil {
		return nil, fmt.Errorf("log %d: %w", no, daybook.ErrNotExist)
	}
	return c.logs[no-1], nil
}

// Append implements [daybook.Appender].
func (m *MemoryStore) Append(ctx context.Context, c *daybook.Commit) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	if c.Shard != 0 {
		return fmt.Errorf("append to shard %d of 1", c.Shard)
	}
	if len(c.Bytes) < 24 || !bytes.Equal(c.Bytes[8:24], c.ID[:]) {
		return errors.New("append: the commit's bytes do not carry its id")
	}
	if c.Prev != m.last || c.At < m.signed || m.fleet && c.States != m.states {
		if b, ok := m.commits[c.Prev+1]; ok && bytes.Equal(b[8:24], c.ID[:]) {
			return nil
		}
		return daybook.ErrHeadMoved
	}
	var taken []daybook.KeyRef
	for _, k := range c.Keys {
		if old, ok := m.keys[k.KeyRef]; ok && old.Expires > c.At/microsPerHour {
			taken = append(taken, k.KeyRef)
		}
	}
	if len(taken) > 0 {
		return &daybook.KeyExistsError{Keys: taken}
	}
	for _, k := range c.Keys {
		m.keys[k.KeyRef] = k
	}
	m.last++
	m.commits[m.last] = bytes.Clone(c.Bytes)
	m.wake()
	return nil
}

const microsPerHour = 3_600_000_000

// Keys implements [daybook.Appender].
func (m *MemoryStore) Keys(ctx context.Context, ks []daybook.KeyRef) ([]daybook.Key, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var found []daybook.Key
	for _, k := range ks {
		if key, ok := m.keys[k]; ok {
			found = append(found, key)
		}
	}
	return found, nil
}

// Tail implements [daybook.Reader].
func (m *MemoryStore) Tail(ctx context.Context, shard int, after daybook.CommitNo, maxBytes int) (daybook.Tail, error) {
	if err := m.enter(ctx); err != nil {
		return daybook.Tail{}, err
	}
	defer m.mu.Unlock()
	if shard != 0 {
		return daybook.Tail{}, fmt.Errorf("tail of shard %d of 1", shard)
	}
	t := daybook.Tail{Last: m.last, Merged: m.merged, Signed: m.signed}
	if m.fleet {
		t.States = m.states
	}
	if after < m.merged {
		return t, daybook.ErrTrimmed
	}
	size := 0
	for n := after + 1; n <= m.last && (size < maxBytes || len(t.Rows) == 0); n++ {
		t.Rows = append(t.Rows, daybook.TailRow{N: n, Bytes: bytes.Clone(m.commits[n])})
		size += len(m.commits[n])
	}
	return t, nil
}

// Blocks implements [daybook.Reader].
func (m *MemoryStore) Blocks(ctx context.Context, q daybook.BlockQuery) iter.Seq2[daybook.BlockMeta, error] {
	return func(yield func(daybook.BlockMeta, error) bool) {
		metas, err := m.metas(ctx, q)
		for _, meta := range metas {
			if err := ctx.Err(); err != nil {
				yield(daybook.BlockMeta{}, err)
				return
			}
			if !yield(meta, nil) {
				return
			}
		}
		if err != nil {
			yield(daybook.BlockMeta{}, err)
		}
	}
}

func (m *MemoryStore) metas(ctx context.Context, q daybook.BlockQuery) ([]daybook.BlockMeta, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	l, err := m.log(q.Log)
	if err != nil {
		return nil, nil // a log that is not there has no blocks
	}
	var metas []daybook.BlockMeta
	for _, b := range l.blocks {
		if b.First >= q.To || b.First+int64(b.N) <= q.From || q.From >= q.To {
			continue
		}
		meta := cloneMeta(b.BlockMeta)
		if !q.Filters {
			meta.Filter = nil
		}
		metas = append(metas, meta)
	}
	if q.Desc {
		slices.Reverse(metas)
	}
	return metas, nil
}

func cloneMeta(b daybook.BlockMeta) daybook.BlockMeta {
	b.Roots, b.Facets, b.Filter = clone(b.Roots), clone(b.Facets), clone(b.Filter)
	return b
}

// clone copies b; an empty slice becomes nil.
func clone(b []byte) []byte { return append([]byte(nil), b...) }

// Read implements [daybook.Reader].
func (m *MemoryStore) Read(ctx context.Context, log daybook.LogNo, refs []daybook.BlockRef) ([][]byte, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	l, err := m.log(log)
	if err != nil {
		return nil, err
	}
	out := make([][]byte, len(refs))
	for i, ref := range refs {
		j := l.find(ref)
		if j < 0 {
			return nil, fmt.Errorf("block %d.%d of log %d: %w", ref.First, ref.Gen, log, daybook.ErrNotExist)
		}
		out[i] = bytes.Clone(l.blocks[j].Bytes)
	}
	return out, nil
}

// find returns the place of ref in l.blocks, or -1.
func (l *memoryLog) find(ref daybook.BlockRef) int {
	i, ok := slices.BinarySearchFunc(l.blocks, ref.First, func(b daybook.Block, first int64) int { return cmp.Compare(b.First, first) })
	if !ok || l.blocks[i].Gen != ref.Gen {
		return -1
	}
	return i
}

// Slips implements [daybook.Reader].
func (m *MemoryStore) Slips(ctx context.Context, log daybook.LogNo, from, to daybook.SlipKey) iter.Seq2[daybook.Slip, error] {
	return func(yield func(daybook.Slip, error) bool) {
		if err := m.enter(ctx); err != nil {
			yield(daybook.Slip{}, err)
			return
		}
		var slips []daybook.Slip
		if l, err := m.log(log); err == nil {
			for k, b := range l.slips {
				if slipOrder(from) <= slipOrder(k) && slipOrder(k) < slipOrder(to) {
					slips = append(slips, daybook.Slip{SlipKey: k, Bytes: bytes.Clone(b)})
				}
			}
		}
		m.mu.Unlock()
		slices.SortFunc(slips, func(a, b daybook.Slip) int { return cmp.Compare(slipOrder(a.SlipKey), slipOrder(b.SlipKey)) })
		for _, s := range slips {
			if !yield(s, nil) {
				return
			}
		}
	}
}

func slipOrder(k daybook.SlipKey) int64 { return int64(k.Kind)<<36 | int64(k.A)<<24 | int64(k.B) }

// Replace implements [daybook.Keeper].
func (m *MemoryStore) Replace(ctx context.Context, swaps []daybook.Swap) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	changed := map[daybook.LogNo]*memoryLog{} // a transaction: copies, put in place when every swap succeeded
	for i, s := range swaps {
		l := changed[s.Log]
		if l == nil {
			old, err := m.log(s.Log)
			if err != nil {
				return err
			}
			l = &memoryLog{head: copyHead(old.head), blocks: slices.Clone(old.blocks), slips: maps.Clone(old.slips), notes: old.notes}
			changed[s.Log] = l
		}
		if m.fleet && s.Turn != 0 && s.Turn != l.head.Turn {
			return fmt.Errorf("swap %d of log %d, planned in turn %d of %d: %w", i, s.Log, s.Turn, l.head.Turn, daybook.ErrSwapped)
		}
		if err := l.swap(s); err != nil {
			return fmt.Errorf("swap %d of log %d: %w", i, s.Log, err)
		}
		l.head.Turn++
	}
	for no, l := range changed {
		m.logs[no-1] = l
		m.move(l)
		if m.newest[l.head.Org].head.Log == no {
			m.newest[l.head.Org] = l
		}
	}
	return nil
}

func (l *memoryLog) swap(s daybook.Swap) error {
	covers := make([]int, len(s.Out))
	for i, ref := range s.Out {
		if j := l.find(ref); j >= 0 {
			covers[i] = l.blocks[j].N
			l.blocks = slices.Delete(l.blocks, j, j+1)
		}
	}
	if err := s.Check(l.head.Packed, covers); err != nil {
		return err
	}
	if f := s.Fold; f != nil {
		l.head.Packed, l.head.LastReceived, l.head.IDAhead, l.head.Frontier = f.Packed, f.LastReceived, f.IDAhead, copyHead(*f).Frontier
	}
	for _, b := range s.In {
		l.blocks = append(l.blocks, daybook.Block{BlockMeta: cloneMeta(b.BlockMeta), Bytes: bytes.Clone(b.Bytes)})
	}
	slices.SortFunc(l.blocks, func(a, b daybook.Block) int { return cmp.Compare(a.First, b.First) })
	for _, slip := range s.Slips {
		l.slips[slip.SlipKey] = bytes.Clone(slip.Bytes)
	}
	return nil
}

// DropKeys implements [daybook.Keeper].
func (m *MemoryStore) DropKeys(ctx context.Context, log daybook.LogNo, covers func(first int64, n int) bool) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	maps.DeleteFunc(m.keys, func(ref daybook.KeyRef, k daybook.Key) bool { return ref.Log == log && covers(k.First, k.N) })
	return nil
}

// Trim implements [daybook.Keeper].
func (m *MemoryStore) Trim(ctx context.Context, shard int, through daybook.CommitNo, now int64) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	if shard != 0 || through > m.last {
		return errors.New("trim beyond the last commit")
	}
	m.merged = max(m.merged, through)
	for ; m.oldest <= m.merged; m.oldest++ {
		delete(m.commits, m.oldest)
	}
	maps.DeleteFunc(m.keys, func(_ daybook.KeyRef, k daybook.Key) bool { return k.Expires <= now })
	return nil
}

// Notes implements [daybook.Reader].
func (m *MemoryStore) Notes(ctx context.Context, log daybook.LogNo, from, to int64, desc bool) iter.Seq2[daybook.StoredNote, error] {
	return func(yield func(daybook.StoredNote, error) bool) {
		if err := m.enter(ctx); err != nil {
			yield(daybook.StoredNote{}, err)
			return
		}
		var notes []daybook.StoredNote
		if l, err := m.log(log); err == nil {
			for _, n := range l.notes {
				if from <= n.Size && n.Size < to {
					n.Note = bytes.Clone(n.Note)
					notes = append(notes, n)
				}
			}
		}
		m.mu.Unlock()
		if desc {
			slices.Reverse(notes)
		}
		for _, n := range notes {
			if !yield(n, nil) {
				return
			}
		}
	}
}

// PutNote implements [daybook.Keeper].
func (m *MemoryStore) PutNote(ctx context.Context, log daybook.LogNo, n daybook.StoredNote) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	l, err := m.log(log)
	if err != nil {
		return err
	}
	m.signed = max(m.signed, n.At)
	i, exists := slices.BinarySearchFunc(l.notes, n.Size, func(n daybook.StoredNote, size int64) int { return cmp.Compare(n.Size, size) })
	if exists {
		return fmt.Errorf("checkpoint of log %d at size %d: %w", log, n.Size, daybook.ErrExists)
	}
	n.Note = bytes.Clone(n.Note)
	l.notes = slices.Insert(l.notes, i, n)
	return nil
}

// NewEpoch implements [daybook.Keeper].
func (m *MemoryStore) NewEpoch(ctx context.Context, log daybook.LogNo) (daybook.Head, error) {
	if err := m.enter(ctx); err != nil {
		return daybook.Head{}, err
	}
	defer m.mu.Unlock()
	l, err := m.log(log)
	if err != nil {
		return daybook.Head{}, err
	}
	for _, next := range m.logs {
		if next != nil && next.head.Org == l.head.Org && next.head.Epoch == l.head.Epoch+1 {
			return m.headOf(next), nil
		}
	}
	l.head.State = daybook.LogFrozen
	next := m.newLog(l.head.Org, l.head.Epoch+1)
	m.states++
	m.move(l)
	m.move(next)
	return m.headOf(next), nil
}
