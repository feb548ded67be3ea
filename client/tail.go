package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/daybook-audit/daybook"
)

// TailQuery says what to follow.
type TailQuery struct {
	Org     daybook.OrgID
	Text    string
	TZ      string
	FromSeq int64 // the first seq wanted; negative: only what comes from now on
}

// Step is one word of a tail: an entry, or how far the log was read.
type Step struct {
	Entry *Entry // nil: only the position
	Next  int64  // the seq to go on from: everything before it was looked at
}

// Tail follows an org's log and yields each matching entry once, in order, without a gap: when the connection ends it goes on
// where it stopped. It ends with ctx, with an error that trying again cannot mend, or when the server cannot be reached for as
// many attempts as Options allow in a row.
func (c *Client) Tail(ctx context.Context, q TailQuery) iter.Seq2[Step, error] {
	return func(yield func(Step, error) bool) {
		next, failures := q.FromSeq, 0
		for {
			before := next
			err := c.tailOnce(ctx, q, &next, yield)
			if errors.Is(err, errStopped) {
				return
			}
			if ctx.Err() != nil {
				yield(Step{}, ctx.Err())
				return
			}
			if next != before {
				failures = 0
			}
			failures++
			_, again := retryAfter(err)
			if err != nil && (!again || failures >= c.o.Attempts) {
				yield(Step{}, err)
				return
			}
			if c.pause(ctx, min(time.Duration(failures)*time.Second, c.o.MaxDelay)) != nil {
				yield(Step{}, ctx.Err())
				return
			}
		}
	}
}

// errStopped says that the one who ranges over the tail has enough.
var errStopped = errors.New("stopped")

// tailOnce reads one connection to its end and moves next along.
func (c *Client) tailOnce(ctx context.Context, q TailQuery, next *int64, yield func(Step, error) bool) error {
	v := values("q", q.Text, "tz", q.TZ)
	if *next >= 0 {
		v.Set("from_seq", strconv.FormatInt(*next, 10))
	}
	res, err := c.sendOnce(ctx, call{method: http.MethodGet, path: "/v1/events/tail", query: v, org: q.Org, accept: "text/event-stream"})
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // the connection is at its end
	lines := bufio.NewReaderSize(res.Body, 64<<10)
	var kind string
	var data bytes.Buffer
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil // the server closed, as it does when it stops
			}
			return &transportError{err: err}
		}
		line = strings.TrimRight(line, "\r\n")
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "" && data.Len() > 0:
			if err := step(kind, data.Bytes(), next, yield); err != nil {
				return err
			}
			kind = ""
			data.Reset()
		case name == "event":
			kind = value
		case name == "data":
			if data.Len() > 0 {
				data.WriteByte('\n')
			}
			data.WriteString(value)
		}
	}
}

// step hands one server-sent event on.
func step(kind string, data []byte, next *int64, yield func(Step, error) bool) error {
	var s Step
	switch kind {
	case "entry":
		s.Entry = &Entry{}
		if err := json.Unmarshal(data, s.Entry); err != nil {
			return err
		}
		s.Next = s.Entry.Seq + 1
	case "position":
		var p struct{ Seq int64 }
		if err := json.Unmarshal(data, &p); err != nil {
			return fmt.Errorf("tail position: %w", err)
		}
		s.Next = p.Seq + 1
	default:
		return nil // a later server may say more
	}
	*next = s.Next
	if !yield(s, nil) {
		return errStopped
	}
	return nil
}
