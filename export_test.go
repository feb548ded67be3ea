package daybook

import "encoding/base64"

// SignCursor makes a cursor of any bytes.
func SignCursor(b *Book, body []byte, org OrgID) string {
	body = append(body[:len(body):len(body)], b.cursorMAC(body, org, "")...)
	return cursorPrefix + base64.RawURLEncoding.EncodeToString(body)
}
