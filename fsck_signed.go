package daybook

import (
	"context"
	"fmt"
	"iter"

	"github.com/daybook-audit/daybook/internal/checkpoint"
)

// signedBefore is what was signed of a log before the check read its end. What a server beside it signs meanwhile may be beyond that end.
type signedBefore struct {
	largest int64 // size of the newest stored checkpoint; −1: none
	mark    Mark
	marked  bool
}

// readSigned reads the newest checkpoint and the mark of every log.
func (f *fsck) readSigned(ctx context.Context) error {
	for h, err := range everyLog(ctx, f.store) {
		if err != nil {
			return err
		}
		s := signedBefore{largest: -1}
		for n, err := range f.store.Notes(ctx, h.Log, 0, newestSize, true) {
			if err != nil {
				return fmt.Errorf("read the checkpoints of %s: %w", h.Org, err)
			}
			s.largest = n.Size
			break
		}
		if hw := f.o.HighWater; hw != nil {
			if s.mark, s.marked, err = hw.Mark(ctx, checkpoint.Origin(f.o.Origin, h.LogID)); err != nil {
				return fmt.Errorf("read the high-water mark of %s: %w", h.Org, err)
			}
		}
		f.signed[h.Log] = s
	}
	return nil
}

// signedHeads are the heads of one log that were signed, as a check of the log comes to them.
type signedHeads struct {
	signedBefore
	next  func() (StoredNote, error, bool)
	note  Checkpoint // the one that was not come to yet
	more  bool
	count int64 // of checkpoints read
	err   error
}

// beginSigned begins to read the checkpoints of the log, smallest first. The caller ends it.
func (c *logCheck) beginSigned(ctx context.Context) (stop func()) {
	before, ok := c.f.signed[c.head.Log]
	if !ok {
		before.largest = -1
	}
	c.signed = signedHeads{signedBefore: before}
	c.signed.next, stop = iter.Pull2(c.f.store.Notes(ctx, c.head.Log, 0, before.largest+1, false))
	c.nextSigned()
	c.compareSigned() // with the empty log
	return stop
}

// nextSigned reads the next checkpoint that can be read.
func (c *logCheck) nextSigned() {
	s := &c.signed
	for {
		n, err, ok := s.next()
		if s.more = ok && err == nil; !s.more {
			s.err = err
			return
		}
		s.count++
		if s.note, err = openNote(n); err == nil {
			return
		}
		c.find(-1, "checkpoint_damaged", "%v", err)
	}
}

// compareSigned compares the tree as it is with what was signed of its size.
func (c *logCheck) compareSigned() {
	s := &c.signed
	for s.more && s.note.Size <= c.tree.Size {
		if s.note.Size == c.tree.Size && s.note.Root != c.tree.Root() {
			c.find(c.tree.Size-1, "checkpoint_mismatch", "the log's first %d entries do not have the root of their checkpoint", c.tree.Size)
		}
		c.nextSigned()
	}
	if s.marked && c.head.State == LogOpen && s.mark.Size == c.tree.Size && s.mark.Root != c.tree.Root() {
		c.find(c.tree.Size-1, "fork", "the log's first %d entries do not have the root that was signed", c.tree.Size)
	}
}

// finishSigned looks at what was signed beyond the end of the log, if the log could be read to its end. Of an epoch that has ended the
// next one says what was lost.
func (c *logCheck) finishSigned() {
	s := &c.signed
	if c.tree.Size < c.head.Packed || c.head.State != LogOpen {
		return
	}
	for ; s.more; c.nextSigned() {
		c.find(c.tree.Size, "rollback", "there is a checkpoint of size %d, and the log ends at %d", s.note.Size, c.tree.Size)
	}
	switch {
	case s.err != nil:
		c.find(-1, "checkpoint_damaged", "%v", s.err)
	case c.f.o.HighWater != nil && !s.marked && s.largest >= 0:
		c.find(-1, "rollback", "there are checkpoints, and the high-water store knows none of this log")
	case s.marked && s.mark.Size > c.tree.Size:
		c.find(c.tree.Size, "rollback", "a head of size %d was signed, and the log ends at %d", s.mark.Size, c.tree.Size)
	}
}
