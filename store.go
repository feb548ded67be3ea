package daybook

import (
	"context"
	"encoding/json"
	"iter"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// LogNo is a store's number of one log (one org, one epoch): 1 … 2²³−1, never reused.
type LogNo int64

// CommitNo is the place of a commit in its shard: 1, 2, 3 … without gaps.
type CommitNo int64

// Store keeps the logs of many orgs as bytes: it compares, appends, lists and swaps, and knows nothing of what the bytes mean.
// Every method may be called concurrently; every slice handed out belongs to the caller, and a slice handed in is not kept after
// the call returns. storetest.Run is the executable form of these comments.
type Store interface {
	Appender
	Reader
	Keeper
	// Shards is fixed when the store is made. The shard of an org is FNV-1a-64(org) mod Shards.
	Shards() int
	// Close waits for running calls; a second Close returns nil.
	Close() error
}

// Appender adds commits.
type Appender interface {
	// Heads returns the folded head of each org's newest epoch, in the order of orgs, from one snapshot. With create a missing
	// log is made, empty and durable on return; without, its Head has Log 0. The head of now is this one plus the tail.
	Heads(ctx context.Context, orgs []OrgID, create bool) ([]Head, error)

	// LogHeads is Heads by log number: what a program needs after a restart, when the tail names logs and not orgs. An unknown
	// number is ErrNotExist.
	LogHeads(ctx context.Context, logs []LogNo) ([]Head, error)

	// Append writes all of c or nothing, in one transaction, as commit c.Prev+1 of its shard, if c.Prev is the shard's last
	// commit and c.At ≥ the shard's Signed; else ErrHeadMoved. A nil error means that c survives power loss and that every later
	// Tail, in every process, sees it. A Commit whose ID the shard's commit c.Prev+1 already carries MUST be answered nil without
	// writing: repeating an Append of unknown outcome is safe. Keys of c that are stored and unexpired (by c.At) make it a
	// *KeyExistsError that names them all; expired ones are replaced. The end of ctx MUST NOT interrupt a COMMIT already sent.
	// ErrNoSpace, ErrBroken and the errors named here mean that this call wrote nothing; after any other error the outcome is
	// unknown, and an ErrBroken that answers the repeat leaves it so until the store is reopened.
	Append(ctx context.Context, c *Commit) error

	// Keys returns those of ks that are stored, in no order, expired ones included as long as they are there.
	Keys(ctx context.Context, ks []KeyRef) ([]Key, error)
}

// Reader reads what was committed and what was merged.
type Reader interface {
	// Logs returns the folded heads of logs with a number > after, by number, at most limit.
	Logs(ctx context.Context, after LogNo, limit int) ([]Head, error)

	// Epochs returns the folded heads of all logs of org, by epoch; none when it has none.
	Epochs(ctx context.Context, org OrgID) ([]Head, error)

	// Tail returns commits of shard with N > after in order, gapless from after+1, at most about maxBytes but at least one if there
	// is one, with the shard's Last, Merged and Signed of the same snapshot. ErrTrimmed: after < Merged and those commits are gone.
	Tail(ctx context.Context, shard int, after CommitNo, maxBytes int) (Tail, error)

	// Blocks yields metas of blocks that hold a seq in [q.From, q.To), by seq, newest first with q.Desc, with filters only if
	// q.Filters; a log that is not there has none. It MUST NOT keep a transaction open for longer than it takes to fetch 256 metas,
	// so a block swapped meanwhile may show the seqs before it again: there is never a gap, but there may be an overlap.
	Blocks(ctx context.Context, q BlockQuery) iter.Seq2[BlockMeta, error]

	// Read returns the bytes of the blocks refs, in their order. ErrNotExist: a ref was swapped out; list again.
	Read(ctx context.Context, log LogNo, refs []BlockRef) ([][]byte, error)

	// Slips yields slips of log with from ≤ key < to, ordered by Kind, A, B.
	Slips(ctx context.Context, log LogNo, from, to SlipKey) iter.Seq2[Slip, error]

	// Notes yields the checkpoints of log with from ≤ Size < to, by Size, largest first with desc; a log that is not there has none.
	// It MUST NOT keep a transaction open while the caller looks at what it got.
	Notes(ctx context.Context, log LogNo, from, to int64, desc bool) iter.Seq2[StoredNote, error]
}

// Keeper turns commits into blocks, keeps checkpoints and begins epochs.
type Keeper interface {
	// Replace applies all swaps in one transaction or none. It fails with ErrSwapped, having written nothing, unless every Out is
	// there with its Gen and every In either covers exactly the seqs of Out or, with Fold, also those from the folded head to
	// Fold.Packed, no In repeats a Gen at its First, and Fold does not move back; ErrNotExist when there is no such log. It is safe
	// to repeat after an unknown outcome: the second call is ErrSwapped. After nil the swaps are visible to every later call, but a loss
	// of power may undo them, and every Replace and Trim after them, until a later Append has returned: nothing is lost by that, since
	// the commits are then there too.
	Replace(ctx context.Context, swaps []Swap) error

	// Trim sets the shard's Merged to through, at most its Last, and drops commits ≤ through, and idempotency keys with Expires ≤
	// now (hours since 1970). A smaller or equal through only drops what an earlier call left behind. It MUST NOT survive a loss of
	// power that a Replace before it does not.
	Trim(ctx context.Context, shard int, through CommitNo, now int64) error

	// PutNote keeps a checkpoint of log for ever, durable on return, and raises the Signed of the log's shard to n.At if it is lower:
	// no later commit of any process gets a received_at before it. ErrExists when there is a checkpoint of that Size: it stays as it is,
	// and Signed is raised even then. ErrNotExist when there is no such log.
	PutNote(ctx context.Context, log LogNo, n StoredNote) error

	// NewEpoch freezes log and makes its org's next log, empty, with a log id of its own, in one transaction, durable on return, and
	// returns the new head. When log is not the org's newest it writes nothing and returns the head of the epoch after it, so that it is
	// safe to repeat. ErrNotExist when there is no such log.
	NewEpoch(ctx context.Context, log LogNo) (Head, error)

	// DropKeys removes the idempotency keys of log for whose entries, n from seq first, covers returns true. covers may be called
	// concurrently with other methods but not with itself. It is as durable as a Replace, and keys added meanwhile may stay.
	DropKeys(ctx context.Context, log LogNo, covers func(first int64, n int) bool) error

	// CloseLogs makes every log of org LogClosed, in one transaction, durable on return. Nothing opens them again: Heads returns the newest
	// of them, with create too, until they are dropped, and then the org has none. An org without a log is no error.
	CloseLogs(ctx context.Context, org OrgID) error

	// DropLog removes a part of a LogClosed log: its blocks, slips, checkpoints and idempotency keys, and with the last part its head.
	// gone says that nothing is left, and that there is no log of this number. Each call is one transaction, as durable as a Replace, and
	// small enough for commits to wait for. A log that is not closed is an error, and nothing is removed.
	DropLog(ctx context.Context, log LogNo) (gone bool, err error)
}

// StoredNote is a checkpoint as it is kept beside its log.
type StoredNote struct {
	Size int64
	At   int64  // when it was signed, µs since 1970
	Note []byte // the signed note, opaque to a driver
}

// Fleet is implemented by a [Store] that several processes may use at once. Their Books follow each other through it.
type Fleet interface {
	// AppendNext is an Append that nobody overtakes. It waits until no other process appends to the shard, first come first served, calls
	// build, in this goroutine, with a Tail of what is newer than after, and appends what build returns, whose Prev is the Last of that Tail.
	// Others wait meanwhile, but for a build that takes no more than half a second: then they go on, nothing is written, and the answer is
	// ErrHeadMoved. build may read from the store and MUST NOT write to it. When Rows do not reach Last, the rest is too much to read while
	// others wait. When build returns an error, or no commit, nothing is written and that error is returned. Other errors are those of Append,
	// and so is what a repeat by Append does; of an error before build was called nothing was written.
	AppendNext(ctx context.Context, shard int, after CommitNo, build func(newer Tail) (*Commit, error)) error

	// Watch returns where every shard stands, by shard, from one snapshot, as soon as one of them differs from seen; nil differs. It may
	// answer late by no more than 250 ms, and what it returns is never behind what another process was told by an Append or a Replace
	// before the call.
	Watch(ctx context.Context, seen []Place) ([]Place, error)

	// Moved returns the folded heads of the shard's logs that a Replace, NewEpoch, CloseLogs or DropLog has changed since mark, a Moved of
	// an earlier Place, and the mark of the same snapshot; of a log that is gone, a head with no Org. A mark of 0 names every log.
	Moved(ctx context.Context, shard int, since int64) (heads []Head, now int64, err error)

	// Lease takes name for holder, or renews it, for ttl by the store's clock: nobody's own clock counts. ErrLeaseHeld while another holder's
	// has not ended. A ttl of 0 gives it back, and is no error when it is not held. A lease makes work cheap, never right: whoever slept past
	// its end is stopped by what it compares (Replace, Put, Advance), so nothing asks for a token.
	Lease(ctx context.Context, name, holder string, ttl time.Duration) error
}

// Place is where one shard stands.
type Place struct {
	Last  CommitNo
	Moved int64 // grows with every Replace, NewEpoch, CloseLogs and DropLog of a log of the shard
}

// Scrubber is implemented by a [Store] whose files may hold what was replaced and dropped for a while longer.
type Scrubber interface {
	// Scrub returns when everything that was replaced, trimmed or dropped before the call is overwritten in the store's files, as far as
	// the store rules over them, and every Replace before the call is durable. Copies elsewhere, such as backups, stay.
	Scrub(ctx context.Context) error
}

// LogState says whether a log takes entries.
type LogState int

// The states of a log.
const (
	LogOpen   LogState = iota
	LogFrozen          // reads go on, nothing is appended
	LogClosed          // may be dropped
)

// Head is a log's head at the point where its blocks end.
type Head struct {
	Log          LogNo
	Org          OrgID
	Epoch        int // from 0
	State        LogState
	LogID        [10]byte    // the log id in the origin; each epoch has its own
	Packed       int64       // seqs below Packed are in blocks
	LastReceived int64       // received_at of entry Packed−1, µs; 0 when empty
	IDAhead      int64       // the latest time in an event id below Packed that lay well after its received_at, µs; 0: none did
	Frontier     []tlog.Hash // compact range of [0, Packed), largest subtree first

	// Turn counts the swaps that were ever applied to the log, from 1: see Swap. In a store of one process it is 0.
	Turn int64
}

// Commit is one packed row for all logs of a shard.
type Commit struct {
	ID      [16]byte // random, also in Bytes
	Shard   int
	Prev    CommitNo // the compare
	At      int64    // the smallest received_at in c, µs
	Entries int      // number of entries; may be 0 when only keys are added
	Raw     int      // bytes of their bodies
	Bytes   []byte   // the packed row, opaque to a driver but for the id at offset 8
	Keys    []Key

	// States is the States of the Tail that the committer has seen. A store for several processes answers ErrHeadMoved when NewEpoch or
	// CloseLogs has changed it since: c may hold entries for a log that takes none any more. Others need not look.
	States int64
}

// Tail is a run of commits of one shard.
type Tail struct {
	Rows         []TailRow
	Last, Merged CommitNo
	Signed       int64
	States       int64 // how often NewEpoch and CloseLogs changed a log of the shard; 0 in a store of one process
}

// TailRow is one commit as it is stored.
type TailRow struct {
	N     CommitNo
	Bytes []byte
}

// KeyRef names an idempotency key.
type KeyRef struct {
	Log  LogNo
	Hash [16]byte
}

// Key is an idempotency key and the entries it stands for: N entries from seq First.
type Key struct {
	KeyRef
	First   int64
	N       int
	Expires int64 // hours since 1970
}

// BlockRef names one version of a block.
type BlockRef struct {
	First int64 // seq of its first entry
	Gen   int32
}

// BlockMeta says what a block holds.
type BlockMeta struct {
	BlockRef
	N, Live, Raw int    // seqs covered, entries not removed by retention, bytes of bodies
	State        byte   // 0 piece, 1 whole; +32 holds control entries; +64 holds entries that are not whole
	Received     Span   // min and max of received_at, µs
	Occurred     Span   // of occurred_at, for entries at most a day off their received_at; Min > Max: none
	Late         Span   // of occurred_at, for the others
	Roots        []byte // 32-byte subtree roots of each aligned 256 entries wholly in the block
	Facets       []byte
	Filter       []byte
}

// Span is a closed interval of times in µs since 1970; empty when Min > Max.
type Span struct{ Min, Max int64 }

// Block is a block with its bytes.
type Block struct {
	BlockMeta
	Bytes []byte
}

// BlockQuery selects blocks of one log.
type BlockQuery struct {
	Log           LogNo
	From, To      int64
	Desc, Filters bool
}

// SlipKey names a slip, a small derived value beside a log. Kind has 4 bits, A 12 and B 24.
type SlipKey struct {
	Kind uint8
	A    uint16
	B    uint32
}

// Slip is a slip with its bytes.
type Slip struct {
	SlipKey
	Bytes []byte
}

// Swap replaces blocks of one log by others.
type Swap struct {
	Log   LogNo
	Out   []BlockRef
	In    []Block // a Gen already used at a First must grow
	Slips []Slip  // put, replacing the same key
	Fold  *Head   // the new folded head; nil leaves it. Its Turn is not looked at

	// Turn is that of the head from which the swap was planned. A store for several processes raises the log's by one for every swap of a
	// Replace, also for one that changes nothing else, and answers ErrSwapped, having written nothing, when this one is set and another
	// than the log's just before: so what was read since that head is still as it was. 0: it is not compared. Others need not look.
	Turn int64
}

// Documents keeps small JSON records beside the log, durable on return. The empty org holds what is the instance's.
type Documents interface {
	// Get returns one document, or ErrNotExist.
	Get(ctx context.Context, kind string, org OrgID, id string) (Document, error)
	// List returns at most limit documents by id, bytewise, with id > after.
	List(ctx context.Context, kind string, org OrgID, after string, limit int) ([]Document, error)
	// Put stores d if d.Version is the stored version (0: there must be none) and returns the new version; else ErrVersionMoved.
	Put(ctx context.Context, d Document) (version int64, err error)
	// Delete removes a document if version is the stored one: ErrVersionMoved, ErrNotExist.
	Delete(ctx context.Context, kind string, org OrgID, id string, version int64) error
	// DeleteOrg removes every document of org, of whatever kind and version; a crash may leave some. What others put meanwhile may stay.
	// The empty org is refused.
	DeleteOrg(ctx context.Context, org OrgID) error
}

// Document is one record of [Documents].
type Document struct {
	Kind    string
	Org     OrgID
	ID      string
	Version int64
	Data    json.RawMessage // at most MaxDocument bytes
}

// MaxDocument is the largest size of a document's Data.
const MaxDocument = 1 << 20

// Backuper is implemented by a [Store] that can copy itself while it is in use.
type Backuper interface {
	// Backup writes a copy of the whole store, as it stands at one moment before Backup returns, to the file dst, which must not
	// exist. The file appears under its name only when it is complete and durable. Commits go on meanwhile.
	Backup(ctx context.Context, dst string) (BackupStat, error)
}

// BackupStat says what a backup holds.
type BackupStat struct {
	Bytes   int64    // size of the copy
	Through CommitNo // the last commit in it
}
