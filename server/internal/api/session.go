package api

import (
	"net/http"
	"strings"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/control"
)

// signIn is the body of a sign-in.
type signIn struct {
	APIKey string `json:"api_key,omitempty" doc:"An API key. It is not kept: the cookie stands for it." example:"dbk_…"`
	Code   string `json:"code,omitempty" doc:"In place of a key: a code that signs in once, such as daybook dev prints."`
}

// sessionDetails is what the log keeps of a sign-in.
type sessionDetails struct {
	ExpiresAt stamp `json:"expires_at"`
}

const tagSessions = "Sessions"

var (
	aboutOpenSession = operation{
		id: "openSession", tag: tagSessions, summary: "Sign in",
		text: "Sets a cookie that stands for the key on every route below `/v1`, for pages of this server alone: `HttpOnly`, `SameSite=Lax`, and over https `__Host-daybook` with " +
			"`Secure`. Over plain http it is given on the server's own machine alone. It ends after two hours without use, after twelve hours, and with the key.",
		request: []content{{mediaJSON, signIn{}}},
		answers: []answer{{status: http.StatusNoContent, text: "Signed in: see `Set-Cookie`."}}, faults: []int{401, 403, 404, 413, 415, 429, 503, 507},
	}
	aboutCloseSession = operation{
		id: "closeSession", tag: tagSessions, summary: "Sign out", text: "At once on this node, within five seconds on others. Without a session it changes nothing.",
		answers: []answer{{status: http.StatusNoContent, text: "Signed out."}}, faults: []int{403, 404},
	}
)

// errNoSessions answers for a server without sessions.
var errNoSessions = &daybook.Error{Code: daybook.CodeNotFound, Message: "this server has no sign-in: use an API key."}

func openSession(c *call) error {
	if c.s.Sessions == nil {
		return errNoSessions
	}
	var in signIn
	if err := c.decode(&in); err != nil {
		return err
	}
	if (in.APIKey == "") == (in.Code == "") {
		return invalid("required", "/api_key", "sign in with api_key, or with code.")
	}
	cookie, err := c.s.Sessions.Open(c.r, auth.Credentials{Key: strings.TrimSpace(in.APIKey), Code: in.Code}, func(p *auth.Principal, s control.Session) error {
		c.principal = p
		return c.did(p.Org, c.act("daybook.session.started", daybook.Target{Type: "session", ID: s.ID}, sessionDetails{newStamp(s.CreatedAt.Add(control.SessionFor))}))
	})
	if err != nil {
		return err
	}
	http.SetCookie(c, cookie)
	c.WriteHeader(http.StatusNoContent)
	return nil
}

func closeSession(c *call) error {
	if c.s.Sessions == nil {
		return errNoSessions
	}
	cookies, err := c.s.Sessions.Close(c.r, func(p *auth.Principal) {
		c.principal = p
		c.after(p.Org, c.act("daybook.session.ended", daybook.Target{Type: "session", ID: p.Session.ID}, nil))
	})
	if err != nil {
		return err
	}
	for _, cookie := range cookies {
		http.SetCookie(c, cookie)
	}
	c.WriteHeader(http.StatusNoContent)
	return nil
}

// principalOf returns who asks: by the header Authorization, a key or a viewer token, or without one by the cookie of a session.
func (c *call) principalOf() (*auth.Principal, error) {
	authorization := header(c.r, "Authorization")
	if authorization == "" && c.s.Sessions != nil && strings.HasPrefix(c.r.URL.Path, "/v1/") {
		if p, err := c.s.Sessions.Principal(c.r); p != nil || err != nil {
			return p, err
		}
	}
	if p, err := c.viewerPrincipal(authorization); p != nil || err != nil {
		return p, err
	}
	return c.s.Auth.Principal(c.r.Context(), authorization)
}
