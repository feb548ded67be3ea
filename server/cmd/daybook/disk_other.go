//go:build !unix

package main

import (
	"errors"
	"io/fs"
)

// freeSpace is known on Unix only.
func freeSpace(string) (int64, error) {
	return 0, errors.New("free space is not known on this system")
}

// ofRoot is known on Unix only.
func ofRoot(fs.FileInfo) bool { return false }
