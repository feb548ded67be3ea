package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook"
)

const (
	sqlMark      = `SELECT size, root, at FROM @marks WHERE origin = $1`
	sqlFirstMark = `INSERT INTO @marks (origin, size, root, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`
	sqlMoveMark  = `UPDATE @marks SET size = $2, root = $3, at = $4 WHERE origin = $1 AND size = $5 AND root = $6 AND at = $7`
	sqlResetMark = `INSERT INTO @marks (origin, size, root, at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (origin) DO UPDATE SET size = excluded.size, root = excluded.root, at = excluded.at`

	sqlAddRemoval     = `INSERT INTO @removals (origin, seq, text, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`
	sqlRemovals       = `SELECT origin, seq, text, at FROM @removals ORDER BY origin, seq`
	sqlForgetRemovals = `DELETE FROM @removals WHERE at < $1`
)

// HighWaterOptions change how a high-water store is opened. The zero value works.
type HighWaterOptions struct {
	Logger  *slog.Logger  // hears of settings that are doubtful and yet no reason to refuse. Default: slog.Default()
	Schema  string        // where the tables are, made when it is not there. Default: daybook_highwater
	Timeout time.Duration // bounds every statement that was sent. Default: 10 s

	PasswordFile        string // as in [Options]
	Pooled              bool   // as in [Options]
	ReadOnly, MustExist bool   // as in [Options]
}

// HighWater is a [daybook.HighWater] in a schema of a PostgreSQL database, every change durable when it returns. Several processes may
// have it open. It belongs in another database than the store, on another disk: whoever restores one must not restore the other.
type HighWater struct{ *link }

var _ daybook.HighWater = (*HighWater)(nil)

// OpenHighWater opens the high-water store at url, an address as [Open] takes it, and makes it when there is none. It fails with
// [daybook.ErrNewer] when a later version of Daybook made it, and refuses a server that could lose what it acknowledged.
func OpenHighWater(ctx context.Context, url string, o HighWaterOptions) (*HighWater, error) {
	all, err := Options{
		Logger: o.Logger, Schema: o.Schema, Timeout: o.Timeout, PasswordFile: o.PasswordFile, Pooled: o.Pooled, ReadOnly: o.ReadOnly, MustExist: o.MustExist,
	}.withDefaults("daybook_highwater")
	if err != nil {
		return nil, fmt.Errorf("open high-water store: %w", err)
	}
	h := &HighWater{link: all.link()}
	if err := h.dial(ctx, url, o.PasswordFile); err != nil {
		return nil, fmt.Errorf("open high-water store: %w", err)
	}
	if err := h.migrate(ctx, "highwater", o.MustExist, "served"); err != nil {
		h.close()
		return nil, fmt.Errorf("open high-water store in schema %s: %w", h.schema, err)
	}
	return h, nil
}

// Close waits for running calls and closes all connections. A second Close returns nil.
func (h *HighWater) Close() error {
	h.close()
	return nil
}

// Mark implements [daybook.HighWater].
func (h *HighWater) Mark(ctx context.Context, origin string) (m daybook.Mark, ok bool, err error) {
	var root []byte
	err = h.rows(ctx, statement{text: sqlMark, args: []any{origin}}, []any{&m.Size, &root, &m.At}, func() error {
		ok = true
		if copy(m.Root[:], root) != tlog.HashSize {
			return fmt.Errorf("it is damaged: a root of %d bytes", len(root))
		}
		return nil
	})
	if err != nil {
		return daybook.Mark{}, false, fmt.Errorf("the mark of %s: %w", origin, err)
	}
	return m, ok, nil
}

// Advance implements [daybook.HighWater].
func (h *HighWater) Advance(ctx context.Context, origin string, old, next daybook.Mark) error {
	if next.Size < old.Size || next.At < old.At {
		return fmt.Errorf("the mark of %s would fall from size %d to %d: a high-water mark only rises", origin, old.Size, next.Size)
	}
	q := statement{text: sqlMoveMark, args: []any{origin, next.Size, next.Root[:], next.At, old.Size, old.Root[:], old.At}}
	if old == (daybook.Mark{}) {
		q = statement{text: sqlFirstMark, args: q.args[:4]}
	}
	return h.put(ctx, origin, q)
}

// Reset implements [daybook.HighWater].
func (h *HighWater) Reset(ctx context.Context, origin string, to daybook.Mark) error {
	return h.put(ctx, origin, statement{text: sqlResetMark, args: []any{origin, to.Size, to.Root[:], to.At}})
}

// put runs a statement that must change the one row of origin.
func (h *HighWater) put(ctx context.Context, origin string, q statement) error {
	n, err := h.exec(ctx, durable, q)
	if err == nil && n == 0 {
		err = daybook.ErrMarkMoved
	}
	if err != nil {
		return fmt.Errorf("the mark of %s: %w", origin, err)
	}
	return nil
}

// AddRemoval implements [daybook.HighWater].
func (h *HighWater) AddRemoval(ctx context.Context, r daybook.Removal) error {
	if _, err := h.exec(ctx, durable, statement{text: sqlAddRemoval, args: []any{r.Origin, r.Seq, r.Text, r.At}}); err != nil {
		return fmt.Errorf("keep a removal of %s: %w", r.Origin, err)
	}
	return nil
}

// Removals implements [daybook.HighWater].
func (h *HighWater) Removals(ctx context.Context) (rs []daybook.Removal, err error) {
	var r daybook.Removal
	err = h.rows(ctx, statement{text: sqlRemovals}, []any{&r.Origin, &r.Seq, &r.Text, &r.At}, func() error {
		rs = append(rs, r)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list removals: %w", err)
	}
	return rs, nil
}

// ForgetRemovals implements [daybook.HighWater].
func (h *HighWater) ForgetRemovals(ctx context.Context, before int64) error {
	if _, err := h.exec(ctx, durable, statement{text: sqlForgetRemovals, args: []any{before}}); err != nil {
		return fmt.Errorf("forget removals: %w", err)
	}
	return nil
}
