package postgres

import (
	"context"
	"fmt"
	"iter"

	"github.com/daybook-audit/daybook"
)

const (
	sqlPutNote   = `SELECT @put_note($1, $2, $3, $4)`
	sqlNotesAsc  = `SELECT size, at, note FROM @checkpoints WHERE log_no = $1 AND size >= $2 AND size < $3 ORDER BY size LIMIT $4`
	sqlNotesDesc = `SELECT size, at, note FROM @checkpoints WHERE log_no = $1 AND size >= $2 AND size < $3 ORDER BY size DESC LIMIT $4`
	sqlEpochs    = `SELECT ` + headColumns + ` FROM @heads WHERE org = $1 ORDER BY epoch`
	sqlNewEpoch  = `SELECT ` + headColumns + ` FROM @new_epoch($1, $2)`
)

// PutNote implements [daybook.Keeper].
func (s *Store) PutNote(ctx context.Context, log daybook.LogNo, n daybook.StoredNote) error {
	var outcome int
	_, err := s.write(ctx, durable, statement{text: sqlPutNote, args: []any{log, n.Size, n.At, notNull(n.Note)}}, []any{&outcome}, func() error { return nil })
	switch {
	case err != nil:
	case outcome == 0:
		err = daybook.ErrNotExist
	case outcome == 1:
		err = daybook.ErrExists
	}
	if err != nil {
		return fmt.Errorf("put the checkpoint of log %d at size %d: %w", log, n.Size, err)
	}
	return nil
}

// Notes implements [daybook.Reader].
func (s *Store) Notes(ctx context.Context, log daybook.LogNo, from, to int64, desc bool) iter.Seq2[daybook.StoredNote, error] {
	return func(yield func(daybook.StoredNote, error) bool) {
		text := sqlNotesAsc
		if desc {
			text = sqlNotesDesc
		}
		for page, from, to := 1, from, to; from < to; page = min(page*16, lastPage) {
			var notes []daybook.StoredNote
			var n daybook.StoredNote
			err := s.rows(ctx, statement{ofLog(log), text, []any{log, from, to, page}}, []any{&n.Size, &n.At, &n.Note}, func() error {
				notes = append(notes, n)
				return nil
			})
			if err != nil {
				yield(daybook.StoredNote{}, fmt.Errorf("list checkpoints of log %d: %w", log, err))
				return
			}
			for _, n := range notes {
				if !yield(n, nil) {
					return
				}
			}
			if len(notes) < page {
				return
			}
			if last := notes[len(notes)-1].Size; desc {
				to = last
			} else {
				from = last + 1
			}
		}
	}
}

// Epochs implements [daybook.Reader].
func (s *Store) Epochs(ctx context.Context, org daybook.OrgID) ([]daybook.Head, error) {
	var heads []daybook.Head
	err := s.listHeads(ctx, statement{ofOrg(org), sqlEpochs, []any{org}}, func(h daybook.Head) { heads = append(heads, h) })
	return heads, err
}

// NewEpoch implements [daybook.Keeper].
func (s *Store) NewEpoch(ctx context.Context, log daybook.LogNo) (next daybook.Head, err error) {
	var row headRow
	n, err := s.write(ctx, durable, statement{text: sqlNewEpoch, args: []any{log, newLogID()}}, row.into(), func() (err error) {
		next, err = row.head()
		return err
	})
	if err == nil && n == 0 {
		err = daybook.ErrNotExist
	}
	if err != nil {
		return daybook.Head{}, fmt.Errorf("begin the epoch after log %d: %w", log, err)
	}
	s.news.tell()
	return next, nil
}
