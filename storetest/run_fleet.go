package storetest

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
)

// RunFleet tests that a driver keeps every promise of [daybook.Fleet], and those of [daybook.Store] that only a store of several processes
// makes. open opens the store that belongs to t, empty at first; called again with the same t it opens the same store once more, beside
// the handles that are open, as another process would. RunFleet closes the handles. What open made is removed when t ends.
func RunFleet(t *testing.T, open func(tb testing.TB) daybook.Store) {
	t.Helper()
	for _, p := range fleetPromises {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			x := &fleetTrial{trial: &trial{T: t, open: open}}
			x.reopen()
			x.mine = x.fleetOf(x.Store)
			other := open(t)
			x.Cleanup(func() {
				if err := other.Close(); err != nil {
					x.Errorf("close: %v", err)
				}
			})
			x.other, x.others = other, x.fleetOf(other)
			p.test(x)
		})
	}
}

// fleetTrial is one subtest with two handles to one store.
type fleetTrial struct {
	*trial
	mine   daybook.Fleet
	other  daybook.Store
	others daybook.Fleet
}

func (x *fleetTrial) fleetOf(s daybook.Store) daybook.Fleet {
	x.Helper()
	f, ok := s.(daybook.Fleet)
	if !ok {
		x.Fatalf("%T is no daybook.Fleet", s)
	}
	return f
}

// lateness is by how much an answer may be later than promised, on a machine with more to do.
const lateness = 3 * time.Minute

// place returns where shard 0 stands, as this handle sees it.
func (x *fleetTrial) place() daybook.Place {
	x.Helper()
	ps, err := x.mine.Watch(x.ctx, nil)
	x.must(err)
	if len(ps) != x.Shards() {
		x.Fatalf("%d places of %d shards", len(ps), x.Shards())
	}
	return ps[0]
}

// watch calls Watch with what it answered before, and returns what it answers then.
func (x *fleetTrial) watch(seen []daybook.Place) <-chan []daybook.Place {
	answer := make(chan []daybook.Place, 1)
	go func() {
		ctx, cancel := context.WithTimeout(x.ctx, lateness)
		defer cancel()
		ps, err := x.mine.Watch(ctx, seen)
		if err != nil {
			x.Errorf("watch: %v", err)
		}
		answer <- ps
	}()
	return answer
}

// moved returns the heads of the logs that changed since a mark, by number, and the mark of now.
func (x *fleetTrial) moved(since int64) ([]daybook.Head, int64) {
	x.Helper()
	heads, now, err := x.mine.Moved(x.ctx, 0, since)
	x.must(err)
	slices.SortFunc(heads, func(a, b daybook.Head) int { return int(a.Log - b.Log) })
	return heads, now
}

// orgOf returns an org with a prefix whose logs are in shard 0.
func (x *fleetTrial) orgOf(prefix string) daybook.OrgID {
	org := daybook.OrgID(prefix)
	for n := 0; daybook.ShardOf(org, x.Shards()) != 0; n++ {
		org = daybook.OrgID(prefix + strconv.Itoa(n))
	}
	return org
}

// changes are what another process does to the log of an org that Moved must tell of.
var changes = []struct {
	name string
	do   func(x *fleetTrial, h daybook.Head)
}{
	{"Replace", func(x *fleetTrial, h daybook.Head) {
		x.must(x.other.Replace(x.ctx, []daybook.Swap{{Log: h.Log, In: []daybook.Block{block(0, 10, 1)}, Fold: folded(h, 10)}}))
	}},
	{"Replace of nothing", func(x *fleetTrial, h daybook.Head) { x.must(x.other.Replace(x.ctx, []daybook.Swap{{Log: h.Log}})) }},
	{"NewEpoch", func(x *fleetTrial, h daybook.Head) {
		_, err := x.other.NewEpoch(x.ctx, h.Log)
		x.must(err)
	}},
	{"CloseLogs", func(x *fleetTrial, h daybook.Head) { x.must(x.other.CloseLogs(x.ctx, h.Org)) }},
	{"DropLog", func(x *fleetTrial, h daybook.Head) {
		for gone := false; !gone; {
			var err error
			gone, err = x.other.DropLog(x.ctx, h.Log)
			x.must(err)
		}
	}},
}

var fleetPromises = []struct {
	name string
	test func(x *fleetTrial)
}{
	{"Watch answers at once what differs from seen, and nil differs", func(x *fleetTrial) {
		x.same(x.place().Last, daybook.CommitNo(0))
		x.must(x.other.Append(x.ctx, commit(0, 100)))
		x.same(x.place().Last, daybook.CommitNo(1))
		older := make([]daybook.Place, x.Shards())
		x.same((<-x.watch(older))[0].Last, daybook.CommitNo(1))
	}},
	{"Watch waits until another process has committed", func(x *fleetTrial) {
		seen, err := x.mine.Watch(x.ctx, nil)
		x.must(err)
		for n := range daybook.CommitNo(5) {
			answer := x.watch(seen)
			x.must(x.other.Append(x.ctx, commit(n, 100)))
			if seen = <-answer; seen[0].Last != n+1 {
				x.Fatalf("commit %d was told as %d", n+1, seen[0].Last)
			}
		}
	}},
	{"Watch tells this process of its own commits too", func(x *fleetTrial) {
		seen, err := x.mine.Watch(x.ctx, nil)
		x.must(err)
		answer := x.watch(seen)
		x.must(x.Append(x.ctx, commit(0, 100)))
		x.same((<-answer)[0].Last, daybook.CommitNo(1))
	}},
	{"what Watch returns is never behind what another process was told", func(x *fleetTrial) {
		h := x.log(x.orgOf("org"))
		for n := range daybook.CommitNo(20) {
			x.must(x.other.Append(x.ctx, commit(n, 100)))
			before := x.place()
			if before.Last != n+1 {
				x.Fatalf("the place is %d after commit %d", before.Last, n+1)
			}
			x.must(x.other.Replace(x.ctx, []daybook.Swap{{Log: h.Log}}))
			if after := x.place(); after.Moved <= before.Moved {
				x.Fatalf("a Replace raised Moved from %d to %d", before.Moved, after.Moved)
			}
		}
	}},
	{"Watch ends with its context", func(x *fleetTrial) {
		seen, err := x.mine.Watch(x.ctx, nil)
		x.must(err)
		ctx, cancel := context.WithCancel(x.ctx)
		done := make(chan error, 1)
		go func() {
			_, err := x.mine.Watch(ctx, seen)
			done <- err
		}()
		cancel()
		x.want(<-done, context.Canceled)
	}},
	{"Watch tells of every change of a log, and Moved of which", func(x *fleetTrial) {
		h, quiet := x.log(x.orgOf("org")), x.log(x.orgOf("quiet"))
		x.must(x.Replace(x.ctx, []daybook.Swap{{Log: quiet.Log}}))
		seen, err := x.mine.Watch(x.ctx, nil)
		x.must(err)
		for _, c := range changes {
			answer := x.watch(seen)
			c.do(x, h)
			ps := <-answer
			if ps[0].Moved <= seen[0].Moved {
				x.Fatalf("%s: Moved went from %d to %d", c.name, seen[0].Moved, ps[0].Moved)
			}
			heads, now := x.moved(seen[0].Moved)
			if now < ps[0].Moved || len(heads) == 0 || heads[0].Log != h.Log || slices.ContainsFunc(heads, func(m daybook.Head) bool { return m.Log == quiet.Log }) {
				x.Fatalf("%s: moved since %d: %+v, as of %d", c.name, seen[0].Moved, heads, now)
			}
			if again, _ := x.moved(now); len(again) > 0 {
				x.Fatalf("%s: moved since %d: %+v", c.name, now, again)
			}
			if c.name == "DropLog" {
				x.same(heads[0], daybook.Head{Log: h.Log})
			} else {
				is, err := x.LogHeads(x.ctx, []daybook.LogNo{h.Log})
				x.must(err)
				x.same(heads[0], is[0])
			}
			if seen, err = x.mine.Watch(x.ctx, nil); err != nil {
				x.Fatal(err)
			}
		}
	}},
	{"Moved since 0 names every log", func(x *fleetTrial) {
		var want []daybook.LogNo
		for _, name := range []string{"a", "b", "c"} {
			want = append(want, x.log(x.orgOf(name)).Log)
		}
		var got []daybook.LogNo
		heads, _ := x.moved(0)
		for _, h := range heads {
			got = append(got, h.Log)
		}
		x.same(got, want)
	}},
	{"a log that was dropped may be named again for ever, and its number never comes back", func(x *fleetTrial) {
		org := x.orgOf("org")
		h := x.log(org)
		x.must(x.other.CloseLogs(x.ctx, org))
		changes[4].do(x, h)
		if again := x.log(org); again.Log == h.Log {
			x.Fatalf("log %d came back", h.Log)
		}
	}},
	{"a swap that was planned in another turn writes nothing", func(x *fleetTrial) {
		h := x.log(x.orgOf("org"))
		if h.Turn < 1 {
			x.Fatalf("a new log is in turn %d", h.Turn)
		}
		x.must(x.Replace(x.ctx, []daybook.Swap{{Log: h.Log, In: []daybook.Block{block(0, 10, 1)}, Fold: folded(h, 10), Turn: h.Turn}}))
		slip := daybook.Slip{SlipKey: daybook.SlipKey{Kind: 4, B: 2}, Bytes: []byte("slip")}
		for _, turn := range []int64{h.Turn, h.Turn + 2} {
			x.want(x.other.Replace(x.ctx, []daybook.Swap{{Log: h.Log, Slips: []daybook.Slip{slip}, Turn: turn}}), daybook.ErrSwapped)
		}
		if slips := all(x.trial, x.Slips(x.ctx, h.Log, daybook.SlipKey{}, daybook.SlipKey{Kind: 15})); len(slips) > 0 {
			x.Fatalf("%d slips were written", len(slips))
		}
		x.must(x.other.Replace(x.ctx, []daybook.Swap{{Log: h.Log, Slips: []daybook.Slip{slip}, Turn: h.Turn + 1}}))
	}},
	{"every swap raises the turn of its log by one, and turn 0 is not compared", func(x *fleetTrial) {
		a, b := x.log(x.orgOf("a")), x.log(x.orgOf("b"))
		swaps := []daybook.Swap{{Log: a.Log}, {Log: b.Log}, {Log: a.Log, Turn: a.Turn + 1}}
		x.must(x.Replace(x.ctx, swaps))
		heads, err := x.other.LogHeads(x.ctx, []daybook.LogNo{a.Log, b.Log})
		x.must(err)
		if heads[0].Turn != a.Turn+2 || heads[1].Turn != b.Turn+1 {
			x.Fatalf("turns went from %d and %d to %d and %d", a.Turn, b.Turn, heads[0].Turn, heads[1].Turn)
		}
		x.want(x.other.Replace(x.ctx, swaps), daybook.ErrSwapped)
		turns := map[string][]daybook.Head{"LogHeads": heads[:1]}
		turns["Heads"], err = x.Heads(x.ctx, []daybook.OrgID{a.Org}, false)
		x.must(err)
		turns["Epochs"], err = x.Epochs(x.ctx, a.Org)
		x.must(err)
		turns["Logs"], err = x.Logs(x.ctx, a.Log-1, 1)
		x.must(err)
		turns["Moved"], _ = x.moved(0)
		for name, hs := range turns {
			if hs[0].Log != a.Log || hs[0].Turn != a.Turn+2 {
				x.Errorf("%s shows log %d in turn %d instead of log %d in turn %d", name, hs[0].Log, hs[0].Turn, a.Log, a.Turn+2)
			}
		}
	}},
	{"Append refuses a commit whose States are older than a NewEpoch or CloseLogs of the shard", func(x *fleetTrial) {
		h := x.log(x.orgOf("org"))
		first := commit(0, 100)
		first.States = x.shard().States
		x.must(x.Append(x.ctx, first))
		next := commit(1, 100)
		next.States = first.States
		for _, c := range changes[2:4] {
			c.do(x, h)
			x.want(x.Append(x.ctx, next), daybook.ErrHeadMoved)
			x.holds(0, first)
			t := x.shard()
			if t.States <= next.States {
				x.Fatalf("%s: States went from %d to %d", c.name, next.States, t.States)
			}
			next.States = t.States
		}
		x.must(x.Append(x.ctx, next))
		x.must(x.Append(x.ctx, next)) // by its id
		x.holds(0, first, next)
	}},
	{"States do not move with what changes nothing about who may append", func(x *fleetTrial) {
		h := x.log(x.orgOf("org"))
		states := x.shard().States
		x.must(x.Replace(x.ctx, []daybook.Swap{{Log: h.Log}}))
		x.must(x.PutNote(x.ctx, h.Log, daybook.StoredNote{Size: 1, At: 1, Note: []byte("note")}))
		x.same(x.shard().States, states)
	}},
	{"two processes append to one shard without a gap", func(x *fleetTrial) {
		const each = 50
		errs := make(chan error, 2)
		for _, s := range []daybook.Store{x.Store, x.other} {
			go func() {
				var err error
				last := daybook.CommitNo(0)
				for n := 0; n < each && err == nil; {
					switch err = s.Append(x.ctx, commit(last, 100)); {
					case err == nil:
						n, last = n+1, last+1
					case errors.Is(err, daybook.ErrHeadMoved):
						var t daybook.Tail
						t, err = s.Tail(x.ctx, 0, last, 1<<20)
						last = t.Last
					}
				}
				errs <- err
			}()
		}
		x.must(errors.Join(<-errs, <-errs))
		t := x.tail(0, 1<<30)
		x.same(t.Last, daybook.CommitNo(2*each))
		x.same(len(t.Rows), 2*each)
	}},
	{"AppendNext gives what is newer, and appends behind it", func(x *fleetTrial) {
		first, second := commit(0, 100), commit(1, 100)
		for after := range daybook.CommitNo(2) {
			x.must(x.other.Append(x.ctx, []*daybook.Commit{first, second}[after]))
		}
		third := commit(2, 100)
		x.must(x.mine.AppendNext(x.ctx, 0, 1, func(newer daybook.Tail) (*daybook.Commit, error) {
			want := x.tail(1, 1<<20)
			x.same(newer, want)
			return third, nil
		}))
		x.holds(0, first, second, third)
		fourth := commit(3, 100)
		x.must(x.mine.AppendNext(x.ctx, 0, 3, func(newer daybook.Tail) (*daybook.Commit, error) {
			x.same(len(newer.Rows), 0)
			return fourth, nil
		}))
		x.must(x.Append(x.ctx, fourth)) // a repeat, by its id
		x.holds(0, first, second, third, fourth)
	}},
	{"AppendNext that builds nothing, or fails to, writes nothing and keeps nobody waiting", func(x *fleetTrial) {
		none := errors.New("none")
		x.must(x.mine.AppendNext(x.ctx, 0, 0, func(daybook.Tail) (*daybook.Commit, error) { return nil, nil }))
		x.want(x.mine.AppendNext(x.ctx, 0, 0, func(daybook.Tail) (*daybook.Commit, error) { return nil, none }), none)
		moved := commit(5, 100)
		x.want(x.mine.AppendNext(x.ctx, 0, 0, func(daybook.Tail) (*daybook.Commit, error) { return moved, nil }), daybook.ErrHeadMoved)
		x.same(x.place().Last, daybook.CommitNo(0))
		x.must(x.other.Append(x.ctx, commit(0, 100)))
	}},
	{"AppendNext names the keys that are taken", func(x *fleetTrial) {
		h := x.log(x.orgOf("org"))
		key := daybook.Key{KeyRef: daybook.KeyRef{Log: h.Log, Hash: [16]byte{1}}, N: 1, Expires: 1 << 40}
		first := commit(0, 100)
		first.Keys = []daybook.Key{key}
		x.must(x.Append(x.ctx, first))
		next := commit(1, 100)
		next.Keys = []daybook.Key{key}
		err := x.mine.AppendNext(x.ctx, 0, 1, func(daybook.Tail) (*daybook.Commit, error) { return next, nil })
		var exists *daybook.KeyExistsError
		if !errors.As(err, &exists) || len(exists.Keys) != 1 || exists.Keys[0] != key.KeyRef {
			x.Fatalf("a taken key: %v", err)
		}
		x.holds(0, first)
	}},
	{"nobody commits while AppendNext builds", func(x *fleetTrial) {
		const each = 30
		errs := make(chan error, 3)
		next := func(f daybook.Fleet) error {
			last := daybook.CommitNo(0)
			for range each {
				if err := f.AppendNext(x.ctx, 0, last, func(newer daybook.Tail) (*daybook.Commit, error) {
					for i, row := range newer.Rows { // perhaps not all of them
						if row.N != last+daybook.CommitNo(i)+1 || row.N > newer.Last {
							x.Errorf("commit %d in place %d after %d, of %d", row.N, i, last, newer.Last)
						}
					}
					last = newer.Last + 1
					return commit(newer.Last, 100), nil
				}); err != nil {
					return err
				}
			}
			return nil
		}
		go func() { errs <- next(x.mine) }()
		go func() { errs <- next(x.others) }()
		go func() {
			var err error
			last := daybook.CommitNo(0)
			for n := 0; n < each && err == nil; {
				switch err = x.Append(x.ctx, commit(last, 100)); {
				case err == nil:
					n, last = n+1, last+1
				case errors.Is(err, daybook.ErrHeadMoved):
					var t daybook.Tail
					t, err = x.Tail(x.ctx, 0, last, 1<<20)
					last = t.Last
				}
			}
			errs <- err
		}()
		x.must(errors.Join(<-errs, <-errs, <-errs))
		t := x.tail(0, 1<<30)
		x.same(t.Last, daybook.CommitNo(3*each))
		x.same(len(t.Rows), 3*each)
	}},
	{"AppendNext that takes too long keeps nobody waiting", func(x *fleetTrial) {
		first, late := commit(0, 100), commit(0, 200)
		err := x.mine.AppendNext(x.ctx, 0, 0, func(daybook.Tail) (*daybook.Commit, error) {
			x.must(x.other.Append(x.ctx, first)) // waits until the other's time is over
			return late, nil
		})
		switch {
		case err == nil:
			x.Fatal("a commit that took too long was appended")
		case !errors.Is(err, daybook.ErrHeadMoved): // the connection broke: the outcome is asked for
			x.want(x.Append(x.ctx, late), daybook.ErrHeadMoved)
		}
		x.holds(0, first)
	}},
	{"a lease has one holder, who may renew it", func(x *fleetTrial) {
		x.must(x.mine.Lease(x.ctx, "work", "me", time.Hour))
		x.want(x.others.Lease(x.ctx, "work", "you", time.Hour), daybook.ErrLeaseHeld)
		x.want(x.mine.Lease(x.ctx, "work", "you", time.Hour), daybook.ErrLeaseHeld)
		x.must(x.mine.Lease(x.ctx, "work", "me", time.Hour))
		x.must(x.others.Lease(x.ctx, "other work", "you", time.Hour))
	}},
	{"a lease that is given back is free, and giving back what is not held is no error", func(x *fleetTrial) {
		x.must(x.others.Lease(x.ctx, "work", "you", 0))
		x.must(x.mine.Lease(x.ctx, "work", "me", time.Hour))
		x.must(x.others.Lease(x.ctx, "work", "you", 0))
		x.want(x.others.Lease(x.ctx, "work", "you", time.Hour), daybook.ErrLeaseHeld)
		x.must(x.mine.Lease(x.ctx, "work", "me", 0))
		x.must(x.mine.Lease(x.ctx, "work", "me", 0))
		x.must(x.others.Lease(x.ctx, "work", "you", time.Hour))
		x.want(x.mine.Lease(x.ctx, "work", "me", time.Hour), daybook.ErrLeaseHeld)
	}},
	{"a lease ends by itself, and whoever took it then has it", func(x *fleetTrial) {
		const ttl = 50 * time.Millisecond
		begin := time.Now() //nolint:forbidigo // a lease ends by a real clock
		x.must(x.mine.Lease(x.ctx, "work", "me", ttl))
		err := daybook.ErrLeaseHeld
		for deadline := begin.Add(lateness); errors.Is(err, daybook.ErrLeaseHeld) && time.Now().Before(deadline); { //nolint:forbidigo // as above
			err = x.others.Lease(x.ctx, "work", "you", time.Hour)
		}
		x.must(err)
		if took := time.Since(begin); took < ttl {
			x.Errorf("a lease of %v ended after %v", ttl, took)
		}
		x.want(x.mine.Lease(x.ctx, "work", "me", ttl), daybook.ErrLeaseHeld)
	}},
	{"a lease outlives the handle that took it", func(x *fleetTrial) {
		x.must(x.mine.Lease(x.ctx, "work", "me", time.Hour))
		x.must(x.Close())
		x.want(x.others.Lease(x.ctx, "work", "you", time.Hour), daybook.ErrLeaseHeld)
		x.must(x.others.Lease(x.ctx, "work", "me", time.Hour))
	}},
	{"after Close, and with an ended context, every method fails", func(x *fleetTrial) {
		ended, cancel := context.WithCancel(x.ctx)
		cancel()
		check := func(when string, ctx context.Context) {
			_, watch := x.mine.Watch(ctx, nil)
			_, _, moved := x.mine.Moved(ctx, 0, 0)
			for name, err := range map[string]error{
				"Watch": watch, "Moved": moved, "Lease": x.mine.Lease(ctx, "work", strings.Repeat("m", 32), time.Hour),
				"AppendNext": x.mine.AppendNext(ctx, 0, 0, func(daybook.Tail) (*daybook.Commit, error) { return commit(0, 100), nil }),
			} {
				if err == nil {
					x.Errorf("%s %s: no error", name, when)
				}
			}
		}
		check("with an ended context", ended)
		x.must(x.Close())
		check("after Close", x.ctx)
		x.must(x.others.Lease(x.ctx, "work", "you", time.Hour))
	}},
}
