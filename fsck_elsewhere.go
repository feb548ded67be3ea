package daybook

import (
	"context"
	"errors"
	"fmt"

	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/internal/packed"
)

// readElsewhere reads what authorises removals from logs in which it does not stand: the entries of later epochs that say what was erased
// again after a restore, and, until there are such, the list beside the high-water marks. Both by the id of the log that it is about.
func (f *fsck) readElsewhere(ctx context.Context) error {
	if f.o.HighWater != nil {
		rows, err := f.o.HighWater.Removals(ctx)
		if err != nil {
			return fmt.Errorf("read what was removed: %w", err)
		}
		_, erasures, err := readListed(rows)
		if err != nil {
			return err
		}
		for _, l := range erasures {
			f.erased[logIDOf(l.target)] = append(f.erased[logIDOf(l.target)], l.items(newestSize))
		}
	}
	for h, err := range everyLog(ctx, f.store) {
		if err != nil {
			return err
		}
		if h.Epoch == 0 || h.State == LogClosed {
			continue
		}
		if err := f.readOf(ctx, &h); err != nil {
			return err
		}
	}
	return nil
}

// readOf reads the control entries of one log that are about others. What cannot be read is found by the check of the log itself.
func (f *fsck) readOf(ctx context.Context, h *Head) error {
	take := func(e *kept.Entry) {
		if e.Kind != KindControl {
			return
		}
		text, err := e.Remainder()
		if err != nil {
			return
		}
		if c, err := parseControl(text); err == nil && c.Op == opErase && c.Of != "" {
			f.erased[logIDOf(c.Of)] = append(f.erased[logIDOf(c.Of)], c.ofItems)
		}
	}
	for _, r := range f.tails[h.Log] {
		for i := range r.len() {
			e := r.entry(i)
			take(&e)
		}
	}
	for m, err := range f.store.Blocks(ctx, BlockQuery{Log: h.Log, From: 0, To: h.Packed}) {
		if err != nil {
			return fmt.Errorf("list the blocks of log %d: %w", h.Log, err)
		}
		if m.State&stateControl == 0 {
			continue
		}
		data, err := f.store.Read(ctx, h.Log, []BlockRef{m.BlockRef})
		if errors.Is(err, ErrNotExist) {
			continue // swapped beside a running server; a check then may have to be made again
		}
		if err != nil {
			return fmt.Errorf("read a block of log %d: %w", h.Log, err)
		}
		b, err := packed.ReadBlock(data[0], nil)
		if err != nil {
			continue // the check of the log finds it
		}
		for i := range b.Len() {
			e := b.Entry(i)
			take(&e)
		}
	}
	return nil
}
