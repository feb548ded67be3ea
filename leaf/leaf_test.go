package leaf_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/leaf"
)

// treeLeaf is leaf i of the trees in tree.json.
func treeLeaf(i int64) leaf.Leaf {
	number := binary.BigEndian.AppendUint64(nil, uint64(i))
	id := sha256.Sum256(append([]byte("daybook-vector/id"), number...))
	return leaf.Leaf{
		Seq: i, ReceivedAt: 1795301648000000 + i, ID: [16]byte(id[:16]),
		Root: sha256.Sum256(append([]byte("daybook-vector/payload"), number...)),
	}
}

// The leaf hash is the record hash of the tree package, so its proofs hold for our leaves.
func TestVectorsTree(t *testing.T) {
	t.Parallel()
	var v struct {
		First string `json:"first_leaf_hex"`
		Roots []struct {
			Root string `json:"root_b64"`
			Size int64  `json:"size"`
		} `json:"roots"`
	}
	readVectors(t, "tree.json", &v)
	first := treeLeaf(0)
	if got := hex.EncodeToString(first.Append(nil)); got != v.First {
		t.Errorf("leaf 0 is %s, want %s", got, v.First)
	}
	const most = 1000
	var hashes []tlog.Hash
	stored := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		var hs []tlog.Hash
		for _, i := range at {
			hs = append(hs, hashes[i])
		}
		return hs, nil
	})
	checked := 0
	for n := range int64(most) {
		l := treeLeaf(n)
		if got, want := l.Hash(), tlog.RecordHash(l.Append(nil)); got != want {
			t.Fatalf("leaf %d has the hash %x, the tree package says %v", n, got, want)
		}
		hs, err := tlog.StoredHashesForRecordHash(n, l.Hash(), stored)
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, hs...)
		for _, r := range v.Roots {
			if r.Size != n+1 {
				continue
			}
			root, err := tlog.TreeHash(n+1, stored)
			if err != nil {
				t.Fatal(err)
			}
			if got := base64.StdEncoding.EncodeToString(root[:]); got != r.Root {
				t.Errorf("root of size %d is %s, want %s", n+1, got, r.Root)
			}
			checked++
		}
	}
	if checked < 20 {
		t.Errorf("only %d roots were compared", checked)
	}
}

func TestParseLeaf(t *testing.T) {
	t.Parallel()
	for _, l := range []leaf.Leaf{
		{},
		{Kind: leaf.Control, Seq: 1<<53 - 1, ReceivedAt: -1, ID: [16]byte{15: 1}, Root: [32]byte{31: 2}},
		treeLeaf(7),
	} {
		b := l.Append([]byte("before"))
		if len(b) != len("before")+leaf.Size {
			t.Errorf("%+v is written with %d bytes", l, len(b)-len("before"))
		}
		back, err := leaf.ParseLeaf(b[len("before"):])
		if err != nil || back != l {
			t.Errorf("ParseLeaf = %+v, %v; want %+v", back, err, l)
		}
	}
	l := treeLeaf(7)
	for _, seq := range []int64{1 << 53, -1} {
		l.Seq = seq
		if _, err := leaf.ParseLeaf(l.Append(nil)); err == nil {
			t.Errorf("seq %d was accepted", seq)
		}
	}
	// No bit of a leaf is without meaning: each flip is refused or gives another leaf with exactly these bytes.
	l = treeLeaf(7)
	b := l.Append(nil)
	for bit := range len(b) * 8 {
		b[bit/8] ^= 1 << (bit % 8)
		if got, err := leaf.ParseLeaf(b); err == nil && (got == l || string(got.Append(nil)) != string(b)) {
			t.Errorf("bit %d was flipped: %+v", bit, got)
		}
		b[bit/8] ^= 1 << (bit % 8)
	}
}

func TestLeafHashDoesNotAllocate(t *testing.T) {
	l := treeLeaf(1)
	if n := testing.AllocsPerRun(100, func() { _ = l.Hash() }); n != 0 {
		t.Errorf("Hash allocates %v times, want 0", n)
	}
}
