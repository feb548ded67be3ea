package api_test

import (
	"maps"
	"strings"
)

// onMachine is the server as a browser on its own machine names it.
const onMachine = "http://localhost:8080"

const newToken = `{"viewer":{"type":"user","id":"cus_9","name":"Lin Wu"},"origin":"https://app.acme.com"}`

const newView = `{"name":"Mine","search":"q=action%3Aa.b"}`

// consoleTrials adds what the console asks to the table of trials.
func consoleTrials(f *fixture, of tenant, trials map[string][]trial) {
	header := func(path string) trial {
		return trial{
			ask{path: path, key: f.globex, header: []string{"Daybook-Org", "org_acme"}}, ask{path: path, key: f.globex, header: []string{"Daybook-Org", "org_none"}},
		}
	}
	others := func(method, path, body string) trial { // names an organization that is another's
		return trial{
			ask{method: method, path: path, key: f.globex, body: body, header: []string{"Daybook-Org", "org_acme"}},
			ask{method: method, path: path, key: f.globex, body: body, header: []string{"Daybook-Org", "org_none"}},
		}
	}
	both := func(method, path, theirs, none, body string) trial { // names a thing that is another's
		return trial{ask{method: method, path: path + theirs, key: f.globex, body: body}, ask{method: method, path: path + none, key: f.globex, body: body}}
	}
	own := func(path string) trial { return trial{ask: ask{path: path, key: f.globex}} }
	maps.Copy(trials, map[string][]trial{
		"GET /v1/summary":   {header("/v1/summary"), own("/v1/summary")},
		"GET /v1/sentences": {header("/v1/sentences"), own("/v1/sentences")},
		"GET /v1/events/{id}/around": {
			{ask{path: "/v1/events/" + of.event + "/around", key: f.globex}, ask{path: "/v1/events/evt_01m7z7rs1affyad5cmxxj94a70/around", key: f.globex}},
			header("/v1/events/" + of.event + "/around"),
		},
		"GET /v1/events/csv": {header("/v1/events/csv"), own("/v1/events/csv?q=acmesec*")},
		"POST /v1/viewer-tokens": {
			others("POST", "/v1/viewer-tokens", newToken), {
				ask{method: "POST", path: "/v1/viewer-tokens", key: f.globex, body: strings.Replace(newToken, "{", `{"org":"org_acme",`, 1)},
				ask{method: "POST", path: "/v1/viewer-tokens", key: f.globex, body: strings.Replace(newToken, "{", `{"org":"org_none",`, 1)},
			},
		},
		"GET /v1/viewer":                                              {{ask{path: "/v1/viewer", key: f.globex, header: []string{"Daybook-Org", "org_acme"}}, ask{path: "/v1/viewer", key: f.globex}}},
		"GET /v1/viewer-settings":                                     {header("/v1/viewer-settings"), own("/v1/viewer-settings")},
		"PUT /v1/viewer-settings":                                     {others("PUT", "/v1/viewer-settings", `{"origins":["https://evil.example"]}`)},
		"GET /v1/targets/{type}/{id}/versions":                        {header("/v1/targets/invoice/42/versions"), own("/v1/targets/invoice/42/versions")},
		"GET /v1/targets/{type}/{id}/versions/{version}":              {header("/v1/targets/invoice/42/versions/1"), {ask{path: "/v1/targets/invoice/42/versions/1", key: f.globex}, ask{path: "/v1/targets/invoice/43/versions/1", key: f.globex}}},
		"GET /v1/targets/{type}/{id}/versions/{version}/restore-plan": {header("/v1/targets/invoice/42/versions/1/restore-plan"), {ask{path: "/v1/targets/invoice/42/versions/1/restore-plan", key: f.globex}, ask{path: "/v1/targets/invoice/43/versions/1/restore-plan", key: f.globex}}},
		"GET /v1/instance":                                            {{ask{path: "/v1/instance", key: f.globex, header: []string{"Daybook-Org", "org_acme"}}, ask{path: "/v1/instance", key: f.globex}}},
		"GET /v1/views":                                               {header("/v1/views"), own("/v1/views")},
		"POST /v1/views":                                              {others("POST", "/v1/views", newView)},
		"GET /v1/views/{view}":                                        {both("GET", "/v1/views/", of.view, "view_none", ""), both("GET", "/v1/views/", kept, "none", ""), header("/v1/views/" + of.view)},
		"PUT /v1/views/{view}":                                        {both("PUT", "/v1/views/", of.view, "view_none", newView), others("PUT", "/v1/views/"+of.view, newView)},
		"DELETE /v1/views/{view}":                                     {both("DELETE", "/v1/views/", of.view, "view_none", ""), others("DELETE", "/v1/views/"+of.view, "")},
		"GET /v1/complete":                                            {header("/v1/complete?q=reason:acme"), own("/v1/complete?q=target:"), own("/v1/complete?q=action:a")},
		"POST /v1/session": {{
			ask{method: "POST", path: onMachine + "/v1/session", body: `{"code":"of-acme"}`}, ask{method: "POST", path: onMachine + "/v1/session", body: `{"code":"none"}`},
		}},
		"DELETE /v1/session": {{
			ask{method: "DELETE", path: "/v1/session", key: f.globex, header: []string{"Sec-Fetch-Site", "cross-site"}},
			ask{method: "DELETE", path: "/v1/session", header: []string{"Sec-Fetch-Site", "cross-site"}},
		}},
	})
}

// consoleScopes adds what the console asks to the table of scopes.
func consoleScopes(f *fixture, asks map[string]ask) {
	acme := []string{"Daybook-Org", "org_acme"}
	maps.Copy(asks, map[string]ask{
		"GET /v1/summary":                                             {path: "/v1/summary", header: acme},
		"GET /v1/events/csv":                                          {path: "/v1/events/csv", header: acme},
		"POST /v1/viewer-tokens":                                      {method: "POST", path: "/v1/viewer-tokens", body: newToken, header: acme},
		"GET /v1/viewer":                                              {path: "/v1/viewer", header: acme},
		"GET /v1/viewer-settings":                                     {path: "/v1/viewer-settings", header: acme},
		"PUT /v1/viewer-settings":                                     {method: "PUT", path: "/v1/viewer-settings", body: `{"origins":[]}`, header: acme},
		"GET /v1/targets/{type}/{id}/versions":                        {path: "/v1/targets/invoice/42/versions", header: acme},
		"GET /v1/targets/{type}/{id}/versions/{version}":              {path: "/v1/targets/invoice/42/versions/1", header: acme},
		"GET /v1/targets/{type}/{id}/versions/{version}/restore-plan": {path: "/v1/targets/invoice/42/versions/1/restore-plan", header: acme},
		"GET /v1/instance":                                            {path: "/v1/instance"},
		"GET /v1/views":                                               {path: "/v1/views", header: acme},
		"POST /v1/views":                                              {method: "POST", path: "/v1/views", body: newView, header: acme},
		"GET /v1/views/{view}":                                        {path: "/v1/views/none", header: acme},
		"PUT /v1/views/{view}":                                        {method: "PUT", path: "/v1/views/none", body: newView, header: acme},
		"DELETE /v1/views/{view}":                                     {method: "DELETE", path: "/v1/views/none", header: acme},
		"GET /v1/sentences":                                           {path: "/v1/sentences", header: acme},
		"GET /v1/events/{id}/around":                                  {path: "/v1/events/" + firstID + "/around", header: acme},
		"GET /v1/complete":                                            {path: "/v1/complete?q=a", header: acme},
		"POST /v1/session":                                            {method: "POST", path: onMachine + "/v1/session", body: `{"api_key":"` + f.acme + `"}`},
		"DELETE /v1/session":                                          {method: "DELETE", path: onMachine + "/v1/session"},
	})
}
