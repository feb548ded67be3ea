package merkle_test

import (
	"errors"
	"testing"

	"github.com/daybook-audit/daybook/internal/merkle"
	"github.com/daybook-audit/daybook/internal/stored"
)

func TestRuns(t *testing.T) {
	t.Parallel()
	var whole merkle.Frontier
	var leaves [][32]byte
	for i := range 3*merkle.RunWidth + 5 {
		tree, err := merkle.OpenRuns(whole.Size, whole.Hashes)
		if err != nil {
			t.Fatal(err)
		}
		leafHash := [32]byte{byte(i), byte(i >> 8)}
		leaves = append(leaves, leafHash)
		whole.Append(leafHash)
		root, complete := tree.Append(leafHash)
		if complete != (whole.Size%merkle.RunWidth == 0) {
			t.Fatalf("size %d: complete %t", whole.Size, complete)
		}
		if complete {
			var run merkle.Frontier
			for _, l := range leaves[len(leaves)-merkle.RunWidth:] {
				run.Append(l)
			}
			if root != run.Root() {
				t.Fatalf("size %d: another root", whole.Size)
			}
		}
		got := merkle.Frontier{Size: whole.Size, Hashes: tree.Frontier()}
		if got.Check() != whole.Check() {
			t.Fatalf("size %d: another frontier", whole.Size)
		}
	}
	damage := new(stored.DamageError)
	if _, err := merkle.OpenRuns(3, whole.Hashes[:1]); !errors.As(err, &damage) {
		t.Errorf("a frontier of the wrong length: %v", err)
	}
}
