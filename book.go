package daybook

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"sync"
	"time"

	"github.com/daybook-audit/daybook/internal/idfilter"
	"github.com/daybook-audit/daybook/internal/merkle"
)

// Book is all logs kept in one Store, in this process. It is safe for concurrent use. One Store may have several Books in several
// processes if its driver says so; SQLite allows one.
type Book struct {
	store   Store
	o       Options
	metrics Metrics
	shards  []*shard
	merger  *merger
	cache   *blockCache
	nodes   *merkle.Cache
	limits  *scanLimits
	signer  *signer  // nil: nothing is signed
	fleet   *fleet   // nil: no other process uses the store
	excerpt *Excerpt // nil: the store is no excerpt

	reapplyMu sync.Mutex
	reapplied []Reapplied // guarded by reapplyMu

	actsMu sync.Mutex
	actsOf map[LogNo]*logActs // guarded by actsMu

	closeOnce sync.Once
	broken    chan struct{}
	brokeOnce sync.Once
	brokeErr  error
}

// Options are those of a Book. The zero value works.
type Options struct {
	Now     func() time.Time // default time.Now; only for received_at and intervals
	Logger  *slog.Logger     // default: discards
	Metrics *Metrics         // default: none

	// CursorKey authenticates cursors; 32 bytes. Default: made at Open, so that cursors end with the Book. Nodes of one instance
	// share one.
	CursorKey []byte

	// Origin is the host part of the origin of every log, such as audit.example.com: what checkpoints are named after, for ever.
	// MasterKey are the 32 secret bytes that every key is derived from, HighWater remembers what was signed. The three go together;
	// without them nothing is signed.
	Origin    string
	MasterKey []byte
	HighWater HighWater
	SignEvery time.Duration // interval in which every changed log is signed, default 5 min

	// Anchors keeps the instance's anchor log, in which every checkpoint that was signed since the last interval is a part; nil: there is
	// none. Witnesses are told each of its checkpoints, in the background.
	Anchors   Documents
	Witnesses []Witness

	// Schemas holds what producers record against the schemas of their actions; nil: nothing is.
	Schemas Schemas

	MaxQueueBytes     int64         // of requests that wait for the sequencer, default 32 MiB; beyond it CodeOverloaded
	CommitTimeout     time.Duration // after which a commit of unknown outcome is answered as such, and who waits behind it CodeOverloaded, default 30 s
	IdempotencyWindow time.Duration // for which an idempotency key is kept, default 7 days, at least 24 h

	TailBytes   int64         // of commits in memory at which the merger cuts, default 48 MiB
	TailEntries int           // the same by entries, default 200,000
	TailAge     time.Duration // the same by age of the oldest, default 1 h

	// Erased is called when the values of an erasure are gone from the store, and before the erasure counts as complete: whoever keeps
	// copies elsewhere, such as exports, removes them now. After an error, and after a crash, it is called again. Nothing is merged
	// while it runs, and it must not record. Nil: nobody keeps copies.
	Erased func(ctx context.Context, e Erasure) error

	// Dropped is called when the logs of an org are closed for good, and before their bytes go: whoever keeps something else of the org,
	// such as its keys and settings, removes it now. After an error, and after a crash, it is called again. Nothing is merged while it runs,
	// and it must not record. Nil: nobody keeps anything.
	Dropped func(ctx context.Context, org OrgID) error

	// LeaseTime is after how long another process takes over what one that died did for all, default 15 s. Only for a [Fleet].
	LeaseTime time.Duration

	SearchTime   time.Duration // what one search may take before it answers with what it has, default 250 ms
	SearchBlocks int           // what one search may decode, default 1,500 blocks
	CacheBytes   int64         // of block metas and filters kept in memory, default 24 MiB; blocks get two thirds of it on top
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now //nolint:forbidigo // the one place where the clock comes from
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = &Metrics{}
	}
	if o.CursorKey == nil {
		o.CursorKey = make([]byte, 32)
		if _, err := rand.Read(o.CursorKey); err != nil {
			panic(err) // crypto/rand.Read never returns an error
		}
	}
	setDefault(&o.SignEvery, 5*time.Minute)
	setDefault(&o.MaxQueueBytes, 32<<20)
	setDefault(&o.CommitTimeout, 30*time.Second)
	setDefault(&o.IdempotencyWindow, 7*24*time.Hour)
	o.IdempotencyWindow = max(o.IdempotencyWindow, 24*time.Hour)
	setDefault(&o.TailBytes, 48<<20)
	setDefault(&o.TailEntries, 200_000)
	setDefault(&o.TailAge, time.Hour)
	setDefault(&o.LeaseTime, 15*time.Second)
	setDefault(&o.SearchTime, 250*time.Millisecond)
	setDefault(&o.SearchBlocks, 1500)
	setDefault(&o.CacheBytes, 24<<20)
	return o
}

func setDefault[T int | int64 | time.Duration](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

// Open reads what was committed and not yet merged, checks it against the stored heads, and starts the sequencers and the merger.
// A log whose head and commits contradict each other is frozen, and the others are served. What was erased, and came back with an older copy of the store, is erased again before Open
// returns: see [Book.Reapplied]. The Book uses store until Close, which
// does not close it.
func Open(ctx context.Context, store Store, o Options) (*Book, error) {
	o = o.withDefaults()
	if len(o.CursorKey) < 32 {
		return nil, &Error{Code: CodeInvalid, Rule: "cursor_key", Message: "Options.CursorKey must have at least 32 bytes"}
	}
	b := &Book{store: store, o: o, metrics: *o.Metrics, broken: make(chan struct{}), actsOf: map[LogNo]*logActs{}}
	b.cache, b.nodes, b.limits = newBlockCache(o.CacheBytes), merkle.NewCache(), newScanLimits()
	b.fleet = newFleet(b)
	var err error
	if x, ok := store.(*Excerpt); ok {
		b.excerpt = x // whose checkpoint is signed
	} else if b.signer, err = newSigner(b); err != nil {
		return nil, err
	}
	for no := range store.Shards() {
		b.shards = append(b.shards, newShard(b, no))
	}
	b.merger = newMerger(b)
	if err := b.load(ctx); err != nil {
		return nil, err
	}
	for _, s := range b.shards {
		go s.run() //nolint:contextcheck // it outlives Open; Close ends it
	}
	if b.fleet != nil {
		b.fleet.start() //nolint:contextcheck // it outlives Open; Close ends it
	}
	b.merger.start() //nolint:contextcheck // it outlives Open; Close ends it
	if b.signer != nil {
		b.signer.start() //nolint:contextcheck // it outlives Open; Close ends it
	}
	if err := b.reapply(ctx, ""); err != nil {
		return nil, errors.Join(err, b.Close()) //nolint:contextcheck // Close ends what outlives Open
	}
	return b, nil
}

// load reads what was committed and not merged.
func (b *Book) load(ctx context.Context) error {
	if b.fleet != nil {
		if err := b.fleet.begin(ctx); err != nil {
			return err
		}
	}
	for _, s := range b.shards {
		if err := s.load(ctx); err != nil {
			return fmt.Errorf("open shard %d: %w", s.no, err)
		}
	}
	return nil
}

func newShard(b *Book, no int) *shard {
	return &shard{
		b: b, no: no, orgs: map[OrgID]*logTail{}, logs: map[LogNo]*logTail{}, gone: map[LogNo]struct{}{}, changed: make(chan struct{}),
		wake: make(chan struct{}, 1), room: make(chan struct{}, 1), done: make(chan struct{}), stop: make(chan struct{}),
		following: make(chan struct{}, 1),
		ids:       idfilter.New(b.now()),
		batch:     batch{index: map[*logTail]int{}, ids: map[explicitID]struct{}{}, hashes: map[KeyRef]struct{}{}},
	}
}

// Close refuses new events, commits those that wait, signs every log that changed since its last checkpoint, and stops the merger,
// leaving what it has not merged to the next Open. It waits until that has ended, and so does a second Close. What could not be signed
// is logged, and signed after the next Open. While the store does not answer, it asks it once or twice more, and refuses who waits.
func (b *Book) Close() error {
	b.closeOnce.Do(func() {
		if b.fleet != nil {
			b.fleet.close()
		}
		for _, s := range b.shards {
			s.close()
		}
		for _, s := range b.shards {
			<-s.done
		}
		b.merger.stop() // while the signer ends
		if b.signer != nil {
			b.signer.close()
		}
		b.merger.close()
	})
	return nil
}

func (s *shard) close() {
	s.qmu.Lock()
	s.closed = true
	s.qmu.Unlock()
	close(s.stop)
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Broken is closed when the store has failed to sync: nothing is recorded any more, and the process must end and start again.
func (b *Book) Broken() <-chan struct{} { return b.broken }

func (b *Book) fail(err error) {
	b.brokeOnce.Do(func() {
		b.brokeErr = err
		b.o.Logger.Error("the store is broken", slog.Any("error", err))
		close(b.broken)
	})
}

func (b *Book) now() int64 { return b.o.Now().UnixMicro() }

func (b *Book) shardOf(org OrgID) *shard { return b.shards[ShardOf(org, len(b.shards))] }

// ShardOf returns the shard of org in a store with so many shards: FNV-1a-64 of org modulo their number.
func ShardOf(org OrgID, shards int) int {
	if shards <= 1 {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(org)) // never fails
	return int(h.Sum64() % uint64(shards))
}

// changed returns a channel that is closed by the next commit of org's shard. Ask for it before looking: what is committed between
// the two is then seen or announced.
func (b *Book) changed(org OrgID) <-chan struct{} {
	s := b.shardOf(org)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.changed
}

// CreateLog makes an empty log for org, durable on return. It is no error if there is one.
func (b *Book) CreateLog(ctx context.Context, org OrgID) error {
	if !org.Valid() {
		return errInvalidOrg(org)
	}
	_, err := b.shardOf(org).open(ctx, org, true)
	return err
}

func errInvalidOrg(org OrgID) error {
	return &Error{
		Code: CodeInvalid, Rule: "invalid_org", Field: "org",
		Message: fmt.Sprintf("%q is no organization id: 1 to 128 characters of A–Z a–z 0–9 . _ : @ -", truncate(string(org), 64)),
	}
}

func truncate(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n]
}

// Settle merges everything that is committed and works off the merger's debt. It is for tests, benchmarks and backups: a running
// Book does the same in the background.
func (b *Book) Settle(ctx context.Context) error { return b.merger.settle(ctx) }
