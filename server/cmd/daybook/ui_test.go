package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/storetest"
	"github.com/daybook-audit/daybook/verify"
)

// evidenceMaker is a signed log of which tests take bundles.
type evidenceMaker struct {
	t    *testing.T
	book *daybook.Book
	dir  string
	vkey string
	size int64
}

// newEvidenceMaker records n events, of which those of usr_3 lose their names and the third of usr_4 everything.
func newEvidenceMaker(t *testing.T, n int) *evidenceMaker {
	t.Helper()
	begin, ticks := fixedNow(), atomic.Int64{}
	clock := func() time.Time { return begin.Add(time.Duration(ticks.Add(1)) * time.Millisecond) }
	book, err := daybook.Open(t.Context(), storetest.Memory(), daybook.Options{
		Now: clock, Origin: "audit.example.com", MasterKey: bytes.Repeat([]byte{7}, 32), HighWater: storetest.Marks(), TailAge: 24 * time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := book.Close(); err != nil {
			t.Error(err)
		}
	})
	m := &evidenceMaker{t: t, book: book, dir: t.TempDir()}
	var events [][]byte
	for i := range n {
		events = append(events, fmt.Appendf(nil, `{"action":"invoice.updated","actor":{"type":"user","id":"usr_%d","name":"Ada %d"},"targets":[{"type":"invoice","id":"%d"}],"outcome":%q,`+
			`"changes":[{"path":"/amount","old":%d,"new":%d}],"metadata":{"plan":"pro"}}`, i%7, i%7, i%50, []string{"success", "failure"}[i%2], i, i+1))
	}
	if _, err := book.RecordJSON(t.Context(), "org_acme", daybook.Request{Events: events}); err != nil {
		t.Fatal(err)
	}
	for _, r := range []daybook.EraseRequest{{Text: "actor:usr_3", Paths: []string{"/actor/name"}}, {Text: "actor:usr_4 target:invoice:11", Whole: true}} {
		r.Org, r.Reason, r.By = "org_acme", "request", daybook.Party{Type: "user", ID: "usr_9"}
		if _, err := book.Erase(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if err := book.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	info, err := book.LogInfo(t.Context(), "org_acme")
	if err != nil {
		t.Fatal(err)
	}
	m.vkey, m.size = info.Keys[0].Vkey, info.Size
	return m
}

// bundle writes a bundle into a file.
func (m *evidenceMaker) bundle(name string, q daybook.BundleQuery) string {
	m.t.Helper()
	var out bytes.Buffer
	q.Org = "org_acme"
	if _, err := m.book.WriteBundle(m.t.Context(), &out, q); err != nil {
		m.t.Fatal(err)
	}
	text := out.Bytes()
	if strings.HasSuffix(name, ".gz") {
		var small bytes.Buffer
		z := gzip.NewWriter(&small)
		if _, err := z.Write(text); err != nil {
			m.t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			m.t.Fatal(err)
		}
		text = small.Bytes()
	}
	return m.file(name, text)
}

func (m *evidenceMaker) file(name string, text []byte) string {
	m.t.Helper()
	path := filepath.Join(m.dir, name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		m.t.Fatal(err)
	}
	return path
}

var linkLine = regexp.MustCompile(`http://\S+/signin\?code=\S+`)

// shown is a console on a bundle, and a browser that is signed in.
type shown struct {
	t      *testing.T
	url    string
	said   string
	client *http.Client
	who    struct {
		Org     string
		Scopes  []string
		Offline map[string]any
	}
}

// show runs the command and follows its link.
func show(t *testing.T, args ...string) *shown {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	out, in := io.Pipe()
	code := make(chan int, 1)
	var errs bytes.Buffer
	go func() {
		code <- run(ctx, append([]string{"ui"}, args...), nil, in, &errs, func(string) string { return "" })
		_ = in.Close() // never fails
	}()
	t.Cleanup(func() {
		stop()
		<-code
	})
	s := &shown{t: t}
	link := ""
	for lines := bufio.NewScanner(out); lines.Scan(); {
		s.said += lines.Text() + "\n"
		if link == "" {
			link = linkLine.FindString(lines.Text())
		}
		if strings.HasPrefix(lines.Text(), "Stop with") {
			break
		}
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	u, err := url.Parse(link)
	if err != nil || link == "" {
		t.Fatalf("no link: %s%s", s.said, errs.String())
	}
	s.url = "http://" + u.Host
	s.client = s.signedIn(u.Query().Get("code"))
	body := fmt.Sprintf(`{"code":%q}`, u.Query().Get("code"))
	if status, text := s.ask("POST", "/v1/session", body); status != http.StatusUnauthorized && status != http.StatusForbidden {
		t.Errorf("the link signs in twice: %d %s", status, text)
	}
	s.get("/v1/whoami", &s.who)
	return s
}

// signedIn is a browser that a code has signed in.
func (s *shown) signedIn(code string) *http.Client {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	s.client = &http.Client{Jar: jar}
	if status, text := s.ask("POST", "/v1/session", fmt.Sprintf(`{"code":%q}`, code)); status != http.StatusNoContent {
		s.t.Fatalf("sign in: %d %s", status, text)
	}
	return s.client
}

func (s *shown) ask(method, path, body string) (int, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	answer, err := s.client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	text, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		s.t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func (s *shown) get(path string, into any) {
	s.t.Helper()
	status, text := s.ask("GET", path, "")
	if status != http.StatusOK {
		s.t.Fatalf("%s: %d %s", path, status, text)
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		s.t.Fatal(err)
	}
}

// eventPage is a page of events.
type eventPage struct {
	Entries []map[string]any
}

func (s *shown) search(q string) eventPage {
	s.t.Helper()
	var page eventPage
	s.get("/v1/events?limit=1000&q="+url.QueryEscape(q), &page)
	return page
}

// proves fails unless the console's evidence of the range is proved by the key.
func (s *shown) proves(vkey string, from, to int64) {
	s.t.Helper()
	status, text := s.ask("GET", fmt.Sprintf("/v1/organizations/%s/log/evidence?from=%d&to=%d", s.who.Org, from, to), "")
	key, err := verify.ParseKey(vkey)
	if err != nil {
		s.t.Fatal(err)
	}
	if r := verify.Bundle(strings.NewReader(text), verify.Options{Keys: []verify.Key{key}}); status != http.StatusOK || r.Exit() != 0 {
		s.t.Errorf("the evidence of %d to %d: %d %v", from, to, status, r.Findings)
	}
}

func TestUI(t *testing.T) {
	t.Parallel()
	m := newEvidenceMaker(t, 700)
	t.Run("a whole log is searched, counted and proved", func(t *testing.T) {
		t.Parallel()
		s := show(t, "--bundle", m.bundle("whole.daybook.gz", daybook.BundleQuery{}), "--vkey", m.vkey)
		if !strings.Contains(s.said, "OK  nothing was changed") || s.who.Offline["verdict"] != "proved" || s.who.Offline["file"] != "whole.daybook.gz" || !slices.Equal(s.who.Scopes, []string{"read", "export"}) {
			t.Errorf("%s\n%+v", s.said, s.who)
		}
		if page := s.search("actor:usr_2 outcome:failure"); len(page.Entries) != 50 {
			t.Errorf("%d found", len(page.Entries))
		}
		var facets struct{ Count struct{ Value int } }
		if s.get("/v1/facets", &facets); facets.Count.Value != int(m.size) {
			t.Errorf("%d counted of %d", facets.Count.Value, m.size)
		}
		erased := s.search("is:erased").Entries
		gone := 0
		for _, e := range erased {
			if e["removed"] == "erased" {
				gone++
			} else if fields, ok := e["erased_fields"].([]any); !ok || len(fields) != 0 {
				t.Errorf("%v", e)
			}
		}
		if len(erased) != 102 || gone != 2 {
			t.Errorf("%d erased, %d whole", len(erased), gone)
		}
		id := fmt.Sprint(s.search("target:invoice:42").Entries[0]["id"])
		for _, path := range []string{"/v1/events/" + id, "/v1/events/" + id + "/around", "/v1/targets/invoice/42/events", "/v1/actors/user/usr_2/events", "/v1/targets/invoice/42/versions", "/v1/histogram", "/v1/summary", "/v1/complete?q=act&pos=3", "/v1/views", "/v1/organizations/" + s.who.Org + "/log/failures", "/v1/organizations/" + s.who.Org + "/log/checkpoints"} {
			var any map[string]any
			s.get(path, &any)
		}
		s.proves(m.vkey, 0, m.size)
		s.proves(m.vkey, 100, 101)
		if status, text := s.ask("GET", "/v1/events/csv?q=outcome:failure", ""); status != http.StatusOK || strings.Count(text, "\n") != 349 {
			t.Errorf("csv: %d, %d lines", status, strings.Count(text, "\n"))
		}
		if status, _ := s.ask("GET", "/o/"+s.who.Org+"/events", ""); status != http.StatusOK {
			t.Errorf("the page: %d", status)
		}
	})
	t.Run("nothing changes, and nothing of others is there", func(t *testing.T) {
		t.Parallel()
		s := show(t, "--bundle", m.bundle("still.daybook", daybook.BundleQuery{}), "--vkey", m.vkey)
		var doc struct {
			Paths map[string]map[string]any
		}
		s.get("/openapi.json", &doc)
		tried := 0
		for path, methods := range doc.Paths {
			for _, method := range []string{"POST", "PUT", "DELETE", "PATCH"} {
				if methods[strings.ToLower(method)] == nil || path == "/v1/session" {
					continue
				}
				filled := regexp.MustCompile(`\{[a-z_]+\}`).ReplaceAllString(strings.ReplaceAll(path, "{org}", s.who.Org), "x")
				status, text := s.ask(method, filled, "{}")
				if tried++; status != http.StatusForbidden || !strings.Contains(text, `"code":"read_only"`) {
					t.Errorf("%s %s: %d %s", method, path, status, text)
				}
			}
		}
		if tried < 25 {
			t.Errorf("only %d routes were tried", tried)
		}
		for _, path := range []string{
			"/v1/organizations/org_acme/log/info", "/v1/organizations/org_other/log/evidence", "/v1/organizations/org_acme", "/v1/exports", "/v1/exports/exp_x/file",
			"/v1/events/" + daybook.NewID().String(), "/v1/organizations/" + s.who.Org + "/log/epochs/1/info",
		} {
			if status, text := s.ask("GET", path, ""); status != http.StatusNotFound {
				t.Errorf("%s: %d %s", path, status, text)
			}
		}
		for _, path := range []string{"/v1/backup", "/v1/instance", "/v1/keys", "/metrics"} {
			if status, text := s.ask("GET", path, ""); status < 400 {
				t.Errorf("%s: %d %s", path, status, text)
			}
		}
		stranger := &shown{t: t, url: s.url, client: http.DefaultClient}
		if status, _ := stranger.ask("GET", "/v1/events", ""); status != http.StatusUnauthorized {
			t.Errorf("without the link: %d", status)
		}
		if n := len(s.search("").Entries); int64(n) != m.size {
			t.Errorf("%d entries of %d", n, m.size)
		}
	})
	t.Run("what was left out is said, and is not called erased", func(t *testing.T) {
		t.Parallel()
		path := m.bundle("part.daybook", daybook.BundleQuery{First: 100, End: 600, Text: "outcome:failure", Mask: []string{"/actor/name", "/changes"}})
		s := show(t, "--bundle", path, "--vkey", m.vkey)
		o := s.who.Offline
		mask, _ := o["mask"].([]any)
		if o["filtered"] != true || o["filter"] != "outcome:failure" || len(mask) != 2 || o["from"] != 100.0 || o["to"] != 600.0 || o["shown"] != 249.0 || o["hashed"] != 251.0 || o["verdict"] != "proved" {
			t.Errorf("%v", o)
		}
		page := s.search("")
		masked := 0
		for _, e := range page.Entries {
			if e["changes"] != nil || e["removed"] != nil && e["removed"] != "erased" {
				t.Errorf("%v", e)
			}
			if hidden, _ := e["hidden_fields"].([]any); len(hidden) == 2 {
				masked++
			}
		}
		if len(page.Entries) != 251 || masked != 249 { // two control entries come with it
			t.Errorf("%d entries, %d of them masked", len(page.Entries), masked)
		}
		s.proves(m.vkey, 100, 600)
		s.proves(m.vkey, 333, 334)
		if status, text := s.ask("GET", "/v1/organizations/"+s.who.Org+"/log/evidence?from=99&to=101", ""); status != http.StatusGone || !strings.Contains(text, `"left_out"`) {
			t.Errorf("more than the file holds: %d %s", status, text)
		}
	})
}

// TestUIRefuses: what is not proved is not shown, unless that is asked for, and then it is said.
func TestUIRefuses(t *testing.T) {
	t.Parallel()
	m := newEvidenceMaker(t, 300)
	whole := m.bundle("whole.daybook", daybook.BundleQuery{})
	text, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	edited := m.file("edited.daybook", bytes.Replace(text, []byte(`"new":8}`), []byte(`"new":9}`), 1))
	cut := m.file("cut.daybook", text[:len(text)/2])
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"no key":                  {[]string{"--bundle", whole}, exitUnverified, "key_not_pinned"},
		"edited":                  {[]string{"--bundle", edited, "--vkey", m.vkey}, exitTampered, "leaf_mismatch line 11 seq 7"},
		"cut":                     {[]string{"--bundle", cut, "--vkey", m.vkey}, exitUnverified, "truncated"},
		"cut before its entries":  {[]string{"--bundle", m.file("head.daybook", text[:300]), "--vkey", m.vkey, "--unverified"}, exitFailed, "nothing of the bundle can be read"},
		"no file":                 {[]string{"--bundle", whole + "x", "--vkey", m.vkey}, exitFailed, "no such file"},
		"a CSV":                   {[]string{"--bundle", m.file("x.csv", []byte("seq,id\n1,2\n")), "--unverified"}, exitFailed, "no evidence bundle"},
		"an NDJSON":               {[]string{"--bundle", m.file("x.ndjson", []byte(`{"org":"org_acme"}`+"\n")), "--unverified"}, exitFailed, "JSON without proofs"},
		"a Parquet file":          {[]string{"--bundle", m.file("x.parquet", []byte("PAR1....PAR1")), "--unverified"}, exitFailed, "Parquet"},
		"a proof of one event":    {[]string{"--bundle", m.file("x.tlog-proof", []byte("c2sp.org/tlog-proof@v1\n")), "--unverified"}, exitFailed, "does not show it"},
		"an empty file":           {[]string{"--bundle", m.file("empty", nil), "--unverified"}, exitFailed, "empty"},
		"nothing":                 {nil, exitUsage, "--bundle"},
		"an address of others":    {[]string{"--bundle", whole, "--listen", "0.0.0.0:0"}, exitUsage, "this machine alone"},
		"an address that is none": {[]string{"--bundle", whole, "--listen", "here"}, exitUsage, "HOST:PORT"},
	} {
		var out, errs bytes.Buffer
		code := run(t.Context(), append([]string{"ui"}, c.args...), nil, &out, &errs, func(string) string { return "" })
		if said := out.String() + errs.String(); code != c.code || !strings.Contains(said, c.says) || strings.Contains(said, "/signin") {
			t.Errorf("%s: %d\n%s", name, code, said)
		}
	}
	for path, verdict := range map[string]string{edited: "false", cut: "unverified", whole: "unverified"} {
		args := []string{"--bundle", path, "--unverified"}
		if path != whole {
			args = append(args, "--vkey", m.vkey)
		}
		s := show(t, args...)
		if findings, _ := s.who.Offline["findings"].([]any); s.who.Offline["verdict"] != verdict || len(findings) == 0 {
			t.Errorf("%s: %v", path, s.who.Offline)
		}
		if n := len(s.search("").Entries); n < 140 {
			t.Errorf("%s: %d entries", path, n)
		}
	}
}
