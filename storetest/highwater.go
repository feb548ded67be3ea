package storetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/daybook-audit/daybook"
)

// MemoryMarks is a [daybook.HighWater] in memory. It keeps every promise but durability.
type MemoryMarks struct {
	mu       sync.Mutex
	marks    map[string]daybook.Mark
	removals []daybook.Removal // by origin and seq
}

var _ daybook.HighWater = (*MemoryMarks)(nil)

// Marks returns an empty high-water store.
func Marks() *MemoryMarks { return &MemoryMarks{marks: map[string]daybook.Mark{}} }

// Copy returns another store with the same marks: what a restore brings back.
func (m *MemoryMarks) Copy() *MemoryMarks {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &MemoryMarks{marks: maps.Clone(m.marks), removals: slices.Clone(m.removals)}
}

// Mark implements [daybook.HighWater].
func (m *MemoryMarks) Mark(ctx context.Context, origin string) (daybook.Mark, bool, error) {
	if err := ctx.Err(); err != nil {
		return daybook.Mark{}, false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	mark, ok := m.marks[origin]
	return mark, ok, nil
}

// Advance implements [daybook.HighWater].
func (m *MemoryMarks) Advance(ctx context.Context, origin string, old, next daybook.Mark) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.marks[origin] != old {
		return fmt.Errorf("advance the mark of %s: %w", origin, daybook.ErrMarkMoved)
	}
	if next.Size < old.Size || next.At < old.At {
		return errors.New("a high-water mark only rises")
	}
	m.marks[origin] = next
	return nil
}

// Reset implements [daybook.HighWater].
func (m *MemoryMarks) Reset(ctx context.Context, origin string, to daybook.Mark) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.marks[origin] = to
	return nil
}

// AddRemoval implements [daybook.HighWater].
func (m *MemoryMarks) AddRemoval(ctx context.Context, r daybook.Removal) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	i, found := slices.BinarySearchFunc(m.removals, r, func(a, b daybook.Removal) int {
		return cmp.Or(cmp.Compare(a.Origin, b.Origin), cmp.Compare(a.Seq, b.Seq))
	})
	if !found {
		m.removals = slices.Insert(m.removals, i, r)
	}
	return nil
}

// Removals implements [daybook.HighWater].
func (m *MemoryMarks) Removals(ctx context.Context) ([]daybook.Removal, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.removals), nil
}

// ForgetRemovals implements [daybook.HighWater].
func (m *MemoryMarks) ForgetRemovals(ctx context.Context, before int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.removals = slices.DeleteFunc(m.removals, func(r daybook.Removal) bool { return r.At < before })
	return nil
}
