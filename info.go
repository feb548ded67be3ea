package daybook

import (
	"context"
	"errors"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// LogInfo says how a log stands.
type LogInfo struct {
	Org        OrgID
	Exists     bool
	Epoch      int
	State      LogState
	Size       int64     // number of entries
	Root       tlog.Hash // of the tree of Size
	ReceivedAt int64     // of the newest entry, µs; 0 when empty
	Fault      *Damage   // why it is frozen, if what is stored of it contradicts itself, or what was signed; else nil
	NoSpace    bool      // the store had no space for what this process was last to record: events are refused until one fits
	MinIndex   int64     // bundles and inclusion proofs begin here: runs below were pruned with their hashes; only Book.LogInfo and Log.Info fill it in

	// What is signed; only Book.LogInfo fills it in.
	Origin     string
	SignedSize int64  // of the newest checkpoint; −1: none
	Keys       []Vkey // of the log, oldest first
	ClockVkey  string // of the clock line
	AnchorVkey string // of the instance's anchor log
	SignEvery  time.Duration
}

// Vkey is a verifier key of a log: what a reader pins.
type Vkey struct {
	Vkey       string // as golang.org/x/mod/sumdb/note reads it
	Generation int    // from 1
	State      string // KeyCurrent, KeyRetiring or KeyRetired
	Seq        int64  // of the key entry that added it; −1: it is the log's first
}

// The states of a key.
const (
	KeyCurrent  = "current"  // the newest: it signs
	KeyRetiring = "retiring" // it signs beside the newest for a while
	KeyRetired  = "retired"  // it signs no more
)

// InstanceVkeys are the verifier keys that all logs of an instance have in common.
type InstanceVkeys struct {
	Clock  string // of the clock line; empty: nothing is signed
	Anchor string // of the anchor log; empty: there is none
}

// InstanceVkeys returns the keys that tell nothing about any log; without signing they are empty.
func (b *Book) InstanceVkeys(ctx context.Context) (InstanceVkeys, error) {
	if b.excerpt != nil {
		return InstanceVkeys{Clock: b.excerpt.is.ClockVkey}, nil
	}
	if b.signer == nil {
		return InstanceVkeys{}, nil
	}
	keys := InstanceVkeys{Clock: b.signer.clock.Vkey()}
	var err error
	if b.signer.anchors != nil {
		keys.Anchor, err = b.signer.anchors.Vkey(ctx)
	}
	return keys, ofAnchors(err)
}

// Info returns how the logs of orgs stand, in their order. An org without a log has Exists false.
func (b *Book) Info(ctx context.Context, orgs ...OrgID) ([]LogInfo, error) {
	infos := make([]LogInfo, len(orgs))
	for i, org := range orgs {
		s := b.shardOf(org)
		t, err := s.open(ctx, org, false)
		if err != nil {
			return nil, err
		}
		infos[i].Org = org
		if t == nil {
			continue
		}
		infos[i] = s.infoOf(t)
	}
	return infos, nil
}

// infoOf says how t stands.
func (s *shard) infoOf(t *logTail) LogInfo {
	s.mu.RLock()
	defer s.mu.RUnlock()
	info := LogInfo{Org: t.org, Exists: true, Epoch: t.epoch, State: t.head.State, Size: t.size, Root: t.tree.Root(), ReceivedAt: t.received, NoSpace: s.full.Load()}
	if t.fault != nil || t.frozen != nil {
		info.State = LogFrozen
	}
	for _, cause := range []error{t.frozen, t.fault} {
		if e, ok := errors.AsType[*Error](cause); ok && faults[e.Rule] != "" {
			info.Fault = &Damage{From: -1, To: -1, Check: faults[e.Rule], Message: e.Message}
		}
	}
	return info
}

// faults are the checks that freeze a log, by the rule of their error.
var faults = map[string]string{"head_mismatch": CheckHead, "rollback": CheckRollback, "fork": CheckFork}

// LogInfo returns how org's log stands and what a reader needs to check it. An *Error of CodeNotFound: no such org. With signing off
// the members about signing are zero.
func (b *Book) LogInfo(ctx context.Context, org OrgID) (LogInfo, error) {
	l, err := b.Log(ctx, org, NewestEpoch)
	if err != nil {
		return LogInfo{}, err
	}
	return l.Info(ctx)
}
