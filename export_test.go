package daybook

import (
	"encoding/base64"
	"slices"
)

// SignCursor makes a cursor of any bytes.
func SignCursor(b *Book, body []byte, org OrgID) string {
	body = append(slices.Clip(body), b.cursorMAC(body, org, "")...)
	return cursorPrefix + base64.RawURLEncoding.EncodeToString(body)
}
