package postgres

import (
	"context"
	"crypto/rand"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// tellEvery is how far apart two notices of one process are, at least.
	tellEvery = 20 * time.Millisecond

	// The notice is sent after the commit that it tells of, never with it: within the commit it would make all of them wait for one lock.
	sqlTell = `SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)`
)

// news tells other processes that something was written, and hears of what they wrote. A notice is a hint and says nothing: who hears it
// looks.
type news struct {
	s       *Store
	channel string
	self    string // what our own notices carry
	stop    context.CancelFunc
	done    sync.WaitGroup
	dirty   chan struct{} // one slot: something was written since the last notice

	mu     sync.Mutex
	waking chan struct{} // closed when the next notice comes
}

// beginNews starts what tells and what listens, which end with end.
func (s *Store) beginNews(ctx context.Context) *news {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	n := &news{s: s, channel: channelOf(s.schema), self: rand.Text(), stop: stop, dirty: make(chan struct{}, 1), waking: make(chan struct{})}
	if !s.readOnly {
		n.done.Go(func() { n.telling(ctx) })
	}
	if !s.pooled {
		n.done.Go(func() { n.listening(ctx) })
	}
	return n
}

// channelOf names the channel of a schema; names longer than those of PostgreSQL meet others, which is harmless.
func channelOf(schema string) string { return (schema + " daybook")[:min(len(schema)+8, 63)] }

func (n *news) end() {
	if n != nil {
		n.stop()
		n.done.Wait()
	}
}

// tell has other processes told that something was written.
func (n *news) tell() {
	select {
	case n.dirty <- struct{}{}:
	default:
	}
}

// telling sends a notice at once after the first write, and then at most every tellEvery. One that fails is not repeated: whoever waits
// looks by itself before long.
func (n *news) telling(ctx context.Context) {
	for {
		select {
		case <-n.dirty:
		case <-ctx.Done():
			return
		}
		if _, err := n.s.exec(ctx, lazy, statement{text: sqlTell, args: []any{n.channel, n.self}}); err != nil && ctx.Err() == nil {
			n.s.logger.LogAttrs(ctx, slog.LevelDebug, "no notice was sent", slog.Any("error", err))
		}
		if pause(ctx, tellEvery) != nil {
			return
		}
	}
}

// next returns a channel that is closed when a notice of another process comes.
func (n *news) next() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.waking
}

func (n *news) wake() {
	n.mu.Lock()
	defer n.mu.Unlock()
	close(n.waking)
	n.waking = make(chan struct{})
}

// listening keeps a connection of its own that listens, and makes another when it breaks.
func (n *news) listening(ctx context.Context) {
	for delay := time.Duration(0); ; {
		heard, err := n.listen(ctx)
		if ctx.Err() != nil {
			return
		}
		n.s.logger.LogAttrs(ctx, slog.LevelDebug, "the connection that listens has ended", slog.Any("error", err))
		if delay = min(max(2*delay, 100*time.Millisecond), 5*time.Second); heard {
			delay = 100 * time.Millisecond
		}
		n.wake() // a notice may have been lost
		if pause(ctx, jitter(delay)) != nil {
			return
		}
	}
}

// listen hears notices until its connection breaks.
func (n *news) listen(ctx context.Context) (connected bool, err error) {
	c, err := n.s.connect(ctx, n.s.pool.Config().ConnConfig)
	if err != nil {
		return false, err
	}
	defer c.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing was written
	if _, err := c.Exec(ctx, "LISTEN "+pgx.Identifier{n.channel}.Sanitize()); err != nil {
		return false, err
	}
	n.wake() // what was told before we listened
	for {
		notice, err := c.WaitForNotification(ctx)
		if err != nil {
			return true, err
		}
		if !strings.HasSuffix(notice.Payload, n.self) {
			n.wake()
		}
	}
}
