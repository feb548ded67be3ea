package merkle_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/internal/merkle"
	"github.com/daybook-audit/daybook/leaf"
)

// treeVectors is what this package needs of ../../testdata/vectors/tree.json.
type treeVectors struct {
	FirstLeafHex string `json:"first_leaf_hex"`
	Roots        []struct {
		Size int64  `json:"size"`
		Root string `json:"root_b64"`
	} `json:"roots"`
	Frontiers []struct {
		Size   int64    `json:"size"`
		Hashes []string `json:"hashes_b64"`
	} `json:"frontiers"`
}

func b64(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// vectorLeaf makes leaf i of the vectors: kind 0, ids and roots derived from SHA-256, as the file's "about" says.
func vectorLeaf(i int64) tlog.Hash {
	id := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("daybook-vector/id"), uint64(i)))
	root := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("daybook-vector/payload"), uint64(i)))
	l := leaf.Leaf{Seq: i, ReceivedAt: 1795301648000000 + i, ID: [16]byte(id[:]), Root: root}
	return l.Hash()
}

func TestVectors(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../testdata/vectors/tree.json")
	if err != nil {
		t.Fatal(err)
	}
	var v treeVectors
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	first, err := hex.DecodeString(v.FirstLeafHex)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := vectorLeaf(0), rfc6962.DefaultHasher.HashLeaf(first); string(got[:]) != string(want) {
		t.Fatalf("leaf 0 is not that of the vectors")
	}
	roots, frontiers := map[int64]string{}, map[int64][]string{}
	last := int64(0)
	for _, r := range v.Roots {
		roots[r.Size] = r.Root
		last = max(last, r.Size)
	}
	for _, f := range v.Frontiers {
		frontiers[f.Size] = f.Hashes
		last = max(last, f.Size)
	}
	checked := 0
	var f merkle.Frontier
	for ; ; f.Append(vectorLeaf(f.Size)) {
		if want, ok := roots[f.Size]; ok {
			checked++
			if got := f.Root(); string(got[:]) != string(b64(t, want)) {
				t.Fatalf("root of size %d differs", f.Size)
			}
		}
		if want, ok := frontiers[f.Size]; ok {
			checked++
			if len(want) != len(f.Hashes) {
				t.Fatalf("frontier of size %d has %d hashes, want %d", f.Size, len(f.Hashes), len(want))
			}
			for i := range want {
				if string(f.Hashes[i][:]) != string(b64(t, want[i])) {
					t.Fatalf("frontier of size %d differs at %d", f.Size, i)
				}
			}
		}
		if f.Size == last {
			break
		}
	}
	if checked != len(roots)+len(frontiers) {
		t.Fatalf("%d of %d vectors were met", checked, len(roots)+len(frontiers))
	}
}

// TestFrontierAgainstOracles compares roots and compact ranges of every size up to 1,100 with golang.org/x/mod and with
// transparency-dev/merkle.
func TestFrontierAgainstOracles(t *testing.T) {
	t.Parallel()
	factory := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	oracle := factory.NewEmptyRange(0)
	var stored []tlog.Hash // as tlog keeps hashes
	read := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		hs := make([]tlog.Hash, len(at))
		for i, x := range at {
			hs[i] = stored[x]
		}
		return hs, nil
	})
	var f merkle.Frontier
	var leaves []tlog.Hash
	for n := range int64(1100) {
		h := tlog.Hash(sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(n))))
		hs, err := tlog.StoredHashesForRecordHash(n, h, read)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, hs...)
		if err := oracle.Append(h[:], nil); err != nil {
			t.Fatal(err)
		}
		f.Append(h)
		leaves = append(leaves, h)
		want, err := tlog.TreeHash(n+1, read)
		if err != nil {
			t.Fatal(err)
		}
		if f.Root() != want || merkle.Root(leaves) != want {
			t.Fatalf("size %d: root differs from tlog's", n+1)
		}
		if hashes := oracle.Hashes(); len(hashes) != len(f.Hashes) {
			t.Fatalf("size %d: %d hashes, merkle has %d", n+1, len(f.Hashes), len(hashes))
		} else {
			for i := range hashes {
				if string(hashes[i]) != string(f.Hashes[i][:]) {
					t.Fatalf("size %d: compact range differs at %d", n+1, i)
				}
			}
		}
	}
}

func TestFrontierEmpty(t *testing.T) {
	t.Parallel()
	var f merkle.Frontier
	if f.Root() != tlog.Hash(sha256.Sum256(nil)) {
		t.Fatal("the root of the empty tree is not SHA-256 of nothing")
	}
}

// BenchmarkFrontierAppend is what the sequencer does for every entry, BenchmarkFrontierCheck for every log of a commit.
func BenchmarkFrontierAppend(b *testing.B) {
	b.ReportAllocs()
	var f merkle.Frontier
	var h tlog.Hash
	for b.Loop() {
		h[0]++
		f.Append(h)
	}
}

func BenchmarkFrontierCheck(b *testing.B) {
	b.ReportAllocs()
	var f merkle.Frontier
	for range 1<<14 - 1 {
		f.Append(tlog.Hash{})
	}
	for b.Loop() {
		_ = f.Check()
	}
}
