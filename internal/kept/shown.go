package kept

import (
	"bytes"
	"strconv"

	"github.com/daybook-audit/daybook/internal/rawjson"
	"github.com/daybook-audit/daybook/leaf"
)

// Shown returns the JSON object that the disclosed ones of fs give. Elements of arrays of which nothing is left, and which others
// follow, are null, so that every element keeps its index.
func Shown(fs []leaf.Field) []byte {
	shown := make([]*leaf.Field, 0, len(fs))
	for i := range fs {
		if !fs[i].Withheld && len(fs[i].Path) > 0 {
			shown = append(shown, &fs[i])
		}
	}
	return appendObject(nil, shown, 0)
}

// appendObject adds the object whose fields, in the order of their paths, are fs; what stands in their paths before at is its own
// place. All fields below one member stand together: a common prefix is contiguous in the order of bytes.
func appendObject(dst []byte, fs []*leaf.Field, at int) []byte {
	dst = append(dst, '{')
	for len(fs) > 0 {
		name, n := nextComponent(fs, at)
		dst = rawjson.Comma(dst)
		dst = rawjson.Quote(dst, unescaped(name))
		dst = append(dst, ':')
		dst = appendChild(dst, fs[:n], at+1+len(name))
		fs = fs[n:]
	}
	return append(dst, '}')
}

// appendArray is appendObject for an array. In the order of bytes element 10 stands before element 2.
func appendArray(dst []byte, fs []*leaf.Field, at int) []byte {
	type element struct {
		fs  []*leaf.Field
		end int
	}
	var elements []element
	for len(fs) > 0 {
		name, n := nextComponent(fs, at)
		i, err := strconv.Atoi(string(bytes.TrimPrefix(name, []byte("~#"))))
		if err != nil || i < 0 || i >= leaf.MaxFields {
			i = len(elements) // not written by us: it keeps a place
		}
		for len(elements) <= i {
			elements = append(elements, element{})
		}
		elements[i] = element{fs[:n], at + 1 + len(name)}
		fs = fs[n:]
	}
	dst = append(dst, '[')
	for i := range elements {
		dst = rawjson.Comma(dst)
		if elements[i].fs == nil {
			dst = append(dst, "null"...)
			continue
		}
		dst = appendChild(dst, elements[i].fs, elements[i].end)
	}
	return append(dst, ']')
}

// nextComponent returns the component of the first path that begins at its slash at, and the number of fields that share it.
func nextComponent(fs []*leaf.Field, at int) (name []byte, n int) {
	path := fs[0].Path
	end := len(path)
	if i := bytes.IndexByte(path[at+1:], '/'); i >= 0 {
		end = at + 1 + i
	}
	n = 1
	for n < len(fs) && len(fs[n].Path) > end && fs[n].Path[end] == '/' && bytes.Equal(fs[n].Path[:end], path[:end]) {
		n++
	}
	return path[at+1 : end], n
}

// appendChild adds the value of a member or element whose path ends at end.
func appendChild(dst []byte, fs []*leaf.Field, end int) []byte {
	f := fs[0]
	if len(f.Path) > end {
		if bytes.HasPrefix(f.Path[end:], []byte("/~#")) {
			return appendArray(dst, fs, end)
		}
		return appendObject(dst, fs, end)
	}
	switch f.Type {
	case leaf.String:
		return rawjson.Quote(dst, f.Value)
	case leaf.Number:
		return append(dst, f.Value...)
	case leaf.True:
		return append(dst, "true"...)
	case leaf.False:
		return append(dst, "false"...)
	case leaf.EmptyObject:
		return append(dst, "{}"...)
	case leaf.EmptyArray:
		return append(dst, "[]"...)
	}
	return append(dst, "null"...)
}

// unescaped returns the name that a component of a path stands for.
func unescaped(name []byte) []byte {
	if bytes.IndexByte(name, '~') < 0 {
		return name
	}
	return bytes.ReplaceAll(bytes.ReplaceAll(name, []byte("~1"), []byte("/")), []byte("~0"), []byte("~"))
}
