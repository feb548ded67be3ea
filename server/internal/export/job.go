package export

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/durable"
	"github.com/daybook-audit/daybook/server/internal/control"
)

// job writes one export, once. Its goroutines: run, which alone writes the file; a reader of the log; workers that make pieces; and one
// that keeps progress beside the writing.
type job struct {
	ref
	r      *Runner
	ctx    context.Context //nolint:containedctx // of this one run
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when the job has let go of its files

	scanned, rows, bytes atomic.Int64 // how far it came
	begun                atomic.Int64 // Begun of what it writes

	// Owned by run.
	x      control.Export // as it was when the run began
	opened bool           // it has a file
	format format
	file   *durable.Part
	notes  *durable.Part // nil: the format has none
	sum    hash.Hash
	at     mark // what is written

	saving chan error // holds one while nothing is being kept
	kept   time.Time
}

// mark is how far a file is.
type mark struct {
	scanned, bytes, noteBytes int64
	tally
}

// markOf is how far the file of x is, as it was kept; put keeps it.
func markOf(x *control.Export) mark {
	return mark{x.Scanned, x.Bytes, x.NoteBytes, tally{x.Rows, x.ErasedEntries, x.ErasedFields}}
}

func (m *mark) put(x *control.Export) {
	x.Scanned, x.Bytes, x.NoteBytes, x.Rows, x.ErasedEntries, x.ErasedFields = m.scanned, m.bytes, m.noteBytes, m.rows, m.erasedEntries, m.erasedFields
}

func newJob(r *Runner, x ref) *job {
	j := &job{ref: x, r: r, done: make(chan struct{}), saving: make(chan error, 1)}
	j.ctx, j.cancel = context.WithCancelCause(r.ctx)
	j.saving <- nil
	return j
}

// run writes the export from where it was left to its end. Errors that are one of the causes say why it stopped before.
func (j *job) run() (err error) {
	if err := j.begin(); err != nil {
		return j.cause(err)
	}
	defer func() {
		if j.file != nil { // it was not finished: it stays, to be resumed
			err = errors.Join(err, j.file.Close())
		}
		if j.notes != nil {
			err = errors.Join(err, j.notes.Close())
		}
	}()
	if err := j.resume(); err != nil {
		return j.cause(err)
	}
	if j.x.Format == Bundle {
		err = j.bundle()
	} else {
		err = j.copy()
	}
	if saved := <-j.saving; err == nil {
		err = saved
	}
	if err != nil {
		err = j.cause(err)
		if errors.Is(err, errStopping) && j.x.Format != Bundle { // the next process goes on exactly here
			return errors.Join(err, j.save(context.WithoutCancel(j.ctx), j.at, true))
		}
		return err
	}
	return j.cause(j.finish())
}

// cause replaces the error of an ended context by why it was ended.
func (j *job) cause(err error) error {
	if err != nil && j.ctx.Err() != nil {
		return context.Cause(j.ctx)
	}
	return err
}

// begin marks the export as running.
func (j *job) begin() error {
	x, err := j.r.exports.Change(j.ctx, j.org, j.id, func(x *control.Export) bool {
		if x.Finished() {
			return false
		}
		if x.Maker != "" && x.Maker != j.r.o.Node { // it died, or sleeps and will go on writing its file
			restart(x)
		}
		x.State, x.Maker, x.Folder = control.ExportRunning, j.r.o.Node, j.r.folder
		if x.StartedAt == 0 {
			x.StartedAt = j.r.o.Now().UnixMicro()
		}
		return true
	})
	if err == nil && x.Finished() {
		err = errCancelled
	}
	j.x = x
	j.begun.Store(int64(x.Begun))
	return err
}

// resume opens the files where they were left. If less is left of them than was kept, the export begins again.
func (j *job) resume() error {
	err := j.open()
	if errors.Is(err, durable.ErrShort) {
		if err := j.r.remove(&j.x); err != nil {
			return err
		}
		if j.x, err = j.r.exports.Change(j.ctx, j.org, j.id, func(x *control.Export) bool { restart(x); return !x.Finished() }); err != nil {
			return err
		}
		j.begun.Store(int64(j.x.Begun))
		err = j.open()
	}
	if err != nil {
		return err
	}
	if j.x.Format == WorkOS && j.x.Width == 0 {
		if err := j.measure(); err != nil {
			return err
		}
	}
	if j.format, err = formatOf(&j.x); err != nil {
		return err
	}
	j.kept = j.r.o.Now()
	if j.at.bytes > 0 {
		return nil
	}
	head, err := j.format.begin()
	if err != nil {
		return err
	}
	return j.write(head)
}

func (j *job) open() (err error) {
	j.at, j.opened = markOf(&j.x), true
	j.show()
	if j.file, err = durable.Resume(j.r.path(&j.x), 0o600, j.at.bytes); err != nil {
		return err
	}
	if j.x.Format == Parquet {
		if j.notes, err = durable.Resume(j.r.notes(&j.x), 0o600, j.at.noteBytes); err != nil {
			return errors.Join(err, j.letGo())
		}
	}
	j.sum = sha256.New()
	if _, err := io.Copy(j.sum, io.NewSectionReader(j.file, 0, j.at.bytes)); err != nil {
		return errors.Join(fmt.Errorf("read what is written: %w", err), j.letGo())
	}
	return nil
}

// letGo closes the file, which is not to be written on.
func (j *job) letGo() error {
	f := j.file
	j.file = nil
	return f.Close()
}

func (j *job) show() {
	j.scanned.Store(j.at.scanned)
	j.rows.Store(j.at.rows)
	j.bytes.Store(j.at.bytes)
}

// question is what the export asks for, from a seq on.
func (j *job) question(first int64) (daybook.PassageQuery, error) {
	zone, err := time.LoadLocation(j.x.TZ)
	return daybook.PassageQuery{
		Org: j.org, Text: j.x.Query, Zone: zone, From: j.x.From, To: j.x.To, Now: j.x.Now, First: first, Size: j.x.Size, Epoch: j.x.Epoch,
	}, err
}

// measure finds the widest event, which the header of the WorkOS file needs.
func (j *job) measure() error {
	q, err := j.question(0)
	if err != nil {
		return err
	}
	width := 0
	if j.x.Size > 0 {
		for p, err := range j.r.book.Passages(j.ctx, q) {
			if err != nil {
				return err
			}
			n, err := widest(p)
			if err != nil {
				return err
			}
			width = max(width, n)
		}
	}
	j.x, err = j.r.exports.Change(j.ctx, j.org, j.id, func(x *control.Export) bool { x.Width = 1 + width; return true })
	return err
}

// slot is where a worker puts a piece, in the order of the log.
type slot struct {
	passages []*daybook.Passage
	next     int64
	made     chan made
}

type made struct {
	piece
	err error
}

// copy reads the log, makes pieces and writes them in order. In memory are at most a piece a worker, and one.
func (j *job) copy() error {
	if j.at.scanned >= j.x.Size {
		return nil
	}
	ctx, stop := context.WithCancel(j.ctx)
	var wait sync.WaitGroup
	defer wait.Wait()
	defer stop()
	// One piece is waited for, one is being gathered, and the workers have the others: large ones must not pile up.
	workers := j.r.o.Workers
	todo, order := make(chan *slot, workers), make(chan *slot, max(workers-1, 1))
	var readErr error
	wait.Go(func() {
		defer close(order)
		defer close(todo)
		readErr = j.read(ctx, func(s *slot) bool {
			for _, to := range []chan *slot{order, todo} {
				select {
				case to <- s:
				case <-ctx.Done():
					return false
				}
			}
			return true
		})
	})
	for range workers {
		wait.Go(func() {
			for s := range todo {
				p, err := j.format.piece(s.passages)
				for _, passage := range s.passages {
					passage.Release() // a piece has copied what it shows
				}
				s.passages = nil
				s.made <- made{p, err}
			}
		})
	}
	for s := range order {
		var m made
		select {
		case m = <-s.made:
		case <-ctx.Done():
			return ctx.Err()
		}
		if m.err != nil {
			return m.err
		}
		if err := j.add(m.piece, s.next); err != nil {
			return err
		}
		giveBytes(m.bytes)
	}
	// order is closed after the last write of readErr.
	return readErr
}

// read gathers passages to pieces of the size that the format wants, and gives each out.
func (j *job) read(ctx context.Context, give func(*slot) bool) error {
	q, err := j.question(j.at.scanned)
	if err != nil {
		return err
	}
	const (
		mostBytes    = 6 << 20 // of one piece: a few of them are in memory
		mostPassages = 4096    // that hold little
	)
	s := &slot{made: make(chan made, 1)}
	rows, bytes := 0, 0
	for p, err := range j.r.book.Passages(ctx, q) {
		if err != nil {
			return err
		}
		s.next = p.Next
		if p.Len() > 0 {
			s.passages = append(s.passages, p)
		}
		rows, bytes = rows+p.Len(), bytes+p.Bytes()
		more := rows < j.format.wants() && bytes < mostBytes && len(s.passages) < mostPassages && p.Next < p.Size
		if more && rows > 0 { // a slot without rows says how far the log was looked at
			continue
		}
		if !give(s) {
			return ctx.Err()
		}
		s, rows, bytes = &slot{made: make(chan made, 1)}, 0, 0
	}
	return nil
}

// add writes a piece; everything below next is then looked at.
func (j *job) add(p piece, next int64) error {
	if err := j.write(p.bytes); err != nil {
		return err
	}
	if p.note != nil {
		note := append(binary.BigEndian.AppendUint32(nil, uint32(len(p.note))), p.note...)
		if _, err := j.notes.Write(note); err != nil {
			return err
		}
		j.at.noteBytes += int64(len(note))
	}
	j.at.scanned = next
	j.at.add(p.tally)
	j.show()
	return j.keep()
}

func (j *job) write(b []byte) error {
	if _, err := j.file.Write(b); err != nil {
		return err
	}
	j.sum.Write(b)
	j.at.bytes += int64(len(b))
	return nil
}

// keep keeps progress beside the writing, when it is time and the last time has ended.
func (j *job) keep() error {
	now := j.r.o.Now()
	if now.Sub(j.kept) < j.r.o.Every {
		return nil
	}
	select {
	case err := <-j.saving:
		if err != nil {
			j.saving <- nil // whoever waits for the end
			return err
		}
	default:
		return nil
	}
	j.kept = now
	at := j.at
	j.r.wait.Go(func() { j.saving <- j.save(j.ctx, at, false) })
	return nil
}

// save makes what is written durable and then says so, and with letGo that another process may go on with it. A crash between the two leaves more in the files than is known, which Resume cuts
// off.
func (j *job) save(ctx context.Context, at mark, letGo bool) error {
	if err := j.file.Sync(); err != nil {
		return err
	}
	if j.notes != nil {
		if err := j.notes.Sync(); err != nil {
			return err
		}
	}
	x, err := j.r.exports.Change(ctx, j.org, j.id, func(x *control.Export) bool {
		if !j.owns(x) {
			return false
		}
		at.put(x)
		x.Attempts = 0
		if letGo {
			x.Maker = ""
		}
		return true
	})
	if err == nil && !letGo {
		err = j.lostTo(&x)
	}
	return err
}

// owns reports whether x is still what this job writes.
func (j *job) owns(x *control.Export) bool { return j.lostTo(x) == nil }

// lostTo says why it is not.
func (j *job) lostTo(x *control.Export) error {
	switch {
	case x.Finished():
		return errCancelled
	case x.Maker != j.r.o.Node:
		return errElsewhere
	case int64(x.Begun) != j.begun.Load():
		return errAgain
	}
	return nil
}

// finish writes the end and gives the file its name, and then says that it is ready. A crash before that leaves a whole file of a running
// export: nothing is left to resume, and it is written again.
func (j *job) finish() error {
	notes, err := j.readNotes()
	if err != nil {
		return err
	}
	end, err := j.format.end(notes, j.at.bytes)
	if err != nil {
		return err
	}
	if err := j.write(end); err != nil {
		return err
	}
	f := j.file
	j.file = nil
	if err := f.Commit(); err != nil {
		return err
	}
	x, err := j.r.exports.Change(j.ctx, j.org, j.id, func(x *control.Export) bool {
		if !j.owns(x) {
			return false
		}
		now := j.r.o.Now()
		j.at.scanned = x.Size
		j.at.put(x)
		x.State, x.SHA256 = control.ExportReady, j.sum.Sum(nil)
		x.FinishedAt, x.ExpiresAt = now.UnixMicro(), now.Add(j.r.o.Keep).UnixMicro()
		return true
	})
	if err != nil {
		return err
	}
	if x.State != control.ExportReady { // somebody else was faster: nobody may find the file
		return errors.Join(j.lostTo(&x), j.r.remove(&j.x))
	}
	j.x = x
	return durable.RemovePart(j.r.notes(&x))
}

// readNotes returns the notes of every piece.
func (j *job) readNotes() ([][]byte, error) {
	if j.notes == nil {
		return nil, nil
	}
	all := make([]byte, j.at.noteBytes)
	if _, err := j.notes.ReadAt(all, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read the notes: %w", err)
	}
	var notes [][]byte
	for len(all) > 4 {
		n := int(binary.BigEndian.Uint32(all))
		if n > len(all)-4 {
			return nil, errors.New("the notes are cut off")
		}
		notes = append(notes, all[4:4+n])
		all = all[4+n:]
	}
	return notes, nil
}
