package anchors_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/internal/anchors"
)

// TestLeaf_vectors makes the leaves and the batch of the vectors, byte for byte.
func TestLeaf_vectors(t *testing.T) {
	t.Parallel()
	var leaves struct {
		AnchorLeaf []struct {
			Root  string `json:"batch_root_hex"`
			Leaf  string `json:"leaf_hex"`
			Hash  string `json:"leaf_hash_hex"`
			Count int
			Index int64
			At    int64 `json:"time_us"`
			Prev  int64 `json:"prev_time_us"`
		} `json:"anchor_leaf"`
	}
	var notes struct {
		Anchor struct {
			Batch []struct {
				Entry string `json:"entry_hex"`
			}
			Root tlog.Hash `json:"batch_root_b64"`
		}
	}
	for name, to := range map[string]any{"leaf.json": &leaves, "checkpoint.json": &notes} {
		text, err := os.ReadFile("../../testdata/vectors/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, to); err != nil {
			t.Fatal(err)
		}
	}
	if len(leaves.AnchorLeaf) < 2 || len(notes.Anchor.Batch) < 3 {
		t.Fatal("these are not the vectors")
	}
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for i, l := range leaves.AnchorLeaf {
		got := anchors.AppendLeaf(nil, l.Index, l.At, l.Count, tlog.Hash(unhex(l.Root)), l.Prev)
		hash := tlog.RecordHash(got)
		if !bytes.Equal(got, unhex(l.Leaf)) || !bytes.Equal(hash[:], unhex(l.Hash)) {
			t.Errorf("leaf %d: %x, not %s", i, got, l.Leaf)
		}
	}
	var batch []byte
	for _, e := range notes.Anchor.Batch {
		batch = append(batch, unhex(e.Entry)...)
	}
	if root, err := anchors.BatchRoot(batch); err != nil || root != notes.Anchor.Root {
		t.Errorf("the batch has the root %v, not %v: %v", root, notes.Anchor.Root, err)
	}
}
