package auth

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/control"
)

// Viewers hands out what people look at a log with: a token for five minutes, made with an API key on a server and exchanged in a
// browser for a session that is a signed JSON Web Token. Neither grants anything but looking at one organization. Safe for concurrent use.
//
// A session ends when its time is over, when its actor's sessions are ended, and when the API key behind it does.
type Viewers struct {
	auth   *Authenticator
	docs   *control.Viewers
	signer jose.Signer
	tokens *Tokens
	life   time.Duration
	now    func() time.Time
}

// viewerAudience keeps a session from being taken for a token of another purpose.
const viewerAudience = "daybook:viewer"

// DefaultSession is how long a session holds.
const DefaultSession = time.Hour

// NewViewers returns viewers whose sessions are signed with a key made of secret (32 bytes) and hold for life; 0: DefaultSession.
func (a *Authenticator) NewViewers(docs *control.Viewers, secret []byte, life time.Duration) (*Viewers, error) {
	if len(secret) != ed25519.SeedSize {
		return nil, fmt.Errorf("the key of viewer sessions has %d bytes, not %d", len(secret), ed25519.SeedSize)
	}
	key := ed25519.NewKeyFromSeed(secret)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, fmt.Errorf("sign viewer sessions: %w", err)
	}
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return nil, errors.New("the key of viewer sessions has no public key")
	}
	tokens, err := NewTokens(TokenOptions{
		Keys: []TokenKey{{Public: public, Algorithms: []string{"EdDSA"}}}, Audience: viewerAudience, Required: []string{"exp"}, Now: a.now,
	})
	if err != nil {
		return nil, err
	}
	if life == 0 {
		life = DefaultSession
	}
	return &Viewers{auth: a, docs: docs, signer: signer, tokens: tokens, life: life, now: a.now}, nil
}

// Grant makes a token for g on behalf of p: 32 hexadecimal digits, durable on return. Granted and Key of g are filled in. Whether p
// may is the caller's to check.
func (v *Viewers) Grant(ctx context.Context, p *Principal, g control.Grant) (string, error) {
	g.Granted, g.Key = v.now().UnixMicro(), p.Key.Hash.String()
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the process instead
	token := hex.EncodeToString(random[:])
	return token, v.docs.Keep(ctx, token, g)
}

// session is the payload of a session's token.
type session struct {
	Audience string        `json:"aud"`
	Subject  string        `json:"sub"`
	IssuedAt int64         `json:"iat"`
	Expires  int64         `json:"exp"`
	Grant    control.Grant `json:"grant"`
}

// Exchange returns what a token grants and the token of a new session, or ErrUnauthorized.
func (v *Viewers) Exchange(ctx context.Context, token string) (control.Grant, string, error) {
	g, err := v.docs.Find(ctx, token)
	if err == nil {
		err = v.holds(ctx, &g)
	}
	if errors.Is(err, control.ErrNotFound) {
		err = ErrUnauthorized
	}
	if err != nil {
		return control.Grant{}, "", err
	}
	now := v.now()
	payload, err := json.Marshal(session{
		Audience: viewerAudience, Subject: g.Actor, IssuedAt: now.Unix(), Expires: now.Add(v.life).Unix(), Grant: g,
	})
	if err != nil {
		return control.Grant{}, "", fmt.Errorf("write a viewer session: %w", err)
	}
	signed, err := v.signer.Sign(payload)
	if err != nil {
		return control.Grant{}, "", fmt.Errorf("sign a viewer session: %w", err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		return control.Grant{}, "", fmt.Errorf("sign a viewer session: %w", err)
	}
	return g, text, nil
}

// Session returns what the value of an Authorization header grants, a session's token with or without "Bearer", or ErrUnauthorized.
func (v *Viewers) Session(ctx context.Context, authorization string) (*control.Grant, error) {
	token, err := v.tokens.Token(BearerToken(authorization))
	if err != nil {
		return nil, ErrUnauthorized
	}
	text, err := json.Marshal(token.Claims)
	if err != nil {
		return nil, fmt.Errorf("read a viewer session: %w", err)
	}
	var s session
	if json.Unmarshal(text, &s) != nil || s.Grant.Org == "" || v.now().Unix() >= s.Expires { // without the leeway: the clock is ours
		return nil, ErrUnauthorized
	}
	if err := v.holds(ctx, &s.Grant); err != nil {
		return nil, err
	}
	return &s.Grant, nil
}

// End ends every session and every token of an actor in org, and in group of it, at once.
func (v *Viewers) End(ctx context.Context, org daybook.OrgID, group, actor string) error {
	return v.docs.End(ctx, org, group, actor)
}

// holds reports as ErrUnauthorized that g was ended, or that the key behind it may not grant any more.
func (v *Viewers) holds(ctx context.Context, g *control.Grant) error {
	ended, err := v.docs.Ended(ctx, g)
	if err != nil {
		return err
	}
	p, err := v.auth.behind(ctx, g.Key)
	switch {
	case err != nil:
		return err
	case ended || !p.Scopes.Has(Viewer) || !p.Reaches(g.Org):
		return ErrUnauthorized
	}
	return nil
}

// behind returns the principal of a key by the text of its hash. It takes no place in the key's rate limit: who asks is a viewer.
func (a *Authenticator) behind(ctx context.Context, hash string) (*Principal, error) {
	bytes, err := hex.DecodeString(strings.ToLower(hash))
	if err != nil || len(bytes) != len(control.SecretHash{}) {
		return nil, ErrUnauthorized
	}
	e, err := a.entry(ctx, control.SecretHash(bytes))
	if err != nil {
		return nil, err
	}
	return &e.principal, nil
}
