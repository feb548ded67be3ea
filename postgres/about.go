package postgres

import (
	"context"
	"fmt"
	"time"
)

// About is what a store says of itself and of its server.
type About struct {
	Version     string // of the server
	Synchronous string // synchronous_commit of the server: what commits of others wait for; those of Daybook always wait
	Compression string // wal_compression
	Standby     bool
	MaxConns    int // of the server, in all
	Role        string
	Owner       bool          // the role owns the tables, so that it could change entries
	Walled      bool          // row-level security holds for the role
	Schema      int           // the version of the tables
	Ahead       time.Duration // how far the server's clock is before that of this machine, give or take half of what the question took
}

const sqlAbout = `SELECT current_setting('server_version'), current_setting('synchronous_commit'), current_setting('wal_compression'), pg_is_in_recovery(),
	current_setting('max_connections')::int, current_user::text, (SELECT pg_has_role(c.relowner, 'USAGE') FROM pg_class c WHERE c.oid = '@blocks'::regclass),
	row_security_active('@blocks'), (SELECT coalesce(max(version), 0) FROM @versions), (extract(epoch FROM clock_timestamp()) * 1000000)::bigint`

// About asks the server. now is the clock of this machine.
func (s *Store) About(ctx context.Context, now func() time.Time) (About, error) {
	var a About
	var at int64
	asked := now()
	err := s.rows(ctx, statement{text: sqlAbout}, []any{
		&a.Version, &a.Synchronous, &a.Compression, &a.Standby, &a.MaxConns, &a.Role, &a.Owner, &a.Walled, &a.Schema, &at,
	}, func() error { return nil })
	if err != nil {
		return a, fmt.Errorf("look at the server: %w", err)
	}
	took := now().Sub(asked)
	a.Ahead = time.UnixMicro(at).Sub(asked.Add(took / 2))
	return a, nil
}
