//go:build !noui

package ui_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/daybook-audit/daybook/server/internal/ui"
)

const web = "../../../web"

// stale is what to do about a failure here.
const stale = "the web build is stale: run `make ui`"

type manifest struct {
	Inputs string            `json:"inputs_sha256"`
	Files  map[string]string `json:"files"`
}

func readManifest(t *testing.T) manifest {
	t.Helper()
	text, err := os.ReadFile("dist/manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	var m manifest
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestBuildIsOfItsSources recomputes the hash of all inputs. In the module cache there are none: then there is nothing to compare.
func TestBuildIsOfItsSources(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat(filepath.Join(web, "build.json")); errors.Is(err, fs.ErrNotExist) {
		t.Log("no web folder: this is the module cache")
		return
	}
	names := []string{"build.json"}
	for _, folder := range []string{"src", "vendor"} {
		err := filepath.WalkDir(filepath.Join(web, folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			name, err := filepath.Rel(web, path)
			names = append(names, filepath.ToSlash(name))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(names)
	list := sha256.New()
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(web, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(list, "%s\x00%x\n", name, sha256.Sum256(text))
	}
	if got, want := readManifest(t).Inputs, hex.EncodeToString(list.Sum(nil)); got != want {
		t.Errorf("%s: inputs_sha256 is %s, the sources have %s", stale, got, want)
	}
}

// TestFilesAreThoseOfTheManifest finds a file that was changed by hand, is missing or was left behind.
func TestFilesAreThoseOfTheManifest(t *testing.T) {
	t.Parallel()
	m := readManifest(t)
	err := filepath.WalkDir("dist", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name := filepath.ToSlash(strings.TrimPrefix(path, "dist"+string(filepath.Separator)))
		if name == "manifest.json" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(text)
		if m.Files[name] != hex.EncodeToString(sum[:]) {
			t.Errorf("%s: %s is not the file of the manifest", stale, name)
		}
		delete(m.Files, name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range m.Files {
		t.Errorf("%s: %s is missing", stale, name)
	}
}

// TestBudgets weighs what a first visit loads.
func TestBudgets(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("dist/index.html")
	if err != nil {
		t.Fatal(err)
	}
	weights := map[string]int{}
	for _, match := range regexp.MustCompile(`(?:src|href)="/assets/([^"]+)"`).FindAllSubmatch(page, -1) {
		name := string(match[1])
		text, err := os.ReadFile(filepath.Join("dist", name))
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(text); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		weights[filepath.Ext(name)] += b.Len()
	}
	for ext, limit := range map[string]int{".js": 60 << 10, ".css": 12 << 10} {
		if weights[ext] == 0 || weights[ext] > limit {
			t.Errorf("the first load has %d bytes of %s after gzip, the budget is %d", weights[ext], ext, limit)
		}
	}
}

func get(t *testing.T, c *ui.Console, path string, header ...string) (*http.Response, string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	if !c.Owns(r) {
		t.Fatalf("%s is not the console's", path)
	}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	answer := w.Result()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}

func console(t *testing.T) *ui.Console {
	t.Helper()
	c, err := ui.New()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPageCarriesItsPolicy(t *testing.T) {
	t.Parallel()
	answer, body := get(t, console(t), "/o/org_acme/events")
	for name, want := range map[string]string{
		"Content-Security-Policy":    ui.Policy,
		"Referrer-Policy":            "no-referrer",
		"Cross-Origin-Opener-Policy": "same-origin",
		"Permissions-Policy":         "camera=(), microphone=(), geolocation=()",
		"Cache-Control":              "no-cache",
		"Content-Type":               "text/html; charset=utf-8",
	} {
		if got := answer.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for _, word := range []string{"'unsafe-inline'", "'unsafe-eval'", "http:", "*"} {
		if strings.Contains(ui.Policy, word) {
			t.Errorf("the policy says %s", word)
		}
	}
	if regexp.MustCompile(`<script[^>]*>[^<]|<style|\sstyle=|\son[a-z]+=`).MatchString(body) {
		t.Error("the page has an inline script or style, which its policy forbids")
	}
	again, text := get(t, console(t), "/", "If-None-Match", answer.Header.Get("Etag"))
	if again.StatusCode != http.StatusNotModified || text != "" {
		t.Errorf("a known page is sent again: %d", again.StatusCode)
	}
}

func TestHashedFilesStayForever(t *testing.T) {
	t.Parallel()
	c := console(t)
	_, page := get(t, c, "/signin")
	found := regexp.MustCompile(`(?:src|href)="(/assets/[^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(found) < 3 {
		t.Fatalf("the page loads only %v", found)
	}
	for _, match := range found {
		plain, text := get(t, c, match[1])
		if got := plain.Header.Get("Cache-Control"); got != "public, max-age=31536000, immutable" {
			t.Errorf("%s: Cache-Control is %q", match[1], got)
		}
		packed, small := get(t, c, match[1], "Accept-Encoding", "br, gzip")
		if packed.Header.Get("Content-Encoding") != "gzip" { // too short to gain
			if len(text) > 512 {
				t.Errorf("%s is not packed", match[1])
			}
			continue
		}
		r, err := gzip.NewReader(strings.NewReader(small))
		if err != nil {
			t.Fatal(err)
		}
		if unpacked, err := io.ReadAll(r); err != nil || string(unpacked) != text {
			t.Errorf("%s is another file when it is packed: %v", match[1], err)
		}
		if refused, _ := get(t, c, match[1], "Accept-Encoding", "gzip;q=0, br"); refused.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s is packed for a client that refuses it", match[1])
		}
	}
}

// TestOnlyItsOwn holds the console to the addresses of its pages and files.
func TestOnlyItsOwn(t *testing.T) {
	t.Parallel()
	c := console(t)
	for path, want := range map[string]bool{
		"/": true, "/signin": true, "/o/a/events": true, "/o/a/events/evt_1": true, "/o/a/targets/invoice/a%2Fb": true, "/o/a/settings/keys": true,
		"/admin": true, "/assets/THIRD_PARTY.txt": true, "/portal": true,
		"/v1/events": false, "/o/a/events/evt_1/more": false, "/o": false, "/assets/manifest.json": false, "/assets/": false, "/assets/index.html": false,
		"/metrics": false, "/wp-admin": false, "/dist/index.html": false,
	} {
		if got := c.Owns(httptest.NewRequest(http.MethodGet, path, http.NoBody)); got != want {
			t.Errorf("Owns(%s) is %v", path, got)
		}
	}
	if c.Owns(httptest.NewRequest(http.MethodPost, "/", http.NoBody)) {
		t.Error("the console answers to POST")
	}
	var none *ui.Console
	if none.Owns(httptest.NewRequest(http.MethodGet, "/", http.NoBody)) {
		t.Error("no console owns something")
	}
}

func TestMissingIsAPageForPeopleOnly(t *testing.T) {
	t.Parallel()
	c := console(t)
	r := httptest.NewRequest(http.MethodGet, "/nowhere", http.NoBody)
	if c.Missing(httptest.NewRecorder(), r) {
		t.Error("a program got a page")
	}
	r.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	w := httptest.NewRecorder()
	if !c.Missing(w, r) || w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), `<div id="app">`) {
		t.Errorf("a person got %d", w.Code)
	}
}

// TestViewer: the page for frames may stand in the pages that organizations name and in no others; what other sites load may be loaded
// by them, and only what has a hash in its name is kept for ever.
func TestViewer(t *testing.T) {
	t.Parallel()
	c, err := ui.New()
	if err != nil {
		t.Fatal(err)
	}
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
		if !c.Owns(r) {
			t.Fatalf("%s is not the console's", path)
		}
		c.ServeHTTP(w, r)
		return w
	}
	if p := get("/viewer").Header().Get("Content-Security-Policy"); !strings.Contains(p, "frame-ancestors 'self';") {
		t.Errorf("without origins: %s", p)
	}
	c.Origins = func(context.Context) ([]string, error) {
		return []string{"https://app.acme.com", "https://app.globex.com"}, nil
	}
	w := get("/viewer?theme=dark")
	p := w.Header().Get("Content-Security-Policy")
	if !strings.Contains(p, "frame-ancestors 'self' https://app.acme.com https://app.globex.com;") || !strings.Contains(p, "script-src 'self';") || !strings.Contains(p, "trusted-types 'none'") {
		t.Errorf("policy: %s", p)
	}
	if w.Header().Get("X-Frame-Options") != "" || !strings.Contains(w.Body.String(), `data-origins="https://app.acme.com https://app.globex.com"`) {
		t.Errorf("%v\n%s", w.Header(), w.Body)
	}
	if p := get("/viewer/demo").Header().Get("Content-Security-Policy"); p != ui.Policy {
		t.Errorf("demo: %s", p)
	}
	c.Origins = func(context.Context) ([]string, error) { return nil, errors.New("the store is away") }
	if w := get("/viewer"); w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "store") {
		t.Errorf("without a store: %d %s", w.Code, w.Body)
	}
	for _, name := range []string{"v1.js", "frame.js", "demo.js"} {
		w := get("/viewer/" + name)
		if h := w.Header(); h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Cross-Origin-Resource-Policy") != "cross-origin" || h.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %v", name, h)
		}
		hashed := regexp.MustCompile(`import "\./([a-z0-9]+-[A-Z0-9]{8}\.js)";`).FindStringSubmatch(w.Body.String())
		if hashed == nil {
			t.Fatalf("%s: %s", name, w.Body)
		}
		if h := get("/viewer/" + hashed[1]).Header(); !strings.Contains(h.Get("Cache-Control"), "immutable") || h.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %v", hashed[1], h)
		}
	}
}
