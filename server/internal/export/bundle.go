package export

import (
	"context"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/control"
)

// pin makes a bundle one of the newest checkpoint, which is signed if there is anything unsigned.
func (r *Runner) pin(ctx context.Context, x *control.Export) error {
	c, err := r.book.Checkpoint(ctx, x.Org)
	if daybook.CodeOf(err) == daybook.CodeNotFound || err == nil && c.Size == 0 {
		return &daybook.Error{Code: daybook.CodeInvalid, Rule: "empty_range", Field: "/format", Message: "there is nothing recorded that a bundle could prove."}
	}
	if err != nil {
		return err
	}
	x.Size, x.Epoch = c.Size, c.Epoch
	return nil
}

// bundle writes an evidence bundle, which is not made of pieces: what a restart interrupts begins again. What is erased meanwhile makes
// it begin again too, with a checkpoint that knows of the erasure.
func (j *job) bundle() error {
	if j.at.bytes > 0 {
		return errors.New("a bundle cannot be continued")
	}
	q, err := j.question(0)
	if err != nil {
		return err
	}
	var out io.Writer = writerFunc(j.write)
	var z *gzip.Writer
	if j.x.Compression == Gzip {
		z = gzip.NewWriter(out)
		out = z
	}
	stat, err := j.r.book.WriteBundle(j.ctx, out, daybook.BundleQuery{
		Org: j.org, Size: j.x.Size, Text: q.Text, Zone: q.Zone, From: q.From, To: q.To, Now: q.Now, Mask: j.x.Mask, Since: j.x.Since,
		Progress: func(s daybook.BundleStat) {
			j.scanned.Store(s.Shown + s.Leaves + s.Hidden)
			j.rows.Store(s.Shown)
			j.bytes.Store(j.at.bytes)
		},
	})
	var coded *daybook.Error
	if errors.As(err, &coded) && coded.Rule == "removed_since" {
		return j.again()
	}
	if err == nil && z != nil {
		err = z.Close()
	}
	j.at.rows = stat.Shown
	return err
}

// again pins the bundle anew.
func (j *job) again() error {
	x := j.x
	if err := j.r.pin(j.ctx, &x); err != nil {
		return err
	}
	_, err := j.r.exports.Change(j.ctx, j.org, j.id, func(now *control.Export) bool {
		if !j.owns(now) {
			return false
		}
		restart(now)
		now.Size, now.Epoch = x.Size, x.Epoch
		return true
	})
	if err != nil {
		return err
	}
	return errAgain
}

type writerFunc func(b []byte) error

// Write is part of io.Writer.
func (f writerFunc) Write(b []byte) (int, error) {
	if err := f(b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// bundleFormat stands for the bundle where formats are asked for: its file is the Book's from the first byte to the last.
type bundleFormat struct{}

func (bundleFormat) wants() int { return 0 }

func (bundleFormat) begin() ([]byte, error) { return nil, nil }

func (bundleFormat) piece([]*daybook.Passage) (piece, error) {
	return piece{}, errors.New("a bundle has no pieces")
}

func (bundleFormat) end([][]byte, int64) ([]byte, error) { return nil, nil }
