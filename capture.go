package daybook

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/json"
	"strings"
	"sync/atomic"
)

// What follows is for layers that capture events by themselves, such as package daybookhttp. An application does not need it.

// Policy returns the failure policy that holds for action: a capture layer that still can refuse an operation does so under
// FailClosed alone.
func (c *Clerk) Policy(action string) FailurePolicy { return c.policy(action) }

// DeriveKey returns 32 bytes made of ClerkOptions.Secret for one use, so that what is hashed for different uses cannot be compared; nil
// without a Secret.
func (c *Clerk) DeriveKey(use string) []byte {
	if len(c.o.Secret) == 0 {
		return nil
	}
	key, err := hkdf.Key(sha256.New, c.o.Secret, nil, "daybook/"+use+"/v1\n", 32)
	if err != nil { // 32 bytes are not too many
		return nil
	}
	return key
}

// Lose counts and logs e as lost: for a capture layer whose caller can no longer learn that recording e failed with err.
func (c *Clerk) Lose(ctx context.Context, e Event, err error) { c.lose(ctx, &e, err) }

// Recorded counts the events that Clerks were given under a context.
type Recorded struct {
	Durable atomic.Int64 // events that are recorded
	InTx    atomic.Int64 // events written within a transaction, which may still roll back
}

// countKey is the key of a counter in a context.
type countKey struct{}

// CountRecorded returns a context under which every Clerk counts in n, after the fact. n must outlive the context.
func CountRecorded(ctx context.Context, n *Recorded) context.Context {
	return context.WithValue(ctx, countKey{}, n)
}

// noteRecorded tells the counter of ctx, if there is one, that an event was recorded.
func noteRecorded(ctx context.Context) {
	if n, ok := ctx.Value(countKey{}).(*Recorded); ok {
		n.Durable.Add(1)
	}
}

// noteInTx tells it that an event was written within a transaction.
func noteInTx(ctx context.Context) {
	if n, ok := ctx.Value(countKey{}).(*Recorded); ok {
		n.InTx.Add(1)
	}
}

// redactedKey marks a context whose Context.HTTP is redacted already.
type redactedKey struct{}

// HTTPRedacted returns a context that says: the Context.HTTP of events recorded under it, and the member http of their metadata, were
// redacted where they were captured, by rules that the application gave there. [DefaultRedactor] then leaves them as they are; a
// Redactor of the application's own sees them as ever.
func HTTPRedacted(ctx context.Context) context.Context {
	return context.WithValue(ctx, redactedKey{}, true)
}

// redactorFor returns the Redactor that holds under ctx.
func (c *Clerk) redactorFor(ctx context.Context) Redactor {
	if _, isDefault := c.o.Redact.(DefaultRedactor); isDefault && ctx.Value(redactedKey{}) != nil {
		return exceptHTTP{}
	}
	return c.o.Redact
}

// exceptHTTP is DefaultRedactor for what did not come through HTTP.
type exceptHTTP struct{}

func (exceptHTTP) Redact(path string, v json.RawMessage) json.RawMessage {
	if strings.HasPrefix(path, "/context/http/") || strings.HasPrefix(path, "/metadata/http/") {
		return v
	}
	return DefaultRedactor{}.Redact(path, v)
}
