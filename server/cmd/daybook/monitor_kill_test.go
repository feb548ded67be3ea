//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

//nolint:gochecknoinits // like the other children
func init() {
	children["command"] = func() int {
		var args []string
		if err := json.Unmarshal([]byte(os.Getenv("DAYBOOK_TEST_ARGS")), &args); err != nil {
			return exitUsage
		}
		return run(context.Background(), args, os.Stdin, os.Stdout, os.Stderr, os.Getenv)
	}
}

// TestMonitor_killed kills a monitor at any moment, again and again, while the log grows: what it remembers is there as a whole, and it goes
// on from it.
func TestMonitor_killed(t *testing.T) {
	t.Parallel()
	rounds := 15
	if nightly {
		rounds = 500
	}
	random := seeded(t)
	w := watch(t, time.Now)
	server := w.start()
	state := filepath.Join(w.dir, "state")
	args, err := json.Marshal([]string{"monitor", "--every", "1ms", "--server", server.URL, "--org", "org_acme", "--state", state, "--vkey", w.vkey})
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	remembered := int64(0)
	for round := range rounds {
		cmd := exec.CommandContext(t.Context(), program)
		cmd.Env = append(os.Environ(), "DAYBOOK_TEST_CHILD=command", "DAYBOOK_TEST_ARGS="+string(args), "DAYBOOK_API_KEY="+w.key)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(out)
		for range 1 + random.IntN(3) {
			if _, err := lines.ReadString('\n'); err != nil {
				t.Fatalf("round %d: the monitor says nothing: %v", round, err)
			}
			w.record(1)
		}
		<-time.After(time.Duration(random.IntN(8000)) * time.Microsecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); !isKilled(err) {
			t.Fatalf("round %d: the monitor ended with %v", round, err)
		}
		code, line := w.round(server)
		if code != exitDone || len(line.Findings) > 0 || line.Size < remembered {
			t.Fatalf("round %d: after it was killed: exit %d, %+v", round, code, line)
		}
		if round > 0 && line.New >= line.Size {
			t.Errorf("round %d: it had forgotten all %d entries", round, line.Size)
		}
		remembered = line.Size
	}
}
