// Package daybook keeps audit logs: who did what to which thing, from where, when and why, and what changed; durable when
// acknowledged, searched in milliseconds, and provable.
//
// Three types carry everything. A [Book] is all logs of one [Store], in this process. A [Clerk] is what application code holds to
// record: it completes an event from the context and redacts it. An [Event] is what happened, a plain struct literal. One org has
// one log: a gapless, append-only sequence of entries under an RFC 6962 Merkle tree.
//
// The way of one event: accept (decode.go) reads it strictly and commits to its fields, the sequencer (sequencer.go) gives it its
// seq and its place in one packed commit, the store makes the commit durable, and the merger (merge.go) later turns commits into
// blocks with filters. Search (scan.go) looks at both.
package daybook
