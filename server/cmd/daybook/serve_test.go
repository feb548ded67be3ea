package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// served is a `daybook serve` in this process.
type served struct {
	t    *testing.T
	url  string
	said string // its log up to where it listens
	stop context.CancelCauseFunc
	code chan int
}

// serve runs the command with these flags and variables and waits for the line that says where it listens.
func serve(t *testing.T, vars map[string]string, args ...string) *served {
	t.Helper()
	ctx, stop := context.WithCancelCause(t.Context())
	s := &served{t: t, stop: stop, code: make(chan int, 1)}
	log, listens := saidOf(t, "the server"), make(chan string, 1)
	log.until(listens)
	go func() {
		s.code <- run(ctx, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...), nil, io.Discard, log, func(name string) string { return vars[name] })
	}()
	select {
	case s.url = <-listens:
		s.said = log.String()
	case code := <-s.code:
		t.Fatalf("it never listened: exit %d", code)
	case <-time.After(patience):
		t.Fatalf("it does not listen after %s", patience)
	}
	return s
}

// end stops the server, says why, and returns its exit code.
func (s *served) end(why error) int {
	s.t.Helper()
	s.stop(why)
	select {
	case code := <-s.code:
		return code
	case <-time.After(patience):
		s.t.Fatalf("it has not ended %s after it was stopped", patience)
		return 0
	}
}

// TestServe: a first key from the environment, TLS from files, what was acknowledged is there after the next start, and the exit
// codes of a clean stop.
func TestServe(t *testing.T) {
	t.Parallel()
	const bootstrap = "DAYBOOK_BOOTSTRAP_KEY"
	dir := t.TempDir()
	db, cert, certKey := filepath.Join(dir, "daybook.db"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	selfSigned(t, cert, certKey)
	secret, _, code := runHere(t, "", "key", "create", "--db", filepath.Join(dir, "third.db"), "--all-orgs", "--scopes", "read")
	if code != 0 {
		t.Fatalf("key create: exit %d", code)
	}
	secret = strings.TrimSpace(secret) // a key of the right form, made elsewhere

	s := serve(t, map[string]string{bootstrap: secret}, "--db", db, "--tls-cert", cert, "--tls-key", certKey)
	if !strings.HasPrefix(s.url, "https://127.0.0.1:") {
		t.Errorf("it listens at %s", s.url)
	}
	do := func(url string, args ...string) (string, string, int) {
		var out, errs bytes.Buffer
		vars := map[string]string{"DAYBOOK_SERVER": url, "DAYBOOK_API_KEY": secret, "DAYBOOK_ORG": "org_acme"}
		code := run(t.Context(), args, nil, &out, &errs, func(name string) string { return vars[name] })
		return out.String(), errs.String(), code
	}
	if _, errs, code := do(s.url, "record", "a.b", "--actor", "user:1", "--ca", cert); code != 0 {
		t.Errorf("over TLS: exit %d: %s", code, errs)
	}
	if _, errs, code := do(s.url, "whoami"); code != exitFailed || !strings.Contains(errs, "certificate") {
		t.Errorf("an unknown certificate authority: exit %d: %s", code, errs)
	}
	if code := s.end(errTerminated); code != exitTerminated {
		t.Errorf("stopped by SIGTERM: exit %d", code)
	}

	// Again, without TLS: the entry is there, and the first key is not replaced by another.
	s = serve(t, map[string]string{bootstrap: strings.Repeat("x", 60)}, "--db", db)
	if out, errs, code := do(s.url, "events", "--json", "action", "-o", "ndjson"); code != 0 || out != "{\"action\":\"a.b\"}\n" {
		t.Errorf("after a new start: exit %d, %q, %s", code, out, errs)
	}
	if _, errs, code := do(s.url, "fsck", "--db", db); code != 0 {
		t.Errorf("fsck beside the server: exit %d: %s", code, errs)
	}
	if _, errs, code := do(s.url, "key", "create", "--db", db, "--all-orgs", "--scopes", "read"); code != exitFailed || !strings.Contains(errs, "in use") {
		t.Errorf("a second process may not write: exit %d: %s", code, errs)
	}
	if code := s.end(errInterrupted); code != exitInterrupted {
		t.Errorf("interrupted: exit %d", code)
	}

	// Another program has the address.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // of the test
	if _, errs, code := runHere(t, "", "serve", "--db", db, "--listen", l.Addr().String()); code != exitFailed || !strings.Contains(errs, "another program uses this address") {
		t.Errorf("a taken address: exit %d: %s", code, errs)
	}
}

// TestServeWithoutKey: a server that nobody can use says so, and how to make a key; one with a key does not.
func TestServeWithoutKey(t *testing.T) {
	t.Parallel()
	db := filepath.Join(t.TempDir(), "daybook.db")
	for _, keys := range []int{0, 1} {
		s := serve(t, nil, "--db", db)
		if code := s.end(errInterrupted); code != exitInterrupted {
			t.Fatalf("exit %d", code)
		}
		how := "daybook key create --db " + db + " --all-orgs"
		if warned := strings.Contains(s.said, `"level":"WARN"`) && strings.Contains(s.said, how); warned != (keys == 0) {
			t.Errorf("with %d keys it said:\n%s", keys, s.said)
		}
		if keys == 0 {
			if _, errs, code := runHere(t, "", "key", "create", "--db", db, "--all-orgs", "--scopes", "read"); code != 0 {
				t.Fatalf("key create: exit %d: %s", code, errs)
			}
		}
	}
}

// TestMetrics: after an entry was recorded, merged and found, a whole server serves every metric of the reference page, and its
// counters have moved.
func TestMetrics(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ".env"), []byte("DAYBOOK_SCHEMA_MODE=quarantine\n"), 0o600); err != nil { // every event is flagged
		t.Fatal(err)
	}
	m, key := serverFor(t, filepath.Join(dir, "daybook.db"), "audit.example.com")
	defer func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}()
	get := func(method, path, body string) string {
		req, err := http.NewRequestWithContext(t.Context(), method, m.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = http.Header{"Authorization": {"Bearer " + key}, "Daybook-Org": {"org_acme"}, "Content-Type": {"application/json"}}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close() //nolint:errcheck // read to its end
		text, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode/100 != 2 {
			t.Fatalf("%s %s: %d %s, %v", method, path, res.StatusCode, text, err)
		}
		return string(text)
	}
	get("POST", "/v1/events", `{"action":"a.b","actor":{"type":"user","id":"1"}}`)
	if err := m.book.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	get("GET", "/v1/events", "")
	get("POST", "/v1/holds", `{"query":"action:a.b","reason":"an audit"}`) // what a control entry says is signed at once, in the background
	served := map[string]string{}                                          // the name and labels, and the value
	for begin := time.Now(); (served["daybook_signed_logs_total"] == "" || served["daybook_signed_logs_total"] == "0") && time.Since(begin) < time.Minute; {
		for line := range strings.Lines(get("GET", "/metrics", "")) {
			if name, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok && name != "#" {
				served[name] = value
			}
		}
	}
	page, err := os.ReadFile("../../../docs/reference/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	gauges := []string{
		"daybook_queue_bytes", "daybook_tail_entries", "daybook_tail_bytes", "daybook_merge_lag_commits", "daybook_merge_debt_entries", "daybook_open_logs", "daybook_frozen_logs",
		"daybook_self_audit_waiting", "daybook_removals_pending", "daybook_self_audit_lost_total", "daybook_erasures_overdue", "daybook_background",
	}
	for _, name := range regexp.MustCompile(`daybook_[a-z_]+`).FindAllString(string(page), -1) {
		value, ok := served[name]
		switch {
		case name == "daybook_node_info":
			value, ok = served[fmt.Sprintf("%s{node=%q,version=%q}", name, m.node.name, version())]
		case name == "daybook_flagged_total":
			value, ok = served[name+`{flag="schema_missing"}`]
		case strings.HasPrefix(name, "daybook_http_requests"):
			value, ok = served[name+`{method="POST",route="/v1/events",status="201"}`]
		case strings.HasPrefix(name, "daybook_http_request"):
			value, ok = served[name+`_count{method="POST",route="/v1/events"}`]
		case !ok:
			value, ok = served[name+"_count"]
		}
		if !ok || value == "0" && !slices.Contains(gauges, name) {
			t.Errorf("%s is %q", name, value)
		}
	}
	if served["daybook_open_logs"] != "2" { // that of org_acme and that of the instance
		t.Errorf("daybook_open_logs is %q", served["daybook_open_logs"])
	}
}

// TestClose: requests that are running when the server stops are answered.
func TestClose(t *testing.T) {
	t.Parallel()
	m, key := serverFor(t, filepath.Join(t.TempDir(), "daybook.db"), "")
	body, feed := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, m.URL+"/v1/events", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Daybook-Org", "org_acme")
	req.Header.Set("Expect", "100-continue")
	reading := make(chan struct{}) // closed when the handler has asked for the body
	req = req.WithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got100Continue: func() { close(reading) }}))
	transport := &http.Transport{ExpectContinueTimeout: time.Hour}
	defer transport.CloseIdleConnections()
	type answer struct {
		status int
		err    error
	}
	answered := make(chan answer, 1)
	go func() {
		res, err := transport.RoundTrip(req)
		if err != nil {
			answered <- answer{err: err}
			return
		}
		res.Body.Close() //nolint:errcheck // only the status counts
		answered <- answer{status: res.StatusCode}
	}()
	select {
	case <-reading:
	case a := <-answered:
		t.Fatalf("answered before it was sent: %d, %v", a.status, a.err)
	}
	if _, err := io.WriteString(feed, `{"action":"a.b",`); err != nil {
		t.Fatal(err)
	}
	closed := make(chan error, 1)
	go func() { closed <- m.Close() }()
	for { // until it does not listen any more
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(m.URL, "http://"))
		if err != nil {
			break
		}
		c.Close() //nolint:errcheck // only whether it opens counts
	}
	if _, err := io.WriteString(feed, `"actor":{"type":"user","id":"1"}}`); err != nil {
		t.Fatal(err)
	}
	if err := feed.Close(); err != nil {
		t.Fatal(err)
	}
	if a := <-answered; a.err != nil || a.status != http.StatusCreated {
		t.Errorf("the running request: %d, %v", a.status, a.err)
	}
	if err := <-closed; err != nil {
		t.Errorf("close: %v", err)
	}
}

// selfSigned writes a certificate for 127.0.0.1 and its key.
func selfSigned(t *testing.T, cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
