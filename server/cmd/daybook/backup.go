package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/config"
)

func newBackup(e *env) *cobra.Command {
	var db string
	cmd := &cobra.Command{
		Use: "backup FILE", Short: "A consistent copy of the store, while the server runs",
		Long: `For a store in a SQLite file; PostgreSQL is backed up with its own tools. Asks the server, which owns its store. With --db the copy is made of a store that no server has open.
FILE must not exist; it appears under its name only when it is complete and durable. Keep it like the store itself.`,
		Example: `  $ daybook backup daybook-$(date +%F).db
  $ daybook backup /mnt/backup/daybook.db --context prod
  $ daybook backup copy.db --db daybook.db`,
		Annotations: map[string]string{exitsNote: "0 complete · 1 not complete: no file is left · 2 FILE exists · 4 not allowed"},
		Args:        exactArgs("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := os.Lstat(args[0]); err == nil {
				return usage("%s exists: a backup replaces nothing", args[0])
			}
			n, err := e.backup(cmd.Context(), args[0], db)
			if err != nil {
				return cannot("back up", err)
			}
			e.note("%s written to %s; daybook fsck --db %s checks it", bytesText(n), args[0], args[0])
			return nil
		},
	}
	cmd.Flags().StringVar(&db, "db", "", "copy this store, while no server runs (default: ask the server)")
	return cmd
}

func (e *env) backup(ctx context.Context, path, db string) (int64, error) {
	if config.IsPostgres(db) {
		return 0, &usageError{message: "a PostgreSQL database is backed up with its own tools", try: backupPostgres}
	}
	if db != "" {
		s, err := openStore(ctx, db, storeOptions{mustExist: true})
		if err != nil {
			return 0, err
		}
		b, ok := s.(daybook.Backuper)
		if !ok {
			return 0, errors.Join(errors.New("this store is backed up with its own tools"), s.Close())
		}
		stat, err := b.Backup(ctx, path)
		return stat.Bytes, errors.Join(err, s.Close())
	}
	c, err := e.connect()
	if err != nil {
		return 0, err
	}
	var n int64
	return n, newFile(path, func(f *os.File) error {
		bar := e.progress("bytes", 0)
		defer bar.end()
		n, err = c.Backup(ctx, &counted{f: f, at: bar.at})
		return err
	})
}

// counted tells a progress line what was written.
type counted struct {
	f  *os.File
	n  int64
	at func(int64)
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.f.Write(p)
	c.n += int64(n)
	c.at(c.n)
	return n, err
}

// newFile makes path with what write puts into it: complete and synced, or not at all. It replaces nothing.
func newFile(path string, write func(*os.File) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("make %s: %w", path, err)
	}
	defer func() { // after success the other name stays
		err = errors.Join(err, os.Remove(f.Name()))
	}()
	if err := write(f); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("make %s: %w", path, err)
	}
	if err := os.Link(f.Name(), path); err != nil { // unlike a rename it never replaces a file
		return fmt.Errorf("make %s: %w", path, err)
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder makes the names in a folder durable.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	return errors.Join(d.Sync(), d.Close())
}

// isThere reports whether something has this name.
func isThere(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
