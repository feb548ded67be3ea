// Package verify checks, offline, what a Daybook log says about itself: evidence bundles, checkpoints, proofs of single events. It
// needs a reader and the public keys that the reader trusts; it opens no file, no connection and no database, and trusts nothing that
// stands in the evidence. The rules are those of docs/reference/integrity.md; the names of findings are those of its table.
//
// An auditor reads this package, package leaf (what is hashed) and internal/typeid (how ids are spelled). In reading order:
//
//	report.go   findings and what they mean
//	note.go     keys, signed notes, cosignatures
//	tree.go     how leaves and subtree hashes give a root
//	bundle.go   a bundle from its first line to its last
//	head.go     header, checkpoint, rotation and consistency lines: who signed what
//	body.go     entries, leaves, hashes
//	entry.go    one entry: from its JSON to its leaf
//	control.go  control entries, and what they allow to be missing
//	times.go    the order of times
//	anchor.go   anchors
//	copy.go     hands on what a bundle shows
//	proof.go    a .tlog-proof
//	policy.go, state.go, line.go  witnesses, memory, strict JSON
//
// A bundle is read once, as a stream, in memory that grows with what was removed and not with what is shown.
package verify
