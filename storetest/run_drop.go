package storetest

import (
	"encoding/json"
	"strconv"

	"github.com/daybook-audit/daybook"
)

// furnish gives the log of an org of everything that there can be, and returns its head.
func (x *trial) furnish(org daybook.OrgID, blocks int) daybook.Head {
	x.Helper()
	h := x.log(org)
	var in []daybook.Block
	for i := range int64(blocks) {
		in = append(in, block(10*i, 10*(i+1), 1))
	}
	f := folded(h, int64(10*blocks))
	x.must(x.Replace(x.ctx, []daybook.Swap{{Log: h.Log, In: in, Fold: f, Slips: []daybook.Slip{{SlipKey: daybook.SlipKey{Kind: 4, B: 7}, Bytes: []byte("slip")}}}}))
	x.must(x.PutNote(x.ctx, h.Log, note(3, baseAt)))
	c := commit(x.shard().Last, 100)
	c.Keys = []daybook.Key{{KeyRef: daybook.KeyRef{Log: h.Log, Hash: [16]byte{1}}, First: 1, N: 1, Expires: baseHour + 9}}
	x.must(x.Append(x.ctx, c))
	return *f
}

// drop calls DropLog until nothing is left, and returns how often.
func (x *trial) drop(log daybook.LogNo) (calls int) {
	x.Helper()
	for {
		gone, err := x.DropLog(x.ctx, log)
		x.must(err)
		if calls++; gone {
			return calls
		}
	}
}

// left fails unless the log has everything that furnish gave it, or nothing of it.
func (x *trial) left(h daybook.Head, blocks, rest int) {
	x.Helper()
	x.same(len(x.blocks(daybook.BlockQuery{Log: h.Log, To: 1 << 30})), blocks)
	x.same(len(all(x, x.Slips(x.ctx, h.Log, daybook.SlipKey{}, daybook.SlipKey{Kind: 15}))), rest)
	x.same(len(x.notes(h.Log, 0, 99, false)), rest)
	keys, err := x.Keys(x.ctx, []daybook.KeyRef{{Log: h.Log, Hash: [16]byte{1}}})
	x.must(err)
	x.same(len(keys), rest)
}

var dropPromises = []promise{
	{"CloseLogs closes every log of an org for good, and no other", func(x *trial) {
		h, other := x.log("org"), x.log("other")
		next, err := x.NewEpoch(x.ctx, h.Log)
		x.must(err)
		for range 2 {
			x.must(x.CloseLogs(x.ctx, "org"))
			x.must(x.CloseLogs(x.ctx, "nobody"))
			x.reopen()
			heads, err := x.LogHeads(x.ctx, []daybook.LogNo{h.Log, next.Log, other.Log})
			x.must(err)
			x.same([]daybook.LogState{heads[0].State, heads[1].State, heads[2].State}, []daybook.LogState{daybook.LogClosed, daybook.LogClosed, daybook.LogOpen})
			x.same(x.log("org").Log, next.Log)
		}
	}},
	{"DropLog of a log that is not closed is an error and removes nothing", func(x *trial) {
		h := x.furnish("org", 3)
		if _, err := x.DropLog(x.ctx, h.Log); err == nil {
			x.Fatal("an open log was dropped")
		}
		next, err := x.NewEpoch(x.ctx, h.Log)
		x.must(err)
		if _, err := x.DropLog(x.ctx, h.Log); err == nil {
			x.Fatal("a frozen log was dropped")
		}
		x.left(h, 3, 1)
		x.same(x.log("org").Log, next.Log)
	}},
	{"DropLog removes all of a log, in parts, and nothing of another", func(x *trial) {
		const blocks = 300
		h, other := x.furnish("org", blocks), x.furnish("other", 5)
		x.must(x.CloseLogs(x.ctx, "org"))
		if gone, err := x.DropLog(x.ctx, h.Log); err != nil || gone {
			x.Fatalf("%v after the first part, %v", gone, err)
		}
		x.reopen()
		x.same(x.log("org").Log, h.Log) // what is left is found
		if calls := x.drop(h.Log); calls < 2 {
			x.Fatalf("%d blocks went in %d transactions", blocks, calls+1)
		}
		for range 2 {
			x.left(h, 0, 0)
			_, err := x.LogHeads(x.ctx, []daybook.LogNo{h.Log})
			x.want(err, daybook.ErrNotExist)
			x.want(x.PutNote(x.ctx, h.Log, note(9, baseAt)), daybook.ErrNotExist)
			epochs, err := x.Epochs(x.ctx, "org")
			x.must(err)
			x.same(epochs, []daybook.Head(nil))
			x.left(other, 5, 1)
			x.reopen()
		}
		x.same(x.log("other"), other)
	}},
	{"DropLog of a log that is not there says that nothing is left", func(x *trial) {
		for range 2 {
			gone, err := x.DropLog(x.ctx, 77)
			x.must(err)
			x.same(gone, true)
		}
	}},
	{"the next log of an org whose logs were dropped has a number and an id of its own, and epoch 0", func(x *trial) {
		h := x.log("org")
		next, err := x.NewEpoch(x.ctx, h.Log)
		x.must(err)
		x.must(x.CloseLogs(x.ctx, "org"))
		x.drop(next.Log)
		x.same(x.log("org").Log, h.Log)
		x.drop(h.Log)
		x.reopen()
		heads, err := x.Heads(x.ctx, []daybook.OrgID{"org"}, false)
		x.must(err)
		x.same(heads[0].Log, daybook.LogNo(0))
		again := x.log("org")
		if again.Log <= next.Log || again.LogID == h.LogID || again.LogID == next.LogID || again.Epoch != 0 || again.State != daybook.LogOpen {
			x.Fatalf("%+v after %+v and %+v", again, h, next)
		}
	}},
	{"DeleteOrg removes every document of an org, and no other", func(x *trial) {
		d := x.documents()
		for i := range 250 { // more than a driver deletes in one transaction
			for _, org := range []daybook.OrgID{"org", "Org", ""} {
				_, err := d.Put(x.ctx, daybook.Document{Kind: "k" + strconv.Itoa(i%3), Org: org, ID: strconv.Itoa(i), Data: json.RawMessage("{}")})
				x.must(err)
			}
		}
		x.must(d.DeleteOrg(x.ctx, "org"))
		if err := d.DeleteOrg(x.ctx, ""); err == nil {
			x.Fatal("the documents of the instance were deleted")
		}
		for range 2 {
			for org, want := range map[daybook.OrgID]int{"org": 0, "Org": 250, "": 250} {
				n := 0
				for _, kind := range []string{"k0", "k1", "k2"} {
					list, err := x.documents().List(x.ctx, kind, org, "", 1000)
					x.must(err)
					n += len(list)
				}
				x.same(n, want)
			}
			x.reopen()
		}
	}},
}
