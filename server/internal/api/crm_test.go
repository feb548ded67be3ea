package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/doortest"
)

// post sends a body with the key of org_acme.
func (f *fixture) post(path, body string, header ...string) *httptest.ResponseRecorder {
	f.t.Helper()
	return f.do(ask{method: "POST", path: path, key: f.acme, body: body, header: header})
}

// crmIDs lists entries and returns their ids.
func (f *fixture) crmIDs(path string) (ids []int64, next string) {
	f.t.Helper()
	w := f.do(ask{path: path, key: f.acme})
	var page struct {
		Data       []struct{ ID int64 }
		NextCursor *string
	}
	if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || w.Code != http.StatusOK || page.Data == nil {
		f.t.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
	for _, e := range page.Data {
		ids = append(ids, e.ID)
	}
	if page.NextCursor != nil {
		next = *page.NextCursor
	}
	return ids, next
}

// The enums only grow, at the end: every answer of the contract.
func TestCRMEnums(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	const actions, types = "/v1/crm/enums/actions", "/v1/crm/enums/entityTypes"
	for _, step := range []struct {
		path, body string
		status     int
		want       string
	}{
		{actions, `{"name":"business.create"}`, 201, `{"value":1,"name":"business.create"}`},
		{actions, `{"name":"lead.merge","value":2}`, 201, `{"value":2,"name":"lead.merge"}`},
		{actions, `{"name":"lead.merge"}`, 200, `{"value":2,"name":"lead.merge"}`},
		{actions, `{"name":"lead.merge","value":2}`, 200, `{"value":2,"name":"lead.merge"}`},
		{actions, `{"name":"lead.update","value":99}`, 409, `enum value must be 3 (max + 1)`},
		{actions, `{"name":"lead.merge","value":6}`, 409, `enum values are never renumbered: lead.merge is 2`},
		{actions, `{"name":"lead.update","value":2}`, 409, `enum values are never renumbered: lead.merge is 2`},
		{actions, `{"values":[{"value":1,"name":"business.create"},{"value":20,"name":"lead.update"}]}`, 409, `an enum is filled once: 20 (lead.update) is not there`},
		{actions, `{"values":[{"value":1,"name":"business.delete"},{"value":3,"name":"lead.merge"}]}`, 409, `1 is business.create, not business.delete; lead.merge is 2, not 3`},
		{actions, `{"values":[{"value":2,"name":"lead.merge"},{"value":1,"name":"business.create"}]}`, 200, `{"data":[{"value":1,"name":"business.create"},{"value":2,"name":"lead.merge"}]}`},
		{types, `{"values":[{"value":20,"name":"LeadEntity"},{"value":0,"name":"BusinessEntity"}]}`, 201, `{"data":[{"value":0,"name":"BusinessEntity"},{"value":20,"name":"LeadEntity"}]}`},
		{types, `{"name":"CommentEntity"}`, 201, `{"value":21,"name":"CommentEntity"}`},
		{actions, `{"name":""}`, 422, `has no name`},
		{actions, `{"name":"` + strings.Repeat("x", 129) + `"}`, 422, `more than 128 characters`},
		{actions, `{"name":"a\u0007b"}`, 422, `control characters`},
		{actions, `{"name":"daybook.x"}`, 422, `the log's own`},
		{actions, `{"name":1}`, 422, `name is a string`},
		{actions, `{"name":"x","value":1.5}`, 422, `value is an integer`},
		{actions, `{"name":"x","value":-1}`, 422, `value is an integer`},
		{actions, `{"name":"x","value":2147483648}`, 422, `value is an integer`},
		{actions, `{"name":"x","more":1}`, 422, `there is no member`},
		{actions, `{"values":[]}`, 422, `no value in the list`},
		{actions, `{"values":{}}`, 422, `values is a list`},
		{actions, `{"values":[{"name":"x"}]}`, 422, `a number of its own`},
		{actions, `{"values":[{"value":5,"name":"x"},{"value":6,"name":"x"}]}`, 422, `a name has one number`},
		{actions, `{"values":[1]}`, 422, `values is a list`},
		{actions, `{"values":[{"value":5,"name":"x"}],"name":"x"}`, 422, `values stands alone`},
		{actions, `[{"name":"x"}]`, 422, `the body is an object`},
		{actions, `{`, 400, `ends too early`},
	} {
		w := f.post(step.path, step.body)
		if w.Code != step.status || !strings.Contains(w.Body.String(), strings.ReplaceAll(step.want, `"`, map[bool]string{true: `"`, false: `\"`}[step.status < 400])) {
			t.Errorf("%s %s: %d %s", step.path, step.body, w.Code, w.Body)
		}
	}
	for path, want := range map[string]string{
		"/v1/crm/enums": `{"actions":[{"value":1,"name":"business.create"},{"value":2,"name":"lead.merge"}],"entityTypes":[{"value":0,"name":"BusinessEntity"},{"value":20,"name":"LeadEntity"},{"value":21,"name":"CommentEntity"}]}`,
		actions:         `{"data":[{"value":1,"name":"business.create"},{"value":2,"name":"lead.merge"}]}`,
	} {
		if w := f.do(ask{path: path, key: f.acme}); w.Body.String() != want {
			t.Errorf("%s: %s", path, w.Body)
		}
		if w := f.do(ask{path: path, key: f.globex}); strings.Contains(w.Body.String(), "value") || !strings.Contains(w.Body.String(), "[]") {
			t.Errorf("%s of another: %s", path, w.Body)
		}
	}
	// Each append is an entry of the log, and nothing else was recorded.
	if _, entries, _ := strings.Cut(f.do(ask{path: "/v1/events?q=action:crm.enum_appended", key: f.acme}).Body.String(), `"entries"`); strings.Count(entries, `"seq"`) != 4 {
		t.Errorf("entries: %s", entries)
	}
	if w := f.do(ask{path: "/v1/organizations/org_acme", key: f.acme}); !strings.Contains(w.Body.String(), `"size":4`) {
		t.Errorf("the log: %s", w.Body)
	}
}

// Nobody changes or deletes anything, whatever the key.
func TestCRMReadOnly(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	f.post("/v1/crm/entries?append=true", `{"action":"a.b","entityType":"Lead","numberIdentifier":1}`)
	for _, method := range []string{"PUT", "PATCH", "DELETE"} {
		for path, allow := range map[string]string{
			"/v1/crm/entries": "GET, HEAD, POST", "/v1/crm/entries/1": "GET, HEAD", "/v1/crm/enums": "GET, HEAD", "/v1/crm/enums/actions": "GET, HEAD, POST",
			"/v1/crm/enums/entityTypes": "GET, HEAD, POST", "/v1/crm/user-deletions": "GET, HEAD, POST",
		} {
			w := f.do(ask{method: method, path: path, key: f.admin, body: "{}", header: []string{"Daybook-Org", "org_acme"}})
			if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != allow {
				t.Errorf("%s %s: %d, Allow %q", method, path, w.Code, w.Header().Get("Allow"))
			}
		}
	}
	reader := f.key("org_acme", auth.Read)
	if w := f.do(ask{method: "POST", path: "/v1/crm/entries", key: reader, body: `{}`}); w.Code != http.StatusForbidden {
		t.Errorf("a reader records: %d", w.Code)
	}
}

const crmFull = `{"action":"lead.update","entityType":"LeadEntity","numberIdentifier":1201,"user":{"id":7,"email":"ann@example.com"},` +
	`"changedObjects":{"previous":{"id":1201,"status":"new","phone":"1","apiKey":"a"},"current":{"id":1201,"status":"won","owner":7,"apiKey":"b"}},` +
	`"isImpersonated":true,"impersonatedBy":{"id":1,"email":"root@example.com"},"createdAt":"2026-01-02T04:04:05.678901+01:00"}`

func TestCRMEntries(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	created := ask{method: "POST", path: "/v1/crm/entries?append=true", key: f.acme, body: crmFull}
	w := f.do(created)
	if w.Code != http.StatusCreated || w.Header().Get("Location") != "/v1/crm/entries/3" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	doortest.Golden(t, "crm_created", shown(created, w))
	one := f.do(ask{path: "/v1/crm/entries/3", key: f.acme}).Body.String()
	doortest.Golden(t, "crm_entry", shown(ask{path: "/v1/crm/entries/3"}, f.do(ask{path: "/v1/crm/entries/3", key: f.acme})))
	if again := f.do(ask{path: "/v1/crm/entries/" + eventID(t, w), key: f.acme}).Body.String(); again != one {
		t.Errorf("by event id: %s", again)
	}
	doortest.Golden(t, "crm_list", shown(ask{path: "/v1/crm/entries"}, f.do(ask{path: "/v1/crm/entries", key: f.acme})))
	if text := f.do(ask{path: "/v1/events/" + eventID(t, w), key: f.acme}).Body.String(); strings.Contains(text, `"a"`) || !strings.Contains(text, `{"path":"/apiKey","old":{"$masked":true},"new":{"$masked":true}}`) {
		t.Errorf("secrets: %s", text)
	}
	doortest.Golden(t, "crm_event", shown(ask{path: "/v1/events/evt_…"}, f.do(ask{path: "/v1/events/" + eventID(t, w), key: f.acme})))
	for path, want := range map[string]int{"/v1/crm/entries/0": 404, "/v1/crm/entries/99": 404, "/v1/crm/entries/x": 400, "/v1/crm/entries/-1": 400, "/v1/crm/entries/evt_01kdyak3sefjmr24pa3eywnyp2": 404} {
		if w := f.do(ask{path: path, key: f.acme}); w.Code != want {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

func eventID(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	var of struct{ EventID string }
	if err := json.Unmarshal(w.Body.Bytes(), &of); err != nil || of.EventID == "" {
		t.Fatalf("%v %s", err, w.Body)
	}
	return of.EventID
}

func TestCRMIdempotency(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	first := f.post("/v1/crm/entries?append=true", crmFull, "Idempotency-Key", "k")
	again := f.post("/v1/crm/entries?append=true", crmFull, "Idempotency-Key", "k")
	if first.Code != 201 || again.Code != 200 || strings.Replace(first.Body.String(), `"duplicate":false`, `"duplicate":true`, 1) != again.Body.String() {
		t.Errorf("%d %s\n%d %s", first.Code, first.Body, again.Code, again.Body)
	}
	if w := f.post("/v1/crm/entries", strings.Replace(crmFull, "won", "lost", 1), "Idempotency-Key", "k"); w.Code != 409 || !strings.Contains(w.Body.String(), "key_conflict") {
		t.Errorf("another body: %d %s", w.Code, w.Body)
	}
	if ids, _ := f.crmIDs("/v1/crm/entries"); len(ids) != 1 {
		t.Errorf("%v", ids)
	}
}

// An array is recorded whole or not at all.
func TestCRMBatch(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	const good = `{"action":"a.b","entityType":"Lead","numberIdentifier":1}`
	w := f.post("/v1/crm/entries?append=true", "["+good+","+strings.Replace(good, "Lead", "Business", 1)+"]")
	if w.Code != 201 || !strings.HasPrefix(w.Body.String(), `{"data":[{"id":3,"action":1,"actionName":"a.b","entityType":1,`) || !strings.Contains(w.Body.String(), `{"id":4,`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := f.post("/v1/crm/entries", "["+good+`,{"action":1,"entityType":1}]`); w.Code != 422 || !strings.Contains(w.Body.String(), `entry 1: numberIdentifier is required.`) || !strings.Contains(w.Body.String(), `"field":"/1/numberIdentifier"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := f.post("/v1/crm/entries", "["+strings.TrimSuffix(strings.Repeat(good+",", 1001), ",")+"]"); w.Code != 413 {
		t.Errorf("1,001 entries: %d %s", w.Code, w.Body)
	}
	if ids, _ := f.crmIDs("/v1/crm/entries"); !slices.Equal(ids, []int64{4, 3}) {
		t.Errorf("%v", ids)
	}
}

func TestCRMRefusals(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	f.post("/v1/crm/enums/actions", `{"name":"a.b"}`)
	f.post("/v1/crm/enums/entityTypes", `{"name":"Lead"}`)
	size := f.do(ask{path: "/v1/organizations/org_acme", key: f.acme}).Body.String()
	with := func(more string) string { return `{"action":1,"entityType":1,"numberIdentifier":1` + more + `}` }
	var out strings.Builder
	for _, body := range []string{
		`{`, `"x"`, `[]`, `{"action":1,"action":2}`, `{}`, `{"action":1}`, `{"action":12,"entityType":1,"numberIdentifier":1}`, `{"action":"lead.new","entityType":1,"numberIdentifier":1}`,
		`{"action":1,"entityType":"Nothing","numberIdentifier":1}`, `{"action":true,"entityType":1,"numberIdentifier":1}`, `{"action":1.0,"entityType":1,"numberIdentifier":1}`,
		`{"action":"daybook.x","entityType":1,"numberIdentifier":1}`, `{"action":1,"entityType":1,"numberIdentifier":-1}`, `{"action":1,"entityType":1,"numberIdentifier":""}`,
		with(`,"more":1`), with(`,"user":""`), with(`,"user":[]`), with(`,"user":{}`), with(`,"user":{"id":1,"name":"x"}`), with(`,"user":{"id":1,"email":2}`), with(`,"userEmail":1`),
		with(`,"changedObjects":[]`), with(`,"changedObjects":{}`), with(`,"changedObjects":{"previous":null,"current":null}`), with(`,"changedObjects":{"previous":1}`),
		with(`,"changedObjects":{"current":{"a":1},"difference":{"a":2}}`), with(`,"changedObjects":{"current":{"a":1},"more":{}}`), with(`,"isImpersonated":1`),
		with(`,"isImpersonated":false,"impersonatedBy":1`), with(`,"createdAt":"yesterday"`), with(`,"createdAt":1`),
	} {
		w := f.post("/v1/crm/entries", body)
		var p struct{ Code, Detail, Field string }
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "%s\n%d %s %s: %s\n", body, w.Code, p.Code, p.Field, p.Detail)
	}
	doortest.Golden(t, "crm_refusals", out.String())
	if after := f.do(ask{path: "/v1/organizations/org_acme", key: f.acme}).Body.String(); after != size {
		t.Errorf("something was recorded: %s", after)
	}
	for _, body := range []string{
		with(`,"user":null,"userEmail":null,"changedObjects":null,"isImpersonated":null,"impersonatedBy":null,"createdAt":null`),
		with(`,"changedObjects":{"previous":{"a":1,"b":2},"current":{"a":1.0},"difference":{"b":null}}`), with(`,"changedObjects":{"previous":{"a":1},"current":{"a":1}}`),
		with(`,"isImpersonated":true`), with(`,"user":null,"userEmail":"x@example.com"`),
	} {
		if w := f.post("/v1/crm/entries", body); w.Code != 201 {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
	for path, want := range map[string]string{
		"/v1/crm/entries?limit=501": "limit is a whole number from 1 to 500", "/v1/crm/entries?order=up": "order is desc or asc", "/v1/crm/entries?from=now": "from is a time",
		"/v1/crm/entries?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z": "from must not be after to", "/v1/crm/entries?action=9": "there is no action 9",
		"/v1/crm/entries?entityType=Nothing": `there is no entityType`, "/v1/crm/entries?isImpersonated=maybe": "true or false", "/v1/crm/entries?user=": "must not be empty",
		"/v1/crm/entries?q=actr:x": "There is no field", "/v1/crm/entries?foo=1": "there is no parameter", "/v1/crm/entries?cursor=x": "cursor does not belong",
		"/v1/crm/entries?user=1&user=2": "more than once",
	} {
		if w := f.do(ask{path: path, key: f.acme}); w.Code != 400 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestCRMFilters(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	for _, body := range []string{ // entries 3, 4, 5, …
		`{"action":"a.b","entityType":"Lead","numberIdentifier":1,"user":7,"userEmail":"Ann@example.com","changedObjects":{"current":{"x":1}},"createdAt":"2026-01-01T00:00:00Z"}`,
		`{"action":"a.b","entityType":"Lead","numberIdentifier":"1","user":"8","impersonatedBy":7,"createdAt":"2026-01-02T00:00:00Z"}`,
	} {
		if w := f.post("/v1/crm/entries?append=true", body); w.Code != 201 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	f.post("/v1/crm/entries?append=true", `{"action":"c.d","entityType":"Lead","numberIdentifier":2,"createdAt":"2026-01-03T00:00:00Z"}`) // 5 is the append, 6
	f.record(f.acme, event("a.b", ""))                                                                                                    // 7
	for path, want := range map[string][]int64{
		"":                              {6, 4, 3},
		"?order=asc":                    {3, 4, 6},
		"?action=1":                     {4, 3},
		"?action=1,2":                   {6, 4, 3},
		"?action=c.d&action=1":          {6, 4, 3},
		"?numberIdentifier=1":           {4, 3},
		"?user=7":                       {3},
		"?user=null":                    {6},
		"?userEmail=ann@EXAMPLE.com":    {3},
		"?isImpersonated=true":          {4},
		"?isImpersonated=false":         {6, 3},
		"?impersonatedBy=7":             {4},
		"?changed=x":                    {3},
		"?from=2026-01-02T00:00:00Z":    {6, 4},
		"?to=2026-01-02T00:00:00Z":      {3},
		"?q=action:a.*&entityType=Lead": {4, 3},
		"?all=true&action=a.b":          {7, 4, 3},
		"?limit=2":                      {6, 4},
	} {
		if got, _ := f.crmIDs("/v1/crm/entries" + path); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
	_, next := f.crmIDs("/v1/crm/entries?limit=2")
	if got, last := f.crmIDs("/v1/crm/entries?limit=2&cursor=" + next); !slices.Equal(got, []int64{3}) || last != "" {
		t.Errorf("the second page: %v %q", got, last)
	}
}

func TestCRMDeletions(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	f.post("/v1/crm/entries?append=true", `{"action":"a.b","entityType":"Lead","numberIdentifier":1,"user":{"id":7,"email":"ann@example.com"}}`)
	first := f.post("/v1/crm/user-deletions", `{"user":7}`)
	again := f.do(ask{method: "POST", path: "/v1/crm/user-deletions", key: f.key("org_acme", auth.Record), body: `{"user":7}`})
	if first.Code != 201 || again.Code != 200 || first.Body.String() != again.Body.String() || !strings.HasPrefix(first.Body.String(), `{"user":7,"deletedAt":"2026-11-21T14:22:07.`) {
		t.Errorf("%d %s\n%d %s", first.Code, first.Body, again.Code, again.Body)
	}
	f.post("/v1/crm/user-deletions", `{"user":"x"}`)
	w := f.post("/v1/crm/entries", `{"action":1,"entityType":1,"numberIdentifier":1,"user":{"id":"7","email":"ann@example.com"},"impersonatedBy":"x"}`)
	for _, body := range []string{w.Body.String(), f.do(ask{path: "/v1/crm/entries?user=7", key: f.acme}).Body.String()} {
		if strings.Contains(body, `"user":7`) || strings.Contains(body, `"user":"7"`) || !strings.Contains(body, `"user":null,"userEmail":"ann@example.com"`) || !strings.Contains(body, `"impersonatedBy":{"id":null,"email":null}`) {
			t.Error(body)
		}
	}
	list := f.do(ask{path: "/v1/crm/user-deletions?limit=1", key: f.acme}).Body.String()
	if !strings.HasPrefix(list, `{"data":[{"user":"x","deletedAt":`) || strings.HasSuffix(list, `"nextCursor":null}`) {
		t.Error(list)
	}
	for _, body := range []string{`{}`, `{"user":null}`, `{"user":""}`, `{"user":7,"more":1}`, `[{"user":7}]`} {
		if w := f.post("/v1/crm/user-deletions", body); w.Code != 422 {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
}

// Two appends at once get two numbers; the same name twice gets one.
func TestCRMAppendsAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	var wait sync.WaitGroup
	for i := range 12 {
		wait.Go(func() {
			if w := f.post("/v1/crm/enums/actions", fmt.Sprintf(`{"name":"a%d"}`, i%4)); w.Code != 200 && w.Code != 201 {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
	wait.Wait()
	var enum struct {
		Data []struct {
			Value int
			Name  string
		}
	}
	if err := json.Unmarshal(f.do(ask{path: "/v1/crm/enums/actions", key: f.acme}).Body.Bytes(), &enum); err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for i, v := range enum.Data {
		if names[v.Name] || v.Value != i+1 {
			t.Errorf("%+v", enum.Data)
		}
		names[v.Name] = true
	}
	if len(names) != 4 {
		t.Errorf("%+v", enum.Data)
	}
}

// A number is known, and not given again, after its event was removed from the log.
func TestCRMNumbersStay(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	f.post("/v1/crm/enums/actions", `{"name":"a.b"}`)
	before := f.do(ask{path: "/v1/crm/enums", key: f.acme}).Body.String()
	if w := f.post("/v1/erasures", `{"query":"action:crm.enum_appended","whole":true,"reason":"r"}`); w.Code >= 300 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if err := f.book.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if ids, _ := f.crmIDs("/v1/crm/entries?all=true&q=action:crm.enum_appended"); len(ids) != 0 {
		t.Fatalf("%v is there", ids)
	}
	if after := f.do(ask{path: "/v1/crm/enums", key: f.acme}).Body.String(); after != before {
		t.Errorf("%s, was %s", after, before)
	}
	if w := f.post("/v1/crm/enums/actions", `{"name":"c.d"}`); w.Code != 201 || w.Body.String() != `{"value":2,"name":"c.d"}` {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// FuzzCRMEntries: every body is refused as a problem, or recorded and read back as it was answered.
func FuzzCRMEntries(f *testing.F) {
	f.Add(crmFull)
	f.Add(`[{"action":"a.b","entityType":"Lead","numberIdentifier":"x","user":7,"changedObjects":{"previous":{"a":{"$masked":true}},"current":null}}]`)
	f.Add(`{"action":1,"entityType":1,"numberIdentifier":0,"isImpersonated":true,"userEmail":"e","createdAt":"1970-01-01T00:00:00Z"}`)
	x := newFixture(f, setup{})
	f.Fuzz(func(t *testing.T, body string) {
		r := ask{method: "POST", path: "/v1/crm/entries?append=true", key: x.acme, body: body}.request(t.Context())
		w := httptest.NewRecorder()
		x.server.ServeHTTP(w, r)
		switch {
		case w.Code == http.StatusBadRequest, w.Code == http.StatusUnprocessableEntity, w.Code == http.StatusRequestEntityTooLarge:
			return
		case w.Code != http.StatusCreated:
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		at := w.Header().Get("Location")
		if at == "" {
			return // an array
		}
		read := httptest.NewRecorder()
		x.server.ServeHTTP(read, ask{path: at, key: x.acme}.request(t.Context()))
		if made, _, _ := strings.Cut(w.Body.String(), `,"leafHash"`); made != strings.TrimSuffix(read.Body.String(), "}") {
			t.Fatalf("%s\n%s", w.Body, read.Body)
		}
	})
}
