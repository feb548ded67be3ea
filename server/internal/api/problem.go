package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/query"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/control"
)

// problem is an answer of the form application/problem+json (RFC 9457).
type problem struct {
	Title      string         `json:"title" doc:"The text of the status." example:"Bad Request"`
	Status     int            `json:"status" doc:"The HTTP status." example:"400"`
	Code       string         `json:"code" doc:"What went wrong, as a word for programs." example:"required"`
	Detail     string         `json:"detail" doc:"What went wrong, for people." example:"actor.id is required."`
	Field      string         `json:"field,omitempty" doc:"JSON pointer into the event, or the name of a parameter." example:"/actor/id"`
	Index      *int           `json:"index,omitempty" doc:"The 0-based place of the event in the batch."`
	Violations []violation    `json:"violations,omitempty" doc:"With schema_violation and schema_missing: all that is wrong with the event, at most 100."`
	Errors     []eventProblem `json:"errors,omitempty" doc:"Every refused event of the batch, at most 100."`
	Query      *queryProblem  `json:"query_error,omitempty" doc:"Where a query is wrong."`
	Damage     *damage        `json:"damage,omitempty" doc:"With store_damaged: where, and what does not hold, if a place is known."`
	RequestID  string         `json:"request_id" doc:"The id of the request, also in X-Request-Id." example:"req_7f3k2q9x4m"`

	retryAfter time.Duration // 0: no header
	allow      string
}

// violation is one thing that a schema refuses, in the words of JSON Schema validators.
type violation struct {
	Field   string         `json:"field" doc:"JSON pointer into the event; empty: the event itself." example:"/metadata/id"`
	Keyword string         `json:"keyword" example:"type"`
	Params  map[string]any `json:"params" doc:"What the keyword asks for."`
	Schema  string         `json:"schema" doc:"Where the schema says so." example:"#/metadata/properties/id/type"`
	Message string         `json:"message" example:"must be string"`
}

// eventProblem is one refused event of a batch.
type eventProblem struct {
	Index  int    `json:"index" doc:"The 0-based place of the event in the batch."`
	Code   string `json:"code" doc:"What is wrong, as a word for programs."`
	Field  string `json:"field,omitempty" doc:"JSON pointer into the event."`
	Detail string `json:"detail" doc:"What is wrong, for people."`
}

// queryProblem says where a query is wrong.
type queryProblem struct {
	Code        string   `json:"code" doc:"What is wrong, as a word for programs."`
	Pos         int      `json:"pos" doc:"Where it begins, in characters from 0."`
	Len         int      `json:"len" doc:"How many characters it takes."`
	Message     string   `json:"message"`
	Hint        string   `json:"hint"`
	Suggestions []string `json:"suggestions" nullable:"false"`
}

// requestError is a refusal that HTTP has a status for and the Book has no code.
type requestError struct {
	status              int
	code, field, detail string
	allow               string
}

// Error is the detail.
func (e *requestError) Error() string { return e.detail }

// statuses says which status a code is. Rule and cause can make it finer: see problemOf.
var statuses = map[daybook.Code]int{
	daybook.CodeInvalid:      http.StatusBadRequest,
	daybook.CodeUnauthorized: http.StatusUnauthorized,
	daybook.CodeForbidden:    http.StatusForbidden,
	daybook.CodeNotFound:     http.StatusNotFound,
	daybook.CodeGone:         http.StatusGone,
	daybook.CodeConflict:     http.StatusConflict,
	daybook.CodeTooLarge:     http.StatusRequestEntityTooLarge,
	daybook.CodeOverloaded:   http.StatusServiceUnavailable,
	daybook.CodeUnavailable:  http.StatusServiceUnavailable,
}

// problemOf is the only place where an error becomes a status.
func problemOf(err error) *problem {
	var (
		batch   *daybook.BatchError
		coded   *daybook.Error
		request *requestError
		limited *auth.RateLimitError
		wrong   *query.Error
	)
	switch {
	case errors.As(err, &request):
		p := newProblem(request.status, request.code, request.detail, request.field)
		p.allow = request.allow
		if p.Status == http.StatusServiceUnavailable {
			p.retryAfter = time.Second
		}
		return p
	case errors.As(err, &limited):
		p := newProblem(http.StatusTooManyRequests, "rate_limited", limited.Error(), "")
		p.retryAfter = limited.RetryAfter
		return p
	case errors.Is(err, daybook.ErrUnknownOutcome):
		p := newProblem(http.StatusServiceUnavailable, "unknown_outcome",
			"whether the events were recorded is not known: repeat the same request with the same ids or Idempotency-Key.", "")
		p.retryAfter = time.Second
		return p
	case errors.Is(err, daybook.ErrUnreachable):
		p := newProblem(http.StatusServiceUnavailable, "store_unreachable", "the database does not answer: ask again in a moment; a recording with ids or an Idempotency-Key can be repeated.", "")
		p.retryAfter = time.Second
		return p
	case errors.As(err, &batch):
		return batchProblem(batch)
	case errors.As(err, &coded) && coded.Rule != "query_invalid":
		return codedProblem(coded, err)
	case errors.As(err, &wrong):
		return wrongQuery(wrong)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		p := newProblem(http.StatusServiceUnavailable, string(daybook.CodeOverloaded), "the request took too long and was given up.", "")
		p.retryAfter = time.Second
		return p
	}
	return newProblem(http.StatusInternalServerError, string(daybook.CodeInternal), "internal error", "")
}

func codedProblem(e *daybook.Error, err error) *problem {
	if e.Code == daybook.CodeTampered {
		return damagedProblem(err)
	}
	status, ok := statuses[e.Code]
	if !ok { // internal: for the operator's log alone
		return newProblem(http.StatusInternalServerError, string(daybook.CodeInternal), "internal error", "")
	}
	p := newProblem(status, e.RuleName(), e.Message, e.Field)
	if wrong, ok := errors.AsType[*control.SchemaError](e.Err); ok {
		for _, v := range wrong.Violations {
			p.Violations = append(p.Violations, violation{Field: v.InstancePath, Keyword: v.Keyword, Params: v.Params, Schema: v.SchemaPath, Message: v.Message})
		}
	}
	switch e.Code { //nolint:exhaustive // the others have nothing to add
	case daybook.CodeOverloaded:
		p.retryAfter = time.Second
		if errors.Is(err, daybook.ErrNoSpace) {
			p.Status, p.Title, p.retryAfter = http.StatusInsufficientStorage, http.StatusText(http.StatusInsufficientStorage), 30*time.Second
		}
	case daybook.CodeUnavailable:
		p.retryAfter = 5 * time.Second
	}
	return p
}

// damagedProblem is the problem of a log whose stored bytes contradict each other. That it is so is nothing to hide from who reads it; what
// the bytes say is for the operator's log.
func damagedProblem(err error) *problem {
	p := newProblem(http.StatusInternalServerError, "store_damaged", "what is stored of this log contradicts itself.", "")
	if d, ok := errors.AsType[*daybook.DamageError](err); ok {
		p.Damage = new(showDamage(&d.Damage))
		p.Detail = "what is stored of this log contradicts itself: " + p.Damage.Detail + "."
	}
	return p
}

// batchProblem is the problem of the first refused event, with all of them beside it.
func batchProblem(b *daybook.BatchError) *problem {
	first := b.Errors[0]
	p := codedProblem(first.Err, first.Err)
	p.Index = &first.Index
	p.Detail = fmt.Sprintf("event %d: %s", first.Index, p.Detail)
	p.Errors = eventProblems(b.Errors[:min(len(b.Errors), 100)])
	return p
}

func eventProblems(errs []daybook.EventError) []eventProblem {
	list := make([]eventProblem, 0, len(errs))
	for _, e := range errs {
		p := codedProblem(e.Err, e.Err)
		list = append(list, eventProblem{Index: e.Index, Code: p.Code, Field: p.Field, Detail: p.Detail})
	}
	return list
}

func wrongQuery(e *query.Error) *problem {
	p := newProblem(http.StatusBadRequest, "query_invalid", e.Message, "q")
	suggestions := e.Suggestions
	if suggestions == nil {
		suggestions = []string{}
	}
	p.Query = &queryProblem{Code: e.Code, Pos: e.Pos, Len: e.Len, Message: e.Message, Hint: e.Hint, Suggestions: suggestions}
	return p
}

func newProblem(status int, code, detail, field string) *problem {
	return &problem{Title: http.StatusText(status), Status: status, Code: code, Detail: detail, Field: field}
}

// send writes the problem.
func (p *problem) send(c *call) {
	p.RequestID, c.code = string(c.id[:]), p.Code
	h := c.Header()
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	if p.allow != "" {
		h.Set("Allow", p.allow)
	}
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(p.retryAfter.Seconds()))))
	}
	c.send(p.Status, problemType, marshal(p))
}

// marshal is JSON without a newline at the end and without escaped HTML.
func marshal(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // our own structs always encode
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func itoa(n int) string { return strconv.Itoa(n) }

// invalid is a refusal of a parameter or a member.
func invalid(rule, field, format string, args ...any) error {
	return &daybook.Error{Code: daybook.CodeInvalid, Rule: rule, Field: field, Message: fmt.Sprintf(format, args...)}
}
