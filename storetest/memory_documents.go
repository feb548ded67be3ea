package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/daybook-audit/daybook"
)

// Get implements [daybook.Documents].
func (m *MemoryStore) Get(ctx context.Context, kind string, org daybook.OrgID, id string) (daybook.Document, error) {
	if err := m.enter(ctx); err != nil {
		return daybook.Document{}, err
	}
	defer m.mu.Unlock()
	d, ok := m.documents[documentRef{kind, org, id}]
	if !ok {
		return daybook.Document{}, fmt.Errorf("document %s %q: %w", kind, id, daybook.ErrNotExist)
	}
	d.Data = bytes.Clone(d.Data)
	return d, nil
}

// List implements [daybook.Documents].
func (m *MemoryStore) List(ctx context.Context, kind string, org daybook.OrgID, after string, limit int) ([]daybook.Document, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var out []daybook.Document
	for ref, d := range m.documents {
		if ref.kind == kind && ref.org == org && ref.id > after {
			d.Data = bytes.Clone(d.Data)
			out = append(out, d)
		}
	}
	slices.SortFunc(out, func(a, b daybook.Document) int { return strings.Compare(a.ID, b.ID) })
	return out[:min(limit, len(out))], nil
}

// Put implements [daybook.Documents].
func (m *MemoryStore) Put(ctx context.Context, d daybook.Document) (int64, error) {
	if err := m.enter(ctx); err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	if len(d.Data) > daybook.MaxDocument {
		return 0, fmt.Errorf("document %s %q of %d bytes is over the limit", d.Kind, d.ID, len(d.Data))
	}
	ref := documentRef{d.Kind, d.Org, d.ID}
	if m.documents[ref].Version != d.Version {
		return 0, daybook.ErrVersionMoved
	}
	d.Version++
	d.Data = bytes.Clone(d.Data)
	m.documents[ref] = d
	return d.Version, nil
}

// Delete implements [daybook.Documents].
func (m *MemoryStore) Delete(ctx context.Context, kind string, org daybook.OrgID, id string, version int64) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	d, ok := m.documents[documentRef{kind, org, id}]
	if !ok {
		return daybook.ErrNotExist
	}
	if d.Version != version {
		return daybook.ErrVersionMoved
	}
	delete(m.documents, documentRef{kind, org, id})
	return nil
}

// DeleteOrg implements [daybook.Documents].
func (m *MemoryStore) DeleteOrg(ctx context.Context, org daybook.OrgID) error {
	if org == "" {
		return errors.New("delete the documents of no org")
	}
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	maps.DeleteFunc(m.documents, func(ref documentRef, _ daybook.Document) bool { return ref.org == org })
	return nil
}
