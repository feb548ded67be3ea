//go:build unix && !solaris && !illumos && !aix

package durable

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lockFile takes the lock of a file, made where it is missing, for the life of what it returns.
func lockFile(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = ErrLocked
		}
		return nil, fmt.Errorf("lock %s: %w", name, errors.Join(err, f.Close()))
	}
	return f, nil
}

// unlockFile gives the lock back at once; closing alone would not, while a fork of this process has the file open.
func unlockFile(f *os.File) error {
	return errors.Join(syscall.Flock(int(f.Fd()), syscall.LOCK_UN), f.Close())
}
