//go:build linux

package main

import (
	"bufio"
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/daybook-audit/daybook"
)

// What a console on a bundle must not do: open a file for writing, or make, rename or remove one; or speak to anybody first.
var writes = regexp.MustCompile(`O_WRONLY|O_RDWR|O_CREAT|^\d+ +(creat|rename\w*|link\w*|symlink\w*|unlink\w*|mkdir\w*|truncate|ftruncate|connect|sendto|sendmsg)\(`)

// TestUITouchesNothing runs the program under strace: whatever is looked at, it writes no file and calls nobody.
func TestUITouchesNothing(t *testing.T) {
	t.Parallel()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Fatal("the test needs strace: run tools/install-test-needs")
	}
	m := newEvidenceMaker(t, 200)
	path := m.bundle("whole.daybook.gz", daybook.BundleQuery{})
	program, trace := filepath.Join(m.dir, "daybook"), filepath.Join(m.dir, "trace")
	self, err := os.Executable()
	if err == nil {
		err = os.Symlink(self, program)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), strace, "-f", "-qq", "-e", "signal=none", "-e", "trace=%file,%network,ftruncate", "-o", trace,
		program, "ui", "--bundle", path, "--vkey", m.vkey)
	cmd.Dir = t.TempDir()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	link := ""
	for lines := bufio.NewScanner(out); lines.Scan() && !strings.HasPrefix(lines.Text(), "Stop with"); {
		link = max(link, linkLine.FindString(lines.Text()))
	}
	base, code, _ := strings.Cut(link, "/signin?code=")
	s := &shown{t: t, url: base, client: http.DefaultClient}
	s.client = s.signedIn(code)
	for _, path := range []string{"/", "/v1/events?q=outcome:failure", "/v1/facets", "/v1/histogram", "/v1/events/csv", "/v1/whoami"} {
		if status, text := s.ask("GET", path, ""); status != http.StatusOK {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != exitInterrupted {
		t.Errorf("it ended with %v", err)
	}
	said, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	seen := false
	for line := range bytes.Lines(said) {
		seen = seen || bytes.Contains(line, []byte("whole.daybook.gz"))
		if writes.Match(line) && !bytes.Contains(line, []byte(`"/dev/`)) && !bytes.Contains(line, []byte(" = -1 ")) {
			t.Errorf("%s", line)
		}
	}
	if !seen {
		t.Error("the trace does not show that the bundle was opened")
	}
	if left, err := os.ReadDir(cmd.Dir); err != nil || len(left) > 0 {
		t.Errorf("%v %v", left, err)
	}
}
