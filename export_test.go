package daybook

import (
	"context"
	"encoding/base64"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// SignCursor makes a cursor of any bytes.
func SignCursor(b *Book, body []byte, org OrgID) string {
	body = append(slices.Clip(body), b.cursorMAC(body, org, "")...)
	return cursorPrefix + base64.RawURLEncoding.EncodeToString(body)
}

// RecordControls is recordControls.
func (b *Book) RecordControls(ctx context.Context, org OrgID, texts ...string) ([]Receipt, error) {
	raw := make([][]byte, len(texts))
	for i := range texts {
		raw[i] = []byte(texts[i])
	}
	return b.recordControls(ctx, org, raw, nil)
}

// SigningKey is a key derived from a master key.
type SigningKey = signingKey

// DeriveKey derives a key. clock: that of the clock.
func DeriveKey(master []byte, clock bool, name string, generation int) (*SigningKey, error) {
	kind := byte(typeEd25519)
	if clock {
		kind = typeCosignature
	}
	return newSigningKey(master, kind, name, generation)
}

// Vkey returns the verifier key.
func (k *signingKey) Vkey() string { return k.vkey() }

// SignNote signs the text of a note with keys, and with clock, if there is one, at a time in seconds.
func SignNote(text string, keys []*SigningKey, clock *SigningKey, at int64) ([]byte, error) {
	return signNote(text, keys, clock, at)
}

// OriginOf returns the origin of a log.
func OriginOf(host string, id [10]byte) string { return originOf(host, id) }

// AnchorLeaf returns a leaf of the anchor log.
func AnchorLeaf(index, at int64, n int, root tlog.Hash, prev int64) []byte {
	return appendAnchorLeaf(nil, index, at, n, root, prev)
}

// BatchRoot returns the root of the tree of a batch.
func BatchRoot(batch []byte) (tlog.Hash, error) { return batchRoot(batch) }
