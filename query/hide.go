package query

import (
	"bytes"
	"slices"
	"strings"
)

// Hiding returns q as it is for a reader from whom fields are withheld: to every condition of it, and to free text, an entry is as if it did
// not have them. hidden are JSON pointers, of which "*" as a whole step stands for any one step; what is below one is hidden too. The
// normal form does not show it. And keeps what each of its parts hides.
func (q *Query) Hiding(hidden []string) *Query {
	if q.root == nil || len(hidden) == 0 {
		return q
	}
	return newQuery(q.root.hiding(readPointers(hidden)), q.relative)
}

func (n *node) hiding(p []pointer) *node {
	out := &node{op: n.op}
	if n.cond != nil {
		c := *n.cond
		c.hidden, c.terms = append(slices.Clone(c.hidden), p...), nil // a term may be that of a hidden field
		out.cond = &c
	}
	for _, k := range n.kids {
		out.kids = append(out.kids, k.hiding(p))
	}
	return out
}

// pointer is the steps of a JSON pointer, escaped as they stand in a path; nil: any one.
type pointer [][]byte

func readPointers(texts []string) []pointer {
	all := make([]pointer, 0, len(texts))
	for _, text := range texts {
		var p pointer
		for step := range strings.SplitSeq(strings.TrimPrefix(text, "/"), "/") {
			if step == "*" {
				p = append(p, nil)
			} else {
				p = append(p, []byte(step))
			}
		}
		all = append(all, p)
	}
	return all
}

// covers reports whether path is at or below p.
func (p pointer) covers(path []byte) bool {
	for _, step := range p {
		if len(path) == 0 || path[0] != '/' {
			return false
		}
		path = path[1:]
		end := bytes.IndexByte(path, '/')
		if end < 0 {
			end = len(path)
		}
		if step != nil && !bytes.Equal(path[:end], step) {
			return false
		}
		path = path[end:]
	}
	return true
}

// hides reports whether a field is withheld from c.
func (c *condition) hides(path []byte) bool {
	return slices.ContainsFunc(c.hidden, func(p pointer) bool { return p.covers(path) })
}
