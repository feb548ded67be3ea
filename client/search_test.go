package client_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/client"
	"github.com/daybook-audit/daybook/query"
)

const foundEntries = `{"entries":[
 {"org":"org_acme","seq":3,"id":"evt_01m7z7rs1affyad5cmxxj94a79","received_at":"2026-11-21T14:22:07.402118Z","leaf_hash":"DWs3Fgpci0003POYBQd4v0T7zttUWOX+0XKL25CeDmQ=","erased_fields":["/actor/email"],"occurred_at":"2026-11-21T14:22:07.402118Z","action":"a.b","n":1.50},
 {"org":"org_acme","seq":2,"id":"evt_01m7z7rs1affyad5cmxxj94a79","received_at":"2026-11-21T14:22:07.402118Z","leaf_hash":"DWs3Fgpci0003POYBQd4v0T7zttUWOX+0XKL25CeDmQ=","removed":"retention","by":"30d"}
],"next_cursor":"c_x","size":4,"query":"a","from":null,"to":null,"searched":{"complete":true,"blocks":1}}`

func TestSearch(t *testing.T) {
	t.Parallel()
	a := &answers{t: t, play: []func(*http.Request, string) (*http.Response, error){
		answer(200, foundEntries), answer(200, strings.Replace(foundEntries, "DWs3", "!!!!", 1)), answer(404, `{"code":"not_found","detail":"none"}`, "Content-Type", "application/problem+json"),
		answer(200, foundEntries),
	}}
	c := newClient(t, a, client.Options{})
	q := daybook.EventQuery{
		Org: "org_acme", Text: "a", From: 1, To: 2_000_000, Zone: time.UTC, Order: daybook.OrderOccurred, Asc: true, Limit: 7,
	}
	page, err := c.Search(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	const want = "GET /prefix/v1/events?asc=true&from=1970-01-01T00%3A00%3A00.000001Z&limit=7&order=occurred&q=a&to=1970-01-01T00%3A00%3A02.000000Z&tz=UTC "
	if diff := cmp.Diff([]string{want}, a.requests); diff != "" {
		t.Error(diff)
	}
	one, gone := page.Entries[0], page.Entries[1]
	if page.NextCursor != "c_x" || page.Size != 4 || !page.Searched.Complete || len(page.Entries) != 2 {
		t.Errorf("%+v", page)
	}
	if one.Seq != 3 || one.LeafHash[0] != 0x0d || one.Erased != 1 || one.ReceivedAt != 1795270927402118 ||
		string(one.Payload) != `{"id":"evt_01m7z7rs1affyad5cmxxj94a79","occurred_at":"2026-11-21T14:22:07.402118Z","action":"a.b","n":1.50}` {
		t.Errorf("%+v %s", one, one.Payload)
	}
	if gone.Removed != daybook.RemovedByRetention || gone.RemovedBy != "30d" || gone.Payload != nil {
		t.Errorf("%+v", gone)
	}
	if _, err := c.Search(t.Context(), q); err == nil || !strings.Contains(err.Error(), "malformed hash") {
		t.Errorf("a hash that is none: %v", err)
	}
	if _, err := c.Search(t.Context(), q); daybook.CodeOf(err) != daybook.CodeNotFound {
		t.Errorf("no such org: %v", err)
	}
	if _, err := c.Search(t.Context(), daybook.EventQuery{Text: "a OR b", Within: query.Target("a", "b")}); err != nil {
		t.Error(err)
	}
	if got := a.requests[3]; !strings.Contains(got, "q=%28a+OR+b%29+%28target%3Aa%3Ab%29") {
		t.Errorf("a condition beside the text: %s", got)
	}
}

// A page follows the other until one says that it is the last; what a reader does not ask for is not fetched.
func TestCheckpoints(t *testing.T) {
	t.Parallel()
	pages := []func(*http.Request, string) (*http.Response, error){
		answer(200, `{"checkpoints":[{"size":9,"signed_at":"2026-11-21T14:22:07.402118Z","root":"DWs3","note":"n9"},{"size":7,"signed_at":"2026-11-21T14:21:07Z","root":"","note":"","damaged":true}],"next_cursor":"c_7"}`),
		answer(200, `{"checkpoints":[{"size":3,"signed_at":"2026-11-21T14:20:07Z","root":"DWs4","note":"n3"}],"next_cursor":null}`),
	}
	a := &answers{t: t, play: append(slices.Clone(pages), pages[0], answer(404, `{"code":"not_found","detail":"none"}`, "Content-Type", "application/problem+json"))}
	c := newClient(t, a, client.Options{})
	var got []client.StoredCheckpoint
	for row, err := range c.Checkpoints(t.Context(), "org_acme", 2) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, row)
	}
	at := time.Date(2026, 11, 21, 14, 20, 7, 0, time.UTC)
	want := []client.StoredCheckpoint{
		{Size: 9, SignedAt: at.Add(2*time.Minute + 402118*time.Microsecond), Root: "DWs3", Note: "n9"},
		{Size: 7, SignedAt: at.Add(time.Minute), Damaged: true},
		{Size: 3, SignedAt: at, Root: "DWs4", Note: "n3"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for range c.Checkpoints(t.Context(), "org_acme", 0) {
		break
	}
	for _, err := range c.Checkpoints(t.Context(), "org_acme", 5000) {
		if daybook.CodeOf(err) != daybook.CodeNotFound {
			t.Errorf("no such log: %v", err)
		}
	}
	const path = "GET /prefix/v1/organizations/org_acme/log/checkpoints?"
	if diff := cmp.Diff([]string{path + "limit=2 ", path + "cursor=c_7&limit=2 ", path + "limit=1000 ", path + "limit=1000 "}, a.requests); diff != "" {
		t.Error(diff)
	}
	for _, err := range c.Checkpoints(t.Context(), "no org", 1) {
		if daybook.CodeOf(err) != daybook.CodeInvalid {
			t.Errorf("no organization: %v", err)
		}
	}
}
