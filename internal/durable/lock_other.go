//go:build (!unix && !windows) || solaris || illumos || aix

package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// lockFile makes the file, which must not be there: it is removed when the lock is given back. After a kill it stays, and its folder is
// adopted once somebody removes it.
func lockFile(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("lock %s: %w", name, ErrLocked)
	}
	return f, err
}

// unlockFile gives the lock back.
func unlockFile(f *os.File) error { return errors.Join(f.Close(), os.Remove(f.Name())) }
