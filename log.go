package daybook

import (
	"context"
	"fmt"
	"iter"
)

// Log is the log of one epoch of an org, to be read by who verifies it. It stays that log when a new epoch begins, and is safe for
// concurrent use. What it proves does not depend on signing; who wants a size that is signed takes that of a checkpoint.
type Log struct {
	b *Book
	s *shard
	t *logTail
}

// NewestEpoch as an epoch is the one that takes entries.
const NewestEpoch = -1

// Log returns the log of an epoch of org, or of NewestEpoch. An *Error of CodeNotFound: no such org or epoch.
func (b *Book) Log(ctx context.Context, org OrgID, epoch int) (*Log, error) {
	s := b.shardOf(org)
	t, err := s.open(ctx, org, false)
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, &Error{Code: CodeNotFound, Message: fmt.Sprintf("there is no log of %q", truncate(string(org), 128))}
	}
	if epoch == NewestEpoch || epoch == t.epoch {
		return &Log{b, s, t}, nil
	}
	heads, err := b.store.Epochs(ctx, org)
	if err != nil {
		return nil, fmt.Errorf("list the epochs of %s: %w", org, err)
	}
	for i := range heads {
		if heads[i].Epoch == epoch {
			return &Log{b, s, s.logOf(heads[i])}, nil
		}
	}
	return nil, &Error{Code: CodeNotFound, Message: fmt.Sprintf("there is no epoch %d of %q", epoch, truncate(string(org), 128))}
}

// view returns the picture of now.
func (l *Log) view() view {
	l.s.mu.RLock()
	defer l.s.mu.RUnlock()
	return l.s.viewOf(l.t)
}

// Info says how the log stands and what a reader needs to check it, like Book.LogInfo.
func (l *Log) Info(ctx context.Context) (LogInfo, error) {
	info := l.s.infoOf(l.t)
	lost, err := l.lost(ctx)
	info.MinIndex = lost.Last() + 1
	switch x := l.b.excerpt; {
	case err == nil && x != nil:
		return x.info(info), nil
	case err != nil || l.b.signer == nil:
		return info, err
	}
	return l.b.signer.info(ctx, l.s, l.t, info)
}

// Checkpoint returns the newest checkpoint, like Book.Checkpoint. Of an epoch that has ended it is the last one.
func (l *Log) Checkpoint(ctx context.Context) (Checkpoint, error) {
	if x := l.b.excerpt; x != nil {
		return x.checkpoint()
	}
	if l.b.signer == nil {
		return Checkpoint{}, errSigningOff()
	}
	return l.b.signer.checkpoint(ctx, l.s, l.t)
}

// CheckpointAt returns the stored checkpoint of exactly this size, like Book.CheckpointAt.
func (l *Log) CheckpointAt(ctx context.Context, size int64) (Checkpoint, error) {
	if x := l.b.excerpt; x != nil {
		return x.checkpointAt(size)
	}
	if l.b.signer == nil {
		return Checkpoint{}, errSigningOff()
	}
	c, ok, err := l.b.storedNote(ctx, l.t, size, size+1)
	if err == nil && !ok {
		err = &Error{Code: CodeNotFound, Message: fmt.Sprintf("there is no checkpoint of size %d", size), Err: ErrNotExist}
	}
	return c, err
}

// Checkpoints gives the stored checkpoints of a size below a bound, largest first; a bound of 0 or less is none. It signs nothing. A
// stored note that is damaged is a [DamageError] beside its size and time, and the rest follows; any other error is the last.
func (l *Log) Checkpoints(ctx context.Context, below int64) iter.Seq2[Checkpoint, error] {
	return func(yield func(Checkpoint, error) bool) {
		if l.b.signer == nil && l.b.excerpt == nil {
			yield(Checkpoint{}, errSigningOff())
			return
		}
		if below <= 0 {
			below = newestSize
		}
		for n, err := range l.b.store.Notes(ctx, l.t.no, 0, below, true) {
			if err != nil {
				yield(Checkpoint{}, fmt.Errorf("read the checkpoints of %s: %w", l.t.org, err))
				return
			}
			c, err := openNote(n)
			c.Org, c.Epoch = l.t.org, l.t.epoch
			if !yield(c, err) {
				return
			}
		}
	}
}
