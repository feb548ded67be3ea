package api

import (
	"net/http"

	"github.com/daybook-audit/daybook/daybookhttp"
)

// client returns the address that a request came from, as far as trusted proxies say.
func (s *Server) client(r *http.Request) string { return daybookhttp.ClientAddr(r, s.TrustedProxies) }
