package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestStories runs the stories of web/test/stories in Chromium against the real program with its sample: light and dark, with axe.
// The fast size leaves out those that say so; pictures are in web/test/shots. -run 'TestStories/WORD' runs those whose name has it.
// DAYBOOK_STORIES has more arguments for web/test/stories/run.mjs, such as "--late 2000 --slow 8".
func TestStories(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/usr/bin/chromium"); err != nil {
		t.Fatalf("%v: type tools/install-test-needs, which make test does too", err)
	}
	folder, err := devTools(t)
	if err != nil {
		t.Fatal(err)
	}
	url, key, program := startServer(t)
	stories, err := filepath.Glob(filepath.Join(root, "web/test/stories/*.story.mjs"))
	if err != nil || len(stories) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	shots, err := filepath.Abs(filepath.Join(root, "web/test/shots"))
	if err != nil {
		t.Fatal(err)
	}
	for _, story := range stories {
		name := strings.TrimSuffix(filepath.Base(story), ".story.mjs")
		t.Run(name, func(t *testing.T) { // one after the other: a browser is enough for two cores
			args := []string{filepath.Join(root, "web/test/stories/run.mjs"), "--url", url, "--key", key, "--program", program, "--tools", folder, "--shots", shots, "--only", name + "/"}
			if os.Getenv("DAYBOOK_TEST_SIZE") != "nightly" {
				args = append(args, "--fast")
			}
			args = append(args, strings.Fields(os.Getenv("DAYBOOK_STORIES"))...)
			out, err := exec.CommandContext(t.Context(), "node", args...).CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

var (
	ready  = regexp.MustCompile(`^Daybook is ready: (\S+)`)
	showed = regexp.MustCompile(`^\s*key\s+(dbk_\S+)`)
)

// startServer builds the program, starts it with the sample in a folder of its own, and returns its address, its key and the program. The
// test's end stops it.
func startServer(t *testing.T) (url, key, program string) {
	t.Helper()
	dir := t.TempDir()
	program = filepath.Join(dir, "daybook")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./server/cmd/daybook")
	build.Dir = root
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "GOWORK=") { // this module stands outside the workspace, the program in it
			build.Env = append(build.Env, v)
		}
	}
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v\n%s", err, out)
	}
	server := exec.CommandContext(t.Context(), program, "dev", "--listen", "127.0.0.1:0", "--data", filepath.Join(dir, "data"))
	var log strings.Builder
	server.Stderr = &log
	said, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		if err := server.Wait(); err != nil && !strings.Contains(err.Error(), "exit status 130") && t.Context().Err() == nil {
			t.Errorf("the server: %v\n%s", err, log.String())
		}
	})
	lines := bufio.NewScanner(said)
	for (url == "" || key == "") && lines.Scan() {
		if m := ready.FindStringSubmatch(lines.Text()); m != nil {
			url = m[1]
		}
		if m := showed.FindStringSubmatch(lines.Text()); m != nil {
			key = m[1]
		}
	}
	if url == "" || key == "" {
		t.Fatalf("the server did not say where it is\n%s", log.String())
	}
	go func() { // what it says later must not fill the pipe
		for lines.Scan() {
		}
	}()
	return url, key, program
}
