package workos

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/control"
)

// fault is an answer that says no. Its body is always a JSON object with message, and never with error: Node's SDK would take that for
// a failure of OAuth.
type fault struct {
	status     int
	retryAfter int
	body       faultBody
}

type faultBody struct {
	Message string `json:"message"`
	Code    string `json:"code,omitempty"`
	Errors  any    `json:"errors,omitempty"`
}

// fieldError is one failure of a 422.
type fieldError struct {
	Code  string `json:"code"`
	Field string `json:"field"`
}

// limitError is one failure of a 400, in the words of the validator that WorkOS uses.
type limitError struct {
	InstancePath string         `json:"instancePath"`
	SchemaPath   string         `json:"schemaPath"`
	Keyword      string         `json:"keyword"`
	Params       map[string]any `json:"params"`
	Message      string         `json:"message"`
}

// placeError is one failure of a 400 that no schema is behind.
type placeError struct {
	InstancePath string `json:"instancePath"`
	Message      string `json:"message"`
}

// rule is the word for what is wrong, as the log of the organization names it.
func (f *fault) rule() string {
	switch errs := f.body.Errors.(type) {
	case []fieldError:
		return errs[0].Code
	case []limitError:
		return "invalid_value"
	}
	return f.body.Code
}

func (f *fault) send(w http.ResponseWriter) {
	if f.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	if f.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(f.retryAfter))
	}
	sendJSON(w, f.status, f.body)
}

var contentType = []string{"application/json; charset=utf-8"}

func send(w http.ResponseWriter, status int, body []byte) {
	w.Header()["Content-Type"] = contentType
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that is gone repeats its request with the same key
}

var recorded = []byte(`{"success":true}`)

// sendRecorded answers 201 in any case: a replay looks like the first time, but for the header that says so.
func sendRecorded(w http.ResponseWriter, r *daybook.Receipt) {
	h := w.Header()
	h["Daybook-Event-Id"] = []string{r.ID.String()}
	h["Daybook-Seq"] = []string{strconv.FormatInt(r.Seq, 10)}
	h["Daybook-Leaf-Hash"] = []string{base64.StdEncoding.EncodeToString(r.LeafHash[:])}
	h["Daybook-Duplicate"] = []string{strconv.FormatBool(r.Duplicate)}
	send(w, http.StatusCreated, recorded)
}

func unauthorized() *fault {
	return &fault{status: http.StatusUnauthorized, body: faultBody{Message: "Unauthorized"}}
}

func forbidden() *fault {
	return &fault{status: http.StatusForbidden, body: faultBody{Message: "Forbidden", Code: "forbidden"}}
}

func orgNotFound(org string) *fault {
	const most = 128
	if len(org) > most {
		org = strings.ToValidUTF8(org[:most], "") + "…"
	}
	return &fault{status: http.StatusNotFound, body: faultBody{Message: fmt.Sprintf("Organization not found: '%s'.", org)}}
}

func tooLarge() *fault {
	return &fault{status: http.StatusRequestEntityTooLarge, body: faultBody{Message: "Payload too large.", Code: "payload_too_large"}}
}

// unavailable is 500: the only status of a passing failure that every version of every SDK repeats.
func unavailable() *fault { return unavailableFor(1) }

func unavailableFor(seconds int) *fault {
	return &fault{
		status: http.StatusInternalServerError, retryAfter: seconds,
		body: faultBody{Message: "Temporarily unavailable, please retry.", Code: "temporarily_unavailable"},
	}
}

func credentialFault(err error) *fault {
	if errors.Is(err, auth.ErrUnauthorized) {
		return unauthorized()
	}
	if limited, ok := errors.AsType[*auth.RateLimitError](err); ok {
		return unavailableFor(int(math.Ceil(limited.RetryAfter.Seconds())))
	}
	return unavailable()
}

// jsonFault says why a body is not strict JSON.
func jsonFault(err error) *fault {
	var e *leaf.Error
	if !errors.As(err, &e) {
		return unavailable()
	}
	if e.Code == leaf.TooLarge {
		return tooLarge()
	}
	what, message := e.Message, e.Message
	if e.Code == leaf.DuplicateKey {
		what = "duplicate member"
		message = fmt.Sprintf("duplicate member %q", lastToken(e.Pointer))
	}
	return &fault{status: http.StatusBadRequest, body: faultBody{
		Message: fmt.Sprintf("Invalid JSON: %s at byte %d.", message, e.Offset), Code: "invalid_json",
		Errors: []placeError{{InstancePath: e.Pointer, Message: what}},
	}}
}

func validationFault(errs []fieldError) *fault {
	return &fault{status: http.StatusUnprocessableEntity, body: faultBody{Message: "Validation failed.", Errors: errs}}
}

// limitFault repeats the first failure in the message: some SDKs show nothing else.
func limitFault(errs []limitError) *fault {
	message := errs[0].Message
	if errs[0].InstancePath != "" {
		message = errs[0].InstancePath + ": " + message
	}
	return &fault{status: http.StatusBadRequest, body: faultBody{
		Message: "Invalid Audit Log event. " + message, Code: "invalid_audit_log_event", Errors: errs,
	}}
}

// violationFault is the refusal of an event by its schema, or for want of one.
func violationFault(rule string, wrong *control.SchemaError) *fault {
	errs := make([]limitError, 0, len(wrong.Violations))
	for _, v := range wrong.Violations {
		if v.InstancePath == "/context/ip" {
			v.InstancePath = "/context/location"
		}
		errs = append(errs, limitError(v))
	}
	f := limitFault(errs)
	if rule == control.FlagMissing {
		f.body.Message = fmt.Sprintf("Invalid Audit Log event. No schema is registered for action '%s'.", wrong.Action)
	}
	return f
}

// recordFault translates what the Book refused.
func recordFault(err error, key string) *fault {
	var e *daybook.Error
	if !errors.As(err, &e) {
		return unavailable()
	}
	switch e.Code { //nolint:exhaustive // every other one is a passing failure
	case daybook.CodeConflict:
		return &fault{status: http.StatusBadRequest, body: faultBody{
			Message: fmt.Sprintf("Another idempotency key (%s) with different request parameters was found. Please use a different idempotency key.", key),
			Code:    "idempotency_key_reused",
			Errors:  []placeError{{Message: "different request parameters"}},
		}}
	case daybook.CodeTooLarge:
		return tooLarge()
	case daybook.CodeInvalid:
		if wrong, ok := errors.AsType[*control.SchemaError](err); ok {
			return violationFault(e.Rule, wrong)
		}
		return validationFault([]fieldError{{Code: fieldCode(e.RuleName()), Field: fieldName(e.Field)}})
	}
	return unavailable()
}

// fieldCode is one of the four codes that a 422 knows.
func fieldCode(rule string) string {
	switch rule {
	case "required", "invalid_type", "invalid_format":
		return rule
	}
	return "invalid_value"
}

// fieldName turns a pointer into Daybook's event into the name of the field in the request.
func fieldName(p string) string {
	if p == "/context/ip" {
		p = "/context/location"
	}
	return "event" + strings.ReplaceAll(p, "/", ".")
}

func lastToken(p string) string {
	token := p[strings.LastIndexByte(p, '/')+1:]
	return strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
}

// pointer escapes one token of a JSON pointer.
func pointer(token string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(token) }

// Fault is part of auth.Door.
func (d *Door) Fault(w http.ResponseWriter, _ *http.Request, status int) {
	f := &fault{status: status, body: faultBody{Message: http.StatusText(status)}}
	switch {
	case status == http.StatusRequestEntityTooLarge:
		f = tooLarge()
	case status == http.StatusBadRequest, status == http.StatusUnsupportedMediaType:
		f.body.Code = "invalid_body"
	case status >= http.StatusInternalServerError:
		f = unavailable()
	}
	f.send(w)
}
