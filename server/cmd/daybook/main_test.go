package main

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/config"
	"github.com/daybook-audit/daybook/server/internal/control"
)

var update = flag.Bool("update", false, "rewrite golden files")

// children are what the test binary can be instead, chosen by DAYBOOK_TEST_CHILD: processes that tests start in order to kill them.
var children = map[string]func() int{}

func TestMain(m *testing.M) {
	if child, ok := children[os.Getenv("DAYBOOK_TEST_CHILD")]; ok {
		os.Exit(child())
	}
	for name, value := range raceEnv {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	testscript.Main(m, map[string]func(){
		"daybook": func() { main() },
	})
}

// raceEnv is for every process that tests start: with the race detector a program otherwise sleeps for a second before it exits, and there
// are hundreds of them.
var raceEnv = map[string]string{"GORACE": "atexit_sleep_ms=0"}

// TestStories runs testdata/*.txtar: one user's job each, through the real program.
func TestStories(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:           "testdata",
		UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("NO_COLOR", "")
			env.Setenv("TZ", "UTC")
			for name, value := range raceEnv {
				env.Setenv(name, value)
			}
			verifier, err := filepath.Abs("../../../docs/verify/verify.py")
			env.Setenv("VERIFY_PY", verifier)
			return err
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"server": startServer, "stop": stopServer, "dev": startDev, "keep": keep, "edit": edit,
		},
	})
}

// startServer starts a server in this process, on a store in the script's folder: server [DB [ORIGIN]]. It sets DAYBOOK_SERVER and
// DAYBOOK_API_KEY, a key for everything.
func startServer(ts *testscript.TestScript, _ bool, args []string) {
	db, origin := ts.MkAbs("daybook.db"), ""
	if len(args) > 0 {
		db = ts.MkAbs(args[0])
	}
	if len(args) > 1 {
		origin = args[1]
	}
	m, key := serverFor(ts, db, origin)
	ts.Setenv("DAYBOOK_SERVER", m.URL)
	ts.Setenv("DAYBOOK_API_KEY", key)
	running.Store(ts, m)
	ts.Defer(func() { ts.Check(m.Close()) })
}

// running holds the server that each script has started last.
var running sync.Map

// stopServer stops it: stop.
func stopServer(ts *testscript.TestScript, _ bool, _ []string) {
	m, ok := running.LoadAndDelete(ts)
	if !ok {
		ts.Fatalf("no server is running")
	}
	ts.Check(m.(*Main).Close()) //nolint:forcetypeassert // startServer stored it
}

// fataler is what a testing.T and a TestScript have in common.
type fataler interface {
	Fatalf(format string, args ...any)
}

// serverFor runs a server on an address of its own choosing, and makes a key for everything.
func serverFor(t fataler, db, origin string) (m *Main, key string) {
	c, _, err := config.Load(config.Sources{LookupEnv: func(string) (string, bool) { return "", false }, Dir: filepath.Dir(db)})
	if err != nil {
		t.Fatalf("configuration: %v", err)
	}
	c.DB, c.Listen, c.AuditReads = db, "127.0.0.1:0", "off" // looks come when they come; audit.txtar has them on
	m = &Main{Config: c, Logger: loggerFor(t), Now: time.Now, Origin: origin}
	m.Prepare = func(ctx context.Context, docs daybook.Documents) (err error) {
		_, key, err = control.NewKeys(docs, time.Now).Create(ctx, control.NewKey{Name: "test", Scopes: auth.All.Words()})
		return err
	}
	if err := m.Run(context.Background()); err != nil {
		t.Fatalf("start the server: %v", err)
	}
	return m, key
}

// startDev runs `daybook dev` as a process of its own until it has said how to use it: dev [FLAGS]. What it printed is in the file
// dev.out. At the end of the script it is interrupted and must stop cleanly.
func startDev(ts *testscript.TestScript, _ bool, args []string) {
	program, err := exec.LookPath("daybook")
	ts.Check(err)
	cmd := exec.Command(program, append([]string{"dev", "--listen", "127.0.0.1:0"}, args...)...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "HOME="+ts.MkAbs("."), "XDG_CONFIG_HOME=")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	var said strings.Builder
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		said.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "Ctrl-C") {
			break
		}
	}
	ts.Defer(func() {
		ts.Check(cmd.Process.Signal(os.Interrupt))
		_, err := io.Copy(io.Discard, out)
		ts.Check(err)
		if err := cmd.Wait(); cmd.ProcessState.ExitCode() != exitInterrupted {
			ts.Fatalf("dev ended with %v, want %d:\n%s", err, exitInterrupted, stderr.String())
		}
	})
	ts.Check(os.WriteFile(ts.MkAbs("dev.out"), []byte(said.String()), 0o600))
	if !strings.Contains(said.String(), "Ctrl-C") {
		ts.Fatalf("dev never became ready:\n%s%s", said.String(), stderr.String())
	}
	ts.Setenv("DAYBOOK_SERVER", regexp.MustCompile(`http://[0-9.:]+`).FindString(said.String()))
}

// keep sets a variable to what a pattern's first group matches in a file: keep VAR FILE PATTERN.
func keep(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: keep VAR FILE PATTERN")
	}
	found := regexp.MustCompile("(?m)" + args[2]).FindStringSubmatch(ts.ReadFile(args[1]))
	if len(found) < 2 {
		ts.Fatalf("%s holds nothing like %s:\n%s", args[1], args[2], ts.ReadFile(args[1]))
	}
	ts.Setenv(args[0], found[1])
}

// edit replaces the first occurrence of a text in a file: edit FILE OLD NEW.
func edit(ts *testscript.TestScript, _ bool, args []string) {
	text := []byte(ts.ReadFile(args[0]))
	if len(args) != 3 || !bytes.Contains(text, []byte(args[1])) {
		ts.Fatalf("edit: %s does not hold %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), bytes.Replace(text, []byte(args[1]), []byte(args[2]), 1), 0o600))
}
