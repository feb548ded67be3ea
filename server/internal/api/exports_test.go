package api_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/server/internal/doortest"
)

// exportOf makes an export and waits until it is ready.
func (f *fixture) exportOf(key, body string) control.Export {
	f.t.Helper()
	w := f.do(ask{method: "POST", path: "/v1/exports", key: key, body: body})
	if w.Code != http.StatusCreated {
		f.t.Fatalf("%d %s", w.Code, w.Body)
	}
	select {
	case x := <-f.ended:
		if x.State != control.ExportReady {
			f.t.Fatalf("%+v", x)
		}
		return x
	case <-f.t.Context().Done():
		f.t.Fatal("the export does not end")
	}
	return control.Export{}
}

// urlOf returns the path and query of the file's address in an answer.
func urlOf(t *testing.T, body []byte) string {
	t.Helper()
	var x struct{ URL string }
	if err := json.Unmarshal(body, &x); err != nil {
		t.Fatal(err)
	}
	path, ok := strings.CutPrefix(x.URL, "http://example.com")
	if !ok {
		t.Fatalf("the address is %q", x.URL)
	}
	return path
}

func TestGoldenExports(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	f.record(f.acme, fullEvent)
	f.record(f.acme, login)
	readOnly := f.key("org_acme", auth.Read)
	post := func(body string) ask { return ask{method: "POST", path: "/v1/exports", key: f.acme, body: body} }
	create := post(`{"format":"csv","query":"target:invoice:42","from":"2026-11-01","columns":["occurred_at","actor_id","action"]}`)
	doortest.Golden(t, "export_create", shown(create, f.do(create)))
	x := <-f.ended
	get := ask{path: "/v1/exports/" + x.ID, key: f.acme}
	w := f.do(get)
	doortest.Golden(t, "export_get", strings.Replace(shown(get, w), x.ID, "exp_01m7w2y7m0fhra2avt0s3fj8ks", 1))
	file := f.do(ask{path: urlOf(t, w.Body.Bytes())})
	doortest.Golden(t, "export_file", file.Body.String())
	for _, tt := range []struct {
		name string
		ask  ask
	}{
		{"export_list", ask{path: "/v1/exports?limit=1", key: f.acme}},
		{"export_missing", ask{path: "/v1/exports/exp_00000000000000000000000000", key: f.acme}},
		{"export_format", post(`{"format":"xlsx"}`)},
		{"export_column", post(`{"format":"csv","columns":["actor_nme"]}`)},
		{"export_compression", post(`{"format":"parquet","compression":"gzip"}`)},
		{"export_query", post(`{"format":"csv","query":"actr:ada"}`)},
		{"export_time", post(`{"format":"csv","from":"soon"}`)},
		{"export_no_format", post(`{}`)},
		{"export_forbidden", ask{path: "/v1/exports", key: readOnly}},
		{"export_link_invalid", ask{path: "/v1/exports/exp_00000000000000000000000000/file?exp=1&sig=AAAA"}},
	} {
		doortest.Golden(t, tt.name, shown(tt.ask, f.do(tt.ask)))
	}
	cancel := ask{method: "DELETE", path: "/v1/exports/" + x.ID, key: f.acme}
	doortest.Golden(t, "export_cancel", strings.Replace(shown(cancel, f.do(cancel)), x.ID, "exp_01m7w2y7m0fhra2avt0s3fj8ks", 1))
	if w := f.do(ask{path: urlOf(t, w.Body.Bytes())}); w.Code != http.StatusNotFound {
		t.Errorf("the file after the cancellation: %d %s", w.Code, w.Body)
	}
}

// TestExportFile: the address opens the file without a key, in parts if asked, until it is too old, and nothing else.
func TestExportFile(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	f.record(f.acme, fullEvent)
	x := f.exportOf(f.acme, `{"format":"ndjson"}`)
	path := urlOf(t, f.do(ask{path: "/v1/exports/" + x.ID, key: f.acme}).Body.Bytes())
	whole := f.do(ask{path: path})
	h := whole.Header()
	if whole.Code != 200 || whole.Body.Len() != int(x.Bytes) || h.Get("Content-Type") != "application/x-ndjson" ||
		h.Get("Content-Disposition") != "attachment; filename=daybook-org_acme-"+x.ID+".ndjson" || h.Get("Accept-Ranges") != "bytes" {
		t.Errorf("%d %v", whole.Code, h)
	}
	entry := f.do(ask{path: "/v1/events/" + firstID, key: f.acme}).Body.Bytes()
	if !bytes.Equal(append(entry, '\n'), whole.Body.Bytes()) {
		t.Errorf("the file holds %s, the entry is %s", whole.Body, entry)
	}
	part := f.do(ask{path: path, header: []string{"Range", "bytes=5-9"}})
	if part.Code != http.StatusPartialContent || part.Body.String() != whole.Body.String()[5:10] {
		t.Errorf("%d %s", part.Code, part.Body)
	}
	if w := f.do(ask{path: path, header: []string{"Range", "bytes=5-9", "If-Range", `"of another file"`}}); w.Code != 200 || w.Body.Len() != whole.Body.Len() {
		t.Errorf("a part of another file: %d", w.Code)
	}
	if w := f.do(ask{path: path, header: []string{"Range", "bytes=999999-"}}); w.Code != http.StatusRequestedRangeNotSatisfiable {
		t.Errorf("beyond the end: %d", w.Code)
	}
	if w := f.do(ask{path: path, header: []string{"If-None-Match", h.Get("ETag")}}); w.Code != http.StatusNotModified {
		t.Errorf("what the client has: %d", w.Code)
	}
	if w := f.do(ask{path: strings.Replace(path, "exp=", "exp=9", 1)}); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "link_invalid") {
		t.Errorf("a longer life: %d %s", w.Code, w.Body)
	}
	f.Add(10 * time.Minute)
	if w := f.do(ask{path: path}); w.Code != http.StatusGone || !strings.Contains(w.Body.String(), "link_expired") {
		t.Errorf("too old: %d %s", w.Code, w.Body)
	}
	f.Add(8 * 24 * time.Hour)
	path = urlOf(t, f.do(ask{path: "/v1/exports/" + x.ID, key: f.acme}).Body.Bytes())
	if w := f.do(ask{path: path}); w.Code != http.StatusNotFound {
		t.Errorf("an expired file: %d", w.Code)
	}
}

func TestExportPages(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	var ids []string
	for range 3 {
		ids = append(ids, f.exportOf(f.acme, `{"format":"csv"}`).ID)
	}
	var got []string
	path := "/v1/exports?limit=2"
	for path != "" {
		var page struct {
			Exports    []struct{ ID string }
			NextCursor *string `json:"next_cursor"`
		}
		w := f.do(ask{path: path, key: f.acme})
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil {
			t.Fatalf("%v %s", err, w.Body)
		}
		for _, x := range page.Exports {
			got = append(got, x.ID)
		}
		if path = ""; page.NextCursor != nil {
			path = "/v1/exports?limit=2&cursor=" + *page.NextCursor
		}
	}
	if len(got) != 3 || got[0] != ids[2] || got[2] != ids[0] {
		t.Errorf("pages hold %v, made were %v", got, ids)
	}
}

// exportBody asks the WorkOS door for everything of an organization.
func exportBody(org string) string {
	return `{"organization_id":"` + org + `","range_start":"1980-01-01T00:00:00Z","range_end":"2100-01-01T00:00:00Z"}`
}

// doorExport makes an export through the WorkOS door and waits until it is ready.
func (f *fixture) doorExport(key, org string) string {
	f.t.Helper()
	w := f.do(ask{method: "POST", path: "/audit_logs/exports", key: key, body: exportBody(org)})
	if w.Code != http.StatusCreated {
		f.t.Fatalf("%d %s", w.Code, w.Body)
	}
	return (<-f.ended).ID
}
