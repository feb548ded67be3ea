// Package sentence says in one line what an event says: "Ada Byron as Grace Hopper changed the amount of Invoice 42".
//
// The line comes from the template of the event's schema, or from the action when the schema has none. The console and the viewer
// render the same templates in TypeScript (web/src/sentence); both are held to testdata/vectors/sentences.json.
//
// A sentence is text, never markup: whoever shows it escapes it for its medium. Control and bidirectional characters of an event's
// values come out as symbols, so that no value can hide or reorder what stands beside it.
//
// Reading order: words.go, parse.go, render.go, value.go, visible.go.
package sentence
