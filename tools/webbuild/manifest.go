package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// manifest names every file with its hash, and the hash of all inputs. server/internal/ui recomputes both.
func (c *config) manifest(files map[string][]byte) ([]byte, error) {
	inputs, err := c.inputs()
	if err != nil {
		return nil, err
	}
	sums := map[string]string{}
	for name, text := range files {
		sum := sha256.Sum256(text)
		sums[name] = hex.EncodeToString(sum[:])
	}
	text, err := json.MarshalIndent(map[string]any{"inputs_sha256": inputs, "esbuild": c.Esbuild, "files": sums}, "", "\t")
	return append(text, '\n'), err
}

// inputs is the SHA-256 of a list: for each file of src, vendor and build.json in the order of their names, the name, a zero byte,
// the hex SHA-256 of the file, a line feed.
func (c *config) inputs() (string, error) {
	all := []string{"build.json"}
	for _, folder := range []string{"src", "vendor"} {
		err := filepath.WalkDir(filepath.Join(c.web, folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			name, err := filepath.Rel(c.web, path)
			all = append(all, filepath.ToSlash(name))
			return err
		})
		if err != nil {
			return "", err
		}
	}
	slices.Sort(all)
	list := sha256.New()
	for _, name := range all {
		text, err := os.ReadFile(filepath.Join(c.web, filepath.FromSlash(name)))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(list, "%s\x00%x\n", name, sha256.Sum256(text))
	}
	return hex.EncodeToString(list.Sum(nil)), nil
}

// thirdParty is the licence text of every library in the build.
func (c *config) thirdParty() ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(c.web, "vendor", "vendor.json"))
	if err != nil {
		return nil, err
	}
	var vendor struct {
		Packages []struct{ Name, Version, License, Integrity string }
	}
	if err := json.Unmarshal(text, &vendor); err != nil {
		return nil, fmt.Errorf("read vendor.json: %w", err)
	}
	var b bytes.Buffer
	b.WriteString("The web part of Daybook contains these libraries, as npm serves them.\n")
	for _, p := range vendor.Packages {
		license, err := os.ReadFile(filepath.Join(c.web, "vendor", filepath.FromSlash(p.Name), "LICENSE"))
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "\n%s\n%s %s (%s)\n%s\n\n%s\n", strings.Repeat("-", 78), p.Name, p.Version, p.License, p.Integrity, bytes.TrimSpace(license))
	}
	return b.Bytes(), nil
}

// budget is what a part of the build may weigh after gzip.
type budget struct {
	Name         string
	Bytes, Limit int
}

var loaded = regexp.MustCompile(`(?:src|href)="/assets/([^"]+)"`)

// measure weighs what limits name: console_js and console_css are what index.html loads, each other name all modules that begin
// with it.
func measure(files map[string][]byte, limits map[string]int) []budget {
	weights := map[string]int{}
	for _, match := range loaded.FindAllSubmatch(files["index.html"], -1) {
		name := string(match[1])
		weights["console_"+strings.TrimPrefix(filepath.Ext(name), ".")] += weigh(files[name])
	}
	for name, text := range files {
		part, _, _ := strings.Cut(filepath.Base(name), "-")
		if strings.HasSuffix(name, ".js") {
			weights[part] += weigh(text)
		}
	}
	var all []budget
	for _, name := range slices.Sorted(maps.Keys(limits)) {
		all = append(all, budget{Name: name, Bytes: weights[name], Limit: limits[name]})
	}
	return all
}

func weigh(text []byte) int {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err == nil {
		_, err = w.Write(text)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(err) // memory takes every byte
	}
	return b.Len()
}
