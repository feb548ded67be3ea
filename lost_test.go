package daybook

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/leaf"
)

// vectorEdge is an edge of testdata/vectors/tree.json.
type vectorEdge struct {
	Size  int64
	Left  []tlog.Hash `json:"left_b64"`
	Right []tlog.Hash `json:"right_b64"`
}

func vectorEdges(t *testing.T) (edges []vectorEdge) {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors/tree.json")
	if err != nil {
		t.Fatal(err)
	}
	f := struct{ Edges any }{&edges}
	if err := json.Unmarshal(text, &f); err != nil {
		t.Fatal(err)
	}
	return edges
}

func TestEdgeSlip(t *testing.T) {
	t.Parallel()
	t.Run("holds the hashes of the vectors, and gives them back", func(t *testing.T) {
		t.Parallel()
		edges := vectorEdges(t)
		for _, want := range edges {
			if want.Size%rootWidth == 0 {
				continue // the root of the run is all that it needs
			}
			first := floorTo(want.Size, rootWidth)
			leaves := make([]tlog.Hash, rootWidth)
			for i := range leaves {
				leaves[i] = vectorLeaf(first + int64(i))
			}
			slip := edgeSlip(want.Size, leaves)
			r := lostRun{no: first / rootWidth, hashes: map[nodeRef]tlog.Hash{}}
			if err := r.add(&slip); err != nil {
				t.Fatal(err)
			}
			var got []tlog.Hash
			edgeNodes(want.Size, func(level int, n int64) {
				h, err := r.subtree(level, n)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, h)
			})
			if !slices.Equal(got, append(want.Left, want.Right...)) || len(got) > 9 || len(slip.Bytes) != 1+32*len(got) || slip.SlipKey != edgeKey(want.Size) {
				t.Errorf("size %d: %v", want.Size, got)
			}
			if _, err := r.subtree(runLevel-1, 2*r.no+2); CodeOf(err) != CodeGone {
				t.Errorf("a subtree of another run: %v", err)
			}
		}
		if len(edges) < 5 {
			t.Errorf("%d edges", len(edges))
		}
	})
	t.Run("of another length or version is refused", func(t *testing.T) {
		t.Parallel()
		slip := edgeSlip(5, make([]tlog.Hash, rootWidth))
		for n := range len(slip.Bytes) + 40 {
			s := Slip{SlipKey: slip.SlipKey, Bytes: append(slices.Clone(slip.Bytes), make([]byte, 40)...)[:n]}
			r := lostRun{hashes: map[nodeRef]tlog.Hash{}}
			if err := r.add(&s); (err == nil) != (n == len(slip.Bytes)) || err != nil && CodeOf(err) != CodeTampered {
				t.Errorf("%d bytes: %v", n, err)
			}
		}
		slip.Bytes[0]++
		r := lostRun{hashes: map[nodeRef]tlog.Hash{}}
		if err := r.add(&slip); !errors.Is(err, ErrNewer) {
			t.Errorf("another version: %v", err)
		}
	})
}

func FuzzEdgeSlip(f *testing.F) {
	f.Add(uint32(5), edgeSlip(5, make([]tlog.Hash, rootWidth)).Bytes)
	f.Add(uint32(1<<24-1), []byte{edgeVersion})
	f.Add(uint32(0), []byte{})
	f.Fuzz(func(t *testing.T, at uint32, b []byte) {
		s := Slip{SlipKey: SlipKey{Kind: slipEdge, B: at & 0xffffff}, Bytes: b}
		r := lostRun{no: int64(s.B) / rootWidth, hashes: map[nodeRef]tlog.Hash{}}
		if err := r.add(&s); err != nil && CodeOf(err) != CodeTampered && !errors.Is(err, ErrNewer) {
			t.Fatal(err)
		}
	})
}

// TestLawful: what is gone must be named by an entry that leaves as little.
func TestLawful(t *testing.T) {
	t.Parallel()
	forms := []byte{formLeaf, formHash, formNone}
	for _, gone := range forms {
		for _, allowed := range forms {
			c := &logCheck{f: &fsck{}}
			c.removals.whole[gone] = leaf.Items{{First: 3, Last: 9}}
			c.removals.acts[allowed] = leaf.Items{{First: 8, Last: 12}, {First: 0, Last: 7}}
			if c.lawful(); (len(c.findings) == 0) != (allowed >= gone) {
				t.Errorf("form %d, allowed is %d: %+v", gone, allowed, c.findings)
			}
		}
	}
}
