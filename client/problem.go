package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/daybook-audit/daybook"
)

// Problem is an error answer of the server as it was sent: problem+json and the headers that belong to it. It stands as Err in
// the *daybook.Error that a call returns.
type Problem struct { //nolint:errname // the word of RFC 9457
	Status     int         `json:"status"`
	Code       string      `json:"code"`
	Detail     string      `json:"detail"`
	Field      string      `json:"field"`
	Index      *int        `json:"index"`
	Errors     []Refusal   `json:"errors"`
	Violations []Violation `json:"violations"` // with schema_violation and schema_missing
	Query      *QueryFault `json:"query_error"`
	RequestID  string      `json:"request_id"`

	RetryAfter time.Duration `json:"-"`
}

// Violation is one thing that the schema of an event's action refuses.
type Violation struct {
	Field   string `json:"field"` // JSON pointer into the event; empty: the event itself
	Keyword string `json:"keyword"`
	Schema  string `json:"schema"` // where the schema says so
	Message string `json:"message"`
}

// Refusal is what is wrong with one event of a batch.
type Refusal struct {
	Index  int    `json:"index"`
	Code   string `json:"code"`
	Field  string `json:"field"`
	Detail string `json:"detail"`
}

// QueryFault says where a query is wrong; Pos and Len count code points from 0.
type QueryFault struct {
	Code        string   `json:"code"`
	Pos         int      `json:"pos"`
	Len         int      `json:"len"`
	Message     string   `json:"message"`
	Hint        string   `json:"hint"`
	Suggestions []string `json:"suggestions"`
}

// Error names status, code and request.
func (p *Problem) Error() string {
	s := fmt.Sprintf("%d %s", p.Status, p.Code)
	if p.RequestID != "" {
		s += " (" + p.RequestID + ")"
	}
	return s
}

// codes maps a status to the coarse class.
var codes = map[int]daybook.Code{
	http.StatusBadRequest: daybook.CodeInvalid, http.StatusUnauthorized: daybook.CodeUnauthorized, http.StatusForbidden: daybook.CodeForbidden,
	http.StatusNotFound: daybook.CodeNotFound, http.StatusGone: daybook.CodeGone, http.StatusMethodNotAllowed: daybook.CodeInvalid, http.StatusConflict: daybook.CodeConflict,
	http.StatusRequestEntityTooLarge: daybook.CodeTooLarge, http.StatusUnsupportedMediaType: daybook.CodeInvalid, http.StatusUnprocessableEntity: daybook.CodeInvalid,
	http.StatusTooManyRequests: daybook.CodeOverloaded, http.StatusInsufficientStorage: daybook.CodeOverloaded, http.StatusNotImplemented: daybook.CodeInvalid,
}

// problemOf turns an answer that is no 2xx into the error of its call.
func problemOf(res *http.Response, r call) error {
	text, _ := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	p := &Problem{}
	if json.Unmarshal(text, p) != nil || p.Code == "" {
		// Not one of ours: a proxy, or another program on that port.
		p = &Problem{Code: "http", Detail: fmt.Sprintf("%s %s was answered %s", r.method, r.path, res.Status)}
		if line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n"); line != "" && len(line) < 200 && !strings.HasPrefix(line, "<") {
			p.Detail += ": " + line
		}
	}
	p.Status = res.StatusCode
	p.RequestID = first(p.RequestID, res.Header.Get("X-Request-Id"))
	p.RetryAfter = seconds(res.Header.Get("Retry-After"))
	if p.Code == "unknown_outcome" {
		return fmt.Errorf("%w (%w)", daybook.ErrUnknownOutcome, p)
	}
	code, ok := codes[res.StatusCode]
	switch {
	case ok:
	case p.Code == "store_damaged":
		code = daybook.CodeTampered
	case p.Code == "log_frozen":
		code = daybook.CodeUnavailable
	case p.Code == "overloaded" || res.StatusCode == http.StatusServiceUnavailable:
		code = daybook.CodeOverloaded
	case res.StatusCode >= http.StatusInternalServerError && r.method != http.MethodGet && p.Code == "http":
		// A gateway gave up waiting: what the server behind it did is not known.
		return fmt.Errorf("%w (%w)", daybook.ErrUnknownOutcome, p)
	case res.StatusCode < http.StatusInternalServerError:
		code = daybook.CodeInvalid
	default:
		code = daybook.CodeInternal
	}
	if len(p.Errors) > 0 {
		batch := &daybook.BatchError{}
		for _, e := range p.Errors {
			batch.Errors = append(batch.Errors, daybook.EventError{Index: e.Index, Err: &daybook.Error{Code: code, Rule: e.Code, Field: e.Field, Message: e.Detail, Err: p}})
		}
		return batch
	}
	return &daybook.Error{Code: code, Rule: p.Code, Field: p.Field, Message: p.Detail, Err: p}
}

// transportError is a request that got no whole answer. Of a write it is not known whether it was carried out.
type transportError struct {
	write bool
	err   error
}

// Error is the cause.
func (e *transportError) Error() string { return e.err.Error() }

// Unwrap returns the cause and, when a write may have reached the server, daybook.ErrUnknownOutcome.
func (e *transportError) Unwrap() []error {
	var op *net.OpError
	if !e.write || (errors.As(e.err, &op) && op.Op == "dial") { // never connected: nothing was sent
		return []error{e.err}
	}
	return []error{e.err, daybook.ErrUnknownOutcome}
}

// Interrupted reports whether err is the end of the caller's own context.
func Interrupted(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
