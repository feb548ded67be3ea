package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/daybook-audit/daybook/server/internal/auth"
)

// TestViews: who sees which views, one default each, and what becomes of one's own that is shared.
func TestViews(t *testing.T) {
	t.Parallel()
	f, auditor := audited(t, nil)
	one, two := f.key("org_acme", auth.Read), f.key("org_acme", auth.Read)
	type view struct {
		ID, Slug, Name  string
		Shared, Default bool
	}
	send := func(want int, method, path, key, body string) (v view) {
		t.Helper()
		w := f.do(ask{method: method, path: path, key: key, body: body})
		if w.Code != want {
			t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
		if w.Body.Len() > 0 && w.Code < 300 {
			if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
				t.Fatal(err)
			}
		}
		return v
	}
	names := func(key string) string {
		var list struct{ Views []view }
		if err := json.Unmarshal(f.do(ask{path: "/v1/views", key: key}).Body.Bytes(), &list); err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, v := range list.Views {
			text := v.Slug
			if v.Shared {
				text = "all:" + text
			}
			if v.Default {
				text += "*"
			}
			all = append(all, text)
		}
		return strings.Join(all, " ")
	}
	mine := send(201, "POST", "/v1/views", one, `{"name":"Mine","search":"q=a","default":true}`)
	send(201, "POST", "/v1/views", one, `{"name":"mine!","search":"","default":true}`)
	send(201, "POST", "/v1/views", one, `{"name":"Ändern · 発","search":""}`)
	send(201, "POST", "/v1/views", f.acme, `{"name":"Everybody","search":"","shared":true,"default":true}`)
	if got := names(one); got != "all:everybody* mine mine-2* ändern-発" {
		t.Errorf("the views of one: %s", got)
	}
	if got := names(two); got != "all:everybody*" {
		t.Errorf("the views of another: %s", got)
	}
	for _, method := range []string{"GET", "DELETE"} {
		send(404, method, "/v1/views/"+mine.ID, two, "")
	}
	send(404, "PUT", "/v1/views/"+mine.ID, two, newView)
	// Who cannot manage shares nothing and changes nothing that is shared.
	send(403, "PUT", "/v1/views/"+mine.ID, one, `{"name":"Mine","search":"","shared":true}`)
	send(403, "PUT", "/v1/views/everybody", one, `{"name":"Mine","search":""}`)
	send(403, "DELETE", "/v1/views/everybody", one, "")
	// One's own that is shared is gone from one's own.
	own := send(201, "POST", "/v1/views", f.acme, `{"name":"To share","search":"q=x"}`)
	shared := send(200, "PUT", "/v1/views/"+own.ID, f.acme, `{"name":"To share","search":"q=y","shared":true,"default":true}`)
	if shared.ID == own.ID || !shared.Shared {
		t.Errorf("shared: %+v", shared)
	}
	if got := names(f.acme); got != "all:everybody all:to-share*" {
		t.Errorf("after sharing: %s", got)
	}
	send(204, "DELETE", "/v1/views/to-share", f.acme, "")
	if got := names(two); got != "all:everybody" {
		t.Errorf("after deleting the default: %s", got)
	}
	for i := range 97 {
		send(201, "POST", "/v1/views", one, fmt.Sprintf(`{"name":"v%d","search":""}`, i))
	}
	if w := f.do(ask{method: "POST", path: "/v1/views", key: one, body: newView}); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "too_many_views") {
		t.Errorf("one too many: %d %s", w.Code, w.Body)
	}
	auditor.Close(t.Context())
	count := map[string]int{}
	for _, a := range f.acts("org_acme") {
		count[a.Action]++
	}
	if count["daybook.view.created"] < 100 || count["daybook.view.changed"] != 1 || count["daybook.view.deleted"] != 1 {
		t.Errorf("in the log: %v", count)
	}
}
