package main

import (
	"fmt"
	"os"

	"github.com/daybook-audit/daybook/server/internal/api"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/compat/resthapi"
	"github.com/daybook-audit/daybook/server/internal/control"
)

func (m *Main) restHapi(d *api.Deps, origin auth.Origin) (auth.Door, error) {
	c := m.Config
	tokens, err := m.issuerTokens()
	if err != nil {
		return nil, err
	}
	ttl, err := c.RestHapiTTL()
	if err != nil {
		return nil, err
	}
	return resthapi.New(resthapi.Deps{
		Book: m.book, Auth: m.auth, Tokens: tokens, TokenOrg: c.JWTOrg, Orgs: d.Orgs, Audit: m.audit, Origin: origin, Now: m.Now,
		Settings: resthapi.Settings{
			TTL: ttl.Duration(), Scope: c.RestHapiAuditLogScope, UserIDKey: c.RestHapiUserIDKey, NoWhere: !c.RestHapiWhere, Lax: !c.RestHapiStrict,
			MaxLimit: c.RestHapiMaxLimit, MaxBody: int(c.LimitBody),
		},
	}), nil
}

// issuerTokens judges the tokens of the configured issuer; nil: there is none.
func (m *Main) issuerTokens() (*auth.Tokens, error) {
	c := m.Config
	keys := []auth.TokenKey{{Secret: []byte(c.JWTSecret), Algorithms: auth.HMAC}}
	switch {
	case c.JWTKeys != "":
		text, err := os.ReadFile(c.JWTKeys)
		if err != nil {
			return nil, fmt.Errorf("read jwt_keys: %w", err)
		}
		if keys, err = auth.ParseKeySet(text); err != nil {
			return nil, fmt.Errorf("jwt_keys: %w", err)
		}
	case c.JWTSecret == "":
		return nil, nil //nolint:nilnil // no issuer is no error: API keys are accepted all the same
	}
	return auth.NewTokens(auth.TokenOptions{Keys: keys, Issuer: c.JWTIssuer, Audience: c.JWTAudience, Required: []string{"exp"}, Now: m.Now})
}

// restHapiTTL is the time to live of what the door shows, for who removes it; nil: there is none.
func (m *Main) restHapiTTL(orgs *control.Orgs) (*control.Everywhere, error) {
	ttl, err := m.Config.RestHapiTTL()
	if err != nil || !m.Config.RestHapiEnabled || ttl.Duration() == 0 {
		return nil, err
	}
	return &control.Everywhere{Orgs: orgs, Of: resthapi.OfDoor(), Keep: ttl, Now: m.Now}, nil
}
