package api

import (
	"net/http"

	"github.com/daybook-audit/daybook/server/internal/auth"
)

// client returns the address that a request came from.
func (s *Server) client(r *http.Request) string {
	return auth.Origin{Proxies: s.TrustedProxies}.Client(r)
}
