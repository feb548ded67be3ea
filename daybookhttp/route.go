package daybookhttp

import (
	"context"
	"fmt"
	"net/http"
	"path"
	"strings"
)

// pattern is the pattern of a route, or a glob of paths.
type pattern struct {
	glob     string    // if it is one
	segments []segment // else
	subtree  bool      // whatever follows matches too
}

// segment is one step of a pattern.
type segment struct {
	text string // literal, or the name of a wildcard
	wild bool
}

// parsePattern reads a pattern of http.ServeMux; method and host are cut off.
func parsePattern(text string) (pattern, error) {
	p := strings.TrimLeft(text, " ")
	if _, rest, ok := strings.Cut(p, " "); ok {
		p = strings.TrimLeft(rest, " ")
	}
	at := strings.IndexByte(p, '/')
	if strings.Contains(p, "*") {
		return pattern{glob: p}, nil
	}
	if at < 0 {
		return pattern{}, fmt.Errorf("%q is no pattern of a path, and no glob", text)
	}
	out := pattern{}
	rest := p[at+1:]
	for rest != "" || strings.HasSuffix(p, "/") {
		one, after, more := strings.Cut(rest, "/")
		rest = after
		name, wild := strings.CutPrefix(one, "{")
		if wild {
			var closed bool
			if name, closed = strings.CutSuffix(name, "}"); !closed || name == "" {
				return pattern{}, fmt.Errorf("%q has a wildcard that is none", text)
			}
		}
		switch {
		case one == "" && !more: // "/" at the end
			out.subtree = true
			return out, nil
		case wild && name == "$" && !more:
			out.segments = append(out.segments, segment{})
			return out, nil
		case wild && strings.HasSuffix(name, "...") && !more:
			out.segments = append(out.segments, segment{text: strings.TrimSuffix(name, "..."), wild: true})
			out.subtree = true
			return out, nil
		case strings.ContainsAny(name, "{}") || wild && strings.HasSuffix(name, "..."):
			return pattern{}, fmt.Errorf("%q has a wildcard that is none", text)
		}
		out.segments = append(out.segments, segment{text: name, wild: wild})
		if !more {
			return out, nil
		}
	}
	return out, nil
}

// match reports whether a path has the form of p. It does not allocate.
func (p *pattern) match(path string) bool {
	if p.glob != "" {
		return globMatch(p.glob, path)
	}
	rest, ok := strings.CutPrefix(path, "/")
	if !ok {
		return false
	}
	for i, s := range p.segments {
		one, after, more := strings.Cut(rest, "/")
		last := i == len(p.segments)-1
		if last && p.subtree && s.wild {
			return true
		}
		if s.wild && one == "" || !s.wild && s.text != one {
			return false
		}
		if last {
			return !more || p.subtree
		}
		if !more {
			return false
		}
		rest = after
	}
	return p.subtree || rest == ""
}

// globMatch reports whether s has the form of glob, where * stands for any run of characters.
func globMatch(glob, s string) bool {
	first, rest, star := strings.Cut(glob, "*")
	s, ok := strings.CutPrefix(s, first)
	if !ok || !star {
		return ok && s == ""
	}
	for {
		part, after, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(s, part)
		}
		_, left, found := strings.Cut(s, part)
		if !found {
			return false
		}
		s, rest = left, after
	}
}

// Param is a wildcard of a route and what it stands for in a path.
type Param struct{ Name, Value string }

// route is what a router made of a request.
type route struct {
	pattern string // without method and host; empty: not known
	params  []Param
}

// routeOf reads the route out of a request that http.ServeMux, or a router that does as it does, has served.
func routeOf(r *http.Request) route {
	if r.Pattern == "" {
		return route{}
	}
	out := route{pattern: r.Pattern}
	if at := strings.IndexByte(out.pattern, '/'); at > 0 {
		out.pattern = out.pattern[at:]
	}
	p, err := parsePattern(out.pattern)
	if err != nil {
		return out
	}
	for _, s := range p.segments {
		if s.wild {
			out.params = append(out.params, Param{s.text, r.PathValue(s.text)})
		}
	}
	return out
}

// read cuts the values of p's wildcards out of a path that it matches.
func (p *pattern) read(of string) []Param {
	var params []Param
	rest := strings.TrimPrefix(of, "/")
	for i, s := range p.segments {
		one, after, _ := strings.Cut(rest, "/")
		if s.wild {
			if i == len(p.segments)-1 && p.subtree {
				one = rest
			}
			params = append(params, Param{s.text, one})
		}
		rest = after
	}
	return params
}

// target returns the thing that a route is about: the last literal segment before the last wildcard, with the wildcard's value.
func (x *route) target() (kind, id string) {
	p, err := parsePattern(x.pattern)
	if err != nil || len(x.params) == 0 {
		return "", ""
	}
	id = x.params[len(x.params)-1].Value
	for i := len(p.segments) - 1; i >= 0; i-- {
		if p.segments[i].wild {
			for i--; i >= 0; i-- {
				if s := p.segments[i]; !s.wild && s.text != "" {
					return s.text, id
				}
			}
			return "", ""
		}
	}
	return "", ""
}

// exchangeKey is the key of an exchange in the context of its request.
type exchangeKey struct{}

// exchangeOf returns the exchange that r belongs to; nil when nothing of it is recorded.
func exchangeOf(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

// Innermost wraps the program's router when other middleware stands between it and [Middleware]: what that puts into the context by
// copying the request, such as who asks, and the pattern of the route are then known outside. It changes nothing else.
func Innermost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if x := exchangeOf(r.Context()); x != nil {
			x.inner(r)
		}
		next.ServeHTTP(w, r)
	})
}

// SetRoute says which route a request took: for adapters to routers that do not set http.Request.Pattern. The pattern is written as
// http.ServeMux writes it, without a method.
func SetRoute(ctx context.Context, pattern string, params []Param) {
	if x := exchangeOf(ctx); x != nil {
		x.setRoute(route{pattern, params})
	}
}

// cleaned returns the path of a request without dot segments, for matching.
func cleaned(p string) string {
	if !strings.Contains(p, "//") && !strings.Contains(p, "/.") && strings.HasPrefix(p, "/") {
		return p
	}
	clean := path.Clean("/" + p)
	if strings.HasSuffix(p, "/") && clean != "/" {
		clean += "/"
	}
	return clean
}
