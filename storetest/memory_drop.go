package storetest

import (
	"context"
	"fmt"
	"maps"

	"github.com/daybook-audit/daybook"
)

// CloseLogs implements [daybook.Keeper].
func (m *MemoryStore) CloseLogs(ctx context.Context, org daybook.OrgID) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	for _, l := range m.logs {
		if l != nil && l.head.Org == org && l.head.State != daybook.LogClosed {
			l.head.State = daybook.LogClosed
			m.states++
			m.move(l)
		}
	}
	return nil
}

// dropParts is how many blocks one DropLog removes: few, so that a test sees a log that is half gone.
const dropParts = 2

// DropLog implements [daybook.Keeper].
func (m *MemoryStore) DropLog(ctx context.Context, log daybook.LogNo) (gone bool, err error) {
	if err := m.enter(ctx); err != nil {
		return false, err
	}
	defer m.mu.Unlock()
	l, err := m.log(log)
	switch {
	case err != nil:
		return true, nil
	case l.head.State != daybook.LogClosed:
		return false, fmt.Errorf("drop log %d: it is not closed", log)
	case len(l.blocks) > dropParts:
		l.blocks = l.blocks[dropParts:]
		m.move(l)
		return false, nil
	}
	maps.DeleteFunc(m.keys, func(ref daybook.KeyRef, _ daybook.Key) bool { return ref.Log == log })
	m.logs[log-1] = nil
	m.move(l)
	m.gone[log] = m.moved
	if n := m.newest[l.head.Org]; n != nil && n.head.Log == log {
		delete(m.newest, l.head.Org)
		for _, other := range m.logs { // numbers ascend with epochs
			if other != nil && other.head.Org == l.head.Org {
				m.newest[l.head.Org] = other
			}
		}
	}
	return true, nil
}
