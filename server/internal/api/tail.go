package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/query"
)

// heartbeat is how often a comment says that the connection lives.
const heartbeat = 15 * time.Second

// tailEvents is the live tail. It reads the log by seq and is only woken by commits, so however slow the client is, nothing is
// skipped and nothing piles up: what is not asked for yet stays in the log.
func tailEvents(c *call) error {
	follow := daybook.FollowQuery{Org: c.org, From: daybook.FollowHead, Within: c.within(nil), Hide: c.hidden()}
	c.seen.within = follow.Within
	var err error
	if follow.Zone, err = c.zone(); err != nil {
		return err
	}
	// Parsed here and not by Follow: what is wrong with it must be said before the stream begins.
	if follow.Query, err = query.Parse(c.param(paramQ), query.Options{Now: c.s.now(), Zone: follow.Zone}); err != nil {
		return err
	}
	if follow.From, err = c.tailFrom(); err != nil {
		return err
	}
	h := c.Header()
	h["Content-Type"] = []string{"text/event-stream"}
	h["X-Accel-Buffering"] = []string{"no"} // or nginx keeps the events to itself
	control := http.NewResponseController(c.w)
	_ = control.SetReadDeadline(time.Time{}) // a writer without deadlines needs none lifted
	if c.r.Method == http.MethodHead {
		c.WriteHeader(http.StatusOK)
		return nil
	}
	c.looked(daybook.Success) // as it begins: a tail may last for days
	ctx, cancel := c.tailContext()
	frames := make(chan frame)
	var pump sync.WaitGroup
	pump.Go(func() { follower(ctx, c.s.Book, follow, c.appendEntry, frames) })
	defer pump.Wait()
	defer cancel()
	return c.stream(frames, &deadlineWriter{c: c, control: control})
}

// tailContext is that of the request; a viewer's ends with the token.
func (c *call) tailContext() (context.Context, context.CancelFunc) {
	if v := c.viewer(); v != nil {
		return context.WithTimeout(c.r.Context(), v.Expires.Sub(c.s.now()))
	}
	return context.WithCancel(c.r.Context())
}

// tailFrom is where the tail starts: after Last-Event-ID, else at from_seq, else at the head.
func (c *call) tailFrom() (int64, error) {
	if last := header(c.r, "Last-Event-Id"); last != "" {
		seq, err := strconv.ParseInt(last, 10, 64)
		if err != nil || seq < 0 {
			return 0, invalid("invalid_value", "Last-Event-ID", "Last-Event-ID is the seq of an entry.")
		}
		return seq + 1, nil
	}
	if !c.given(paramFromSeq) {
		return daybook.FollowHead, nil
	}
	return c.whole(paramFromSeq)
}

// frame is one event of the stream, or the error that ends it.
type frame struct {
	text []byte
	err  error
}

// follower writes the steps of the log as frames until ctx ends; then, or after an error, it closes frames.
func follower(ctx context.Context, book Book, q daybook.FollowQuery, show func([]byte, *daybook.Entry) []byte, frames chan<- frame) {
	defer close(frames)
	for step, err := range book.Follow(ctx, q) {
		f := frame{err: err}
		switch {
		case err != nil:
		case step.Entry != nil:
			f.text = appendEntryFrame(nil, step.Entry, show)
		default:
			f.text = fmt.Appendf(nil, "id: %d\nevent: position\ndata: {\"seq\":%d,\"size\":%d}\n\n", step.Position, step.Position, step.Size)
		}
		select {
		case frames <- f:
		case <-ctx.Done():
			return
		}
	}
}

func appendEntryFrame(dst []byte, e *daybook.Entry, show func([]byte, *daybook.Entry) []byte) []byte {
	dst = append(dst, "id: "...)
	dst = strconv.AppendInt(dst, e.Seq, 10)
	dst = append(dst, "\nevent: entry\ndata: "...)
	dst = show(dst, e) // one line: payloads hold no raw newline
	return append(dst, '\n', '\n')
}

// stream writes frames until the client leaves, the server stops or the log cannot be read any more.
func (c *call) stream(frames <-chan frame, to *deadlineWriter) error {
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	if err := to.flush([]byte("retry: 1000\n\n")); err != nil {
		c.gone(err)
		return nil
	}
	for {
		text := []byte(": \n\n")
		select {
		case f, open := <-frames:
			if !open || errors.Is(f.err, context.DeadlineExceeded) {
				return nil
			}
			if f.err != nil {
				return f.err
			}
			text = f.text
			tick.Reset(heartbeat)
		case <-tick.C:
		case <-c.s.closing:
			return nil
		}
		if err := to.flush(text); err != nil {
			c.gone(err)
			return nil
		}
	}
}

func (d *deadlineWriter) flush(text []byte) error {
	if _, err := d.Write(text); err != nil {
		return err
	}
	return d.control.Flush()
}
