package postgres

import (
	"context"
	"fmt"

	"github.com/daybook-audit/daybook"
)

const (
	sqlGet    = `SELECT version, data FROM @documents WHERE kind = $1 AND org = $2 AND id = $3`
	sqlList   = `SELECT id, version, data FROM @documents WHERE kind = $1 AND org = $2 AND id > $3 ORDER BY id LIMIT $4`
	sqlInsert = `INSERT INTO @documents (kind, org, id, version, data) VALUES ($1, $2, $3, 1, $4) ON CONFLICT DO NOTHING`
	sqlUpdate = `UPDATE @documents SET version = version + 1, data = $4 WHERE kind = $1 AND org = $2 AND id = $3 AND version = $5`
	sqlDelete = `DELETE FROM @documents WHERE kind = $1 AND org = $2 AND id = $3 AND version = $4`
)

// Get implements [daybook.Documents].
func (s *Store) Get(ctx context.Context, kind string, org daybook.OrgID, id string) (daybook.Document, error) {
	d := daybook.Document{Kind: kind, Org: org, ID: id}
	found := false
	err := s.rows(ctx, statement{ofOrg(org), sqlGet, []any{kind, org, id}}, []any{&d.Version, (*[]byte)(&d.Data)}, func() error {
		found = true
		return nil
	})
	if err == nil && !found {
		err = daybook.ErrNotExist
	}
	if err != nil {
		return daybook.Document{}, fmt.Errorf("document %s %q: %w", kind, id, err)
	}
	return d, nil
}

// List implements [daybook.Documents].
func (s *Store) List(ctx context.Context, kind string, org daybook.OrgID, after string, limit int) ([]daybook.Document, error) {
	var out []daybook.Document
	d := daybook.Document{Kind: kind, Org: org}
	err := s.rows(ctx, statement{ofOrg(org), sqlList, []any{kind, org, after, max(limit, 0)}}, []any{&d.ID, &d.Version, (*[]byte)(&d.Data)}, func() error {
		out = append(out, d)
		return nil
	})
	return out, err
}

// Put implements [daybook.Documents].
func (s *Store) Put(ctx context.Context, d daybook.Document) (int64, error) {
	if len(d.Data) > daybook.MaxDocument {
		return 0, fmt.Errorf("document %s %q of %d bytes is over the limit", d.Kind, d.ID, len(d.Data))
	}
	text, args := sqlUpdate, []any{d.Kind, d.Org, d.ID, notNull(d.Data), d.Version}
	if d.Version == 0 {
		text, args = sqlInsert, args[:4]
	}
	n, err := s.exec(ctx, durable, statement{ofOrg(d.Org), text, args})
	if err == nil && n == 0 {
		err = daybook.ErrVersionMoved
	}
	if err != nil {
		return 0, fmt.Errorf("put document %s %q: %w", d.Kind, d.ID, err)
	}
	return d.Version + 1, nil
}

// Delete implements [daybook.Documents].
func (s *Store) Delete(ctx context.Context, kind string, org daybook.OrgID, id string, version int64) error {
	n, err := s.exec(ctx, durable, statement{ofOrg(org), sqlDelete, []any{kind, org, id, version}})
	if err == nil && n == 0 {
		if _, err = s.Get(ctx, kind, org, id); err == nil {
			err = daybook.ErrVersionMoved
		}
	}
	if err != nil {
		return fmt.Errorf("delete document %s %q: %w", kind, id, err)
	}
	return nil
}

// notNull turns a nil slice into an empty one: nil would be stored as NULL.
func notNull(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
