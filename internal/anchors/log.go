// Package anchors keeps the anchor log of an instance: one RFC 6962 log over the checkpoints of all others (docs/reference/integrity.md,
// section 7). Who holds one of its checkpoints holds them all; it tells nobody whose they are, since a log is in it under the hash of its
// origin.
//
// [Log.Append] adds what was signed, signs the log itself, never below or beside its high-water mark, and has witnesses told. [Log.Newest] is
// for readers. Several processes may append to one log: each leaf is put where none was. A log that was rolled back with its store refuses to
// grow, with an [Error] of the kind Contradicts, until [Log.Renew] begins the next one.
package anchors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/internal/checkpoint"
)

// Options say where a log is kept and what signs it. All but Witnesses, Shared and Told are needed.
type Options struct {
	Host      string // the log's origin begins with it
	Master    []byte // its key is derived from it
	Every     time.Duration
	Shared    bool // other processes may append to the log too
	Shelf     Shelf
	Marks     Marks
	Witnesses []Witness
	Now       func() int64     // µs since 1970
	Monotonic func() time.Time // measures how old a look at the shelf is
	// Told is called after a witness was told a checkpoint of a size, with its error; it may be called concurrently.
	Told func(ctx context.Context, witness string, size int64, err error)
}

// Shelf keeps small documents. What Put has stored is durable when it returns.
type Shelf interface {
	// Get returns a document and its version; version 0: there is none.
	Get(ctx context.Context, kind, id string) (data []byte, version int64, err error)
	// Put stores a document if its version is the given one, 0 for a new one, else it reports that it moved and changes nothing.
	Put(ctx context.Context, kind, id string, version int64, data []byte) (moved bool, err error)
}

// Mark is the largest head of an origin that was signed, or was about to be.
type Mark struct {
	Size int64
	Root tlog.Hash
	At   int64 // µs since 1970
}

// Marks keeps the marks of origins outside the shelf.
type Marks interface {
	// Mark returns the mark of an origin; false: it has none.
	Mark(ctx context.Context, origin string) (Mark, bool, error)
	// Advance replaces the mark old by next, durable on return; an error unless old is the stored one.
	Advance(ctx context.Context, origin string, old, next Mark) error
}

// Checkpoint is a checkpoint of the log.
type Checkpoint struct {
	Origin string
	Size   int64
	Root   tlog.Hash
	Note   []byte // the signed note
	// Consistency proves that the first old leaves, at least one, are the beginning of this tree.
	Consistency func(ctx context.Context, old int64) ([]tlog.Hash, error)
}

// Witness is told checkpoints, one at a time, sizes never falling, and returns signature lines for the note, or none.
type Witness interface {
	Name() string
	Tell(ctx context.Context, c *Checkpoint) (signatures []byte, err error)
}

// Kind says what is wrong.
type Kind int

// Kinds of errors.
const (
	Damaged     Kind = iota // what the shelf holds is no part of an anchor log
	Contradicts             // the log is not what was signed of it
	Beyond                  // what is asked for lies beyond the log, or beyond its checkpoint
	Invalid                 // no such range can be proved
)

// Error is what a caller can act on; Text is for people. Other errors are those of the shelf and of the marks.
type Error struct {
	Kind Kind
	Text string
}

// Error returns the text.
func (e *Error) Error() string { return e.Text }

func fault(kind Kind, format string, args ...any) error {
	return &Error{kind, fmt.Sprintf(format, args...)}
}

// Kinds of documents. Ids are sizes and indexes, 16 digits.
const (
	kindLeaf = "anchor"      // a leaf with its batch; never changed
	kindNote = "anchor_note" // a checkpoint by its size; signatures are added
	kindLog  = "anchor_log"  // which anchor log it is, under the id "newest"
)

// document is one leaf of the anchor log.
type document struct {
	Leaf   []byte      `json:"leaf"`   // 65 bytes
	Hashes []tlog.Hash `json:"hashes"` // of the perfect subtrees that end with it, the leaf's first
	Batch  []byte      `json:"batch"`  // 72 bytes for each log
}

type storedNote struct {
	Note []byte `json:"note"`
}

// Log is the anchor log of an instance. It is safe for concurrent use.
type Log struct {
	o Options

	mu     sync.Mutex // held while it grows
	loaded bool
	// loadedAt is when load looked, by the monotonic clock.
	loadedAt time.Time
	number   int // 0, and one more for each that began after a rollback
	origin   string
	key      *checkpoint.Key
	size     int64 // leaves
	last     int64 // time of the last leaf, µs
	mark     Mark  // found to be a head of this log
	telling  sync.WaitGroup
	busy     atomic.Bool // the witnesses are being told
}

// Open returns the anchor log that o describes. It reads nothing yet.
func Open(o Options) *Log { return &Log{o: o} }

// Wait returns when no witness is being told anything.
func (a *Log) Wait() { a.telling.Wait() }

// name sets which anchor log it is.
func (a *Log) name(number int) (err error) {
	if a.key != nil && a.number == number { // witnesses may be reading it
		return nil
	}
	a.number, a.origin = number, originOf(a.o.Host, number)
	a.key, err = checkpoint.NewKey(a.o.Master, checkpoint.Log, a.origin, 1)
	return err
}

func originOf(host string, number int) string {
	if number == 0 {
		return host + "/anchor"
	}
	return fmt.Sprintf("%s/anchor/%d", host, number)
}

// id returns the id of a document of this anchor log.
func (a *Log) id(n int64) string {
	if a.number == 0 {
		return fmt.Sprintf("%016d", n)
	}
	return fmt.Sprintf("%d/%016d", a.number, n)
}

// leaf reads a leaf that was found to be there.
func (a *Log) leaf(ctx context.Context, n int64) (document, error) {
	var leaf document
	data, version, err := a.o.Shelf.Get(ctx, kindLeaf, a.id(n))
	switch {
	case err != nil:
		return leaf, fmt.Errorf("read leaf %d of the anchor log: %w", n, err)
	case version == 0:
		return leaf, fault(Damaged, "leaf %d of the anchor log is missing", n)
	}
	if err := json.Unmarshal(data, &leaf); err != nil || len(leaf.Leaf) != LeafSize || len(leaf.Hashes) == 0 || len(leaf.Batch)%EntrySize != 0 {
		return leaf, fault(Damaged, "leaf %d of the anchor log", n)
	}
	return leaf, nil
}

// fresh is for how long what was read of the end of the log counts while other processes may append to it.
const fresh = time.Second

// slack is by how much the time of a leaf may be ahead of what it anchors, beside the interval: it is in whole seconds, by any clock.
const slack = 10 * time.Second

// load finds the end of the log: leaves have no gaps. What is known of it is read on while other processes may have appended.
func (a *Log) load(ctx context.Context) error {
	if a.loaded && (!a.o.Shared || a.o.Monotonic().Sub(a.loadedAt) < fresh) {
		return nil
	}
	at, number := a.o.Monotonic(), a.number
	newest, _, err := a.newest(ctx)
	if err == nil {
		err = a.name(newest)
	}
	if err != nil {
		return err
	}
	if !a.loaded || number != newest {
		a.size, a.last, a.mark = 0, 0, Mark{}
	}
	size, err := a.end(ctx, a.size)
	if err != nil {
		return fmt.Errorf("find the end of the anchor log: %w", err)
	}
	if size > a.size {
		leaf, err := a.leaf(ctx, size-1)
		if err != nil {
			return err
		}
		a.size, a.last = size, leafTime(leaf.Leaf)
	}
	a.loaded, a.loadedAt = true, at
	return nil
}

// end returns the number of leaves, of which there are at least from.
func (a *Log) end(ctx context.Context, from int64) (int64, error) {
	there := func(n int64) (bool, error) {
		_, version, err := a.o.Shelf.Get(ctx, kindLeaf, a.id(n))
		return version > 0, err
	}
	for step := int64(1); ; step *= 2 {
		ok, err := there(from + step - 1)
		if err != nil {
			return 0, err
		}
		if ok {
			from += step
			continue
		}
		for beyond := from + step; from+1 < beyond; {
			mid := (from + beyond) / 2
			if ok, err = there(mid - 1); err != nil {
				return 0, err
			}
			if ok {
				from = mid
			} else {
				beyond = mid
			}
		}
		return from, nil
	}
}

// newest returns which anchor log is the newest, and the version of the document that says so.
func (a *Log) newest(ctx context.Context) (number int, version int64, err error) {
	data, version, err := a.o.Shelf.Get(ctx, kindLog, "newest")
	if err != nil {
		return 0, 0, fmt.Errorf("read which anchor log it is: %w", err)
	}
	if version > 0 && json.Unmarshal(data, &number) != nil {
		return 0, 0, fault(Damaged, "which anchor log it is")
	}
	return number, version, nil
}

// Vkey returns the verifier key of the newest anchor log.
func (a *Log) Vkey(ctx context.Context) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.load(ctx); err != nil {
		return "", err
	}
	return a.key.Vkey(), nil
}

// whole returns an error unless the log has the head that was signed last.
func (a *Log) whole(ctx context.Context) error {
	m, marked, err := a.o.Marks.Mark(ctx, a.origin)
	if err != nil {
		return fmt.Errorf("read the high-water mark of the anchor log: %w", err)
	}
	if !marked || m == a.mark {
		return nil
	}
	if m.Size > a.size && a.o.Shared { // another process signed what it has appended
		a.loadedAt = time.Time{}
		if err := a.load(ctx); err != nil {
			return err
		}
	}
	return a.extends(ctx, m)
}

// Renew begins the next anchor log, with an origin and a key of its own, if this one is not what was signed of it, and reports whether it
// did. What the old one had anchored stays anchored for whoever kept it.
func (a *Log) Renew(ctx context.Context) (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.load(ctx); err != nil {
		return false, err
	}
	err := a.whole(ctx)
	if e, ok := errors.AsType[*Error](err); !ok || e.Kind != Contradicts {
		return false, err
	}
	_, version, err := a.newest(ctx)
	if err != nil {
		return false, err
	}
	for number := a.number + 1; ; number++ { // one that was never signed: the document may be an older copy too
		if _, marked, err := a.o.Marks.Mark(ctx, originOf(a.o.Host, number)); err != nil || marked {
			if err != nil {
				return false, fmt.Errorf("read the high-water mark of the anchor log: %w", err)
			}
			continue
		}
		moved, err := a.o.Shelf.Put(ctx, kindLog, "newest", version, fmt.Append(nil, number))
		if err == nil && moved {
			err = errMoved
		}
		if err != nil {
			return false, fmt.Errorf("begin the next anchor log: %w", err)
		}
		a.loaded, a.mark = false, Mark{}
		return true, nil
	}
}

// Since reports whether something that was signed at a time came after the last leaf. What cannot be known did.
func (a *Log) Since(ctx context.Context, at int64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.load(ctx) != nil || at > a.last
}

// hashes reads stored hashes for x/mod: the subtree of a level that a leaf ends is with that leaf.
func (a *Log) hashes(ctx context.Context) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hs := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			level, n := tlog.SplitStoredHashIndex(index)
			leaf, err := a.leaf(ctx, (n+1)<<level-1)
			if err != nil {
				return nil, err
			}
			if level >= len(leaf.Hashes) {
				return nil, fault(Damaged, "leaf %d of the anchor log has no hash of level %d", (n+1)<<level-1, level)
			}
			hs[i] = leaf.Hashes[level]
		}
		return hs, nil
	})
}

// Append adds a leaf for each batch of heads, signs the log, and has the witnesses told. What a crash leaves behind: after a leaf was stored, a
// leaf that no checkpoint covers; the next signing covers it.
func (a *Log) Append(ctx context.Context, heads []Head) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.loadedAt = time.Time{} // another process may have appended
	if err := a.load(ctx); err != nil {
		return err
	}
	if err := a.whole(ctx); err != nil {
		return err
	}
	if a.o.Shared { // what this process signed while another one anchored
		before := a.last - (2*a.o.Every + slack).Microseconds()
		heads = slices.DeleteFunc(heads, func(h Head) bool { return h.At < before })
	}
	slices.SortFunc(heads, compareTags)
	for batch := range slices.Chunk(heads, maxBatch) {
		if err := a.appendBatch(ctx, batch); err != nil {
			return err
		}
	}
	return a.sign(ctx)
}

func (a *Log) appendBatch(ctx context.Context, batch []Head) error {
	at := max(a.o.Now(), a.last+1)
	for i := range batch {
		at = max(at, checkpoint.Seconds(batch[i].At)*1_000_000)
	}
	doc := document{Batch: make([]byte, 0, len(batch)*EntrySize)}
	for i := range batch {
		doc.Batch = batch[i].append(doc.Batch)
	}
	root, err := BatchRoot(doc.Batch)
	if err != nil {
		return err
	}
	doc.Leaf = AppendLeaf(nil, a.size, at, len(batch), root, a.last)
	if doc.Hashes, err = tlog.StoredHashes(a.size, doc.Leaf, a.hashes(ctx)); err != nil {
		return fmt.Errorf("hash leaf %d of the anchor log: %w", a.size, err)
	}
	data, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("encode leaf %d of the anchor log: %w", a.size, err)
	}
	moved, err := a.o.Shelf.Put(ctx, kindLeaf, a.id(a.size), 0, data)
	if err == nil && moved {
		err = errMoved
	}
	if err != nil {
		a.loaded = false // another node may have come first, or the outcome is not known
		return fmt.Errorf("store leaf %d of the anchor log: %w", a.size, err)
	}
	a.size, a.last = a.size+1, at
	return nil
}

// sign signs the log as it is. The steps are those of a log.
func (a *Log) sign(ctx context.Context) error {
	root, err := tlog.TreeHash(a.size, a.hashes(ctx))
	if err != nil {
		return fmt.Errorf("compute the root of the anchor log: %w", err)
	}
	old, marked, err := a.o.Marks.Mark(ctx, a.origin)
	if err != nil {
		return fmt.Errorf("read the high-water mark of the anchor log: %w", err)
	}
	if old.Size > a.size && a.o.Shared {
		return nil // another process has signed a longer one, with these leaves
	}
	if marked && old != a.mark {
		if err := a.extends(ctx, old); err != nil {
			return err
		}
	}
	if a.size == old.Size {
		return nil // nothing was appended
	}
	next := Mark{Size: a.size, Root: root, At: max(a.last, old.At)}
	if err := a.o.Marks.Advance(ctx, a.origin, old, next); err != nil {
		return fmt.Errorf("raise the high-water mark of the anchor log: %w", err)
	}
	a.mark = next
	c := &Checkpoint{Origin: a.origin, Size: a.size, Root: root, Consistency: func(ctx context.Context, size int64) ([]tlog.Hash, error) {
		return tlog.ProveTree(next.Size, size, a.hashes(ctx))
	}}
	if c.Note, err = checkpoint.Sign(a.origin, a.size, root, []*checkpoint.Key{a.key}, nil, 0); err != nil {
		return fmt.Errorf("sign the anchor log: %w", err)
	}
	if err := a.keepNote(ctx, c.Size, c.Note); err != nil {
		return err
	}
	if a.busy.CompareAndSwap(false, true) { // else they are still being told the last one, and will be told the next
		a.telling.Go(func() {
			defer a.busy.Store(false)
			a.tell(context.WithoutCancel(ctx), c)
		})
	}
	return nil
}

// extends returns an error unless the log has the head m.
func (a *Log) extends(ctx context.Context, m Mark) error {
	if m.Size <= a.size {
		root, err := tlog.TreeHash(m.Size, a.hashes(ctx))
		if err != nil {
			return fmt.Errorf("compute the root of the anchor log at size %d: %w", m.Size, err)
		}
		if root == m.Root {
			return nil
		}
	}
	return fault(Contradicts, "the anchor log has %d leaves and is not what was signed of it at size %d: nothing is anchored", a.size, m.Size)
}

// keepNote stores a checkpoint of the anchor log, or adds the signatures that the stored one lacks.
func (a *Log) keepNote(ctx context.Context, size int64, note []byte) error {
	for {
		old, version, err := a.noteAt(ctx, size)
		if err != nil {
			return err
		}
		kept := note
		if version > 0 {
			kept = checkpoint.WithSignatures(old, note)
		}
		data, err := json.Marshal(storedNote{kept})
		if err != nil {
			return fmt.Errorf("encode the checkpoint of the anchor log: %w", err)
		}
		moved, err := a.o.Shelf.Put(ctx, kindNote, a.id(size), version, data)
		if err != nil {
			return fmt.Errorf("store the checkpoint of the anchor log: %w", err)
		}
		if !moved {
			return nil
		}
	}
}

// noteAt returns the stored checkpoint of a size and the version of its document; version 0: there is none.
func (a *Log) noteAt(ctx context.Context, size int64) (note []byte, version int64, err error) {
	data, version, err := a.o.Shelf.Get(ctx, kindNote, a.id(size))
	if err != nil {
		return nil, 0, fmt.Errorf("read the checkpoint of the anchor log of size %d: %w", size, err)
	}
	var stored storedNote
	if version > 0 && json.Unmarshal(data, &stored) != nil {
		return nil, 0, fault(Damaged, "the checkpoint of the anchor log of size %d", size)
	}
	return stored.Note, version, nil
}

// tell hands a checkpoint to every witness. What one of them answers, or that it does not, changes nothing for the others.
func (a *Log) tell(ctx context.Context, c *Checkpoint) {
	ctx, cancel := context.WithTimeout(ctx, tellTimeout)
	defer cancel()
	var group sync.WaitGroup
	for _, w := range a.o.Witnesses {
		group.Go(func() {
			signatures, err := w.Tell(ctx, c)
			if err == nil && len(signatures) > 0 {
				err = a.keepNote(ctx, c.Size, slices.Concat(c.Note, signatures))
			}
			if a.o.Told != nil {
				a.o.Told(ctx, w.Name(), c.Size, err)
			}
		})
	}
	group.Wait()
}

// tellTimeout is how long a witness may take.
const tellTimeout = 30 * time.Second

// note returns the newest stored checkpoint of the anchor log and its size; size 0: nothing was signed yet.
func (a *Log) note(ctx context.Context) (size int64, note []byte, err error) {
	a.mu.Lock()
	err = a.load(ctx)
	size = a.size
	a.mu.Unlock()
	for ; err == nil && size > 0; size-- { // the last leaves may not be signed
		note, version, err := a.noteAt(ctx, size)
		if err != nil || version > 0 {
			return size, note, err
		}
	}
	return 0, nil, err
}

// errMoved says that another process was first.
var errMoved = errors.New("another process was first")
