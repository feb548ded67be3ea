package daybook_test

import (
	"bytes"
	"flag"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite golden files")

const own = "github.com/daybook-audit/daybook"

// archModule is one Go module: a package of line n imports only packages of lines before n, and other modules of ours only as
// listed. An entry that ends in /* stands for every package directly below.
type archModule struct {
	dir   string   // "" is the root
	may   []string // folders of other modules of ours
	lines [][]string
}

// arch is the table of every package of the repository. A new package is added here or the test fails.
var arch = []archModule{
	{dir: "", lines: [][]string{
		{
			"internal/durable", "internal/typeid", "internal/spelling", "internal/cache", "internal/idfilter", "internal/timestamp", "internal/appsql", "internal/pgtest",
			"internal/pointer", "internal/rawjson", "internal/checkpoint", "internal/stored",
		},
		{"leaf", "internal/difference", "internal/merkle", "internal/timeline", "internal/keyring", "internal/delivery", "internal/cursor"},
		{"query", "internal/facets", "internal/anchors", "internal/kept", "internal/shape", "internal/redaction"},
		{"internal/termfilter", "internal/bundle", "internal/packed"},
		{".", "verify"},
		{"client", "witness", "daybookhttp", "daybooksql", "activity", "crm", "storetest", "internal/sentence"},
		{"daybooktest", "resthapi"},
	}},
	{dir: "internal/apptest", may: []string{""}, lines: [][]string{{"."}}},
	{dir: "sqlite", may: []string{""}, lines: [][]string{{"."}}},
	{dir: "postgres", may: []string{""}, lines: [][]string{{"."}, {"daybookpgx"}, {"capture"}}},
	{dir: "server", may: []string{"", "sqlite", "postgres"}, lines: [][]string{
		{"internal/config", "internal/ui", "internal/selfaudit", "internal/evidence", "internal/dumps", "internal/madeup"},
		{"internal/control", "internal/load"},
		{"internal/auth", "internal/export", "internal/stream"},
		{"internal/api", "internal/compat/*", "internal/doortest"},
		{"internal/foreign"},
		{"cmd/daybook", "bench"},
	}},
	{dir: "examples", may: []string{""}, lines: [][]string{{"*"}}},
	{dir: "contrib/gin", may: []string{""}, lines: [][]string{{"."}}},
	{dir: "contrib/echo", may: []string{""}, lines: [][]string{{"."}}},
	{dir: "contrib/fiber", may: []string{""}, lines: [][]string{{"."}}},
	{dir: "contrib/grpc", may: []string{""}, lines: [][]string{{"."}}},
	{dir: "contrib/gorm", may: []string{""}, lines: [][]string{{"."}}},
	{dir: "contrib/ent", may: []string{""}, lines: [][]string{{"."}}},
}

// alone lists packages that only these packages of ours may import, whatever their line says.
var alone = map[string][]string{
	"sqlite": {"server/cmd/daybook", "server/bench"}, "postgres": {"server/cmd/daybook", "server/bench", "postgres/daybookpgx", "postgres/capture"},
	"client": {"server/cmd/daybook", "server/internal/load", "examples/resthapi", "examples/togo", "examples/crm"}, "server/internal/config": {"server/cmd/daybook"},
}

// TestArchitecture holds the arrows: they point strictly down. It reads imports only and skips tests, testdata, tools and the web
// folder, which is not Go.
func TestArchitecture(t *testing.T) {
	t.Parallel()
	imports := map[string][]string{}
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if p != "." && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata" || name == "node_modules" || p == "tools" || p == "web" || p == "bin") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), p, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		folder := filepath.ToSlash(filepath.Dir(p))
		if imports[folder] == nil {
			imports[folder] = []string{}
		}
		for _, i := range f.Imports {
			at, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			if at == own || strings.HasPrefix(at, own+"/") {
				imports[folder] = append(imports[folder], path.Clean("./"+strings.TrimPrefix(at, own)))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(imports) < 5 {
		t.Fatalf("found only %d packages: the walk is broken", len(imports))
	}
	for _, fault := range faults(imports) {
		t.Error(fault)
	}
}

// TestArchitectureFires holds the test above to account: each of these wrong arrows must be refused.
func TestArchitectureFires(t *testing.T) {
	t.Parallel()
	for name, imports := range map[string]map[string][]string{
		"unknown package":            {"pkg/models": {}},
		"own line":                   {"leaf": {"leaf"}},
		"upwards":                    {"leaf": {"query"}},
		"root to client":             {".": {"client"}},
		"root to driver":             {".": {"sqlite"}},
		"driver to server":           {"sqlite": {"server/internal/api"}},
		"door to api":                {"server/internal/compat/workos": {"server/internal/api"}},
		"api to config":              {"server/internal/api": {"server/internal/config"}},
		"control to driver":          {"server/internal/control": {"sqlite"}},
		"api to client":              {"server/internal/api": {"client"}},
		"compat without a door name": {"server/internal/compat": {}},
	} {
		if len(faults(imports)) == 0 {
			t.Errorf("%s: no fault found in %v", name, imports)
		}
	}
	if f := faults(map[string][]string{"server/internal/api": {".", "query", "server/internal/auth"}, ".": {"leaf", "query"}}); f != nil {
		t.Errorf("right arrows were refused: %v", f)
	}
}

// faults returns a sentence for each wrong arrow. imports maps folders to the folders of ours that they import.
func faults(imports map[string][]string) []string {
	var out []string
	for folder, to := range imports {
		module, line := place(folder)
		if line < 0 {
			out = append(out, folder+" stands on no line: add it to the table in arch_test.go")
			continue
		}
		for _, p := range to {
			other, otherLine := place(p)
			switch {
			case otherLine < 0:
				out = append(out, fmt.Sprintf("%s imports %s, which stands on no line", folder, p))
			case other.dir == module.dir && otherLine >= line:
				out = append(out, fmt.Sprintf("%s (line %d) imports %s (line %d): arrows point strictly down", folder, line+1, p, otherLine+1))
			case other.dir != module.dir && !slices.Contains(module.may, other.dir):
				out = append(out, fmt.Sprintf("%s imports %s: its module may not import that one", folder, p))
			}
			if only := alone[p]; only != nil && !slices.Contains(only, folder) {
				out = append(out, fmt.Sprintf("%s imports %s: only %s may", folder, p, strings.Join(only, ", ")))
			}
		}
	}
	slices.Sort(out)
	return out
}

// place returns the module and line of a folder; line −1: none.
func place(folder string) (archModule, int) {
	best := archModule{}
	for _, m := range arch {
		if (m.dir == "" || folder == m.dir || strings.HasPrefix(folder, m.dir+"/")) && len(m.dir) >= len(best.dir) {
			best = m
		}
	}
	rest := strings.TrimPrefix(strings.TrimPrefix(folder, best.dir), "/")
	if rest == "" {
		rest = "."
	}
	for i, line := range best.lines {
		for _, p := range line {
			if ok, err := path.Match(p, rest); err == nil && ok {
				return best, i
			}
		}
	}
	return best, -1
}

// TestDependencies compares the modules that a program inherits from us with a golden list: the root pays almost nothing.
func TestDependencies(t *testing.T) {
	t.Parallel()
	var got bytes.Buffer
	for _, pkg := range []string{own, own + "/client", own + "/verify"} {
		cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{with .Module}}{{.Path}} {{.Version}}{{end}}", pkg)
		text, err := cmd.Output()
		if err != nil {
			t.Fatalf("go list: %v", err)
		}
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		slices.Sort(lines)
		fmt.Fprintf(&got, "%s\n", pkg)
		for _, l := range slices.Compact(lines) {
			if l = strings.TrimSpace(l); l != "" && l != own {
				fmt.Fprintf(&got, "\t%s\n", l)
			}
		}
	}
	const golden = "testdata/dependencies.golden"
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("modules linked (-want +got); a new one needs a decision record:\n%s", diff)
	}
}
