package resthapi_test

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/compat/resthapi"
	"github.com/daybook-audit/daybook/server/internal/doortest"
)

// seed records documents of many kinds, whose notes are a to f.
func seed(t *testing.T, s resthapi.Settings) *fixture {
	t.Helper()
	f := newFixture(t, s)
	f.post(`[
	{"notes":"a","date":"2026-01-01T00:00:00Z","method":"POST","action":"Create","endpoint":"/user","collectionName":"user","documents":["u1"],"user":"ada","statusCode":201,"payload":{"name":"Grace Hopper","age":37,"tags":["x","y"]},"ipAddress":"10.0.0.1"},
	{"notes":"b","date":"2026-01-02T00:00:00Z","method":"PUT","action":"Update","endpoint":"/user/u1","collectionName":"user","documents":["u1"],"user":"bob","statusCode":200,"payload":{"age":38.0},"params":{"_id":"u1"}},
	{"notes":"c","date":"2026-01-03T00:00:00Z","method":"DELETE","action":"Delete","endpoint":"/user/u2","collectionName":"user","documents":["u2"],"user":"ada","statusCode":404,"isError":true,"responseMessage":"Not here"},
	{"notes":"d","date":"2026-01-04T00:00:00Z","method":"PUT","action":"Add","endpoint":"/user/u1/role/r1","collectionName":"user","childCollectionName":"role","associationType":"MANY_MANY","documents":["u1","r1"],"statusCode":204},
	{"notes":"e","date":"2026-01-05T00:00:00Z","action":"Import","payload":[{"text":"red fish","n":1},{"text":"blue fish","n":5}],"result":"done"},
	{"notes":"f"}]`)
	return f
}

func TestQuery(t *testing.T) {
	t.Parallel()
	f := seed(t, resthapi.Settings{})
	for _, tt := range []struct{ params, want string }{
		{"", "a b c d e f"},
		// equality
		{"user=ada", "a c"},
		{"user=ada user=bob", "a b c"},
		{`user=["ada","bob"]`, "a b c"},
		{"user=ada isError=true", "c"},
		{"isError=false", "a b d e f"},
		{"statusCode=200 statusCode=404", "b c"},
		{"statusCode=200.0", "b"},
		{"documents=u1", "a b d"},
		{`documents=["u2","r1"]`, "c d"},
		{"method=PUT", "b d"},
		{"method=GET", ""},
		{"date=2026-01-02", "b"},
		{"date=2026-01-02T01:00:00+01:00", "b"},
		{"payload.age=37", "a"},
		{"payload.age=38", "b"},
		{"payload.tags=y", "a"},
		{"payload.1.n=5", "e"},
		{`payload={"age":38}`, "b"},
		{"result=done", "e"},
		{"notes=null", ""},
		{"childCollectionName=role associationType=MANY_MANY", "d"},
		{"endpoint=/user/u1", "b"},
		{"endpoint=/USER/u1", ""},
		{"ipAddress=10.0.0.1", "a"},
		{"params._id=u1", "b"},
		// order
		{"$sort=-_id", "f e d c b a"},
		{"$sort=statusCode", "e f b a d c"},
		{"$sort=-statusCode,notes", "c d a b e f"},
		{"$sort=user $sort=-date", "e d f c a b"},
		{"$sort=isError,-notes", "f e d b a c"},
		{"$sort=payload", "c d f a b e"},
		// pages
		{"$limit=2", "a b"},
		{"$limit=2 $page=2", "c d"},
		{"$limit=2 $page=3 $skip=1", "e f"},
		{"$limit=2 $skip=3", "d e"},
		{"$limit=2 $page=9", ""},
		{"$limit=0", "a b c d e f"},
		{"$sort=-notes $limit=2 $page=2", "d c"},
		// text
		{"$text=grace", "a"},
		{"$text=fish", "e"},
		{"$text=grace delete", "a c"},
		{`$text="blue fish"`, "e"},
		{`$text="fish blue"`, ""},
		{"$text=user -delete", "a b d"},
		{`$text=update -bob`, ""},
		{"$text=-user -import", "f"},
		{"$term=^del", "c"},
		{"$term=user/u[12]$", "b c"},
		{"$term=U $searchFields=user", ""},
		{"$term=A $searchFields=user,statusCode", "a c"},
		{"$term=not.here", "c"},
		// ranges
		{"$from=2026-01-02 $to=2026-01-04", "b c f"},
		{"$to=2026-01-02", "a"},
		{"$q=actor:ada", "a c"},
		{"$q=outcome:failure", "c"},
		{"$head=2", "a b"},
		{"$flatten=true", "a b c d e f"},
		// $where
		{`$where={}`, "a b c d e f"},
		{`$where={"user":"ada"}`, "a c"},
		{`$where={"user":{"$eq":"ada"},"isError":true}`, "c"},
		{`$where={"user":{"$ne":"ada"}}`, "b d e f"},
		{`$where={"user":null}`, "d e f"},
		{`$where={"user":{"$ne":null}}`, "a b c"},
		{`$where={"payload.age":null}`, "c d e f"},
		{`$where={"user":{"$in":["ada",null]}}`, "a c d e f"},
		{`$where={"user":{"$nin":["ada",null]}}`, "b"},
		{`$where={"statusCode":{"$gt":201}}`, "c d"},
		{`$where={"statusCode":{"$gte":201,"$lt":404}}`, "a d"},
		{`$where={"statusCode":{"$lte":"201"}}`, ""},
		{`$where={"date":{"$gte":"2026-01-02T00:00:00Z","$lt":"2026-01-04T00:00:00Z"}}`, "b c f"},
		{`$where={"date":{"$in":["2026-01-02","2026-01-03"]}}`, "b c"},
		{`$where={"$or":[{"action":"Delete"},{"statusCode":204}]}`, "c d"},
		{`$where={"$and":[{"user":"ada"},{"$nor":[{"action":"Delete"}]}]}`, "a"},
		{`$where={"statusCode":{"$not":{"$gt":201}}}`, "a b e f"},
		{`$where={"payload.age":{"$exists":true}}`, "a b"},
		{`$where={"payload.age":{"$exists":false},"user":{"$exists":true}}`, "c d e f"},
		{`$where={"payload":{"$type":"array"}}`, "e"},
		{`$where={"payload":{"$type":["object","null"]}}`, "a b c d e f"},
		{`$where={"result":{"$type":"string"}}`, "e"},
		{`$where={"date":{"$type":"date"}}`, "a b c d e f"},
		{`$where={"endpoint":{"$regex":"^/USER/U","$options":"i"}}`, "b c d"},
		{`$where={"endpoint":{"$not":{"$regex":"user"}}}`, "e f"},
		{`$where={"documents":{"$all":["u1","r1"]}}`, "d"},
		{`$where={"documents":{"$all":[]}}`, ""},
		{`$where={"documents":{"$size":2}}`, "d"},
		{`$where={"documents":["u1","r1"]}`, "d"},
		{`$where={"documents":{"$elemMatch":{"$regex":"^r"}}}`, "d"},
		{`$where={"payload":{"$elemMatch":{"text":"red fish","n":{"$lt":2}}}}`, "e"},
		{`$where={"payload":{"$elemMatch":{"text":"red fish","n":5}}}`, ""},
		{`$where={"payload.text":"red fish","payload.n":5}`, "e"},
		{`$where={"payload":{"age":38}}`, "b"},
		{`$where={"payload.tags.1":"y"}`, "a"},
		{`$where={"isError":{"$gt":false}}`, "c"},
	} {
		params := strings.Split(tt.params, " $")
		for i := range params[1:] {
			params[i+1] = "$" + params[i+1]
		}
		if !strings.HasPrefix(tt.params, "$") {
			params = strings.Fields(tt.params)
		}
		if got := f.notes(params...); got != tt.want {
			t.Errorf("%s finds %q, want %q", tt.params, got, tt.want)
		}
	}
	if got := f.notes("$exclude="+f.list("notes=a").Docs[0]["_id"].(string), "user=ada"); got != "c" { //nolint:forcetypeassert // it is a string
		t.Errorf("$exclude leaves %q", got)
	}
	for params, want := range map[string]string{"$count=true": "6", "$count=true&user=ada&$limit=1&$skip=5&$sort=notes": "2", "%24count=true&%24where=%7B%22user%22%3A%22bob%22%7D": "1"} {
		if w := f.ask("GET", "/auditLog?"+params, ""); w.Code != 200 || w.Body.String() != want {
			t.Errorf("%s: %d %s", params, w.Code, w.Body)
		}
	}
}

func TestQueryRefuses(t *testing.T) {
	t.Parallel()
	f := seed(t, resthapi.Settings{MaxLimit: 100})
	bad := func(key, is string) string { return refusal(400, "Bad Request", `"`+key+`" `+is, "query", key) }
	where := func(key, is string) string { return refusal(400, "Bad Request", `"`+key+`" `+is, "query", "$where") }
	for params, want := range map[string]string{
		"$limit=-1":                         bad("$limit", "must be greater than or equal to 0"),
		"$limit=x":                          bad("$limit", "must be a number"),
		"$limit=1.5":                        bad("$limit", "must be an integer"),
		"$skip=99999999999999":              bad("$skip", "is too large"),
		"$page=-1":                          bad("$page", "must be greater than or equal to 0"),
		"$sort=foo":                         bad("$sort", `must name fields of an auditLog document, not "foo"`),
		"$sort=payload.text":                bad("$sort", `must name fields of an auditLog document, not "payload.text"`),
		"$sort=notes $skip=10000":           bad("$sort", "by anything but _id reaches 10000 documents: narrow the filter"),
		"$select=foo":                       bad("$select", `must name fields of an auditLog document, not "foo"`),
		"$term=(":                           bad("$term", "must be a valid regular expression (RE2): error parsing regexp: missing closing ): `(?i)(`"),
		"$term=" + strings.Repeat("x", 257): bad("$term", "must be at most 256 characters long"),
		"$searchFields=statusCode":          bad("$searchFields", "must name at least one field that holds text: method, action, endpoint, user, collectionName, childCollectionName, associationType, responseMessage, ipAddress, notes"),
		"$exclude=x":                        bad("$exclude", "must hold valid ObjectIds"),
		"$count=1":                          bad("$count", "must be a boolean"),
		"$embed=user":                       refusal(400, "Bad Request", "Association not found.", "", ""),
		"$from=x":                           bad("$from", "must be a valid date"),
		"$q=actr:x":                         bad("$q", `must be a Daybook query: unknown_field: There is no field "actr". Did you mean actor: ?`),
		"foo=1":                             bad("foo", "is not allowed"),
		"notes.x=1":                         bad("notes.x", "is not allowed"),
		"$foo=1":                            bad("$foo", "is not allowed"),
		"statusCode=x":                      bad("statusCode", "must be a number"),
		"isError=1":                         bad("isError", "must be a boolean"),
		"date=x":                            bad("date", "must be a valid date"),
		"_id=x":                             bad("_id", "must be a valid ObjectId"),
		"$where=x":                          bad("$where", "must be a JSON object"),
		"$where=[]":                         bad("$where", "must be a JSON object"),
		`$where={}{}`:                       bad("$where", "must be a JSON object"),
		`$where={"$expr":{}}`:               where("$expr", "is not allowed"),
		`$where={"$where":"1"}`:             where("$where", "is not allowed"),
		`$where={"$text":{}}`:               where("$text", "is not allowed"),
		`$where={"foo":1}`:                  where("foo", "is not allowed"),
		`$where={"user":{"$function":{}}}`:  where("$function", "is not allowed"),
		`$where={"user":{"$options":"i"}}`:  where("$options", "is not allowed"),
		`$where={"$or":[]}`:                 where("$or", "must be a nonempty array"),
		`$where={"$or":[1]}`:                where("$or", "must hold objects"),
		`$where={"user":{"$in":1}}`:         where("$in", "must be an array"),
		`$where={"user":{"$not":1}}`:        where("$not", "must be an object of operators"),
		`$where={"user":{"$exists":1}}`:     where("$exists", "must be a boolean"),
		`$where={"user":{"$type":"int"}}`:   where("$type", "must be one of [null, number, string, object, array, bool, date]"),
		`$where={"user":{"$regex":"["}}`:    where("$regex", "must be a valid regular expression (RE2): error parsing regexp: missing closing ]: `[`"),
		`$where={"user":{"$regex":"a","$options":"x"}}`:                               where("$options", "must hold only i, m and s"),
		`$where={"documents":{"$size":"1"}}`:                                          where("$size", "must be a number"),
		`$where={"documents":{"$elemMatch":1}}`:                                       where("$elemMatch", "must be an object"),
		`$where={"date":{"$gt":"x"}}`:                                                 where("date", "must be a valid date"),
		`$where=` + strings.Repeat(`{"$and":[`, 17) + `{}` + strings.Repeat(`]}`, 17): where("$where", "holds at most 200 operators in 16 levels"),
		`$where={"$and":[` + strings.Repeat(`{"user":"a"},`, 200) + `{}]}`:            where("$where", "holds at most 200 operators in 16 levels"),
	} {
		if w := f.ask("GET", "/auditLog?"+escaped(strings.Split(params, " ")...), ""); w.Code != 400 || !sameJSON(w.Body.String(), want) {
			t.Errorf("%.80s: %d %s\nwant %s", params, w.Code, w.Body, want)
		}
	}
	if p := f.list("$limit=1000"); p.Items.Limit != 100 {
		t.Errorf("a large $limit is %d", p.Items.Limit)
	}
	off := newFixture(t, resthapi.Settings{NoWhere: true})
	if w := off.ask("GET", "/auditLog?$where={}", ""); !sameJSON(w.Body.String(), bad("$where", "is not allowed")) {
		t.Errorf("switched off: %s", w.Body)
	}
	for target, want := range map[string]string{
		"/auditLog/xyz":                               refusal(400, "Bad Request", `"_id" must be a valid ObjectId`, "params", "_id"),
		"/auditLog/59eebc5f20cbfb49c6eae431":          refusal(404, "Not Found", "No resource was found with that id.", "", ""),
		"/auditLog/695735a50000000000000029":          refusal(404, "Not Found", "No resource was found with that id.", "", ""),
		"/auditLog/evt_01bx68zmrrfzya1jzv973ens1h":    refusal(404, "Not Found", "No resource was found with that id.", "", ""),
		"/auditLog/59eebc5f20cbfb49c6eae431?$limit=1": refusal(400, "Bad Request", `"$limit" is not allowed`, "query", "$limit"),
	} {
		if w := f.ask("GET", target, ""); !sameJSON(w.Body.String(), want) {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
}

// The page data of rest-hapi's documentation of queries.
func TestPages(t *testing.T) {
	t.Parallel()
	f := newFixture(t, resthapi.Settings{})
	var docs []string
	for i := range 93 {
		docs = append(docs, fmt.Sprintf(`{"notes":"%d"}`, i))
	}
	f.post("[" + strings.Join(docs, ",") + "]")
	w := f.ask("GET", "/auditLog?$limit=20&$page=2", "")
	_, tail, _ := strings.Cut(w.Body.String(), `],"pages"`)
	if want := `:{"current":2,"prev":1,"hasPrev":true,"next":3,"hasNext":true,"total":5},"items":{"limit":20,"begin":21,"end":40,"total":93}}`; tail != want {
		t.Errorf("it ends with %s", tail)
	}
	if got := w.Header().Get("Daybook-Head-Size"); got != "93" {
		t.Errorf("Daybook-Head-Size: %s", got)
	}
	p := f.list("$limit=20", "$page=5")
	if p.Pages.HasNext || p.Items.Begin != 81 || p.Items.End != 93 || len(p.Docs) != 13 {
		t.Errorf("the last page: %+v", p)
	}
	if p := f.list("$limit=20", "$skip=45"); p.Pages.Current != 3 || p.Items.Begin != 46 || p.Items.End != 65 {
		t.Errorf("with $skip: %+v", p)
	}
	f.post(`{"notes":"later"}`)
	if p := f.list("$limit=20", "$page=5", "$head=93"); p.Items.Total != 93 || len(p.Docs) != 13 {
		t.Errorf("with $head: %+v", p.Items)
	}
	if p := newFixture(t, resthapi.Settings{}).list("$limit=20"); p.Items.Begin != 0 || p.Items.End != 0 || p.Pages.Total != 0 || p.Docs == nil {
		t.Errorf("of nothing: %+v", p)
	}
}

// Documents that brought an _id stand where their _id says.
func TestOrderOfGivenIDs(t *testing.T) {
	t.Parallel()
	f := newFixture(t, resthapi.Settings{})
	f.post(`[{"notes":"new"},{"notes":"old2","_id":"59eebc5f20cbfb49c6eae432"},{"notes":"old1","_id":"59eebc5f20cbfb49c6eae431"},{"notes":"newer"}]`)
	for params, want := range map[string]string{
		"$limit=0": "old1 old2 new newer", "$sort=-_id": "newer new old2 old1", "$limit=1&$page=2": "old2", "$limit=2&$skip=1&$sort=-_id": "new old2",
	} {
		if got := f.notes(strings.Split(params, "&")...); got != want {
			t.Errorf("%s: %q, want %q", params, got, want)
		}
	}
}

// Entries of other origin are shown when they are asked for.
func TestAll(t *testing.T) {
	t.Parallel()
	f := newFixture(t, resthapi.Settings{})
	for _, e := range []daybook.Event{
		{Action: "invoice.paid", Actor: daybook.Actor{Type: "user", ID: "u"}, Targets: []daybook.Target{{Type: "invoice", ID: "42"}, {Type: "account", ID: "7"}}, Outcome: daybook.Denied},
		{Action: "http.patch", Actor: daybook.System("x"), Context: daybook.Context{HTTP: &daybook.HTTP{Method: http.MethodPatch, Path: "/x", StatusCode: 200}}},
		{Action: "http.trace", Actor: daybook.Actor{Type: "anonymous", ID: "anonymous"}, Context: daybook.Context{HTTP: &daybook.HTTP{Method: http.MethodTrace}}},
	} {
		if _, err := f.Book.Record(t.Context(), "org_acme", e); err != nil {
			t.Fatal(err)
		}
	}
	doortest.Golden(t, "all", f.ask("GET", "/auditLog?$all=true", "").Body.String()+"\n"+f.ask("GET", "/auditLog?$select=method,action,user", "").Body.String()+"\n")
	if got := f.list("$all=true", "collectionName=invoice", "documents=7", "isError=true"); got.Items.Total != 1 {
		t.Errorf("%+v", got)
	}
}

// What is older than the time to live is not shown, unless a hold keeps it.
func TestTTL(t *testing.T) {
	t.Parallel()
	f := newFixture(t, resthapi.Settings{TTL: time.Hour})
	f.post(`[{"notes":"a","collectionName":"user","action":"Create"},{"notes":"b"}]`)
	id, _ := f.list("notes=a").Docs[0]["_id"].(string)
	if _, err := f.Book.Record(t.Context(), "org_acme", daybook.Event{Action: "x.y", Actor: daybook.System("x"), Context: daybook.Context{HTTP: &daybook.HTTP{Method: "PUT"}}}); err != nil {
		t.Fatal(err)
	}
	f.Add(59 * time.Minute)
	f.post(`{"notes":"c"}`)
	if got := f.list().Items.Total; got != 4 {
		t.Errorf("before its end: %d", got)
	}
	f.Add(2 * time.Minute)
	if got := f.notes("$where={\"notes\":{\"$ne\":null}}"); got != "c" {
		t.Errorf("after its end: %q", got)
	}
	if got := f.list().Items.Total; got != 2 {
		t.Errorf("what is no document of rest-hapi stays: %d", got)
	}
	if w := f.ask("GET", "/auditLog/"+id, ""); w.Code != 404 {
		t.Errorf("one that is over: %d", w.Code)
	}
	hold, err := f.Book.PlaceHold(t.Context(), daybook.HoldRequest{Org: "org_acme", Text: "action:user.create", Reason: "r", By: daybook.Party{Type: "user", ID: "u"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := f.notes("$where={\"notes\":{\"$ne\":null}}"); got != "a c" {
		t.Errorf("under a hold: %q", got)
	}
	if w := f.ask("GET", "/auditLog/"+id, ""); w.Code != 200 {
		t.Errorf("one that is held: %d", w.Code)
	}
	if _, err := f.Book.ReleaseHold(t.Context(), "org_acme", hold.ID, "r", daybook.Party{Type: "user", ID: "u"}); err != nil {
		t.Fatal(err)
	}
	if got := f.notes("$where={\"notes\":{\"$ne\":null}}"); got != "c" {
		t.Errorf("after the hold: %q", got)
	}
}

// The order of types is that of MongoDB.
func TestOrderOfTypes(t *testing.T) {
	t.Parallel()
	f := newFixture(t, resthapi.Settings{})
	for _, v := range []string{`true`, `"b"`, `{"b":1}`, `10`, `9007199254740993`, `[2]`, `9007199254740992`, `false`, `"a"`, `{"a":2}`, `null`, `[1,5]`, `-1.5`} {
		f.post(`{"result":` + v + `}`)
	}
	var got []string
	for _, d := range f.list("$sort=result").Docs {
		got = append(got, fmt.Sprint(d["result"]))
	}
	want := []string{"<nil>", "-1.5", "10", "9.007199254740992e+15", "9.007199254740992e+15", "a", "b", "map[a:2]", "map[b:1]", "[1 5]", "[2]", "false", "true"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if body := f.ask("GET", "/auditLog?$sort=-result&result=9007199254740993", "").Body.String(); !strings.Contains(body, "9007199254740993") || strings.Contains(body, "9007199254740992") {
		t.Errorf("a large number: %s", body)
	}
}

// Erased fields are null, the rest stays; what is erased whole is gone from the collection.
func TestErased(t *testing.T) {
	t.Parallel()
	f := newFixture(t, resthapi.Settings{})
	f.post(`[{"notes":"a","user":"ada","ipAddress":"10.0.0.1","payload":{"x":1},"documents":["d"]},{"notes":"b","user":"bob"}]`)
	by := daybook.Party{Type: "user", ID: "dpo"}
	if _, err := f.Book.Erase(t.Context(), daybook.EraseRequest{
		Org: "org_acme", Text: "actor.id:ada", Paths: []string{"/actor/id", "/context/ip", "/context/http/request"}, Reason: "r", By: by,
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Book.Erase(t.Context(), daybook.EraseRequest{Org: "org_acme", Text: "actor.id:bob", Whole: true, Reason: "r", By: by}); err != nil {
		t.Fatal(err)
	}
	// Erasing is carried out in the background; what is asked for is hidden at once or soon.
	for f.list().Items.Total != 1 || f.list().Docs[0]["user"] != nil {
		if t.Context().Err() != nil {
			t.Fatal("it was not carried out")
		}
		runtime.Gosched()
	}
	d := f.list().Docs[0]
	if d["notes"] != "a" || d["user"] != nil || d["ipAddress"] != nil || d["payload"] != nil || fmt.Sprint(d["documents"]) != "[d]" {
		t.Errorf("%v", d)
	}
	if w := f.ask("GET", "/auditLog/"+fmt.Sprint(d["_id"]), ""); w.Code != http.StatusOK {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := f.ask("GET", "/auditLog/"+resthapiID(1), ""); w.Code != http.StatusNotFound {
		t.Errorf("the other: %d %s", w.Code, w.Body)
	}
}

// resthapiID is the _id that the log gives in the second of the fixture.
func resthapiID(seq int) string { return fmt.Sprintf("695735a5%016x", seq) }
