package storetest

import (
	"fmt"
	"slices"

	"github.com/daybook-audit/daybook"
)

var keeperPromises = []promise{
	{"Replace puts blocks and folds the head, in one", func(x *trial) {
		h := x.log("org")
		f := folded(h, 30)
		x.must(x.Replace(x.ctx, []daybook.Swap{{Log: h.Log, In: []daybook.Block{block(10, 30, 1), block(0, 10, 1)}, Fold: f}}))
		x.same(x.log("org"), *f)
		x.same(refs(x.blocks(daybook.BlockQuery{Log: h.Log, To: 99})), "0.1 10.1")
	}},
	{"Replace exchanges blocks for others of the same seqs", func(x *trial) {
		h := x.fold(x.log("org"), block(0, 10, 1), block(10, 20, 1), block(20, 30, 1))
		out := []daybook.BlockRef{{First: 10, Gen: 1}, {First: 0, Gen: 1}}
		x.must(x.Replace(x.ctx, []daybook.Swap{{Log: h.Log, Out: out, In: []daybook.Block{block(0, 20, 2)}}}))
		x.same(refs(x.blocks(daybook.BlockQuery{Log: h.Log, To: 99})), "0.2 20.1")
		got, err := x.Read(x.ctx, h.Log, []daybook.BlockRef{{First: 0, Gen: 2}})
		x.must(err)
		x.same(got, [][]byte{block(0, 20, 2).Bytes})
		x.same(x.log("org"), h)
	}},
	{"Replace with Fold covers Out and the seqs from the folded head on", func(x *trial) {
		h := x.fold(x.log("org"), block(0, 10, 1), block(10, 13, 1))
		f := folded(h, 25)
		out := []daybook.BlockRef{{First: 10, Gen: 1}}
		x.must(x.Replace(x.ctx, []daybook.Swap{{Log: h.Log, Out: out, In: []daybook.Block{block(10, 20, 2), block(20, 25, 1)}, Fold: f}}))
		x.same(refs(x.blocks(daybook.BlockQuery{Log: h.Log, To: 99})), "0.1 10.2 20.1")
		x.same(x.log("org"), *f)
	}},
	{"Replace without every Out, or not covering, is ErrSwapped and writes nothing", func(x *trial) {
		h := x.fold(x.log("org"), block(0, 10, 1), block(10, 20, 3))
		other := x.log("other")
		ref := func(first int64, gen int32) []daybook.BlockRef { return []daybook.BlockRef{{First: first, Gen: gen}} }
		for name, s := range map[string]daybook.Swap{
			"wrong generation":            {Out: ref(0, 2), In: []daybook.Block{block(0, 10, 3)}},
			"not there":                   {Out: ref(5, 1), In: []daybook.Block{block(5, 10, 2)}},
			"out twice":                   {Out: append(ref(0, 1), ref(0, 1)...), In: []daybook.Block{block(0, 10, 2)}},
			"too short":                   {Out: ref(0, 1), In: []daybook.Block{block(0, 9, 2)}},
			"too long":                    {Out: ref(10, 3), In: []daybook.Block{block(10, 21, 4)}},
			"onto another":                {Out: ref(0, 1), In: []daybook.Block{block(0, 11, 2)}},
			"a hole":                      {Out: ref(0, 1), In: []daybook.Block{block(0, 4, 2), block(5, 10, 2)}},
			"an overlap":                  {Out: ref(0, 1), In: []daybook.Block{block(0, 6, 2), block(5, 10, 2)}},
			"nothing in":                  {Out: ref(0, 1)},
			"nothing out":                 {In: []daybook.Block{block(0, 10, 2)}},
			"beyond the head, no fold":    {In: []daybook.Block{block(20, 30, 1)}},
			"fold over a gap":             {In: []daybook.Block{block(21, 30, 1)}, Fold: folded(h, 30)},
			"fold further than In":        {In: []daybook.Block{block(20, 29, 1)}, Fold: folded(h, 30)},
			"fold less far than In":       {In: []daybook.Block{block(20, 30, 1)}, Fold: folded(h, 29)},
			"fold back":                   {Fold: folded(h, 19)},
			"fold of another log":         {In: []daybook.Block{block(20, 30, 1)}, Fold: folded(other, 30)},
			"the same generation":         {Out: ref(10, 3), In: []daybook.Block{block(10, 20, 3)}},
			"an older generation":         {Out: ref(10, 3), In: []daybook.Block{block(10, 20, 2)}},
			"a block of no or fewer seqs": {Out: ref(0, 1), In: []daybook.Block{block(0, 12, 2), block(12, 10, 2)}},
		} {
			s.Log = h.Log
			s.Slips = []daybook.Slip{{Bytes: []byte("slip")}}
			good := daybook.Swap{Log: other.Log, In: []daybook.Block{block(0, 5, 1)}, Fold: folded(other, 5), Slips: s.Slips}
			for _, swaps := range [][]daybook.Swap{{s}, {good, s}, {s, good}} {
				if err := x.Replace(x.ctx, swaps); err == nil {
					x.Fatalf("%s: no error", name)
				} else {
					x.want(err, daybook.ErrSwapped)
				}
			}
			x.same(x.log("org"), h)
			x.same(x.log("other"), other)
			x.same(refs(x.blocks(daybook.BlockQuery{Log: h.Log, To: 99})), "0.1 10.3")
			x.same(refs(x.blocks(daybook.BlockQuery{Log: other.Log, To: 99})), "")
			for _, log := range []daybook.LogNo{h.Log, other.Log} {
				x.same(all(x, x.Slips(x.ctx, log, daybook.SlipKey{}, daybook.SlipKey{Kind: 9})), []daybook.Slip(nil))
			}
		}
	}},
	{"Replace of a log that is not there is ErrNotExist", func(x *trial) {
		x.want(x.Replace(x.ctx, []daybook.Swap{{Log: 77, Slips: []daybook.Slip{{}}}}), daybook.ErrNotExist)
	}},
	{"Replace repeated after an unknown outcome is ErrSwapped", func(x *trial) {
		h := x.fold(x.log("org"), block(0, 10, 1))
		swap := []daybook.Swap{{Log: h.Log, Out: []daybook.BlockRef{{First: 0, Gen: 1}}, In: []daybook.Block{block(0, 10, 2)}}}
		fold := []daybook.Swap{{Log: h.Log, In: []daybook.Block{block(10, 12, 1)}, Fold: folded(h, 12)}}
		for _, s := range [][]daybook.Swap{swap, fold} {
			x.must(x.Replace(x.ctx, s))
			x.want(x.Replace(x.ctx, s), daybook.ErrSwapped)
		}
		x.same(refs(x.blocks(daybook.BlockQuery{Log: h.Log, To: 99})), "0.2 10.1")
	}},
	{"Replace puts slips over those of the same key", func(x *trial) {
		h := x.log("org")
		k := daybook.SlipKey{Kind: 2, A: 3, B: 4}
		for _, s := range []string{"one", "two", "", "four"} {
			x.must(x.Replace(x.ctx, []daybook.Swap{{Log: h.Log, Slips: []daybook.Slip{{SlipKey: k, Bytes: []byte(s)}}}}))
			x.same(all(x, x.Slips(x.ctx, h.Log, daybook.SlipKey{}, daybook.SlipKey{Kind: 9})), []daybook.Slip{{SlipKey: k, Bytes: []byte(s)}})
		}
	}},
	{"Replace takes many logs at once", func(x *trial) {
		orgs := make([]daybook.OrgID, 300)
		for i := range orgs {
			orgs[i] = daybook.OrgID(fmt.Sprint("org-", i))
		}
		hs, err := x.Heads(x.ctx, orgs, true)
		x.must(err)
		swaps := make([]daybook.Swap, len(hs))
		for i, h := range hs {
			hs[i] = *folded(h, int64(i+1))
			swaps[i] = daybook.Swap{Log: h.Log, In: []daybook.Block{block(0, int64(i+1), 1)}, Fold: &hs[i]}
		}
		x.must(x.Replace(x.ctx, swaps))
		got, err := x.Heads(x.ctx, orgs, false)
		x.must(err)
		x.same(got, hs)
	}},
	{"Replace leaves commits alone", func(x *trial) {
		cs := x.fill(3, 100)
		x.fold(x.log("org"), block(0, 10, 1))
		x.holds(0, cs...)
		x.same(x.shard().Merged, daybook.CommitNo(0))
	}},
	{"Trim sets Merged and drops commits up to it; appending goes on", func(x *trial) {
		cs := x.fill(6, 300_000) // more than a driver drops in one transaction
		x.must(x.Trim(x.ctx, 0, 5, 0))
		x.same(x.shard().Merged, daybook.CommitNo(5))
		x.holds(5, cs[5:]...)
		x.must(x.Trim(x.ctx, 0, 6, 0))
		cs = x.fill(2, 100)
		x.same(cs[0].Prev, daybook.CommitNo(6))
		x.reopen()
		x.holds(6, cs...)
	}},
	{"Trim of a smaller or equal number moves nothing back", func(x *trial) {
		x.fill(6, 100)
		x.must(x.Trim(x.ctx, 0, 4, 0))
		x.must(x.Trim(x.ctx, 0, 4, 0))
		x.must(x.Trim(x.ctx, 0, 2, 0))
		x.must(x.Trim(x.ctx, 0, 0, 0))
		x.same(x.shard().Merged, daybook.CommitNo(4))
	}},
	{"Trim beyond the last commit is refused", func(x *trial) {
		cs := x.fill(2, 100)
		if err := x.Trim(x.ctx, 0, 3, 0); err == nil {
			x.Fatal("no error")
		}
		x.holds(0, cs...)
		x.same(x.shard().Merged, daybook.CommitNo(0))
	}},
	{"Trim drops keys with Expires ≤ now, and no others", func(x *trial) {
		h := x.log("org")
		c := commit(0, 100)
		for b := range byte(6) {
			c.Keys = append(c.Keys, daybook.Key{KeyRef: daybook.KeyRef{Log: h.Log, Hash: [16]byte{b}}, Expires: baseHour + int64(b)})
		}
		for i := range 2500 { // more than a driver drops in one transaction
			c.Keys = append(c.Keys, daybook.Key{KeyRef: daybook.KeyRef{Log: h.Log, Hash: [16]byte{9, byte(i), byte(i >> 8)}}, Expires: baseHour})
		}
		x.must(x.Append(x.ctx, c))
		x.must(x.Trim(x.ctx, 0, 0, baseHour+3))
		x.same(sortedKeys(x, 6, h.Log), c.Keys[4:6])
		var old []daybook.KeyRef
		for _, k := range c.Keys[6:] {
			old = append(old, k.KeyRef)
		}
		left, err := x.Keys(x.ctx, old)
		x.must(err)
		x.same(left, []daybook.Key(nil))
	}},
	{"DropKeys removes the keys of a log that are covered, and no others", func(x *trial) {
		h, other := x.log("org"), x.log("other")
		c := commit(0, 100)
		for i := range 2500 { // more than a driver looks at in one statement
			hash := [16]byte{byte(i), byte(i >> 8), 1}
			c.Keys = append(c.Keys, daybook.Key{KeyRef: daybook.KeyRef{Log: h.Log, Hash: hash}, First: int64(2 * i), N: 2, Expires: baseHour + 9})
		}
		c.Keys = append(c.Keys, daybook.Key{KeyRef: daybook.KeyRef{Log: other.Log, Hash: [16]byte{1}}, First: 8, N: 2, Expires: baseHour + 9})
		x.must(x.Append(x.ctx, c))
		x.must(x.DropKeys(x.ctx, h.Log, func(first int64, n int) bool { return first%4 == 0 && n == 2 }))
		x.must(x.DropKeys(x.ctx, 99, func(int64, int) bool { return true }))
		check := func() {
			x.Helper()
			for i := range c.Keys {
				got, err := x.Keys(x.ctx, []daybook.KeyRef{c.Keys[i].KeyRef})
				x.must(err)
				if kept := len(got) == 1; kept == (c.Keys[i].Log == h.Log && i%2 == 0) {
					x.Fatalf("key %d: kept %v", i, kept)
				}
			}
		}
		check()
		x.reopen()
		check()
	}},
	{"a repeat of a commit that was trimmed is ErrHeadMoved", func(x *trial) {
		cs := x.fill(3, 100)
		x.must(x.Trim(x.ctx, 0, 2, 0))
		x.want(x.Append(x.ctx, cs[0]), daybook.ErrHeadMoved)
		x.must(x.Append(x.ctx, cs[2]))
		x.holds(2, slices.Clone(cs[2:])...)
	}},
}
