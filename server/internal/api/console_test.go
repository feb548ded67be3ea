package api_test

import (
	"maps"
)

// onMachine is the server as a browser on its own machine names it.
const onMachine = "http://localhost:8080"

// consoleTrials adds what the console asks to the table of trials.
func consoleTrials(f *fixture, _ tenant, trials map[string][]trial) {
	header := func(path string) trial {
		return trial{
			ask{path: path, key: f.globex, header: []string{"Daybook-Org", "org_acme"}}, ask{path: path, key: f.globex, header: []string{"Daybook-Org", "org_none"}},
		}
	}
	own := func(path string) trial { return trial{ask: ask{path: path, key: f.globex}} }
	maps.Copy(trials, map[string][]trial{
		"GET /v1/summary":  {header("/v1/summary"), own("/v1/summary")},
		"GET /v1/complete": {header("/v1/complete?q=reason:acme"), own("/v1/complete?q=target:"), own("/v1/complete?q=action:a")},
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
		"GET /v1/summary":    {path: "/v1/summary", header: acme},
		"GET /v1/complete":   {path: "/v1/complete?q=a", header: acme},
		"POST /v1/session":   {method: "POST", path: onMachine + "/v1/session", body: `{"api_key":"` + f.acme + `"}`},
		"DELETE /v1/session": {method: "DELETE", path: onMachine + "/v1/session"},
	})
}
