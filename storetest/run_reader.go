package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/daybook-audit/daybook"
)

var readerPromises = []promise{
	{"Logs returns heads by number, after one, at most limit", func(x *trial) {
		a, b, c := x.log("a"), x.log("b"), x.log("c")
		page := func(after daybook.LogNo, limit int) []daybook.Head {
			hs, err := x.Logs(x.ctx, after, limit)
			x.must(err)
			return hs
		}
		x.same(page(0, 2), []daybook.Head{a, b})
		x.same(page(b.Log, 2), []daybook.Head{c})
		x.same(page(c.Log, 2), []daybook.Head(nil))
	}},
	{"Tail of an empty shard has no rows", func(x *trial) {
		x.same(x.tail(0, 100), daybook.Tail{})
		x.same(x.tail(5, 100), daybook.Tail{})
	}},
	{"Tail returns commits in order, gapless, about maxBytes but at least one", func(x *trial) {
		cs := x.fill(20, 1000)
		for _, maxBytes := range []int{-1, 0, 1, 999, 1000, 1001, 3500, 1 << 20} {
			for after := range daybook.CommitNo(21) {
				t := x.tail(after, maxBytes)
				x.same(t.Last, daybook.CommitNo(20))
				size := 0
				for i, row := range t.Rows {
					if size >= max(maxBytes, 1) {
						x.Fatalf("after %d: row %d comes when %d of %d bytes are there", after, i, size, maxBytes)
					}
					c := cs[int(after)+i]
					x.same(row, daybook.TailRow{N: c.Prev + 1, Bytes: c.Bytes})
					size += len(row.Bytes)
				}
				if size < maxBytes && int(after)+len(t.Rows) != 20 || len(t.Rows) == 0 && after < 20 {
					x.Fatalf("after %d with %d bytes: only %d rows", after, maxBytes, len(t.Rows))
				}
			}
		}
	}},
	{"Tail comes with Last and Merged of the same snapshot", func(x *trial) {
		x.log("org")
		var wg sync.WaitGroup
		ctx, cancel := context.WithCancel(x.ctx)
		wg.Go(func() {
			defer cancel()
			for i := range daybook.CommitNo(200) {
				if err := x.Append(x.ctx, commit(i, 500)); err != nil {
					x.Error(err)
					return
				}
				if i%20 == 19 {
					if err := x.Trim(x.ctx, 0, i-5, 0); err != nil {
						x.Error(err)
						return
					}
				}
			}
		})
		for range 3 {
			wg.Go(func() {
				var last, merged daybook.CommitNo
				for ctx.Err() == nil {
					t, err := x.Tail(x.ctx, 0, last, 1<<30)
					if errors.Is(err, daybook.ErrTrimmed) {
						last = merged + 1<<60 // ask for the numbers alone, once
						continue
					}
					if err != nil {
						x.Error(err)
						return
					}
					if last < 1<<60 && last+daybook.CommitNo(len(t.Rows)) != t.Last {
						x.Errorf("%d rows after %d, but Last is %d", len(t.Rows), last, t.Last)
					}
					if last < 1<<60 && t.Last < last || t.Merged < merged || t.Merged > t.Last {
						x.Errorf("(last, merged) went from (%d, %d) to (%d, %d)", last, merged, t.Last, t.Merged)
					}
					last, merged = t.Last, t.Merged
				}
			})
		}
		wg.Wait()
	}},
	{"Tail after less than Merged is ErrTrimmed when those commits are gone", func(x *trial) {
		cs := x.fill(10, 100)
		x.must(x.Trim(x.ctx, 0, 4, 0))
		for after := range daybook.CommitNo(4) {
			_, err := x.Tail(x.ctx, 0, after, 1<<20)
			x.want(err, daybook.ErrTrimmed)
		}
		x.holds(4, cs[4:]...)
		x.must(x.Trim(x.ctx, 0, 10, 0))
		_, err := x.Tail(x.ctx, 0, 9, 1<<20)
		x.want(err, daybook.ErrTrimmed)
		x.holds(10)
	}},
	{"Blocks yields the blocks that hold a seq in [From, To), by seq, newest first with Desc", func(x *trial) {
		h := x.log("org")
		h = x.fold(h, block(0, 10, 1), block(10, 11, 1), block(11, 20, 1))
		h = x.fold(h, block(20, 50, 1))
		neighbour := x.log("neighbour") // whose keys are next to ours
		x.fold(neighbour, block(0, 5, 1))
		for _, c := range []struct {
			from, to int64
			want     string
		}{
			{0, 50, "0.1 10.1 11.1 20.1"},
			{0, 1, "0.1"},
			{9, 10, "0.1"},
			{9, 11, "0.1 10.1"},
			{10, 11, "10.1"},
			{19, 21, "11.1 20.1"},
			{49, 1 << 40, "20.1"},
			{50, 1 << 40, ""},
			{-5, 1, "0.1"},
			{5, 5, ""},
			{30, 20, ""},
			{12, 1 << 62, "11.1 20.1"},
		} {
			q := daybook.BlockQuery{Log: h.Log, From: c.from, To: c.to}
			asc := x.blocks(q)
			q.Desc = true
			desc := x.blocks(q)
			slices.Reverse(desc)
			if refs(asc) != c.want || refs(desc) != c.want {
				x.Errorf("[%d, %d): %q ascending, %q descending, want %q", c.from, c.to, refs(asc), refs(desc), c.want)
			}
		}
		x.same(x.blocks(daybook.BlockQuery{Log: 77, To: 50}), []daybook.BlockMeta(nil))
	}},
	{"Blocks yields filters only if Filters", func(x *trial) {
		h := x.fold(x.log("org"), block(0, 10, 1))
		want := block(0, 10, 1).BlockMeta
		x.same(x.blocks(daybook.BlockQuery{Log: h.Log, To: 10, Filters: true}), []daybook.BlockMeta{want})
		want.Filter = nil
		x.same(x.blocks(daybook.BlockQuery{Log: h.Log, To: 10}), []daybook.BlockMeta{want})
	}},
	{"Blocks lists 3,000 metas", func(x *trial) {
		const n = 3000
		h := x.log("org")
		var want []daybook.BlockMeta
		for i := int64(0); i < n; i += 500 {
			var bs []daybook.Block
			for j := i; j < i+500; j++ {
				bs = append(bs, block(j*3, j*3+3, 1))
				want = append(want, bs[len(bs)-1].BlockMeta)
			}
			h = x.fold(h, bs...)
		}
		q := daybook.BlockQuery{Log: h.Log, To: 3 * n, Filters: true}
		x.same(x.blocks(q), want)
		q.Desc = true
		slices.Reverse(want)
		x.same(x.blocks(q), want)
	}},
	{"Blocks never leaves a gap while blocks are swapped", func(x *trial) {
		h := x.log("org")
		var bs []daybook.Block
		for i := range int64(200) {
			bs = append(bs, block(i*2, i*2+2, 1))
		}
		h = x.fold(h, bs...)
		ctx, cancel := context.WithCancel(x.ctx)
		var wg sync.WaitGroup
		wg.Go(func() {
			defer cancel()
			for i := int64(0); i < 200; i += 4 { // four pieces become one
				s := daybook.Swap{Log: h.Log, In: []daybook.Block{block(i*2, i*2+8, 2)}}
				for j := i; j < i+4; j++ {
					s.Out = append(s.Out, bs[j].BlockRef)
				}
				if err := x.Replace(x.ctx, []daybook.Swap{s}); err != nil {
					x.Error(err)
					return
				}
			}
		})
		for _, desc := range []bool{false, true} {
			wg.Go(func() {
				for last := false; !last; {
					last = ctx.Err() != nil
					seen := make([]bool, 400)
					for m, err := range x.Blocks(x.ctx, daybook.BlockQuery{Log: h.Log, To: 400, Desc: desc}) {
						if err != nil {
							x.Error(err)
							return
						}
						for i := range int64(m.N) {
							seen[m.First+i] = true
						}
					}
					if i := slices.Index(seen, false); i >= 0 {
						x.Errorf("seq %d is in no block", i)
						return
					}
				}
			})
		}
		wg.Wait()
	}},
	{"a consumer may stop Blocks and Slips early, and call the store meanwhile", func(x *trial) {
		h := x.fold(x.log("org"), block(0, 1, 1), block(1, 2, 1), block(2, 3, 1), block(3, 4, 1), block(4, 5, 1), block(5, 6, 1))
		x.must(x.Replace(x.ctx, []daybook.Swap{{Log: h.Log, Slips: []daybook.Slip{{}, {SlipKey: daybook.SlipKey{B: 1}}}}}))
		for range 10 { // more often than a driver has connections
			for m, err := range x.Blocks(x.ctx, daybook.BlockQuery{Log: h.Log, To: 6}) {
				x.must(err)
				_, err = x.Read(x.ctx, h.Log, []daybook.BlockRef{m.BlockRef})
				x.must(err)
				for _, err := range x.Slips(x.ctx, h.Log, daybook.SlipKey{}, daybook.SlipKey{Kind: 1}) {
					x.must(err)
					x.must(x.Replace(x.ctx, []daybook.Swap{{Log: h.Log, Slips: []daybook.Slip{{SlipKey: daybook.SlipKey{B: 9}}}}}))
					break
				}
				break
			}
		}
	}},
	{"Read returns the bytes of the blocks in their order", func(x *trial) {
		h := x.fold(x.log("org"), block(0, 10, 1), block(10, 20, 1), block(20, 30, 1))
		empty := block(30, 31, 1)
		empty.Bytes = nil
		h = x.fold(h, empty)
		got, err := x.Read(x.ctx, h.Log, []daybook.BlockRef{{First: 20, Gen: 1}, {First: 0, Gen: 1}, {First: 30, Gen: 1}, {First: 20, Gen: 1}})
		x.must(err)
		x.same(got, [][]byte{block(20, 30, 1).Bytes, block(0, 10, 1).Bytes, {}, block(20, 30, 1).Bytes})
	}},
	{"Read of a block that was swapped out, or never was, is ErrNotExist", func(x *trial) {
		h := x.fold(x.log("org"), block(0, 10, 1), block(10, 20, 1))
		x.must(x.Replace(x.ctx, []daybook.Swap{{Log: h.Log, Out: []daybook.BlockRef{{First: 0, Gen: 1}}, In: []daybook.Block{block(0, 10, 2)}}}))
		for _, ref := range []daybook.BlockRef{{First: 0, Gen: 1}, {First: 0, Gen: 3}, {First: 5, Gen: 1}, {First: 20, Gen: 1}} {
			_, err := x.Read(x.ctx, h.Log, []daybook.BlockRef{{First: 10, Gen: 1}, ref})
			x.want(err, daybook.ErrNotExist)
		}
		_, err := x.Read(x.ctx, h.Log+1, []daybook.BlockRef{{First: 0, Gen: 2}})
		x.want(err, daybook.ErrNotExist)
	}},
	{"Slips yields slips with from ≤ key < to, ordered by Kind, A, B", func(x *trial) {
		h, neighbour := x.log("org"), x.log("neighbour")
		var keys []daybook.SlipKey
		for _, kind := range []uint8{0, 1, 15} {
			for _, a := range []uint16{0, 1, 4095} {
				for _, b := range []uint32{0, 1, 1<<24 - 1} {
					keys = append(keys, daybook.SlipKey{Kind: kind, A: a, B: b})
				}
			}
		}
		var slips []daybook.Slip
		for _, k := range keys {
			slips = append(slips, daybook.Slip{SlipKey: k, Bytes: fmt.Append(nil, k)})
		}
		backwards := slices.Clone(slips)
		slices.Reverse(backwards)
		x.must(x.Replace(x.ctx, []daybook.Swap{{Log: h.Log, Slips: backwards}, {Log: neighbour.Log, Slips: slips[:1]}}))
		for i := range keys {
			for j := range keys {
				x.same(all(x, x.Slips(x.ctx, h.Log, keys[i], keys[j])), slips[i:max(i, j)])
			}
		}
		x.same(all(x, x.Slips(x.ctx, neighbour.Log, daybook.SlipKey{}, keys[len(keys)-1])), slips[:1])
	}},
	{"Slips lists many", func(x *trial) {
		h := x.log("org")
		var slips []daybook.Slip
		for i := range uint32(3000) {
			slips = append(slips, daybook.Slip{SlipKey: daybook.SlipKey{Kind: 4, B: i * 7}, Bytes: make([]byte, 100)})
		}
		x.must(x.Replace(x.ctx, []daybook.Swap{{Log: h.Log, Slips: slips}}))
		x.same(all(x, x.Slips(x.ctx, h.Log, daybook.SlipKey{Kind: 4}, daybook.SlipKey{Kind: 5})), slips)
	}},
}
