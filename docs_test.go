package daybook_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// documents returns every Markdown file of the repository by its path.
func documents(t *testing.T) map[string]string {
	t.Helper()
	docs := map[string]string{}
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && p != "." && (strings.HasPrefix(d.Name(), ".") || slices.Contains([]string{"bin", "testdata", "node_modules"}, d.Name())) {
			return fs.SkipDir
		}
		if strings.HasSuffix(p, ".md") {
			text, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			docs[filepath.ToSlash(p)] = string(text)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(docs) < 20 {
		t.Fatalf("found only %d documents: the walk is broken", len(docs))
	}
	return docs
}

// sources returns the Go files of the repository, tests or not, by their path.
func sources(t *testing.T, tests bool) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && p != "." && (strings.HasPrefix(d.Name(), ".") || slices.Contains([]string{"bin", "testdata", "tools", "node_modules"}, d.Name())) {
			return fs.SkipDir
		}
		if strings.HasSuffix(p, ".go") && strings.HasSuffix(p, "_test.go") == tests {
			text, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			files[filepath.ToSlash(p)] = string(text)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

var (
	fence   = regexp.MustCompile("(?ms)^[ \t]*```.*?^[ \t]*```[ \t]*$")
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ +(.+)$`)
)

// anchors returns the fragments that a document's headings can be linked by.
func anchors(text string) []string {
	var all []string
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		name := strings.ToLower(m[1])
		name = regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(name, "")
		all = append(all, strings.ReplaceAll(name, " ", "-"))
	}
	return all
}

// Every relative link leads to a file that is there, and to a heading of it.
func TestLinks(t *testing.T) {
	t.Parallel()
	docs := documents(t)
	for name, text := range docs {
		for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			to, err := url.Parse(m[1])
			if err != nil {
				t.Errorf("%s: %s: %v", name, m[1], err)
				continue
			}
			if to.Scheme != "" {
				continue
			}
			target := name
			if to.Path != "" {
				target = path.Join(path.Dir(name), to.Path)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: there is no %s", name, m[1])
			} else if doc, ok := docs[target]; ok && to.Fragment != "" && !slices.Contains(anchors(doc), to.Fragment) {
				t.Errorf("%s: %s has no heading #%s", name, target, to.Fragment)
			}
		}
	}
}

// Every document below docs can be reached from the README.
func TestMapOfDocuments(t *testing.T) {
	t.Parallel()
	docs := documents(t)
	reached, next := map[string]bool{"README.md": true}, []string{"README.md"}
	for len(next) > 0 {
		name := next[0]
		next = next[1:]
		for _, m := range link.FindAllStringSubmatch(docs[name], -1) {
			target := path.Join(path.Dir(name), strings.SplitN(m[1], "#", 2)[0])
			if _, ok := docs[target]; ok && !reached[target] {
				reached[target] = true
				next = append(next, target)
			}
		}
	}
	for name := range docs {
		if strings.HasPrefix(name, "docs/") && !reached[name] {
			t.Errorf("nothing leads to %s", name)
		}
	}
}

// What a document names in the code is there: tests, and functions written as `file.go: Type.name`.
func TestNamesInDocuments(t *testing.T) {
	t.Parallel()
	tests, code := sources(t, true), sources(t, false)
	var all strings.Builder
	for _, text := range tests {
		all.WriteString(text)
	}
	for name, text := range documents(t) {
		for _, test := range regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w+`).FindAllString(text, -1) {
			if !strings.Contains(all.String(), "func "+test+"(") && !strings.Contains(text, "func "+test+"(") {
				t.Errorf("%s names %s, which is not there", name, test)
			}
		}
		for _, m := range regexp.MustCompile("`([\\w/]+\\.go): (?:(\\w+)\\.)?(\\w+)`").FindAllStringSubmatch(text, -1) {
			if !declares(code, m[1], m[2], m[3]) && !declares(tests, m[1], m[2], m[3]) {
				t.Errorf("%s: there is no %s", name, m[0])
			}
		}
		for _, m := range regexp.MustCompile("`([a-z][\\w/]*\\.go)`").FindAllStringSubmatch(text, -1) {
			if !slices.ContainsFunc(append(paths(code), paths(tests)...), func(p string) bool { return ends(p, m[1]) }) && !strings.Contains(name, "guides/add-a") {
				t.Errorf("%s: there is no %s", name, m[1])
			}
		}
	}
}

func paths(files map[string]string) []string {
	var all []string
	for p := range files {
		all = append(all, p)
	}
	return all
}

func ends(p, tail string) bool { return p == tail || strings.HasSuffix(p, "/"+tail) }

// declares reports whether a file whose path ends in file has the function or method.
func declares(files map[string]string, file, receiver, name string) bool {
	want := `(?m)^func ` + name + `[(\[]`
	if receiver != "" {
		want = `(?m)^func \(\w+ \*?` + receiver + `(\[\w+\])?\) ` + name + `\(`
	}
	for p, text := range files {
		if ends(p, file) && regexp.MustCompile(want).MatchString(text) {
			return true
		}
	}
	return false
}

var pageName = regexp.MustCompile(`([\w./-]*\w\.md)\b(?:, section (?:(\d+(?:\.\d+)?)|"([^"]+)"))?`)

// What a comment in the code says of a page is true: the page is there under that path, from the root or from the file's own folder,
// and so is its section.
func TestPagesInComments(t *testing.T) {
	t.Parallel()
	docs := documents(t)
	for name, text := range comments(t) {
		for _, m := range pageName.FindAllStringSubmatch(text, -1) {
			page, ok := docs[m[1]]
			if !ok {
				page, ok = docs[path.Join(path.Dir(name), m[1])]
			}
			if !ok {
				t.Errorf("%s names %s, which is not there", name, m[1])
				continue
			}
			known := slices.ContainsFunc(heading.FindAllStringSubmatch(fence.ReplaceAllString(page, ""), -1), func(h []string) bool {
				number, _, _ := strings.Cut(h[1], " ")
				return strings.TrimSuffix(number, ".") == m[2] || h[1] == m[3]
			})
			if m[2]+m[3] != "" && !known {
				t.Errorf("%s: %s has no section %s", name, m[1], m[2]+m[3])
			}
		}
		if m := regexp.MustCompile(`[\w.]*\w §[\w.]*`).FindString(regexp.MustCompile(`RFC \d+ §`).ReplaceAllString(text, "")); m != "" {
			t.Errorf("%s: %q names a section of what? Write PATH.md, section N", name, m)
		}
	}
}

// comments returns the comments of the Go files, and the whole of the other files that have some, by their path.
func comments(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, tests := range []bool{false, true} {
		for name := range sources(t, tests) {
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, group := range file.Comments {
				all[name] += strings.ReplaceAll(group.Text(), "\n", " ") + "\n"
			}
		}
	}
	for _, pattern := range []string{"Makefile", ".golangci.yml", ".ci/run", "tools/*", "sqlite/migrations/*.sql", "server/internal/api/page.*"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %v, %v", pattern, names, err)
		}
		for _, name := range names {
			if info, err := os.Stat(name); err != nil || info.IsDir() {
				continue
			}
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			all[filepath.ToSlash(name)] = string(text)
		}
	}
	return all
}

var command = regexp.MustCompile(`(?:^|[\s(|])(?:bin/)?daybook ((?:[a-z][a-z-]*)(?: [a-z][a-z-]*)?)`)

// Every command line of a document names a command that docs/reference/cli.md has; that page is compared with the program.
func TestCommandLines(t *testing.T) {
	t.Parallel()
	docs := documents(t)
	known := map[string]bool{"help": true}
	for _, m := range regexp.MustCompile("(?m)^## daybook ([a-z -]+)$").FindAllStringSubmatch(docs["docs/reference/cli.md"], -1) {
		known[m[1]] = true
	}
	if len(known) < 20 {
		t.Fatalf("docs/reference/cli.md has only %d commands", len(known))
	}
	for name, text := range docs {
		if name == "docs/reference/cli.md" {
			continue
		}
		var lines []string
		for _, block := range fence.FindAllString(text, -1) {
			lines = append(lines, strings.Split(block, "\n")...)
		}
		for _, m := range regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			lines = append(lines, m[1])
		}
		for _, line := range lines {
			for _, m := range command.FindAllStringSubmatch(line, -1) {
				first, _, _ := strings.Cut(m[1], " ")
				if !known[m[1]] && !known[first] {
					t.Errorf("%s: there is no command daybook %s", name, m[1])
				}
			}
		}
	}
}

var quoted = regexp.MustCompile("(?s)<!-- (code|golden): (\\S+)(?: (\\S+))? -->\n```\\w*\n(.*?)```")

// What a document quotes is what the tests run: regions of examples, and golden files of the API. With -update it is written.
func TestQuotations(t *testing.T) {
	t.Parallel()
	for name, text := range documents(t) {
		written := quoted.ReplaceAllStringFunc(text, func(block string) string {
			m := quoted.FindStringSubmatch(block)
			want, err := quotation(m[1], m[2], m[3])
			if err != nil {
				t.Errorf("%s: %v", name, err)
				return block
			}
			if m[4] != want && !*update {
				t.Errorf("%s: the quotation of %s %s differs; it is:\n%s", name, m[2], m[3], want)
			}
			return strings.TrimSuffix(block, m[4]+"```") + want + "```"
		})
		if *update && written != text {
			if err := os.WriteFile(name, []byte(written), 0o644); err != nil {
				t.Error(err)
			}
		}
	}
}

func quotation(kind, from, part string) (string, error) {
	if kind == "golden" {
		text, err := os.ReadFile(path.Join("server/internal/api/testdata", from+".golden"))
		if err != nil {
			return "", err
		}
		var request, answer []string
		into := &request
		for line := range strings.Lines(string(text)) {
			switch {
			case strings.HasPrefix(line, "< "):
				into = &answer
			case strings.HasPrefix(line, "> "):
			default:
				*into = append(*into, line)
			}
		}
		if part == "request" {
			answer = request
		}
		return strings.TrimSpace(strings.Join(answer, "")) + "\n", nil
	}
	text, err := os.ReadFile(from)
	if err != nil {
		return "", err
	}
	_, rest, ok := strings.Cut(string(text), "// region: "+part+"\n")
	region, _, closed := strings.Cut(rest, "// end: "+part+"\n")
	if !ok || !closed {
		return "", fmt.Errorf("%s has no region %s", from, part)
	}
	lines := strings.Split(strings.TrimRight(region, "\n\t "), "\n")
	indent := len(lines[0]) - len(strings.TrimLeft(lines[0], "\t"))
	for i, line := range lines {
		if len(line) < indent {
			lines[i] = ""
			continue
		}
		lines[i] = line[indent:]
	}
	return strings.Join(lines, "\n") + "\n", nil
}

// Every Go block of a document is Go.
func TestGoInDocuments(t *testing.T) {
	t.Parallel()
	for name, text := range documents(t) {
		for _, m := range regexp.MustCompile("(?ms)^[ \t]*```go\n(.*?)^[ \t]*```").FindAllStringSubmatch(text, -1) {
			whole := "package p\n" + m[1]
			inside := "package p\nfunc f() {\n" + m[1] + "\n}"
			_, err := parser.ParseFile(token.NewFileSet(), "", whole, 0)
			if _, err2 := parser.ParseFile(token.NewFileSet(), "", inside, 0); err != nil && err2 != nil {
				t.Errorf("%s: %v in\n%s", name, err2, m[1])
			}
		}
	}
}

// The page of metrics has every metric of the server, and no other.
func TestMetricsPage(t *testing.T) {
	t.Parallel()
	name := regexp.MustCompile(`daybook_[a-z_]+`)
	code, err := os.ReadFile("server/internal/api/metrics.go")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "metric", name.FindAllString(string(code), -1), name.FindAllString(documents(t)["docs/reference/metrics.md"], -1))
}

// The page of errors has every code that the library and the native API answer with, and no other.
func TestErrorsPage(t *testing.T) {
	t.Parallel()
	rules := []*regexp.Regexp{
		regexp.MustCompile(`(?:Rule: |refused\(|\.refuse\(|invalid\(|\bcode: |newProblem\([\w.]+, )"([a-z_0-9]+)"`),
		regexp.MustCompile(`(?m)^\t[A-Z]\w+ += "([a-z_0-9]+)" +// `), // leaf's
		regexp.MustCompile(`(?m)^\tCode(?:Unauthorized|Forbidden|NotFound|TooLarge|Overloaded|Internal) +Code = "([a-z_0-9]+)"`),
	}
	var code []string
	for p, text := range sources(t, false) {
		if !strings.Contains(p, "/") || strings.HasPrefix(p, "leaf/") || strings.HasPrefix(p, "internal/shape/") || strings.HasPrefix(p, "server/internal/") && !strings.Contains(p, "/compat/") {
			for i, r := range rules {
				if i == 1 && p != "leaf/errors.go" {
					continue
				}
				for _, m := range r.FindAllStringSubmatch(text, -1) {
					code = append(code, m[1])
				}
			}
		}
	}
	page := documents(t)["docs/reference/errors.md"]
	var listed []string
	for line := range strings.Lines(fence.ReplaceAllString(page, "")) {
		if strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "In Go only") {
			cells := line
			if strings.HasPrefix(line, "| ") { // the cell of codes: the first that begins with one
				for cell := range strings.SplitSeq(line, "|") {
					if cells = strings.TrimSpace(cell); strings.HasPrefix(cells, "`") {
						break
					}
				}
			}
			for _, m := range regexp.MustCompile("`([a-z_0-9]+)`").FindAllStringSubmatch(cells, -1) {
				listed = append(listed, m[1])
			}
		}
	}
	listed = slices.DeleteFunc(listed, func(s string) bool { return s == "tampered" })
	same(t, "code", code, listed)
}

// same holds that two lists have the same members, in any order and number.
func same(t *testing.T, what string, code, page []string) {
	t.Helper()
	if len(code) == 0 {
		t.Fatalf("no %s found in the code: the search is broken", what)
	}
	for _, s := range code {
		if !slices.Contains(page, s) {
			t.Errorf("the %s %s is not on the page", what, s)
		}
	}
	for _, s := range page {
		if !slices.Contains(code, s) {
			t.Errorf("the %s %s is on the page and not in the code", what, s)
		}
	}
}

// The page on self-audit has every action that the server records, and no other.
func TestSelfAuditPage(t *testing.T) {
	t.Parallel()
	var code, page []string
	for p, text := range sources(t, false) {
		if strings.HasPrefix(p, "server/") {
			for _, m := range regexp.MustCompile(`"(daybook\.[a-z_]+\.[a-z_]+)"`).FindAllStringSubmatch(text, -1) {
				code = append(code, m[1])
			}
		}
	}
	for line := range strings.Lines(documents(t)["docs/explanation/self-audit.md"]) {
		of := "" // an action of which only the last word is given is of the noun before it
		for _, m := range regexp.MustCompile("`(daybook\\.[a-z_]+)?(\\.[a-z_]+)`").FindAllStringSubmatch(line, -1) {
			if m[1] != "" {
				of = m[1]
			}
			if strings.HasPrefix(line, "| `daybook.") {
				page = append(page, of+m[2])
			}
		}
	}
	same(t, "action", code, page)
}
