package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// config is web/build.json.
type config struct {
	Esbuild  string            `json:"esbuild"` // version that makes the committed bytes
	Target   string            `json:"target"`
	Page     string            `json:"page"`     // of the console; what it needs is put into it
	First    string            `json:"first"`    // script that runs before the page is painted
	Icons    string            `json:"icons"`    // folder of the sprite
	Entries  map[string]string `json:"entries"`  // of the console: name to module
	Elements map[string]string `json:"elements"` // for other sites: fixed address to module; one file each
	Budgets  map[string]int    `json:"budgets"`  // bytes after gzip

	web string
}

func readConfig(web string) (*config, error) {
	web, err := filepath.Abs(web) // esbuild wants it whole
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(web, "build.json"))
	if err != nil {
		return nil, err
	}
	c := &config{web: web}
	if err := json.Unmarshal(text, c); err != nil {
		return nil, fmt.Errorf("read build.json: %w", err)
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return c, nil
	}
	for _, m := range info.Deps {
		if m.Path == "github.com/evanw/esbuild" && m.Version != c.Esbuild {
			return nil, fmt.Errorf("build.json wants esbuild %s, tools/go.mod has %s", c.Esbuild, m.Version)
		}
	}
	return c, nil
}

// product is a whole build.
type product struct {
	files   map[string][]byte // of dist
	budgets []budget
}

// meta is the part of esbuild's metafile that the page and the budgets need.
type meta struct {
	Outputs map[string]struct {
		Imports []struct {
			Path, Kind string
			External   bool
		}
		EntryPoint string
		CSSBundle  string
	}
}

func (c *config) options() (api.BuildOptions, error) {
	targets := map[string]api.Target{"es2022": api.ES2022, "es2023": api.ES2023, "es2024": api.ES2024}
	target, ok := targets[c.Target]
	if !ok {
		return api.BuildOptions{}, fmt.Errorf("build.json: unknown target %q", c.Target)
	}
	return api.BuildOptions{
		AbsWorkingDir: c.web, NodePaths: []string{filepath.Join(c.web, "vendor")}, Bundle: true, Format: api.FormatESModule, Target: target,
		JSX: api.JSXAutomatic, JSXImportSource: "preact", TsconfigRaw: "{}", Charset: api.CharsetUTF8, LegalComments: api.LegalCommentsNone,
		MinifyWhitespace: true, MinifyIdentifiers: true, MinifySyntax: true, Outdir: "dist", LogLevel: api.LogLevelSilent,
		Define: map[string]string{"process.env.NODE_ENV": `"production"`}, Loader: map[string]api.Loader{".json": api.LoaderJSON},
	}, nil
}

// bundle runs esbuild and adds what it makes to files.
func (c *config) bundle(o api.BuildOptions, files map[string][]byte) (*meta, error) {
	o.Metafile = true
	result := api.Build(o)
	if len(result.Errors) > 0 {
		return nil, errors.New(strings.Join(api.FormatMessages(result.Errors, api.FormatMessagesOptions{}), "\n"))
	}
	if len(result.Warnings) > 0 {
		return nil, errors.New(strings.Join(api.FormatMessages(result.Warnings, api.FormatMessagesOptions{Kind: api.WarningMessage}), "\n"))
	}
	for _, f := range result.OutputFiles {
		name, err := filepath.Rel(filepath.Join(c.web, "dist"), f.Path)
		if err != nil {
			return nil, err
		}
		files[filepath.ToSlash(name)] = f.Contents
	}
	var m meta
	if err := json.Unmarshal([]byte(result.Metafile), &m); err != nil {
		return nil, fmt.Errorf("read what esbuild made: %w", err)
	}
	return &m, nil
}

// build makes everything that stands in dist.
func (c *config) build() (*product, error) {
	files := map[string][]byte{}
	o, err := c.options()
	if err != nil {
		return nil, err
	}
	console := o
	console.Splitting, console.EntryNames, console.ChunkNames, console.AssetNames = true, "[name]-[hash]", "[name]-[hash]", "[name]-[hash]"
	for _, name := range slices.Sorted(maps.Keys(c.Entries)) {
		console.EntryPointsAdvanced = append(console.EntryPointsAdvanced, api.EntryPoint{InputPath: c.Entries[name], OutputPath: name})
	}
	m, err := c.bundle(console, files)
	if err != nil {
		return nil, err
	}
	first := o
	first.EntryPoints, first.EntryNames, first.Format = []string{c.First}, "[name]-[hash]", api.FormatIIFE
	fm, err := c.bundle(first, files)
	if err != nil {
		return nil, err
	}
	if err := c.elements(o, files); err != nil {
		return nil, err
	}
	if err := c.page(m, fm, files); err != nil {
		return nil, err
	}
	if files["THIRD_PARTY.txt"], err = c.thirdParty(); err != nil {
		return nil, err
	}
	if files["manifest.json"], err = c.manifest(files); err != nil {
		return nil, err
	}
	p := &product{files: files, budgets: measure(files, c.Budgets)}
	for _, b := range p.budgets {
		if b.Bytes > b.Limit {
			return nil, fmt.Errorf("%s is %d bytes after gzip, the budget is %d", b.Name, b.Bytes, b.Limit)
		}
	}
	return p, nil
}

// elements builds what other sites load: one file each under a hashed name, and at the fixed address a line that imports it.
func (c *config) elements(o api.BuildOptions, files map[string][]byte) error {
	for _, address := range slices.Sorted(maps.Keys(c.Elements)) {
		one := o
		one.EntryPoints, one.EntryNames = []string{c.Elements[address]}, path.Join(path.Dir(address), "[name]-[hash]")
		m, err := c.bundle(one, files)
		if err != nil {
			return err
		}
		for name, out := range m.Outputs {
			if out.EntryPoint != "" {
				files[address] = fmt.Appendf(nil, "import \"./%s\";\n", path.Base(name))
			}
		}
	}
	return nil
}

// bundleTests compiles the unit tests, each into one file that Node runs.
func (c *config) bundleTests(dir string) error {
	o, err := c.options()
	if err != nil {
		return err
	}
	tests, err := filepath.Glob(filepath.Join(c.web, "test", "*.test.ts"))
	if err != nil {
		return err
	}
	if len(tests) == 0 {
		return errors.New("web/test has no *.test.ts")
	}
	o.EntryPoints, o.Platform, o.Write, o.Outdir = tests, api.PlatformNode, true, dir
	o.OutExtension = map[string]string{".js": ".mjs"}
	o.MinifyWhitespace, o.MinifyIdentifiers, o.MinifySyntax = false, false, false
	o.Conditions = []string{"browser"} // of a library take what the page takes
	o.Loader[".css"] = api.LoaderEmpty
	if out := api.Build(o); len(out.Errors) > 0 {
		return errors.New(strings.Join(api.FormatMessages(out.Errors, api.FormatMessagesOptions{}), "\n"))
	}
	return nil
}
