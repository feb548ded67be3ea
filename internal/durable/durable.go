// Package durable writes files that survive power loss: after success the new content is on stable storage under its name, and at
// every moment before, a crash leaves the old content or the new one, never a mixture and never an empty file.
//
// The system calls of the happy path, and what a crash after each of them leaves:
//
//	open(folder)             nothing
//	open(temporary, O_EXCL)  an empty temporary file, or none; [Sweep] removes it
//	write(temporary) …       a temporary file with any part of the content
//	fsync(temporary)         a complete temporary file; the name still has the old content
//	rename(temporary, name)  the old content or the new one, whole
//	fsync(folder)            the new content: from here on it stays
//
// The folder is opened before anything is written and stays open, so that an error of writing it back is not lost between two file
// handles. An fsync that failed is never repeated: the kernel may have dropped the pages, and a second call would report success
// (Rebello et al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020).
//
// BUG: On Windows folders cannot be synced; there a file that was just written can be missing after power loss.
package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// suffix ends the names of temporary files.
const suffix = ".durable-tmp"

// WriteFile writes data to the file name, with exactly the permissions perm (0o600 for secrets), and replaces a file that is there.
// It is atomic and durable. After an error the old file is there unchanged, with one exception: if [ErrUnsynced] is in the error, the
// new content is there now and which of the two a crash leaves is not known. Writers of one name may run at once; one of them wins.
func WriteFile(name string, data []byte, perm fs.FileMode) error {
	f, err := Create(name, perm)
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		f.Abort()
		return err
	}
	return f.Commit()
}

// ErrUnsynced says that a file has its new content but that the folder was not synced.
var ErrUnsynced = errors.New("the folder was not synced")

// File is a file being written. It appears under its name when Commit succeeds. It is not safe for concurrent use.
type File struct {
	name   string
	file   *os.File // temporary; nil once committed or aborted
	folder *os.File
	calls  calls
}

// calls are the system calls that tests make fail.
type calls struct {
	sync   func(*os.File) error
	rename func(from, to string) error
}

var system = calls{sync: (*os.File).Sync, rename: os.Rename}

// Create begins to write the file name, which must end in exactly one of Commit and Abort. Until then nothing is seen under the name.
func Create(name string, perm fs.FileMode) (*File, error) { return create(name, perm, system) }

func create(name string, perm fs.FileMode, c calls) (*File, error) {
	folder, err := os.Open(filepath.Dir(name))
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", name, err)
	}
	// CreateTemp makes the file with 0600: nobody else sees the content before it has its own permissions.
	file, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*"+suffix)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", name, errors.Join(err, folder.Close()))
	}
	f := &File{name: name, file: file, folder: folder, calls: c}
	if err := file.Chmod(perm); err != nil {
		f.Abort()
		return nil, fmt.Errorf("write %s: %w", name, err)
	}
	return f, nil
}

// Write appends p. After an error only Abort is of use.
func (f *File) Write(p []byte) (int, error) {
	n, err := f.file.Write(p)
	if err != nil {
		return n, fmt.Errorf("write %s: %w", f.name, err)
	}
	return n, nil
}

// Commit makes the file durable under its name. Errors are those of [WriteFile]; after one there is nothing left to abort.
func (f *File) Commit() error {
	// A crash up to here leaves a temporary file that nobody reads.
	if err := f.calls.sync(f.file); err != nil {
		f.Abort()
		return fmt.Errorf("sync %s: %w", f.name, err)
	}
	if err := f.file.Close(); err != nil {
		f.Abort()
		return fmt.Errorf("close %s: %w", f.name, err)
	}
	// The step that cannot be taken back. A crash between here and the end leaves the old content or the new one, both whole.
	if err := f.calls.rename(f.file.Name(), f.name); err != nil {
		f.Abort()
		return fmt.Errorf("rename to %s: %w", f.name, err)
	}
	f.file = nil
	defer f.folder.Close() //nolint:errcheck // only read; what counted was its sync
	if err := syncFolder(f.folder, f.calls.sync); err != nil {
		return fmt.Errorf("write %s: %w: %w", f.name, ErrUnsynced, err)
	}
	return nil
}

// Abort drops what was written; the name keeps its old content. After Commit it does nothing, so it may be deferred.
func (f *File) Abort() {
	if f.file == nil {
		return
	}
	// Errors change nothing: nobody reads the temporary file, and Sweep finds what is left of it.
	_ = f.file.Close()
	_ = os.Remove(f.file.Name())
	_ = f.folder.Close()
	f.file = nil
}

// MkdirAll makes the folder name and those above it that are missing, and syncs each new one's entry: a database in a folder that is
// lost with the power is lost too.
func MkdirAll(name string, perm fs.FileMode) error {
	name = filepath.Clean(name)
	if at, err := os.Stat(name); err == nil {
		if !at.IsDir() {
			return fmt.Errorf("make folder %s: it is a file", name)
		}
		return nil
	}
	parent := filepath.Dir(name)
	if parent != name {
		if err := MkdirAll(parent, perm); err != nil {
			return err
		}
	}
	// Another process may have made it since; whether that one syncs is not known, so this one does.
	if err := os.Mkdir(name, perm); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make folder %s: %w", name, err)
	}
	folder, err := os.Open(parent)
	if err != nil {
		return fmt.Errorf("sync %s: %w", parent, err)
	}
	defer folder.Close() //nolint:errcheck // only read; what counted was its sync
	if err := syncFolder(folder, system.sync); err != nil {
		return fmt.Errorf("sync %s: %w", parent, err)
	}
	return nil
}

// Sweep removes the temporary files that crashes have left in a folder. They can hold what was meant to be secret or is erased by now.
// Call it before the first writer of the folder starts: it would take a running one's file away, whose Commit then fails.
func Sweep(folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	for _, e := range entries {
		if n := e.Name(); e.Type().IsRegular() && strings.HasPrefix(n, ".") && strings.HasSuffix(n, suffix) {
			if err := os.Remove(filepath.Join(folder, n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("sweep: %w", err)
			}
		}
	}
	return nil
}

func syncFolder(folder *os.File, sync func(*os.File) error) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	return sync(folder)
}
