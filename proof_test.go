package daybook_test

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"

	ranges "github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/storetest"
)

// provenLog is the log of org_a with what other implementations say about its tree.
type provenLog struct {
	*daybook.Book
	receipts []daybook.Receipt
	stored   []tlog.Hash // as golang.org/x/mod/sumdb/tlog keeps hashes
}

// ReadHashes is what tlog asks.
func (p *provenLog) ReadHashes(at []int64) ([]tlog.Hash, error) {
	hs := make([]tlog.Hash, len(at))
	for i, x := range at {
		hs[i] = p.stored[x]
	}
	return hs, nil
}

func (p *provenLog) root(t testing.TB, size int64) tlog.Hash {
	t.Helper()
	h, err := tlog.TreeHash(size, p)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// add records n events in requests of at most batch.
func (p *provenLog) add(t testing.TB, n, batch int) {
	t.Helper()
	for n > 0 {
		some := min(n, batch)
		for _, rc := range record(t, p.Book, "org_a", daybook.Request{Events: texts(len(p.receipts), some)}) {
			p.receipts = append(p.receipts, rc)
			hs, err := tlog.StoredHashesForRecordHash(rc.Seq, rc.LeafHash, p)
			if err != nil {
				t.Fatal(err)
			}
			p.stored = append(p.stored, hs...)
		}
		n -= some
	}
}

// checkInclusion compares the proof of an entry with tlog's, has merkle check it, and has both refuse altered ones.
func (p *provenLog) checkInclusion(t testing.TB, seq, size int64) {
	t.Helper()
	got, err := p.Inclusion(t.Context(), "org_a", seq, size)
	if err != nil {
		t.Fatal(err)
	}
	want, err := tlog.ProveRecord(size, seq, p)
	if err != nil {
		t.Fatal(err)
	}
	if got.LeafHash != p.receipts[seq].LeafHash || !slices.Equal(got.Proof, want) {
		t.Fatalf("seq %d in size %d: %v, tlog says %v", seq, size, got, want)
	}
	root := p.root(t, size)
	check := func(proofHashes []tlog.Hash, seq int64) bool {
		byTlog := tlog.CheckRecord(proofHashes, size, root, seq, got.LeafHash) == nil
		byMerkle := proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(seq), uint64(size), got.LeafHash[:], raw(proofHashes), root[:]) == nil
		if byTlog != byMerkle {
			t.Fatalf("seq %d in size %d: tlog %t, merkle %t", seq, size, byTlog, byMerkle)
		}
		return byTlog
	}
	if !check(got.Proof, seq) {
		t.Fatalf("seq %d in size %d: the proof is refused", seq, size)
	}
	for i, altered := range alterations(got.Proof) {
		if check(altered, seq) {
			t.Fatalf("seq %d in size %d: alteration %d is accepted", seq, size, i)
		}
	}
	if seq+1 < size && check(got.Proof, seq+1) {
		t.Fatalf("seq %d in size %d: the proof holds for the next seq", seq, size)
	}
}

// checkConsistency does for two sizes what checkInclusion does for an entry.
func (p *provenLog) checkConsistency(t testing.TB, from, to int64) {
	t.Helper()
	got, err := p.Consistency(t.Context(), "org_a", from, to)
	if err != nil {
		t.Fatal(err)
	}
	want, err := tlog.ProveTree(to, from, p)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%d to %d: %v, tlog says %v", from, to, got, want)
	}
	older, newer := p.root(t, from), p.root(t, to)
	check := func(hashes []tlog.Hash) bool {
		byTlog := tlog.CheckTree(hashes, to, newer, from, older) == nil
		byMerkle := proof.VerifyConsistency(rfc6962.DefaultHasher, uint64(from), uint64(to), raw(hashes), older[:], newer[:]) == nil
		if byTlog != byMerkle {
			t.Fatalf("%d to %d: tlog %t, merkle %t", from, to, byTlog, byMerkle)
		}
		return byTlog
	}
	if !check(got) {
		t.Fatalf("%d to %d: the proof is refused", from, to)
	}
	for i, altered := range alterations(got) {
		if check(altered) {
			t.Fatalf("%d to %d: alteration %d is accepted", from, to, i)
		}
	}
}

// alterations returns proofs that differ from hs by one hash changed, left out, doubled or put elsewhere.
func alterations(hs []tlog.Hash) [][]tlog.Hash {
	all := [][]tlog.Hash{append(slices.Clone(hs), tlog.Hash{1})}
	for i := range hs {
		flipped := slices.Clone(hs)
		flipped[i][i%32] ^= 1
		all = append(all, flipped, slices.Delete(slices.Clone(hs), i, i+1))
		if i > 0 {
			swapped := slices.Clone(hs)
			swapped[i], swapped[i-1] = swapped[i-1], swapped[i]
			all = append(all, swapped)
		}
	}
	return all
}

func raw(hs []tlog.Hash) [][]byte {
	out := make([][]byte, len(hs))
	for i := range hs {
		out[i] = hs[i][:]
	}
	return out
}

func TestProofsExhaustive(t *testing.T) {
	t.Parallel()
	all := 65
	if nightly {
		all = 130
	}
	for name, settle := range map[string]func(*provenLog){
		"in memory": func(p *provenLog) { p.add(t, all, 7) },
		"in pieces": func(p *provenLog) {
			for n := 1; n <= 16; n += 3 {
				p.add(t, n, n)
				if err := p.MergeTail(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			p.add(t, all, 50)
		},
		"in whole blocks": func(p *provenLog) {
			p.add(t, 1100, 100)
			if err := p.Settle(t.Context()); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &provenLog{Book: open(t, storetest.Memory(), daybook.Options{})}
			settle(p)
			for size := int64(1); size <= int64(all); size++ {
				for seq := range size {
					p.checkInclusion(t, seq, size)
					p.checkConsistency(t, seq+1, size)
				}
			}
		})
	}
	t.Run("around the widths of runs, windows and tiles", func(t *testing.T) {
		t.Parallel()
		p := &provenLog{Book: open(t, storetest.Memory(), daybook.Options{})}
		p.add(t, 600, 600)
		if err := p.MergeTail(t.Context()); err != nil { // a window and a piece
			t.Fatal(err)
		}
		p.add(t, 34_000, 1000)
		if err := p.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.add(t, 1<<16+3-34_600, 999)
		var places []int64
		for _, at := range []int64{1, 256, 512, 1 << 15, 34_600, 1 << 16} {
			for d := int64(-2); d <= 2; d++ {
				if at+d > 0 {
					places = append(places, at+d)
				}
			}
		}
		for _, size := range places {
			for _, at := range places {
				if at < size {
					p.checkInclusion(t, at, size)
				}
				if at <= size {
					p.checkConsistency(t, at, size)
				}
			}
		}
	})
}

// checkRange has merkle's compact ranges compute the root from a range proof and the leaves between.
func checkRange(p *daybook.RangeProof, leaves []tlog.Hash, root tlog.Hash) bool {
	factory := ranges.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	begin, err := factory.NewRange(0, uint64(p.From), raw(p.Left))
	if err != nil {
		return false
	}
	for _, h := range leaves {
		if begin.Append(h[:], nil) != nil {
			return false
		}
	}
	end, err := factory.NewRange(begin.End(), uint64(p.Size), raw(p.Right))
	if err != nil || begin.AppendRange(end, nil) != nil {
		return false
	}
	got, err := begin.GetRootHash(nil)
	return err == nil && string(got) == string(root[:])
}

func TestRangeProofs(t *testing.T) {
	t.Parallel()
	p := &provenLog{Book: open(t, storetest.Memory(), daybook.Options{})}
	p.add(t, 1500, 300)
	if err := p.MergeTail(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.add(t, 1500, 300)
	all := make([]tlog.Hash, len(p.receipts))
	for i := range all {
		all[i] = p.receipts[i].LeafHash
	}
	each := 5 // of a hundred
	if nightly {
		each = 1000
	}
	rapid.Check(t, func(rt *rapid.T) {
		for range each {
			p.checkAnyRange(t, rt, all)
		}
	})
}

// checkAnyRange proves a range, and has the proof refused however it is altered.
func (p *provenLog) checkAnyRange(t *testing.T, rt *rapid.T, all []tlog.Hash) {
	t.Helper()
	size := rapid.Int64Range(1, int64(len(all))).Draw(rt, "size")
	from := rapid.Int64Range(0, size-1).Draw(rt, "from")
	to := rapid.Int64Range(from+1, size).Draw(rt, "to")
	got, err := p.RangeProof(t.Context(), "org_a", from, to, size)
	if err != nil {
		rt.Fatal(err)
	}
	if n := len(got.Left) + len(got.Right); n > 2*bits.Len64(uint64(size))+2 {
		rt.Fatalf("%d hashes", n)
	}
	root, leaves := p.root(t, size), all[from:to]
	if !checkRange(&got, leaves, root) {
		rt.Fatal("the proof is refused")
	}
	for i, altered := range alterations(leaves[:min(len(leaves), 5)]) {
		if checkRange(&got, append(altered, leaves[min(len(leaves), 5):]...), root) {
			rt.Fatalf("alteration %d of the leaves is accepted", i)
		}
	}
	for i, altered := range alterations(got.Left) {
		if wrong := got; checkRange(with(&wrong, altered, got.Right), leaves, root) {
			rt.Fatalf("alteration %d of the left side is accepted", i)
		}
	}
	for i, altered := range alterations(got.Right) {
		if wrong := got; checkRange(with(&wrong, got.Left, altered), leaves, root) {
			rt.Fatalf("alteration %d of the right side is accepted", i)
		}
	}
}

func with(p *daybook.RangeProof, left, right []tlog.Hash) *daybook.RangeProof {
	p.Left, p.Right = left, right
	return p
}

// Tiles hold what golang.org/x/mod reads from them, whatever lies in blocks, and entry bundles hold the leaves of level 0.
func TestTileWidths(t *testing.T) {
	t.Parallel()
	p := &provenLog{Book: open(t, storetest.Memory(), daybook.Options{})}
	p.add(t, 67_000, 1000)
	if err := p.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.add(t, 1000, 1000)
	for _, tile := range []tlog.Tile{
		{L: 0, N: 0, W: 256},
		{L: 0, N: 0, W: 1},
		{L: 0, N: 3, W: 77},
		{L: 0, N: 265, W: 160},
		{L: 0, N: 261, W: 256},
		{L: 1, N: 0, W: 256},
		{L: 1, N: 0, W: 255},
		{L: 1, N: 1, W: 9},
		{L: 2, N: 0, W: 1},
	} {
		tile.H = 8
		want, err := tlog.ReadTileData(tile, p)
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Tile(t.Context(), "org_a", tile.L, tile.N, tile.W)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s differs", tile.Path())
		}
		if tile.L > 0 {
			continue
		}
		entries, err := p.EntryBundle(t.Context(), "org_a", tile.N, tile.W)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) != tile.W*72 {
			t.Fatalf("entries of %s: %d bytes", tile.Path(), len(entries))
		}
		for i := range tile.W {
			e := entries[72*i : 72*i+72]
			l, err := leaf.ParseLeaf(e[2:])
			if err != nil || string(e[:2]) != "\x00\x46" || l.Seq != 256*tile.N+int64(i) || tlog.Hash(l.Hash()) != p.receipts[l.Seq].LeafHash {
				t.Fatalf("entry %d of %s: %v %v", i, tile.Path(), l, err)
			}
		}
	}
}

func TestProofBounds(t *testing.T) {
	t.Parallel()
	p := &provenLog{Book: open(t, storetest.Memory(), daybook.Options{})}
	p.add(t, 300, 300)
	ctx := t.Context()
	code := func(_ any, err error) daybook.Code { return daybook.CodeOf(err) }
	for name, tt := range map[string]struct{ got, want daybook.Code }{
		"size beyond the log":        {code(p.Inclusion(ctx, "org_a", 0, 301)), daybook.CodeNotFound},
		"seq beyond the size":        {code(p.Inclusion(ctx, "org_a", 7, 7)), daybook.CodeNotFound},
		"seq below zero":             {code(p.Inclusion(ctx, "org_a", -1, 7)), daybook.CodeNotFound},
		"size below zero":            {code(p.Inclusion(ctx, "org_a", 0, -1)), daybook.CodeNotFound},
		"no such org":                {code(p.Inclusion(ctx, "org_none", 0, 0)), daybook.CodeNotFound},
		"no such org, tile":          {code(p.Tile(ctx, "org_none", 0, 0, 1)), daybook.CodeNotFound},
		"from 0":                     {code(p.Consistency(ctx, "org_a", 0, 5)), daybook.CodeInvalid},
		"from after to":              {code(p.Consistency(ctx, "org_a", 6, 5)), daybook.CodeInvalid},
		"to beyond the log":          {code(p.Consistency(ctx, "org_a", 6, 500)), daybook.CodeNotFound},
		"empty range":                {code(p.RangeProof(ctx, "org_a", 5, 5, 10)), daybook.CodeNotFound},
		"range beyond the size":      {code(p.RangeProof(ctx, "org_a", 5, 11, 10)), daybook.CodeNotFound},
		"tile wider than the log":    {code(p.Tile(ctx, "org_a", 0, 1, 45)), daybook.CodeNotFound},
		"tile that fits":             {code(p.Tile(ctx, "org_a", 0, 1, 44)), ""},
		"tile of no width":           {code(p.Tile(ctx, "org_a", 0, 0, 0)), daybook.CodeNotFound},
		"tile of 257":                {code(p.Tile(ctx, "org_a", 0, 0, 257)), daybook.CodeNotFound},
		"level below zero":           {code(p.Tile(ctx, "org_a", -1, 0, 1)), daybook.CodeNotFound},
		"level of the sky":           {code(p.Tile(ctx, "org_a", 63, 0, 1)), daybook.CodeNotFound},
		"n that overflows":           {code(p.Tile(ctx, "org_a", 0, 1<<62, 1)), daybook.CodeNotFound},
		"n that overflows its level": {code(p.Tile(ctx, "org_a", 5, 1<<50, 1)), daybook.CodeNotFound},
		"bundle beyond the log":      {code(p.EntryBundle(ctx, "org_a", 1, 45)), daybook.CodeNotFound},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %q, want %q", name, tt.got, tt.want)
		}
	}
}

// A proof is that of the picture it began with, while the merger swaps blocks under it.
func TestProofWhileMerging(t *testing.T) {
	t.Parallel()
	p := &provenLog{Book: open(t, storetest.Memory(), daybook.Options{})}
	p.add(t, 40, 1)
	rng := rand.New(rand.NewPCG(1, 2))
	done := make(chan error, 1)
	stop := make(chan struct{})
	go func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			var err error
			if i%3 == 0 {
				err = p.Settle(t.Context())
			} else {
				err = p.MergeTail(t.Context())
			}
			if err != nil {
				done <- fmt.Errorf("merge: %w", err)
				return
			}
		}
	}()
	for range 60 {
		p.add(t, 1+rng.IntN(60), 1+rng.IntN(20))
		size := 1 + rng.Int64N(int64(len(p.receipts)))
		p.checkInclusion(t, rng.Int64N(size), size)
		p.checkConsistency(t, 1+rng.Int64N(size), size)
	}
	close(stop)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
