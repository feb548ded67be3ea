package api_test

import (
	"maps"
)

// onMachine is the server as a browser on its own machine names it.
const onMachine = "http://localhost:8080"

// consoleTrials adds what the console asks to the table of trials.
func consoleTrials(f *fixture, _ tenant, trials map[string][]trial) {
	maps.Copy(trials, map[string][]trial{
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
	maps.Copy(asks, map[string]ask{
		"POST /v1/session":   {method: "POST", path: onMachine + "/v1/session", body: `{"api_key":"` + f.acme + `"}`},
		"DELETE /v1/session": {method: "DELETE", path: onMachine + "/v1/session"},
	})
}
