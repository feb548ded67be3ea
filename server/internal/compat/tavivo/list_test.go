package tavivo_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/doortest"
)

// record records an event that did not come through the door.
func (f *fixture) record(e daybook.Event) {
	f.t.Helper()
	if _, err := f.Book.Record(f.t.Context(), "default", e); err != nil {
		f.t.Fatal(err)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, body := range []string{
		`{"userId":1,"action":"update","metaData":{"entity":"check","old":{"id":42},"edited":{"name":"a"}}}`,                 // 1
		`{"userId":"1","action":"upload","metaData":{"entity":"integration","old":{"id":"42"},"edited":{}}}`,                 // 2
		`{"userId":2,"action":"delete","metaData":{"deleted":{"entity":"check","data":{"id":43,"name":"x"}}}}`,               // 3
		`{"userId":"a:b*,\"(c","action":"odd (\"*\\, action","metaData":{"entity":"a b:c*","old":{"id":"x\"y"},"note":"n"}}`, // 4
		`{"userId":3,"action":"password_forgot","metaData":{"entity":"user"}}`,                                               // 5
	} {
		f.post(body)
		f.Add(time.Minute)
	}
	f.record(daybook.Event{Action: "update", Actor: daybook.Actor{Type: "user", ID: "1"}, Targets: []daybook.Target{{Type: "check", ID: "42"}}}) // 6
	f.Add(time.Minute)
	q := url.QueryEscape
	for target, want := range map[string][]int64{
		"/logs":                                         {5, 4, 3, 2, 1},
		"/logs?order=asc":                               {1, 2, 3, 4, 5},
		"/logs?order=desc&limit=2":                      {5, 4},
		"/logs?all=true":                                {6, 5, 4, 3, 2, 1},
		"/logs?all=false":                               {5, 4, 3, 2, 1},
		"/logs?userId=1":                                {2, 1},
		"/logs?userId=1&userId=2":                       {3, 2, 1},
		"/logs?userId=1&all=true":                       {6, 2, 1},
		"/logs?userId=01":                               nil,
		"/logs?action=update":                           {1},
		"/logs?action=up*":                              {2, 1},
		"/logs?action=*":                                {5, 4, 3, 2, 1},
		"/logs?action=up*&all=true":                     {6, 2, 1},
		"/logs?action=update&action=delete":             {3, 1},
		"/logs?action=check.update":                     nil,
		"/logs?entity=check":                            {3, 1},
		"/logs?entity=check&entity=user":                {5, 3, 1},
		"/logs?entity=check&all=true":                   {6, 3, 1},
		"/logs?entityId=42":                             {2, 1},
		"/logs?entity=check&entityId=42":                {1},
		"/logs?entityId=3":                              {5},
		"/logs?q=" + q("target:check:*"):                {3, 1},
		"/logs?userId=1&q=" + q("action:integration.*"): {2},
		"/logs?from=2026-01-02T03:05:05.678Z":           {5, 4, 3, 2},
		"/logs?to=2026-01-02T03:05:05.678Z":             {1},
		"/logs?from=2026-01-02T03:05:05.678%2B00:00&to=2026-01-02T03:06:05.7Z": {3, 2},
		"/logs?userId=" + q(`a:b*,"(c`):                                        {4},
		"/logs?action=" + q(`odd ("*\, action`):                                {4},
		"/logs?action=" + q(`odd ("*`):                                         {4},
		"/logs?action=" + q(`odd ( *`):                                         nil,
		"/logs?entity=" + q(`a b:c*`) + "&entityId=" + q(`x"y`):                {4},
	} {
		if got, _ := f.list(target); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", target, got, want)
		}
	}
}

// Pages are those of the log as it was at the first one.
func TestPages(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for n := range 7 {
		f.post(fmt.Sprintf(`{"userId":%d,"action":"x","metaData":{"entity":"check"}}`, n))
	}
	for _, tt := range []struct {
		order string
		want  []int64
	}{
		{"asc", []int64{1, 2, 3, 4, 5, 6, 7}},
		{"desc", []int64{8, 7, 6, 5, 4, 3, 2, 1}}, // with what came during the ascending walk
	} {
		order := tt.order
		var got []int64
		at := "/logs?entity=check&order=" + order + "&limit=3"
		for pages := 0; at != ""; pages++ {
			if pages > 3 || !strings.HasPrefix(at, "/logs?entity=check&order="+order+"&limit=3") {
				t.Fatalf("page %d at %s", pages, at)
			}
			ids, next := f.list(at)
			got, at = append(got, ids...), next
			if pages == 0 {
				if w := f.get(strings.Replace(next, "entity=check", "entity=user", 1)); w.Code != http.StatusBadRequest {
					t.Errorf("the cursor of another question: %d %s", w.Code, w.Body)
				}
				f.post(`{"userId":9,"action":"later","metaData":{"entity":"check"}}`)
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s", order, diff)
		}
	}
}

func TestBadQueries(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.post(`{"userId":1,"action":"x"}`)
	var out strings.Builder
	for _, target := range []string{
		"/logs?limit=0", "/logs?limit=501", "/logs?limit=ten", "/logs?limit=", "/logs?order=up", "/logs?from=yesterday", "/logs?from=2026-01-02", "/logs?to=",
		"/logs?from=2026-01-03T00:00:00Z&to=2026-01-02T00:00:00Z", "/logs?cursor=x", "/logs?cursor=", "/logs?foo=1&bar=2", "/logs?limit=1&limit=2", "/logs?all=yes",
		"/logs?userId=", "/logs?q=" + url.QueryEscape("actr:x"), "/logs?q=%zz", "/logs?a;b", "/logs?entity=" + strings.Repeat("x", 5000), "/logs/x", "/logs/-1", "/logs/1.0",
		"/logs/evt_x", "/logs/1?limit=1", "/logs/1?all=no", "/logs/0", "/logs/2", "/logs/99999999999999999999", "/logs/9223372036854775807", "/logs/evt_01kdyak3sefjmr24pa3eywnyp2",
	} {
		w := f.get(target)
		if len(target) > 80 {
			target = target[:80] + "…"
		}
		out.WriteString(target + "\n" + itoa(w.Code) + " " + w.Body.String() + "\n")
	}
	doortest.Golden(t, "queries", out.String())
}

// What did not come through the door is shown on demand, in its shape.
func TestOthers(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.record(daybook.Event{
		Action: "invoice.paid", Actor: daybook.Actor{Type: "user", ID: "usr_7"}, Metadata: []byte(`{"amount":1.50}`),
		OccurredAt: time.Date(2025, 12, 31, 23, 59, 59, 999_999_000, time.UTC),
	})
	if w := f.get("/logs/1"); w.Code != http.StatusNotFound {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	w := f.get("/logs/1?all=true")
	const want = `{"id":1,"userId":"usr_7","action":"invoice.paid","metaData":{"amount":1.50},"CreatedAt":"2025-12-31T23:59:59.999Z","UpdatedAt":"2025-12-31T23:59:59.999Z",` +
		`"eventId":"evt_…","seq":0,"leafHash":"…"}`
	if got := masked(w.Body.String()); got != want {
		t.Error(got)
	}
	if ids, _ := f.list("/logs?all=true"); !slices.Equal(ids, []int64{1}) {
		t.Errorf("%v", ids)
	}
	// HEAD is answered where GET is.
	for _, target := range []string{"/logs", "/logs/1?all=true"} {
		if w := f.do(http.MethodHead, target, "", "Authorization", f.token); w.Code != http.StatusOK {
			t.Errorf("HEAD %s: %d", target, w.Code)
		}
	}
}

// What was erased of a row is missing, and named; the row stays.
func TestErased(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.post(`{"userId":1,"action":"update","metaData":{"entity":"user","old":{"id":5,"email":"ann@example.com"},"edited":{"email":"ann@example.org"}}}`)
	f.post(`{"userId":2,"action":"x"}`)
	by := daybook.Party{Type: "user", ID: "dpo"}
	erase := func(r daybook.EraseRequest) {
		t.Helper()
		r.Org, r.Reason, r.By = "default", "request", by
		if _, err := f.Book.Erase(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if err := f.Book.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	erase(daybook.EraseRequest{Text: "actor.id:1", Paths: []string{"/metadata/tavivo/metaData/old/email"}})
	if got := f.get("/logs/1").Body.String(); strings.Contains(got, "example.com") || !strings.Contains(got, `"old":{"id":5}`) || !strings.Contains(got, `"erased":["/metadata/tavivo/metaData/old/email"]`) {
		t.Error(got)
	}
	erase(daybook.EraseRequest{Text: "actor.id:2", Whole: true})
	if w := f.get("/logs/2"); w.Code != http.StatusNotFound {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if got := f.get("/logs/2?all=true").Body.String(); !strings.Contains(got, `"userId":null,"action":null,"metaData":null`) || !strings.Contains(got, `"removed":"erased"`) {
		t.Error(got)
	}
	if w := f.get("/logs?all=true"); w.Code != http.StatusOK {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// Changes that make the event too large are left out: everything is in the metadata.
func TestManyChanges(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for seq, tt := range []struct{ members, changes int }{{300, 300}, {500, 0}} {
		var gone []string
		for n := range tt.members {
			gone = append(gone, fmt.Sprintf(`"k%d":1`, n))
		}
		f.post(`{"userId":1,"action":"delete","metaData":{"deleted":{"entity":"check","data":{` + strings.Join(gone, ",") + `}}}}`)
		if event := f.event("default", int64(seq)); strings.Count(event, `"path"`) != tt.changes || !strings.Contains(event, `"k299":1`) {
			t.Errorf("%d members: %d changes", tt.members, strings.Count(event, `"path"`))
		}
	}
}
