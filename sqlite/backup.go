package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"modernc.org/sqlite"

	"github.com/daybook-audit/daybook"
)

// stepPages is how much is copied between two commits.
const stepPages = 256

// Backup implements [daybook.Backuper]. It copies on the writer's own connection, a few pages between two commits: from any other
// connection each commit would start it over. A crash leaves dst.partial behind, which the next Backup to dst replaces.
func (s *Store) Backup(ctx context.Context, dst string) (stat daybook.BackupStat, err error) {
	if err := s.enter(ctx); err != nil {
		return stat, err
	}
	defer s.calls.RUnlock()
	defer func() {
		if err != nil {
			err = fmt.Errorf("back up to %s: %w", dst, err)
		}
	}()
	if s.writer == nil {
		return stat, errors.New("the store is open for reading only")
	}
	if dst, err = filepath.Abs(dst); err != nil {
		return stat, err
	}
	if _, err := os.Lstat(dst); !errors.Is(err, fs.ErrNotExist) {
		return stat, errors.Join(err, fs.ErrExist)
	}
	partial := dst + ".partial"
	if err := os.Remove(partial); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return stat, err
	}
	f, err := os.OpenFile(partial, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return stat, err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
		if err != nil {
			err = errors.Join(err, os.Remove(partial))
		}
	}()
	if err := s.copyTo(ctx, partial); err != nil {
		return stat, err
	}
	// SQLite was told not to sync the copy: that would have held up commits. It is synced here, outside the writer's turn.
	if err := f.Sync(); err != nil {
		return stat, err
	}
	if stat, err = inspect(partial); err != nil {
		return stat, err
	}
	if err := os.Link(partial, dst); err != nil { // unlike a rename it never replaces a file
		return stat, err
	}
	if err := os.Remove(partial); err != nil {
		return stat, err
	}
	return stat, syncDir(filepath.Dir(dst))
}

func (s *Store) copyTo(ctx context.Context, partial string) (err error) {
	source, ok := s.writer.dc.(interface {
		NewBackup(uri string) (*sqlite.Backup, error)
	})
	if !ok {
		return errors.New("the driver has no online backup")
	}
	if err := s.turns.take(ctx, false); err != nil {
		return err
	}
	b, err := source.NewBackup("file:" + uriPath(partial) + "?_pragma=journal_mode(OFF)&_pragma=synchronous(OFF)")
	s.turns.give()
	if err != nil {
		return err
	}
	finish := func() error {
		// Never given up: an unfinished copy would follow every later commit.
		if err := s.turns.take(context.WithoutCancel(ctx), false); err != nil {
			return err
		}
		defer s.turns.give()
		return b.Finish()
	}
	for more := true; more; {
		if err := s.turns.take(ctx, false); err != nil {
			return errors.Join(err, finish())
		}
		more, err = b.Step(stepPages)
		s.turns.give()
		if err != nil {
			return errors.Join(err, finish())
		}
		if s.o.afterStep != nil {
			s.o.afterStep()
		}
	}
	return finish()
}

// inspect reads what the copy holds, without leaving files beside it.
func inspect(path string) (stat daybook.BackupStat, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return stat, err
	}
	stat.Bytes = info.Size()
	c, err := dial(path, studies, "FULL")
	if err != nil {
		return stat, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if err := checkSchema(c); err != nil {
		return stat, err
	}
	err = c.query("SELECT last FROM shards", func(row []driver.Value) error {
		stat.Through = daybook.CommitNo(number(row[0]))
		return nil
	})
	return stat, err
}
