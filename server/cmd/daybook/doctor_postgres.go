package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/config"
)

// examinePostgres looks at the PostgreSQL database of the log, and at what the nodes that use it share.
func (e *env) examinePostgres(ctx context.Context, c *config.Config) []finding {
	var out []finding
	if config.ShowsPassword(c.DB) {
		out = append(out, finding{"warn", "store", "the password of the database stands in its address: whoever sees the settings of the process has it", "db_password_file"})
	}
	s, err := openStore(ctx, c.DB, storeOptions{readOnly: true, c: c})
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
	if err = errors.Join(err, s.Close()); err != nil {
		return append(out, finding{"fail", "store", err.Error(), "daybook fsck"})
	}
	out = append(out, finding{"ok", "store", fmt.Sprintf("postgresql, schema %s, %s, %s", c.DBSchema, count(s.Shards(), "shard", "shards"), count(int(commits), "commit", "commits")), ""})
	if c.HighWater == "" {
		out = append(out, finding{"warn", "high-water", "what was signed is remembered in the same database: a restore takes both back, and is not found out", "--highwater postgres://… of another server"})
	}
	return out
}
