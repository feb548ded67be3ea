package daybook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/daybook-audit/daybook/internal/durable"
)

// ErrSpoolFull says that the spool has no room: the Recorder has been away for too long.
var ErrSpoolFull = errors.New("daybook: the spool is full")

// RecordAsync completes e like [Clerk.Record] and returns once it is durable in the spool: it survives the end of the process and power
// loss. Delivery follows in order, at least once, and the event id makes a repeat harmless. When the spool is full it fails with
// [ErrSpoolFull]; it never drops. OccurredAt is the time of the call when e has none. What the log would refuse is refused here.
func (c *Clerk) RecordAsync(ctx context.Context, e Event) (ID, error) {
	e, text, err := c.outgoing(ctx, e)
	if err != nil {
		return e.ID, err
	}
	if c.spool == nil {
		return e.ID, errors.New("daybook: RecordAsync needs ClerkOptions.Spool")
	}
	if silenced(ctx, c) {
		return e.ID, nil
	}
	if err := c.spool.append(&e, text); err != nil {
		return e.ID, fmt.Errorf("record %s: %w", e.Action, err)
	}
	noteRecorded(ctx)
	return e.ID, nil
}

// spool is the events of a Clerk that are recorded later: a folder of its own below ClerkOptions.Spool, and those of dead processes.
type spool struct {
	c       *Clerk
	own     *durable.Journal
	adopted []*durable.Journal // owned by run

	wake   chan struct{}
	cancel context.CancelFunc
	ended  chan struct{} // closed by run

	mu      sync.Mutex
	writers sync.WaitGroup // appends under way, guarded by mu as long as not closed
	closed  bool
}

// maxSpools bounds the processes that share a folder.
const maxSpools = 1000

// openSpool takes the first free folder, and those that dead processes left something in.
func openSpool(c *Clerk) (*spool, error) {
	s := &spool{c: c, wake: make(chan struct{}, 1), ended: make(chan struct{})}
	for n := 1; n <= maxSpools; n++ {
		folder := filepath.Join(c.o.Spool, strconv.Itoa(n))
		if s.own != nil && !exists(folder) {
			break
		}
		j, err := durable.OpenJournal(folder)
		switch {
		case errors.Is(err, durable.ErrLocked):
		case err != nil:
			return nil, fmt.Errorf("open the spool: %w", errors.Join(err, s.closeAll()))
		case s.own == nil:
			s.own = j
		case j.Size() > 0:
			s.adopted = append(s.adopted, j)
		default:
			if err := j.Close(); err != nil {
				return nil, fmt.Errorf("open the spool: %w", errors.Join(err, s.closeAll()))
			}
		}
	}
	if s.own == nil {
		return nil, fmt.Errorf("daybook: %d processes have %s already", maxSpools, c.o.Spool)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	go s.run(ctx)
	return s, nil
}

func (s *spool) closeAll() error {
	var err error
	for _, j := range append(s.adopted, s.own) {
		if j != nil {
			err = errors.Join(err, j.Close())
		}
	}
	s.adopted = nil
	return err
}

// put is append for an event that was completed already.
func (s *spool) put(e *Event) error {
	text, err := appendEvent(nil, e)
	if err != nil {
		return err
	}
	return s.append(e, text)
}

// append makes e durable in the spool.
func (s *spool) append(e *Event, text []byte) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	s.writers.Add(1)
	s.mu.Unlock()
	defer s.writers.Done()
	record := make([]byte, 0, len(text)+len(e.Org)+32)
	record = append(e.ID.Append(record), '\n')
	record = append(append(record, e.Org...), '\n')
	record = append(record, text...)
	if s.own.Size()+int64(len(record)) > s.c.o.MaxSpoolBytes {
		return ErrSpoolFull
	}
	// A crash before this returns leaves the event in the spool or not; the caller was told nothing.
	if err := s.own.Append(record); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	s.c.spooled.Add(1)
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return nil
}

func (s *spool) size() int64 { return s.own.Size() }

// run delivers until ctx ends; with closed set, until nothing is left.
func (s *spool) run(ctx context.Context) {
	defer close(s.ended)
	for ctx.Err() == nil {
		j := s.own
		if len(s.adopted) > 0 {
			j = s.adopted[0]
		}
		name, records, torn, err := j.Take()
		switch {
		case err != nil:
			s.c.o.Logger.LogAttrs(ctx, slog.LevelError, "spool cannot be read", slog.Any("error", err))
			pauseFor(ctx, time.Second)
		case name != "":
			s.segment(ctx, j, name, records, torn)
		case j != s.own:
			s.adopted = s.adopted[1:]
			if err := j.Close(); err != nil {
				s.c.o.Logger.LogAttrs(ctx, slog.LevelWarn, "spool of a dead process", slog.Any("error", err))
			}
		case s.isClosed():
			return
		default:
			select {
			case <-s.wake:
			case <-ctx.Done():
			}
		}
	}
}

func (s *spool) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// segment delivers what was taken, and removes it. It returns early only when ctx ends; then the segment stays.
func (s *spool) segment(ctx context.Context, j *durable.Journal, name string, records [][]byte, torn int) {
	letters := make([]letter, 0, len(records))
	for i, r := range records {
		id, rest, _ := bytes.Cut(r, []byte{'\n'})
		org, text, _ := bytes.Cut(rest, []byte{'\n'})
		letters = append(letters, letter{n: int64(i), id: string(id), org: OrgID(org), text: string(text)})
	}
	left, refused := s.c.deliverAll(ctx, letters)
	if len(left) > 0 {
		return
	}
	if torn > 0 {
		// A crash tore the last append, which nobody was told of, or the disk lost something.
		s.c.o.Logger.LogAttrs(ctx, slog.LevelWarn, "spool was torn", slog.String("segment", name), slog.Int("bytes", torn))
	}
	remove := j.Remove
	if refused || torn > 0 { // nothing that may be an event is thrown away
		remove = j.SetAside
	}
	// A crash here leaves the segment: it is delivered again, and the log knows the ids.
	if err := remove(name); err != nil {
		s.c.o.Logger.LogAttrs(ctx, slog.LevelError, "spool cannot be emptied", slog.Any("error", err))
		pauseFor(ctx, time.Second)
	}
}

// pauseFor waits for d, or the end of ctx.
func pauseFor(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// deliverAll records letters in their order until all are recorded or refused, or ctx ends; it returns those that are left then. What is
// refused is logged and counted as lost.
func (c *Clerk) deliverAll(ctx context.Context, letters []letter) (left []letter, refused bool) {
	const first, most = 100 * time.Millisecond, time.Minute
	delay := first
	for len(letters) > 0 && ctx.Err() == nil {
		n := 1 // of one org, in a row
		for n < len(letters) && letters[n].org == letters[0].org {
			n++
		}
		d := delivery{to: c.to, org: letters[0].org}
		err := d.deliver(ctx, letters[:n])
		for _, f := range d.refused {
			e, _ := f.letter.event()
			e.Org = f.letter.org
			c.lose(ctx, &e, f.err)
			refused = true
		}
		if err == nil {
			letters, delay = letters[n:], first
			c.confess(ctx, d.org)
			continue
		}
		letters = d.rest(letters)
		c.o.Logger.LogAttrs(ctx, slog.LevelWarn, "delivery failed", slog.String("org", string(d.org)), slog.Any("error", err))
		pauseFor(ctx, rand.N(delay)+1) //nolint:gosec // G404: spreads attempts, keeps no secret
		delay = min(2*delay, most)
	}
	return letters, refused
}

// rest returns the letters that were neither sent nor refused.
func (d *delivery) rest(letters []letter) (left []letter) {
	done := make(map[int64]bool, len(d.sent)+len(d.refused))
	for _, n := range d.sent {
		done[n] = true
	}
	for _, f := range d.refused {
		done[f.letter.n] = true
	}
	for _, l := range letters {
		if !done[l.n] {
			left = append(left, l)
		}
	}
	return left
}

// Close refuses new events and records what waits in the spool and in memory until ctx ends. It reports how many stayed in the spool, for
// the next Clerk, and how many in memory were lost. The Recorder stays open.
func (c *Clerk) Close(ctx context.Context) (kept, lost int, err error) {
	if c.closed.Swap(true) {
		return 0, 0, ErrClosed
	}
	lost = c.queue.close(ctx)
	c.lost.Add(int64(lost))
	if c.spool != nil {
		kept, err = c.spool.close(ctx)
	}
	return kept, lost, err
}

// close ends the spool and counts what stays.
func (s *spool) close(ctx context.Context) (kept int, err error) {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.writers.Wait()
	select {
	case s.wake <- struct{}{}:
	default:
	}
	select {
	case <-s.ended:
	case <-ctx.Done():
	}
	s.cancel()
	<-s.ended
	for _, j := range append([]*durable.Journal{s.own}, s.adopted...) {
		n, failed := j.Count()
		kept, err = kept+n, errors.Join(err, failed)
	}
	return kept, errors.Join(err, s.closeAll())
}

func exists(folder string) bool {
	found, err := filepath.Glob(filepath.Join(folder, "lock"))
	return err != nil || len(found) > 0
}
