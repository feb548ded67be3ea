package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/postgres"
	"github.com/daybook-audit/daybook/server/internal/config"
)

const scrubFields = "table,before,after"

// scrubRow is a table as -o json shows it.
type scrubRow struct {
	Table  string `json:"table"`
	Before int64  `json:"before"` // bytes, with indexes
	After  *int64 `json:"after"`  // null in a dry run
}

func newScrub(e *env) *cobra.Command {
	var dry, yes bool
	cmd := &cobra.Command{
		Use: "scrub", Short: "Write the tables of the store anew, without the bytes of what was erased",
		Long: `After an erasure, pruning or the end of an organization no query finds what is gone; but PostgreSQL leaves its bytes in the free space of
its files until something else is written there. This writes every table that can hold such bytes anew, one after the other, the smallest
first, while servers run: who reads or writes that table waits meanwhile, and the copy needs as much free space as is left in the table.
It may be interrupted and repeated. The write-ahead log, its archives, standbys and backups hold the bytes until they are recycled.
A store in a SQLite file overwrites what it removes at once, and needs this only after a crash in the middle of that: with no server on it.`,
		Example: `  $ daybook scrub --dry-run
  $ daybook scrub --db postgres://daybook_owner@db.example.com/audit --yes
  $ daybook scrub --yes -o ndjson | jq -r '[.table, .before - .after] | @tsv'`,
		Annotations: map[string]string{
			fieldsNote: scrubFields,
			exitsNote:  "0 nothing that was removed before is in its files · 1 the store is in use, or a table was in use for too long: repeat it · 2 not confirmed, there is no store · 130 interrupted: what was listed is done",
		},
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, _, err := e.configuration(cmd)
			if err != nil {
				return err
			}
			return cannot("scrub the store", e.scrub(cmd.Context(), c, dry, yes))
		},
	}
	f := cmd.Flags()
	f.String("db", "", "the store: a file, or the address of a PostgreSQL database (default daybook.db)")
	f.BoolVar(&dry, "dry-run", false, "list the tables and their sizes, and change nothing")
	f.BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// scrub scrubs the store of c.
func (e *env) scrub(ctx context.Context, c *config.Config, dry, yes bool) (err error) {
	s, err := openStore(ctx, c.DB, storeOptions{mustExist: true, readOnly: dry, c: c})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if pg, ok := s.(*postgres.Store); ok {
		return e.rewrite(ctx, pg, dry, yes)
	}
	scrubber, ok := s.(daybook.Scrubber)
	switch {
	case !ok:
		return errors.New("this store cannot overwrite what it removed")
	case dry:
		e.note("a store in one file overwrites what it removes at once; what a crash may have left in %s-wal would be", c.DB)
		return nil
	}
	if err := scrubber.Scrub(ctx); err != nil {
		return err
	}
	e.note("nothing that was removed is in the files of %s", c.DB)
	return nil
}

// rewrite writes the tables of s anew and lists them.
func (e *env) rewrite(ctx context.Context, s *postgres.Store, dry, yes bool) error {
	p, err := e.printer(splitFields(scrubFields), heading{name: "TABLE"}, heading{name: "BEFORE", right: true}, heading{name: "AFTER", right: true})
	if err != nil {
		return err
	}
	tables, err := s.Rewrite(ctx, postgres.RewriteOptions{DryRun: true})
	if err != nil {
		return err
	}
	var total, largest int64
	for _, t := range tables {
		total, largest = total+t.Before, max(largest, t.Before)
		if !dry {
			continue
		}
		if err := p.addValue(scrubRow{Table: t.Table, Before: t.Before}, cell{text: t.Table}, cell{text: strconv.FormatInt(t.Before, 10)}, cell{}); err != nil {
			return err
		}
	}
	what := fmt.Sprintf("%s with %s written anew, one after the other; who uses one waits meanwhile, and the largest needs up to %s of free space",
		count(len(tables), "table", "tables"), bytesText(total), bytesText(largest))
	if dry {
		e.note("would be done: %s", what)
		return p.end()
	}
	if err := e.confirm(yes, what); err != nil {
		return err
	}
	bar := e.progress("bytes", total)
	var done, after int64
	var printErr error
	_, err = s.Rewrite(ctx, postgres.RewriteOptions{Progress: func(t postgres.Rewritten) {
		done, after = done+t.Before, after+t.After
		bar.at(done)
		row := scrubRow{Table: t.Table, Before: t.Before, After: &t.After}
		cells := []cell{{text: t.Table}, {text: strconv.FormatInt(t.Before, 10)}, {text: strconv.FormatInt(t.After, 10)}}
		printErr = errors.Join(printErr, p.addValue(row, cells...))
	}})
	bar.end()
	if err := errors.Join(err, printErr, p.end()); err != nil {
		return err
	}
	e.note("%s became %s; the write-ahead log, its archives, standbys and backups hold what was removed until they are recycled", bytesText(done), bytesText(after))
	return nil
}
