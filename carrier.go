package daybook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrCarrier says that a carrier was not made with this secret, was changed, or has expired.
var ErrCarrier = errors.New("daybook: the carrier is forged, damaged or too old")

// carried is what a carrier holds.
type carried struct {
	Org           OrgID   `json:"org,omitempty"`
	Actor         Actor   `json:"actor,omitzero"`
	Context       Context `json:"context,omitzero"`
	Reason        string  `json:"reason,omitempty"`
	CorrelationID string  `json:"correlation_id,omitempty"`
	Expires       int64   `json:"expires"` // ms since 1970
}

// Inject returns the scope of ctx as a text, to take along in a job or a call to another process, where [Clerk.Extract] reads it. Who
// acts is asked now. The text is signed with ClerkOptions.Secret, which both Clerks share, and holds for ttl; it is not encrypted, so it
// belongs where the event itself might lie.
func (c *Clerk) Inject(ctx context.Context, ttl time.Duration) (carrier string, err error) {
	key, err := c.carrierKey()
	if err != nil {
		return "", err
	}
	s := scopeOf(ctx)
	actor, err := s.actor(ctx)
	if err != nil {
		return "", fmt.Errorf("ask who acts: %w", err)
	}
	text, err := json.Marshal(carried{
		Org: s.Org, Actor: actor, Context: s.Context, Reason: s.Reason, CorrelationID: s.CorrelationID, Expires: c.o.Now().Add(ttl).UnixMilli(),
	})
	if err != nil {
		return "", fmt.Errorf("encode the scope: %w", err)
	}
	body := base64.RawURLEncoding.EncodeToString(text)
	return body + "." + base64.RawURLEncoding.EncodeToString(sum(key, body)), nil
}

// Extract returns ctx with the scope that a carrier holds, over that of ctx. The error is [ErrCarrier] for one that was forged or has
// expired.
func (c *Clerk) Extract(ctx context.Context, carrier string) (context.Context, error) {
	key, err := c.carrierKey()
	if err != nil {
		return nil, err
	}
	body, tag, _ := strings.Cut(carrier, ".")
	given, err := base64.RawURLEncoding.DecodeString(tag)
	if err != nil || !hmac.Equal(given, sum(key, body)) {
		return nil, ErrCarrier
	}
	text, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		return nil, ErrCarrier
	}
	var s carried
	if err := json.Unmarshal(text, &s); err != nil || c.o.Now().UnixMilli() >= s.Expires {
		return nil, ErrCarrier
	}
	return WithScope(ctx, Scope{Org: s.Org, Actor: s.Actor, Context: s.Context, Reason: s.Reason, CorrelationID: s.CorrelationID}), nil
}

// carrierKey derives the key of carriers, so that it is another than that of hash tags.
func (c *Clerk) carrierKey() ([]byte, error) {
	if c.o.Secret == nil {
		return nil, errors.New("daybook: Inject and Extract need ClerkOptions.Secret")
	}
	return c.DeriveKey("carrier"), nil
}

func sum(key []byte, body string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(body))
	return h.Sum(nil)
}
