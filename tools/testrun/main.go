// Command testrun runs the tests of every module of the workspace and closes with one line for all of them.
//
// It hands its arguments to `go test -json ./...` in each module, prints what failed with its output, one line for each
// package, the slowest tests, and as its last line "N passed, N failed", counting top-level tests, subtests, examples and fuzz seeds. With
// -fuzz=DURATION it instead gives each fuzz target of the workspace an equal share of that time.
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// event is one line of `go test -json`.
type event struct {
	Action, Package, Test, Output, ImportPath, FailedBuild string
	Elapsed                                                float64
}

// tally counts what ran in all modules.
type tally struct {
	passed, failed, skipped int
	broken                  []string // packages that failed without a failing test: build errors, panics, timeouts
	output                  map[string][]string
	failedIn                map[string]int
	slow                    []timed // top-level tests that took a second or more
}

// timed is one test and its seconds, without the time in which it waited for its turn among parallel tests.
type timed struct {
	pkg, test string
	seconds   float64
}

// tools is the module that stands outside the workspace.
const tools = "./tools"

func main() {
	os.Exit(run(os.Args[1:], os.Stdout))
}

func run(args []string, out io.Writer) int {
	start := time.Now()
	modules, err := modules()
	if err != nil {
		fmt.Fprintln(out, "testrun:", err)
		return 1
	}
	if len(args) == 1 && strings.HasPrefix(args[0], "-fuzz=") {
		total, err := time.ParseDuration(strings.TrimPrefix(args[0], "-fuzz="))
		if err != nil {
			fmt.Fprintln(out, "testrun:", err)
			return 2
		}
		return fuzz(modules, total, out)
	}
	t := &tally{output: map[string][]string{}, failedIn: map[string]int{}}
	for _, dir := range append(modules, tools) {
		fmt.Fprintf(out, "== %s\n", dir)
		if err := t.module(dir, args, out); err != nil {
			fmt.Fprintf(out, "testrun: %s: %v\n", dir, err)
			t.broken = append(t.broken, dir)
		}
	}
	for _, p := range t.broken {
		fmt.Fprintf(out, "broken: %s\n", p)
	}
	t.printSlowest(out)
	fmt.Fprintf(out, "%d modules and the tools in %s, %d skipped\n", len(modules), time.Since(start).Round(time.Second), t.skipped)
	fmt.Fprintf(out, "%d passed, %d failed\n", t.passed, t.failed+len(t.broken))
	if t.failed+len(t.broken) > 0 || t.passed == 0 {
		return 1
	}
	return 0
}

// modules returns the folders of go.work.
func modules() ([]string, error) {
	text, err := exec.Command("go", "work", "edit", "-json").Output()
	if err != nil {
		return nil, fmt.Errorf("go work edit: %w", err)
	}
	var work struct{ Use []struct{ DiskPath string } }
	if err := json.Unmarshal(text, &work); err != nil {
		return nil, fmt.Errorf("go work edit: %w", err)
	}
	dirs := make([]string, 0, len(work.Use))
	for _, u := range work.Use {
		dirs = append(dirs, u.DiskPath)
	}
	return dirs, nil
}

// module runs the tests of one module and adds them to t.
func (t *tally) module(dir string, args []string, out io.Writer) error {
	cmd := exec.Command("go", append(append([]string{"test", "-json"}, args...), "./...")...)
	cmd.Dir = dir
	cmd.Env = os.Environ()
	if os.Getenv("GORACE") == "" { // else each test binary, and each process that it starts, sleeps for a second before it exits
		cmd.Env = append(cmd.Env, "GORACE=atexit_sleep_ms=0")
	}
	if dir == tools {
		cmd.Env = append(cmd.Env, "GOWORK=off")
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	events := 0
	lines := bufio.NewScanner(pipe)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Fprintln(out, lines.Text())
			continue
		}
		events++
		t.add(e, out)
	}
	if err := lines.Err(); err != nil {
		return err
	}
	err = cmd.Wait()
	if stderr.Len() > 0 {
		fmt.Fprint(out, stderr.String())
	}
	if events == 0 && err != nil {
		return err // go itself refused: no event told of it
	}
	return nil
}

// add counts one line and prints what a person must see.
func (t *tally) add(e event, out io.Writer) {
	key := e.Package + "\x00" + e.Test
	switch e.Action {
	case "output":
		t.output[key] = append(t.output[key], e.Output)
	case "build-output":
		fmt.Fprint(out, e.Output)
	case "pass", "skip", "fail":
		if e.Test == "" {
			t.endPackage(e, out)
			break
		}
		switch e.Action {
		case "pass":
			t.passed++
		case "skip":
			t.skipped++
		case "fail":
			t.failed++
			t.failedIn[e.Package]++
			fmt.Fprint(out, strings.Join(t.output[key], ""))
		}
		delete(t.output, key)
		if e.Elapsed >= 1 && !strings.Contains(e.Test, "/") {
			t.slow = append(t.slow, timed{path.Base(e.Package), e.Test, e.Elapsed})
		}
	}
}

// printSlowest names the dozen tests that a run waits for most, so that one that grows is seen before the run is too long.
func (t *tally) printSlowest(out io.Writer) {
	slices.SortFunc(t.slow, func(a, b timed) int { return cmp.Compare(b.seconds, a.seconds) })
	for _, s := range t.slow[:min(12, len(t.slow))] {
		fmt.Fprintf(out, "slow  %6.1fs  %s.%s\n", s.seconds, s.pkg, s.test)
	}
}

// endPackage prints the line of a package. One that failed although none of its tests did is broken: its output is all there
// is to say why.
func (t *tally) endPackage(e event, out io.Writer) {
	switch {
	case e.Action == "fail" && t.failedIn[e.Package] == 0:
		t.broken = append(t.broken, e.Package)
		for key, lines := range t.output { // a panic or timeout: its test never ended
			if strings.HasPrefix(key, e.Package+"\x00") {
				fmt.Fprint(out, strings.Join(lines, ""))
			}
		}
		fmt.Fprintf(out, "FAIL  %s\n", e.Package)
	case e.Action == "fail":
		fmt.Fprintf(out, "FAIL  %s  %.1fs, %d failed\n", e.Package, e.Elapsed, t.failedIn[e.Package])
	case e.Action == "pass":
		fmt.Fprintf(out, "ok    %s  %.1fs\n", e.Package, e.Elapsed)
	}
	for key := range t.output {
		if strings.HasPrefix(key, e.Package+"\x00") {
			delete(t.output, key)
		}
	}
}

// target is one fuzz test.
type target struct{ dir, pkg, name string }

// targets finds the fuzz tests of the modules by reading their test files.
func targets(modules []string) ([]target, error) {
	var found []target
	for _, dir := range modules {
		cmd := exec.Command("go", "list", "-f", "{{.ImportPath}} {{.Dir}} {{range .TestGoFiles}}{{.}} {{end}}{{range .XTestGoFiles}}{{.}} {{end}}", "./...")
		cmd.Dir = dir
		list, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", dir, err)
		}
		for line := range strings.Lines(string(list)) {
			words := strings.Fields(line)
			for _, file := range words[min(2, len(words)):] {
				text, err := os.ReadFile(filepath.Join(words[1], file))
				if err != nil {
					return nil, err
				}
				for l := range strings.Lines(string(text)) {
					if rest, ok := strings.CutPrefix(l, "func Fuzz"); ok {
						name, _, _ := strings.Cut(rest, "(")
						found = append(found, target{dir, words[0], "Fuzz" + name})
					}
				}
			}
		}
	}
	return found, nil
}

// fuzz runs every fuzz test for an equal share of total and stops at none.
func fuzz(modules []string, total time.Duration, out io.Writer) int {
	all, err := targets(modules)
	if err != nil {
		fmt.Fprintln(out, "testrun:", err)
		return 1
	}
	passed, failed := 0, 0
	for _, f := range all {
		share := max(total/time.Duration(len(all)), time.Second).Round(time.Second)
		cmd := exec.Command("go", "test", "-run=^$", "-fuzz=^"+f.name+"$", "-fuzztime="+share.String(), f.pkg)
		cmd.Dir = f.dir
		text, err := cmd.CombinedOutput()
		if err != nil {
			failed++
			fmt.Fprintf(out, "FAIL  %s %s\n%s", f.pkg, f.name, text)
			continue
		}
		passed++
		fmt.Fprintf(out, "ok    %s %s  %s\n", f.pkg, f.name, share)
	}
	fmt.Fprintf(out, "%d passed, %d failed\n", passed, failed)
	if failed > 0 || passed == 0 {
		return 1
	}
	return 0
}
