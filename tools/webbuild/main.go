// Command webbuild makes the web part of the server from web/src and web/vendor with esbuild, without Node: the same inputs give
// the same bytes on every machine, so that anybody can check the JavaScript in a binary against the repository.
//
// Without flags it writes server/internal/ui/dist. With -check it compares dist with what it would write and says what differs.
// With -tests DIR it bundles every web/test/*.test.ts into DIR for `node --test`. With -tools it installs what the tests of the web part
// start, unless it is there, and prints its folder.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

func main() {
	check := flag.Bool("check", false, "compare dist with a new build and write nothing")
	tests := flag.String("tests", "", "bundle the unit tests into this folder")
	tools := flag.Bool("tools", false, "print the folder of the development tools")
	root := flag.String("root", "", "folder of the repository (default: the one above this module)")
	flag.Parse()
	do := func() error { return run(*root, *check, *tests, os.Stdout) }
	if *tools {
		do = func() error { return printTools(*root, os.Stdout) }
	}
	if err := do(); err != nil {
		fmt.Fprintln(os.Stderr, "webbuild:", err)
		os.Exit(1)
	}
}

func run(root string, check bool, tests string, out io.Writer) error {
	root, err := rootOr(root)
	if err != nil {
		return err
	}
	web, dist := filepath.Join(root, "web"), filepath.Join(root, "server", "internal", "ui", "dist")
	c, err := readConfig(web)
	if err != nil {
		return err
	}
	if tests != "" {
		return c.bundleTests(tests)
	}
	made, err := c.build()
	if err != nil {
		return err
	}
	if check {
		return compare(dist, made.files)
	}
	if err := replace(dist, made.files); err != nil {
		return err
	}
	for _, b := range made.budgets {
		fmt.Fprintf(out, "%-12s %6d of %6d bytes\n", b.Name, b.Bytes, b.Limit)
	}
	return nil
}

// printTools installs the development tools, unless they are there, and prints their folder.
func printTools(root string, out io.Writer) error {
	root, err := rootOr(root)
	if err != nil {
		return err
	}
	folder, err := developmentTools(context.Background(), root)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, folder)
	return err
}

func rootOr(root string) (string, error) {
	if root != "" {
		return root, nil
	}
	return findRoot()
}

// findRoot returns the folder above this one that has a web folder.
func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "web", "build.json")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("no folder above this one has web/build.json")
		}
		dir = up
	}
}

// compare says which files of dist are not what a build makes.
func compare(dist string, files map[string][]byte) error {
	var wrong []string
	err := filepath.WalkDir(dist, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dist, path)
		if err != nil {
			return err
		}
		if _, ok := files[filepath.ToSlash(name)]; !ok {
			wrong = append(wrong, name+" is not made any more")
		}
		return nil
	})
	if err != nil {
		return err
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(dist, filepath.FromSlash(name)))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			wrong = append(wrong, name+" is missing")
		case err != nil:
			return err
		case !bytes.Equal(got, want):
			wrong = append(wrong, name+" differs")
		}
	}
	if len(wrong) > 0 {
		slices.Sort(wrong)
		return fmt.Errorf("the web build is stale: run `make ui` (%q)", wrong)
	}
	return nil
}

// replace makes dist hold files and nothing else. A crash in between leaves a folder that the next build replaces.
func replace(dist string, files map[string][]byte) error {
	if err := os.RemoveAll(dist); err != nil {
		return err
	}
	for name, text := range files {
		path := filepath.Join(dist, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
