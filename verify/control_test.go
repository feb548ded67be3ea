package verify_test

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/verify"
)

// all is a bundle of the whole log.
func (m *made) all() string { return m.bundle(bundleOf{to: m.size(), size: m.size()}) }

func TestRemoval(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		make func(m *made)
		exit int
		code verify.Code
	}{
		"erased whole":  {func(m *made) { m.entries[2].gone = true; m.erase("2") }, 0, ""},
		"erased fields": {func(m *made) { m.entries[2].erased[1] = true; m.entries[2].erased[3] = true; m.erase("2:1,3") }, 0, ""},
		"erased fields one by one": {func(m *made) {
			m.entries[2].erased[1] = true
			m.entries[2].erased[3] = true
			m.erase("2:1")
			m.erase("1-3:3")
		}, 0, ""},
		"erased whole, shown as fields":    {func(m *made) { m.entries[2].erased[1] = true; m.erase("2") }, 0, ""},
		"another field erased":             {func(m *made) { m.entries[2].erased[1] = true; m.erase("2:2") }, 6, verify.UnauthorisedRemoval},
		"all fields erased, shown as leaf": {func(m *made) { m.entries[2].gone = true; m.erase("2:0,1,2,3") }, 6, verify.UnauthorisedRemoval},
		"pruned":                           {func(m *made) { m.entries[2].gone = true; m.entries[3].gone = true; m.prune("2-3", "leaf") }, 0, ""},
		"pruned in two": {func(m *made) {
			m.entries[2].gone = true
			m.entries[3].gone = true
			m.prune("2", "leaf")
			m.prune("3", "leaf")
		}, 0, ""},
		"one too many":                  {func(m *made) { m.entries[2].gone = true; m.entries[3].gone = true; m.prune("2", "leaf") }, 6, verify.UnauthorisedRemoval},
		"pruned to hash":                {func(m *made) { m.entries[2].hashed = true; m.prune("2", "hash") }, 0, ""},
		"pruned to tile, still a hash":  {func(m *made) { m.entries[2].hashed = true; m.prune("2", "tile") }, 0, ""},
		"pruned to hash, still a leaf":  {func(m *made) { m.entries[2].gone = true; m.prune("2", "hash") }, 0, ""},
		"pruned to leaf, shown as hash": {func(m *made) { m.entries[2].hashed = true; m.prune("2", "leaf") }, 6, verify.UnauthorisedRemoval},
		"erased, shown as hash":         {func(m *made) { m.entries[2].hashed = true; m.erase("2") }, 6, verify.UnauthorisedRemoval},
		"pruned, a field withheld":      {func(m *made) { m.entries[2].erased[0] = true; m.prune("2", "leaf") }, 6, verify.UnauthorisedRemoval},
		"erased by a later part":        {func(m *made) { m.entries[2].gone = true; m.erase("1"); m.erase("2") }, 0, ""},
		"erased under a hold":           {func(m *made) { m.hold("h", "1-2"); m.erase("2") }, 6, verify.HoldViolated},
		"a field erased under a hold":   {func(m *made) { m.hold("h", "2"); m.erase("2:1") }, 6, verify.HoldViolated},
		"another field held":            {func(m *made) { m.hold("h", "2:0"); m.erase("2:1") }, 0, ""},
		"pruned under a hold on all":    {func(m *made) { m.hold("h", "*"); m.prune("0", "leaf") }, 6, verify.HoldViolated},
		"erased beside a hold":          {func(m *made) { m.hold("h", "1"); m.erase("2") }, 0, ""},
		"erased before a hold":          {func(m *made) { m.erase("2"); m.hold("h", "2") }, 0, ""},
		"erased after the release":      {func(m *made) { m.hold("h", "2"); m.release("h"); m.erase("2") }, 0, ""},
		"one of two holds released":     {func(m *made) { m.hold("h", "2"); m.hold("i", "2"); m.release("h"); m.erase("2") }, 6, verify.HoldViolated},
		"a hold in two parts":           {func(m *made) { m.hold("h", "2"); m.hold("h", "3"); m.erase("3") }, 6, verify.HoldViolated},
		"a hold that matched nothing":   {func(m *made) { m.add(leaf.Control, `{"op":"hold","state":"placed","hold_id":"h"}`); m.erase("2") }, 0, ""},
		// The fields of an erase entry: 0 /erasure_id, 1 /items, 2 /op, 3 /part, 4 /parts, 5 /reason.
		"a control entry as a leaf":        {func(m *made) { m.entries[m.erase("2")].gone = true }, 6, verify.ControlWithheld},
		"a control entry without its op":   {func(m *made) { m.entries[m.erase("2")].erased[2] = true; m.erase("5:2") }, 6, verify.ControlWithheld},
		"a control entry without items":    {func(m *made) { m.entries[m.erase("2")].erased[1] = true; m.erase("5:1") }, 6, verify.ControlWithheld},
		"the reason of a control entry":    {func(m *made) { m.entries[m.erase("2")].erased[5] = true; m.erase("5:5") }, 0, ""},
		"no items":                         {func(m *made) { m.add(leaf.Control, `{"op":"erase","erasure_id":"x"}`) }, 6, verify.Malformed},
		"no op":                            {func(m *made) { m.add(leaf.Control, `{"opp":"erase"}`) }, 6, verify.ControlWithheld},
		"an op that is no text":            {func(m *made) { m.add(leaf.Control, `{"op":{"erase":1}}`) }, 6, verify.ControlWithheld},
		"bad items":                        {func(m *made) { m.erase("2;1") }, 6, verify.Malformed},
		"all entries erased":               {func(m *made) { m.erase("*") }, 6, verify.Malformed},
		"itself":                           {func(m *made) { m.erase("5") }, 6, verify.Malformed},
		"a prune of fields":                {func(m *made) { m.prune("2:1", "leaf") }, 6, verify.Malformed},
		"a prune that keeps nothing known": {func(m *made) { m.prune("2", "nothing") }, 7, verify.Unsupported},
		"a hold that is neither":           {func(m *made) { m.add(leaf.Control, `{"op":"hold","state":"maybe","hold_id":"h"}`) }, 7, verify.Unsupported},
		"a key entry":                      {func(m *made) { m.add(leaf.Control, `{"op":"key","state":"retired","vkey":"x","generation":1}`) }, 0, ""},
		"an epoch in the middle":           {func(m *made) { m.add(leaf.Control, `{"op":"epoch","epoch":1}`) }, 6, verify.Malformed},
		"unknown members": {func(m *made) {
			m.entries[2].gone = true
			m.add(leaf.Control, `{"op":"erase","items":"2","colour":"red"}`)
		}, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := events(t, 5)
			c.make(m)
			m.event()
			if c.code == "" {
				check(t, m.all(), m.pinned(), 0)
				// Every range says the same: what explains a removal is a control line.
				for from := range m.size() {
					check(t, m.bundle(bundleOf{from: from, to: from + 1, size: m.size()}), m.pinned(), 0)
				}
				return
			}
			check(t, m.all(), m.pinned(), c.exit, c.code)
		})
	}
}

func TestRemoval_copy(t *testing.T) {
	t.Parallel()
	m := events(t, 5)
	m.entries[1].erased[0] = true
	m.entries[3].hashed = true
	text := func(header string) string { return m.bundle(bundleOf{to: 5, size: 5, header: header}) }
	check(t, text(""), m.pinned(), 6, verify.UnauthorisedRemoval)
	check(t, text(`,"mask":["/action"]`), m.pinned(), 6, verify.UnauthorisedRemoval)
	check(t, text(`,"filter":"a"`), m.pinned(), 6, verify.UnauthorisedRemoval)
	r := check(t, text(`,"filter":"a","mask":["/action"]`), m.pinned(), 0)
	if !r.Filtered || !r.Masked || len(r.Notes) != 1 || r.Withheld != 1 || r.Hashed != 1 || r.Entries != 4 {
		t.Errorf("the report of a filtered and masked copy: %+v", r)
	}
	// A body that is gone needs a reason in every copy.
	m.entries[4].gone = true
	check(t, text(`,"filter":"a","mask":["/action"]`), m.pinned(), 6, verify.UnauthorisedRemoval)
}

func TestRemoval_notCarriedOut(t *testing.T) {
	t.Parallel()
	for name, remove := range map[string]func(m *made){
		"whole":  func(m *made) { m.erase("2") },
		"pruned": func(m *made) { m.prune("1-2", "leaf"); m.entries[1].gone = true },
		"field":  func(m *made) { m.erase("2:1,2"); m.entries[2].erased[1] = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := events(t, 5)
			remove(m)
			if r := check(t, m.all(), m.pinned(), 0); len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "entry 2 is shown") {
				t.Errorf("notes: %q", r.Notes)
			}
		})
	}
}

// TestHolds_remembered: a hold from before the range is still in force, and the report says which are at the end.
func TestHolds_remembered(t *testing.T) {
	t.Parallel()
	m := events(t, 5)
	m.hold("h", "1-2;4")
	m.hold("i", "0")
	m.release("i")
	r := check(t, m.all(), m.pinned(), 0)
	if len(r.Holds) != 1 || len(r.Holds["h"]) != 1 || r.Holds["h"][0].String() != "1-2;4" {
		t.Fatalf("holds: %v", r.Holds)
	}
	from := m.size()
	m.erase("4")
	lines := m.bundleLines(bundleOf{from: from, to: from + 1, size: from + 1})
	var without []string
	for _, l := range lines {
		if !strings.HasPrefix(l, `{"t":"control"`) {
			without = append(without, l)
		}
	}
	check(t, foot(without), m.pinned(), 0)
	state := verify.State{}
	if !state.Remember(r, nil) || state[madeOrigin].Size != from {
		t.Fatalf("remembered: %+v", state[madeOrigin])
	}
	q := bundleOf{from: from, to: from + 1, size: from + 1, head: []func(int64) string{m.older(from, ceil(time.UnixMicro(m.entries[from-1].leaf.ReceivedAt)))}}
	check(t, m.bundle(q), verify.Options{State: state}, 6, verify.HoldViolated)
	if len(r.Holds) != 1 || len(r.Holds["h"]) != 1 {
		t.Error("the caller's holds were changed")
	}
	// A hold that was placed after the remembered size is not yet in force below it.
	m.hold("j", "0")
	q.to, q.size = m.size(), m.size()
	if r := check(t, m.bundle(q), verify.Options{State: state}, 6, verify.HoldViolated); len(r.Findings) != 1 || state.Remember(r, nil) {
		t.Errorf("findings: %v", r.Findings)
	}
}

// TestBundle_honest: no honest history is ever reported, whatever was removed, held, rotated and shown of it.
func TestBundle_honest(t *testing.T) {
	t.Parallel()
	each := 10 // of a hundred
	if nightly {
		each = 1000
	}
	rapid.Check(t, func(rt *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		for range each {
			honest(t, rt, rng)
		}
	})
}

// honest makes one history and verifies a part of it. In some the first run of 256 entries was pruned with its hashes.
func honest(t *testing.T, rt *rapid.T, rng *rand.Rand) {
	t.Helper()
	m := newMade(t)
	first := m.pinned()
	var held []leaf.Items
	var heads []func(int64) string
	begin := int64(0)
	if rng.IntN(10) == 0 {
		for begin = range int64(256) {
			m.event()
			m.entries[begin].gone = true
		}
		begin++
		m.prune("0-255", "tile")
	}
	for range 1 + rng.IntN(60) {
		m.step(rng, &held, &heads)
	}
	m.event()
	size := m.size()
	from := begin + rng.Int64N(size-begin)
	to := from + 1 + rng.Int64N(size-from)
	r := verify.Bundle(strings.NewReader(m.bundle(bundleOf{from: from, to: to, size: size, head: heads})), first)
	if r.Exit() != 0 || len(r.Findings) > 0 || len(r.Notes) > 0 && begin == 0 {
		rt.Fatalf("[%d,%d) of %d: exit %d, %v, %v", from, to, size, r.Exit(), r.Findings, r.Notes)
	}
	if whole := r.Unexplained(0, begin); begin > 0 && from == begin && to == size && len(whole) > 0 {
		rt.Fatalf("the prune entry does not explain %v", whole)
	}
}

// step does one honest thing to the log.
func (m *made) step(rng *rand.Rand, held *[]leaf.Items, heads *[]func(int64) string) {
	var live []int
	for i, e := range m.entries {
		free := e.leaf.Kind == leaf.Event && !e.gone
		for _, items := range *held {
			free = free && !items.Covers(int64(i), -1)
		}
		if free {
			live = append(live, i)
		}
	}
	pick := func() int { return live[rng.IntN(len(live))] }
	switch n := rng.IntN(20); {
	case n == 0 && len(live) > 0:
		i := pick()
		m.entries[i].gone = true
		m.erase(strconv.Itoa(i))
	case n == 1 && len(live) > 0:
		i, f := pick(), rng.IntN(4)
		m.entries[i].erased[f] = true
		m.erase(strconv.Itoa(i) + ":" + strconv.Itoa(f))
	case n == 2 && len(live) > 0:
		i := pick()
		m.entries[i].gone = true
		m.prune(strconv.Itoa(i), "leaf")
	case n == 3 && len(live) > 0:
		i := pick()
		m.entries[i].gone, m.entries[i].hashed = true, true
		m.prune(strconv.Itoa(i), "hash")
	case n == 4 && len(*held) == 0 && len(m.entries) > 0:
		items, err := leaf.ParseItems("0-" + strconv.Itoa(len(m.entries)))
		if err != nil {
			m.t.Fatal(err)
		}
		m.hold("h", items.String())
		*held = append(*held, items)
	case n == 5 && len(*held) > 0:
		m.release("h")
		*held = nil
	case n == 6 && len(m.entries) > 0 && len(*heads) < 5:
		*heads = append(*heads, m.rotate("log "+strconv.Itoa(len(*heads)+2)))
	default:
		m.now = m.now.Add(time.Duration(rng.IntN(1e9)))
		m.event()
	}
}
