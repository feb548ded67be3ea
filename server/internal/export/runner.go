package export

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/durable"
	"github.com/daybook-audit/daybook/server/internal/control"
)

// Book is what the runner asks of a [daybook.Book].
type Book interface {
	Info(ctx context.Context, orgs ...daybook.OrgID) ([]daybook.LogInfo, error)
	Search(ctx context.Context, q daybook.EventQuery) (*daybook.Page, error)
	Passages(ctx context.Context, q daybook.PassageQuery) iter.Seq2[*daybook.Passage, error]
	Checkpoint(ctx context.Context, org daybook.OrgID) (daybook.Checkpoint, error)
	WriteBundle(ctx context.Context, w io.Writer, q daybook.BundleQuery) (daybook.BundleStat, error)
}

// Options is how a Runner works. Dir is needed; the rest may be zero.
type Options struct {
	Dir     string           // for the files; made if it is missing
	Now     func() time.Time // nil: time.Now
	Logger  *slog.Logger     // nil: nothing is logged
	Jobs    int              // exports written at once; 2
	Workers int              // goroutines that one export makes its pieces in; as many as processors
	Keep    time.Duration    // for which a file is kept; 7 days
	Link    time.Duration    // for which an address of a file opens it; 10 minutes
	Every   time.Duration    // how often at least progress is kept, which a restart goes on from; 2 s
	// Lease, if set, is that of a store which several processes use: it takes name for a time, or gives it back for none. ErrLeaseHeld: another
	// process has it. Node is the name of this process among them, like no other before it.
	Lease     func(ctx context.Context, name string, ttl time.Duration) error
	LeaseTime time.Duration // after which another process takes over what one that died was writing; 15 s
	Node      string
	// Ended, if set, is told of every export that has become ready or has failed. It must not block.
	Ended func(control.Export)
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now //nolint:forbidigo // the default of an option
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Jobs == 0 {
		o.Jobs = 2
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Keep == 0 {
		o.Keep = 7 * 24 * time.Hour
	}
	if o.Link == 0 {
		o.Link = 10 * time.Minute
	}
	if o.LeaseTime == 0 {
		o.LeaseTime = 15 * time.Second
	}
	if o.Every == 0 {
		o.Every = 2 * time.Second
	}
	if o.Ended == nil {
		o.Ended = func(control.Export) {}
	}
	return o
}

// Bounds of what is kept.
const (
	mostOpen   = 20                  // exports of one organization that are not finished
	keepRecord = 90 * 24 * time.Hour // of an export that has no file any more
	sweepEvery = time.Hour
)

// Runner carries exports out, oldest first. What a restart interrupts goes on where it was last kept; what fails for a passing reason is
// tried again. It is safe for concurrent use.
//
// Of several processes that use a store, each with a Runner, one at a time writes an export, under a lease. What a process that has let go
// of it has written is continued by another, if it sees the file; what one that died was writing begins anew in a file of another name, so
// that no two ever write the same. They must have one folder for that each of them can hand out every file.
type Runner struct {
	book    Book
	exports *control.Exports
	key     []byte
	o       Options
	folder  string // which one Options.Dir is; empty: there is one process

	stop context.CancelCauseFunc
	ctx  context.Context //nolint:containedctx // of everything that runs in the background
	wait sync.WaitGroup
	wake chan struct{}

	mu      sync.Mutex
	queue   []ref
	running map[string]*job // by id
}

// ref names an export.
type ref struct {
	org daybook.OrgID
	id  string
}

// Causes that end a job.
var (
	errStopping  = errors.New("the server is stopping")
	errCancelled = errors.New("the export was cancelled")
	errAgain     = errors.New("the export begins again")
)

// Open makes the folder and begins with what is not finished. key signs the addresses of files. Close it before the Book.
func Open(ctx context.Context, book Book, exports *control.Exports, key []byte, o Options) (*Runner, error) {
	r := &Runner{book: book, exports: exports, key: key, o: o.withDefaults(), running: map[string]*job{}}
	if err := durable.MkdirAll(r.o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of exports: %w", err)
	}
	if err := r.shareFolder(ctx); err != nil {
		return nil, err
	}
	open, err := exports.Open(ctx)
	if err != nil {
		return nil, err
	}
	for i := range open {
		r.queue = append(r.queue, ref{open[i].Org, open[i].ID})
	}
	r.wake = make(chan struct{}, r.o.Jobs)
	r.ctx, r.stop = context.WithCancelCause(context.WithoutCancel(ctx))
	for range r.o.Jobs {
		r.wait.Go(r.work)
	}
	r.wait.Go(r.clean)
	if r.o.Lease != nil {
		r.wait.Go(r.adopt)
	}
	return r, nil
}

// Close interrupts what is being written, keeping how far it came, and waits for that.
func (r *Runner) Close() error {
	r.stop(errStopping)
	r.wait.Wait()
	return nil
}

// Request asks for an export.
type Request struct {
	control.Export          // what is asked for, and by whom
	FromText, ToText string // the bounds in words: "2026-11-01", "now-7d"
	// Before, if set, is told of the export before it is made, and may refuse that.
	Before func(ctx context.Context, x control.Export) error
}

// Create begins an export. It is pending and durable on return, and its size is fixed: what is recorded later is not in it. Errors are
// those of a search, invalid_value for a format that is not there, and a conflict with the rule too_many_exports.
func (r *Runner) Create(ctx context.Context, ask Request) (control.Export, error) {
	x := ask.Export
	if err := check(&x); err != nil {
		return x, err
	}
	zone, err := time.LoadLocation(x.TZ)
	if err != nil || x.TZ == "Local" {
		return x, invalid("/tz", "there is no time zone %q.", short(x.TZ))
	}
	x.Now = r.o.Now().UnixMicro()
	info, err := r.book.Info(ctx, x.Org)
	if err != nil {
		return x, err
	}
	// The search resolves the words and judges the query; what it finds does not matter.
	page, err := r.book.Search(ctx, daybook.EventQuery{
		Org: x.Org, Text: x.Query, Zone: zone, From: x.From, To: x.To, FromText: ask.FromText, ToText: ask.ToText, Now: x.Now, Limit: 1,
	})
	if err != nil {
		return x, err
	}
	x.Query, x.Size, x.Epoch = page.Query, page.Size, info[0].Epoch
	if x.Format == Bundle {
		if err := r.pin(ctx, &x); err != nil {
			return x, err
		}
	}
	if page.From != nil {
		x.From = *page.From
	}
	if page.To != nil {
		x.To = *page.To
	}
	if n, err := r.open(ctx, x.Org); err != nil || n >= mostOpen {
		if err == nil {
			err = &daybook.Error{Code: daybook.CodeConflict, Rule: "too_many_exports", Message: fmt.Sprintf("%d exports of this organization are not finished: wait, or cancel one.", n)}
		}
		return x, err
	}
	if x, err = r.exports.Create(ctx, x, ask.Before); err != nil {
		return x, err
	}
	r.enqueue(ref{x.Org, x.ID})
	return x, nil
}

// open counts the exports of org that are not finished.
func (r *Runner) open(ctx context.Context, org daybook.OrgID) (n int, err error) {
	open, err := r.exports.Open(ctx)
	for i := range open {
		if open[i].Org == org {
			n++
		}
	}
	return n, err
}

// Get returns an export of org as it stands at this moment, or not_found.
func (r *Runner) Get(ctx context.Context, org daybook.OrgID, id string) (control.Export, error) {
	x, err := r.exports.Get(ctx, org, id)
	if err == nil {
		r.refresh(&x)
	}
	return x, err
}

// Find is Get of an export of whatever organization.
func (r *Runner) Find(ctx context.Context, id string) (control.Export, error) {
	x, err := r.exports.Find(ctx, id)
	if err == nil {
		r.refresh(&x)
	}
	return x, err
}

// All returns the exports of org, newest first.
func (r *Runner) All(ctx context.Context, org daybook.OrgID) ([]control.Export, error) {
	all, err := r.exports.All(ctx, org)
	for i := range all {
		r.refresh(&all[i])
	}
	return all, err
}

// Open returns the exports of all organizations that are not finished, oldest first.
func (r *Runner) Open(ctx context.Context) ([]control.Export, error) {
	open, err := r.exports.Open(ctx)
	for i := range open {
		r.refresh(&open[i])
	}
	return open, err
}

// refresh completes what is kept of a running export with how far it has come since.
func (r *Runner) refresh(x *control.Export) {
	r.mu.Lock()
	j := r.running[x.ID]
	r.mu.Unlock()
	if j != nil && x.State == control.ExportRunning {
		x.Scanned, x.Rows, x.Bytes = max(x.Scanned, j.scanned.Load()), max(x.Rows, j.rows.Load()), max(x.Bytes, j.bytes.Load())
	}
}

// Cancel ends an export: what is being written stops, and a file that is there is deleted. It is durable on return; changed says
// that there was something to end. not_found: org has no such export.
func (r *Runner) Cancel(ctx context.Context, org daybook.OrgID, id string) (x control.Export, changed bool, err error) {
	x, err = r.exports.Change(ctx, org, id, func(x *control.Export) bool {
		changed = true
		switch x.State {
		case control.ExportPending, control.ExportRunning:
			x.State = control.ExportCancelled
		case control.ExportReady:
			x.State = control.ExportExpired
		default:
			changed = false
			return false
		}
		x.FinishedAt, x.ExpiresAt = r.o.Now().UnixMicro(), 0
		return true
	})
	if err != nil {
		return x, false, err
	}
	r.interrupt(id, errCancelled)
	// A crash here leaves the file of an export that has ended: Sweep deletes it.
	return x, changed, r.remove(&x)
}

// Withdraw is for an erasure: no file that was made before it may be fetched after it. The files of org are deleted, and what is being
// written begins again. It is durable on return.
func (r *Runner) Withdraw(ctx context.Context, org daybook.OrgID) error {
	all, err := r.exports.All(ctx, org)
	if err != nil {
		return err
	}
	for i := range all {
		x, err := r.exports.Change(ctx, org, all[i].ID, func(x *control.Export) bool {
			switch x.State {
			case control.ExportReady:
				x.State, x.ExpiresAt, x.Error = control.ExportExpired, 0, "deleted, since entries were erased after it was made"
			case control.ExportRunning:
				restart(x)
			default:
				return false
			}
			return true
		})
		if err != nil {
			return err
		}
		r.interrupt(x.ID, errAgain) // the job removes what it has written
		if x.Finished() {
			if err := r.remove(&x); err != nil {
				return err
			}
		}
	}
	return nil
}

// Discard is for the erasure of an organization: what is being written for it ends, and its files are deleted. What is known of its exports
// stays, for who deletes it next; a file that a crash leaves then is deleted by Sweep, since no export has it.
func (r *Runner) Discard(ctx context.Context, org daybook.OrgID) error {
	all, err := r.exports.All(ctx, org)
	if err != nil {
		return err
	}
	for i := range all {
		if _, _, err := r.Cancel(ctx, org, all[i].ID); err != nil {
			return err
		}
	}
	return nil
}

// restart makes x begin from its first entry; a job that writes it does so no longer.
func restart(x *control.Export) {
	x.Begun++
	new(mark).put(x)
	x.Width = 0
}

// interrupt ends the job of id and waits until it has let go of its files.
func (r *Runner) interrupt(id string, cause error) {
	r.mu.Lock()
	j := r.running[id]
	r.mu.Unlock()
	if j != nil {
		j.cancel(cause)
		<-j.done
	}
}

// fileOf is the name of the file of x. What begins anew has another one: whoever was writing the one before may be writing it still.
func fileOf(x *control.Export) string {
	if x.Begun == 0 {
		return x.ID
	}
	return x.ID + "." + strconv.Itoa(x.Begun)
}

// path is where the file of an export is; notes is that of what its end needs.
func (r *Runner) path(x *control.Export) string  { return filepath.Join(r.o.Dir, fileOf(x)) }
func (r *Runner) notes(x *control.Export) string { return r.path(x) + ".notes" }

// remove deletes the files of an export.
func (r *Runner) remove(x *control.Export) error {
	return errors.Join(durable.RemovePart(r.path(x)), durable.RemovePart(r.notes(x)))
}

// Download returns the file of an export that is ready, and under which name and type it is sent. not_found: there is none any more;
// ErrElsewhere: there may be one where this node does not see it.
func (r *Runner) Download(x *control.Export) (f *os.File, name, media string, err error) {
	if x.State != control.ExportReady || r.o.Now().UnixMicro() >= x.ExpiresAt {
		return nil, "", "", control.ErrNotFound
	}
	f, err = os.Open(r.path(x))
	if errors.Is(err, fs.ErrNotExist) && x.Folder != r.folder {
		return nil, "", "", ErrElsewhere
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", "", control.ErrNotFound
	}
	if err != nil {
		return nil, "", "", fmt.Errorf("open the file of %s: %w", x.ID, err)
	}
	return f, fileName(x), mediaType(x), nil
}

// clean deletes what has expired, at the start and every hour.
func (r *Runner) clean() {
	t := time.NewTicker(sweepEvery)
	defer t.Stop()
	for {
		if err := r.Sweep(r.ctx); err != nil && r.ctx.Err() == nil {
			r.o.Logger.LogAttrs(r.ctx, slog.LevelError, "exports that have expired cannot be deleted", slog.Any("error", err))
		}
		select {
		case <-r.ctx.Done():
			return
		case <-t.C:
		}
	}
}

// belongs reports whether the file of this name in the folder of r is one of x as it stands. Another is of a process that was writing x
// before, and has died or will find out.
func (r *Runner) belongs(x *control.Export, name string) bool {
	rest, ok := strings.CutPrefix(name, fileOf(x))
	return ok && (x.Folder == r.folder || x.Folder == "") && (rest == "" || rest == ".part" || rest == ".notes" || rest == ".notes.part")
}

// Sweep deletes the files that have expired and those that no export has, and forgets exports that have had no file for 90 days.
func (r *Runner) Sweep(ctx context.Context) error {
	files, err := os.ReadDir(r.o.Dir)
	if err != nil {
		return fmt.Errorf("list the files of exports: %w", err)
	}
	now := r.o.Now()
	for _, f := range files {
		id, _, _ := strings.Cut(f.Name(), ".")
		if !strings.HasPrefix(id, "exp_") {
			continue
		}
		x, err := r.exports.Find(ctx, id)
		switch {
		case errors.Is(err, control.ErrNotFound):
			err = os.Remove(filepath.Join(r.o.Dir, f.Name()))
		case err != nil:
		case !r.belongs(&x, f.Name()):
			err = os.Remove(filepath.Join(r.o.Dir, f.Name()))
		case x.State == control.ExportReady && now.UnixMicro() >= x.ExpiresAt:
			// First the state: an export that says ready has its file.
			_, err = r.exports.Change(ctx, x.Org, id, func(x *control.Export) bool { x.State = control.ExportExpired; return true })
			err = errors.Join(err, r.remove(&x))
		case x.Finished() && x.State != control.ExportReady:
			err = r.remove(&x)
		}
		if err = ignore(err, fs.ErrNotExist); err != nil { // another process sweeps too
			return err
		}
	}
	return r.exports.Forget(ctx, now.Add(-keepRecord))
}
