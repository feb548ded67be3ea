package daybook

import (
	"encoding/json"
	"fmt"

	"github.com/daybook-audit/daybook/internal/redaction"
)

// A Redactor sees every value of an event before it is recorded, each object and list before what is in it; path is an RFC 6901
// pointer into the event's JSON. It returns what is recorded instead, v itself to keep it, nothing to drop it; what is in a value
// that it replaced it does not see. Where the shape of an event asks for a string, a number, an object or a list, anything else
// drops the member; in free data (metadata, params, request, response, old and new of changes) any JSON may come back, and what
// is not JSON is masked. Redact is called concurrently and MUST NOT change v.
type Redactor interface {
	Redact(path string, v json.RawMessage) json.RawMessage
}

// DefaultRedactor masks values of free data whose name looks like a secret: one of its words (snake, kebab or camel case) is pass,
// passwd, password, secret, token, key, auth, authorization, cookie, session, credential, private, otp, pin, cvv, card, iban or
// ssn, or one of these with an s. Of a change it masks both values when such a name is in its path. The event's own members, such
// as context.session_id, are kept.
type DefaultRedactor struct{}

// Redact returns v, or a mask.
func (DefaultRedactor) Redact(path string, v json.RawMessage) json.RawMessage {
	return redaction.Default(path, v)
}

// SecretName reports whether DefaultRedactor masks what has this name: see there for the words.
func SecretName(name string) bool { return redaction.IsSecret(name) }

// Redacted returns e as a Clerk with the Redactor r records it: for whoever hands events to a Book without a Clerk.
func Redacted(e Event, r Redactor) (Event, error) { return redacted(e, r) }

// redacted returns e as r lets it be recorded.
func redacted(e Event, r Redactor) (Event, error) {
	text, err := appendEvent(nil, &e)
	if err != nil {
		return e, err
	}
	out, changed := redaction.Apply(text, func(path string, v []byte) []byte { return r.Redact(path, v) })
	if !changed {
		return e, nil
	}
	safe := Event{Org: e.Org}
	if err := decodeEvent(out, &safe); err != nil {
		return e, fmt.Errorf("read the redacted event: %w", err)
	}
	return safe, nil
}
