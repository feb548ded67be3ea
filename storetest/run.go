package storetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook"
)

// Run tests that a driver keeps every promise of [daybook.Store] and, if it has them, [daybook.Documents]: a subtest for each sentence
// of their comments. open opens the store that belongs to t, empty at first; called again with the same t, after Close, it opens the
// same store again. What open made is removed when t ends.
func Run(t *testing.T, open func(tb testing.TB) daybook.Store) {
	t.Helper()
	for _, group := range []struct {
		name  string
		tests []promise
	}{
		{"Store", storePromises},
		{"Appender", appenderPromises},
		{"Reader", readerPromises},
		{"Keeper", keeperPromises},
		{"Signing", signingPromises},
		{"Drop", dropPromises},
		{"Documents", documentsPromises},
	} {
		t.Run(group.name, func(t *testing.T) {
			t.Parallel()
			for _, p := range group.tests {
				t.Run(p.name, func(t *testing.T) {
					t.Parallel()
					x := &trial{T: t, open: open}
					x.reopen()
					p.test(x)
				})
			}
		})
	}
}

type promise struct {
	name string // the sentence
	test func(x *trial)
}

// trial is one subtest with its store.
type trial struct {
	*testing.T
	open func(tb testing.TB) daybook.Store
	daybook.Store
	ctx context.Context
}

// reopen closes the store, if it is open, and opens it again.
func (x *trial) reopen() {
	x.Helper()
	if x.Store != nil {
		x.must(x.Close())
	}
	s := x.open(x.T)
	x.Store = s
	x.ctx = x.Context()
	x.Cleanup(func() {
		if err := s.Close(); err != nil {
			x.Errorf("close: %v", err)
		}
	})
}

func (x *trial) must(err error) {
	x.Helper()
	if err != nil {
		x.Fatal(err)
	}
}

func (x *trial) want(err, want error) {
	x.Helper()
	if !errors.Is(err, want) {
		x.Fatalf("error is %v, want %v", err, want)
	}
}

func (x *trial) same(got, want any) {
	x.Helper()
	if reflect.DeepEqual(got, want) { // cmp takes seconds over 3,000 metas
		return
	}
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty(), wholeBytes, anyTurn); d != "" {
		x.Fatalf("(-want +got)\n%s", d)
	}
}

// wholeBytes compares long slices at once; without it cmp looks at every byte by itself.
var wholeBytes = cmp.FilterValues(func(a, b []byte) bool { return len(a)+len(b) > 0 }, cmp.Comparer(bytes.Equal))

// anyTurn leaves out what only a store of several processes counts: RunFleet looks at it.
var anyTurn = cmpopts.IgnoreFields(daybook.Head{}, "Turn")

// base is a time, in hours and in µs since 1970, of the sort that commits carry.
const (
	baseHour = 450_000
	baseAt   = baseHour * microsPerHour
)

// commit returns a commit that follows prev, with size bytes, at least 24.
func commit(prev daybook.CommitNo, size int) *daybook.Commit {
	c := &daybook.Commit{Prev: prev, At: baseAt + int64(prev), Entries: 1, Raw: size, Bytes: make([]byte, max(size, 24))}
	rand.Read(c.Bytes[:min(len(c.Bytes), 4096)])
	copy(c.ID[:], c.Bytes[8:24])
	return c
}

// fill appends n commits of size bytes and returns them.
func (x *trial) fill(n, size int) []*daybook.Commit {
	x.Helper()
	var cs []*daybook.Commit
	prev := x.shard().Last
	for i := range n {
		c := commit(prev+daybook.CommitNo(i), size)
		x.must(x.Append(x.ctx, c))
		cs = append(cs, c)
	}
	return cs
}

// shard returns the shard's numbers, without rows.
func (x *trial) shard() daybook.Tail {
	x.Helper()
	return x.tail(1<<60, 1)
}

func (x *trial) tail(after daybook.CommitNo, maxBytes int) daybook.Tail {
	x.Helper()
	t, err := x.Tail(x.ctx, 0, after, maxBytes)
	x.must(err)
	return t
}

// holds fails unless the store's commits after `after` are exactly cs.
func (x *trial) holds(after daybook.CommitNo, cs ...*daybook.Commit) {
	x.Helper()
	t := x.tail(after, 1<<40)
	var want []daybook.TailRow
	for _, c := range cs {
		want = append(want, daybook.TailRow{N: c.Prev + 1, Bytes: c.Bytes})
	}
	x.same(t.Rows, want)
	x.same(t.Last, after+daybook.CommitNo(len(cs)))
}

// log makes the log of an org and returns its head.
func (x *trial) log(org daybook.OrgID) daybook.Head {
	x.Helper()
	hs, err := x.Heads(x.ctx, []daybook.OrgID{org}, true)
	x.must(err)
	return hs[0]
}

// block returns a block of the seqs [from, to) with a body that says which it is.
func block(from, to int64, gen int32) daybook.Block {
	name := fmt.Appendf(nil, "block %d-%d.%d", from, to, gen)
	n := int(to - from)
	return daybook.Block{
		BlockMeta: daybook.BlockMeta{
			BlockRef: daybook.BlockRef{First: from, Gen: gen}, N: n, Live: n - 1, Raw: 100 * n, State: byte(gen % 2),
			Received: daybook.Span{Min: baseAt + from, Max: baseAt + to}, Occurred: daybook.Span{Min: baseAt - 5, Max: baseAt + 5},
			Late: daybook.Span{Min: 1, Max: -1}, Roots: bytes.Repeat([]byte{byte(gen)}, 32),
			Facets: append([]byte("facets of "), name...), Filter: append([]byte("filter of "), name...),
		},
		Bytes: name,
	}
}

// folded returns head moved on to packed.
func folded(h daybook.Head, packed int64) *daybook.Head {
	h.Packed, h.LastReceived, h.IDAhead = packed, baseAt+packed, 3*baseAt
	var root tlog.Hash
	binary.BigEndian.PutUint64(root[:], uint64(packed))
	h.Frontier = []tlog.Hash{root, {1, 2, 3}}
	return &h
}

// fold replaces nothing by bs, which continue the log.
func (x *trial) fold(h daybook.Head, bs ...daybook.Block) daybook.Head {
	x.Helper()
	last := bs[len(bs)-1]
	f := folded(h, last.First+int64(last.N))
	x.must(x.Replace(x.ctx, []daybook.Swap{{Log: h.Log, In: bs, Fold: f}}))
	return *f
}

// blocks lists metas.
func (x *trial) blocks(q daybook.BlockQuery) []daybook.BlockMeta {
	x.Helper()
	return all(x, x.Blocks(x.ctx, q))
}

// all returns everything that seq yields.
func all[T any](x *trial, seq iter.Seq2[T, error]) []T {
	x.Helper()
	var out []T
	for v, err := range seq {
		x.must(err)
		out = append(out, v)
	}
	return out
}

// refs returns the first seqs and generations of metas as text: "0.1 10.1".
func refs(ms []daybook.BlockMeta) string {
	var words []string
	for _, m := range ms {
		words = append(words, fmt.Sprintf("%d.%d", m.First, m.Gen))
	}
	return strings.Join(words, " ")
}
