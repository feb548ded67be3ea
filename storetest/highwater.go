package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"

	"github.com/daybook-audit/daybook"
)

// MemoryMarks is a [daybook.HighWater] in memory. It keeps every promise but durability.
type MemoryMarks struct {
	mu    sync.Mutex
	marks map[string]daybook.Mark
}

var _ daybook.HighWater = (*MemoryMarks)(nil)

// Marks returns an empty high-water store.
func Marks() *MemoryMarks { return &MemoryMarks{marks: map[string]daybook.Mark{}} }

// Copy returns another store with the same marks: what a restore brings back.
func (m *MemoryMarks) Copy() *MemoryMarks {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &MemoryMarks{marks: maps.Clone(m.marks)}
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
