package daybook

import (
	"errors"
	"fmt"

	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/internal/packed"
	"github.com/daybook-audit/daybook/internal/stored"
)

// Damage is a place of a log at which what is stored contradicts itself. It says nothing about who did it: a disk, or a hand.
type Damage struct {
	From, To int64  // the entries [From, To) that cannot be read; both −1: it is no place of entries
	Check    string // what does not hold, one of the checks below
	Message  string // for people: what was found, without anything of the entries' content
}

// The checks of a [Damage].
const (
	CheckBlock      = "block"      // the bytes of a block: its checksum, its form, or that it is the block of this place
	CheckPayload    = "payload"    // the payload of one entry
	CheckList       = "list"       // that the blocks of the log lie side by side without a gap
	CheckTree       = "tree"       // the hashes that are kept beside the entries
	CheckCheckpoint = "checkpoint" // a stored checkpoint
	CheckHead       = "head"       // that the stored head and the commits after it agree
	CheckRollback   = "rollback"   // that the log reaches as far as it was signed
	CheckFork       = "fork"       // that the log has the root that was signed
)

// DamageError is the error of reading where a log is damaged. It wraps an [*Error] of CodeTampered, so that [CodeOf] knows it.
type DamageError struct {
	Damage
	Err error
}

// Error says where and what.
func (e *DamageError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *DamageError) Unwrap() error { return e.Err }

// damaged says that stored bytes contradict each other.
func damaged(format string, args ...any) error {
	return &Error{Code: CodeTampered, Rule: "damaged", Message: fmt.Sprintf(format, args...)}
}

// ofStored returns an error of stored bytes as callers of a Book know it; every other error stays as it is.
func ofStored(err error) error {
	if d, ok := errors.AsType[*stored.DamageError](err); ok {
		return &Error{Code: CodeTampered, Rule: "damaged", Message: d.Text, Err: d.Err}
	}
	if e, ok := errors.AsType[*kept.NoLeafError](err); ok {
		return errPruned("%v", e)
	}
	return err
}

// errPruned is the refusal of what retention has left nothing of.
func errPruned(format string, args ...any) error {
	return &Error{Code: CodeGone, Rule: "pruned", Message: fmt.Sprintf(format, args...)}
}

// damagedAt gives an error of CodeTampered its place, unless it has one. Every other error stays as it is.
func damagedAt(err error, from, to int64, check string) error {
	if CodeOf(err) != CodeTampered {
		return err
	}
	if _, placed := errors.AsType[*DamageError](err); placed {
		return err
	}
	e, _ := errors.AsType[*Error](err)
	return &DamageError{Damage: Damage{From: from, To: to, Check: check, Message: e.Message}, Err: err}
}

// unpack reads the bytes that are stored as the block of the log of h that m describes. What does not hold is a [DamageError]: also that
// they are another block, which is whole in itself and was moved here.
func (m *BlockMeta) unpack(data []byte, h *Head, into *[]byte) (*packed.Block, error) {
	b, err := packed.ReadBlock(data, into)
	if err != nil {
		return nil, damagedAt(fmt.Errorf("block %d of log %d: %w", m.First, h.Log, ofStored(err)), m.First, m.end(), CheckBlock)
	}
	if b.First != m.First || b.Len() != m.N || b.Log != h.packed() {
		err := damaged("in the place of block %d stands another block", m.First)
		return nil, damagedAt(err, m.First, m.end(), CheckBlock)
	}
	return b, nil
}

// passes reports whether the scan goes on beyond err, which kept it from reading [from, to): then it has noted what it leaves out.
func (s *scan) passes(err error, from, to int64) bool {
	d, ok := errors.AsType[*DamageError](err)
	if !ok || !s.gaps {
		return false
	}
	gap := d.Damage
	gap.From, gap.To = from, to // of this question
	for i := range s.damaged {
		if was := &s.damaged[i]; was.Check == gap.Check && was.Message == gap.Message && was.From <= gap.To && gap.From <= was.To {
			was.From, was.To = min(was.From, gap.From), max(was.To, gap.To)
			return true
		}
	}
	s.damaged = append(s.damaged, gap)
	return true
}

// findings are what a check of the store calls the same: the codes of a [Finding].
var findings = map[string]string{
	CheckBlock: "block_damaged", CheckPayload: "payload_damaged", CheckList: "block_missing", CheckTree: "tree_damaged", CheckCheckpoint: "checkpoint_damaged",
	CheckHead: "head_mismatch", CheckRollback: "rollback", CheckFork: "fork",
}

// Finding is the word for the damage: a code of a [Finding] where Fsck has one.
func (d Damage) Finding() string { return findings[d.Check] }

// String says in one line what is damaged.
func (d Damage) String() string {
	if d.From < 0 {
		return d.Message
	}
	return fmt.Sprintf("entries %d to %d: %s", d.From, d.To-1, d.Message)
}
