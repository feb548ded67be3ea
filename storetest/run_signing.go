package storetest

import (
	"errors"
	"sync"

	"github.com/daybook-audit/daybook"
)

// note returns a checkpoint of size with a text that says which it is.
func note(size, at int64) daybook.StoredNote {
	return daybook.StoredNote{Size: size, At: at, Note: []byte("note of size " + string(rune('a'+size)))}
}

// notes lists checkpoints of log.
func (x *trial) notes(log daybook.LogNo, from, to int64, desc bool) []daybook.StoredNote {
	x.Helper()
	return all(x, x.Notes(x.ctx, log, from, to, desc))
}

// signed fails unless the shard takes commits received at that time and later, and none before.
func (x *trial) signed(at int64) {
	x.Helper()
	x.same(x.shard().Signed, at)
	c := commit(x.shard().Last, 100)
	c.At = at - 1
	x.want(x.Append(x.ctx, c), daybook.ErrHeadMoved)
	c.At = at
	x.must(x.Append(x.ctx, c))
}

var signingPromises = []promise{
	{"PutNote keeps checkpoints, and Notes lists them by size, both ways", func(x *trial) {
		h, other := x.log("org"), x.log("other")
		for _, size := range []int64{5, 0, 9, 2} {
			x.must(x.PutNote(x.ctx, h.Log, note(size, baseAt+size)))
		}
		x.must(x.PutNote(x.ctx, other.Log, note(5, baseAt)))
		for range 2 {
			x.same(x.notes(h.Log, 0, 10, false), []daybook.StoredNote{note(0, baseAt), note(2, baseAt+2), note(5, baseAt+5), note(9, baseAt+9)})
			x.same(x.notes(h.Log, 0, 9, true), []daybook.StoredNote{note(5, baseAt+5), note(2, baseAt+2), note(0, baseAt)})
			x.same(x.notes(h.Log, 2, 6, false), []daybook.StoredNote{note(2, baseAt+2), note(5, baseAt+5)})
			x.same(x.notes(h.Log, 3, 5, false), []daybook.StoredNote(nil))
			x.same(x.notes(other.Log, 0, 99, true), []daybook.StoredNote{note(5, baseAt)})
			x.reopen()
		}
	}},
	{"Notes of many checkpoints lists each once, whatever is put meanwhile", func(x *trial) {
		h := x.log("org")
		const n = 1000
		for size := range int64(n) {
			x.must(x.PutNote(x.ctx, h.Log, daybook.StoredNote{Size: 2 * size, At: size, Note: []byte("note")}))
		}
		for _, desc := range []bool{false, true} {
			count, last := 0, int64(-1)
			for got, err := range x.Notes(x.ctx, h.Log, 0, 2*n, desc) {
				x.must(err)
				if count > 0 && (got.Size > last) == desc {
					x.Fatalf("%d after %d", got.Size, last)
				}
				if count == 500 {
					x.must(x.PutNote(x.ctx, h.Log, daybook.StoredNote{Size: 5*n + map[bool]int64{true: 1}[desc], Note: []byte("note")}))
				}
				last = got.Size
				count++
			}
			x.same(count, n)
		}
		for got, err := range x.Notes(x.ctx, h.Log, 0, 2*n, true) {
			x.must(err)
			x.same(got.Size, int64(2*n-2))
			break
		}
	}},
	{"Notes of a log that is not there is empty", func(x *trial) {
		x.same(x.notes(77, 0, 100, false), []daybook.StoredNote(nil))
	}},
	{"PutNote of a log that is not there is ErrNotExist and signs nothing", func(x *trial) {
		x.want(x.PutNote(x.ctx, 77, note(1, baseAt)), daybook.ErrNotExist)
		x.same(x.shard().Signed, int64(0))
	}},
	{"PutNote raises Signed, and no commit is taken from before it", func(x *trial) {
		h, other := x.log("org"), x.log("other")
		x.fill(2, 100)
		x.must(x.PutNote(x.ctx, h.Log, note(1, baseAt+1000)))
		x.signed(baseAt + 1000)
		x.must(x.PutNote(x.ctx, other.Log, note(1, baseAt+10)))
		x.signed(baseAt + 1000)
		x.reopen()
		x.signed(baseAt + 1000)
	}},
	{"PutNote of a size that is there is ErrExists, changes no note, and raises Signed even then", func(x *trial) {
		h := x.log("org")
		x.must(x.PutNote(x.ctx, h.Log, note(3, baseAt)))
		for range 2 {
			x.want(x.PutNote(x.ctx, h.Log, daybook.StoredNote{Size: 3, At: baseAt + 50, Note: []byte("another")}), daybook.ErrExists)
			x.same(x.notes(h.Log, 0, 9, false), []daybook.StoredNote{note(3, baseAt)})
			x.signed(baseAt + 50)
		}
	}},
	{"of many PutNotes of one size one wins", func(x *trial) {
		h := x.log("org")
		var group sync.WaitGroup
		var mu sync.Mutex
		won := 0
		for i := range 8 {
			group.Go(func() {
				err := x.PutNote(x.ctx, h.Log, daybook.StoredNote{Size: 1, At: int64(i), Note: []byte{byte(i)}})
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					won++
				case !errors.Is(err, daybook.ErrExists):
					x.Error(err)
				}
			})
		}
		group.Wait()
		x.same(won, 1)
	}},
	{"NewEpoch freezes the log and makes the next, empty, with its own log id", func(x *trial) {
		h := x.fold(x.log("org"), block(0, 10, 1))
		x.log("other")
		next, err := x.NewEpoch(x.ctx, h.Log)
		x.must(err)
		frozen := h
		frozen.State = daybook.LogFrozen
		for range 2 {
			x.same(next, daybook.Head{Log: next.Log, Org: "org", Epoch: 1, LogID: next.LogID})
			if next.Log == h.Log || next.LogID == h.LogID {
				x.Fatal("the new log has the number or the id of the old one")
			}
			x.same(x.log("org"), next)
			epochs, err := x.Epochs(x.ctx, "org")
			x.must(err)
			x.same(epochs, []daybook.Head{frozen, next})
			heads, err := x.LogHeads(x.ctx, []daybook.LogNo{h.Log, next.Log})
			x.must(err)
			x.same(heads, epochs)
			x.same(refs(x.blocks(daybook.BlockQuery{Log: h.Log, To: 99})), "0.1")
			x.reopen()
		}
	}},
	{"NewEpoch of a log that is not the newest writes nothing and returns the next", func(x *trial) {
		h := x.log("org")
		first, err := x.NewEpoch(x.ctx, h.Log)
		x.must(err)
		second, err := x.NewEpoch(x.ctx, first.Log)
		x.must(err)
		for range 2 {
			again, err := x.NewEpoch(x.ctx, h.Log)
			x.must(err)
			x.same(again.Log, first.Log)
			x.same(x.log("org"), second)
		}
	}},
	{"NewEpoch of a log that is not there is ErrNotExist", func(x *trial) {
		_, err := x.NewEpoch(x.ctx, 77)
		x.want(err, daybook.ErrNotExist)
	}},
	{"Epochs of an org without a log is empty", func(x *trial) {
		x.log("org")
		epochs, err := x.Epochs(x.ctx, "other")
		x.must(err)
		x.same(epochs, []daybook.Head(nil))
	}},
}
