package workos_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/compat/workos"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/server/internal/doortest"
)

// serve sends a request through the routes of the door.
func (f *fixture) serve(method, path, key, body string, header ...string) *httptest.ResponseRecorder {
	f.t.Helper()
	mux := http.NewServeMux()
	for _, r := range f.door.Routes() {
		mux.HandleFunc(r.Method+" "+r.Pattern, func(w http.ResponseWriter, req *http.Request) { r.Handler(w, req, []byte(body)) })
	}
	r := httptest.NewRequestWithContext(f.t.Context(), method, path, nil)
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	return w
}

// exported makes an export and returns its body once it is ready.
func (f *fixture) exported(key, body string) map[string]any {
	f.t.Helper()
	w := f.serve("POST", "/audit_logs/exports", key, body)
	var x map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &x); err != nil || w.Code != 201 || x["state"] != "pending" || x["url"] != nil || x["object"] != "audit_log_export" {
		f.t.Fatalf("%d %s %v", w.Code, w.Body, err)
	}
	if ended := <-f.ended; ended.State != control.ExportReady {
		f.t.Fatalf("%+v", ended)
	}
	w = f.serve("GET", fmt.Sprintf("/audit_logs/exports/%s", x["id"]), key, "")
	if err := json.Unmarshal(w.Body.Bytes(), &x); err != nil || w.Code != 200 || x["state"] != "ready" {
		f.t.Fatalf("%d %s %v", w.Code, w.Body, err)
	}
	return x
}

func (f *fixture) file(url any) *httptest.ResponseRecorder {
	f.t.Helper()
	text, _ := url.(string)
	path, ok := strings.CutPrefix(text, "http://example.com")
	if !ok {
		f.t.Fatalf("the address is %v", url)
	}
	return f.serve("GET", path, "", "")
}

// fill records one event for each action, an hour apart from 2026-02-02T16:00Z, by two people on things of two types.
func (f *fixture) fill(key string) {
	f.t.Helper()
	for i, action := range []string{"user.signed_in", "doc.opened", "doc.closed", "user.signed_out"} {
		b := strings.Replace(body("org_acme", fmt.Sprintf(`,"metadata":{"n":%d}`, i)), "user.signed_in", action, 1)
		b = strings.Replace(b, "16:35:39.317", fmt.Sprintf("%d:00:00", 16+i), 1)
		b = strings.Replace(b, `"id":"u1"`, fmt.Sprintf(`"id":"u%d","name":"Jon \"%d\" Smith"`, i%2, i%2), 1)
		targets := make([]string, i)
		for k := range targets {
			targets[k] = fmt.Sprintf(`{"id":"%d","type":"t%d"}`, k, k)
		}
		b = strings.Replace(b, `"targets":[]`, `"targets":[`+strings.Join(targets, ",")+`]`, 1)
		if w := f.post(key, "", b); w.Code != 201 {
			f.t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
}

const wholeRange = `"range_start":"2026-01-01T00:00:00Z","range_end":"2027-01-01T00:00:00Z"`

func TestExport(t *testing.T) {
	t.Parallel()
	f := newFixture(t, workos.Settings{})
	all := f.Key("org_acme", "record", "export")
	f.fill(all)
	// What was recorded in another way is in it too.
	if _, err := f.Book.RecordJSON(t.Context(), "org_acme", daybook.Request{Events: [][]byte{[]byte(
		`{"action":"native.event","occurred_at":"2026-02-02T20:00:00Z","actor":{"type":"user","id":"=cmd"},"changes":[{"path":"/a","new":1}]}`)}}); err != nil {
		t.Fatal(err)
	}
	x := f.exported(all, `{"organization_id":"org_acme",`+wholeRange+`,"actions":null,"actor_ids":[]}`)
	w := f.file(x["url"])
	h := w.Header()
	if w.Code != 200 || h.Get("Content-Type") != "text/csv; charset=utf-8" || !strings.HasPrefix(h.Get("Content-Disposition"), "attachment;") {
		t.Errorf("%d %v", w.Code, h)
	}
	text := regexp.MustCompile(`evt_[0-9a-z]{26}`).ReplaceAllString(w.Body.String(), "evt_…")
	doortest.Golden(t, "export_csv", text)
	for name, want := range map[string]string{
		`"actions":["doc.opened","doc.closed"]`:                        "doc.opened doc.closed",
		`"actor_ids":["u1"]`:                                           "doc.opened user.signed_out",
		`"actor_names":["Jon \"0\" Smith"],"actors":["nobody"]`:        "user.signed_in doc.closed",
		`"targets":["t1"]`:                                             "doc.closed user.signed_out",
		`"targets":["t1"],"actor_ids":["u0"],"actions":["doc.*"]`:      "",
		`"targets":["t1"],"actor_ids":["u0"],"actions":["doc.closed"]`: "doc.closed",
	} {
		x := f.exported(all, `{"organization_id":"org_acme",`+wholeRange+`,`+name+`}`)
		var got []string
		for _, line := range strings.Split(strings.TrimSpace(f.file(x["url"]).Body.String()), "\r\n")[1:] {
			got = append(got, strings.Split(line, ",")[1])
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", name, got, want)
		}
	}
	x = f.exported(all, `{"organization_id":"org_acme","range_start":"2026-02-02T17:00:00+00:00","range_end":"2026-02-02T20:00:00.000000000+01:00"}`)
	if n := strings.Count(f.file(x["url"]).Body.String(), "\r\n"); n != 3 { // from the start, before the end
		t.Errorf("%d lines of [17:00, 19:00)", n)
	}
}

// TestExportGuard: as WorkOS unless the operator says otherwise.
func TestExportGuard(t *testing.T) {
	t.Parallel()
	f := newFixture(t, workos.Settings{GuardCSV: true})
	all := f.Key("org_acme", "record", "export")
	if w := f.post(all, "", strings.Replace(body("org_acme", ""), `"u1"`, `"=1+1"`, 1)); w.Code != 201 {
		t.Fatal(w.Body)
	}
	if text := f.file(f.exported(all, `{"organization_id":"org_acme",`+wholeRange+`}`)["url"]).Body.String(); !strings.Contains(text, `,"'=1+1",`) {
		t.Errorf("%s", text)
	}
}

func TestExportFaults(t *testing.T) {
	t.Parallel()
	f := newFixture(t, workos.Settings{})
	acme, every := f.Key("org_acme", "export"), f.Key("", "export")
	f.post(f.acme, "", body("org_acme", ""))
	ready := f.exported(acme, `{"organization_id":"org_acme",`+wholeRange+`}`)
	id := fmt.Sprint(ready["id"])
	url := strings.TrimPrefix(fmt.Sprint(ready["url"]), "http://example.com")
	many := strings.Repeat(`"user.signed_in",`, 400) // more than a query holds
	for _, c := range []struct {
		name, method, path, key, body string
		status                        int
	}{
		{"unauthorized", "POST", "/audit_logs/exports", "", "{}", 401},
		{"forbidden", "POST", "/audit_logs/exports", f.acme, "{}", 403},
		{"not_json", "POST", "/audit_logs/exports", acme, "{", 400},
		{"nothing", "POST", "/audit_logs/exports", acme, "{}", 422},
		{"types", "POST", "/audit_logs/exports", acme, `{"organization_id":1,"range_start":2,"range_end":null,"actions":"a","actors":[1],"targets":{}}`, 422},
		{"other_org", "POST", "/audit_logs/exports", acme, `{"organization_id":"org_globex",` + wholeRange + `}`, 404},
		{"unknown_org", "POST", "/audit_logs/exports", every, `{"organization_id":"org_none",` + wholeRange + `}`, 404},
		{"range", "POST", "/audit_logs/exports", acme, `{"organization_id":"org_acme","range_start":"2026-01-01T00:00:00Z","range_end":"2026-01-01T00:00:00Z"}`, 400},
		{"range_form", "POST", "/audit_logs/exports", acme, `{"organization_id":"org_acme","range_start":"yesterday","range_end":"2026-01-01T00:00:00Z"}`, 400},
		{"many", "POST", "/audit_logs/exports", acme, `{"organization_id":"org_acme",` + wholeRange + `,"actions":[` + many + `"x"]}`, 422},
		{"get_unauthorized", "GET", "/audit_logs/exports/" + id, "", "", 401},
		{"get_forbidden", "GET", "/audit_logs/exports/" + id, f.acme, "", 403},
		{"get_missing", "GET", "/audit_logs/exports/exp_00000000000000000000000000", acme, "", 404},
		{"file_signature", "GET", url + "x", "", "", 403},
		{"file_without", "GET", "/audit_logs/exports/" + id + "/file.csv", acme, "", 403},
	} {
		w := f.serve(c.method, c.path, c.key, c.body)
		if w.Code != c.status {
			t.Errorf("%s: %d, want %d: %s", c.name, w.Code, c.status, w.Body)
		}
		f.check(w)
		doortest.Golden(t, "export_fault_"+c.name, strings.ReplaceAll(fmt.Sprintf("%d\n%s\n", w.Code, w.Body), id, "exp_…"))
	}
	// What is another's is not there.
	if w := f.serve("GET", "/audit_logs/exports/"+id, f.Key("org_globex", "export"), ""); w.Code != 404 || w.Body.String() != `{"message":"Audit Log Export not found: '`+id+`'."}` {
		t.Errorf("another's: %d %s", w.Code, w.Body)
	}
	if w := f.serve("GET", "/audit_logs/exports/"+id, every, ""); w.Code != 200 {
		t.Errorf("a key for all: %d %s", w.Code, w.Body)
	}
	if w := f.serve("GET", url, "", "", "Range", "bytes=0-1"); w.Code != 206 || w.Body.String() != "id" {
		t.Errorf("a part: %d %s", w.Code, w.Body)
	}
	if w := f.serve("GET", url, "", "", "Range", "bytes=99999-"); w.Code != 416 || w.Header().Get("Content-Type") != "application/json; charset=utf-8" {
		t.Errorf("beyond the end: %d %s", w.Code, w.Body)
	}
	f.Add(10 * time.Minute)
	if w := f.serve("GET", url, "", ""); w.Code != 410 || w.Body.String() != `{"message":"This export link has expired."}` {
		t.Errorf("too old: %d %s", w.Code, w.Body)
	}
	f.Add(8 * 24 * time.Hour)
	if err := f.exports.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if w := f.serve("GET", "/audit_logs/exports/"+id, acme, ""); w.Code != 200 || !strings.Contains(w.Body.String(), `"state":"expired","url":null`) {
		t.Errorf("expired: %d %s", w.Code, w.Body)
	}
}
