package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
)

var appenderPromises = []promise{
	{"Heads returns the heads in the order of orgs", func(x *trial) {
		a, b := x.log("a"), x.fold(x.log("b"), block(0, 7, 1))
		hs, err := x.Heads(x.ctx, []daybook.OrgID{"b", "none", "a", "b"}, false)
		x.must(err)
		x.same(hs, []daybook.Head{b, {Org: "none"}, a, b})
	}},
	{"Heads with create makes a missing log, empty and durable", func(x *trial) {
		hs, err := x.Heads(x.ctx, []daybook.OrgID{"a", "b", "a"}, true)
		x.must(err)
		x.same(hs[0], hs[2])
		for i, h := range hs[:2] {
			if h.Log < 1 || h.Log >= 1<<23 || h.LogID == [10]byte{} || h.Org != daybook.OrgID("ab"[i:i+1]) {
				x.Errorf("new head %+v", h)
			}
			x.same(h, daybook.Head{Log: h.Log, LogID: h.LogID, Org: h.Org})
		}
		if hs[0].Log == hs[1].Log || hs[0].LogID == hs[1].LogID {
			x.Errorf("two logs share a number or an id: %+v", hs)
		}
		x.reopen()
		again, err := x.Heads(x.ctx, []daybook.OrgID{"a", "b", "a"}, true)
		x.must(err)
		x.same(again, hs)
	}},
	{"Heads with create, called concurrently, makes a log once", func(x *trial) {
		var wg sync.WaitGroup
		logs := make([]daybook.LogNo, 8)
		for i := range logs {
			wg.Go(func() {
				hs, err := x.Heads(x.ctx, []daybook.OrgID{"org"}, true)
				if err != nil {
					x.Error(err)
					return
				}
				logs[i] = hs[0].Log
			})
		}
		wg.Wait()
		if len(slices.Compact(logs)) != 1 {
			x.Errorf("log numbers %v", logs)
		}
	}},
	{"orgs differ by case and by every character", func(x *trial) {
		orgs := []daybook.OrgID{"Org", "ORG", "org", "org-", "org.", "o:r@g_"}
		hs, err := x.Heads(x.ctx, orgs, true)
		x.must(err)
		seen := map[daybook.LogNo]bool{}
		for i, h := range hs {
			x.same(h.Org, orgs[i])
			seen[h.Log] = true
		}
		x.same(len(seen), len(orgs))
	}},
	{"Heads of 3,000 orgs", func(x *trial) {
		orgs := make([]daybook.OrgID, 3000)
		for i := range orgs {
			orgs[i] = daybook.OrgID(fmt.Sprintf("org-%d", i))
		}
		made, err := x.Heads(x.ctx, orgs, true)
		x.must(err)
		again, err := x.Heads(x.ctx, orgs, false)
		x.must(err)
		x.same(again, made)
		var listed []daybook.Head
		for after := daybook.LogNo(0); ; after = listed[len(listed)-1].Log {
			page, err := x.Logs(x.ctx, after, 900)
			x.must(err)
			if len(page) == 0 {
				break
			}
			listed = append(listed, page...)
		}
		slices.SortFunc(made, func(a, b daybook.Head) int { return int(a.Log - b.Log) })
		x.same(listed, made)
	}},
	{"LogHeads is Heads by log number, an unknown one is ErrNotExist", func(x *trial) {
		a, b := x.log("a"), x.fold(x.log("b"), block(0, 7, 1))
		hs, err := x.LogHeads(x.ctx, []daybook.LogNo{b.Log, a.Log, b.Log})
		x.must(err)
		x.same(hs, []daybook.Head{b, a, b})
		_, err = x.LogHeads(x.ctx, []daybook.LogNo{a.Log, 77})
		x.want(err, daybook.ErrNotExist)
	}},
	{"Append writes commit Prev+1, and every later Tail sees it", func(x *trial) {
		for i := range 20 {
			c := commit(daybook.CommitNo(i), 24+i*1000)
			x.must(x.Append(x.ctx, c))
			x.holds(c.Prev, c)
		}
	}},
	{"Append takes a commit of 16 MiB", func(x *trial) {
		c := commit(0, 16<<20)
		x.must(x.Append(x.ctx, c))
		x.holds(0, c)
	}},
	{"Append of bytes without the commit's id at offset 8 is refused", func(x *trial) {
		c := commit(0, 100)
		c.ID[3]++
		if err := x.Append(x.ctx, c); err == nil {
			x.Error("another id: no error")
		}
		c.Bytes = nil
		if err := x.Append(x.ctx, c); err == nil {
			x.Error("no bytes: no error")
		}
		x.holds(0)
	}},
	{"Append with a moved head is ErrHeadMoved and writes nothing", func(x *trial) {
		cs := x.fill(3, 100)
		for _, prev := range []daybook.CommitNo{0, 2, 4, 100} {
			c := commit(prev, 100)
			c.Keys = []daybook.Key{{KeyRef: daybook.KeyRef{Log: 1, Hash: [16]byte{9}}, Expires: baseHour + 1}}
			x.want(x.Append(x.ctx, c), daybook.ErrHeadMoved)
			ks, err := x.Keys(x.ctx, []daybook.KeyRef{c.Keys[0].KeyRef})
			x.must(err)
			x.same(ks, []daybook.Key(nil))
		}
		x.holds(0, cs...)
	}},
	{"Append of a commit that is already there is nil and writes nothing", func(x *trial) {
		h := x.log("org")
		c := commit(0, 5000)
		c.Keys = []daybook.Key{{KeyRef: daybook.KeyRef{Log: h.Log, Hash: [16]byte{1}}, N: 1, Expires: baseHour + 1}}
		x.must(x.Append(x.ctx, c))
		x.must(x.Append(x.ctx, c))
		x.reopen()
		x.must(x.Append(x.ctx, c))
		next := commit(1, 100)
		x.must(x.Append(x.ctx, next))
		x.must(x.Append(x.ctx, c))
		x.holds(0, c, next)
	}},
	{"Append with a stored, unexpired key is KeyExistsError with all of them, and writes nothing", func(x *trial) {
		h := x.log("org")
		key := func(b byte, expires int64) daybook.Key {
			return daybook.Key{KeyRef: daybook.KeyRef{Log: h.Log, Hash: [16]byte{b}}, First: int64(b), N: 1, Expires: expires}
		}
		first := commit(0, 100)
		first.Keys = []daybook.Key{key(3, baseHour+1), key(1, baseHour+1), key(2, baseHour+9)}
		x.must(x.Append(x.ctx, first))
		c := commit(1, 100)
		c.Keys = []daybook.Key{key(2, baseHour+9), key(7, baseHour+9), key(3, baseHour+9)}
		var exists *daybook.KeyExistsError
		if err := x.Append(x.ctx, c); !errors.As(err, &exists) {
			x.Fatalf("error is %v, want a KeyExistsError", err)
		}
		slices.SortFunc(exists.Keys, func(a, b daybook.KeyRef) int { return bytes.Compare(a.Hash[:], b.Hash[:]) })
		x.same(exists.Keys, []daybook.KeyRef{c.Keys[0].KeyRef, c.Keys[2].KeyRef})
		x.holds(0, first)
		x.same(sortedKeys(x, 8, h.Log), []daybook.Key{key(1, baseHour+1), key(2, baseHour+9), key(3, baseHour+1)})
	}},
	{"Append replaces a key that expired by its At", func(x *trial) {
		h := x.log("org")
		k := daybook.Key{KeyRef: daybook.KeyRef{Log: h.Log, Hash: [16]byte{1}}, First: 1, N: 1, Expires: baseHour + 2}
		c := commit(0, 100)
		c.Keys = []daybook.Key{k}
		x.must(x.Append(x.ctx, c))
		c = commit(1, 100)
		c.At = (baseHour+2)*microsPerHour - 1 // the last moment at which it counts
		k.First, k.N, k.Expires = 50, 3, baseHour+100
		c.Keys = []daybook.Key{k}
		var exists *daybook.KeyExistsError
		if err := x.Append(x.ctx, c); !errors.As(err, &exists) {
			x.Fatalf("error is %v, want a KeyExistsError", err)
		}
		c.At++
		x.must(x.Append(x.ctx, c))
		x.same(sortedKeys(x, 4, h.Log), []daybook.Key{k})
	}},
	{"Append may add keys without entries, and many of them", func(x *trial) {
		h := x.log("org")
		c := commit(0, 24)
		c.Entries, c.Raw = 0, 0
		for i := range 1000 {
			c.Keys = append(c.Keys, daybook.Key{KeyRef: daybook.KeyRef{Log: h.Log, Hash: [16]byte{byte(i), byte(i >> 8)}}, First: int64(i), N: 1, Expires: baseHour + 1})
		}
		given := slices.Clone(c.Keys)
		x.must(x.Append(x.ctx, c))
		x.same(c.Keys, given) // the caller's order is not touched
		refs := make([]daybook.KeyRef, len(given))
		for i := range given {
			refs[i] = given[i].KeyRef
		}
		found, err := x.Keys(x.ctx, refs)
		x.must(err)
		x.same(len(found), 1000)
	}},
	{"Keys returns those that are stored, each with its log", func(x *trial) {
		a, b := x.log("a"), x.log("b")
		k := daybook.Key{KeyRef: daybook.KeyRef{Log: a.Log, Hash: [16]byte{1}}, First: 1 << 40, N: 1000, Expires: 1}
		c := commit(0, 100)
		c.Keys = []daybook.Key{k}
		x.must(x.Append(x.ctx, c))
		found, err := x.Keys(x.ctx, []daybook.KeyRef{{Log: b.Log, Hash: [16]byte{1}}, k.KeyRef, {Log: a.Log}})
		x.must(err)
		x.same(found, []daybook.Key{k}) // expired long ago, and still there
	}},
	{"of concurrent Appends with one Prev exactly one wins", func(x *trial) {
		const writers, rounds = 8, 20
		for round := range daybook.CommitNo(rounds) {
			var wg sync.WaitGroup
			var won atomic.Pointer[daybook.Commit]
			for range writers {
				wg.Go(func() {
					c := commit(round, 200)
					switch err := x.Append(x.ctx, c); {
					case err == nil && !won.CompareAndSwap(nil, c):
						x.Error("two won")
					case err != nil && !errors.Is(err, daybook.ErrHeadMoved):
						x.Error(err)
					}
				})
			}
			wg.Wait()
			if won.Load() == nil {
				x.Fatal("nobody won")
			}
			x.holds(round, won.Load())
		}
	}},
	{"a slice handed in is not kept, a slice handed out is the caller's", func(x *trial) {
		h := x.log("org")
		c := commit(0, 5000)
		kept := *c
		kept.Bytes = bytes.Clone(c.Bytes)
		x.must(x.Append(x.ctx, c))
		clear(c.Bytes)
		clear(x.tail(0, 1<<20).Rows[0].Bytes)
		x.holds(0, &kept)

		b, f := block(0, 10, 1), folded(h, 10)
		want, wantHead := block(0, 10, 1), *folded(h, 10)
		slip := daybook.Slip{SlipKey: daybook.SlipKey{Kind: 1}, Bytes: []byte("slip")}
		x.must(x.Replace(x.ctx, []daybook.Swap{{Log: h.Log, In: []daybook.Block{b}, Fold: f, Slips: []daybook.Slip{slip}}}))
		for _, s := range [][]byte{b.Bytes, b.Roots, b.Facets, b.Filter, slip.Bytes} {
			clear(s)
		}
		clear(f.Frontier)
		for range 2 {
			x.same(x.log("org"), wantHead)
			clear(x.log("org").Frontier)
			got, err := x.Read(x.ctx, h.Log, []daybook.BlockRef{want.BlockRef})
			x.must(err)
			metas := x.blocks(daybook.BlockQuery{Log: h.Log, To: 10, Filters: true})
			slips := all(x, x.Slips(x.ctx, h.Log, daybook.SlipKey{}, daybook.SlipKey{Kind: 2}))
			if d := cmp.Diff(want, daybook.Block{BlockMeta: metas[0], Bytes: got[0]}) + cmp.Diff("slip", string(slips[0].Bytes)); d != "" {
				x.Fatal(d)
			}
			for _, s := range [][]byte{got[0], metas[0].Roots, metas[0].Facets, metas[0].Filter, slips[0].Bytes} {
				clear(s)
			}
		}
	}},
}

// sortedKeys returns the stored keys of log whose hash begins with a byte below n and is zero otherwise.
func sortedKeys(x *trial, n int, log daybook.LogNo) []daybook.Key {
	x.Helper()
	var refs []daybook.KeyRef
	for b := range n {
		refs = append(refs, daybook.KeyRef{Log: log, Hash: [16]byte{byte(b)}})
	}
	ks, err := x.Keys(x.ctx, refs)
	x.must(err)
	slices.SortFunc(ks, func(a, b daybook.Key) int { return bytes.Compare(a.Hash[:], b.Hash[:]) })
	return ks
}
