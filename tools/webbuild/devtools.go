package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// developmentTools returns a folder that has what web/test/package-lock.json pins: the type checker, the driver of the browser and the
// like. It is kept in the user's cache under the hash of that file: only the first run downloads. Several processes may ask at once: a
// folder gets its name when it is whole.
func developmentTools(ctx context.Context, root string) (folder string, err error) {
	var text [][]byte
	for _, name := range []string{"package.json", "package-lock.json"} {
		one, err := os.ReadFile(filepath.Join(root, "web/test", name))
		if err != nil {
			return "", err
		}
		text = append(text, one)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	folder = filepath.Join(cache, "daybook-test", fmt.Sprintf("web-%x", sha256.Sum256(slices.Concat(text...))))
	if _, err := os.Stat(folder); err == nil {
		return folder, nil
	}
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		return "", err
	}
	temporary, err := os.MkdirTemp(filepath.Dir(folder), "installing-") // on the disk of the cache, to be renamed
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temporary)) }()
	for i, name := range []string{"package.json", "package-lock.json"} {
		if err := os.WriteFile(filepath.Join(temporary, name), text[i], 0o644); err != nil {
			return "", err
		}
	}
	install := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = temporary
	if out, err := install.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm ci: %w (type tools/install-test-needs, which make test does too)\n%s", err, out)
	}
	if err := os.Rename(temporary, folder); err != nil {
		if _, there := os.Stat(folder); there != nil { // another process may have been first
			return "", err
		}
	}
	return folder, nil
}
