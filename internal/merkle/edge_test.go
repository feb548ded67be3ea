package merkle_test

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/internal/merkle"
	"github.com/daybook-audit/daybook/internal/stored"
)

// vectorEdge is an edge of ../../testdata/vectors/tree.json.
type vectorEdge struct {
	Size  int64
	Left  []tlog.Hash `json:"left_b64"`
	Right []tlog.Hash `json:"right_b64"`
}

func vectorEdges(t *testing.T) (edges []vectorEdge) {
	t.Helper()
	text, err := os.ReadFile("../../testdata/vectors/tree.json")
	if err != nil {
		t.Fatal(err)
	}
	f := struct{ Edges any }{&edges}
	if err := json.Unmarshal(text, &f); err != nil {
		t.Fatal(err)
	}
	return edges
}

func TestEdge(t *testing.T) {
	t.Parallel()
	gone := errors.New("gone")
	t.Run("holds the hashes of the vectors, and gives them back", func(t *testing.T) {
		t.Parallel()
		edges := vectorEdges(t)
		for _, want := range edges {
			if want.Size%merkle.RunWidth == 0 {
				continue // the root of the run is all that it needs
			}
			first := want.Size / merkle.RunWidth * merkle.RunWidth
			leaves := make([]tlog.Hash, merkle.RunWidth)
			for i := range leaves {
				leaves[i] = vectorLeaf(first + int64(i))
			}
			edge := merkle.Edge(want.Size, leaves)
			lost := merkle.NewLost(first, gone)
			if err := lost.Add(want.Size, edge); err != nil {
				t.Fatal(err)
			}
			left, err := merkle.Cover(first, want.Size, lost.Subtree)
			if err != nil {
				t.Fatal(err)
			}
			right, err := merkle.Cover(want.Size, first+merkle.RunWidth, lost.Subtree)
			if err != nil || !slices.Equal(left, want.Left) || !slices.Equal(right, want.Right) {
				t.Errorf("size %d: %v and %v, %v", want.Size, left, right, err)
			}
			if got := append(left, right...); len(got) > 9 || len(edge) != 1+32*len(got) {
				t.Errorf("size %d: %d hashes in %d bytes", want.Size, len(got), len(edge))
			}
			if _, err := lost.Subtree(merkle.RunLevel-1, 2*first/merkle.RunWidth+2); !errors.Is(err, gone) {
				t.Errorf("a subtree of another run: %v", err)
			}
		}
		if len(edges) < 5 {
			t.Errorf("%d edges", len(edges))
		}
	})
	t.Run("gives the roots of its size and of the end of its run", func(t *testing.T) {
		t.Parallel()
		const first, size = 2 * merkle.RunWidth, 2*merkle.RunWidth + 77
		var f, before merkle.Frontier
		var at tlog.Hash
		var leaves []tlog.Hash
		for seq := range int64(3 * merkle.RunWidth) {
			if seq == first {
				before = f.Clone()
			}
			if seq >= first {
				leaves = append(leaves, vectorLeaf(seq))
			}
			if f.Append(vectorLeaf(seq)); f.Size == size {
				at = f.Root()
			}
		}
		lost := merkle.NewLost(first, gone)
		if _, _, err := lost.Heads(&before, size); !errors.Is(err, gone) {
			t.Errorf("without an edge: %v", err)
		}
		if err := lost.Add(size, merkle.Edge(size, leaves)); err != nil {
			t.Fatal(err)
		}
		if gotAt, end, err := lost.Heads(&before, size); err != nil || gotAt != at || end != f.Root() || before.Size != first {
			t.Errorf("%v and %v, %v, want %v and %v", gotAt, end, err, at, f.Root())
		}
	})
	t.Run("of another length or version is refused", func(t *testing.T) {
		t.Parallel()
		edge := merkle.Edge(5, make([]tlog.Hash, merkle.RunWidth))
		for n := range len(edge) + 40 {
			damage := new(stored.DamageError)
			err := merkle.NewLost(0, gone).Add(5, append(slices.Clone(edge), make([]byte, 40)...)[:n])
			if (err == nil) != (n == len(edge)) || err != nil && !errors.As(err, &damage) {
				t.Errorf("%d bytes: %v", n, err)
			}
		}
		edge[0]++
		if err := merkle.NewLost(0, gone).Add(5, edge); !errors.Is(err, stored.ErrNewer) {
			t.Errorf("another version: %v", err)
		}
	})
}

func FuzzEdge(f *testing.F) {
	f.Add(uint32(5), merkle.Edge(5, make([]tlog.Hash, merkle.RunWidth)))
	f.Add(uint32(1<<24-1), []byte{1})
	f.Add(uint32(0), []byte{})
	f.Fuzz(func(t *testing.T, at uint32, b []byte) {
		size := int64(at & 0xffffff)
		damage := new(stored.DamageError)
		err := merkle.NewLost(size/merkle.RunWidth*merkle.RunWidth, errors.New("gone")).Add(size, b)
		if err != nil && !errors.As(err, &damage) && !errors.Is(err, stored.ErrNewer) {
			t.Fatal(err)
		}
	})
}
