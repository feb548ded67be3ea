package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/mod/sumdb/tlog"
	"modernc.org/sqlite"

	"github.com/daybook-audit/daybook"
)

const (
	sqlMark      = `SELECT size, root, at FROM marks WHERE origin = ?1`
	sqlFirstMark = `INSERT INTO marks (origin, size, root, at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING`
	sqlMoveMark  = `UPDATE marks SET size = ?2, root = ?3, at = ?4 WHERE origin = ?1 AND size = ?5 AND root = ?6 AND at = ?7`
	sqlResetMark = `INSERT INTO marks (origin, size, root, at) VALUES (?1, ?2, ?3, ?4)
		ON CONFLICT (origin) DO UPDATE SET size = excluded.size, root = excluded.root, at = excluded.at`

	sqlAddRemoval     = `INSERT INTO removals (origin, seq, text, at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING`
	sqlRemovals       = `SELECT origin, seq, text, at FROM removals ORDER BY origin, seq`
	sqlForgetRemovals = `DELETE FROM removals WHERE at < ?1`
)

// highWaterSchema are the statements that make each version of the file, from the one before.
var highWaterSchema = [][]string{{
	"PRAGMA application_id = 0x44424857",
	"CREATE TABLE marks (origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, at INTEGER NOT NULL) STRICT, WITHOUT ROWID",
}, {
	"CREATE TABLE removals (origin TEXT NOT NULL, seq INTEGER NOT NULL, text TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (origin, seq)) STRICT, WITHOUT ROWID",
}}

// highWaterFile is what PRAGMA application_id says of a high-water store: "DBHW".
const highWaterFile = 0x44424857

// HighWater is a [daybook.HighWater] in a SQLite file of its own: synchronous=FULL, every change durable when it returns. Several processes
// may have it open. It belongs on another volume than the store.
type HighWater struct {
	path string

	mu     sync.Mutex
	c      *conn // nil once closed
	writes int   // since the write-ahead log was last copied into the file
	broken error // the first failed write or fsync: nothing is written any more
}

var _ daybook.HighWater = (*HighWater)(nil)

// OpenHighWater opens the high-water store in the file path, and makes it when there is none (mode 0600). It fails with
// [daybook.ErrNewer] when a later version of Daybook made it, and refuses a file that is something else.
func OpenHighWater(path string) (*HighWater, error) {
	path, err := resolve(path)
	if err != nil {
		return nil, fmt.Errorf("open high-water store: %w", err)
	}
	h := &HighWater{path: path}
	if err := h.open(); err != nil {
		if h.c != nil {
			err = errors.Join(err, h.c.close())
		}
		return nil, fmt.Errorf("open high-water store %s: %w", path, err)
	}
	return h, nil
}

func (h *HighWater) open() (err error) {
	f, err := os.OpenFile(h.path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case err == nil:
		if err := errors.Join(f.Close(), syncDir(filepath.Dir(h.path))); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrExist):
		return err
	}
	if h.c, err = dial(h.path, writes, "FULL"); err != nil {
		return err
	}
	if err := h.migrate(); err != nil {
		return err
	}
	// What an earlier process wrote without seeing its fsync succeed is made durable before anybody relies on it.
	return h.copyLog()
}

// migrate brings the file to this program's version, in one transaction.
func (h *HighWater) migrate() error {
	if _, err := h.c.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	var app, version, tables int64
	for query, to := range map[string]*int64{
		"PRAGMA application_id": &app, "PRAGMA user_version": &version, "SELECT count(*) FROM sqlite_schema": &tables,
	} {
		if err := h.c.query(query, func(row []driver.Value) error { *to = number(row[0]); return nil }); err != nil {
			return err
		}
	}
	switch {
	case tables > 0 && app != highWaterFile:
		return fmt.Errorf("the file is a database, but no high-water store (application id %#x)", app)
	case version > int64(len(highWaterSchema)):
		return fmt.Errorf("version %d, this program knows %d: %w", version, len(highWaterSchema), daybook.ErrNewer)
	}
	for _, statements := range highWaterSchema[version:] {
		for _, statement := range statements {
			if _, err := h.c.exec(statement); err != nil {
				return err
			}
		}
	}
	if _, err := h.c.exec(fmt.Sprintf("PRAGMA user_version = %d", len(highWaterSchema))); err != nil {
		return err
	}
	_, err := h.c.exec("COMMIT")
	return err
}

// copyLog copies the write-ahead log into the file. Another process that reads just now is no error.
func (h *HighWater) copyLog() error {
	h.writes = 0
	return h.c.query("PRAGMA wal_checkpoint(TRUNCATE)", func([]driver.Value) error { return nil })
}

// Close closes the file. A second Close returns nil.
func (h *HighWater) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.c == nil {
		return nil
	}
	err := h.c.close()
	h.c = nil
	if err != nil {
		return fmt.Errorf("close high-water store %s: %w", h.path, err)
	}
	return nil
}

// enter locks h for one call; without an error the caller unlocks it.
func (h *HighWater) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	h.mu.Lock()
	if h.c == nil {
		h.mu.Unlock()
		return fmt.Errorf("high-water store %s: %w", h.path, fs.ErrClosed)
	}
	return nil
}

// Mark implements [daybook.HighWater].
func (h *HighWater) Mark(ctx context.Context, origin string) (m daybook.Mark, ok bool, err error) {
	if err := h.enter(ctx); err != nil {
		return m, false, err
	}
	defer h.mu.Unlock()
	err = h.c.query(sqlMark, func(row []driver.Value) error {
		root := blob(row[1])
		if len(root) != tlog.HashSize {
			return fmt.Errorf("the mark of %s is damaged: a root of %d bytes", origin, len(root))
		}
		m, ok = daybook.Mark{Size: number(row[0]), Root: tlog.Hash(root), At: number(row[2])}, true
		return nil
	}, origin)
	if err != nil {
		return daybook.Mark{}, false, fmt.Errorf("high-water store %s: %w", h.path, err)
	}
	return m, ok, nil
}

// Advance implements [daybook.HighWater].
func (h *HighWater) Advance(ctx context.Context, origin string, old, next daybook.Mark) error {
	if next.Size < old.Size || next.At < old.At {
		return fmt.Errorf("the mark of %s would fall from size %d to %d: a high-water mark only rises", origin, old.Size, next.Size)
	}
	return h.write(ctx, origin, func() (int64, error) {
		if old == (daybook.Mark{}) {
			return h.c.exec(sqlFirstMark, origin, next.Size, next.Root[:], next.At)
		}
		return h.c.exec(sqlMoveMark, origin, next.Size, next.Root[:], next.At, old.Size, old.Root[:], old.At)
	})
}

// Reset implements [daybook.HighWater].
func (h *HighWater) Reset(ctx context.Context, origin string, to daybook.Mark) error {
	return h.write(ctx, origin, func() (int64, error) { return h.c.exec(sqlResetMark, origin, to.Size, to.Root[:], to.At) })
}

// write runs one statement, a transaction of its own, that must change one row.
func (h *HighWater) write(ctx context.Context, origin string, statement func() (int64, error)) error {
	n, err := h.change(ctx, statement)
	if err == nil && n == 0 {
		err = fmt.Errorf("the mark of %s: %w", origin, daybook.ErrMarkMoved)
	}
	return err
}

// change runs one statement, a transaction of its own, and returns how many rows it has changed. After a failed write or fsync nothing
// is written any more: the kernel reports such a failure once, and a later success would mean nothing.
func (h *HighWater) change(ctx context.Context, statement func() (int64, error)) (n int64, err error) {
	if err := h.enter(ctx); err != nil {
		return 0, err
	}
	defer h.mu.Unlock()
	if h.broken != nil {
		return 0, fmt.Errorf("high-water store %s: %w (%w)", h.path, daybook.ErrBroken, h.broken)
	}
	if n, err = statement(); err != nil {
		var e *sqlite.Error
		if errors.As(err, &e) && breaks(e.Code()) {
			h.broken = err
		}
		return n, fmt.Errorf("high-water store %s: %w", h.path, err)
	}
	if h.writes++; h.writes >= 1000 {
		if err := h.copyLog(); err != nil {
			return n, fmt.Errorf("high-water store %s: copy the write-ahead log: %w", h.path, err)
		}
	}
	return n, nil
}

// AddRemoval implements [daybook.HighWater].
func (h *HighWater) AddRemoval(ctx context.Context, r daybook.Removal) error {
	_, err := h.change(ctx, func() (int64, error) { return h.c.exec(sqlAddRemoval, r.Origin, r.Seq, r.Text, r.At) })
	return err
}

// Removals implements [daybook.HighWater].
func (h *HighWater) Removals(ctx context.Context) (rs []daybook.Removal, err error) {
	if err := h.enter(ctx); err != nil {
		return nil, err
	}
	defer h.mu.Unlock()
	err = h.c.query(sqlRemovals, func(row []driver.Value) error {
		r := daybook.Removal{Seq: number(row[1]), At: number(row[3])}
		r.Origin, _ = row[0].(string)
		r.Text, _ = row[2].(string)
		rs = append(rs, r)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("high-water store %s: %w", h.path, err)
	}
	return rs, nil
}

// ForgetRemovals implements [daybook.HighWater].
func (h *HighWater) ForgetRemovals(ctx context.Context, before int64) error {
	_, err := h.change(ctx, func() (int64, error) { return h.c.exec(sqlForgetRemovals, before) })
	return err
}
