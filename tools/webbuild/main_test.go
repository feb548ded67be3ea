package main

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const root = "../.."

// installing lets one test install what all need.
var installing sync.Mutex

// TestRebuild builds again and compares bytes with what is committed.
func TestRebuild(t *testing.T) {
	t.Parallel()
	if err := run(root, true, "", &bytes.Buffer{}); err != nil {
		t.Error(err)
	}
}

// TestRebuildFires changes one byte of a copy of dist: the comparison must say so.
func TestRebuildFires(t *testing.T) {
	t.Parallel()
	dist := t.TempDir()
	if err := os.CopyFS(dist, os.DirFS(filepath.Join(root, "server/internal/ui/dist"))); err != nil {
		t.Fatal(err)
	}
	c, err := readConfig(filepath.Join(root, "web"))
	if err != nil {
		t.Fatal(err)
	}
	made, err := c.build()
	if err != nil {
		t.Fatal(err)
	}
	if err := compare(dist, made.files); err != nil {
		t.Fatalf("a true copy is refused: %v", err)
	}
	page := filepath.Join(dist, "index.html")
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 1
	if err := os.WriteFile(page, text, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dist, "left.js"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	err = compare(dist, made.files)
	if err == nil || !strings.Contains(err.Error(), "index.html differs") || !strings.Contains(err.Error(), "left.js is not made") {
		t.Errorf("a changed byte and a file too many: %v", err)
	}
}

// TestBudgetsFire holds the weighing to account.
func TestBudgetsFire(t *testing.T) {
	t.Parallel()
	files := map[string][]byte{
		"index.html":      []byte(`<script src="/assets/app-A.js"></script><link href="/assets/app-B.css">`),
		"app-A.js":        bytes.Repeat([]byte("x"), 100),
		"app-B.css":       []byte("b{}"),
		"verify-C.js":     []byte("verify()"),
		"viewer/viewer-D": nil,
	}
	got := map[string]bool{}
	for _, b := range measure(files, map[string]int{"console_js": 1, "console_css": 1000, "verify": 1, "viewer": 10}) {
		got[b.Name] = b.Bytes > b.Limit
	}
	if !got["console_js"] || got["console_css"] || !got["verify"] || got["viewer"] {
		t.Errorf("over their budget: %v", got)
	}
}

// node runs a program of the development tools in web and fails the test with what it prints.
func node(t *testing.T, program string, args ...string) {
	t.Helper()
	folder, err := devTools(t)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(folder, "node_modules", ".bin", program), args...)
	cmd.Dir = filepath.Join(root, "web")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", program, err, out)
	}
}

// TestTypes is `tsc --noEmit` over the web part.
func TestTypes(t *testing.T) {
	t.Parallel()
	node(t, "tsc", "--noEmit")
}

// TestStyle is `biome ci` over the web part.
func TestStyle(t *testing.T) {
	t.Parallel()
	node(t, "biome", "ci", "--colors=off", "--max-diagnostics=40", ".")
}

// TestUnits bundles the unit tests as the page is bundled and runs them.
func TestUnits(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := run(root, false, dir, &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.test.mjs"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests were made: %v", err)
	}
	web, err := filepath.Abs(filepath.Join(root, "web"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", append([]string{"--test"}, files...)...)
	cmd.Env = append(os.Environ(), "TZ=UTC")
	cmd.Dir = web
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestVendor compares the libraries and icons with the packages of npm, which the lock file pins by their SHA-512.
func TestVendor(t *testing.T) {
	t.Parallel()
	folder, err := devTools(t)
	if err != nil {
		t.Fatal(err)
	}
	vendor := filepath.Join(root, "web", "vendor")
	same := func(ours, theirs string) {
		want, err := os.ReadFile(theirs)
		if err != nil {
			t.Error(err)
			return
		}
		if got, err := os.ReadFile(ours); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not the file of the package (%v)", ours, err)
		}
	}
	err = filepath.WalkDir(vendor, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "vendor.json" {
			return err
		}
		name, err := filepath.Rel(vendor, path)
		same(path, filepath.Join(folder, "node_modules", name))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	icons, err := filepath.Glob(filepath.Join(root, "web/src/icons/*.svg"))
	if err != nil || len(icons) == 0 {
		t.Fatalf("no icons: %v", err)
	}
	for _, icon := range icons {
		same(icon, filepath.Join(folder, "node_modules/lucide-static/icons", filepath.Base(icon)))
	}
	var lock struct {
		Packages map[string]struct{ Version, Integrity, Resolved string }
	}
	readJSON(t, filepath.Join(root, "web/test/package-lock.json"), &lock)
	var list struct {
		Packages []struct{ Name, Version, Integrity string }
	}
	readJSON(t, filepath.Join(vendor, "vendor.json"), &list)
	for _, p := range list.Packages {
		if pinned := lock.Packages["node_modules/"+p.Name]; pinned.Version != p.Version || pinned.Integrity != p.Integrity {
			t.Errorf("vendor.json has %s %s, the lock file %s", p.Name, p.Version, pinned.Version)
		}
	}
	for name, p := range lock.Packages {
		if p.Resolved != "" {
			t.Errorf("%s names a registry: remove the resolved addresses", name)
		}
	}
}

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

// devTools is developmentTools for a test.
func devTools(t *testing.T) (string, error) {
	t.Helper()
	installing.Lock()
	defer installing.Unlock()
	return developmentTools(t.Context(), root)
}
