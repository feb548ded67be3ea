package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/auth"
)

// call is one request under way, and the ResponseWriter that its handler sees. Calls are pooled: nothing of one may be kept.
type call struct {
	s     *Server
	w     http.ResponseWriter
	r     *http.Request
	route *route

	principal *auth.Principal // nil on open routes
	org       daybook.OrgID   // of the request, when the route has one
	query     url.Values      // checked against the route; nil when there is none

	id     [14]byte // req_ and 10 characters
	status int      // 0: nothing written yet
	bytes  int64
	err    error  // what the answer was made of, when it is an error
	code   string // of the problem answered
	broken bool   // err came after the answer had begun

	seen  seen // what the answer shows of a log
	noted bool // the look at it is noted

	working bool  // it has its body, and counts among those at work
	written int64 // of the room for answers

	body   bodyBuffer
	events [][]byte // slices of the body
	out    []byte   // the answer being made
}

var calls = sync.Pool{New: func() any { return &call{} }}

// smallAnswer is what every client may leave unread.
const smallAnswer = 64 << 10

// keep is the largest answer buffer that goes back to the pool.
const keep = 256 << 10

func (c *call) release() {
	c.body.release()
	if c.working {
		c.s.atWork.leave()
	}
	if c.written > 0 {
		c.s.answers.give(c.written)
	}
	clear(c.events) // no event of a large body is kept alive
	events, out, body := c.events[:0], c.out[:0], c.body
	if cap(out) > keep {
		out = nil
	}
	*c = call{events: events, out: out, body: body}
	calls.Put(c)
}

// ServeHTTP is the chain that every request passes: id, recovery, headers, route, access log, metrics.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, ok := calls.Get().(*call)
	if !ok {
		c = &call{}
	}
	c.s, c.w, c.r, c.route = s, w, r, s.none
	start := s.now()
	newRequestID(&c.id)
	h := w.Header()
	h["X-Request-Id"] = []string{string(c.id[:])}
	h["X-Content-Type-Options"] = nosniff
	h["Cache-Control"] = noStore
	if r.TLS != nil {
		h["Strict-Transport-Security"] = hsts
	}
	defer c.finish(start) //nolint:contextcheck // a call carries its request
	if !clean(r.URL) {
		s.missing(c)
		return
	}
	if s.cors(c, r) {
		return
	}
	s.mux.ServeHTTP(c, r)
}

// Header values that never change are shared between answers.
var (
	nosniff     = []string{"nosniff"}
	noStore     = []string{"no-store"}
	hsts        = []string{"max-age=31536000"}
	jsonType    = []string{"application/json"}
	problemType = []string{"application/problem+json"}
)

// clean reports whether the path is one that ServeMux would not redirect: an API answers 404 instead.
func clean(u *url.URL) bool {
	p := u.EscapedPath()
	return strings.HasPrefix(p, "/") && !strings.Contains(p, "//") && !strings.Contains(p, "/./") && !strings.Contains(p, "/../") &&
		!strings.HasSuffix(p, "/.") && !strings.HasSuffix(p, "/..")
}

// finish runs when the handler is done, or has panicked.
func (c *call) finish(start time.Time) {
	abort := false
	if p := recover(); p != nil {
		if p != http.ErrAbortHandler { //nolint:errorlint // the value itself, as net/http compares it
			c.err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
		if abort = c.status != 0; abort {
			c.broken = true
		} else {
			c.route.fault(c, http.StatusInternalServerError)
		}
	}
	took := c.s.now().Sub(start)
	if c.s.Metrics != nil {
		c.route.times.observe(c.status, took)
	}
	c.logAccess(took)
	c.release()
	if abort {
		panic(http.ErrAbortHandler) // half an answer must not look like a whole one: the connection is cut
	}
}

// logAccess writes one line: who asked for what, and how it went. No header, no query string, no body. What went well on the
// recording routes is logged at debug, since a line each would cost more than the recording.
func (c *call) logAccess(took time.Duration) {
	level := slog.LevelInfo
	switch {
	case c.status >= 500, c.broken:
		level = slog.LevelError
	case c.status < 400 && c.route.quiet:
		level = slog.LevelDebug
	}
	ctx := context.WithoutCancel(c.r.Context())
	if !c.s.log.Enabled(ctx, level) {
		return
	}
	attrs := make([]slog.Attr, 0, 12)
	attrs = append(attrs,
		slog.String("request_id", string(c.id[:])), slog.String("method", c.r.Method), slog.String("path", c.r.URL.EscapedPath()),
		slog.String("route", c.route.pattern), slog.Int("status", c.status), slog.Int64("bytes", c.bytes),
		slog.Float64("seconds", took.Seconds()), slog.String("client", c.s.client(c.r)))
	if c.principal != nil {
		attrs = append(attrs, slog.String("key_id", c.principal.KeyID))
	}
	if c.org != "" {
		attrs = append(attrs, slog.String("org", string(c.org)))
	}
	if c.code != "" {
		attrs = append(attrs, slog.String("code", c.code))
	}
	if c.err != nil && (c.status >= 500 || c.broken) { // a refusal quotes what was sent: that stays out of the log
		attrs = append(attrs, slog.String("error", c.err.Error()))
	}
	c.s.log.LogAttrs(ctx, level, "request", attrs...)
}

// Header is part of http.ResponseWriter.
func (c *call) Header() http.Header { return c.w.Header() }

// WriteHeader is part of http.ResponseWriter.
func (c *call) WriteHeader(status int) {
	if c.status == 0 {
		c.status = status
	}
	c.w.WriteHeader(status)
}

// Write is part of http.ResponseWriter.
func (c *call) Write(b []byte) (int, error) {
	if c.status == 0 {
		c.status = http.StatusOK
	}
	n, err := c.w.Write(b)
	c.bytes += int64(n)
	return n, err
}

// Unwrap lets an http.ResponseController reach the connection.
func (c *call) Unwrap() http.ResponseWriter { return c.w }

// send answers with a complete body.
func (c *call) send(status int, contentType []string, body []byte) {
	h := c.w.Header()
	// A client that does not read keeps its answer in memory. What was recorded is answered all the same.
	if n := int64(len(body)); n > smallAnswer && c.written == 0 && c.r.Method == http.MethodGet {
		if !c.s.answers.take(n) {
			c.fail(c.busy())
			return
		}
		c.written = n
	}
	h["Content-Type"] = contentType
	if len(body) > 1024 { // net/http counts shorter ones itself
		h["Content-Length"] = []string{itoa(len(body))}
	}
	c.WriteHeader(status)
	_, err := c.Write(body)
	c.gone(err)
}

// gone notes that the client did not take the answer.
func (c *call) gone(err error) {
	if err != nil && c.err == nil {
		c.err = fmt.Errorf("write the answer: %w", err)
	}
}

// fail answers with the problem that err is.
func (c *call) fail(err error) {
	c.err = err
	gone := errors.Is(err, context.Canceled) && c.r.Context().Err() != nil
	switch {
	case c.status != 0: // the answer has begun: all that is left is to log
		c.broken = !gone
		return
	case gone:
		c.status = statusClientGone
		return
	}
	if d, ok := errors.AsType[*daybook.DamageError](err); ok {
		c.noteDamage(d.Damage)
	}
	p := problemOf(err)
	p.send(c)
}

// statusClientGone stands in the log and the metrics for a client that left before its answer.
const statusClientGone = 499

// newRequestID makes req_ and 10 characters of the TypeID alphabet: 50 bits, enough to find a line in a log.
func newRequestID(id *[14]byte) {
	const letters = "0123456789abcdefghjkmnpqrstvwxyz"
	copy(id[:], "req_")
	v := rand.Uint64() //nolint:gosec // a name, not a secret
	for i := 4; i < len(id); i++ {
		id[i] = letters[v&31]
		v >>= 5
	}
}
