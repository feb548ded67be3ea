package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook/server/internal/config"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/sqlite"
)

func newRestore(e *env) *cobra.Command {
	var db string
	var yes bool
	cmd := &cobra.Command{
		Use: "restore FILE", Short: "Put a backup in the place of the store, after checking all of it",
		Long: `For a store in a SQLite file. The server must be down. The copy is checked from its bytes (as fsck does) before it gets its name; a store that is already there
is kept beside it. Entries recorded after the backup are not in it. What was erased after it, as the high-water store lists it, is erased
again.`,
		Example: `  $ daybook restore daybook-2026-11-21.db
  $ daybook restore /mnt/backup/daybook.db --db /var/lib/daybook/daybook.db --yes
  $ daybook restore copy.db --db try.db`,
		Annotations: map[string]string{exitsNote: "0 restored · 1 the store is in use or cannot be written · 2 not confirmed · 6 the backup is damaged: nothing was replaced"},
		Args:        exactArgs("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, _, err := e.configuration(cmd)
			if err != nil {
				return err
			}
			if err := e.restore(cmd.Context(), args[0], c.DB, yes); err != nil {
				return cannot("restore", err)
			}
			if err := e.reapply(cmd.Context(), c); err != nil {
				e.warn("restored, but what was erased after the backup could not be erased again yet, and will be when the server starts: %v", err)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&db, "db", "", "the store to put it into (default daybook.db)")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

func (e *env) restore(ctx context.Context, from, db string, yes bool) (err error) {
	if config.IsPostgres(db) {
		return &usageError{message: "a PostgreSQL database is restored with its own tools, into an empty database", try: restorePostgres}
	}
	if !isThere(from) {
		return usage("there is no file %s", from)
	}
	old := isThere(db)
	if old {
		if err := e.confirm(yes, "Replace "+db); err != nil {
			return err
		}
	}
	held, err := sqlite.Hold(db)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, held.Close()) }()
	partial := db + ".restoring"
	if err := e.checkedCopy(ctx, from, partial); err != nil {
		return err
	}
	if old {
		aside := fmt.Sprintf("%s.before-%s", db, e.now().UTC().Format("20060102T150405Z"))
		if err := held.SetAside(aside); err != nil {
			return errors.Join(err, os.Remove(partial))
		}
		// A crash here leaves no file under the name: the old one and the checked copy are both beside it.
		e.note("the store that was there is now %s", aside)
	}
	if err := os.Rename(partial, db); err != nil {
		return err
	}
	if err := syncFolder(filepath.Dir(db)); err != nil {
		return err
	}
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	e.note("restored %s from %s, made %s", db, from, info.ModTime().UTC().Format(time.RFC3339))
	return nil
}

// reapply erases again what was erased after the backup was made. What it cannot do now the server does when it starts.
func (e *env) reapply(ctx context.Context, c *config.Config) (err error) {
	s, err := openStore(ctx, c.DB, storeOptions{mustExist: true, c: c})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if _, signed, err := control.ReadSigning(ctx, s); err != nil || !signed {
		return err // without signing there is no list of what was erased
	}
	o, err := e.openOffline(ctx, c, s, signingOptions{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.close(ctx)) }()
	return e.tellReapplied(ctx, o, "restore")
}

// checkedCopy copies the store from to the file to and checks it from its bytes. It leaves no file if that fails.
func (e *env) checkedCopy(ctx context.Context, from, to string) error {
	for _, name := range []string{to, to + "-wal", to + "-shm"} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := newFile(to, func(w *os.File) error {
		in, err := os.Open(from)
		if err != nil {
			return err
		}
		defer in.Close() //nolint:errcheck // opened for reading
		_, err = io.Copy(w, in)
		return err
	}); err != nil {
		return err
	}
	if err := e.fsck(ctx, &config.Config{DB: to}, false, 2); err != nil {
		return errors.Join(err, os.Remove(to))
	}
	return nil
}
