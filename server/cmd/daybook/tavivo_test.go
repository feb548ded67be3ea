package main

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTavivo: a deployment of ta-vivo-audit-log moves by its environment alone, and its caller sends what it always sent. The requests
// are the bytes that axios writes for the calls of AuditService.
func TestTavivo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := serve(t, map[string]string{
		"JWT_SECRET": "shared with the api", "API_PORT": "3333", "DB_HOST": "localhost", "DB_PASSWORD": "hunter2", "DAYBOOK_TAVIVO_ORG": "ta-vivo",
	}, "--db", filepath.Join(dir, "daybook.db"))
	for _, want := range []string{"the secret of the ta-vivo door is short", "DB_HOST DB_PASSWORD", "--db"} {
		if !strings.Contains(s.said, want) {
			t.Errorf("its log does not say %q:\n%s", want, s.said)
		}
	}
	if strings.Contains(s.said, "hunter2") || strings.Contains(s.said, "shared with the api") {
		t.Error("its log holds a secret")
	}
	token := tavivoToken("shared with the api")
	for i, body := range []string{
		`{"userId":1,"action":"update","metaData":{"entity":"check","old":{"id":42,"name":"home","enabled":true},"edited":{"enabled":false}}}`,
		`{"userId":1,"action":"delete","metaData":{"deleted":{"entity":"integration","data":{"id":7,"type":"slack"}}}}`,
		`{"userId":1,"action":"notification_sent","metaData":{"entity":"integration","old":{"to":"telegram"}}}`,
		`{"userId":2,"action":"password_change","metaData":{"entity":"user","old":{},"edited":{}}}`,
	} {
		status, header, answer := axios(t, s.url, "POST /logs", token, body)
		var row struct {
			ID        int
			UserID    json.RawMessage
			CreatedAt string
		}
		if err := json.Unmarshal(answer, &row); err != nil || status != 201 || row.ID != i+1 || row.CreatedAt[:2] != "20" || header.Get("X-Request-Id") == "" {
			t.Errorf("%s: %d %v %s", body, status, header, answer)
		}
	}
	for request, want := range map[string]struct {
		token, body string
		status      int
		answer      string
	}{
		"POST /logs":                     {"abc", `{"userId":1,"action":"x"}`, 401, `{"message":"Invalid JWT"}`},
		"POST /logs?":                    {"", `{"userId":1,"action":"x"}`, 401, `{"message":"Unauthorized"}`},
		"PUT /logs":                      {token, `{}`, 405, `{"message":"Method not allowed"}`},
		"DELETE /logs/1":                 {token, "", 405, `{"message":"Method not allowed"}`},
		"GET /logs/1/x":                  {token, "", 404, `{"message":"Not found"}`},
		"GET /logs/":                     {token, "", 404, `{"message":"Not found"}`},
		"GET /logs?entity=none":          {token, "", 200, `[]`},
		"HEAD /logs":                     {token, "", 200, ``},
		"POST /logs?x":                   {token, `{"userId":"1`, 400, `{"message":"Invalid JSON: the JSON text ends too early at byte 12"}`},
		"GET /logs?entity=check&limit=x": {token, "", 400, `{"message":"Invalid query","errors":[{"field":"limit","message":"must be between 1 and 500"}]}`},
	} {
		if status, _, answer := axios(t, s.url, request, want.token, want.body); status != want.status || string(answer) != want.answer {
			t.Errorf("%s: %d %s", request, status, answer)
		}
	}
	// Who may not come in is refused before the body is read: the request that announces one and sends none is answered.
	if status, _, answer := talk(t, s.url, "POST /logs HTTP/1.1\r\nHost: audit\r\nContent-Length: 1000000\r\n\r\n"); status != 401 || string(answer) != `{"message":"Unauthorized"}` {
		t.Errorf("without a body: %d %s", status, answer)
	}
	status, _, answer := axios(t, s.url, "GET /logs?userId=1&entity=check", token, "")
	if status != 200 || !strings.Contains(string(answer), `"edited":{"enabled":false}`) || strings.Count(string(answer), `"eventId"`) != 1 {
		t.Errorf("reading: %d %s", status, answer)
	}
	s.end(errTerminated)
}

// TestTavivoSecretFile: the file wins; one that is missing stops the start; without the door nothing answers.
func TestTavivoSecretFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "secret")
	if err := os.WriteFile(path, []byte("of the file, and long enough to say nothing\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, map[string]string{"JWT_SECRET": "other", "DAYBOOK_TAVIVO_JWT_SECRET_FILE": path}, "--db", filepath.Join(dir, "daybook.db"))
	if strings.Contains(s.said, "short") {
		t.Errorf("its log: %s", s.said)
	}
	for secret, want := range map[string]int{"of the file, and long enough to say nothing": 200, "other": 401} {
		if status, _, _ := axios(t, s.url, "GET /logs", tavivoToken(secret), ""); status != want {
			t.Errorf("a token of %q: %d", secret, status)
		}
	}
	s.end(errTerminated)
	if _, errs, code := runHere(t, "", "serve", "--listen", "127.0.0.1:0", "--db", filepath.Join(dir, "daybook.db"), "--tavivo-jwt-secret-file", path+".none"); code != exitFailed || !strings.Contains(errs, "tavivo_jwt_secret_file") {
		t.Errorf("a file that is missing: exit %d, %s", code, errs)
	}
	s = serve(t, map[string]string{"JWT_SECRET": "other", "DAYBOOK_TAVIVO_ENABLED": "false"}, "--db", filepath.Join(dir, "daybook.db"))
	if status, header, _ := axios(t, s.url, "GET /logs", tavivoToken("other"), ""); status != 404 || header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("the door is closed: %d %v", status, header)
	}
	s.end(errTerminated)
}

// tavivoToken is the service token of ta-vivo-api: it says its name, and lasts.
func tavivoToken(secret string) string {
	b64 := base64.RawURLEncoding.EncodeToString
	input := b64([]byte(`{"alg":"HS512","typ":"JWT"}`)) + "." + b64([]byte(`{"name":"ta-vivo-api"}`))
	m := hmac.New(sha512.New, []byte(secret))
	m.Write([]byte(input))
	return input + "." + b64(m.Sum(nil))
}

// axios sends a request as axios does.
func axios(t *testing.T, url, request, token, body string) (int, http.Header, []byte) {
	t.Helper()
	text := request + " HTTP/1.1\r\nAccept: application/json, text/plain, */*\r\n"
	if token != "" {
		text += "Authorization: Bearer " + token + "\r\n"
	}
	if body != "" {
		text += fmt.Sprintf("Content-Type: application/json\r\nContent-Length: %d\r\n", len(body))
	}
	return talk(t, url, text+"User-Agent: axios/0.21.1\r\nHost: audit.example.com\r\nConnection: close\r\n\r\n"+body)
}

func talk(t *testing.T, url, text string) (int, http.Header, []byte) {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // the answer was read
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(text, " ")
	r, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close() //nolint:errcheck // of a test
	answer, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, r.Header, answer
}
