package apptest

import (
	"bytes"
	"context"
	cryptorand "crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/pgtest"
	"github.com/daybook-audit/daybook/internal/typeid"
	"github.com/daybook-audit/daybook/postgres"
	"github.com/daybook-audit/daybook/sqlite"
	"github.com/daybook-audit/daybook/storetest"
)

// sized are the random numbers of a process: for every length asked for a stream of its own, so that who draws more often than on another
// store, such as a commit that is sequenced again, takes nothing from the others.
type sized struct {
	mu      sync.Mutex
	seed    uint64
	streams map[int]*rand.ChaCha8
}

func (s *sized) Read(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.streams[len(b)] == nil {
		var seed [32]byte
		binary.BigEndian.PutUint64(seed[:], s.seed)
		binary.BigEndian.PutUint64(seed[8:], uint64(len(b)))
		s.streams[len(b)] = rand.NewChaCha8(seed)
	}
	return s.streams[len(b)].Read(b)
}

func (s *sized) begin(seed uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seed, s.streams = seed, map[int]*rand.ChaCha8{}
}

// backend is a kind of store. open opens the same one again.
type backend struct {
	name string
	open func(t *testing.T) daybook.Store
}

func backends(t *testing.T) []backend {
	t.Helper()
	memory := storetest.Memory()
	path := filepath.Join(t.TempDir(), "daybook.db")
	all := []backend{
		{"memory", func(*testing.T) daybook.Store { return memory.Reopen() }},
		{"sqlite", func(t *testing.T) daybook.Store {
			t.Helper()
			s, err := sqlite.Open(path, sqlite.Options{})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}},
	}
	for _, shards := range []int{1, 8} {
		url := pgtest.Shared(t).New(t)
		all = append(all, backend{fmt.Sprintf("postgres, shards %d", shards), func(t *testing.T) daybook.Store {
			t.Helper()
			s, err := postgres.Open(t.Context(), url, postgres.Options{Shards: shards})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}})
	}
	return all
}

// TestCrossBackend does the same to every kind of store, with the same clock and the same random numbers: entries are recorded, repeated
// and merged, erased, held and pruned, keys are rotated, epochs begun, checkpoints signed. What each act answers, and in the end every
// entry, root, tile, checkpoint, proof and bundle, must be the same to the byte. It runs alone: the random numbers are the process's.
func TestCrossBackend(t *testing.T) { //nolint:paralleltest // see above
	events := 2000
	if os.Getenv("DAYBOOK_TEST_SIZE") == "nightly" {
		events = 8_000
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	numbers, before := &sized{}, cryptorand.Reader
	cryptorand.Reader = numbers
	defer func() { cryptorand.Reader = before }()
	var want *journey
	for _, kind := range backends(t) {
		j := &journey{t: t, backend: kind, seed: seed, sized: numbers, marks: storetest.Marks(), owned: map[daybook.OrgID]*owned{}}
		j.clock.Store(time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC).UnixMicro())
		j.travel(events)
		if want == nil {
			want = j
			if missing := j.missing(); missing != nil {
				t.Errorf("never done: %v: the test tests less than it says", missing)
			}
			continue
		}
		for i := range min(len(want.said), len(j.said)) {
			if want.said[i] != j.said[i] {
				t.Errorf("%s differs from memory at line %d:\n%s", kind.name, i, cmp.Diff(strings.Split(want.said[i], "\n"), strings.Split(j.said[i], "\n")))
				break
			}
		}
		if len(want.said) != len(j.said) {
			t.Errorf("%s has %d lines, memory %d", kind.name, len(j.said), len(want.said))
		}
	}
	t.Logf("%d events, %d answers compared", want.recorded, len(want.said))
}

// journey is one store's way through the acts.
type journey struct {
	t        *testing.T
	backend  backend
	seed     uint64
	sized    *sized
	clock    atomic.Int64
	marks    *storetest.MemoryMarks
	owned    map[daybook.OrgID]*owned
	store    daybook.Store
	book     *daybook.Book
	random   *rand.Rand
	recorded int
	done     map[string]int // acts that were not refused
	said     []string
}

// owned is what a journey knows of an org.
type owned struct {
	requests []daybook.Request
	holds    []string
}

// frontMarks let nobody sign but who calls with the context of a journey: the background signs when it comes to it.
type frontMarks struct{ *storetest.MemoryMarks }

type inFront struct{}

func (m frontMarks) Advance(ctx context.Context, origin string, old, next daybook.Mark) error {
	if ctx.Value(inFront{}) == nil {
		return errors.New("not now")
	}
	return m.MemoryMarks.Advance(ctx, origin, old, next)
}

func (j *journey) ctx() context.Context { return context.WithValue(j.t.Context(), inFront{}, true) }

var (
	journeyOrgs = []daybook.OrgID{"org_a", "org_b", "org_c"}
	journeyBy   = daybook.Party{Type: "user", ID: "officer"}
)

// journeyActs by how often they are done.
var journeyActs = map[string]int{
	"record": 30, "repeat": 3, "merge": 4, "sign": 4, "erase": 3, "hold": 2, "release": 3, "prune": 4, "rotate": 1, "epoch": 1, "open": 2,
}

func (j *journey) travel(events int) {
	var names []string
	for name, n := range journeyActs {
		names = append(names, slices.Repeat([]string{name}, n)...)
	}
	slices.Sort(names)
	j.done = map[string]int{}
	j.random = rand.New(rand.NewPCG(j.seed, 0))
	j.sized.begin(j.seed)
	j.open()
	for step := uint64(1); j.recorded < events; step++ {
		// What an act draws does not depend on how much was drawn before it.
		j.sized.begin(j.seed + step)
		j.random = rand.New(rand.NewPCG(j.seed, step))
		name := names[j.random.IntN(len(names))]
		by := time.Minute * time.Duration(1+j.random.IntN(120))
		if j.random.IntN(60) == 0 {
			by += 31 * 24 * time.Hour // so that keys retire
		}
		j.pass(by)
		j.act(step, name, journeyOrgs[j.random.IntN(len(journeyOrgs))])
	}
	j.see()
	j.close()
}

// pass lets time pass, at once, and keys retire whose time has come. A key is retired by whoever comes to sign first, here or in the
// background, which is told to sign with every control entry and may come to it steps later. So who is about to retire keys is asked
// before, and its checkpoint is signed here whoever retires them.
func (j *journey) pass(by time.Duration) {
	retiring := j.retiring()
	j.clock.Add(by.Microseconds())
	for _, org := range retiring {
		_, err := j.book.Checkpoint(j.ctx(), org)
		j.must(err)
	}
}

// retiring returns the orgs whose logs have a key that will retire: one at most, so that no two draw random numbers at once.
func (j *journey) retiring() (orgs []daybook.OrgID) {
	for _, org := range slices.Sorted(maps.Keys(j.owned)) {
		info, err := j.book.LogInfo(j.ctx(), org)
		j.must(err)
		if slices.ContainsFunc(info.Keys, func(k daybook.Vkey) bool { return k.State == daybook.KeyRetiring }) {
			orgs = append(orgs, org)
		}
	}
	return orgs
}

func (j *journey) must(err error) {
	j.t.Helper()
	if err != nil {
		j.t.Fatalf("%s: %v", j.backend.name, err)
	}
}

func (j *journey) say(format string, args ...any) {
	j.said = append(j.said, fmt.Sprintf(format, args...))
}

func (j *journey) open() {
	j.store = j.backend.open(j.t)
	var err error
	j.book, err = daybook.Open(j.t.Context(), j.store, daybook.Options{
		Now: func() time.Time { return time.UnixMicro(j.clock.Load()) }, CursorKey: make([]byte, 32),
		Origin: "audit.example.com", MasterKey: bytes.Repeat([]byte{7}, 32), HighWater: frontMarks{j.marks}, SignEvery: 24 * time.Hour,
		TailBytes: 1 << 40, TailEntries: 1 << 40, TailAge: 1 << 60, // it merges when it is told to
	})
	j.must(err)
}

func (j *journey) close() { j.must(errors.Join(j.book.Close(), j.store.Close())) }

// act does one thing and says what was answered.
func (j *journey) act(step uint64, name string, org daybook.OrgID) {
	o := j.owned[org]
	if o == nil {
		o = &owned{}
		j.owned[org] = o
		name = "record"
	}
	switch {
	case name == "epoch" && j.done["epoch"] == 2:
		name = "record" // so that logs grow
	case name == "rotate" && slices.ContainsFunc(j.retiring(), func(other daybook.OrgID) bool { return other != org }):
		name = "record"
	}
	var answer any
	var err error
	switch ctx := j.ctx(); name {
	case "record":
		r := j.request(step)
		o.requests = append(o.requests, r)
		answer, err = j.book.RecordJSON(ctx, org, r)
	case "repeat":
		answer, err = j.book.RecordJSON(ctx, org, o.requests[j.random.IntN(len(o.requests))])
	case "merge":
	case "sign":
		answer, err = j.book.Checkpoint(ctx, org)
	case "rotate":
		answer, err = j.book.RotateKey(ctx, org, journeyBy)
	case "epoch":
		answer, err = j.book.NewEpoch(ctx, daybook.EpochRequest{Org: org, Cause: daybook.CauseOther, By: journeyBy})
		o.holds = nil
	case "open":
		j.close()
		j.open()
	default:
		answer, err = j.remove(ctx, name, org, o)
	}
	if err != nil && daybook.CodeOf(err) == daybook.CodeInternal {
		j.t.Fatalf("%s, act %d, %s: %v", j.backend.name, step, name, err)
	}
	if err == nil {
		j.done[name]++
	}
	if name != "record" && name != "repeat" && name != "sign" {
		j.must(j.book.Settle(j.ctx())) // what was asked for is carried out before the next act
	}
	text, err2 := json.Marshal(answer)
	j.must(err2)
	j.say("act %d, %s of %s: %s, %v", step, name, org, text, err)
}

// id returns a new id of the journey's own clock and random numbers: a UUIDv7 (RFC 9562 §5.7).
func (j *journey) id(prefix string) string {
	var id [16]byte
	binary.BigEndian.PutUint64(id[:], uint64(j.clock.Load()/1000)<<16|0x7000|uint64(j.random.IntN(1<<12)))
	binary.BigEndian.PutUint64(id[8:], 1<<63|j.random.Uint64()>>2)
	return string(typeid.Append(nil, prefix, id))
}

// remove does what removes, or keeps from it.
func (j *journey) remove(ctx context.Context, name string, org daybook.OrgID, o *owned) (any, error) {
	some := []string{"action:invoice.paid", "actor.id:3", "target:invoice:4", "outcome:failure", "seq:<300"}[j.random.IntN(5)]
	switch name {
	case "erase":
		r := daybook.EraseRequest{Org: org, ID: j.id("ers"), Text: some + " -is:control", Reason: "r", By: journeyBy, Whole: j.random.IntN(2) == 0}
		if !r.Whole {
			r.Paths = []string{[]string{"/reason", "/outcome", "/actor/id", "/action"}[j.random.IntN(4)]}
		}
		return j.book.Erase(ctx, r)
	case "hold":
		h, err := j.book.PlaceHold(ctx, daybook.HoldRequest{Org: org, ID: j.id("hold"), Text: some, Reason: "r", By: journeyBy})
		if err == nil {
			o.holds = append(o.holds, h.ID)
		}
		return h, err
	case "release":
		if len(o.holds) == 0 {
			return nil, nil
		}
		id := o.holds[0]
		o.holds = o.holds[1:]
		return j.book.ReleaseHold(ctx, org, id, "r", journeyBy)
	default:
		keep, err := daybook.ParsePeriod(fmt.Sprintf("%dh", 1+j.random.IntN(100)))
		j.must(err)
		leave := []daybook.Leave{daybook.LeaveLeaf, daybook.LeaveHash, daybook.LeaveTile}[j.random.IntN(3)]
		match := []string{"", "", "action:invoice.*"}[j.random.IntN(3)]
		p, err := j.book.ApplyRetention(ctx, org, daybook.Retention{Rules: []daybook.RetentionRule{{Match: match, Keep: keep, Leave: leave}}, By: journeyBy})
		if err == nil { // runs that lose their hashes wait for a signature, and go a second later
			_, err = j.book.Checkpoint(ctx, org)
			j.pass(time.Second)
		}
		return p, err
	}
}

// request returns what a step records.
func (j *journey) request(step uint64) (r daybook.Request) {
	random := j.random
	for i := range []int{1, 3, 10, 30}[random.IntN(4)] {
		text := []byte("{")
		now := time.UnixMicro(j.clock.Load()).UTC()
		switch random.IntN(8) {
		case 0:
			text = fmt.Appendf(text, `"id":"%s",`, j.id("evt"))
		case 1:
			text = fmt.Appendf(text, `"occurred_at":"%s",`, now.Add(-time.Duration(random.IntN(2000))*time.Hour).Format(time.RFC3339Nano))
		case 2:
			text = fmt.Appendf(text, `"reason":"réason %d \"é\"",`, random.IntN(5))
		case 3:
			text = fmt.Appendf(text, `"outcome":"failure","changes":[{"field":"n","from":%d,"to":1.50}],`, random.IntN(5))
		}
		action := []string{"invoice.paid", "invoice.sent", "user.login", "user.logout"}[random.IntN(4)]
		text = fmt.Appendf(text, `"action":"%s","actor":{"type":"user","id":"%d"},"targets":[{"type":"invoice","id":"%d"}]}`, action, random.IntN(5), random.IntN(10))
		r.Events = append(r.Events, text)
		if i == 0 && random.IntN(3) == 0 {
			r.Key = fmt.Sprintf("key %d", step)
		}
	}
	j.recorded += len(r.Events)
	return r
}

// missing returns the acts that were never done, as far as a fast run does them all.
func (j *journey) missing() (names []string) {
	for name := range journeyActs {
		if j.done[name] == 0 && name != "epoch" && name != "rotate" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// see says everything that can be read of every log.
func (j *journey) see() {
	for _, org := range journeyOrgs {
		for epoch := 0; ; epoch++ {
			l, err := j.book.Log(j.t.Context(), org, epoch)
			if daybook.CodeOf(err) == daybook.CodeNotFound {
				break
			}
			j.must(err)
			j.seeLog(fmt.Sprintf("%s, epoch %d", org, epoch), l)
		}
		for e, err := range j.book.Events(j.t.Context(), daybook.EventQuery{Org: org, Asc: true}) {
			j.must(err)
			j.say("%s, entry %d: %+v", org, e.Seq, e)
		}
		j.seeBundles(org)
	}
}

// seeLog says what proves one log.
func (j *journey) seeLog(name string, l *daybook.Log) {
	ctx := j.ctx()
	info, err := l.Info(ctx)
	j.must(err)
	j.say("%s: %+v", name, info)
	var sizes []int64
	for c, err := range l.Checkpoints(ctx, math.MaxInt64) {
		j.must(err)
		sizes = slices.Insert(sizes, 0, c.Size)
		j.say("%s, checkpoint %d of %v: %s", name, c.Size, c.At, c.Note)
	}
	for width, level := info.Size, 0; width > 0; width, level = width/256, level+1 {
		for n := int64(0); n*256 < width; n++ {
			tile, err := l.Tile(ctx, level, n, int(min(256, width-n*256)))
			j.seeBytes(fmt.Sprintf("%s, tile %d.%d", name, level, n), tile, err)
			if level == 0 {
				bundle, err := l.EntryBundle(ctx, n, int(min(256, width-n*256)))
				j.seeBytes(fmt.Sprintf("%s, leaves %d", name, n), bundle, err)
			}
		}
	}
	for i, size := range sizes {
		if size == 0 {
			continue
		}
		p, err := l.Consistency(ctx, size, sizes[len(sizes)-1])
		j.say("%s, consistency from %d: %v, %v", name, size, p, err)
		seq := (int64(i) * 7919) % size
		in, err := l.Inclusion(ctx, seq, size)
		j.say("%s, inclusion of %d in %d: %v, %v", name, seq, size, in, err)
		r, err := l.RangeProof(ctx, seq, size, size)
		j.say("%s, range from %d to %d: %v, %v", name, seq, size, r, err)
	}
}

// seeBundles says the evidence for the whole log, and for a part of it with fields withheld.
func (j *journey) seeBundles(org daybook.OrgID) {
	for _, q := range []daybook.BundleQuery{{Org: org}, {Org: org, Text: "action:invoice.paid", Mask: []string{"/actor"}}} {
		var out bytes.Buffer
		_, err := j.book.WriteBundle(j.ctx(), &out, q)
		for line := range bytes.SplitSeq(out.Bytes(), []byte("\n")) {
			j.say("bundle of %s: %s", org, line)
		}
		j.seeBytes("bundle of "+string(org), out.Bytes(), err)
	}
}

func (j *journey) seeBytes(name string, b []byte, err error) {
	j.say("%s: %d bytes, %x, %v", name, len(b), sha256.Sum256(b), err)
}
