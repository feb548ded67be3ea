//go:build linux

package main

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/daybook-audit/daybook/server/internal/config"
)

// house is the root of the repository, seen from here.
const house = "../../.."

func readHouse(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(house, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// knownVariables checks that every DAYBOOK_ variable of text is a setting or one of the client's.
func knownVariables(t *testing.T, name, text string) {
	t.Helper()
	known := slices.Clone(clientVariables)
	for _, s := range config.Reference() {
		known = append(known, s.Variable)
	}
	for _, v := range regexp.MustCompile(`(?m)^[^#\n]*?\b(DAYBOOK_[A-Z_]+)\b\s*[=:]`).FindAllStringSubmatch(text, -1) {
		if !slices.Contains(known, v[1]) {
			t.Errorf("%s: there is no setting %s", name, v[1])
		}
	}
}

// knownCommand checks that the program takes these arguments.
func knownCommand(t *testing.T, name string, args []string) {
	t.Helper()
	if len(args) == 0 || path.Base(args[0]) != "daybook" {
		t.Errorf("%s: %q is not this program", name, args)
		return
	}
	cmd, rest, err := newRoot(newEnv(nil, nil, nil, func(string) string { return "" })).Find(args[1:])
	if err == nil {
		err = cmd.ParseFlags(rest)
	}
	if err != nil || !cmd.HasParent() {
		t.Errorf("%s: %q: %v", name, args, err)
	}
}

// instruction is one of a Dockerfile.
type instruction struct{ word, rest string }

func dockerfile(t *testing.T) []instruction {
	t.Helper()
	var all []instruction
	text := regexp.MustCompile(`(?m)^#.*\n`).ReplaceAllString(readHouse(t, "Dockerfile"), "")
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", "")) {
		if word, rest, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			all = append(all, instruction{word, strings.TrimSpace(rest)})
		}
	}
	return all
}

// execForm reads the exec form of an instruction.
func execForm(t *testing.T, text string) []string {
	t.Helper()
	var all []string
	if err := yaml.Unmarshal([]byte(text), &all); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return all
}

var goBuild = regexp.MustCompile(`CGO_ENABLED=0 .*go build (.+) -o (\S+) (\S+)$`)

// The Dockerfile builds the program that the Makefile builds, stamps a variable that is there, copies what it has made, and starts and
// examines it as another user than root with commands that there are.
func TestDockerfile(t *testing.T) {
	t.Parallel()
	all := dockerfile(t)
	last := map[string]string{}
	made := []string{"/etc/ssl/certs/ca-certificates.crt"}
	for _, in := range all {
		last[in.word] = in.rest
		knownVariables(t, "Dockerfile", in.word+" "+in.rest)
		if in.word == "RUN" {
			made = append(made, regexp.MustCompile(`/out/\w+`).FindAllString(in.rest, -1)...)
		}
		if from, ok := strings.CutPrefix(in.rest, "--from=build "); in.word == "COPY" && ok {
			fields := slices.DeleteFunc(strings.Fields(from), func(s string) bool { return strings.HasPrefix(s, "--") })
			if len(fields) != 2 || !slices.Contains(made, fields[0]) {
				t.Errorf("COPY %s: nothing makes it; made is %v", in.rest, made)
			}
		}
	}
	build := goBuild.FindStringSubmatch(find(t, all, "go build"))
	if build == nil {
		t.Fatal("no line builds a static program")
	}
	if !strings.Contains(readHouse(t, "Makefile"), "build -o bin/daybook "+build[3]+"\n") {
		t.Errorf("the Dockerfile builds %s, the Makefile something else", build[3])
	}
	stamp := regexp.MustCompile(`-X main\.(\w+)=`).FindStringSubmatch(build[1])
	if stamp == nil || !strings.Contains(readHouse(t, "server/cmd/daybook/version.go"), "\nvar "+stamp[1]+" = ") {
		t.Errorf("the Dockerfile stamps %v", stamp)
	}
	if version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(readHouse(t, "go.work")); "GO="+version[1] != all[0].rest {
		t.Errorf("the Dockerfile takes %s, go.work %s", all[0].rest, version[0])
	}
	if !regexp.MustCompile(`^[1-9]\d*:[1-9]\d*$`).MatchString(last["USER"]) || !strings.Contains(readHouse(t, "Dockerfile"), "--chown="+last["USER"]+" /out/data "+last["VOLUME"]+"\n") {
		t.Errorf("the user is %q, and %q must be its own", last["USER"], last["VOLUME"])
	}
	if last["FROM"] != "scratch" || last["WORKDIR"] != last["VOLUME"] {
		t.Errorf("from %s, in %s", last["FROM"], last["WORKDIR"])
	}
	knownCommand(t, "Dockerfile", append(execForm(t, last["ENTRYPOINT"]), execForm(t, last["CMD"])...))
	_, health, _ := strings.Cut(last["HEALTHCHECK"], "CMD ")
	knownCommand(t, "Dockerfile", execForm(t, health))
}

func find(t *testing.T, all []instruction, text string) string {
	t.Helper()
	for _, in := range all {
		if strings.Contains(in.rest, text) {
			return in.rest
		}
	}
	t.Fatalf("the Dockerfile does not say %q", text)
	return ""
}

// ignored reads .dockerignore as Docker does, as far as ours goes: the last pattern that matches a path or a folder above it decides.
func ignored(t *testing.T) func(name string) bool {
	t.Helper()
	type rule struct {
		pattern *regexp.Regexp
		keep    bool
	}
	var rules []rule
	for line := range strings.Lines(readHouse(t, ".dockerignore")) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		text, keep := strings.CutPrefix(line, "!")
		text = strings.ReplaceAll(regexp.QuoteMeta(text), `\*\*/`, `(.*/)?`)
		rules = append(rules, rule{regexp.MustCompile(`^` + strings.ReplaceAll(text, `\*`, `[^/]*`) + `(/.*)?$`), keep})
	}
	return func(name string) bool {
		out := false
		for _, r := range rules {
			if r.pattern.MatchString(name) {
				out = !r.keep
			}
		}
		return out
	}
}

// buildContext is what `docker build` sends: the files that .dockerignore leaves, without what Git does not have.
func buildContext(t *testing.T) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", "-C", house, "ls-files", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Fatalf("list the files: %v", err)
	}
	leave := ignored(t)
	return slices.DeleteFunc(strings.Fields(string(out)), leave)
}

// What .dockerignore leaves is enough to build, as far as that can be said without building: every module of the workspace, every Go
// file of the program and what it embeds. No secret, no store and no history is in it.
func TestBuildContext(t *testing.T) {
	t.Parallel()
	files := buildContext(t)
	for _, m := range regexp.MustCompile(`(?m)^\t\./?(\S*)$`).FindAllStringSubmatch(readHouse(t, "go.work"), -1) {
		if !slices.Contains(files, path.Join(m[1], "go.mod")) {
			t.Errorf("the module %q is not in the build context", m[1])
		}
	}
	leave := ignored(t)
	for _, name := range []string{".git/config", ".env", "daybook.db", "x/master.key", "bin/daybook", "server/node_modules/a.js", "server/cmd/daybook/main_test.go"} {
		if !leave(name) {
			t.Errorf("%s would be sent to the build", name)
		}
	}
	embed := regexp.MustCompile(`(?m)^\s*//go:embed (.+)$`)
	for _, dir := range []string{"*.go", "leaf/*.go", "query/*.go", "sqlite/*.go", "postgres/*.go", "server/*/*.go", "server/*/*/*.go", "server/*/*/*/*.go"} {
		names, err := filepath.Glob(filepath.Join(house, dir))
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %v, %d files", dir, err, len(names))
		}
		for _, full := range names {
			name := filepath.ToSlash(strings.TrimPrefix(full, house+"/"))
			if strings.HasSuffix(name, "_test.go") || strings.Contains(name, "/testdata/") || strings.HasPrefix(name, "server/bench/") {
				continue
			}
			if leave(name) {
				t.Errorf("%s is not in the build context", name)
			}
			for _, m := range embed.FindAllStringSubmatch(readHouse(t, name), -1) {
				for pattern := range strings.FieldsSeq(m[1]) {
					embedded := path.Join(path.Dir(name), strings.TrimPrefix(pattern, "all:"))
					if leave(embedded) || !slices.ContainsFunc(files, func(f string) bool { return under(f, embedded) }) {
						t.Errorf("%s embeds %s, which is not in the build context", name, pattern)
					}
				}
			}
		}
	}
}

// under reports whether a file is the one of a pattern, or in its folder.
func under(file, pattern string) bool {
	ok, err := path.Match(pattern, file)
	return err == nil && ok || strings.HasPrefix(file, pattern+"/")
}

// The unit starts a command that there is, with settings that there are, and a stop in order is none that failed.
func TestUnit(t *testing.T) {
	t.Parallel()
	text := readHouse(t, "deploy/daybook.service")
	knownVariables(t, "daybook.service", strings.ReplaceAll(text, "Environment=", ""))
	values := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(line, "#") {
			values[name] = value
		}
	}
	knownCommand(t, "daybook.service", strings.Fields(values["ExecStart"]))
	id, _, _ := strings.Cut(values["LoadCredential"], ":")
	if values["Type"] != "notify" || values["DynamicUser"] != "yes" || values["SuccessExitStatus"] != "143" || values["Environment"] != "DAYBOOK_MASTER_KEY_FILE=%d/"+id {
		t.Errorf("%v", values)
	}
}

// In its nightly size: what the Dockerfile builds from what .dockerignore leaves is one static file that runs as another user, in a root
// that holds nothing else, knows its version and the zones of the world, and answers its own health check.
func TestImage(t *testing.T) {
	t.Parallel()
	if !nightly {
		return // two minutes of compiling; TestDockerfile and TestBuildContext hold the parts
	}
	src, root := t.TempDir(), t.TempDir()
	for _, name := range buildContext(t) {
		copyInto(t, filepath.Join(house, name), filepath.Join(src, name))
	}
	build := goBuild.FindStringSubmatch(find(t, dockerfile(t), "go build"))
	flags := strings.ReplaceAll(build[1], "$VERSION", "v0.0.0-image")
	program := filepath.Join(root, "daybook")
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "CGO_ENABLED=0 go build "+flags+" -o "+program+" "+build[3])
	cmd.Dir = src
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, dir := range []string{root, filepath.Dir(root)} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	alone := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), "/daybook", args...)
		cmd.Dir, cmd.Env = "/", []string{"PATH=/"}
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
		out, err := cmd.CombinedOutput()
		if err != nil && args[0] != "doctor" {
			t.Errorf("daybook %v in an empty root: %v: %s", args, err, out)
		}
		return string(out)
	}
	if out := alone("version"); !strings.Contains(out, "v0.0.0-image") {
		t.Errorf("version: %s", out)
	}
	if out := alone("query", "explain", "occurred:>=today", "--tz", "Asia/Tokyo"); !strings.Contains(out, "today") {
		t.Errorf("a query in a zone: %s", out)
	}
	if out := alone("doctor", "--ready", "--server", "http://127.0.0.1:9"); !strings.Contains(out, "no server answers") {
		t.Errorf("health: %s", out)
	}
}

func copyInto(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(to), 0o755)
	}
	if err == nil {
		err = os.WriteFile(to, b, fs.FileMode(0o644))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A health check says whether the server is ready, and nothing else.
func TestDoctorReady(t *testing.T) {
	t.Parallel()
	m, _ := serverFor(t, filepath.Join(t.TempDir(), "daybook.db"), "")
	ask := func() (string, int) {
		var out, errs bytes.Buffer
		code := run(t.Context(), []string{"doctor", "--ready"}, nil, &out, &errs, func(name string) string { return map[string]string{"DAYBOOK_SERVER": m.URL}[name] })
		return out.String() + errs.String(), code
	}
	if text, code := ask(); code != 0 || text != "ready\n" {
		t.Errorf("a server that is ready: exit %d, %q", code, text)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if text, code := ask(); code != exitFailed || !strings.Contains(text, "no server answers") {
		t.Errorf("a server that is gone: exit %d, %q", code, text)
	}
}
