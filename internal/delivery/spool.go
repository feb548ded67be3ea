package delivery

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/daybook-audit/daybook/internal/durable"
)

// ErrSpoolFull says that the spool has no room: the log has been away for too long.
var ErrSpoolFull = errors.New("daybook: the spool is full")

// Spool is letters on a disk. Several processes share a folder: each appends to a part of its own, and takes over the parts that dead
// processes left something in. It is safe for concurrent use.
type Spool struct {
	office Office
	log    *slog.Logger
	most   int64

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

// OpenSpool takes the first free part of folder, and those that dead processes left something in, and begins to deliver: what was left
// first. Beyond so many bytes of its own part it takes nothing.
func OpenSpool(folder string, most int64, of Office, log *slog.Logger) (*Spool, error) {
	s := &Spool{office: of, log: log, most: most, wake: make(chan struct{}, 1), ended: make(chan struct{})}
	for n := 1; n <= maxSpools; n++ {
		part := filepath.Join(folder, strconv.Itoa(n))
		if s.own != nil && !exists(part) {
			break
		}
		j, err := durable.OpenJournal(part)
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
		return nil, fmt.Errorf("daybook: %d processes have %s already", maxSpools, folder)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	go s.run(ctx)
	return s, nil
}

func (s *Spool) closeAll() error {
	var err error
	for _, j := range append(s.adopted, s.own) {
		if j != nil {
			err = errors.Join(err, j.Close())
		}
	}
	s.adopted = nil
	return err
}

// Append returns once l is durable: it survives the end of the process and power loss. [ErrSpoolFull] and [ErrClosed] say that it was not
// taken; after any other error that is not known.
func (s *Spool) Append(l *Letter) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	s.writers.Add(1)
	s.mu.Unlock()
	defer s.writers.Done()
	record := l.record()
	if s.own.Size()+int64(len(record)) > s.most {
		return ErrSpoolFull
	}
	// A crash before this returns leaves the letter in the spool or not; the caller was told nothing.
	if err := s.own.Append(record); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return nil
}

// record returns what stands on the disk: id and org, each with a line break behind it, and the text.
func (l *Letter) record() []byte {
	r := make([]byte, 0, len(l.ID)+len(l.Org)+len(l.Text)+2)
	r = append(append(r, l.ID...), '\n')
	r = append(append(r, l.Org...), '\n')
	return append(r, l.Text...)
}

// letterOf reads a record. What is no letter of ours is one that no log takes.
func letterOf(n int, record []byte) Letter {
	id, rest, _ := bytes.Cut(record, []byte{'\n'})
	org, text, _ := bytes.Cut(rest, []byte{'\n'})
	return Letter{N: int64(n), ID: string(id), Org: string(org), Text: string(text)}
}

// Size returns the bytes that wait in the Spool's own part.
func (s *Spool) Size() int64 { return s.own.Size() }

// run delivers until ctx ends; with closed set, until nothing is left.
func (s *Spool) run(ctx context.Context) {
	defer close(s.ended)
	for ctx.Err() == nil {
		j := s.own
		if len(s.adopted) > 0 {
			j = s.adopted[0]
		}
		name, records, torn, err := j.Take()
		switch {
		case err != nil:
			s.log.LogAttrs(ctx, slog.LevelError, "spool cannot be read", slog.Any("error", err))
			pause(ctx, time.Second)
		case name != "":
			s.segment(ctx, j, name, records, torn)
		case j != s.own:
			s.adopted = s.adopted[1:]
			if err := j.Close(); err != nil {
				s.log.LogAttrs(ctx, slog.LevelWarn, "spool of a dead process", slog.Any("error", err))
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

func (s *Spool) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// segment delivers what was taken, and removes it. It returns early only when ctx ends; then the segment stays.
func (s *Spool) segment(ctx context.Context, j *durable.Journal, name string, records [][]byte, torn int) {
	letters := make([]Letter, 0, len(records))
	for i, r := range records {
		letters = append(letters, letterOf(i, r))
	}
	left, lost := bring(ctx, s.office, s.log, letters)
	if len(left) > 0 {
		return
	}
	if torn > 0 {
		// A crash tore the last append, which nobody was told of, or the disk lost something.
		s.log.LogAttrs(ctx, slog.LevelWarn, "spool was torn", slog.String("segment", name), slog.Int("bytes", torn))
	}
	remove := j.Remove
	if lost || torn > 0 { // nothing that may be an event is thrown away
		remove = j.SetAside
	}
	// A crash here leaves the segment: it is delivered again, and the log knows the ids.
	if err := remove(name); err != nil {
		s.log.LogAttrs(ctx, slog.LevelError, "spool cannot be emptied", slog.Any("error", err))
		pause(ctx, time.Second)
	}
}

// Close takes no more letters, delivers until ctx ends, gives the folder back and counts what stays in it. Call it once.
func (s *Spool) Close(ctx context.Context) (kept int, err error) {
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
