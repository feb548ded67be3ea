// Package appsql holds the statements for Daybook's tables in an application's database: daybook_outbox (events on their way),
// daybook_relay (who moves them on) and daybook_versions (what History keeps).
package appsql

import (
	"fmt"
	"strconv"
	"strings"
)

// The dialects, by the names that package daybook gives them.
const (
	SQLite   = "sqlite"
	Postgres = "postgres"
	MySQL    = "mysql"
)

// Statements are those of one dialect. Times are µs since 1970, flags 0 and 1.
type Statements struct {
	dialect string

	Savepoint, RollbackTo, Release string // no arguments

	Post    string // event_id, org, event, written_at
	Posted  string // no arguments → event_id, org, event; in the order of posting
	Waits   string // org, event_id → event
	Refuse  string // tries, next_at, dead, fault, n
	Count   string // dead → how many, the oldest written_at or 0
	Lease   string // holder, until_at, holder, now
	Holder  string // no arguments → holder
	Abandon string // holder

	Claim         string // org, target_type, target_id: before LatestVersion, where the dialect needs it; else empty
	Keep          string // the columns of a version in their order; no row when the number is taken
	LastVersion   string // org, target_type, target_id → a version
	LatestVersion string // the same past the transaction's snapshot, where the dialect has such a read
	VersionNo     string // org, target_type, target_id, number → a version
	VersionAsOf   string // org, target_type, target_id, at → a version
	Versions      string // org, target_type, target_id, below, limit → versions, newest first
}

// versionColumns are those of a version in the order in which all statements give them.
const versionColumns = "number, event_id, at_micros, actor, deleted, schema_no, restored_from, doc"

// For returns the statements of a dialect.
func For(dialect string) (*Statements, error) {
	s, ok := all[dialect]
	if !ok {
		return nil, fmt.Errorf("daybook: %q is no dialect: sqlite, postgres or mysql", dialect)
	}
	return s, nil
}

var all = map[string]*Statements{SQLite: statements(SQLite), Postgres: statements(Postgres), MySQL: statements(MySQL)}

func statements(dialect string) *Statements {
	const one = " FROM daybook_versions WHERE org = ? AND target_type = ? AND target_id = ? AND number > 0"
	const last = "SELECT " + versionColumns + one + " ORDER BY number DESC LIMIT 1"
	ifFree, claim, latest := " ON CONFLICT DO NOTHING", "", last
	if dialect == MySQL {
		// The row with the number 0 is no version: whoever saves takes its lock, and the others of that id wait their turn. Without it
		// locking reads would lock the gap behind the last version for two at a time, and both would be deadlocked.
		claim = "INSERT INTO daybook_versions (org, target_type, target_id, " + versionColumns +
			") VALUES (?, ?, ?, 0, '', 0, '{}', 0, 0, 0, '') ON DUPLICATE KEY UPDATE number = daybook_versions.number"
		// A locking read sees what is committed; a plain one the snapshot of the transaction's first read.
		ifFree, latest = "", last+" FOR UPDATE"
	}
	s := &Statements{
		dialect: dialect, Savepoint: "SAVEPOINT daybook", RollbackTo: "ROLLBACK TO SAVEPOINT daybook", Release: "RELEASE SAVEPOINT daybook",

		Post:    "INSERT INTO daybook_outbox (event_id, org, event, written_at) VALUES (?, ?, ?, ?)",
		Posted:  "SELECT event_id, org, event FROM daybook_outbox ORDER BY n",
		Waits:   "SELECT event FROM daybook_outbox WHERE org = ? AND event_id = ?",
		Refuse:  "UPDATE daybook_outbox SET tries = ?, next_at = ?, dead = ?, fault = ? WHERE n = ?",
		Count:   "SELECT COUNT(*), COALESCE(MIN(written_at), 0) FROM daybook_outbox WHERE dead = ?",
		Lease:   "UPDATE daybook_relay SET holder = ?, until_at = ? WHERE one = 1 AND (holder = ? OR until_at <= ?)",
		Holder:  "SELECT holder FROM daybook_relay WHERE one = 1",
		Abandon: "UPDATE daybook_relay SET until_at = 0 WHERE one = 1 AND holder = ?",

		Keep: "INSERT INTO daybook_versions (org, target_type, target_id, " + versionColumns + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" + ifFree,

		Claim: claim, LastVersion: last, LatestVersion: latest,
		VersionNo:   "SELECT " + versionColumns + one + " AND number = ?",
		VersionAsOf: "SELECT " + versionColumns + one + " AND at_micros <= ? ORDER BY number DESC LIMIT 1",
		Versions:    "SELECT " + versionColumns + one + " AND number < ? ORDER BY number DESC LIMIT ?",
	}
	for _, text := range [...]*string{
		&s.Post, &s.Waits, &s.Refuse, &s.Count, &s.Lease, &s.Abandon, &s.Claim, &s.Keep, &s.LastVersion, &s.LatestVersion, &s.VersionNo, &s.VersionAsOf, &s.Versions,
	} {
		*text = s.numbered(*text)
	}
	return s
}

// Waiting returns the statement that lists what may be sent, oldest first: its arguments are now, the orgs to leave out, and a limit;
// its columns n, event_id, org, event, tries.
func (s *Statements) Waiting(without int) string {
	text := "SELECT n, event_id, org, event, tries FROM daybook_outbox WHERE dead = 0 AND next_at <= ?"
	if without > 0 {
		text += " AND org NOT IN (" + marks(without) + ")"
	}
	return s.numbered(text + " ORDER BY n LIMIT ?")
}

// Sent returns the statement that drops rows by their n.
func (s *Statements) Sent(rows int) string {
	return s.numbered("DELETE FROM daybook_outbox WHERE n IN (" + marks(rows) + ")")
}

func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }

// numbered returns text with the placeholders of the dialect; no statement has a question mark elsewhere.
func (s *Statements) numbered(text string) string {
	if s.dialect != Postgres {
		return text
	}
	parts := strings.Split(text, "?")
	var b strings.Builder
	for i, part := range parts {
		if i > 0 {
			b.WriteString("$" + strconv.Itoa(i))
		}
		b.WriteString(part)
	}
	return b.String()
}
