package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/daybook-audit/daybook"
)

const (
	sqlGet    = `SELECT version, data FROM documents WHERE kind = ?1 AND org = ?2 AND id = ?3`
	sqlList   = `SELECT id, version, data FROM documents WHERE kind = ?1 AND org = ?2 AND id > ?3 ORDER BY id LIMIT ?4`
	sqlInsert = `INSERT INTO documents (kind, org, id, version, data) VALUES (?1, ?2, ?3, 1, ?4) ON CONFLICT DO NOTHING`
	sqlUpdate = `UPDATE documents SET version = version + 1, data = ?4 WHERE kind = ?1 AND org = ?2 AND id = ?3 AND version = ?5`
	sqlDelete = `DELETE FROM documents WHERE kind = ?1 AND org = ?2 AND id = ?3`

	sqlDeleteOrg = `DELETE FROM documents WHERE rowid IN (SELECT rowid FROM documents WHERE org = ?1 LIMIT 100)`
)

// Get implements [daybook.Documents].
func (s *Store) Get(ctx context.Context, kind string, org daybook.OrgID, id string) (daybook.Document, error) {
	d := daybook.Document{Kind: kind, Org: org, ID: id}
	err := s.read(ctx, func(r *conn) error {
		return r.query(sqlGet, func(row []driver.Value) error {
			d.Version, d.Data = number(row[0]), blob(row[1])
			return nil
		}, kind, string(org), id)
	})
	if err == nil && d.Version == 0 {
		err = fmt.Errorf("document %s %q: %w", kind, id, daybook.ErrNotExist)
	}
	if err != nil {
		return daybook.Document{}, err
	}
	return d, nil
}

// List implements [daybook.Documents].
func (s *Store) List(ctx context.Context, kind string, org daybook.OrgID, after string, limit int) ([]daybook.Document, error) {
	var out []daybook.Document
	err := s.read(ctx, func(r *conn) error {
		return r.query(sqlList, func(row []driver.Value) error {
			id, _ := row[0].(string)
			out = append(out, daybook.Document{Kind: kind, Org: org, ID: id, Version: number(row[1]), Data: blob(row[2])})
			return ctx.Err()
		}, kind, string(org), after, int64(max(limit, 0)))
	})
	return out, err
}

// Put implements [daybook.Documents].
func (s *Store) Put(ctx context.Context, d daybook.Document) (int64, error) {
	if len(d.Data) > daybook.MaxDocument {
		return 0, fmt.Errorf("document %s %q of %d bytes is over the limit", d.Kind, d.ID, len(d.Data))
	}
	err := s.write(ctx, writing, func(w *conn) error {
		data := notNull(d.Data)
		var n int64
		var err error
		if d.Version == 0 {
			n, err = w.exec(sqlInsert, d.Kind, string(d.Org), d.ID, data)
		} else {
			n, err = w.exec(sqlUpdate, d.Kind, string(d.Org), d.ID, data, d.Version)
		}
		if err == nil && n == 0 {
			err = daybook.ErrVersionMoved
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("put document %s %q: %w", d.Kind, d.ID, err)
	}
	return d.Version + 1, nil
}

// Delete implements [daybook.Documents].
func (s *Store) Delete(ctx context.Context, kind string, org daybook.OrgID, id string, version int64) error {
	err := s.write(ctx, writing, func(w *conn) error {
		stored := int64(0)
		if err := w.query(sqlGet, func(row []driver.Value) error { stored = number(row[0]); return nil }, kind, string(org), id); err != nil {
			return err
		}
		switch stored {
		case 0:
			return daybook.ErrNotExist
		case version:
			_, err := w.exec(sqlDelete, kind, string(org), id)
			return err
		default:
			return daybook.ErrVersionMoved
		}
	})
	if err != nil {
		return fmt.Errorf("delete document %s %q: %w", kind, id, err)
	}
	return nil
}

// DeleteOrg implements [daybook.Documents], some documents in each transaction. Nothing else is found by its org alone, so each looks at
// the whole table.
func (s *Store) DeleteOrg(ctx context.Context, org daybook.OrgID) error {
	if org == "" {
		return errors.New("delete the documents of no org")
	}
	for n := int64(1); n > 0; {
		err := s.write(ctx, writing, func(w *conn) (err error) {
			if n, err = w.exec(sqlDeleteOrg, string(org)); err == nil && n == 0 {
				err = errNothing
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("delete the documents of %s: %w", org, err)
		}
	}
	return nil
}
