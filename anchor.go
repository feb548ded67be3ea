package daybook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// The anchor log is one RFC 6962 log of the instance over the checkpoints of all others (docs/reference/integrity.md, section 7). Who
// holds one of its checkpoints holds them all; it tells nobody whose they are.

// AnchorCheckpoint is a checkpoint of the anchor log.
type AnchorCheckpoint struct {
	Origin string
	Size   int64
	Root   tlog.Hash
	Note   []byte // the signed note
	// Consistency proves that the first old leaves, at least one, are the beginning of this tree.
	Consistency func(ctx context.Context, old int64) ([]tlog.Hash, error)
}

// Witness is a place for checkpoints of the anchor log that the instance cannot change afterwards: a C2SP witness, a timestamp, a file
// on another machine.
type Witness interface {
	// Name says which it is, in logs.
	Name() string
	// Tell hands over a checkpoint and returns signature lines to be added to its note, each ended by a line break, or none. It MAY be
	// told the same checkpoint twice, and MUST be told sizes that do not fall; after an error it is told the next checkpoint, not this
	// one again. It is called by one goroutine at a time and MUST end with ctx.
	Tell(ctx context.Context, c *AnchorCheckpoint) (signatures []byte, err error)
}

// Kinds of documents of the anchor log, under the empty org. Ids are sizes and indexes, 16 digits.
const (
	kindAnchor     = "anchor"      // a leaf with its batch; never changed
	kindAnchorNote = "anchor_note" // a checkpoint by its size; signatures are added
	kindAnchorLog  = "anchor_log"  // which anchor log it is, under the id "newest"
)

// anchorDocument is one leaf of the anchor log.
type anchorDocument struct {
	Leaf   []byte      `json:"leaf"`   // 65 bytes
	Hashes []tlog.Hash `json:"hashes"` // of the perfect subtrees that end with it, the leaf's first
	Batch  []byte      `json:"batch"`  // 72 bytes for each log
}

type anchorNote struct {
	Note []byte `json:"note"`
}

// anchorLog is the anchor log of an instance.
type anchorLog struct {
	b    *Book
	docs Documents

	mu     sync.Mutex // held while it grows
	loaded bool
	// loadedAt is when load looked, by the monotonic clock.
	loadedAt time.Time
	number   int // 0, and one more for each that began after a rollback
	origin   string
	key      *signingKey
	size     int64 // leaves
	last     int64 // time of the last leaf, µs
	mark     Mark  // found to be a head of this log
	telling  sync.WaitGroup
	busy     atomic.Bool // the witnesses are being told
}

func newAnchorLog(b *Book) *anchorLog {
	if b.o.Anchors == nil {
		return nil
	}
	return &anchorLog{b: b, docs: b.o.Anchors}
}

// name sets which anchor log it is.
func (a *anchorLog) name(number int) (err error) {
	if a.key != nil && a.number == number { // witnesses may be reading it
		return nil
	}
	a.number, a.origin = number, anchorOrigin(a.b.o.Origin, number)
	a.key, err = newSigningKey(a.b.o.MasterKey, typeEd25519, a.origin, 1)
	return err
}

func anchorOrigin(host string, number int) string {
	if number == 0 {
		return host + "/anchor"
	}
	return fmt.Sprintf("%s/anchor/%d", host, number)
}

// id returns the id of a document of this anchor log.
func (a *anchorLog) id(n int64) string {
	if a.number == 0 {
		return fmt.Sprintf("%016d", n)
	}
	return fmt.Sprintf("%d/%016d", a.number, n)
}

// leafAt reads a leaf. ErrNotExist: the log ends before it.
func (a *anchorLog) leafAt(ctx context.Context, n int64) (anchorDocument, error) {
	var leaf anchorDocument
	d, err := a.docs.Get(ctx, kindAnchor, "", a.id(n))
	if err != nil {
		return leaf, fmt.Errorf("read leaf %d of the anchor log: %w", n, err)
	}
	if err := json.Unmarshal(d.Data, &leaf); err != nil || len(leaf.Leaf) != anchorLeafSize || len(leaf.Hashes) == 0 || len(leaf.Batch)%BatchEntrySize != 0 {
		return leaf, damaged("leaf %d of the anchor log", n)
	}
	return leaf, nil
}

// anchorFresh is for how long what was read of the end of the log counts while other processes may append to it.
const anchorFresh = time.Second

// anchorSlack is by how much the time of a leaf may be ahead of what it anchors, beside the interval: it is in whole seconds, by any clock.
const anchorSlack = 10 * time.Second

// load finds the end of the log: leaves have no gaps. What is known of it is read on while other processes may have appended.
func (a *anchorLog) load(ctx context.Context) error {
	if a.loaded && (a.b.fleet == nil || monotonic().Sub(a.loadedAt) < anchorFresh) {
		return nil
	}
	at, number := monotonic(), a.number
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
		leaf, err := a.leafAt(ctx, size-1)
		if err != nil {
			return err
		}
		a.size, a.last = size, anchorTime(leaf.Leaf)
	}
	a.loaded, a.loadedAt = true, at
	return nil
}

// end returns the number of leaves, of which there are at least from.
func (a *anchorLog) end(ctx context.Context, from int64) (int64, error) {
	there := func(n int64) (bool, error) {
		_, err := a.docs.Get(ctx, kindAnchor, "", a.id(n))
		if errors.Is(err, ErrNotExist) {
			return false, nil
		}
		return err == nil, err
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
func (a *anchorLog) newest(ctx context.Context) (number int, version int64, err error) {
	d, err := a.docs.Get(ctx, kindAnchorLog, "", "newest")
	if errors.Is(err, ErrNotExist) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, fmt.Errorf("read which anchor log it is: %w", err)
	}
	if err := json.Unmarshal(d.Data, &number); err != nil {
		return 0, 0, damaged("which anchor log it is")
	}
	return number, d.Version, nil
}

// vkey returns the key of the anchor log; empty when it cannot be read.
func (a *anchorLog) vkey(ctx context.Context) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.load(ctx); err != nil {
		return "", err
	}
	return a.key.vkey(), nil
}

// whole returns an error unless the log has the head that was signed last.
func (a *anchorLog) whole(ctx context.Context) error {
	m, marked, err := a.b.o.HighWater.Mark(ctx, a.origin)
	if err != nil {
		return fmt.Errorf("read the high-water mark of the anchor log: %w", err)
	}
	if !marked || m == a.mark {
		return nil
	}
	if m.Size > a.size && a.b.fleet != nil { // another process signed what it has appended
		a.loadedAt = time.Time{}
		if err := a.load(ctx); err != nil {
			return err
		}
	}
	return a.extends(ctx, m)
}

// renew begins the next anchor log if this one is not what was signed of it.
func (a *anchorLog) renew(ctx context.Context) (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.load(ctx); err != nil {
		return false, err
	}
	err := a.whole(ctx)
	if !isRule(err, "anchor_rollback") {
		return false, err
	}
	_, version, err := a.newest(ctx)
	if err != nil {
		return false, err
	}
	for number := a.number + 1; ; number++ { // one that was never signed: the document may be an older copy too
		if _, marked, err := a.b.o.HighWater.Mark(ctx, anchorOrigin(a.b.o.Origin, number)); err != nil || marked {
			if err != nil {
				return false, fmt.Errorf("read the high-water mark of the anchor log: %w", err)
			}
			continue
		}
		_, err := a.docs.Put(ctx, Document{Kind: kindAnchorLog, ID: "newest", Version: version, Data: fmt.Append(nil, number)})
		if err != nil {
			return false, fmt.Errorf("begin the next anchor log: %w", err)
		}
		a.loaded, a.mark = false, Mark{}
		return true, nil
	}
}

// since reports whether something that was signed at a time came after the last leaf. What cannot be known did.
func (a *anchorLog) since(ctx context.Context, at int64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.load(ctx) != nil || at > a.last
}

// hashes reads stored hashes for x/mod: the subtree of a level that a leaf ends is with that leaf.
func (a *anchorLog) hashes(ctx context.Context) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hs := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			level, n := tlog.SplitStoredHashIndex(index)
			leaf, err := a.leafAt(ctx, (n+1)<<level-1)
			if err != nil {
				return nil, err
			}
			if level >= len(leaf.Hashes) {
				return nil, damaged("leaf %d of the anchor log has no hash of level %d", (n+1)<<level-1, level)
			}
			hs[i] = leaf.Hashes[level]
		}
		return hs, nil
	})
}

// append adds a leaf for each batch, signs the log, and has the witnesses told. What a crash leaves behind: after a leaf was stored, a
// leaf that no checkpoint covers; the next signing covers it.
func (a *anchorLog) append(ctx context.Context, heads []anchoredHead) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.loadedAt = time.Time{} // another process may have appended
	if err := a.load(ctx); err != nil {
		return err
	}
	if err := a.whole(ctx); err != nil {
		return err
	}
	if a.b.fleet != nil { // what this process signed while another one anchored
		before := a.last - (2*a.b.o.SignEvery + anchorSlack).Microseconds()
		heads = slices.DeleteFunc(heads, func(h anchoredHead) bool { return h.at < before })
	}
	slices.SortFunc(heads, compareTags)
	for batch := range slices.Chunk(heads, maxBatch) {
		if err := a.appendBatch(ctx, batch); err != nil {
			return err
		}
	}
	return a.sign(ctx)
}

func (a *anchorLog) appendBatch(ctx context.Context, batch []anchoredHead) error {
	at := max(a.b.now(), a.last+1)
	for i := range batch {
		at = max(at, wholeSeconds(batch[i].at)*1_000_000)
	}
	doc := anchorDocument{Batch: make([]byte, 0, len(batch)*BatchEntrySize)}
	for i := range batch {
		doc.Batch = batch[i].append(doc.Batch)
	}
	root, err := batchRoot(doc.Batch)
	if err != nil {
		return err
	}
	doc.Leaf = appendAnchorLeaf(nil, a.size, at, len(batch), root, a.last)
	if doc.Hashes, err = tlog.StoredHashes(a.size, doc.Leaf, a.hashes(ctx)); err != nil {
		return fmt.Errorf("hash leaf %d of the anchor log: %w", a.size, err)
	}
	data, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("encode leaf %d of the anchor log: %w", a.size, err)
	}
	if _, err := a.docs.Put(ctx, Document{Kind: kindAnchor, ID: a.id(a.size), Data: data}); err != nil {
		a.loaded = false // another node may have come first, or the outcome is not known
		return fmt.Errorf("store leaf %d of the anchor log: %w", a.size, err)
	}
	a.size, a.last = a.size+1, at
	return nil
}

// sign signs the log as it is. The steps are those of a log.
func (a *anchorLog) sign(ctx context.Context) error {
	root, err := tlog.TreeHash(a.size, a.hashes(ctx))
	if err != nil {
		return fmt.Errorf("compute the root of the anchor log: %w", err)
	}
	old, marked, err := a.b.o.HighWater.Mark(ctx, a.origin)
	if err != nil {
		return fmt.Errorf("read the high-water mark of the anchor log: %w", err)
	}
	if old.Size > a.size && a.b.fleet != nil {
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
	if err := a.b.o.HighWater.Advance(ctx, a.origin, old, next); err != nil {
		return fmt.Errorf("raise the high-water mark of the anchor log: %w", err)
	}
	a.mark = next
	c := &AnchorCheckpoint{Origin: a.origin, Size: a.size, Root: root, Consistency: func(ctx context.Context, size int64) ([]tlog.Hash, error) {
		return tlog.ProveTree(next.Size, size, a.hashes(ctx))
	}}
	if c.Note, err = signNote(checkpointText(a.origin, a.size, root), []*signingKey{a.key}, nil, 0); err != nil {
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
func (a *anchorLog) extends(ctx context.Context, m Mark) error {
	if m.Size <= a.size {
		root, err := tlog.TreeHash(m.Size, a.hashes(ctx))
		if err != nil {
			return fmt.Errorf("compute the root of the anchor log at size %d: %w", m.Size, err)
		}
		if root == m.Root {
			return nil
		}
	}
	return &Error{
		Code: CodeTampered, Rule: "anchor_rollback",
		Message: fmt.Sprintf("the anchor log has %d leaves and is not what was signed of it at size %d: nothing is anchored", a.size, m.Size),
	}
}

// keepNote stores a checkpoint of the anchor log, or adds the signatures that the stored one lacks.
func (a *anchorLog) keepNote(ctx context.Context, size int64, note []byte) error {
	for {
		d, err := a.docs.Get(ctx, kindAnchorNote, "", a.id(size))
		if err != nil && !errors.Is(err, ErrNotExist) {
			return fmt.Errorf("read the checkpoint of the anchor log: %w", err)
		}
		if err == nil {
			var old anchorNote
			if err := json.Unmarshal(d.Data, &old); err != nil {
				return damaged("the checkpoint of the anchor log of size %d", size)
			}
			note = addSignatures(old.Note, note)
		} else {
			d = Document{Kind: kindAnchorNote, ID: a.id(size)}
		}
		if d.Data, err = json.Marshal(anchorNote{note}); err != nil {
			return fmt.Errorf("encode the checkpoint of the anchor log: %w", err)
		}
		_, err = a.docs.Put(ctx, d)
		if !errors.Is(err, ErrVersionMoved) {
			if err != nil {
				err = fmt.Errorf("store the checkpoint of the anchor log: %w", err)
			}
			return err
		}
	}
}

// tell hands a checkpoint to every witness. What one of them answers, or that it does not, changes nothing for the others.
func (a *anchorLog) tell(ctx context.Context, c *AnchorCheckpoint) {
	ctx, cancel := context.WithTimeout(ctx, tellTimeout)
	defer cancel()
	var group sync.WaitGroup
	for _, w := range a.b.o.Witnesses {
		group.Go(func() {
			signatures, err := w.Tell(ctx, c)
			if err == nil && len(signatures) > 0 {
				err = a.keepNote(ctx, c.Size, slices.Concat(c.Note, signatures))
			}
			if err != nil {
				a.b.o.Logger.ErrorContext(ctx, "tell a witness", slog.String("witness", w.Name()), slog.Int64("size", c.Size), slog.Any("error", err))
			}
			if a.b.metrics.Witness != nil {
				a.b.metrics.Witness(w.Name(), err)
			}
		})
	}
	group.Wait()
}

// tellTimeout is how long a witness may take.
const tellTimeout = 30 * time.Second

// note returns the newest stored checkpoint of the anchor log and its size.
func (a *anchorLog) note(ctx context.Context) (size int64, note []byte, err error) {
	a.mu.Lock()
	err = a.load(ctx)
	size = a.size
	a.mu.Unlock()
	for ; err == nil && size > 0; size-- { // the last leaves may not be signed
		d, getErr := a.docs.Get(ctx, kindAnchorNote, "", a.id(size))
		if errors.Is(getErr, ErrNotExist) {
			continue
		}
		var stored anchorNote
		if getErr == nil && json.Unmarshal(d.Data, &stored) != nil {
			getErr = damaged("the checkpoint of the anchor log of size %d", size)
		}
		return size, stored.Note, getErr
	}
	if err == nil {
		err = fmt.Errorf("checkpoint of the anchor log: %w", ErrNotExist)
	}
	return 0, nil, err
}
