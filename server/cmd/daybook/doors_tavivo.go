package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/compat/tavivo"
	"github.com/daybook-audit/daybook/server/internal/control"
)

func (m *Main) tavivo(ctx context.Context, orgs *control.Orgs, origin auth.Origin) (auth.Door, error) {
	c := m.Config
	tokens, err := m.tavivoTokens(ctx)
	if err != nil {
		return nil, err
	}
	return tavivo.New(tavivo.Deps{
		Book: m.book, Auth: m.auth, Tokens: tokens, Orgs: orgs, Audit: m.audit, Origin: origin,
		Settings: tavivo.Settings{
			Org: daybook.OrgID(c.TavivoOrg), NoRead: !c.TavivoRead, LegacyStatus: c.TavivoLegacyStatus,
			Names: tavivo.Names{Mask: c.TavivoMask, Allow: c.TavivoMaskAllow},
		},
	}), nil
}

// shortSecret is the length below which a secret can be guessed: HS256 wants as many bytes as its hash has (RFC 7518, section 3.2).
const shortSecret = 32

// tavivoTokens judges the tokens that are signed with the secret of the settings; nil: there is none.
func (m *Main) tavivoTokens(ctx context.Context) (*auth.Tokens, error) {
	secret := []byte(m.Config.TavivoJWTSecret)
	if path := m.Config.TavivoJWTSecretFile; path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read tavivo_jwt_secret_file: %w", err)
		}
		secret = bytes.TrimRight(text, "\r\n")
	}
	if len(secret) == 0 {
		return nil, nil //nolint:nilnil // no secret is no error: API keys are accepted all the same
	}
	if len(secret) < shortSecret {
		m.Logger.LogAttrs(ctx, slog.LevelWarn, "the secret of the ta-vivo door is short: whoever has one token can try to guess it",
			slog.Int("bytes", len(secret)), slog.String("try", "a random one of 32 bytes or more: tavivo_jwt_secret (DAYBOOK_TAVIVO_JWT_SECRET), and JWT_SECRET of the caller"))
	}
	return auth.NewTokens(auth.TokenOptions{Keys: []auth.TokenKey{{Secret: secret, Algorithms: auth.HMAC}}, Now: m.Now})
}
