package verify_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/verify"
)

// treeVectors is what these tests need of tree.json.
type treeVectors struct {
	Roots []struct {
		Size int64
		Root string `json:"root_b64"`
	}
	Range []struct {
		From, To, Size int64
		Left           []string `json:"left_b64"`
		Right          []string `json:"right_b64"`
	}
	Inclusion []struct {
		Seq, Size int64
		Proof     []string `json:"proof_b64"`
	}
	Consistency []struct {
		From, To int64
		Proof    []string `json:"proof_b64"`
	}
}

func decode(t testing.TB, texts ...string) []tlog.Hash {
	t.Helper()
	hs := make([]tlog.Hash, 0, len(texts))
	for _, s := range texts {
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil || len(b) != tlog.HashSize {
			t.Fatalf("%q is no hash", s)
		}
		hs = append(hs, tlog.Hash(b))
	}
	return hs
}

// vectorLeaf makes leaf i of tree.json as its "about" says.
func vectorLeaf(i int64) tlog.Hash {
	id := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("daybook-vector/id"), uint64(i)))
	root := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("daybook-vector/payload"), uint64(i)))
	l := leaf.Leaf{Seq: i, ReceivedAt: 1795301648000000 + i, ID: [16]byte(id[:]), Root: root}
	return l.Hash()
}

func TestRange_vectors(t *testing.T) {
	t.Parallel()
	var v treeVectors
	readVectors(t, "tree.json", &v)
	roots := map[int64]tlog.Hash{}
	for _, c := range v.Roots {
		roots[c.Size] = decode(t, c.Root)[0]
	}
	if len(v.Range) == 0 || len(v.Inclusion) == 0 || len(v.Consistency) == 0 {
		t.Fatal("no proofs in the vectors")
	}
	for _, c := range v.Range {
		r, err := verify.NewRange(c.From, c.To, c.Size, decode(t, c.Left...), decode(t, c.Right...))
		if err != nil {
			t.Errorf("[%d,%d) of %d: %v", c.From, c.To, c.Size, err)
			continue
		}
		for i := c.From; i < c.To; i++ {
			r.Append(vectorLeaf(i))
		}
		if root, err := r.Root(); err != nil || root != roots[c.Size] {
			t.Errorf("[%d,%d) of %d gives %v, %v", c.From, c.To, c.Size, root, err)
		}
	}
	for _, c := range v.Inclusion {
		if err := verify.CheckInclusion(decode(t, c.Proof...), c.Size, roots[c.Size], c.Seq, vectorLeaf(c.Seq)); err != nil {
			t.Errorf("inclusion of %d in %d: %v", c.Seq, c.Size, err)
		}
	}
	for _, c := range v.Consistency {
		if _, ok := roots[c.From]; !ok {
			roots[c.From] = vectorRoot(c.From)
		}
		if err := verify.CheckConsistency(decode(t, c.Proof...), c.To, roots[c.To], c.From, roots[c.From]); err != nil {
			t.Errorf("consistency from %d to %d: %v", c.From, c.To, err)
		}
	}
}

func vectorRoot(size int64) tlog.Hash {
	leaves := make([]tlog.Hash, size)
	for i := range leaves {
		leaves[i] = vectorLeaf(int64(i))
	}
	return merkleRoot(leaves)
}

func TestCheckConsistency_empty(t *testing.T) {
	t.Parallel()
	empty := tlog.Hash(sha256.Sum256(nil))
	one := vectorLeaf(0)
	for name, err := range map[string]error{
		"to one": verify.CheckConsistency(nil, 1, one, 0, empty), "to itself": verify.CheckConsistency(nil, 0, empty, 0, empty),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, err := range map[string]error{
		"other root": verify.CheckConsistency(nil, 1, one, 0, one), "a hash": verify.CheckConsistency([]tlog.Hash{one}, 1, one, 0, empty),
		"empty with a root": verify.CheckConsistency(nil, 0, one, 0, empty), "shrunk": verify.CheckConsistency(nil, 1, one, 2, one),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestRange_oracle compares with transparency-dev/merkle, and changes one thing at a time: the root must change or the proof be refused.
func TestRange_oracle(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.Int64Range(1, 300).Draw(t, "size")
		from := rapid.Int64Range(0, size-1).Draw(t, "from")
		to := rapid.Int64Range(from+1, size).Draw(t, "to")
		leaves := make([]tlog.Hash, size)
		for i := range leaves {
			leaves[i] = vectorLeaf(int64(i))
		}
		want := merkleRoot(leaves)
		left, right := merkleRange(leaves, 0, from), merkleRange(leaves, to, size)
		root := func(left, leaves, right []tlog.Hash) (tlog.Hash, error) {
			r, err := verify.NewRange(from, to, size, left, right)
			if err != nil {
				return tlog.Hash{}, err
			}
			for _, l := range leaves {
				r.Append(l)
			}
			return r.Root()
		}
		if got, err := root(left, leaves[from:to], right); err != nil || got != want {
			t.Fatalf("[%d,%d) of %d: %v, %v; want %v", from, to, size, got, err, want)
		}
		if n := len(left) + len(right); n > 2*9+2 {
			t.Fatalf("%d hashes for a range of %d", n, size)
		}
		parts := [][]tlog.Hash{append([]tlog.Hash{}, left...), append([]tlog.Hash{}, leaves[from:to]...), append([]tlog.Hash{}, right...)}
		which := rapid.IntRange(0, 2).Draw(t, "part")
		part := parts[which]
		if len(part) == 0 {
			return
		}
		i := rapid.IntRange(0, len(part)-1).Draw(t, "at")
		switch rapid.IntRange(0, 3).Draw(t, "change") {
		case 0:
			part[i][rapid.IntRange(0, 31).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		case 1:
			j := rapid.IntRange(0, len(part)-1).Draw(t, "with")
			if part[i] == part[j] {
				return
			}
			part[i], part[j] = part[j], part[i]
		case 2:
			parts[which] = append(part[:i:i], part[i+1:]...)
		case 3:
			parts[which] = append(append(part[:i:i], vectorLeaf(1000)), part[i:]...)
		}
		if got, err := root(parts[0], parts[1], parts[2]); err == nil && got == want {
			t.Fatalf("[%d,%d) of %d: a changed proof is accepted", from, to, size)
		} else if err != nil && !errors.Is(err, verify.ErrProofSize) {
			t.Fatal(err)
		}
	})
}

var hasher = rfc6962.DefaultHasher

func merkleRoot(leaves []tlog.Hash) tlog.Hash {
	r := (&compact.RangeFactory{Hash: hasher.HashChildren}).NewEmptyRange(0)
	for _, l := range leaves {
		if err := r.Append(l[:], nil); err != nil {
			panic(err)
		}
	}
	root, err := r.GetRootHash(nil)
	if err != nil {
		panic(err)
	}
	return tlog.Hash(root)
}

// merkleRange returns the hashes of the compact range [from,to).
func merkleRange(leaves []tlog.Hash, from, to int64) []tlog.Hash {
	r := (&compact.RangeFactory{Hash: hasher.HashChildren}).NewEmptyRange(uint64(from))
	for _, l := range leaves[from:to] {
		if err := r.Append(l[:], nil); err != nil {
			panic(err)
		}
	}
	var hs []tlog.Hash
	for _, h := range r.Hashes() {
		hs = append(hs, tlog.Hash(h))
	}
	return hs
}
