package auth

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/typeid"
	"github.com/daybook-audit/daybook/query"
	"github.com/daybook-audit/daybook/server/internal/control"
)

// tokenAudience keeps a viewer token from being taken for a token of another purpose.
const tokenAudience = "daybook-viewer"

// Features of a viewer token.
const (
	FeatureExport = "export"
	FeatureVerify = "verify"
	FeatureLive   = "live"
)

// Features are those that there are. It is not to be changed.
var Features = []string{FeatureExport, FeatureVerify, FeatureLive}

// Viewed is somebody who looks at one organization's log with a viewer token, and what the token lets him see. It is shared and must not
// be changed.
type Viewed struct {
	Who      daybook.Actor
	Token    string // its jti, for the log
	Within   *query.Query
	From     string // as it stands in the token; empty: from the beginning
	Hide     []string
	Features []string
	Origin   string
	Expires  time.Time
}

// Has reports whether the token has a feature.
func (v *Viewed) Has(feature string) bool { return slices.Contains(v.Features, feature) }

// Viewings makes and judges viewer tokens: signed JSON Web Tokens that hold for minutes, for one organization, one origin and what a filter
// lets through. They end with the key that made them. Safe for concurrent use.
type Viewings struct {
	auth   *Authenticator
	docs   *control.Viewings
	signer jose.Signer
	tokens *Tokens
	now    func() time.Time

	mu      sync.Mutex
	origins []string // that some organization names
	until   time.Time
}

// NewViewings returns viewings whose tokens are signed with a key made of secret (32 bytes).
func (a *Authenticator) NewViewings(docs *control.Viewings, secret []byte) (*Viewings, error) {
	if len(secret) != ed25519.SeedSize {
		return nil, fmt.Errorf("the key of viewer tokens has %d bytes, not %d", len(secret), ed25519.SeedSize)
	}
	key := ed25519.NewKeyFromSeed(secret)
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return nil, errors.New("the key of viewer tokens has no public key")
	}
	sum := sha256.Sum256(public)
	id := hex.EncodeToString(sum[:4])
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: key}, (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", id))
	if err != nil {
		return nil, fmt.Errorf("sign viewer tokens: %w", err)
	}
	tokens, err := NewTokens(TokenOptions{
		Keys: []TokenKey{{ID: id, Public: public, Algorithms: []string{"EdDSA"}}}, Audience: tokenAudience, Required: []string{"exp", "iat", "jti", "org", "origin"}, Now: a.now,
	})
	if err != nil {
		return nil, err
	}
	return &Viewings{auth: a, docs: docs, signer: signer, tokens: tokens, now: a.now}, nil
}

// claims are the payload of a viewer token.
type claims struct {
	Audience string        `json:"aud"`
	Issuer   string        `json:"iss"`
	ID       string        `json:"jti"`
	Org      daybook.OrgID `json:"org"`
	Subject  string        `json:"sub"`
	Viewer   viewerClaim   `json:"viewer"`
	Filter   string        `json:"filter,omitempty"`
	From     string        `json:"from,omitempty"` // resolved
	Hide     []string      `json:"hide,omitempty"`
	Features []string      `json:"features,omitempty"`
	Origin   string        `json:"origin"`
	IssuedAt int64         `json:"iat"`
	Expires  int64         `json:"exp"`
	Key      string        `json:"key"`
	KeyHash  string        `json:"key_hash"` // finds the key: it opens nothing
}

type viewerClaim struct {
	Type string `json:"type"`
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
}

// Grant is what a viewer token is asked for.
type Grant struct {
	Org      daybook.OrgID
	Viewer   daybook.Actor // type, id and name count
	Filter   string        // always ANDed with what the viewer asks
	From     string        // nothing that occurred before is seen: 2026-11-01, now-90d
	Hide     []string
	Features []string
	Origin   string        // of the page; empty: the one that the organization names, if it is one
	Lifetime time.Duration // 0: as the organization says
}

// Check completes g with what the organization says and brings it into its form. What is wrong with it is an *Error of CodeInvalid.
func (v *Viewings) Check(ctx context.Context, g *Grant, own string) error {
	says, err := v.docs.Get(ctx, g.Org)
	if err != nil {
		return err
	}
	if g.Lifetime == 0 {
		g.Lifetime = says.Lifetime
	}
	if g.Lifetime < time.Second || g.Lifetime > control.MaxViewerToken {
		return wrongGrant("/ttl", "a viewer token holds for at most 15 minutes.")
	}
	if g.Viewer.Type == "" || g.Viewer.ID == "" || len(g.Viewer.Type) > control.MaxName || len(g.Viewer.ID) > control.MaxName || len(g.Viewer.Name) > control.MaxName {
		return wrongGrant("/viewer", "a viewer has a type and an id, each of 1 to 512 bytes.")
	}
	for i, f := range g.Features {
		if !slices.Contains(Features, f) {
			return wrongGrant(fmt.Sprintf("/features/%d", i), "there is no feature %q: there are export, verify and live.", f)
		}
	}
	if err := control.CheckHidden(g.Hide); err != nil {
		return err
	}
	if err := g.checkOrigin(says.Origins, own); err != nil {
		return err
	}
	now := v.now()
	if _, err := query.Parse(g.Filter, query.Options{Now: now, Place: query.Viewer}); err != nil {
		return &daybook.Error{Code: daybook.CodeInvalid, Rule: "query_invalid", Field: "/filter", Message: err.Error(), Err: err}
	}
	if g.From != "" {
		from, _, err := query.ParseTime(g.From, query.Options{Now: now}, true)
		if err != nil {
			return wrongGrant("/from", "from is a moment such as 2026-11-01 or now-90d.")
		}
		if at := time.UnixMicro(from).UTC(); now.Sub(at) > 48*time.Hour { // the next token goes on with the pages of this one
			from = at.Truncate(24 * time.Hour).UnixMicro()
		}
		g.From = string(daybook.AppendTime(nil, from))
	}
	return nil
}

// checkOrigin finds the origin that the token is for. The server's own is always one: its page for frames, which asks its parent.
func (g *Grant) checkOrigin(allowed []string, own string) error {
	if g.Origin == "" && len(allowed) == 1 {
		g.Origin = allowed[0]
	}
	origin, ok := control.ParseOrigin(g.Origin)
	if !ok && g.Origin != own {
		return wrongGrant("/origin", "origin is that of the page with the viewer: https://app.acme.com.")
	}
	if ok {
		g.Origin = origin
	}
	if g.Origin != own && !slices.Contains(allowed, g.Origin) {
		return &daybook.Error{
			Code: daybook.CodeInvalid, Rule: "origin_not_allowed", Field: "/origin", Message: g.Origin + " is not among the origins of this organization: PUT /v1/viewer-settings names them.",
		}
	}
	return nil
}

func wrongGrant(field, format string, args ...any) error {
	return &daybook.Error{Code: daybook.CodeInvalid, Rule: "invalid_value", Field: field, Message: fmt.Sprintf(format, args...)}
}

// Mint makes a token for what Check has let through, on behalf of p. minted is told of its id and its end before there is one; its error
// makes none.
func (v *Viewings) Mint(p *Principal, g *Grant, issuer string, minted func(id string, until time.Time) error) (token string, until time.Time, err error) {
	now := v.now()
	until = now.Add(g.Lifetime).Truncate(time.Second)
	c := claims{
		Audience: tokenAudience, Issuer: issuer, ID: typeid.New("vt"), Org: g.Org, Subject: g.Viewer.ID, Viewer: viewerClaim{g.Viewer.Type, g.Viewer.ID, g.Viewer.Name},
		Filter: g.Filter, From: g.From, Hide: g.Hide, Features: g.Features, Origin: g.Origin, IssuedAt: now.Unix(), Expires: until.Unix(), Key: p.KeyID, KeyHash: p.Key.Hash.String(),
	}
	if err := minted(c.ID, until); err != nil {
		return "", until, err
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return "", until, fmt.Errorf("write a viewer token: %w", err)
	}
	signed, err := v.signer.Sign(payload)
	if err != nil {
		return "", until, fmt.Errorf("sign a viewer token: %w", err)
	}
	token, err = signed.CompactSerialize()
	if err == nil && len(token) > tokenLongest {
		err = wrongGrant("/filter", "the token would be longer than %d characters: shorten filter and hide.", tokenLongest)
	}
	return token, until, err
}

// Principal returns who shows a viewer token, with Viewer set; nil without an error when the value of the Authorization header holds no
// token. One that is not valid, any more or at all, or whose key may not mint any more, is ErrUnauthorized.
func (v *Viewings) Principal(ctx context.Context, authorization string) (*Principal, error) {
	text, ok := bearer(authorization)
	if !ok || len(text) < 2 || text[:2] != "ey" { // {" in base64url; a key begins with dbk_
		return nil, nil //nolint:nilnil // no token, and nothing wrong
	}
	token, err := v.tokens.Token(text)
	if err != nil {
		return nil, ErrUnauthorized
	}
	raw, err := json.Marshal(token.Claims)
	if err != nil {
		return nil, fmt.Errorf("read a viewer token: %w", err)
	}
	var c claims
	now := v.now()
	if json.Unmarshal(raw, &c) != nil || !c.Org.Valid() || now.Unix() >= c.Expires || c.Expires-c.IssuedAt > int64(control.MaxViewerToken.Seconds()) { // without the leeway: the clock is ours
		return nil, ErrUnauthorized
	}
	behind, err := v.auth.behind(ctx, c.KeyHash)
	switch {
	case err != nil:
		return nil, err
	case behind.KeyID != c.Key || !behind.Scopes.Has(Viewer) || !behind.Reaches(c.Org):
		return nil, ErrUnauthorized
	}
	seen, err := c.viewer()
	if err != nil {
		return nil, err
	}
	p := &Principal{Org: c.Org, KeyID: behind.KeyID, Key: behind.Key, Scopes: Read, Viewer: seen}
	if seen.Has(FeatureExport) {
		p.Scopes |= Export
	}
	return p, nil
}

// What the log says about itself is not for customers: who holds it and why, who looked at it, which keys there are. Control entries never
// are; the events of Daybook itself are when the filter of the token asks for them.
const (
	noControl = "-is:control"
	noOwn     = "-action:daybook.*"
)

// viewer is what the claims let somebody see.
func (c *claims) viewer() (*Viewed, error) {
	// Relative times refer to the hour of the token, so that a page goes on with the next one.
	at := time.Unix(c.IssuedAt, 0).UTC().Truncate(time.Hour)
	within, err := query.Parse(c.Filter, query.Options{Now: at, Place: query.Viewer})
	if err != nil {
		return nil, fmt.Errorf("read a viewer token: %w", err)
	}
	always := []string{noControl}
	if !strings.Contains(c.Filter, "daybook.") {
		always = append(always, noOwn)
	}
	if c.From != "" {
		always = append(always, "occurred:>="+c.From)
	}
	for _, text := range always {
		q, err := query.Parse(text, query.Options{Now: at})
		if err != nil {
			return nil, fmt.Errorf("read a viewer token: %w", err)
		}
		within = query.And(within, q)
	}
	return &Viewed{
		Who: daybook.Actor{Type: c.Viewer.Type, ID: c.Viewer.ID, Name: c.Viewer.Name}, Token: c.ID, Within: within, From: c.From, Hide: c.Hide, Features: c.Features, Origin: c.Origin,
		Expires: time.Unix(c.Expires, 0).UTC(),
	}, nil
}

// Origins returns every origin that some organization names, as they were at most five seconds ago.
func (v *Viewings) Origins(ctx context.Context) ([]string, error) {
	now := v.now()
	v.mu.Lock()
	origins, fresh := v.origins, now.Before(v.until)
	v.mu.Unlock()
	if fresh {
		return origins, nil
	}
	origins, err := v.docs.Origins(ctx)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.origins, v.until = origins, now.Add(cacheFor)
	return origins, nil
}

// Forget lets go of the origins that are remembered, so that a change holds on this node at once.
func (v *Viewings) Forget() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.until = time.Time{}
}
