package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/term"
)

// env is what every command gets: the streams, the environment, the clock and the flags that every command has.
type env struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	now            func() time.Time

	stdoutTTY, stderrTTY, stdinTTY bool
	width                          int // of stdout when it is a terminal, else 0

	// flags
	context, server, org, apiKey, apiKeyFile, ca string
	output, fields, tz                           string
	utc, noColor, quiet, verbose, noInput        bool
	timeout                                      time.Duration
}

func newEnv(stdin io.Reader, stdout, stderr io.Writer, getenv func(string) string) *env {
	e := &env{stdin: stdin, stdout: stdout, stderr: stderr, getenv: getenv}
	terminal := func(v any) (int, bool) {
		f, ok := v.(*os.File)
		if !ok {
			return 0, false
		}
		fd := int(f.Fd())
		return fd, term.IsTerminal(fd)
	}
	_, e.stdinTTY = terminal(stdin)
	_, e.stderrTTY = terminal(stderr)
	var fd int
	if fd, e.stdoutTTY = terminal(stdout); e.stdoutTTY {
		e.width = 80
		if w, _, err := term.GetSize(fd); err == nil && w > 20 {
			e.width = w
		}
	}
	return e
}

// note writes a line for people to stderr, unless -q.
func (e *env) note(format string, args ...any) {
	if !e.quiet {
		fmt.Fprintf(e.stderr, format+"\n", args...)
	}
}

// warn writes a line to stderr, also with -q.
func (e *env) warn(format string, args ...any) {
	fmt.Fprintf(e.stderr, e.paint(amber, "warning")+": "+format+"\n", args...)
}

// colour reports whether stdout may carry colours; they go to a terminal only.
func (e *env) colour() bool { return e.stdoutTTY && e.mayColour() }

func (e *env) mayColour() bool {
	return !e.noColor && e.getenv("NO_COLOR") == "" && e.getenv("TERM") != "dumb"
}

// interactive reports whether a person can be asked.
func (e *env) interactive() bool {
	return e.stdinTTY && e.stderrTTY && !e.noInput && e.getenv("CI") == ""
}

// confirm asks for yes, unless sure (--yes) says it already. Without a terminal it refuses.
func (e *env) confirm(sure bool, what string) error {
	if sure {
		return nil
	}
	if !e.interactive() {
		return usage("%s: add --yes to confirm", what)
	}
	fmt.Fprintf(e.stderr, "%s? Type yes: ", what)
	var answer string
	if _, err := fmt.Fscanln(e.stdin, &answer); err != nil || !strings.EqualFold(answer, "yes") {
		return usage("not confirmed: nothing was done")
	}
	return nil
}

// confirmTyped asks for the name of what will be gone, unless it is sure.
func (e *env) confirmTyped(sure bool, what, name string) error {
	if sure {
		return nil
	}
	if !e.interactive() {
		return usage("%s: add --yes to confirm", what)
	}
	fmt.Fprintf(e.stderr, "%s. Type %s: ", what, visible(name))
	var answer string
	if _, err := fmt.Fscanln(e.stdin, &answer); err != nil || answer != name {
		return usage("not confirmed: nothing was done")
	}
	return nil
}

// zone is the zone for times without one, and its IANA name for the server.
func (e *env) zone() (*time.Location, string, error) {
	name := e.tz
	switch {
	case e.utc:
		return time.UTC, "UTC", nil
	case name == "":
		name = e.getenv("DAYBOOK_TZ")
	}
	if name == "" {
		if !e.stdoutTTY {
			return time.UTC, "UTC", nil
		}
		name = e.localZone()
	}
	if strings.EqualFold(name, "local") {
		name = e.localZone()
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, "", usage("there is no time zone %q: write an IANA name such as Europe/Berlin, or UTC", name)
	}
	return loc, name, nil
}

// localZone returns the IANA name of the machine's zone, UTC when it cannot be told: the server must know it by name.
func (e *env) localZone() string {
	if tz := strings.TrimPrefix(e.getenv("TZ"), ":"); tz != "" {
		if _, err := time.LoadLocation(tz); err == nil {
			return tz
		}
	}
	if target, err := filepath.EvalSymlinks("/etc/localtime"); err == nil {
		if _, name, ok := strings.Cut(target, "zoneinfo/"); ok {
			if _, err := time.LoadLocation(name); err == nil {
				return name
			}
		}
	}
	return "UTC"
}
