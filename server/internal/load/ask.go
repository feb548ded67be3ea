package load

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/daybook-audit/daybook"
)

// Asker asks over one connection and does nothing with the answer but read it: what is measured is the server. It is not for concurrent
// use.
type Asker struct {
	Server *url.URL // plain HTTP
	Key    string

	c  net.Conn
	in *bufio.Reader
}

// Close closes the connection; the next question opens another.
func (w *Asker) Close() {
	if w.c != nil {
		w.c.Close() //nolint:errcheck // nothing is left on it
		w.c = nil
	}
}

// Search asks for the latest 50 entries that match and returns the body.
func (w *Asker) Search(ctx context.Context, org daybook.OrgID, text string) (string, error) {
	if w.c == nil {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", HostPort(w.Server))
		if err != nil {
			return "", err
		}
		w.c, w.in = c, bufio.NewReaderSize(c, 256<<10)
	}
	if _, err := fmt.Fprintf(w.c, "GET %s/v1/events?limit=50&q=%s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nDaybook-Org: %s\r\n\r\n",
		strings.TrimSuffix(w.Server.Path, "/"), url.QueryEscape(text), w.Server.Host, w.Key, org); err != nil {
		w.Close()
		return "", err
	}
	a, err := readAnswer(w.in, true)
	if err != nil {
		w.Close()
		return "", err
	}
	if a.status != http.StatusOK {
		return "", fmt.Errorf("%d %s", a.status, a.body)
	}
	return a.body, nil
}

// HostPort is where to connect to for u.
func HostPort(u *url.URL) string {
	if u.Port() == "" {
		return net.JoinHostPort(u.Hostname(), "80")
	}
	return u.Host
}
