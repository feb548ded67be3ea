package anchors

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Sizes in bytes of what the log holds.
const (
	LeafSize  = 65
	EntrySize = 72 // of what a batch holds of one log: SHA-256 of its origin, u64 size, root
)

const (
	leafMagic = "DAYA\x01"
	maxBatch  = 8192 // of logs in one leaf: a document of 0.8 MiB
)

// Head is what a leaf says of one log.
type Head struct {
	Tag  [32]byte // see Tag
	Size int64
	Root tlog.Hash
	At   int64 // when it was signed, µs
}

// Tag returns what stands for a log in the anchor log: SHA-256 of its origin.
func Tag(origin string) [32]byte { return sha256.Sum256([]byte(origin)) }

func compareTags(a, b Head) int { return bytes.Compare(a.Tag[:], b.Tag[:]) }

// append adds the entry of a batch.
func (h *Head) append(dst []byte) []byte {
	dst = append(dst, h.Tag[:]...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(h.Size))
	return append(dst, h.Root[:]...)
}

// AppendLeaf adds a leaf: its index, its time in µs, the number of logs in its batch, the batch's root, and the time of the leaf before.
func AppendLeaf(dst []byte, index, at int64, n int, root tlog.Hash, prev int64) []byte {
	dst = append(dst, leafMagic...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(index))
	dst = binary.BigEndian.AppendUint64(dst, uint64(at))
	dst = binary.BigEndian.AppendUint32(dst, uint32(n))
	dst = append(dst, root[:]...)
	return binary.BigEndian.AppendUint64(dst, uint64(prev))
}

// leafTime returns the time in a leaf.
func leafTime(leaf []byte) int64 { return int64(binary.BigEndian.Uint64(leaf[13:])) }

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
	for i := range len(batch) / EntrySize {
		hs, err := tlog.StoredHashes(int64(i), batch[i*EntrySize:(i+1)*EntrySize], read)
		if err != nil {
			return nil, fmt.Errorf("hash a batch of checkpoints: %w", err)
		}
		stored = append(stored, hs...)
	}
	return read, nil
}

// BatchRoot returns the root of the tree of a batch.
func BatchRoot(batch []byte) (tlog.Hash, error) {
	read, err := batchTree(batch)
	if err != nil {
		return tlog.Hash{}, err
	}
	return tlog.TreeHash(int64(len(batch)/EntrySize), read)
}
