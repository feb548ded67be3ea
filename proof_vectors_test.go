package daybook

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/internal/merkle"
)

// proofVectors is what proofs need of testdata/vectors/tree.json.
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

// vectorTree reads the tree of the vectors' derived leaves, whose runs it finds remembered.
func vectorTree(size int64) *treeReader {
	b := &Book{nodes: newNodeCache()}
	r := b.treeReader(nil, view{head: Head{Log: 1}, size: size}) //nolint:staticcheck // nothing is read that could wait
	for n := range (size + rootWidth - 1) / rootWidth {
		var leaves []tlog.Hash
		for i := n * rootWidth; i < min((n+1)*rootWidth, size); i++ {
			leaves = append(leaves, vectorLeaf(i))
		}
		if len(leaves) == rootWidth {
			b.nodes.runs[nodeRef{1, runLevel, n}] = leaves
		} else {
			r.last = leaves
		}
	}
	return r
}

func TestProofVectors(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/vectors/tree.json")
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
	r := vectorTree(70_000)
	for _, want := range v.Roots {
		if got, err := r.root(want.Size); err != nil || got != want.Root {
			t.Errorf("root of size %d: %v %v", want.Size, got, err)
		}
	}
	for _, want := range v.Inclusion {
		if got, err := r.inclusion(want.Seq, want.Size); err != nil || !slices.Equal(got.Proof, want.Proof) {
			t.Errorf("seq %d in size %d: %v %v", want.Seq, want.Size, got, err)
		}
	}
	for _, want := range v.Consistency {
		if got, err := r.consistency(want.From, want.To); err != nil || !slices.Equal(got, want.Proof) {
			t.Errorf("size %d to %d: %v %v", want.From, want.To, got, err)
		}
	}
	for _, want := range v.Range {
		got, err := r.rangeProof(want.From, want.To, want.Size)
		if err != nil || !slices.Equal(got.Left, want.Left) || !slices.Equal(got.Right, want.Right) {
			t.Errorf("entries %d to %d of %d: %v %v", want.From, want.To, want.Size, got, err)
		}
	}
	for _, want := range v.Tiles {
		got, err := merkle.Tile(want.Level, want.N, want.Width, r.subtree)
		if sum := sha256.Sum256(got); err != nil || hex.EncodeToString(sum[:]) != want.SHA256 {
			t.Errorf("tile %d of level %d, %d wide: %x %v", want.N, want.Level, want.Width, sum, err)
		}
	}
}
