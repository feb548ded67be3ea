package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestRestHapi: the settings of the door, from the environment to the answer.
func TestRestHapi(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := filepath.Join(dir, "daybook.db")
	s := serve(t, map[string]string{
		"DAYBOOK_JWT_SECRET": strings.Repeat("s", 32), "DAYBOOK_JWT_ISSUER": "https://id.example", "DAYBOOK_JWT_ORG": "tenant.id",
		"DAYBOOK_RESTHAPI_AUDIT_LOG_SCOPE": "Admin,!guest", "DAYBOOK_RESTHAPI_AUDIT_LOG_TTL": "1 day", "DAYBOOK_RESTHAPI_MAX_LIMIT": "2",
		"DAYBOOK_RESTHAPI_WHERE": "false", "DAYBOOK_RESTHAPI_STRICT": "false", "DAYBOOK_RESTHAPI_USER_ID_KEY": "sub",
	}, "--db", db)
	token := func(claims string) string {
		enc := base64.RawURLEncoding
		text := enc.EncodeToString([]byte(`{"alg":"HS256"}`)) + "." + enc.EncodeToString([]byte(claims))
		mac := hmac.New(sha256.New, []byte(strings.Repeat("s", 32)))
		mac.Write([]byte(text))
		return text + "." + enc.EncodeToString(mac.Sum(nil))
	}
	claims := fmt.Sprintf(`{"iss":"https://id.example","sub":"ada","exp":%d,"tenant":{"id":"org_hapi"},"scope":%%s}`, time.Now().Add(time.Hour).Unix())
	admin := token(fmt.Sprintf(claims, `["Admin"]`))
	for _, tt := range []struct {
		name, method, path, token, body string
		status                          int
		answer                          string // that it holds
	}{
		{"recorded", "POST", "/auditLog", admin, `[{"notes":"a"},{"notes":"b","foo":1},{"notes":"c","user":"bob"}]`, 201, `"user":"bob"`},
		{"limited", "GET", "/auditLog?$limit=9", admin, "", 200, `"items":{"limit":2,"begin":1,"end":2,"total":3}`},
		{"no $where", "GET", "/auditLog?$where={}", admin, "", 400, `\"$where\" is not allowed`},
		{"unknown parameters are ignored", "GET", "/auditLog?foo=1&$count=true", admin, "", 200, "3"},
		{"a guest", "GET", "/auditLog", token(fmt.Sprintf(claims, `["Admin","guest"]`)), "", 403, "Insufficient scope"},
		{"expires never", "GET", "/auditLog", token(`{"iss":"https://id.example","scope":"Admin"}`), "", 401, "Invalid token"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), tt.method, s.url+tt.path, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+tt.token)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		if err := answer.Body.Close(); err != nil {
			t.Error(err)
		}
		if err != nil || answer.StatusCode != tt.status || !strings.Contains(string(text), tt.answer) {
			t.Errorf("%s: %d %s %v", tt.name, answer.StatusCode, text, err)
		}
	}
	s.end(errTerminated)
	if out, errs, code := runHere(t, "", "fsck", "--db", db); code != exitDone {
		t.Errorf("fsck: %d %s %s", code, out, errs)
	}
}

// What cannot hold stops the start.
func TestRestHapiRefusesToStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	set := filepath.Join(dir, "keys.json")
	if err := os.WriteFile(set, []byte(`{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"resthapi_audit_log_ttl: \"0\"":           {"--resthapi-audit-log-ttl", "0"},
		"resthapi_audit_log_ttl: \"-1m\"":         {"--resthapi-audit-log-ttl=-1m"},
		"resthapi_audit_log_ttl: \"a fortnight\"": {"--resthapi-audit-log-ttl", "a fortnight"},
		"resthapi_max_limit":                      {"--resthapi-max-limit", "0"},
		"jwt_issuer goes together":                {"--jwt-secret", "x"},
		"there is one issuer":                     {"--jwt-secret", "x", "--jwt-keys", set, "--jwt-issuer", "i"},
		"read jwt_keys":                           {"--jwt-keys", set + ".none", "--jwt-issuer", "i"},
		"not a public key":                        {"--jwt-keys", set, "--jwt-issuer", "i"},
	} {
		_, errs, code := runHere(t, "", append([]string{"serve", "--listen", "127.0.0.1:0", "--db", filepath.Join(dir, "daybook.db")}, args...)...)
		if code == exitDone || !strings.Contains(errs, want) {
			t.Errorf("%v: exit %d, %s", args, code, errs)
		}
	}
	s := serve(t, map[string]string{"DAYBOOK_RESTHAPI_ENABLED": "false"}, "--db", filepath.Join(dir, "daybook.db"))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/auditLog", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := answer.Body.Close(); err != nil || answer.StatusCode != http.StatusNotFound {
		t.Errorf("the door is closed: %d %v", answer.StatusCode, err)
	}
	s.end(errTerminated)
}
