package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/postgres"
	"github.com/daybook-audit/daybook/storetest"
)

// The roles of the tests: one that owns every schema, and one that serves.
const (
	ownerRole = "daybook_owner"
	appRole   = "daybook_app"
)

var makeRoles = sync.OnceValue(func() error {
	ctx := context.Background()
	c, err := pgx.Connect(ctx, server.url)
	if err != nil {
		return err
	}
	defer c.Close(ctx) //nolint:errcheck // what was written is committed
	_, err = c.Exec(ctx, "CREATE ROLE "+ownerRole+" LOGIN; CREATE ROLE "+appRole+" LOGIN; GRANT CREATE ON DATABASE postgres TO "+ownerRole)
	return err
})

// as returns the address of the server for another role.
func as(role string) string { return strings.Replace(server.url, "user=daybook", "user="+role, 1) }

// openAs opens a store as a role: the owner makes it, and lets the other role serve.
func openAs(tb testing.TB, role, schema string, shards int) *postgres.Store {
	tb.Helper()
	if err := makeRoles(); err != nil {
		tb.Fatal(err)
	}
	s, err := postgres.Open(tb.Context(), as(ownerRole), postgres.Options{Schema: schema, Shards: shards})
	if err != nil {
		tb.Fatal(err)
	}
	if role == ownerRole {
		return s
	}
	if err := s.Close(); err != nil {
		tb.Fatal(err)
	}
	run(tb, connect(tb, schema), "SELECT let_serve($1)", role)
	if s, err = postgres.Open(tb.Context(), as(role), postgres.Options{Schema: schema}); err != nil {
		tb.Fatal(err)
	}
	if !postgres.Walled(s) {
		tb.Error("row security does not bind the role")
	}
	return s
}

// The role that serves keeps every promise of a fleet; those of a store it keeps in TestPooler.
func TestFleet(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	names := map[testing.TB]string{}
	storetest.RunFleet(t, func(tb testing.TB) daybook.Store {
		tb.Helper()
		mu.Lock()
		defer mu.Unlock()
		if names[tb] == "" {
			names[tb] = newSchema(tb)
			return openAs(tb, appRole, names[tb], 2)
		}
		s, err := postgres.Open(tb.Context(), as(appRole), postgres.Options{Schema: names[tb]})
		if err != nil {
			tb.Fatal(err)
		}
		return s
	})
}

// What the role that serves cannot do to what is there, whatever it sends.
func TestApp_changesNothing(t *testing.T) {
	t.Parallel()
	schema := newSchema(t)
	s := shut(t, openAs(t, appRole, schema, 1))
	log := headOf(t, s, "org")
	fold := log
	fold.Packed = 3
	block := daybook.Block{BlockMeta: daybook.BlockMeta{BlockRef: daybook.BlockRef{Gen: 1}, N: 3}, Bytes: []byte("block")}
	slip := daybook.Slip{Bytes: []byte("slip")}
	if err := s.Replace(t.Context(), []daybook.Swap{{Log: log.Log, In: []daybook.Block{block}, Fold: &fold, Slips: []daybook.Slip{slip}}}); err != nil {
		t.Fatal(err)
	}
	if err := s.PutNote(t.Context(), log.Log, daybook.StoredNote{Size: 3}); err != nil {
		t.Fatal(err)
	}
	appendTo(t, s, 0, 0)
	c, err := pgx.Connect(t.Context(), as(appRole)+" search_path="+schema)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	run(t, c, "SELECT set_config('daybook.log', $1, false), set_config('daybook.org', '*', false), set_config('daybook.replacing', '1', false)", fmt.Sprint(log.Log))
	for _, table := range []string{"commits", "blocks", "block_data", "slips", "checkpoints", "shards", "moves", "moved", "heads", "versions"} {
		for _, text := range []string{
			"DELETE FROM " + table, "TRUNCATE " + table, "DROP TABLE " + table,
			"ALTER TABLE " + table + " DISABLE TRIGGER ALL", "ALTER TABLE " + table + " DISABLE ROW LEVEL SECURITY",
		} {
			denied(t, c, text)
		}
		if n := count(t, c, table); n == 0 {
			t.Errorf("%s is empty: nothing was tested", table)
		}
	}
	for _, text := range []string{
		"UPDATE commits SET data = ''", "UPDATE blocks SET live = 0", "UPDATE block_data SET data = ''", "UPDATE slips SET data = ''",
		"UPDATE checkpoints SET note = ''", "UPDATE shards SET last = 9", "UPDATE moves SET last = 9", "UPDATE heads SET packed = 9", "UPDATE heads SET state = 0",
		"INSERT INTO commits VALUES (0, 2, 1, 1, 1, '')", "INSERT INTO checkpoints VALUES (1, 9, 1, '')", "INSERT INTO block_data VALUES (1, 9, '')",
		"INSERT INTO heads (org, epoch, shard, log_id, packed) VALUES ('x', 0, 0, '', 7)",
		"DROP TRIGGER keep ON blocks", "CREATE OR REPLACE FUNCTION append() RETURNS void LANGUAGE sql AS ''", "DROP FUNCTION refuse",
		"SELECT move(0::smallint, ARRAY[1])", "SELECT let_serve('daybook_app')", "CREATE TABLE mine (a int)", "SET SESSION AUTHORIZATION " + ownerRole,
		"SET ROLE " + ownerRole, "ALTER FUNCTION close_logs(text) OWNER TO " + appRole,
	} {
		denied(t, c, text)
	}
	// The functions check: nothing goes without what comes in its place, and no log that is not closed.
	for name, err := range map[string]error{
		"a block without another": s.Replace(t.Context(), []daybook.Swap{{Log: log.Log, Out: []daybook.BlockRef{block.BlockRef}}}),
		"a fold back":             s.Replace(t.Context(), []daybook.Swap{{Log: log.Log, Fold: &log}}),
	} {
		if !errors.Is(err, daybook.ErrSwapped) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, text := range []string{
		"SELECT replace_blocks(ARRAY[1], ARRAY[0], ARRAY[1], ARRAY[0], ARRAY[1], '{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}')",
		"SELECT drop_log(1, 99)", "SELECT drop_commits(0::smallint, 99, 99)",
	} {
		var out any
		if err := c.QueryRow(t.Context(), text).Scan(&out); err == nil && out != int32(-1) {
			t.Errorf("%s: %v", text, out)
		}
	}
	for _, table := range []string{"commits", "blocks", "block_data", "slips", "checkpoints", "heads"} {
		if n := count(t, c, table); n != 1 {
			t.Errorf("%d rows in %s", n, table)
		}
	}
}

// denied fails unless the server refuses a statement for want of a right.
func denied(t *testing.T, c *pgx.Conn, text string) {
	t.Helper()
	_, err := c.Exec(t.Context(), text)
	if err == nil || !strings.Contains(err.Error(), "permission denied") && !strings.Contains(err.Error(), "must be owner") {
		t.Errorf("%s: %v", text, err)
	}
}

func count(t *testing.T, c *pgx.Conn, table string) (n int) {
	t.Helper()
	if err := c.QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil {
		t.Error(err)
	}
	return n
}

// A statement that names one org, or one log, sees nothing of another, whatever else it says.
func TestApp_wall(t *testing.T) {
	t.Parallel()
	schema := newSchema(t)
	s := shut(t, openAs(t, appRole, schema, 1))
	var logs []daybook.LogNo
	for _, org := range []daybook.OrgID{"a", "b"} {
		head := headOf(t, s, org)
		fold := head
		fold.Packed = 3
		block := daybook.Block{BlockMeta: daybook.BlockMeta{BlockRef: daybook.BlockRef{Gen: 1}, N: 3}, Bytes: []byte("block of " + org)}
		slip := daybook.Slip{Bytes: []byte("slip of " + org)}
		if err := s.Replace(t.Context(), []daybook.Swap{{Log: head.Log, In: []daybook.Block{block}, Fold: &fold, Slips: []daybook.Slip{slip}}}); err != nil {
			t.Fatal(err)
		}
		if err := s.PutNote(t.Context(), head.Log, daybook.StoredNote{Size: 3, Note: []byte("note of " + org)}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Put(t.Context(), daybook.Document{Kind: "key", Org: org, ID: "id", Data: []byte("{}")}); err != nil {
			t.Fatal(err)
		}
		logs = append(logs, head.Log)
	}
	if _, err := s.Put(t.Context(), daybook.Document{Kind: "key", ID: "id", Data: []byte("{}")}); err != nil { // of the instance
		t.Fatal(err)
	}
	c, err := pgx.Connect(t.Context(), as(appRole)+" search_path="+schema)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	for _, table := range []string{"heads", "documents", "blocks", "block_data", "slips", "checkpoints"} {
		if _, err := c.Exec(t.Context(), "SELECT FROM "+table); err == nil {
			t.Errorf("%s is read by a statement that names nobody", table)
		}
	}
	run(t, c, "SELECT set_config('daybook.log', $1, false), set_config('daybook.org', '=a', false)", fmt.Sprint(logs[0]))
	for _, table := range []string{"blocks", "block_data", "slips", "checkpoints"} {
		if own, all := count(t, c, table+" WHERE log_no = (SELECT min(log_no) FROM "+table+")"), count(t, c, table); own != 1 || all != 1 {
			t.Errorf("%s: %d of log a, %d in all", table, own, all)
		}
	}
	for _, table := range []string{"heads", "documents"} {
		if own, all := count(t, c, table+" WHERE org = 'a'"), count(t, c, table); own != 1 || all != 1 {
			t.Errorf("%s: %d of org a, %d in all", table, own, all)
		}
	}
	if done, err := c.Exec(t.Context(), "DELETE FROM documents WHERE org = 'b'"); err != nil || done.RowsAffected() != 0 {
		t.Errorf("%v, %v", done, err)
	}
	if _, err := c.Exec(t.Context(), "INSERT INTO documents VALUES ('key', 'b', 'mine', 1, '')"); err == nil {
		t.Error("a document of another org was put")
	}
	run(t, c, "SELECT set_config('daybook.org', '', false)") // as after a transaction that named somebody
	if n := count(t, c, "documents"); n != 0 {
		t.Errorf("%d documents are read by a statement that names nobody", n)
	}
}

// The wall keeps no statement from looking things up in an index.
func TestApp_plans(t *testing.T) {
	t.Parallel()
	schema := newSchema(t)
	s := shut(t, openAs(t, appRole, schema, 1))
	c, err := pgx.Connect(t.Context(), as(appRole))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	run(t, c, "SET enable_seqscan = off")
	run(t, c, "SELECT set_config('daybook.log', '1', false), set_config('daybook.org', '*', false)")
	args := map[string][2]string{ // those of the statement, and what its plan must look up
		"blocks": {"1, 5, 9, 4", "(first >= "}, "blocks, newest first": {"1, 5, 9, 4", "(first >= "}, "bytes": {"1, '{1}', '{1}'", "(first = "},
		"slips": {"1, 1::smallint, 1, 1, 2::smallint, 1, 1, 4", "ROW(kind, a, b) >= "}, "checkpoints": {"1, 1, 9, 4", "(size >= "}, "documents": {"'k', 'o', 'i', 4", "(id > "},
		"heads": {"'{1}'", "(log_no = ANY"}, "epochs": {"'o'", "(org = "}, "newest heads": {"'{o}'", "(org = ANY"}, "logs": {"1, 4", "(log_no > "},
	}
	for name, text := range postgres.Listings(s) {
		run(t, c, "PREPARE listing AS "+text)
		rows, err := c.Query(t.Context(), "EXPLAIN (COSTS off) EXECUTE listing("+args[name][0]+")", pgx.QueryExecModeSimpleProtocol)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		found := false
		for _, line := range lines {
			found = found || strings.Contains(line, "Index Cond: ") && strings.Contains(line, args[name][1])
		}
		if !found {
			t.Errorf("%s: no index is asked for %s:\n%s", name, args[name][1], strings.Join(lines, "\n"))
		}
		run(t, c, "DEALLOCATE listing")
	}
}
