package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/config"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/sqlite"
	"github.com/daybook-audit/daybook/verify"
)

// tampered is an instance with a signed log, and what a DBA makes of copies of it: they can write every table and recompute whatever
// needs no key.
type tampered struct {
	t        *testing.T
	in       tamperedStore
	dir      string
	key      string
	vkey     string
	receipts string // a file
	ids      []daybook.ID
}

// tamperedStore is what the instance and its copies are kept in, a folder each.
type tamperedStore interface {
	address(x *tampered, folder string) string
	copy(x *tampered, from, to string)
	// update changes a table of a copy, without its triggers, and fails unless that changes something.
	update(x *tampered, folder string, text byDriver)
	// replace makes the entries of a copy those of another history that begins like seed. The checkpoints stay those of the true one.
	replace(x *tampered, folder string, acts []told)
}

// byDriver is a statement.
type byDriver struct{ sqlite, postgres string }

const (
	tamperedSize = 300 // more than one run of 256 leaves
	tamperedFrom = 150 // what is forged begins here
)

// told is one event that is to be recorded, and when.
type told struct {
	id     daybook.ID
	reason string
	at     time.Time
}

var tamperStart = time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)

// setClock is a clock that stands where it was set.
type setClock struct{ at atomic.Int64 }

func (c *setClock) now() time.Time {
	return time.UnixMicro(max(c.at.Load(), tamperStart.UnixMicro())).UTC()
}

// history returns what the log honestly holds from an entry on.
func (x *tampered) history(from int) []told {
	acts := make([]told, 0, tamperedSize)
	for i := from; i < tamperedSize; i++ {
		acts = append(acts, told{x.ids[i], fmt.Sprintf("reason %d", i), tamperStart.Add(time.Duration(i) * time.Second)})
	}
	return acts
}

// newTampered makes the instance: seed holds the entries that nobody forges, base all of them, signed.
func newTampered(t *testing.T, in tamperedStore) *tampered {
	t.Helper()
	x := &tampered{t: t, in: in, dir: t.TempDir()}
	for range tamperedSize {
		x.ids = append(x.ids, daybook.NewID())
	}
	now := &setClock{}
	m := x.server("base", now.now)
	receipts := x.write(m.book, now, x.history(0)[:tamperedFrom])
	x.close(m)
	in.copy(x, "base", "seed")

	m = x.server("base", now.now)
	receipts = append(receipts, x.write(m.book, now, x.history(tamperedFrom))...)
	if _, err := m.book.Checkpoint(t.Context(), "org_acme"); err != nil {
		t.Fatal(err)
	}
	info, err := m.book.LogInfo(t.Context(), "org_acme")
	if err != nil {
		t.Fatal(err)
	}
	x.vkey, x.receipts = info.Keys[0].Vkey, filepath.Join(x.dir, "receipts")
	x.close(m)
	if err := os.WriteFile(x.receipts, receipts, 0o600); err != nil {
		t.Fatal(err)
	}
	return x
}

// server starts the instance in a folder.
func (x *tampered) server(folder string, now func() time.Time) *Main {
	x.t.Helper()
	dir := filepath.Join(x.dir, folder)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		x.t.Fatal(err)
	}
	c, _, err := config.Load(config.Sources{LookupEnv: func(string) (string, bool) { return "", false }, Dir: dir})
	if err != nil {
		x.t.Fatal(err)
	}
	c.DB, c.Listen, c.AuditReads = x.in.address(x, folder), "127.0.0.1:0", "off"
	c.MasterKeyFile = filepath.Join(x.dir, "master.key")
	m := &Main{Config: c, Logger: loggerFor(x.t), Now: now, Origin: "audit.example.com"}
	m.Prepare = func(ctx context.Context, docs daybook.Documents) (err error) {
		if err := control.NewOrgs(docs, now).Ensure(ctx, "org_acme"); err != nil {
			return err
		}
		_, x.key, err = control.NewKeys(docs, now).Create(ctx, control.NewKey{Name: "test", Org: "org_acme", Scopes: (auth.Read | auth.Export).Words()})
		return err
	}
	if err := m.Run(context.WithoutCancel(x.t.Context())); err != nil {
		x.t.Fatal(err)
	}
	return m
}

func (x *tampered) close(m *Main) {
	x.t.Helper()
	if err := m.Close(); err != nil {
		x.t.Fatal(err)
	}
}

// write records acts, each at its time, and returns the receipts as NDJSON.
func (x *tampered) write(b *daybook.Book, now *setClock, acts []told) []byte {
	x.t.Helper()
	var receipts []byte
	for _, a := range acts {
		now.at.Store(a.at.UnixMicro())
		r, err := b.Record(x.t.Context(), "org_acme", daybook.Event{ID: a.id, Action: "invoice.paid", Actor: daybook.Actor{Type: "user", ID: "usr_1"}, Reason: a.reason})
		if err != nil {
			x.t.Fatal(err)
		}
		text, err := json.Marshal(map[string]any{"seq": r.Seq, "leaf_hash": r.LeafHash})
		if err != nil {
			x.t.Fatal(err)
		}
		receipts = append(append(receipts, text...), '\n')
	}
	if err := b.Settle(x.t.Context()); err != nil {
		x.t.Fatal(err)
	}
	return receipts
}

// inSQLite is a folder with files.
type inSQLite struct{}

func (inSQLite) address(x *tampered, folder string) string {
	return filepath.Join(x.dir, folder, "daybook.db")
}

func (inSQLite) copy(x *tampered, from, to string) {
	x.t.Helper()
	if err := os.CopyFS(filepath.Join(x.dir, to), os.DirFS(filepath.Join(x.dir, from))); err != nil {
		x.t.Fatal(err)
	}
	// A store is refused that others may read.
	err := filepath.WalkDir(filepath.Join(x.dir, to), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			err = os.Chmod(path, 0o600)
		}
		return err
	})
	if err != nil {
		x.t.Fatal(err)
	}
}

// dba changes the database of a folder, without its triggers; they are there again afterwards.
func (inSQLite) dba(x *tampered, folder string, change func(db *sql.DB)) {
	x.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(x.dir, folder, "daybook.db"))
	if err != nil {
		x.t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	rows, err := db.QueryContext(x.t.Context(), "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
	if err != nil {
		x.t.Fatal(err)
	}
	defer rows.Close() //nolint:errcheck // Err has told
	triggers := map[string]string{}
	for rows.Next() {
		var name, text string
		if err := rows.Scan(&name, &text); err != nil {
			x.t.Fatal(err)
		}
		triggers[name] = text
	}
	if err := rows.Err(); err != nil || len(triggers) < 5 {
		x.t.Fatalf("%d triggers, %v", len(triggers), err)
	}
	for name := range triggers {
		x.exec(db, "DROP TRIGGER "+name)
	}
	change(db)
	for _, text := range triggers {
		x.exec(db, text)
	}
	if err := db.Close(); err != nil {
		x.t.Fatal(err)
	}
}

func (x *tampered) exec(db *sql.DB, text string, args ...any) int64 {
	x.t.Helper()
	r, err := db.ExecContext(x.t.Context(), text, args...)
	if err != nil {
		x.t.Fatalf("%s: %v", text, err)
	}
	n, err := r.RowsAffected()
	if err != nil {
		x.t.Fatal(err)
	}
	return n
}

func (in inSQLite) update(x *tampered, folder string, text byDriver) {
	x.t.Helper()
	in.dba(x, folder, func(db *sql.DB) {
		if x.exec(db, text.sqlite) == 0 {
			x.t.Errorf("%s changes nothing", text.sqlite)
		}
	})
}

func (in inSQLite) replace(x *tampered, folder string, acts []told) {
	x.t.Helper()
	in.copy(x, "seed", folder+".other")
	path := in.address(x, folder+".other")
	s, err := sqlite.Open(path, sqlite.Options{})
	if err != nil {
		x.t.Fatal(err)
	}
	x.forge(s, acts)
	in.dba(x, folder, func(db *sql.DB) {
		x.exec(db, "ATTACH ? AS other", path)
		for _, table := range []string{"shards", "heads", "commits", "blocks", "block_data", "slips", "idem"} {
			x.exec(db, "DELETE FROM main."+table)
			x.exec(db, "INSERT INTO main."+table+" SELECT * FROM other."+table)
		}
		x.exec(db, "DETACH other")
	})
}

// forge records acts in a store and closes it.
func (x *tampered) forge(s daybook.Store, acts []told) {
	x.t.Helper()
	now := &setClock{}
	b, err := daybook.Open(x.t.Context(), s, daybook.Options{Now: now.now})
	if err != nil {
		x.t.Fatal(err)
	}
	x.write(b, now, acts)
	if err := b.Close(); err != nil {
		x.t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		x.t.Fatal(err)
	}
}

// outcome is what both checkers say of a folder.
type outcome struct {
	fsck       int
	fsckText   string
	verify     int
	findings   []verify.Finding
	verifyText string
}

func (x *tampered) check(folder string) outcome {
	x.t.Helper()
	var o outcome
	none := func(string) string { return "" }
	var out, errs bytes.Buffer
	o.fsck = run(x.t.Context(), []string{"fsck", "--db", x.in.address(x, folder)}, strings.NewReader(""), &out, &errs, none)
	o.fsckText = out.String() + errs.String()
	m := x.server(folder, time.Now)
	key := x.key
	defer x.close(m)
	out.Reset()
	errs.Reset()
	o.verify = run(x.t.Context(), []string{
		"verify", "--server", m.URL, "--org", "org_acme", "--full", "--vkey", x.vkey, "--receipts", x.receipts, "--max-age", "1000000h", "-o", "json",
	}, strings.NewReader(""), &out, &errs, func(name string) string {
		if name == "DAYBOOK_API_KEY" {
			return key
		}
		return ""
	})
	o.verifyText = out.String() + errs.String()
	var r reportJSON
	if err := json.Unmarshal(out.Bytes(), &r); err == nil {
		o.findings = r.Findings
	}
	return o
}

// firstSeq is the lowest seq that a finding names.
func (o *outcome) firstSeq() int64 {
	first := int64(-1)
	for _, f := range o.findings {
		if f.Seq >= 0 && (first < 0 || f.Seq < first) {
			first = f.Seq
		}
	}
	return first
}

// TestTamperMatrix: what a DBA without the key does to a signed store is found from inside (fsck) and from outside (verify), and the
// receipts of producers name the first entry that is not what it was.
func TestTamperMatrix(t *testing.T) {
	t.Parallel()
	tamperMatrix(t, inSQLite{})
}

func tamperMatrix(t *testing.T, in tamperedStore) {
	t.Helper()
	x := newTampered(t, in)
	in.copy(x, "base", "untouched")
	if o := x.check("untouched"); o.fsck != 0 || o.verify != 0 {
		t.Fatalf("untouched: fsck %d, verify %d\n%s%s", o.fsck, o.verify, o.fsckText, o.verifyText)
	}
	const at = 0 // of what comes after seed
	edit := func(change func(acts []told) []told) func(x *tampered, folder string) {
		return func(x *tampered, folder string) { in.replace(x, folder, change(x.history(tamperedFrom))) }
	}
	update := func(sqlite, postgres string) func(x *tampered, folder string) {
		return func(x *tampered, folder string) { in.update(x, folder, byDriver{sqlite, postgres}) }
	}
	// A forged log that begins as the true one: the root is not the signed one, and the first receipt that differs names the place.
	forged := []verify.Code{verify.RootMismatch, verify.LeafMismatch}
	cut := []verify.Code{verify.Rollback}
	lost := []verify.Code{verify.Unreachable}
	for _, c := range []struct {
		name   string
		tamper func(x *tampered, folder string)
		verify int
		codes  []verify.Code
		first  int64
	}{
		{"a body altered", edit(func(as []told) []told { as[at].reason = "another"; return as }), 6, forged, tamperedFrom},
		{"secrets altered", edit(func(as []told) []told { return as }), 6, forged, tamperedFrom},
		{"a time altered", edit(func(as []told) []told { as[at].at = as[at].at.Add(time.Millisecond); return as }), 6, forged, tamperedFrom},
		{"an id altered", edit(func(as []told) []told { as[at].id = daybook.NewID(); return as }), 6, forged, tamperedFrom},
		{"an entry inserted", edit(func(as []told) []told { return slices.Insert(as, at, told{daybook.NewID(), "inserted", as[at].at}) }), 6, forged, tamperedFrom},
		{"two entries swapped", edit(func(as []told) []told {
			as[at].id, as[at+1].id = as[at+1].id, as[at].id
			as[at].reason, as[at+1].reason = as[at+1].reason, as[at].reason
			return as
		}), 6, forged, tamperedFrom},
		{"an entry deleted", edit(func(as []told) []told { return slices.Delete(as, at, at+1) }), 6, cut, tamperedSize - 1},
		{"the end cut off", edit(func(as []told) []told { return as[:100] }), 6, cut, tamperedFrom + 100},
		{"the blocks deleted", update("DELETE FROM blocks",
			"DELETE FROM blocks"), 7, lost, -1},
		{"a byte of a block", update("UPDATE block_data SET data = CAST(substr(data, 1, length(data) / 2) || x'00' || substr(data, length(data) / 2 + 2) AS BLOB)",
			"UPDATE block_data SET data = set_byte(data, length(data) / 2, 255 - get_byte(data, length(data) / 2))"), 7, lost, -1},
		{"the log id", update("UPDATE heads SET log_id = CAST(x'0000' || substr(log_id, 3) AS BLOB) WHERE org = 'org_acme'",
			"UPDATE heads SET log_id = overlay(log_id PLACING '\\x0000'::bytea FROM 1) WHERE org = 'org_acme'"), 7, lost, -1},
		{"a checkpoint", update("UPDATE checkpoints SET note = CAST(replace(CAST(note AS TEXT), char(10) || '300' || char(10), char(10) || '299' || char(10)) AS BLOB) WHERE size = 300",
			"UPDATE checkpoints SET note = convert_to(replace(convert_from(note, 'UTF8'), chr(10) || '300' || chr(10), chr(10) || '299' || chr(10)), 'UTF8') WHERE size = 300"), 7, lost, -1},
		// What is derived from the entries is no evidence: it is found from inside only.
		{"a root of a run", update("UPDATE blocks SET roots = CAST(x'0000' || substr(roots, 3) AS BLOB) WHERE length(roots) > 0",
			"UPDATE blocks SET roots = overlay(roots PLACING '\\x0000'::bytea FROM 1) WHERE length(roots) > 0"), 0, nil, -1},
		{"the frontier", update("UPDATE heads SET frontier = CAST(x'0000' || substr(frontier, 3) AS BLOB) WHERE org = 'org_acme'",
			"UPDATE heads SET frontier = overlay(frontier PLACING '\\x0000'::bytea FROM 1) WHERE org = 'org_acme'"), 0, nil, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			x := *x
			x.t = t
			folder := strings.ReplaceAll(c.name, " ", "-")
			in.copy(&x, "base", folder)
			c.tamper(&x, folder)
			o := x.check(folder)
			if o.fsck != exitTampered || !strings.Contains(o.fsckText, "FAILED  org_acme") {
				t.Errorf("fsck ends with %d:\n%s", o.fsck, o.fsckText)
			}
			if o.verify != c.verify || o.firstSeq() != c.first {
				t.Errorf("verify ends with %d and names entry %d, want %d and %d:\n%.2000s", o.verify, o.firstSeq(), c.verify, c.first, o.verifyText)
			}
			for _, code := range c.codes {
				if !slices.ContainsFunc(o.findings, func(f verify.Finding) bool { return f.Code == code }) {
					t.Errorf("no finding %s:\n%.2000s", code, o.verifyText)
				}
			}
		})
	}
}
