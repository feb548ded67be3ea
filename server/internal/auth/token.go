package auth

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/leaf"
)

// ErrInvalidToken is the one answer for a JSON Web Token that is malformed, not signed by a known key, or not valid now. What was
// wrong stands in the error that wraps it, for the log and never for the client.
var ErrInvalidToken = &daybook.Error{Code: daybook.CodeUnauthorized, Rule: "invalid_token", Message: "the token is not valid."}

// HMAC names the algorithms of a secret, for [TokenKey]. It is not to be changed.
var HMAC = []string{string(jose.HS256), string(jose.HS384), string(jose.HS512)}

const (
	tokenLeeway  = 60 * time.Second
	tokenLongest = 16 << 10
	hmacBlock    = 64 // bytes that go-jose wants of a secret at most; no more than the block of any of the three
)

// TokenKey is a key that tokens are checked with. Its algorithms are fixed here: what a token's header says is only compared.
type TokenKey struct {
	ID         string           // the kid of its tokens; empty: those whose kid names no other key, or that have none
	Secret     []byte           // of HS256, HS384 and HS512
	Public     crypto.PublicKey // of every other algorithm: *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
	Algorithms []string         // at least one, all of them fit the kind of key
}

// TokenOptions says which tokens are valid.
type TokenOptions struct {
	Keys     []TokenKey
	Issuer   string           // what the claim iss must be; empty: it need not be there
	Audience string           // what the claim aud must be or hold; empty: it need not be there
	Required []string         // claims that must be there, such as exp and nbf
	Now      func() time.Time // nil: time.Now
}

// Tokens judges JSON Web Tokens in their compact form. The algorithm is fixed per key, so that "none" and a public key used as a secret
// are refused; kid is looked up in a map and nowhere else; jku, x5u, jwk and x5c are not read; exp, nbf and iat count when they are
// there, with 60 seconds of leeway. Safe for concurrent use.
type Tokens struct {
	keys map[string]tokenKey
	algs []jose.SignatureAlgorithm
	o    TokenOptions
}

type tokenKey struct {
	key  any
	algs []string
}

// NewTokens returns a judge of the tokens that o describes. A key whose algorithms do not fit it, an empty secret and two keys of one
// id are errors. A secret may be short: HMAC itself fills it with zero bytes (RFC 2104).
func NewTokens(o TokenOptions) (*Tokens, error) {
	if o.Now == nil {
		o.Now = time.Now //nolint:forbidigo // the default of an option
	}
	t := &Tokens{keys: make(map[string]tokenKey, len(o.Keys)), o: o}
	for _, k := range o.Keys {
		key, err := k.check()
		if err != nil {
			return nil, fmt.Errorf("token key %q: %w", k.ID, err)
		}
		if _, twice := t.keys[k.ID]; twice {
			return nil, fmt.Errorf("token key %q: there are two of this id", k.ID)
		}
		t.keys[k.ID] = key
		for _, alg := range k.Algorithms {
			if a := jose.SignatureAlgorithm(alg); !slices.Contains(t.algs, a) {
				t.algs = append(t.algs, a)
			}
		}
	}
	if len(t.keys) == 0 {
		return nil, errors.New("tokens: there is no key")
	}
	return t, nil
}

// check makes the key as go-jose wants it.
func (k *TokenKey) check() (tokenKey, error) {
	if (len(k.Secret) > 0) == (k.Public != nil) {
		return tokenKey{}, errors.New("it is either a secret or a public key")
	}
	fits := HMAC
	if k.Public != nil {
		fits = algorithmsOf(k.Public)
	}
	if len(k.Algorithms) == 0 {
		return tokenKey{}, errors.New("no algorithm is named")
	}
	for _, alg := range k.Algorithms {
		if !slices.Contains(fits, alg) {
			return tokenKey{}, fmt.Errorf("the algorithm %q does not fit the key: it may be %s", alg, strings.Join(fits, ", "))
		}
	}
	if k.Public != nil {
		return tokenKey{key: k.Public, algs: slices.Clone(k.Algorithms)}, nil
	}
	secret := make([]byte, max(hmacBlock, len(k.Secret)))
	copy(secret, k.Secret)
	return tokenKey{key: secret, algs: slices.Clone(k.Algorithms)}, nil
}

// algorithmsOf returns what a public key can be used with, the usual one first.
func algorithmsOf(public crypto.PublicKey) []string {
	switch key := public.(type) {
	case *rsa.PublicKey:
		return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256():
			return []string{"ES256"}
		case elliptic.P384():
			return []string{"ES384"}
		case elliptic.P521():
			return []string{"ES512"}
		}
	case ed25519.PublicKey:
		return []string{"EdDSA"}
	}
	return nil
}

// ParseKeySet reads the public keys of a JSON Web Key Set (RFC 7517). A secret or a private key in it is an error: what is published
// must not be what signs. A key without the member alg takes the usual algorithm of its kind: RS256, that of its curve, or EdDSA. Keys
// for encryption are left out.
func ParseKeySet(text []byte) ([]TokenKey, error) {
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, fmt.Errorf("read the key set: %w", err)
	}
	var keys []TokenKey
	for _, k := range set.Keys {
		if k.Use == "enc" {
			continue
		}
		if !k.Valid() || !k.IsPublic() {
			return nil, fmt.Errorf("key set: the key %q is not a public key", k.KeyID)
		}
		key := TokenKey{ID: k.KeyID, Public: k.Key, Algorithms: []string{k.Algorithm}}
		if k.Algorithm == "" {
			fits := algorithmsOf(k.Key)
			key.Algorithms = fits[:min(1, len(fits))]
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// Token is what a valid token says.
type Token struct {
	Issuer, Subject, Name string         // the claims iss, sub and name, when they are strings
	Scopes                []string       // the claim scope (or scp): a list of strings, or words between spaces
	Claims                map[string]any // every claim; numbers are json.Number, as they were written
}

// BearerToken returns what an Authorization header holds: the text after "Bearer ", or the whole of it when no scheme is named.
func BearerToken(header string) string {
	header = strings.TrimSpace(header)
	if token, ok := bearer(header); ok {
		return strings.TrimSpace(token)
	}
	return header
}

// Token returns what the compact token text says, or an error that is ErrInvalidToken.
func (t *Tokens) Token(text string) (*Token, error) {
	token, err := t.read(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidToken, err)
	}
	return token, nil
}

func (t *Tokens) read(text string) (*Token, error) {
	if len(text) > tokenLongest {
		return nil, fmt.Errorf("it has more than %d characters", tokenLongest)
	}
	signed, err := jose.ParseSignedCompact(text, t.algs)
	if err != nil {
		return nil, fmt.Errorf("parse: %w", err)
	}
	header := signed.Signatures[0].Protected
	key, ok := t.keys[header.KeyID]
	if !ok {
		key, ok = t.keys[""]
	}
	switch {
	case !ok:
		return nil, errors.New("no key has its kid")
	case !slices.Contains(key.algs, header.Algorithm):
		return nil, fmt.Errorf("its algorithm is not one of %s", strings.Join(key.algs, ", "))
	}
	payload, err := signed.Verify(key.key)
	if err != nil {
		return nil, fmt.Errorf("verify: %w", err)
	}
	claims, err := readClaims(payload)
	if err != nil {
		return nil, err
	}
	if err := t.judge(claims); err != nil {
		return nil, err
	}
	token := &Token{Claims: claims, Scopes: scopeWords(claims)}
	token.Issuer, _ = claims["iss"].(string)
	token.Subject, _ = claims["sub"].(string)
	token.Name, _ = claims["name"].(string)
	return token, nil
}

// readClaims reads a JSON object, strictly: a member that stands twice could be read in two ways.
func readClaims(payload []byte) (map[string]any, error) {
	doc := leaf.Get()
	defer leaf.Put(doc)
	if err := doc.Read(payload); err != nil {
		return nil, fmt.Errorf("claims: %w", err)
	}
	var claims map[string]any
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber()
	if err := d.Decode(&claims); err != nil {
		return nil, fmt.Errorf("claims: %w", err)
	}
	return claims, nil
}

// judge checks what the claims say about when, by whom and for whom.
func (t *Tokens) judge(claims map[string]any) error {
	for _, name := range t.o.Required {
		if _, ok := claims[name]; !ok {
			return fmt.Errorf("the claim %s is missing", name)
		}
	}
	now := t.o.Now()
	for name, late := range map[string]bool{"exp": true, "nbf": false, "iat": false} {
		value, ok := claims[name]
		if !ok {
			continue
		}
		at, err := numericDate(value)
		switch {
		case err != nil:
			return fmt.Errorf("the claim %s: %w", name, err)
		case late && !now.Before(at.Add(tokenLeeway)):
			return errors.New("it has expired")
		case !late && now.Before(at.Add(-tokenLeeway)):
			return fmt.Errorf("the claim %s is in the future", name)
		}
	}
	if iss, _ := claims["iss"].(string); t.o.Issuer != "" && iss != t.o.Issuer {
		return errors.New("it is of another issuer")
	}
	if t.o.Audience != "" && !slices.Contains(texts(claims["aud"]), t.o.Audience) {
		return errors.New("it is for another audience")
	}
	return nil
}

// numericDate reads seconds since 1970 (RFC 7519); decimals count.
func numericDate(value any) (time.Time, error) {
	number, ok := value.(json.Number)
	if !ok {
		return time.Time{}, errors.New("is not a number")
	}
	seconds, err := number.Float64()
	if err != nil || math.Abs(seconds) > 1<<40 {
		return time.Time{}, errors.New("is not a time")
	}
	whole, part := math.Modf(seconds)
	return time.Unix(int64(whole), int64(part*1e9)), nil
}

// texts returns a string, or the strings of a list.
func texts(value any) []string {
	switch v := value.(type) {
	case string:
		return []string{v}
	case []any:
		var found []string
		for _, one := range v {
			if s, ok := one.(string); ok {
				found = append(found, s)
			}
		}
		return found
	}
	return nil
}

func scopeWords(claims map[string]any) []string {
	for _, name := range []string{"scope", "scp"} {
		switch v := claims[name].(type) {
		case string:
			return strings.Fields(v)
		case []any:
			return texts(v)
		}
	}
	return nil
}

// Text returns what stands at a dotted path of the claims, such as user._id: a string, or a number as it was written. A name that
// holds dots itself is found too, whole.
func (t *Token) Text(path string) (string, bool) { return textAt(t.Claims, path) }

func textAt(object map[string]any, path string) (string, bool) {
	switch v := object[path].(type) {
	case string:
		return v, v != ""
	case json.Number:
		return v.String(), true
	}
	name, rest, ok := strings.Cut(path, ".")
	if inner, is := object[name].(map[string]any); ok && is {
		return textAt(inner, rest)
	}
	return "", false
}

// Principal is a principal of org with the given scopes, for a door that lets a token do what a key may. Its KeyID is the token's
// issuer, subject or name: what the log of the server and the refusals call it.
func (t *Token) Principal(org daybook.OrgID, scopes Scopes) *Principal {
	id := "jwt"
	for _, name := range []string{t.Subject, t.Name, t.Issuer} {
		if name != "" {
			id = "jwt:" + name
			break
		}
	}
	return &Principal{Org: org, KeyID: id, Scopes: scopes}
}
