package api

import (
	"net/http"
	"strings"

	"github.com/daybook-audit/daybook/server/internal/auth"
)

// Row is a row of the table of routes, as the tests that walk it see it.
type Row struct {
	Method, Pattern string
	Scopes          auth.Scopes
	Open, Org, Door bool
	Looks           string // the action of looking; empty: nothing of a log is shown
	Params          []string
}

// Rows returns the table, the doors' routes included.
func (s *Server) Rows() []Row {
	rows := make([]Row, 0, len(s.routes))
	for _, rt := range s.routes {
		row := Row{Method: rt.method, Pattern: rt.path(), Scopes: rt.scopes, Open: rt.open, Org: rt.org != orgNone, Door: rt.door != nil, Looks: rt.looks.action}
		for _, p := range rt.params {
			row.Params = append(row.Params, p.name)
		}
		rows = append(rows, row)
	}
	return rows
}

// Pattern returns the pattern of the route that answers r, empty when there is none.
func (s *Server) Pattern(r *http.Request) string {
	if !clean(r.URL) {
		return ""
	}
	_, pattern := s.mux.Handler(r)
	_, path, _ := strings.Cut(pattern, " ")
	return (&route{pattern: path}).path()
}

// Document returns the OpenAPI document.
func (s *Server) Document() []byte { return s.openapi }

// ParseTile reads the path of a tile.
func ParseTile(path string) (entries bool, level int, n int64, width int, ok bool) {
	t, ok := parseTile(path)
	return t.entries, t.level, t.n, t.width, ok
}

// SplitArray and SplitLines are how bodies of many events are cut.
var (
	SplitArray = splitArray
	SplitLines = splitLines
)
