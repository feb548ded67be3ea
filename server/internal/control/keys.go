package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/typeid"
)

// Key is what is known of an API key; its text is nowhere.
type Key struct {
	ID         string        // key_…
	Name       string        //
	Org        daybook.OrgID // empty: all organizations
	Scopes     []string      // the words of auth.Scope
	Labels     []string      // words that a door may ask for beside the scopes
	CreatedAt  time.Time     //
	ExpiresAt  time.Time     // zero: never
	LastUsedAt time.Time     // zero: not yet; kept to the minute
	RevokedAt  time.Time     // zero: not revoked
	Hash       SecretHash    // finds the document; not shown
}

// Valid reports whether the key opens anything at t.
func (k *Key) Valid(t time.Time) bool {
	return k.RevokedAt.IsZero() && (k.ExpiresAt.IsZero() || t.Before(k.ExpiresAt))
}

type keyDocument struct {
	ID         string        `json:"id"`
	Name       string        `json:"name"`
	Org        daybook.OrgID `json:"org"`
	Scopes     []string      `json:"scopes"`
	Labels     []string      `json:"labels,omitempty"`
	CreatedAt  moment        `json:"created_at"`
	ExpiresAt  moment        `json:"expires_at,omitempty"`
	LastUsedAt moment        `json:"last_used_at,omitempty"`
	RevokedAt  moment        `json:"revoked_at,omitempty"`
}

func (d *keyDocument) key(h SecretHash) Key {
	return Key{
		ID: d.ID, Name: d.Name, Org: d.Org, Scopes: d.Scopes, Labels: d.Labels, CreatedAt: d.CreatedAt.time(),
		ExpiresAt: d.ExpiresAt.time(), LastUsedAt: d.LastUsedAt.time(), RevokedAt: d.RevokedAt.time(), Hash: h,
	}
}

// Keys keeps the API keys. Safe for concurrent use; it caches nothing.
type Keys struct {
	docs daybook.Documents
	now  func() time.Time
}

// NewKeys returns the keys kept in docs.
func NewKeys(docs daybook.Documents, now func() time.Time) *Keys { return &Keys{docs: docs, now: now} }

// NewKey says what a key shall be.
type NewKey struct {
	Name      string
	Org       daybook.OrgID // empty: all organizations
	Scopes    []string      // at least one; auth.ParseScopes knows the words
	Labels    []string      // at most 32 words of 1 to 128 bytes, without commas and spaces
	ExpiresAt time.Time     // zero: never
	// Before, if set, is told of the key when all of it is known and nothing is stored; its error keeps the key from being made.
	Before func(ctx context.Context, k Key) error
}

// Create makes a key, durable on return, and gives its text: the only time that it can be had. Whether the organization exists is
// the caller's to know.
func (k *Keys) Create(ctx context.Context, n NewKey) (Key, string, error) {
	secret := newSecret()
	key, err := k.store(ctx, n, secret)
	return key, secret, err
}

func (k *Keys) store(ctx context.Context, n NewKey, secret string) (Key, error) {
	if err := k.check(n); err != nil {
		return Key{}, err
	}
	hash, ok := HashSecret(secret)
	if !ok {
		return Key{}, &daybook.Error{Code: daybook.CodeInvalid, Rule: "invalid_format", Message: "this is not the text of a key."}
	}
	doc := keyDocument{
		ID: typeid.New("key"), Name: n.Name, Org: n.Org, Scopes: n.Scopes, Labels: n.Labels, CreatedAt: at(k.now()), ExpiresAt: at(n.ExpiresAt),
	}
	if n.Before != nil {
		if err := n.Before(ctx, doc.key(hash)); err != nil {
			return Key{}, err
		}
	}
	// A crash here leaves an act in the log that did not happen; the other order would leave a key of which no log knows.
	exists, err := create(ctx, k.docs, kindKey, hash.String(), doc)
	if err == nil && exists {
		err = &daybook.Error{Code: daybook.CodeConflict, Rule: "exists", Message: "this key exists."}
	}
	if err != nil {
		return Key{}, err
	}
	return doc.key(hash), nil
}

func (k *Keys) check(n NewKey) error {
	invalid := func(field, message string) error {
		return &daybook.Error{Code: daybook.CodeInvalid, Rule: "invalid_value", Field: field, Message: message}
	}
	switch {
	case n.Org != "" && !n.Org.Valid():
		return ErrOrgForm
	case len(n.Name) > MaxName:
		return invalid("/name", "name is longer than 512 bytes.")
	case len(n.Scopes) == 0:
		return &daybook.Error{Code: daybook.CodeInvalid, Rule: "required", Field: "/scopes", Message: "a key needs at least one scope."}
	case len(n.Labels) > maxLabels || slices.ContainsFunc(n.Labels, badLabel):
		return invalid("/labels", "labels are at most 32 words of 1 to 128 bytes, without commas, spaces, and + or ! in front.")
	case n.Org != "" && slices.Contains(n.Scopes, "operate"):
		return invalid("/scopes", `the scope "operate" is the instance's: a key that has it is for all organizations.`)
	case !n.ExpiresAt.IsZero() && !n.ExpiresAt.After(k.now()):
		return invalid("/expires_at", "expires_at is in the past.")
	}
	return nil
}

// maxLabels is how many labels a key can have.
const maxLabels = 32

// badLabel reports whether a word cannot be a label.
func badLabel(l string) bool {
	return l == "" || len(l) > 128 || strings.ContainsAny(l, ", \t\r\n") || l[0] == '+' || l[0] == '!'
}

// None reports whether no key was ever made.
func (k *Keys) None(ctx context.Context) (bool, error) {
	some, err := k.docs.List(ctx, kindKey, "", "", 1)
	if err != nil {
		return false, fmt.Errorf("list keys: %w", err)
	}
	return len(some) == 0, nil
}

// Bootstrap stores secret as a key for all organizations with the scopes given, if no key was ever made; made says whether it did.
func (k *Keys) Bootstrap(ctx context.Context, secret string, scopes []string) (made bool, err error) {
	if none, err := k.None(ctx); err != nil || !none {
		return false, err
	}
	if _, err := k.store(ctx, NewKey{Name: "bootstrap", Scopes: scopes}, secret); daybook.CodeOf(err) == daybook.CodeConflict {
		return false, nil // another node has stored it at this moment
	} else if err != nil {
		return false, fmt.Errorf("store the bootstrap key: %w", err)
	}
	return true, nil
}

// Find returns the key with this hash, valid or not, or not_found.
func (k *Keys) Find(ctx context.Context, h SecretHash) (Key, error) {
	d, err := k.docs.Get(ctx, kindKey, "", h.String())
	if errors.Is(err, daybook.ErrNotExist) {
		return Key{}, ErrNotFound
	}
	if err != nil {
		return Key{}, fmt.Errorf("read key: %w", err)
	}
	return readKey(d)
}

// All returns every key that keep accepts, oldest first.
func (k *Keys) All(ctx context.Context, keep func(*Key) bool) ([]Key, error) {
	var keys []Key
	err := list(ctx, k.docs, kindKey, func(d daybook.Document) error {
		key, err := readKey(d)
		if err == nil && keep(&key) {
			keys = append(keys, key)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(keys, func(a, b Key) int { return strings.Compare(a.ID, b.ID) })
	return keys, nil
}

// Revoke ends the key id for good, if mine accepts it; else, and for one that does not exist, not_found. The other nodes hear of it within
// a second, or, if this one crashes before it can tell them, within the five for which they believe what they read. Revoking a second time
// only tells them again.
func (k *Keys) Revoke(ctx context.Context, id string, mine func(*Key) bool) (Key, error) {
	found, err := k.All(ctx, func(key *Key) bool { return key.ID == id && mine(key) })
	if err != nil {
		return Key{}, err
	}
	if len(found) == 0 {
		return Key{}, ErrNotFound
	}
	hash := found[0].Hash
	doc, err := change(ctx, k.docs, kindKey, hash.String(), func(d *keyDocument) bool {
		if d.RevokedAt != 0 {
			return false
		}
		d.RevokedAt = at(k.now())
		return true
	})
	if err != nil {
		return Key{}, err
	}
	return doc.key(hash), tell(ctx, k.docs)
}

// Used notes that the key was used now, unless that was noted within the last minute.
func (k *Keys) Used(ctx context.Context, h SecretHash) error {
	now := k.now()
	_, err := change(ctx, k.docs, kindKey, h.String(), func(d *keyDocument) bool {
		if now.Sub(d.LastUsedAt.time()) < time.Minute {
			return false
		}
		d.LastUsedAt = at(now)
		return true
	})
	return err
}

func readKey(d daybook.Document) (Key, error) {
	var doc keyDocument
	if err := json.Unmarshal(d.Data, &doc); err != nil {
		return Key{}, fmt.Errorf("read key: %w", err)
	}
	h, err := parseHash(d.ID)
	if err != nil {
		return Key{}, fmt.Errorf("read key %s: %w", doc.ID, err)
	}
	return doc.key(h), nil
}
