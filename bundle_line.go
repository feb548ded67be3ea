package daybook

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"hash"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/internal/rawjson"
	"github.com/daybook-audit/daybook/leaf"
)

// bundleLines writes the lines of a bundle and counts them.
type bundleLines struct {
	w    *bufio.Writer
	sum  hash.Hash
	line []byte // the memory of the line being made
	stat BundleStat
}

// begin begins a line of a type; its members follow.
func (w *bundleLines) begin(kind string) []byte {
	return append(append(append(w.line[:0], `{"t":"`...), kind...), '"')
}

// end closes the line and writes it.
func (w *bundleLines) end(line []byte) error {
	line = append(line, '}', '\n')
	w.line = line
	w.sum.Write(line)
	w.stat.Lines++
	w.stat.Bytes += int64(len(line))
	if _, err := w.w.Write(line); err != nil {
		return fmt.Errorf("line %d: %w", w.stat.Lines, err)
	}
	return nil
}

// footer writes the last line, and all that is still held.
func (w *bundleLines) footer() error {
	l := appendNumber(w.begin("footer"), "lines", w.stat.Lines)
	if err := w.end(appendBytesMember(l, "sha256", w.sum.Sum(nil))); err != nil {
		return err
	}
	if err := w.w.Flush(); err != nil {
		return fmt.Errorf("line %d: %w", w.stat.Lines, err)
	}
	return nil
}

func appendName(dst []byte, name string) []byte {
	return append(append(append(dst, ',', '"'), name...), '"', ':')
}

func appendMember(dst []byte, name, text string) []byte {
	return rawjson.Quote(appendName(dst, name), []byte(text))
}

func appendNumber(dst []byte, name string, n int64) []byte {
	return strconv.AppendInt(appendName(dst, name), n, 10)
}

func appendBytesMember(dst []byte, name string, b []byte) []byte {
	return appendBase64(appendName(dst, name), b)
}

func appendHashes(dst []byte, name string, hs []tlog.Hash) []byte {
	dst = append(appendName(dst, name), '[')
	for i := range hs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendBase64(dst, hs[i][:])
	}
	return append(dst, ']')
}

func appendBase64(dst, b []byte) []byte {
	return append(base64.StdEncoding.AppendEncode(append(dst, '"'), b), '"')
}

// appendCompact adds a JSON text without its white space. It changes no token.
func appendCompact(dst, text []byte) []byte {
	quoted := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			dst = append(dst, c, text[i+1])
			i++
		case c == '"':
			quoted = !quoted
			dst = append(dst, c)
		case quoted || c != ' ' && c != '\t' && c != '\n' && c != '\r':
			dst = append(dst, c)
		}
	}
	return dst
}

// appendEntry adds the members of an ENTRY, without braces and without a comma in front: the payload with the secret that opens it, or, when
// something of it is erased or masked, its fields one by one. h is its leaf hash. It reads into d.
func appendEntry(dst []byte, e *kept.Entry, h tlog.Hash, mask []string, d *leaf.Doc) ([]byte, error) {
	dst = append(dst, `"seq":`...)
	dst = strconv.AppendInt(dst, e.Seq, 10)
	dst = append(dst, `,"kind":`...)
	dst = strconv.AppendInt(dst, int64(e.Kind), 10)
	dst = append(dst, `,"id":"`...)
	dst = ID(e.ID).Append(dst)
	dst = append(dst, `","received_at":"`...)
	dst = AppendTime(dst, e.Received)
	dst = append(dst, '"')
	dst = appendBytesMember(dst, "leaf_hash", h[:])
	if e.Form == kept.FormWhole && len(mask) == 0 {
		dst = appendBytesMember(dst, "secret", e.Secret[:])
		return appendCompact(appendName(dst, "payload"), e.Text(nil)), nil
	}
	fs, err := e.Disclosed(d)
	if err != nil {
		return nil, ofStored(err)
	}
	masked := false
	for i := range fs {
		if f := &fs[i]; !f.Withheld && isMasked(f.Path, mask) {
			fs[i] = leaf.Field{Withheld: true, Commitment: f.Commit()}
			masked = true
		}
	}
	if e.Form == kept.FormWhole && !masked {
		dst = appendBytesMember(dst, "secret", e.Secret[:])
		return appendCompact(appendName(dst, "payload"), e.Text(nil)), nil
	}
	return appendFieldList(dst, fs), nil
}

// isMasked reports whether path is one of mask or lies below one.
func isMasked(path []byte, mask []string) bool {
	return slices.ContainsFunc(mask, func(m string) bool { return covers(m, string(path)) })
}

// covers reports whether path is m or lies below it. A step of m that is * is any step, and a number is that element of an array too.
func covers(m, path string) bool {
	if !strings.Contains(m, "*") && !strings.ContainsAny(m, "0123456789") {
		return strings.HasPrefix(path, m) && (len(path) == len(m) || path[len(m)] == '/')
	}
	for m != "" {
		var want, step string
		if path == "" {
			return false
		}
		want, m = cutStep(m)
		step, path = cutStep(path)
		if want != "*" && want != step && "~#"+want != step {
			return false
		}
	}
	return true
}

// cutStep cuts the first step off a path that begins with a slash; rest begins with the next slash.
func cutStep(path string) (step, rest string) {
	path = strings.TrimPrefix(path, "/")
	if i := strings.IndexByte(path, '/'); i >= 0 {
		return path[:i], path[i:]
	}
	return path, ""
}

func appendFieldList(dst []byte, fs []leaf.Field) []byte {
	dst = append(dst, `,"fields":[`...)
	for i := range fs {
		f := &fs[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		if f.Withheld {
			dst = append(appendBase64(append(dst, `{"c":`...), f.Commitment[:]), '}')
			continue
		}
		dst = rawjson.Quote(append(dst, `{"p":`...), f.Path)
		dst = append(dst, `,"t":"`...)
		dst = append(dst, f.Type, '"')
		if f.Type == leaf.String || f.Type == leaf.Number {
			dst = rawjson.Quote(append(dst, `,"v":`...), f.Value)
		}
		dst = append(appendBase64(append(dst, `,"s":`...), f.Salt[:]), '}')
	}
	return append(dst, ']')
}
