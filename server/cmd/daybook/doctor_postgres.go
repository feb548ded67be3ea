package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/postgres"
	"github.com/daybook-audit/daybook/server/internal/config"
)

// examinePostgres looks at the PostgreSQL database of the log, and at what the nodes that use it share.
func (e *env) examinePostgres(ctx context.Context, c *config.Config) []finding {
	var out []finding
	if config.ShowsPassword(c.DB) {
		out = append(out, finding{"warn", "store", "the password of the database stands in its address: whoever sees the settings of the process has it", "--db-password-file FILE"})
	}
	s, err := openStore(ctx, c.DB, storeOptions{readOnly: true, c: c})
	if u, ok := errors.AsType[*usageError](err); ok {
		return append(out, finding{"ok", "store", u.message + " yet: serve makes it", ""})
	}
	if err != nil {
		return append(out, finding{"fail", "store", err.Error(), "--db postgres://USER@HOST/DATABASE"})
	}
	commits := daybook.CommitNo(0)
	for shard := range s.Shards() {
		tail, tailErr := s.Tail(ctx, shard, 0, 1)
		if tailErr != nil && tail.Last == 0 {
			err = errors.Join(err, tailErr)
		}
		commits += tail.Last
	}
	out = append(out, damagedTail(ctx, s)...)
	if pg, ok := s.(*postgres.Store); ok && err == nil {
		out = append(out, e.examineDatabase(ctx, c, pg)...)
	}
	if err = errors.Join(err, s.Close()); err != nil {
		return append(out, finding{"fail", "store", err.Error(), "daybook fsck"})
	}
	out = append(out, finding{"ok", "store", fmt.Sprintf("schema %s, %s, %s", c.DBSchema, count(s.Shards(), "shard", "shards"), count(int(commits), "commit", "commits")), ""})
	if c.HighWater == "" {
		out = append(out, finding{"warn", "high-water", "what was signed is remembered in the same database: a restore takes both back, and is not found out", "--highwater postgres://… of another server"})
	}
	return append(out, examineShared(c)...)
}

// clockApart is how far the clocks of a node and its database may be apart before somebody should know.
const clockApart = 2 * time.Second

// examineDatabase looks at the server and the role.
func (e *env) examineDatabase(ctx context.Context, c *config.Config, s *postgres.Store) []finding {
	a, err := s.About(ctx, e.now)
	if err != nil {
		return []finding{{"fail", "database", err.Error(), ""}}
	}
	out := []finding{{"ok", "database", fmt.Sprintf("PostgreSQL %s, tables of version %d, at most %d connections", a.Version, a.Schema, a.MaxConns), ""}}
	if a.Owner {
		out = append(out, finding{"warn", "role", a.Role + " owns the tables: whoever has its password can change entries", "serve as a role of its own: docs/guides/postgresql.md"})
	} else {
		out = append(out, finding{"ok", "role", a.Role + " may append, and change no entry", ""})
	}
	if a.Synchronous == "off" {
		out = append(out, finding{"warn", "database", "synchronous_commit is off; Daybook sets it on for what it acknowledges, others do not", "synchronous_commit = on"})
	}
	off := finding{"ok", "clock", "this machine and the database agree within 2 s", ""}
	if apart := max(a.Ahead, -a.Ahead); apart > clockApart {
		off = finding{"warn", "clock", fmt.Sprintf("this machine and the database are %s apart", brief(apart)), "synchronise the clocks (NTP)"}
	}
	if most := 20 + marksConnections; c.DBMaxConnections == 0 && a.MaxConns < 2*most {
		out = append(out, finding{"warn", "database", fmt.Sprintf("each node may take %d of its %d connections", most, a.MaxConns), "--db-max-connections, or a larger max_connections"})
	}
	return append(out, off)
}

// examineShared looks at what all nodes must have.
func examineShared(c *config.Config) []finding {
	var out []finding
	if c.ExportDir == "" {
		out = append(out, finding{"warn", "exports", "the files of exports are in " + exportDir(c) + ": other nodes see them only if that is one folder for all", "--export-dir DIR, on a file system that every node has"})
	} else {
		out = append(out, finding{"ok", "exports", "their files are in " + exportDir(c) + ", which must be one folder for all nodes", ""})
	}
	if c.MasterKey == "" && !isThere(masterKeyPath(c)) && c.Origin != "" {
		out = append(out, finding{"warn", "master key", "there is no file " + masterKeyPath(c), "the file of the other nodes; the first node of all makes it"})
	}
	return out
}
