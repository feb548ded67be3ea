package api_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/doortest"
)

// TestWorkOSNode runs the official client, in several major versions, against the door: it must not see that this is not WorkOS.
func TestWorkOSNode(t *testing.T) {
	t.Parallel()
	script, err := filepath.Abs("testdata/workos/client.cjs")
	if err != nil {
		t.Fatal(err)
	}
	folder, clients, err := nodeClients(t.Context(), "testdata/workos")
	if err != nil {
		t.Fatal(err)
	}
	if len(clients) < 8 {
		t.Errorf("only %d versions", len(clients))
	}
	for _, client := range clients {
		t.Run(client, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, setup{})
			server := httptest.NewServer(f.server)
			t.Cleanup(server.Close)
			key, reader := f.key("", auth.Record|auth.Read|auth.Export|auth.Manage), f.key("", auth.Read)
			f.Add(time.Second)
			port := server.URL[strings.LastIndexByte(server.URL, ':')+1:]
			out, err := exec.CommandContext(t.Context(), "node", script, folder, client, port, key, reader).CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			doortest.Golden(t, "workos/"+client, string(out))
			w := f.do(ask{path: "/v1/events", key: f.admin, header: []string{"Daybook-Org", "org_1"}})
			if strings.Count(w.Body.String(), `"action":"document.`) != 1 || !strings.Contains(w.Body.String(), `"occurred_at":"2026-01-02T03:04:05.678Z"`) {
				t.Errorf("the log: %s", w.Body)
			}
		})
	}
}

// nodeClients returns a folder that has the packages which the package-lock.json of source pins, and their names. They are kept in
// the user's cache under the hash of that file: only the first run downloads them.
func nodeClients(ctx context.Context, source string) (folder string, names []string, err error) {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			return "", nil, fmt.Errorf("%w: type tools/install-test-needs, which make test does too, or sudo apt-get install nodejs npm", err)
		}
	}
	list, err := os.ReadFile(filepath.Join(source, "package.json"))
	if err != nil {
		return "", nil, err
	}
	lock, err := os.ReadFile(filepath.Join(source, "package-lock.json"))
	if err != nil {
		return "", nil, err
	}
	var packages struct{ Dependencies map[string]string }
	if err := json.Unmarshal(list, &packages); err != nil {
		return "", nil, fmt.Errorf("read package.json: %w", err)
	}
	names = slices.Sorted(maps.Keys(packages.Dependencies))
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", nil, err
	}
	folder = filepath.Join(cache, "daybook-test", fmt.Sprintf("workos-%x", sha256.Sum256(slices.Concat(list, lock))))
	if _, err := os.Stat(folder); err == nil {
		return folder, names, nil
	}
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		return "", nil, err
	}
	// The folder gets its name when it is whole.
	temporary, err := os.MkdirTemp(filepath.Dir(folder), "installing-")
	if err != nil {
		return "", nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temporary)) }()
	for name, text := range map[string][]byte{"package.json": list, "package-lock.json": lock} {
		if err := os.WriteFile(filepath.Join(temporary, name), text, 0o644); err != nil {
			return "", nil, err
		}
	}
	install := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = temporary
	if out, err := install.CombinedOutput(); err != nil {
		return "", nil, fmt.Errorf("npm ci: %w\n%s", err, bytes.TrimSpace(out))
	}
	if err := os.Rename(temporary, folder); err != nil && !errors.Is(err, fs.ErrExist) { // another run may have been first
		return "", nil, err
	}
	return folder, names, nil
}
