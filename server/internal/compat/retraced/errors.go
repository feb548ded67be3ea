package retraced

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/auth"
)

// fault is an answer that says no, in the form of Retraced.
type fault struct {
	Status  int       `json:"status"`
	Type    string    `json:"type"`
	Message string    `json:"error"`
	Invalid []invalid `json:"invalid,omitempty"`

	retryAfter int
	graphql    bool // the answer has the form of GraphQL
}

// invalid is one event of a bulk request that was refused.
type invalid struct {
	Message    string      `json:"message"`
	Index      int         `json:"index"`
	Violations []violation `json:"violations"`
}

func newFault(status int, message string) *fault {
	return &fault{Status: status, Type: "Error", Message: message}
}

// The faults that have no words of the moment.
var (
	missingHeader = newFault(http.StatusUnauthorized, "Missing Authorization header")
	badHeader     = newFault(http.StatusUnauthorized, "Invalid Authorization header form")
	unauthorized  = newFault(http.StatusUnauthorized, "Unauthorized")
	forbidden     = newFault(http.StatusForbidden, "Forbidden")
	tooLarge      = newFault(http.StatusRequestEntityTooLarge, "The request or one of its events is too large")
	conflict      = newFault(http.StatusConflict, "This Idempotency-Key was used with another body")
	unavailable   = &fault{Status: http.StatusServiceUnavailable, Type: "Error", Message: "Temporarily unavailable, please retry", retryAfter: 1}
	tooSlow       = &fault{Status: http.StatusServiceUnavailable, Type: "Error", Message: "The query took too long: narrow it", retryAfter: 1}
)

// asked is what is wrong with a GraphQL request.
func asked(message string) *fault {
	return &fault{Status: http.StatusBadRequest, Message: message, graphql: true}
}

func (f *fault) send(w http.ResponseWriter) {
	if f.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Token")
	}
	if f.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(f.retryAfter))
	}
	if f.graphql {
		type message struct {
			Message string `json:"message"`
		}
		send(w, f.Status, encode(map[string][]message{"errors": {{f.Message}}}))
		return
	}
	send(w, f.Status, encode(f))
}

var contentType = []string{"application/json"}

// send answers with a whole body. Every answer of the door passes here.
func send(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h["Content-Type"] = contentType
	h["X-Retraced-RequestId"] = h["X-Request-Id"] // net/http writes the spelling of Retraced as it is
	w.WriteHeader(status)
	_, _ = w.Write(body) //nolint:gosec // JSON; a client that is gone asks again
}

func credentialFault(err error) *fault {
	if errors.Is(err, auth.ErrUnauthorized) {
		return unauthorized
	}
	if limited, ok := errors.AsType[*auth.RateLimitError](err); ok {
		f := newFault(http.StatusTooManyRequests, "Too many requests")
		f.retryAfter = int(math.Ceil(limited.RetryAfter.Seconds()))
		return f
	}
	return unavailable
}

// eventFault says what is wrong with one event.
func eventFault(broken []violation) *fault {
	return newFault(http.StatusBadRequest, join(broken, "\n--"))
}

func join(broken []violation, with string) string {
	messages := make([]string, len(broken))
	for i := range broken {
		messages[i] = broken[i].Message
	}
	return strings.Join(messages, with)
}

// bulkFault says which events of a bulk request are wrong.
func bulkFault(list []invalid) *fault {
	f := newFault(http.StatusBadRequest, "")
	messages := make([]string, len(list))
	for i := range list {
		messages[i] = list[i].Message
	}
	f.Message = "One or more invalid inputs, no events were logged:\n- " + strings.Join(messages, "\n- ")
	f.Invalid = list
	return f
}

// recordFault translates what the Book refused.
func recordFault(err error) *fault {
	var e *daybook.Error
	if !errors.As(err, &e) {
		return unavailable
	}
	switch e.Code { //nolint:exhaustive // every other one is a passing failure
	case daybook.CodeConflict:
		return conflict
	case daybook.CodeTooLarge:
		return tooLarge
	case daybook.CodeInvalid:
		return newFault(http.StatusBadRequest, e.Message)
	}
	return unavailable
}

// Fault is part of auth.Door.
func (d *Door) Fault(w http.ResponseWriter, _ *http.Request, status int) {
	switch status {
	case http.StatusRequestEntityTooLarge:
		tooLarge.send(w)
	case http.StatusInternalServerError:
		newFault(status, "Internal Server Error").send(w)
	default:
		newFault(status, http.StatusText(status)).send(w)
	}
}
