package daybook

import (
	"context"
	"encoding/base64"
	"slices"
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
