package storetest

import (
	"context"
	"slices"
	"strconv"
	"sync"

	"github.com/daybook-audit/daybook"
)

var storePromises = []promise{
	{"the shard of an org is FNV-1a-64 of it mod Shards, so there is at least one", func(x *trial) {
		if n := x.Shards(); n < 1 {
			x.Fatalf("%d shards", n)
		}
	}},
	{"a second Close returns nil", func(x *trial) {
		x.must(x.Close())
		x.must(x.Close())
	}},
	{"after Close every method fails", func(x *trial) {
		x.must(x.Close())
		for name, err := range everyMethod(x.ctx, x) {
			if err == nil {
				x.Errorf("%s after Close: no error", name)
			}
		}
	}},
	{"a call whose context has ended does nothing", func(x *trial) {
		h := x.log("org")
		cs := x.fill(2, 100)
		ended, cancel := context.WithCancel(x.ctx)
		cancel()
		for name, err := range everyMethod(ended, x) {
			if err == nil {
				x.Errorf("%s with an ended context: no error", name)
			}
		}
		x.holds(0, cs...)
		x.same(x.log("org"), h)
		x.same(x.shard().Merged, daybook.CommitNo(0))
		hs, err := x.Heads(x.ctx, []daybook.OrgID{"other"}, false)
		x.must(err)
		x.same(hs[0].Log, daybook.LogNo(0))
	}},
	{"Close waits for running calls", func(x *trial) {
		var wg sync.WaitGroup
		done := make(chan []*daybook.Commit, 1)
		first := make(chan struct{})
		wg.Go(func() {
			var cs []*daybook.Commit
			for {
				c := commit(daybook.CommitNo(len(cs)), 1000)
				if err := x.Append(x.ctx, c); err != nil {
					done <- cs
					return
				}
				if cs = append(cs, c); len(cs) == 1 {
					close(first)
				}
			}
		})
		<-first
		x.must(x.Close())
		wg.Wait()
		x.reopen()
		x.holds(0, <-done...)
	}},
	{"everything is there after a restart", func(x *trial) {
		h := x.fold(x.log("org"), block(0, 10, 1), block(10, 30, 1))
		slip := daybook.Slip{SlipKey: daybook.SlipKey{Kind: 4, A: 1, B: 2}, Bytes: []byte("slip")}
		x.must(x.Replace(x.ctx, []daybook.Swap{{Log: h.Log, Slips: []daybook.Slip{slip}}}))
		cs := x.fill(5, 1000)
		k := daybook.Key{KeyRef: daybook.KeyRef{Log: h.Log, Hash: [16]byte{1}}, First: 7, N: 2, Expires: baseHour + 5}
		withKey := commit(5, 100)
		withKey.Keys = []daybook.Key{k}
		x.must(x.Append(x.ctx, withKey))
		x.must(x.Trim(x.ctx, 0, 2, 0))
		for range 2 {
			x.reopen()
			x.holds(2, append(slices.Clone(cs[2:]), withKey)...)
			x.same(x.shard().Merged, daybook.CommitNo(2))
			x.same(x.log("org"), h)
			x.same(x.blocks(daybook.BlockQuery{Log: h.Log, To: 100, Filters: true}), []daybook.BlockMeta{block(0, 10, 1).BlockMeta, block(10, 30, 1).BlockMeta})
			x.same(all(x, x.Slips(x.ctx, h.Log, daybook.SlipKey{}, daybook.SlipKey{Kind: 15})), []daybook.Slip{slip})
			ks, err := x.Keys(x.ctx, []daybook.KeyRef{k.KeyRef})
			x.must(err)
			x.same(ks, []daybook.Key{k})
		}
	}},
	{"every method may be called concurrently", func(x *trial) {
		h := x.fold(x.log("org"), block(0, 10, 1))
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := range 50 {
				if err := x.Append(x.ctx, commit(daybook.CommitNo(i), 2000)); err != nil {
					x.Error(err)
				}
			}
		})
		wg.Go(func() {
			for gen := range int32(20) {
				err := x.Replace(x.ctx, []daybook.Swap{{Log: h.Log, Out: []daybook.BlockRef{{First: 0, Gen: gen + 1}}, In: []daybook.Block{block(0, 10, gen+2)}}})
				if err != nil {
					x.Error(err)
				}
			}
		})
		for i := range 6 {
			wg.Go(func() {
				for range 20 {
					for _, err := range x.Blocks(x.ctx, daybook.BlockQuery{Log: h.Log, To: 10}) {
						if err != nil {
							x.Error(err)
						}
					}
					if _, err := x.Heads(x.ctx, []daybook.OrgID{daybook.OrgID(strconv.Itoa(i))}, true); err != nil {
						x.Error(err)
					}
				}
			})
		}
		wg.Wait()
		x.same(x.shard().Last, daybook.CommitNo(50))
	}},
}

// everyMethod calls each method of the store, with arguments that would succeed, and yields its error.
func everyMethod(ctx context.Context, x *trial) map[string]error {
	errs := map[string]error{}
	_, errs["Heads"] = x.Heads(ctx, []daybook.OrgID{"org"}, false)
	_, errs["Heads, create"] = x.Heads(ctx, []daybook.OrgID{"other"}, true)
	_, errs["LogHeads"] = x.LogHeads(ctx, []daybook.LogNo{1})
	_, errs["Logs"] = x.Logs(ctx, 0, 10)
	errs["Append"] = x.Append(ctx, commit(2, 100))
	_, errs["Keys"] = x.Keys(ctx, []daybook.KeyRef{{Log: 1}})
	_, errs["Tail"] = x.Tail(ctx, 0, 0, 1)
	_, errs["Read"] = x.Read(ctx, 1, nil)
	errs["Replace"] = x.Replace(ctx, nil)
	errs["Trim"] = x.Trim(ctx, 0, 1, 0)
	errs["PutNote"] = x.PutNote(ctx, 1, daybook.StoredNote{Size: 1})
	_, errs["NewEpoch"] = x.NewEpoch(ctx, 1)
	_, errs["Epochs"] = x.Epochs(ctx, "org")
	for _, errs["Notes"] = range x.Notes(ctx, 1, 0, 10, false) {
	}
	for _, errs["Blocks"] = range x.Blocks(ctx, daybook.BlockQuery{Log: 1, To: 10}) {
	}
	for _, errs["Slips"] = range x.Slips(ctx, 1, daybook.SlipKey{}, daybook.SlipKey{Kind: 1}) {
	}
	if d, ok := x.Store.(daybook.Documents); ok {
		_, errs["Get"] = d.Get(ctx, "kind", "", "id")
		_, errs["List"] = d.List(ctx, "kind", "", "", 10)
		_, errs["Put"] = d.Put(ctx, daybook.Document{Kind: "kind", ID: "id"})
		errs["Delete"] = d.Delete(ctx, "kind", "", "id", 1)
	}
	return errs
}
