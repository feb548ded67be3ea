// Package ui serves the console: one page, its scripts and styles, all from the binary. It knows no API and no log; what the page
// shows it asks for like every other client.
package ui

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// pages are the addresses that the console's page answers to; the page itself finds out which one was asked for. Everything else
// that is not a file of the console is not the console's.
var pages = []string{
	"/{$}", "/signin", "/portal",
	"/o/{org}", "/o/{org}/start", "/o/{org}/events", "/o/{org}/events/{id}", "/o/{org}/timelines", "/o/{org}/targets/{type}/{id}",
	"/o/{org}/targets/{type}/{id}/versions", "/o/{org}/actors/{type}/{id}", "/o/{org}/views", "/o/{org}/views/{slug}", "/o/{org}/exports",
	"/o/{org}/exports/{id}", "/o/{org}/streams", "/o/{org}/streams/{id}", "/o/{org}/streams/{id}/deliveries/{range}", "/o/{org}/integrity",
	"/o/{org}/settings/{page}", "/admin", "/admin/{page}",
}

// Policy is the Content-Security-Policy of the console: its own scripts and styles and nothing else, no markup made from text.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; font-src 'self'; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// Header values that never change are shared between answers.
var (
	policy      = []string{Policy}
	noReferrer  = []string{"no-referrer"}
	sameOrigin  = []string{"same-origin"}
	crossOrigin = []string{"cross-origin"}
	anybody     = []string{"*"}
	permissions = []string{"camera=(), microphone=(), geolocation=()"}
	noCache     = []string{"no-cache"}
	immutable   = []string{"public, max-age=31536000, immutable"}
	accepting   = []string{"Accept-Encoding"}
	gzipped     = []string{"gzip"}
)

// Console answers requests for the console. Safe for concurrent use.
type Console struct {
	// Origins names the origins of the pages that may show the viewer in a frame; nil: those of this server alone. It is set before the
	// first request.
	Origins Origins

	mux  *http.ServeMux
	page *file
}

// file is one file of dist, also packed when that is smaller.
type file struct {
	kind, etag  []string
	text, small []byte // small: after gzip; nil: not smaller
	forever     bool   // the name holds the hash of the text
	foreign     bool   // made for other sites
}

// New reads the embedded files and packs each one once. A binary built with the tag noui gets a Console that owns nothing.
func New() (*Console, error) {
	c := &Console{mux: http.NewServeMux()}
	err := fs.WalkDir(dist, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := dist.ReadFile(name)
		if err != nil {
			return err
		}
		return c.add(strings.TrimPrefix(name, "dist/"), text)
	})
	if err != nil {
		return nil, fmt.Errorf("read the console: %w", err)
	}
	if c.page == nil {
		return c, nil
	}
	for _, pattern := range pages {
		c.mux.Handle("GET "+pattern, http.HandlerFunc(c.servePage))
	}
	c.mux.Handle("GET /docs", http.RedirectHandler("/docs/api", http.StatusFound)) // the other pages are in the repository
	c.mux.HandleFunc("GET /viewer", c.serveFrame)
	c.mux.HandleFunc("GET /viewer/demo", c.serveDemo)
	return c, nil
}

// add mounts one file of dist.
func (c *Console) add(name string, text []byte) error {
	sum := sha256.Sum256(text)
	kind := mime.TypeByExtension(path.Ext(name))
	switch path.Ext(name) { // the table of the system may say otherwise
	case ".js":
		kind = "text/javascript; charset=utf-8"
	case ".css":
		kind = "text/css; charset=utf-8"
	case ".html":
		kind = "text/html; charset=utf-8"
	case ".txt":
		kind = "text/plain; charset=utf-8"
	}
	small, err := pack(text)
	if err != nil {
		return err
	}
	f := &file{kind: []string{kind}, etag: []string{`"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}, text: text, small: small}
	switch {
	case name == "manifest.json":
		return nil // for those who check the build
	case name == "index.html":
		c.page = f
		return nil
	case strings.HasPrefix(name, "viewer/"):
		f.foreign, f.forever = true, strings.Contains(path.Base(name), "-") // the others import the one with a hash in its name
		c.mux.Handle("GET /"+name, f)
	case name == "THIRD_PARTY.txt":
		c.mux.Handle("GET /assets/"+name, f)
	default:
		f.forever = true
		c.mux.Handle("GET /assets/"+name, f)
	}
	return nil
}

// pack returns text after gzip, nil when that saves less than a tenth.
func pack(text []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	_, err = w.Write(text)
	if err = errors.Join(err, w.Close()); err != nil {
		return nil, err
	}
	if b.Len() > len(text)*9/10 {
		return nil, nil
	}
	return b.Bytes(), nil
}

// Owns reports whether the console answers to the path of r. A nil Console owns nothing.
func (c *Console) Owns(r *http.Request) bool {
	if c == nil || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	_, pattern := c.mux.Handler(r)
	return pattern != ""
}

// ServeHTTP answers a request that the console owns.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.mux.ServeHTTP(w, r) }

// Missing answers a person's browser at an address that nobody owns with the console's page, which says so, and reports whether it
// did: what does not ask for a page wants the answer of an API.
func (c *Console) Missing(w http.ResponseWriter, r *http.Request) bool {
	if c == nil || c.page == nil || r.Method != http.MethodGet || !strings.HasPrefix(r.Header.Get("Accept"), "text/html") {
		return false
	}
	c.sendPage(w, r, http.StatusNotFound)
	return true
}

func (c *Console) servePage(w http.ResponseWriter, r *http.Request) {
	c.sendPage(w, r, http.StatusOK)
}

func (c *Console) sendPage(w http.ResponseWriter, r *http.Request, status int) {
	h := w.Header()
	h["Content-Security-Policy"] = policy
	h["Referrer-Policy"] = noReferrer
	h["Cross-Origin-Opener-Policy"] = sameOrigin
	h["Permissions-Policy"] = permissions
	c.page.send(w, r, status)
}

// ServeHTTP answers with the file.
func (f *file) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h["Cross-Origin-Resource-Policy"] = sameOrigin
	if f.foreign {
		h["Cross-Origin-Resource-Policy"] = crossOrigin
		h["Access-Control-Allow-Origin"] = anybody
	}
	f.send(w, r, http.StatusOK)
}

func (f *file) send(w http.ResponseWriter, r *http.Request, status int) {
	h := w.Header()
	h["Cache-Control"] = noCache
	if f.forever {
		h["Cache-Control"] = immutable
	}
	h["Etag"] = f.etag
	h["Vary"] = accepting
	if status == http.StatusOK && r.Header.Get("If-None-Match") == f.etag[0] {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h["Content-Type"] = f.kind
	body := f.text
	if f.small != nil && takesGzip(r) {
		h["Content-Encoding"] = gzipped
		body = f.small
	}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // a client that left is no news
	}
}

// takesGzip reports whether the client takes gzip: named, and not refused by a weight of zero.
func takesGzip(r *http.Request) bool {
	for one := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, weight, _ := strings.Cut(strings.TrimSpace(one), ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			weight = strings.ReplaceAll(weight, " ", "")
			return weight != "q=0" && weight != "q=0.0" && weight != "q=0.00" && weight != "q=0.000"
		}
	}
	return false
}
