package tavivo_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/compat/tavivo"
	"github.com/daybook-audit/daybook/server/internal/doortest"
	"github.com/daybook-audit/daybook/storetest"
)

type fixture struct {
	*doortest.Base
	t     *testing.T
	door  *tavivo.Door
	token string // as ta-vivo-api signs its own
}

const secret = "not thirty-two bytes"

// sign makes a token as jsonwebtoken does: HS256, iat and exp.
func sign(claims string) string {
	b64 := base64.RawURLEncoding.EncodeToString
	input := b64([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + b64([]byte(claims))
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(input))
	return input + "." + b64(m.Sum(nil))
}

func newFixture(t *testing.T, change ...func(*tavivo.Deps)) *fixture {
	t.Helper()
	clock := storetest.ClockAt(time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC))
	f := &fixture{Base: doortest.New(t, clock, storetest.Memory(), daybook.Options{}, auth.Options{}), t: t}
	tokens, err := auth.NewTokens(auth.TokenOptions{Keys: []auth.TokenKey{{Secret: []byte(secret), Algorithms: auth.HMAC}}, Now: f.Now})
	if err != nil {
		t.Fatal(err)
	}
	deps := tavivo.Deps{Book: f.Book, Auth: f.Auth, Tokens: tokens, Orgs: f.Orgs, Settings: tavivo.Settings{Org: "default"}}
	for _, c := range change {
		c(&deps)
	}
	f.door = tavivo.New(deps)
	f.token = sign(`{"name":"ta-vivo-api","iat":1767323000,"exp":1798859000}`)
	return f
}

// do sends a request as the server would. header holds names and values in turn.
func (f *fixture) do(method, target, body string, header ...string) *httptest.ResponseRecorder {
	f.t.Helper()
	mux := http.NewServeMux()
	for _, route := range f.door.Routes() {
		mux.HandleFunc(route.Method+" "+route.Pattern, func(w http.ResponseWriter, r *http.Request) {
			if r = route.Admit(w, r); r != nil {
				route.Handler(w, r, []byte(body))
			}
		})
	}
	r := httptest.NewRequestWithContext(f.t.Context(), method, target, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	if !json.Valid(w.Body.Bytes()) && w.Header().Get("Content-Type") == "application/json" {
		f.t.Errorf("%s %s: not one JSON document: %s", method, target, w.Body)
	}
	return w
}

// post records a log with the token and returns the row.
func (f *fixture) post(body string) map[string]any {
	f.t.Helper()
	w := f.do("POST", "/logs", body, "Authorization", f.token)
	if w.Code != http.StatusCreated {
		f.t.Fatalf("%s: %d %s", body, w.Code, w.Body)
	}
	var row map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &row); err != nil {
		f.t.Fatal(err)
	}
	return row
}

// get reads with the token.
func (f *fixture) get(target string) *httptest.ResponseRecorder {
	f.t.Helper()
	return f.do("GET", target, "", "Authorization", "Bearer "+f.token)
}

// list returns the ids of a page and the address of the next one.
func (f *fixture) list(target string) (ids []int64, next string) {
	f.t.Helper()
	w := f.get(target)
	var rows []struct{ ID int64 }
	if err := json.Unmarshal(w.Body.Bytes(), &rows); err != nil || w.Code != http.StatusOK {
		f.t.Fatalf("%s: %d %s", target, w.Code, w.Body)
	}
	for _, r := range rows {
		ids = append(ids, r.ID)
	}
	if link := w.Header().Get("Link"); link != "" {
		next = strings.TrimSuffix(strings.TrimPrefix(link, "<"), `>; rel="next"`)
	}
	return ids, next
}

var (
	eventIDs   = regexp.MustCompile(`"eventId":"[^"]*"`)
	leafHashes = regexp.MustCompile(`"leafHash":"[^"]*"`)
)

// masked hides what differs between two runs: ids are random, and hashes with them.
func masked(text string) string {
	return leafHashes.ReplaceAllString(eventIDs.ReplaceAllString(text, `"eventId":"evt_…"`), `"leafHash":"…"`)
}

// event returns what the log holds of the last row, without what is the same in all.
func (f *fixture) event(org daybook.OrgID, seq int64) string {
	f.t.Helper()
	e, err := f.Book.EntryAt(f.t.Context(), org, seq)
	if err != nil {
		f.t.Fatal(err)
	}
	return string(e.Payload)
}

// calls are the requests that ta-vivo-api makes (section 1.3 of its call sites), and those that its documentation names.
var calls = []struct{ name, body string }{
	{"check updated", `{"userId":1,"action":"update","metaData":{"entity":"check","old":{"id":42,"name":"home","enabled":true,"retryCount":3},"edited":{"name":"Home","enabled":true}}}`},
	{"check disabled", `{"userId":1,"action":"update","metaData":{"entity":"check","old":{"id":42,"enabled":true},"edited":{"enabled":false}}}`},
	{"check enabled", `{"userId":1,"action":"update","metaData":{"entity":"check","old":{"id":42,"enabled":false,"authorizationHeader":{"name":"Authorization","token":"Bearer s3cret"}},"edited":{"enabled":true}}}`},
	{"check deleted", `{"userId":1,"action":"delete","metaData":{"deleted":{"entity":"check","data":{"id":42,"name":"Home"}}}}`},
	{"check deleted, documented", `{"userId":1,"action":"delete","metaData":{"entity":"check","old":{"id":42,"name":"Home"},"edited":{}}}`},
	{"integration deleted", `{"userId":1,"action":"delete","metaData":{"deleted":{"entity":"integration","data":{"id":7,"type":"slack"}}}}`},
	{"integration updated", `{"userId":1,"action":"update","metaData":{"entity":"integration","old":{"id":7,"name":"team","password":"a"},"edited":{"name":"team","password":"b"}}}`},
	{"integration tested", `{"userId":1,"action":"integration_test","metaData":{"entity":"integration"}}`},
	{"integration tested, documented", `{"userId":1,"action":"test","metaData":{"entity":"integration"}}`},
	{"password reset", `{"userId":1,"action":"password_change","metaData":{"entity":"user","old":{},"edited":{}}}`},
	{"password forgot", `{"userId":"u9","action":"password_forgot","metaData":{"entity":"user"}}`},
	{"notification sent", `{"userId":1,"action":"notification_sent","metaData":{"entity":"integration","old":{"to":"slack"}}}`},
	{"notification sent, documented", `{"userId":1,"action":"notification_sent","metaData":{"entity":"integration","old":{"to":"email"},"edited":{"to":"email"}}}`},
}

// TestCalls sends every call as axios does and holds the row, and the event that the log keeps, against golden files.
func TestCalls(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var rows, events strings.Builder
	for i, call := range calls {
		f.Add(time.Second)
		w := f.do("POST", "/logs", call.body, "Authorization", "Bearer "+f.token, "Content-Type", "application/json;charset=utf-8",
			"Accept", "application/json, text/plain, */*", "User-Agent", "axios/0.24.0")
		if w.Code != http.StatusCreated || w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Location") != "/logs/"+itoa(i+1) {
			t.Errorf("%s: %d %v", call.name, w.Code, w.Header())
		}
		rows.WriteString("# " + call.name + "\n" + masked(w.Body.String()) + "\n")
		events.WriteString("# " + call.name + "\n" + f.event("default", int64(i)) + "\n")
		if strings.Contains(events.String(), "s3cret") {
			t.Errorf("%s: a secret was recorded", call.name)
		}
	}
	doortest.Golden(t, "rows", rows.String())
	doortest.Golden(t, "events", events.String())
	doortest.Golden(t, "list", masked(strings.ReplaceAll(f.get("/logs?entity=check").Body.String(), "},{\"id\"", "},\n{\"id\""))+"\n")
}

func itoa(n int) string {
	b, _ := json.Marshal(n)
	return string(b)
}

// The answer to a recording is the row that is read afterwards.
func TestRowIsTheStoredOne(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, body := range []string{
		`{"userId":9007199254740991,"action":"a b","metaData":{"n":9007199254740993.10,"s":"é\u00e9<&>","l":[1, 2],"key":"k"}}`,
		`{"userId":"u/1","action":"x","metadata":"text"}`,
		`{"userId":0,"action":"x","metaData":null,"metadata":1,"id":5,"CreatedAt":"1970-01-01T00:00:00Z"}`,
		` {"action":"x.y","userId":1} `,
	} {
		w := f.do("POST", "/logs", body, "Authorization", f.token)
		made := strings.Replace(w.Body.String(), `,"duplicate":false`, "", 1)
		for _, target := range []string{w.Header().Get("Location"), "/logs/" + textOf(t, w.Body.Bytes(), "eventId")} {
			if got := f.get(target).Body.String(); got != made {
				t.Errorf("%s:\n%s\n%s", target, made, got)
			}
		}
	}
}

func textOf(t *testing.T, object []byte, name string) string {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal(object, &members); err != nil {
		t.Fatal(err)
	}
	text, ok := members[name].(string)
	if !ok {
		t.Fatalf("%s has no %s", object, name)
	}
	return text
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const body = `{"userId":1,"action":"x"}`
	recordKey, readKey := f.Key("org_a", "record"), f.Key("org_a", "read")
	every := f.Key("", "record", "read", "operate")
	if err := f.Orgs.Ensure(t.Context(), "org_a"); err != nil {
		t.Fatal(err)
	}
	none := `eyJhbGciOiJub25lIn0.e30.`
	for name, tt := range map[string]struct {
		method, authorization string
		header                []string
		status                int
		body, challenge       string
	}{
		"Bearer":            {"POST", "Bearer " + f.token, nil, 201, "", ""},
		"no scheme":         {"POST", f.token, nil, 201, "", ""},
		"a token reads":     {"GET", f.token, nil, 200, "", ""},
		"nothing":           {"POST", "", nil, 401, `{"message":"Unauthorized"}`, "Bearer"},
		"spaces":            {"GET", "   ", nil, 401, `{"message":"Unauthorized"}`, "Bearer"},
		"abc":               {"POST", "abc", nil, 401, `{"message":"Invalid JWT"}`, `Bearer error="invalid_token"`},
		"none":              {"POST", none, nil, 401, `{"message":"Invalid JWT"}`, `Bearer error="invalid_token"`},
		"expired":           {"POST", sign(`{"exp":1767322900}`), nil, 401, `{"message":"Invalid JWT"}`, `Bearer error="invalid_token"`},
		"another signature": {"POST", f.token[:len(f.token)-6] + "AAAAAA", nil, 401, `{"message":"Invalid JWT"}`, `Bearer error="invalid_token"`},
		"record key":        {"POST", "Bearer " + recordKey, nil, 201, "", ""},
		"read key records":  {"POST", "Bearer " + readKey, nil, 403, `{"message":"Forbidden"}`, ""},
		"record key reads":  {"GET", "Bearer " + recordKey, nil, 403, `{"message":"Forbidden"}`, ""},
		"read key":          {"GET", "Bearer " + readKey, nil, 200, "", ""},
		"no such key":       {"GET", "Bearer dbk_none", nil, 401, `{"message":"Invalid API key"}`, `Bearer error="invalid_token"`},
		"key of another":    {"GET", "Bearer " + readKey, []string{"Daybook-Org", "org_b"}, 404, `{"message":"Not found"}`, ""},
		"token of another":  {"GET", f.token, []string{"Daybook-Org", "org_a"}, 404, `{"message":"Not found"}`, ""},
		"key of all, named": {"POST", "Bearer " + every, []string{"Daybook-Org", "org_new"}, 201, "", ""},
		"key of all":        {"GET", "Bearer " + every, nil, 200, "", ""},
		"no such org":       {"GET", "Bearer " + every, []string{"Daybook-Org", "org_none"}, 404, `{"message":"Not found"}`, ""},
		"the instance":      {"POST", "Bearer " + every, []string{"Daybook-Org", "daybook:instance"}, 404, `{"message":"Not found"}`, ""},
		"no org at all":     {"POST", "Bearer " + every, []string{"Daybook-Org", "a b"}, 404, `{"message":"Not found"}`, ""},
	} {
		header := tt.header
		if tt.authorization != "" {
			header = append(header, "Authorization", tt.authorization)
		}
		w := f.do(tt.method, "/logs", body, header...)
		if w.Code != tt.status || tt.body != "" && w.Body.String() != tt.body || w.Header().Get("WWW-Authenticate") != tt.challenge {
			t.Errorf("%s: %d %v %s", name, w.Code, w.Header(), w.Body)
		}
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	const body = `{"userId":1,"action":"x"}`
	legacy := newFixture(t, func(d *tavivo.Deps) { d.Settings.LegacyStatus = true })
	if w := legacy.do("POST", "/logs", body); w.Code != 403 || w.Body.String() != "Forbidden" || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
		t.Errorf("legacy, no header: %d %v %s", w.Code, w.Header(), w.Body)
	}
	if w := legacy.do("POST", "/logs", body, "Authorization", "abc"); w.Code != 400 || w.Body.String() != `{"message":"Invalid JWT"}` {
		t.Errorf("legacy, bad token: %d %s", w.Code, w.Body)
	}
	unread := newFixture(t, func(d *tavivo.Deps) { d.Settings.NoRead = true })
	unread.post(body)
	if w := unread.get("/logs"); w.Code != 403 || w.Body.String() != `{"message":"Forbidden"}` {
		t.Errorf("reading with a token: %d %s", w.Code, w.Body)
	}
	if w := unread.do("GET", "/logs", "", "Authorization", "Bearer "+unread.Key("default", "read")); w.Code != 200 {
		t.Errorf("reading with a key: %d %s", w.Code, w.Body)
	}
	keyless := newFixture(t, func(d *tavivo.Deps) { d.Tokens = nil })
	if w := keyless.do("POST", "/logs", body, "Authorization", keyless.token); w.Code != 401 || w.Body.String() != `{"message":"Invalid JWT"}` {
		t.Errorf("without a secret: %d %s", w.Code, w.Body)
	}
	names := newFixture(t, func(d *tavivo.Deps) {
		d.Settings.Names = tavivo.Names{Mask: []string{"Phone"}, Allow: []string{"sortKey"}}
	})
	w := names.do("POST", "/logs", `{"userId":1,"action":"x","metaData":{"phone":"1","sortKey":"a","apiKey":"b"}}`, "Authorization", names.token)
	if want := `"metaData":{"phone":{"$masked":true},"sortKey":"a","apiKey":{"$masked":true}}`; !strings.Contains(w.Body.String(), want) {
		t.Errorf("names: %s", w.Body)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	long, wide := strings.Repeat("x", 257), strings.Repeat("€", 200)
	var out strings.Builder
	for _, body := range []string{
		``, `{`, `[]`, `[{"userId":1,"action":"x"}]`, `"x"`, `null`, `{"userId":1,"action":"x"} {}`, `{"userId":1,"userId":2,"action":"x"}`, `{}`,
		`{"userId":null,"action":""}`, `{"userId":"","action":1}`, `{"userId":-1,"action":"x"}`, `{"userId":1.5,"action":"x"}`, `{"userId":1e3,"action":"x"}`,
		`{"userId":9007199254740992,"action":"x"}`, `{"userId":true,"action":["x"]}`, `{"userId":"` + long + `","action":"` + long + `"}`,
		`{"userId":"` + wide + `","action":"` + wide + `"}`, `{"userId":1,"action":"daybook.x"}`, `{"userId":1,"action":"x\u0000"}`,
	} {
		w := f.do("POST", "/logs", body, "Authorization", f.token)
		if len(body) > 80 {
			body = body[:80] + "…"
		}
		out.WriteString(body + "\n" + itoa(w.Code) + " " + w.Body.String() + "\n")
	}
	doortest.Golden(t, "refusals", out.String())
	if w := f.do("POST", "/logs", `{"userId":1,"action":"x","metaData":"`+strings.Repeat("x", 300<<10)+`"}`, "Authorization", f.token); w.Code != 413 || w.Body.String() != `{"message":"Payload too large"}` {
		t.Errorf("too large: %d %s", w.Code, w.Body)
	}
	if ids, _ := f.list("/logs?all=true"); len(ids) > 0 {
		t.Errorf("something was recorded: %v", ids)
	}
}

func TestIdempotency(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	post := func(key, body string) *httptest.ResponseRecorder {
		return f.do("POST", "/logs", body, "Authorization", f.token, "Idempotency-Key", key)
	}
	for _, key := range []string{"k", strings.Repeat("long", 100)} {
		first := post(key, `{"userId":1,"action":"x"}`)
		again := post(key, ` {"userId": 1, "action": "x"}`)
		if first.Code != 201 || again.Code != 201 || strings.Replace(first.Body.String(), "false", "true", 1) != again.Body.String() {
			t.Errorf("%d %s\n%d %s", first.Code, first.Body, again.Code, again.Body)
		}
		if w := post(key, `{"userId":2,"action":"x"}`); w.Code != 409 {
			t.Errorf("another body: %d %s", w.Code, w.Body)
		}
	}
	if ids, _ := f.list("/logs"); len(ids) != 2 {
		t.Errorf("rows: %v", ids)
	}
}

// brokenBook fails as a store does that is gone.
type brokenBook struct{ err error }

func (b brokenBook) RecordJSON(context.Context, daybook.OrgID, daybook.Request) (daybook.Result, error) {
	return daybook.Result{}, b.err
}

func (b brokenBook) Search(context.Context, daybook.EventQuery) (*daybook.Page, error) {
	return nil, b.err
}

func (b brokenBook) Entry(context.Context, daybook.OrgID, daybook.ID) (daybook.Entry, error) {
	return daybook.Entry{}, b.err
}

func (b brokenBook) EntryAt(context.Context, daybook.OrgID, int64) (daybook.Entry, error) {
	return daybook.Entry{}, b.err
}

func TestStoreDown(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		errors.New("disk on fire"), daybook.ErrUnknownOutcome, &daybook.Error{Code: daybook.CodeOverloaded, Message: "queue"},
		&daybook.Error{Code: daybook.CodeUnavailable, Message: "frozen"},
	} {
		f := newFixture(t, func(d *tavivo.Deps) { d.Book = brokenBook{err} })
		for _, w := range []*httptest.ResponseRecorder{
			f.do("POST", "/logs", `{"userId":1,"action":"x"}`, "Authorization", f.token), f.get("/logs"), f.get("/logs/1"), f.get("/logs/evt_01kdyak3sefjmr24pa3eywnyp2"),
		} {
			if w.Code != 503 || w.Body.String() != `{"message":"Temporarily unavailable"}` || w.Header().Get("Retry-After") != "1" {
				t.Errorf("%v: %d %v %s", err, w.Code, w.Header(), w.Body)
			}
		}
	}
}

func TestFault(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{
		404: `{"message":"Not found"}`, 405: `{"message":"Method not allowed"}`, 413: `{"message":"Payload too large"}`, 400: `{"message":"Bad Request"}`,
		500: `{"message":"Internal error"}`,
	} {
		w := httptest.NewRecorder()
		tavivo.New(tavivo.Deps{}).Fault(w, nil, status)
		if w.Code != status || w.Body.String() != want || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%d: %v %s", status, w.Header(), w.Body)
		}
	}
	door := tavivo.New(tavivo.Deps{})
	var document struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(door.OpenAPI(), &document); err != nil {
		t.Fatal(err)
	}
	for _, r := range door.Routes() {
		if len(document.Paths[r.Pattern][strings.ToLower(r.Method)]) == 0 {
			t.Errorf("%s %s is not described", r.Method, r.Pattern)
		}
	}
}
