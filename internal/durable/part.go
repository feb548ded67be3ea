package durable

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// partSuffix ends the name of a file that is still being written.
const partSuffix = ".part"

// Part is a file that is written over a long time and may be continued by another process after a crash. Nothing is seen under its
// name until Commit; what was written so far is in a file beside it, which [Sweep] leaves alone. Write, Commit and Abort belong to one
// goroutine; Sync may be called beside them.
type Part struct {
	name   string
	file   *os.File
	folder *os.File
	calls  calls
}

// Resume goes on writing the file name after the first size bytes, which an earlier Part has written and synced; with 0 it begins
// anew. What the earlier one wrote beyond size is cut off. If less than size is left, the error is [ErrShort], and only size 0 will do.
func Resume(name string, perm fs.FileMode, size int64) (*Part, error) {
	return resume(name, perm, size, system)
}

// ErrShort says that less is left of a file than was to be continued.
var ErrShort = errors.New("less is left than was written")

func resume(name string, perm fs.FileMode, size int64, c calls) (_ *Part, err error) {
	folder, err := os.Open(filepath.Dir(name))
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", name, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, folder.Close())
		}
	}()
	file, err := os.OpenFile(name+partSuffix, os.O_RDWR|os.O_CREATE, perm)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", name, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, file.Close())
		}
	}()
	at, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", name, err)
	}
	if at.Size() < size {
		return nil, fmt.Errorf("continue %s after %d bytes, there are %d: %w", name, size, at.Size(), ErrShort)
	}
	if err := file.Truncate(size); err != nil {
		return nil, fmt.Errorf("continue %s: %w", name, err)
	}
	// The entry of a new file must be as durable as the first size that Sync promises.
	if err := syncFolder(folder, c.sync); err != nil {
		return nil, fmt.Errorf("write %s: %w", name, err)
	}
	if _, err := file.Seek(size, io.SeekStart); err != nil {
		return nil, fmt.Errorf("continue %s: %w", name, err)
	}
	return &Part{name: name, file: file, folder: folder, calls: c}, nil
}

// ReadAt reads what was written so far.
func (p *Part) ReadAt(b []byte, off int64) (int, error) { return p.file.ReadAt(b, off) }

// Write appends b. After an error the Part is of no use: Close or Abort it.
func (p *Part) Write(b []byte) (int, error) {
	n, err := p.file.Write(b)
	if err != nil {
		return n, fmt.Errorf("write %s: %w", p.name, err)
	}
	return n, nil
}

// Sync makes durable what was written before the call: another Part may be resumed there. An fsync that failed is not to be repeated.
func (p *Part) Sync() error {
	if err := p.calls.sync(p.file); err != nil {
		return fmt.Errorf("sync %s: %w", p.name, err)
	}
	return nil
}

// Commit makes the file durable under its name, replacing one that is there. Errors are those of [WriteFile].
func (p *Part) Commit() error {
	// A crash up to here leaves the file to be resumed.
	if err := p.calls.sync(p.file); err != nil {
		return fmt.Errorf("sync %s: %w", p.name, errors.Join(err, p.Close()))
	}
	if err := p.file.Close(); err != nil {
		return fmt.Errorf("close %s: %w", p.name, errors.Join(err, p.folder.Close()))
	}
	defer p.folder.Close() //nolint:errcheck // only read; what counted was its sync
	// A crash between here and the end leaves the whole file under one of the two names.
	if err := p.calls.rename(p.name+partSuffix, p.name); err != nil {
		return fmt.Errorf("rename to %s: %w", p.name, err)
	}
	if err := syncFolder(p.folder, p.calls.sync); err != nil {
		return fmt.Errorf("write %s: %w: %w", p.name, ErrUnsynced, err)
	}
	return nil
}

// Close leaves what was written to be resumed, as far as it was synced.
func (p *Part) Close() error { return errors.Join(p.file.Close(), p.folder.Close()) }

// RemovePart removes the file name and what was written of it; it is no error if neither is there. It is durable on return.
func RemovePart(name string) error {
	for _, n := range []string{name + partSuffix, name} {
		if err := os.Remove(n); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove: %w", err)
		}
	}
	folder, err := os.Open(filepath.Dir(name))
	if err != nil {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	defer folder.Close() //nolint:errcheck // only read; what counted was its sync
	if err := syncFolder(folder, system.sync); err != nil {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	return nil
}
