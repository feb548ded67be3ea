package export

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/control"
)

// How the nodes of one store share the exports.
const (
	lookEvery  = 5 * time.Second // for what other nodes left
	folderFile = ".daybook-exports"
)

// errElsewhere ends a job whose export another node writes now.
var errElsewhere = errors.New("another node writes the export")

// ErrElsewhere says that the file of an export is in the folder of another node, which this one does not see.
var ErrElsewhere = &daybook.Error{
	Code: daybook.CodeUnavailable, Rule: "export_elsewhere",
	Message: "the file of this export is in a folder of another node: ask that node, or give all nodes one folder (export_dir).",
}

// claim takes the right to write j, and keeps it until release is called, if that is not nil. ErrLeaseHeld: another node has it.
func (j *job) claim() (release func(), err error) {
	r := j.r
	if r.o.Lease == nil {
		return nil, nil
	}
	name := "export/" + j.id
	if err := r.o.Lease(j.ctx, name, r.o.LeaseTime); err != nil {
		return nil, err
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		j.renew(name, stop)
	}()
	return func() {
		close(stop)
		<-done
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), r.o.LeaseTime)
		defer cancel()
		// Without it another node waits a little longer.
		_ = r.o.Lease(ctx, name, 0)
	}, nil
}

// renew keeps the lease of j until stop is closed, and ends j when that fails for too long, or when what it writes is not wanted any more.
func (j *job) renew(name string, stop <-chan struct{}) {
	tick := time.NewTicker(j.r.o.LeaseTime / 3)
	defer tick.Stop()
	until := time.Now().Add(j.r.o.LeaseTime) //nolint:forbidigo // a lease is as long as the kernel's clock says
	for {
		select {
		case <-stop:
			return
		case <-j.ctx.Done():
			return
		case <-tick.C:
		}
		asked := time.Now() //nolint:forbidigo // as above
		ctx, cancel := context.WithTimeout(j.ctx, j.r.o.LeaseTime/3)
		err := j.r.o.Lease(ctx, name, j.r.o.LeaseTime)
		if err == nil {
			until = asked.Add(j.r.o.LeaseTime)
			var x control.Export
			if x, err = j.r.exports.Get(ctx, j.org, j.id); err == nil && x.State != control.ExportReady && !j.owns(&x) { // ready: by this job
				j.cancel(j.lostTo(&x))
			} else if errors.Is(err, control.ErrNotFound) {
				j.cancel(errCancelled)
			}
		}
		cancel()
		if errors.Is(err, daybook.ErrLeaseHeld) || asked.After(until) {
			j.cancel(errElsewhere)
		}
	}
}

// adopt puts what is not finished into the queue again and again: its node may have ended.
func (r *Runner) adopt() {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-tick.C:
		}
		if err := r.Adopt(r.ctx); err != nil && r.ctx.Err() == nil {
			r.o.Logger.LogAttrs(r.ctx, slog.LevelWarn, "which exports wait is not known", slog.Any("error", err))
		}
	}
}

// Adopt has this node write what is not finished and what no other node writes.
func (r *Runner) Adopt(ctx context.Context) error {
	open, err := r.exports.Open(ctx)
	if err != nil {
		return err
	}
	for i := range open {
		r.enqueue(ref{open[i].Org, open[i].ID})
	}
	return nil
}

// shareFolder finds out which folder of exports this node has, and warns when the other nodes have another one.
func (r *Runner) shareFolder(ctx context.Context) (err error) {
	if r.o.Lease == nil {
		return nil
	}
	if r.folder, err = folderID(r.o.Dir); err != nil {
		return fmt.Errorf("mark the folder of exports: %w", err)
	}
	before, err := r.exports.Folder(ctx, r.folder)
	if err != nil {
		return err
	}
	if before != "" && before != r.folder {
		r.o.Logger.LogAttrs(ctx, slog.LevelWarn, "the folder of exports is not the one of the node that started last: a file can be fetched only from the node that wrote it",
			slog.String("folder", r.o.Dir), slog.String("try", "one export_dir for all nodes of the database"))
	}
	return nil
}

// folderID returns the name that is in the folder, put there by whoever comes first.
func folderID(dir string) (string, error) {
	name := filepath.Join(dir, folderFile)
	text, err := os.ReadFile(name)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return string(text), err
	}
	f, err := os.CreateTemp(dir, folderFile+"-*")
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(rand.Text())
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Link(f.Name(), name) // unlike a rename it replaces nothing
	}
	if err = errors.Join(ignore(err, fs.ErrExist), os.Remove(f.Name())); err != nil {
		return "", err
	}
	text, err = os.ReadFile(name)
	return string(text), err
}

// ignore returns err unless it is that.
func ignore(err, that error) error {
	if errors.Is(err, that) {
		return nil
	}
	return err
}
