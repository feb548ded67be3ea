package daybook

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// The bytes of the anchor log.
const (
	anchorLeafSize  = 65
	anchorLeafMagic = "DAYA\x01"
	maxBatch        = 8192 // of logs in one leaf: a document of 0.8 MiB
)

// BatchEntrySize is the length of what a batch holds of one log: SHA-256 of its origin, u64 size, root.
const BatchEntrySize = 72

// anchoredHead is what an anchor says of one log.
type anchoredHead struct {
	tag  [32]byte // SHA-256 of the origin
	size int64
	root tlog.Hash
	at   int64 // when it was signed, µs
}

func tagOf(origin string) [32]byte { return sha256.Sum256([]byte(origin)) }

func compareTags(a, b anchoredHead) int { return slices.Compare(a.tag[:], b.tag[:]) }

// append adds the entry of a batch.
func (h *anchoredHead) append(dst []byte) []byte {
	dst = append(dst, h.tag[:]...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(h.size))
	return append(dst, h.root[:]...)
}

// appendAnchorLeaf adds a leaf of the anchor log.
func appendAnchorLeaf(dst []byte, index, at int64, n int, root tlog.Hash, prev int64) []byte {
	dst = append(dst, anchorLeafMagic...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(index))
	dst = binary.BigEndian.AppendUint64(dst, uint64(at))
	dst = binary.BigEndian.AppendUint32(dst, uint32(n))
	dst = append(dst, root[:]...)
	return binary.BigEndian.AppendUint64(dst, uint64(prev))
}

// anchorTime returns the time in a leaf.
func anchorTime(leaf []byte) int64 { return int64(binary.BigEndian.Uint64(leaf[13:])) }

// batchTree returns what reads the stored hashes of the tree of a batch.
func batchTree(batch []byte) (tlog.HashReader, error) {
	var stored []tlog.Hash
	read := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hs := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			hs[i] = stored[index]
		}
		return hs, nil
	})
	for i := range len(batch) / BatchEntrySize {
		hs, err := tlog.StoredHashes(int64(i), batch[i*BatchEntrySize:(i+1)*BatchEntrySize], read)
		if err != nil {
			return nil, fmt.Errorf("hash a batch of checkpoints: %w", err)
		}
		stored = append(stored, hs...)
	}
	return read, nil
}

func batchRoot(batch []byte) (tlog.Hash, error) {
	read, err := batchTree(batch)
	if err != nil {
		return tlog.Hash{}, err
	}
	return tlog.TreeHash(int64(len(batch)/BatchEntrySize), read)
}
