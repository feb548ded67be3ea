package load

import (
	"bytes"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/daybook-audit/daybook/server/internal/madeup"
)

// Recording says what requests are made of.
type Recording struct {
	Workload madeup.Workload
	Server   *url.URL // its path is kept
	Key      string
	Org      string // of every request; empty: each has one of the workload's
	Batch    int    // events a request; 1: single events
	Bodies   int    // different events, about
}

// Requests makes whole HTTP requests that record made-up events from now on. One request is for one org.
func (r *Recording) Requests(now time.Time) ([][]byte, error) {
	src := r.Workload.Source()
	now = now.UTC().Truncate(time.Microsecond)
	n := max(1, r.Bodies/r.Batch)
	out := make([][]byte, 0, n)
	kind := "application/json"
	if r.Batch > 1 {
		kind = "application/x-ndjson"
	}
	var body bytes.Buffer
	for i := range n {
		org := src.Org()
		body.Reset()
		for range r.Batch {
			if err := src.NextOf(&body, org, now.Add(time.Duration(i)*time.Millisecond)); err != nil {
				return nil, err
			}
			if r.Batch > 1 {
				body.WriteByte('\n')
			}
		}
		name := madeup.OrgID(org)
		if r.Org != "" {
			name = r.Org
		}
		out = append(out, fmt.Appendf(nil, "POST %s/v1/events HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nDaybook-Org: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
			strings.TrimSuffix(r.Server.Path, "/"), r.Server.Host, r.Key, name, kind, body.Len(), body.Bytes()))
	}
	return out, nil
}
