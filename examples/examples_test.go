// Package examples_test runs every example against a server, as its README says.
package examples_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// jwtSecret is what the application and the server share in the examples that sign tokens.
const jwtSecret = "a secret of the examples, 32 bytes"

// program is the daybook binary, built once.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "daybook-examples-*")
	if err != nil {
		return "", err
	}
	to := filepath.Join(dir, "daybook")
	if out, err := exec.Command("go", "build", "-o", to, "../server/cmd/daybook").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the server: %w\n%s", err, out)
	}
	return to, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := program(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// serve starts a server with a store of its own, and returns its address and a key for everything.
func serve(t *testing.T) (url, key string) {
	t.Helper()
	daybook, err := program()
	if err != nil {
		t.Fatal(err)
	}
	db := filepath.Join(t.TempDir(), "daybook.db")
	text, err := exec.CommandContext(t.Context(), daybook, "key", "create", "--db", db, "--all-orgs", "--name", "example",
		"--scopes", "record,read,export,viewer,manage,operate", "-q").Output()
	if err != nil {
		t.Fatalf("make a key: %v", err)
	}
	cmd := exec.Command(daybook, "serve", "--db", db, "--listen", "127.0.0.1:0")
	cmd.Dir = filepath.Dir(db)
	cmd.Env = append(os.Environ(), "JWT_SECRET="+jwtSecret)
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(log)
	var said bytes.Buffer
	for url == "" && lines.Scan() {
		said.Write(append(lines.Bytes(), '\n'))
		var line struct{ Msg, URL string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "listening" {
			url = line.URL
		}
	}
	rest := make(chan struct{})
	go func() {
		defer close(rest)
		for lines.Scan() { // until it ends
		}
	}()
	t.Cleanup(func() {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		<-rest
		_ = cmd.Wait() // ended by the signal
	})
	if url == "" {
		t.Fatalf("the server never listened:\n%s", said.String())
	}
	return url, strings.TrimSpace(string(text))
}

// check runs a command of an example and compares what it prints with expected.txt beside it.
func check(t *testing.T, example string, cmd *exec.Cmd) {
	t.Helper()
	url, key := serve(t)
	cmd.Env = append(os.Environ(), "DAYBOOK_URL="+url, "DAYBOOK_KEY="+key, "JWT_SECRET="+jwtSecret)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	got, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, got, stderr.String())
	}
	want, err := os.ReadFile(filepath.Join(example, "expected.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("it printed\n%swant\n%s", got, want)
	}
	readme, err := os.ReadFile(filepath.Join(example, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(readme, append([]byte("```text\n"), append(want, "```"...)...)) {
		t.Errorf("the README does not show what it prints:\n%s", want)
	}
	if n := bytes.Count(readme, []byte("\n")); n > 60 {
		t.Errorf("the README has %d lines: more than a screen", n)
	}
}

// TestExamples: every folder here is one, and its command prints what its README shows.
func TestExamples(t *testing.T) {
	t.Parallel()
	folders, err := filepath.Glob("*/README.md")
	if err != nil || len(folders) == 0 {
		t.Fatal(folders, err)
	}
	for _, readme := range folders {
		example := filepath.Dir(readme)
		t.Run(example, func(t *testing.T) {
			t.Parallel()
			if _, err := os.Stat(filepath.Join(example, "main.go")); err == nil {
				check(t, example, goProgram(t, example))
				return
			}
			check(t, example, nodeProgram(t, example))
		})
	}
}

func goProgram(t *testing.T, example string) *exec.Cmd {
	t.Helper()
	to := filepath.Join(t.TempDir(), example)
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", to, "./"+example).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return exec.CommandContext(t.Context(), to)
}

// nodeProgram copies the example to where its packages are: nothing is installed in the tree.
func nodeProgram(t *testing.T, example string) *exec.Cmd {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"main.js", "package.json"} {
		text, err := os.ReadFile(filepath.Join(example, name))
		if errors.Is(err, fs.ErrNotExist) && name == "package.json" {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(example, "package-lock.json")); err == nil {
		if err := os.Symlink(filepath.Join(packages(t, example), "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "node", "main.js")
	cmd.Dir = dir
	return cmd
}

// packages returns a folder that has what the lock file of an example pins. It is kept in the user's cache under the hash of that
// file: only the first run downloads it.
func packages(t *testing.T, example string) string {
	t.Helper()
	for _, command := range []string{"node", "npm"} {
		if _, err := exec.LookPath(command); err != nil {
			t.Fatalf("%v: type tools/install-test-needs, which make test does too", err)
		}
	}
	files := map[string][]byte{}
	for _, name := range []string{"package.json", "package-lock.json"} {
		text, err := os.ReadFile(filepath.Join(example, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = text
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(cache, "daybook-test", fmt.Sprintf("example-%x", sha256.Sum256(slices.Concat(files["package.json"], files["package-lock.json"]))))
	if _, err := os.Stat(folder); err == nil {
		return folder
	}
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		t.Fatal(err)
	}
	// The folder gets its name when it is whole.
	temporary, err := os.MkdirTemp(filepath.Dir(folder), "installing-") //nolint:usetesting // a rename stays within one file system
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(temporary) //nolint:errcheck // what stays is never used
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(temporary, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	install := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = temporary
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	if err := os.Rename(temporary, folder); err != nil && !errors.Is(err, fs.ErrExist) { // another run may have been first
		t.Fatal(err)
	}
	return folder
}
