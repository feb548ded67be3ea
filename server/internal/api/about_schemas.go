package api

import "net/http"

const tagSchemas = "Schemas"

var (
	pathAction  = []param{{"action", "The name of the action, percent-encoded.", text}}
	pathVersion = []param{pathAction[0], {"version", "A number, or `newest`.", text}}

	aboutRegisterSchema = operation{
		id: "registerSchema", tag: tagSchemas, summary: "Register a schema",
		text: "It becomes the next version of the action's schema, and holds for what is recorded from now on. One that equals the newest version makes nothing. " +
			"With a key for all organizations and without `Daybook-Org` it is shared by all organizations that have none of their own for the action.",
		path: pathAction, request: []content{{mediaJSON, newSchema{}}},
		answers: []answer{
			{http.StatusCreated, "Registered, and durable.", content{mediaJSON, schema{}}}, {http.StatusOK, "It equals the newest version, which this is.", content{mediaJSON, schema{}}},
		},
		faults: []int{413, 415, 503, 507},
	}
	aboutListActions = operation{
		id: "listActions", tag: tagSchemas, summary: "List actions that have a schema", text: "With a key for all organizations and without `Daybook-Org`: those whose schemas are shared.",
		answers: ok(actionList{}, "A page of actions."),
	}
	aboutListSchemas = operation{
		id: "listSchemas", tag: tagSchemas, summary: "List the versions of an action's schema", path: pathAction, answers: ok(schemaList{}, "A page of versions."),
	}
	aboutGetSchema = operation{id: "getSchema", tag: tagSchemas, summary: "Get one version of a schema", path: pathVersion, answers: ok(schema{}, "The version.")}
)
