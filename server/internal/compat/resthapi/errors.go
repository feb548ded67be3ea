package resthapi

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/server/internal/auth"
)

// fault is an answer that says no, in the shape of hapi.
type fault struct {
	status     int
	retryAfter int
	message    string
	source     string   // query, payload or params: the input is wrong
	keys       []string // and where
}

func (f *fault) Error() string { return f.message }

type faultBody struct {
	StatusCode int         `json:"statusCode"`
	Error      string      `json:"error"`
	Message    string      `json:"message"`
	Validation *validation `json:"validation,omitempty"`
}

type validation struct {
	Source string   `json:"source"`
	Keys   []string `json:"keys"`
}

func (f *fault) send(w http.ResponseWriter) {
	if f.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	if f.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(f.retryAfter))
	}
	body := faultBody{StatusCode: f.status, Error: http.StatusText(f.status), Message: f.message}
	if f.source != "" {
		body.Validation = &validation{Source: f.source, Keys: f.keys}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil {
		panic(err) // our own structs always encode
	}
	send(w, f.status, bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

func send(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body) //nolint:gosec // JSON, and said to be; a client that is gone repeats its request
}

// badQuery refuses a parameter: is follows its name in quotes.
func badQuery(name, is string) *fault {
	return &fault{status: http.StatusBadRequest, message: fmt.Sprintf("%q %s", short(name), is), source: "query", keys: []string{short(name)}}
}

// badPayload refuses a member of the body.
func badPayload(name, is string) *fault {
	return &fault{status: http.StatusBadRequest, message: fmt.Sprintf("%q %s", short(name), is), source: "payload", keys: []string{short(name)}}
}

func short(name string) string {
	const most = 100
	if len(name) > most {
		return name[:most] + "…"
	}
	return name
}

func badRequest(message string) *fault {
	return &fault{status: http.StatusBadRequest, message: message}
}

func notFound() *fault {
	return &fault{status: http.StatusNotFound, message: "No resource was found with that id."}
}

func conflict() *fault {
	return &fault{status: http.StatusConflict, message: "There was a duplicate key error."}
}

func forbidden() *fault { return &fault{status: http.StatusForbidden, message: "Insufficient scope"} }

func tooLarge(most int) *fault {
	return &fault{status: http.StatusRequestEntityTooLarge, message: "Payload content length greater than maximum allowed: " + strconv.Itoa(most)}
}

func unavailable() *fault {
	return &fault{status: http.StatusServiceUnavailable, retryAfter: 1, message: "There was a problem with the database."}
}

// tooSlow says that counting took longer than a request may.
func tooSlow() *fault {
	return &fault{status: http.StatusServiceUnavailable, message: "There was a problem with the database. The query looks at too much: narrow the filter, for instance with $from and $to."}
}

// credentialFault says why a credential opens nothing.
func credentialFault(err error, header string) *fault {
	if limited, ok := errors.AsType[*auth.RateLimitError](err); ok {
		return &fault{
			status: http.StatusTooManyRequests, retryAfter: int(math.Ceil(limited.RetryAfter.Seconds())), message: "Too many requests, please try again later.",
		}
	}
	if daybook.CodeOf(err) != daybook.CodeUnauthorized {
		return unavailable()
	}
	f := &fault{status: http.StatusUnauthorized, message: "Invalid token"}
	if header == "" {
		f.message = "Missing authentication"
	}
	return f
}

// bookFault translates what the Book refused.
func bookFault(err error) *fault {
	if errors.Is(err, context.DeadlineExceeded) {
		return tooSlow()
	}
	var e *daybook.Error
	if !errors.As(err, &e) {
		return unavailable()
	}
	switch e.Code { //nolint:exhaustive // every other one is a passing failure
	case daybook.CodeConflict:
		return conflict()
	case daybook.CodeTooLarge:
		return tooLarge(leaf.MaxPayload)
	case daybook.CodeInvalid:
		return badRequest(e.Message)
	}
	return unavailable()
}

// Fault is part of auth.Door.
func (d *Door) Fault(w http.ResponseWriter, _ *http.Request, status int) {
	f := &fault{status: status, message: http.StatusText(status)}
	switch {
	case status == http.StatusRequestEntityTooLarge:
		f = tooLarge(cmp.Or(d.Settings.MaxBody, leaf.MaxPayload))
	case status == http.StatusBadRequest, status == http.StatusUnsupportedMediaType:
		f.message = "Invalid request payload"
	case status >= http.StatusInternalServerError:
		f.message = "An internal server error occurred"
	}
	f.send(w)
}
