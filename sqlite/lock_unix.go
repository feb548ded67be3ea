//go:build unix

package sqlite

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// lock takes the file lock of the database at path for the life of the returned file. The kernel gives it back when the process
// ends, however it ends; the file stays and names its last holder.
func lock(path string) (*os.File, error) {
	f, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, readErr := io.ReadAll(io.LimitReader(f, 200))
		closeErr := f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) || readErr != nil {
			return nil, fmt.Errorf("lock %s: %w", f.Name(), errors.Join(err, readErr, closeErr))
		}
		if len(holder) == 0 {
			holder = []byte("a process that is just starting")
		}
		return nil, fmt.Errorf("%s is in use by %s", path, strings.TrimSpace(string(holder)))
	}
	name := fmt.Sprintf("process %d (%s)\n", os.Getpid(), filepath.Base(os.Args[0]))
	if err := errors.Join(f.Truncate(0), writeAt(f, name)); err != nil {
		return nil, fmt.Errorf("name the holder in %s: %w", f.Name(), errors.Join(err, f.Close()))
	}
	return f, nil
}

// unlock gives the lock back at once. Closing alone would not: a process that is being forked by somebody else in this program holds
// the file open, too, until it becomes another program.
func unlock(f *os.File) error {
	return errors.Join(syscall.Flock(int(f.Fd()), syscall.LOCK_UN), f.Close())
}

func writeAt(f *os.File, s string) error {
	_, err := f.WriteAt([]byte(s), 0)
	return err
}

// syncDir makes the names in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
