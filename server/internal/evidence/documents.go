package evidence

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/daybook-audit/daybook"
)

// Documents keeps documents for as long as the process lives: who is signed in, and nothing else. It keeps every promise of
// [daybook.Documents] but durability. The zero value is empty; it is safe for concurrent use.
type Documents struct {
	mu   sync.Mutex
	kept map[ref]daybook.Document
}

type ref struct {
	kind string
	org  daybook.OrgID
	id   string
}

var _ daybook.Documents = (*Documents)(nil)

// Get implements [daybook.Documents].
func (m *Documents) Get(ctx context.Context, kind string, org daybook.OrgID, id string) (daybook.Document, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, ok := m.kept[ref{kind, org, id}]
	if !ok {
		return daybook.Document{}, fmt.Errorf("document %s %q: %w", kind, id, daybook.ErrNotExist)
	}
	d.Data = bytes.Clone(d.Data)
	return d, ctx.Err()
}

// List implements [daybook.Documents].
func (m *Documents) List(ctx context.Context, kind string, org daybook.OrgID, after string, limit int) ([]daybook.Document, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []daybook.Document
	for at, d := range m.kept {
		if at.kind == kind && at.org == org && at.id > after {
			d.Data = bytes.Clone(d.Data)
			out = append(out, d)
		}
	}
	slices.SortFunc(out, func(a, b daybook.Document) int { return strings.Compare(a.ID, b.ID) })
	return out[:min(limit, len(out))], ctx.Err()
}

// Put implements [daybook.Documents].
func (m *Documents) Put(ctx context.Context, d daybook.Document) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := ref{d.Kind, d.Org, d.ID}
	switch {
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case len(d.Data) > daybook.MaxDocument:
		return 0, fmt.Errorf("document %s %q of %d bytes is over the limit", d.Kind, d.ID, len(d.Data))
	case m.kept[at].Version != d.Version:
		return 0, daybook.ErrVersionMoved
	}
	if m.kept == nil {
		m.kept = map[ref]daybook.Document{}
	}
	d.Version++
	d.Data = bytes.Clone(d.Data)
	m.kept[at] = d
	return d.Version, nil
}

// Delete implements [daybook.Documents].
func (m *Documents) Delete(ctx context.Context, kind string, org daybook.OrgID, id string, version int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, ok := m.kept[ref{kind, org, id}]
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case !ok:
		return daybook.ErrNotExist
	case d.Version != version:
		return daybook.ErrVersionMoved
	}
	delete(m.kept, ref{kind, org, id})
	return nil
}

// DeleteOrg implements [daybook.Documents].
func (m *Documents) DeleteOrg(ctx context.Context, org daybook.OrgID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if org == "" {
		return errors.New("delete the documents of no org")
	}
	maps.DeleteFunc(m.kept, func(at ref, _ daybook.Document) bool { return at.org == org })
	return ctx.Err()
}
