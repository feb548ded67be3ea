package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Held is a store that no process can open, because this one has its lock without having opened it.
type Held struct {
	path string
	lock *os.File
}

// Hold takes the lock of the store at path, which need not be there and need not be whole. It fails while a process has the store.
func Hold(path string) (*Held, error) {
	f, err := lock(path)
	if err != nil {
		return nil, err
	}
	return &Held{path: path, lock: f}, nil
}

// SetAside gives the store the name to, in the same folder, byte for byte and with its write-ahead log. Nothing may have that name. After
// nil the names are durable, and nothing is left under the old one. A crash leaves the store whole under one of the two names; what it
// may leave of a write-ahead log under the old one goes when SetAside is called again, or when a store is made there.
func (h *Held) SetAside(to string) error {
	if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("set %s aside: %s is there", h.path, to)
	}
	// The log gets its second name before the database loses its first: at no moment is there a database without its log.
	err := os.Link(h.path+"-wal", to+"-wal")
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = os.Rename(h.path, to) //nolint:forbidigo // the folder is synced below, once for all three names
	}
	for _, left := range []string{h.path + "-wal", h.path + "-shm"} {
		if err == nil {
			if err = os.Remove(left); errors.Is(err, fs.ErrNotExist) {
				err = nil
			}
		}
	}
	if err == nil {
		err = syncDir(filepath.Dir(h.path))
	}
	if err != nil {
		return fmt.Errorf("set %s aside: %w", h.path, err)
	}
	return nil
}

// Close gives the lock back.
func (h *Held) Close() error { return unlock(h.lock) }
