package sqlite

import (
	"fmt"
	"os"
	"syscall"
)

// lock takes the file lock of the database at path for the life of the returned file: opened without sharing, so that a second open
// fails. The system closes it when the process ends, however it ends.
func lock(path string) (*os.File, error) {
	name, err := syscall.UTF16PtrFromString(path + ".lock")
	if err != nil {
		return nil, err
	}
	h, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil, syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if err != nil {
		return nil, fmt.Errorf("%s is in use by another process, or cannot be locked: %w", path, err)
	}
	return os.NewFile(uintptr(h), path+".lock"), nil
}

// unlock gives the lock back.
func unlock(f *os.File) error { return f.Close() }

// syncDir does nothing: NTFS keeps names in its own journal, and a folder cannot be synced.
func syncDir(string) error { return nil }
