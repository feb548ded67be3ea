package merkle_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/internal/merkle"
)

// proofVectors is what proofs need of ../../testdata/vectors/tree.json.
type proofVectors struct {
	Roots []struct {
		Size int64     `json:"size"`
		Root tlog.Hash `json:"root_b64"`
	} `json:"roots"`
	Inclusion []struct {
		Seq, Size int64
		Proof     []tlog.Hash `json:"proof_b64"`
	} `json:"inclusion"`
	Consistency []struct {
		From, To int64
		Proof    []tlog.Hash `json:"proof_b64"`
	} `json:"consistency"`
	Range []struct {
		From, To, Size int64
		Left           []tlog.Hash `json:"left_b64"`
		Right          []tlog.Hash `json:"right_b64"`
	} `json:"range"`
	Tiles []struct {
		Level, Width int
		N            int64
		SHA256       string `json:"sha256_hex"`
	} `json:"tiles"`
}

// source gives the leaves of the vectors. Of the first packed runs it has the roots. A run in lost has no leaves.
type source struct {
	size, packed int64
	lost         map[int64]*merkle.Lost
	asked        int
}

var errLost = errors.New("lost")

func (s *source) Leaves(from, to int64) ([]tlog.Hash, error) {
	if s.lost[from/merkle.RunWidth] != nil {
		return nil, errLost
	}
	if from < 0 || to > s.size || from/merkle.RunWidth != (to-1)/merkle.RunWidth {
		return nil, fmt.Errorf("leaves %d to %d of %d", from, to, s.size)
	}
	s.asked++
	var leaves []tlog.Hash
	for ; from < to; from++ {
		leaves = append(leaves, vectorLeaf(from))
	}
	return leaves, nil
}

func (s *source) Roots(from, to int64) ([]tlog.Hash, error) {
	var roots []tlog.Hash
	for n := from; n < min(to, s.packed); n++ {
		var run merkle.Frontier
		for i := range int64(merkle.RunWidth) {
			run.Append(vectorLeaf(n*merkle.RunWidth + i))
		}
		roots = append(roots, run.Root())
	}
	return roots, nil
}

func (s *source) Lost(first int64, err error) (*merkle.Lost, error) {
	if !errors.Is(err, errLost) {
		return nil, err
	}
	return s.lost[first/merkle.RunWidth], nil
}

func TestProofVectors(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../testdata/vectors/tree.json")
	if err != nil {
		t.Fatal(err)
	}
	var v proofVectors
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Roots) < 30 || len(v.Inclusion) < 16 || len(v.Consistency) < 17 || len(v.Range) < 11 || len(v.Tiles) < 9 {
		t.Fatal("the vectors are not all there")
	}
	const size = 70_000
	r := &merkle.Tree{Log: 1, Size: size, Source: &source{size: size, packed: 200}, Cache: merkle.NewCache()}
	for _, want := range v.Roots {
		if got, err := r.Root(want.Size); err != nil || got != want.Root {
			t.Errorf("root of size %d: %v %v", want.Size, got, err)
		}
	}
	for _, want := range v.Inclusion {
		if h, got, err := r.Inclusion(want.Seq, want.Size); err != nil || h != vectorLeaf(want.Seq) || !slices.Equal(got, want.Proof) {
			t.Errorf("seq %d in size %d: %v %v", want.Seq, want.Size, got, err)
		}
	}
	for _, want := range v.Consistency {
		if got, err := r.Consistency(want.From, want.To); err != nil || !slices.Equal(got, want.Proof) {
			t.Errorf("size %d to %d: %v %v", want.From, want.To, got, err)
		}
	}
	for _, want := range v.Range {
		left, right, err := r.Beside(want.From, want.To, want.Size)
		if err != nil || !slices.Equal(left, want.Left) || !slices.Equal(right, want.Right) {
			t.Errorf("entries %d to %d of %d: %v %v %v", want.From, want.To, want.Size, left, right, err)
		}
	}
	for _, want := range v.Tiles {
		got, err := merkle.Tile(want.Level, want.N, want.Width, r.Subtree)
		if sum := sha256.Sum256(got); err != nil || hex.EncodeToString(sum[:]) != want.SHA256 {
			t.Errorf("tile %d of level %d, %d wide: %x %v", want.N, want.Level, want.Width, sum, err)
		}
	}
}

// TestTreeLost: where a run has lost its leaf hashes, what an edge holds can still be proved, and nothing else.
func TestTreeLost(t *testing.T) {
	t.Parallel()
	const size, edge = 4 * merkle.RunWidth, merkle.RunWidth + 100
	gone := errors.New("gone")
	var leaves []tlog.Hash
	for i := range int64(merkle.RunWidth) {
		leaves = append(leaves, vectorLeaf(merkle.RunWidth+i))
	}
	lost := merkle.NewLost(merkle.RunWidth, gone)
	if err := lost.Add(edge, merkle.Edge(edge, leaves)); err != nil {
		t.Fatal(err)
	}
	whole := &merkle.Tree{Size: size, Source: &source{size: size}, Cache: merkle.NewCache()}
	tree := &merkle.Tree{Size: size, Source: &source{size: size, packed: 4, lost: map[int64]*merkle.Lost{1: lost}}, Cache: merkle.NewCache()}
	for _, from := range []int64{1, 200, merkle.RunWidth, edge, 3 * merkle.RunWidth} {
		want, err := whole.Consistency(from, size)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := tree.Consistency(from, size); err != nil || !slices.Equal(got, want) {
			t.Errorf("from %d: %v %v", from, got, err)
		}
	}
	if _, err := tree.Consistency(edge+1, size); !errors.Is(err, gone) {
		t.Errorf("from a size without an edge: %v", err)
	}
	if _, _, err := tree.Inclusion(edge, size); !errors.Is(err, gone) {
		t.Errorf("a leaf that is lost: %v", err)
	}
	if _, err := (&merkle.Tree{Size: size + 1, Source: &source{size: size}, Cache: merkle.NewCache()}).Root(size + 1); err == nil {
		t.Error("the error of the source is not told")
	}
}

// TestTreeCache: what is remembered is not asked for again, and of another log it is not remembered.
func TestTreeCache(t *testing.T) {
	t.Parallel()
	const size = 2*merkle.RunWidth + 1
	cache, s := merkle.NewCache(), &source{size: size}
	for _, step := range []struct {
		log   int64
		asked int // of the source, in all
	}{{1, 3}, {1, 4}, {2, 7}} { // the incomplete run is read each time
		if _, err := (&merkle.Tree{Log: step.log, Size: size, Source: s, Cache: cache}).Consistency(100, size); err != nil || s.asked != step.asked {
			t.Errorf("log %d: asked %d times, want %d, %v", step.log, s.asked, step.asked, err)
		}
	}
	cache.ForgetRuns(1)
	for log, asked := range []int{1: 9, 2: 10} {
		if log == 0 {
			continue
		}
		if _, err := (&merkle.Tree{Log: int64(log), Size: size, Source: s, Cache: cache}).Consistency(100, size); err != nil || s.asked != asked {
			t.Errorf("log %d, after its runs were forgotten or not: asked %d times, want %d, %v", log, s.asked, asked, err)
		}
	}
}

// TestPart: from a part and what is beside it come the same hashes as from the whole, or an error that says what is not there.
func TestPart(t *testing.T) {
	t.Parallel()
	const from, to, size = 100, 3*merkle.RunWidth + 10, 5*merkle.RunWidth + 3
	whole := &merkle.Tree{Size: size, Source: &source{size: size}, Cache: merkle.NewCache()}
	left, right, err := whole.Beside(from, to, size)
	if err != nil {
		t.Fatal(err)
	}
	leftOut := func(first, end int64) error { return fmt.Errorf("left out: %d to %d", first, end) }
	part := merkle.NewPart(from, to, size, left, right, leftOut)
	tree := &merkle.Tree{Size: size, Source: &source{size: size}, Cache: merkle.NewCache(), Part: part}
	root, err := whole.Root(size)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := tree.Root(size); err != nil || got != root {
		t.Errorf("root %v, want %v, %v", got, root, err)
	}
	for _, seq := range []int64{from, merkle.RunWidth - 1, merkle.RunWidth, 2*merkle.RunWidth + 7, to - 1} {
		_, want, err := whole.Inclusion(seq, size)
		if err != nil {
			t.Fatal(err)
		}
		if h, got, err := tree.Inclusion(seq, size); err != nil || h != vectorLeaf(seq) || !slices.Equal(got, want) {
			t.Errorf("leaf %d: %v %v", seq, got, err)
		}
	}
	for _, seq := range []int64{0, from - 1, to, size - 2} {
		if _, _, err := tree.Inclusion(seq, size); err == nil || !strings.Contains(err.Error(), "left out: ") {
			t.Errorf("leaf %d: %v", seq, err)
		}
	}
	if merkle.NewPart(from, to, size, left[1:], right, leftOut) != nil || merkle.NewPart(from, to, size, left, append(right, root), leftOut) != nil {
		t.Error("another number of hashes is taken")
	}
	grown := merkle.Grow(from, to, left)
	for seq := int64(from); seq < to; seq++ {
		grown.Leaf(seq, vectorLeaf(seq))
		grown.Leaf(seq, tlog.Hash{}) // once more: left out
	}
	end := grown.End(size, right)
	if grown.Next() != to || end.Size != size || end.Root() != root {
		t.Errorf("grown to %d: root %v of size %d", grown.Next(), end.Root(), end.Size)
	}
	for run, want := range map[int64]bool{0: false, 1: true, 2: true, 3: false} {
		h, err := whole.Subtree(merkle.RunLevel, run)
		if got, ok := grown.Roots[run]; err != nil || ok != want || ok && got != h {
			t.Errorf("root of run %d: %t %v, %v", run, ok, got, err)
		}
	}
}
