package auth_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/daybook-audit/daybook/server/internal/auth"
)

func TestOrigin(t *testing.T) {
	t.Parallel()
	proxies := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} // httptest's peer
	for _, c := range []struct {
		name   string
		origin auth.Origin
		header [2]string
		tls    bool
		want   string
	}{
		{"the request", auth.Origin{}, [2]string{}, false, "http://log.example.com"},
		{"over TLS", auth.Origin{}, [2]string{}, true, "https://log.example.com"},
		{"the operator", auth.Origin{Public: "https://audit.example.com", Proxies: proxies}, [2]string{"X-Forwarded-Proto", "http"}, false, "https://audit.example.com"},
		{"nobody's proxy", auth.Origin{}, [2]string{"X-Forwarded-Proto", "https"}, false, "http://log.example.com"},
		{"a proxy's scheme", auth.Origin{Proxies: proxies}, [2]string{"X-Forwarded-Proto", "https"}, false, "https://log.example.com"},
		{"no scheme", auth.Origin{Proxies: proxies}, [2]string{"X-Forwarded-Proto", "javascript"}, false, "http://log.example.com"},
		{"a proxy's host", auth.Origin{Proxies: proxies}, [2]string{"X-Forwarded-Host", "a.example.com, b"}, false, "http://a.example.com"},
		{"no host", auth.Origin{Proxies: proxies}, [2]string{"X-Forwarded-Host", "evil.example/x?"}, false, "http://log.example.com"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://log.example.com/v1/exports", nil)
		if c.header[0] != "" {
			r.Header.Set(c.header[0], c.header[1])
		}
		if c.tls {
			r.TLS = &tls.ConnectionState{}
		}
		if got := c.origin.URL(r); got != c.want {
			t.Errorf("%s: %s", c.name, got)
		}
	}
}

// What a door records of a request names its client, whatever the client says of itself.
func TestOrigin_Context(t *testing.T) {
	t.Parallel()
	o := auth.Origin{Proxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/logs", nil)
	r.Pattern = "GET /logs"
	r.Header.Set("X-Forwarded-For", "10.1.1.1, 203.0.113.9")
	r.Header.Set("User-Agent", strings.Repeat("a", 511)+"é")
	c := o.Context(r)
	if c.IP != "203.0.113.9" || c.UserAgent != strings.Repeat("a", 511) || c.HTTP.Method != http.MethodGet || c.HTTP.Route != "GET /logs" {
		t.Errorf("%+v %+v", c, c.HTTP)
	}
	if c := (auth.Origin{}).Context(r); c.IP != "192.0.2.1" {
		t.Errorf("believed a stranger: %s", c.IP)
	}
}
