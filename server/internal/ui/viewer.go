package ui

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"strings"
)

// Origins returns the origins of the pages that may show the viewer in a frame.
type Origins func(context.Context) ([]string, error)

// viewerPage is the page for frames, and the one that tries the viewer. Both hold the element; their scripts do the rest.
var viewerPage = template.Must(template.New("viewer").Parse(`<!doctype html>
<html lang="en"{{if .Frame}} data-origins="{{.Origins}}"{{end}}>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{{if .Frame}}Activity{{else}}Try the viewer · Daybook{{end}}</title>
<link rel="icon" href="data:,">
<script type="module" src="/viewer/{{if .Frame}}frame{{else}}demo{{end}}.js"></script>
</head>
<body>
<main>
{{if not .Frame}}<h1>Try the viewer</h1>
<p>Paste a token that <code>POST /v1/viewer-tokens</code> has made for this page's own origin. It stays in this page.</p>
<form>
<p><label>Token <input name="token" autocomplete="off" spellcheck="false" required></label></p>
<p><label>Theme <select name="theme"><option>auto</option><option>light</option><option>dark</option></select></label>
<label>Language <select name="lang"><option>en</option><option>de</option></select></label>
<button>Show</button></p>
</form>
{{end}}<daybook-viewer{{if not .Frame}} hidden{{end}}></daybook-viewer>
</main>
</body>
</html>
`))

// serveFrame answers with the page for frames: whoever may be around it stands in its policy.
func (c *Console) serveFrame(w http.ResponseWriter, r *http.Request) {
	var origins []string
	if c.Origins != nil {
		var err error
		if origins, err = c.Origins(r.Context()); err != nil {
			http.Error(w, "the origins of viewers cannot be read", http.StatusServiceUnavailable)
			return
		}
	}
	list := strings.Join(origins, " ")
	around := "'self'"
	if list != "" {
		around += " " + list
	}
	h := w.Header()
	h["Content-Security-Policy"] = []string{strings.Replace(Policy, "frame-ancestors 'none'", "frame-ancestors "+around, 1)}
	h["Cross-Origin-Resource-Policy"] = crossOrigin
	c.sendViewer(w, r, struct {
		Frame   bool
		Origins string
	}{true, list})
}

func (c *Console) serveDemo(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h["Content-Security-Policy"] = policy
	h["Cross-Origin-Opener-Policy"] = sameOrigin
	c.sendViewer(w, r, struct {
		Frame   bool
		Origins string
	}{})
}

func (*Console) sendViewer(w http.ResponseWriter, r *http.Request, page any) {
	var b strings.Builder
	if err := viewerPage.Execute(&b, page); err != nil {
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h["Referrer-Policy"], h["Permissions-Policy"], h["Cache-Control"] = noReferrer, permissions, noCache
	h["Content-Type"] = []string{"text/html; charset=utf-8"}
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = fmt.Fprint(w, b.String()) // a client that left is no news
	}
}
