package tavivo_test

import (
	"strings"
	"testing"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/compat/tavivo"
	"github.com/daybook-audit/daybook/server/internal/selfaudit"
)

// Who looks at the log through the door, is kept from it, or sends what is not taken stands in the log.
func TestLooksAreRecorded(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	audit := selfaudit.New(f.Book, selfaudit.Options{Now: f.Now})
	f.door = tavivo.New(tavivo.Deps{Book: f.Book, Auth: f.door.Auth, Tokens: f.door.Tokens, Orgs: f.Orgs, Audit: audit, Settings: tavivo.Settings{Org: "default"}})
	f.post(`{"userId":1,"action":"x","metaData":{"entity":"check"}}`)
	f.get("/logs?entity=check")
	f.get("/logs/1")
	f.get("/logs/2")
	f.do("GET", "/logs", "", "Authorization", "Bearer "+f.Key("default", "record"))
	f.do("POST", "/logs", `{}`, "Authorization", f.token)
	f.do("POST", "/logs", `{`, "Authorization", f.token)
	audit.Close(t.Context())
	page, err := f.Book.Search(t.Context(), daybook.EventQuery{Org: "default", Text: "action:daybook.*", Asc: true})
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for i := range page.Entries {
		all = append(all, string(page.Entries[i].Payload))
	}
	text := strings.Join(all, "\n")
	for _, want := range []string{
		`"action":"daybook.log.viewed"`, `"action":"daybook.event.viewed"`, `"action":"daybook.event.rejected"`, `"outcome":"denied"`, `"type":"service","id":"jwt:ta-vivo-api"`,
		`meta.tavivo.metaData.entity:check`, `"rule":"invalid_value"`, `"rule":"syntax"`, `"type":"event","id":"evt_`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing:\n%s", want, text)
		}
	}
	if len(all) != 5 {
		t.Errorf("%d entries:\n%s", len(all), text)
	}
}
