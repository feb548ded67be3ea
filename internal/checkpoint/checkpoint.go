// Package checkpoint makes signed heads of logs, C2SP tlog-checkpoints, and derives the keys that sign them. No key is stored: each follows
// from a master key, the origin that it signs for and its generation, so that who has the master key has them all, and equal arguments give
// equal bytes (docs/reference/integrity.md, section 6). It reads no clock, no store and no random source.
package checkpoint

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Sign returns the checkpoint of a head of origin: signed with every key and, with a clock, last by it as seen at a time in seconds.
func Sign(origin string, size int64, root tlog.Hash, keys []*Key, clock *Key, at int64) ([]byte, error) {
	text := origin + "\n" + strconv.FormatInt(size, 10) + "\n" + base64.StdEncoding.EncodeToString(root[:]) + "\n"
	signers := make([]note.Signer, 0, len(keys)+1)
	for _, k := range keys {
		signers = append(signers, k)
	}
	if clock != nil {
		signers = append(signers, clockSigner{clock, at})
	}
	return note.Sign(&note.Note{Text: text}, signers...)
}

// Root returns the root in a checkpoint, which must be of this size. It checks no signature: who stores checkpoints could store others, and
// what counts is that the root is the log's.
func Root(text []byte, size int64) (tlog.Hash, error) {
	lines := bytes.SplitN(text, []byte("\n"), 4)
	if len(lines) != 4 || string(lines[1]) != strconv.FormatInt(size, 10) {
		return tlog.Hash{}, fmt.Errorf("the checkpoint of size %d is no note of that size", size)
	}
	root, err := base64.StdEncoding.Strict().DecodeString(string(lines[2]))
	if err != nil || len(root) != tlog.HashSize {
		return tlog.Hash{}, fmt.Errorf("the checkpoint of size %d has no root", size)
	}
	return tlog.Hash(root), nil
}

// WithSignatures returns the checkpoint old with the signature lines that only other has.
func WithSignatures(old, other []byte) []byte {
	_, lines, _ := bytes.Cut(other, []byte("\n\n"))
	_, have, _ := bytes.Cut(old, []byte("\n\n"))
	out := slices.Clone(old)
	for line := range bytes.Lines(lines) {
		if !bytes.Contains(have, line) {
			out = append(out, line...)
		}
	}
	return out
}

// Seconds rounds a time in µs up to a second: what a clock line can say.
func Seconds(micros int64) int64 { return (micros + 999_999) / 1_000_000 }
