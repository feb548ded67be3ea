package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

// runHere runs a command line in this process, without any environment.
func runHere(t *testing.T, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(stdin), &out, &errs, func(string) string { return "" })
	return out.String(), errs.String(), code
}

// The page of the environment has every variable that is no setting, and no other.
func TestEnvironmentTopic(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(clientVariables, regexp.MustCompile(`DAYBOOK_\w+`).FindAllString(environmentTopic, -1)); diff != "" {
		t.Errorf("-variables +page:\n%s", diff)
	}
}

// TestHelp compares the help of every command with testdata/help: what a person reads must be changed on purpose.
func TestHelp(t *testing.T) {
	t.Parallel()
	e := newEnv(nil, nil, nil, func(string) string { return "" })
	golden := map[string]bool{}
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		words := strings.Fields(c.CommandPath())[1:]
		name := strings.Join(append([]string{"daybook"}, words...), "-") + ".golden"
		golden[name] = true
		args := append(words, "--help")
		if c.IsAdditionalHelpTopicCommand() {
			args = append([]string{"help"}, words...)
		}
		got, stderr, code := runHere(t, "", args...)
		if code != 0 || stderr != "" {
			t.Errorf("%v: exit %d, stderr %q", args, code, stderr)
		}
		path := filepath.Join("testdata", "help", name)
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-want +got; -update accepts it):\n%s", name, diff)
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRoot(e))
	files, err := os.ReadDir(filepath.Join("testdata", "help"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !golden[f.Name()] {
			t.Errorf("testdata/help/%s belongs to no command", f.Name())
		}
	}
}

// TestHelpRules holds every command to what a newcomer needs: one line, three examples, exit codes.
func TestHelpRules(t *testing.T) {
	t.Parallel()
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: the line about it is missing or ends in a full stop", c.CommandPath())
		}
		if c.Runnable() && !c.HasSubCommands() {
			if n := strings.Count(c.Example, "\n") + 1; n != 3 {
				t.Errorf("%s: %d examples, want 3", c.CommandPath(), n)
			}
			if c.Annotations[exitsNote] == "" {
				t.Errorf("%s: says nothing about its exit codes", c.CommandPath())
			}
			if c.Args == nil && c.Annotations[queryNote] == "" {
				t.Errorf("%s: takes any arguments", c.CommandPath())
			}
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRoot(newEnv(nil, nil, nil, func(string) string { return "" })))
}

// TestUnknown: what does not exist is exit 2, with the nearest that does.
func TestUnknown(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ args, want string }{
		{"evnets", "daybook events"},
		{"key creat", "daybook key create"},
		{"bench lode", "daybook bench load"},
		{"events --outptu json", "--output"},
		{"query explian x", "daybook query explain"},
		{"xyzzy", "daybook --help"},
		{"events -action:x", "NOT"},
	} {
		_, stderr, code := runHere(t, "", strings.Fields(c.args)...)
		if code != exitUsage || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit %d, stderr %q; want exit 2 and %q", c.args, code, stderr, c.want)
		}
	}
}
