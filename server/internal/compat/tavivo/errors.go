package tavivo

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/server/internal/auth"
)

// fault is an answer that says no: always one JSON document, but for one of the original's.
type fault struct {
	status       int
	retryAfter   int
	authenticate string // WWW-Authenticate
	plain        bool   // text/plain, as the original answers a missing header
	rule         string // why a log was not taken, in the words of the log; empty: that is not for the caller to mend
	body         faultBody
}

type faultBody struct {
	Message string       `json:"message"`
	Errors  []fieldError `json:"errors,omitempty"`
}

// fieldError is what is wrong with one field or parameter.
type fieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

func (f *fault) send(w http.ResponseWriter) {
	if f.authenticate != "" {
		w.Header().Set("WWW-Authenticate", f.authenticate)
	}
	if f.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(f.retryAfter))
	}
	if f.plain {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(f.status)
		_, _ = w.Write([]byte(f.body.Message)) //nolint:gosec // text/plain, with nosniff; a client that is gone has no use for it
		return
	}
	send(w, f.status, encode(f.body))
}

var contentType = []string{"application/json"}

func send(w http.ResponseWriter, status int, body []byte) {
	w.Header()["Content-Type"] = contentType
	w.WriteHeader(status)
	_, _ = w.Write(body) //nolint:gosec // JSON, with nosniff; a client that is gone repeats its request
}

func refuse(status int, message string) *fault {
	return &fault{status: status, body: faultBody{Message: message}}
}

// missing answers a request without a credential.
func (d *Door) missing() *fault {
	if d.Settings.LegacyStatus {
		return &fault{status: http.StatusForbidden, plain: true, body: faultBody{Message: "Forbidden"}}
	}
	return &fault{status: http.StatusUnauthorized, authenticate: "Bearer", body: faultBody{Message: "Unauthorized"}}
}

func (d *Door) invalidToken() *fault {
	if d.Settings.LegacyStatus {
		return refuse(http.StatusBadRequest, "Invalid JWT")
	}
	return &fault{status: http.StatusUnauthorized, authenticate: `Bearer error="invalid_token"`, body: faultBody{Message: "Invalid JWT"}}
}

// keyFault answers an API key that does not hold, or may not ask now.
func keyFault(err error) *fault {
	if errors.Is(err, auth.ErrUnauthorized) {
		return &fault{status: http.StatusUnauthorized, authenticate: `Bearer error="invalid_token"`, body: faultBody{Message: "Invalid API key"}}
	}
	if limited, ok := errors.AsType[*auth.RateLimitError](err); ok {
		f := refuse(http.StatusTooManyRequests, "Too many requests")
		f.retryAfter = int(math.Ceil(limited.RetryAfter.Seconds()))
		return f
	}
	return unavailable()
}

func unavailable() *fault {
	f := refuse(http.StatusServiceUnavailable, "Temporarily unavailable")
	f.retryAfter = 1
	return f
}

func tooLarge() *fault {
	return refuse(http.StatusRequestEntityTooLarge, "Payload too large").because(leaf.TooLarge)
}

// because says why a log was not taken.
func (f *fault) because(rule string) *fault {
	f.rule = rule
	return f
}

// jsonFault says why a body is not strict JSON.
func jsonFault(err error) *fault {
	var e *leaf.Error
	if !errors.As(err, &e) {
		return unavailable()
	}
	switch e.Code {
	case leaf.TooLarge, leaf.TooManyFields:
		return tooLarge()
	case leaf.NotObject:
		return refuse(http.StatusBadRequest, "Invalid JSON: "+strings.Replace(e.Message, "an event", "a log", 1)).because(e.Code)
	}
	return refuse(http.StatusBadRequest, fmt.Sprintf("Invalid JSON: %s at byte %d", strings.TrimSuffix(e.Message, "."), e.Offset)).because(e.Code)
}

func invalidLog(errs []fieldError) *fault {
	return &fault{status: http.StatusBadRequest, rule: "invalid_value", body: faultBody{Message: "Invalid log", Errors: errs}}
}

func invalidQuery(errs ...fieldError) *fault {
	return &fault{status: http.StatusBadRequest, body: faultBody{Message: "Invalid query", Errors: errs}}
}

// recordFault translates what the Book refused.
func recordFault(err error) *fault {
	e, ok := errors.AsType[*daybook.Error](err)
	if !ok {
		return unavailable()
	}
	switch e.Code { //nolint:exhaustive // every other one is a passing failure
	case daybook.CodeConflict:
		return refuse(http.StatusConflict, "The idempotency key was used for another log").because(e.RuleName())
	case daybook.CodeTooLarge:
		return tooLarge()
	case daybook.CodeInvalid:
		return invalidLog([]fieldError{{fieldOf(e.Field), strings.TrimSuffix(e.Message, ".")}}).because(e.RuleName())
	}
	return unavailable()
}

// fieldOf is the field of a log that a part of its event was made of.
func fieldOf(pointer string) string {
	switch {
	case strings.HasPrefix(pointer, "/action"), strings.HasPrefix(pointer, "/metadata/tavivo/action"):
		return "action"
	case strings.HasPrefix(pointer, "/actor"), strings.HasPrefix(pointer, "/metadata/tavivo/userId"):
		return "userId"
	}
	return "metaData"
}

// searchFault translates what a search refused.
func searchFault(err error) *fault {
	e, ok := errors.AsType[*daybook.Error](err)
	if !ok || e.Code != daybook.CodeInvalid {
		return unavailable()
	}
	field := "q"
	if e.RuleName() == "cursor_invalid" {
		field = "cursor"
	}
	return invalidQuery(fieldError{field, e.Message})
}

// Fault is part of auth.Door.
func (d *Door) Fault(w http.ResponseWriter, _ *http.Request, status int) {
	switch status {
	case http.StatusNotFound:
		refuse(status, "Not found").send(w)
	case http.StatusMethodNotAllowed:
		refuse(status, "Method not allowed").send(w)
	case http.StatusRequestEntityTooLarge:
		tooLarge().send(w)
	case http.StatusInternalServerError:
		refuse(status, "Internal error").send(w)
	default:
		refuse(status, http.StatusText(status)).send(w)
	}
}
