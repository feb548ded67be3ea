package sentence

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/daybook-audit/daybook/internal/pointer"
	"github.com/daybook-audit/daybook/internal/spelling"
)

// Limits of a template.
const (
	MaxTemplate     = 500 // characters
	MaxPlaceholders = 32
)

// Error says what is wrong with a template, and where.
type Error struct {
	Code    string // unclosed, stray, unknown_placeholder, bad_path, nested_group, empty_group, invisible, too_long, too_many, empty
	Pos     int    // of the first wrong character, counted in Unicode code points from 0
	Len     int    // of the wrong part
	Message string // one sentence for people
}

// Error is the message with the position, counted from 1 as people do.
func (e *Error) Error() string { return e.Message + " (at character " + strconv.Itoa(e.Pos+1) + ")" }

// Template is a sentence with places for what an event says. It is immutable and safe for concurrent use.
type Template struct {
	text   string
	pieces []piece
}

// String returns the text that the template was parsed from.
func (t *Template) String() string { return t.text }

type what byte

const (
	literal what = iota
	actor
	target
	targets
	changed
	meta
	reason
	errorCode
	action
	group
)

// piece is a literal, a placeholder or a group of them.
type piece struct {
	what what
	text string   // of a literal; of changed: the path
	keys []string // of meta
	all  bool     // of changed: no path was given
	in   []piece  // of a group
}

var simple = map[string]what{
	"actor": actor, "target": target, "targets": targets, "changed": changed, "reason": reason, "error.code": errorCode, "action": action,
}

// names are the placeholders as suggestions show them.
var names = []string{"actor", "target", "targets", "changed", "reason", "error.code", "action", "meta.KEY", "changed:/PATH"}

// Parse reads a template. The error is an *Error.
func Parse(text string) (*Template, error) {
	p := parser{rest: []rune(text)}
	switch n := len(p.rest); {
	case strings.Trim(text, " ") == "":
		return nil, p.fail("empty", 0, n, "A sentence needs words.")
	case n > MaxTemplate:
		return nil, p.fail("too_long", MaxTemplate, n-MaxTemplate, "A sentence has at most "+strconv.Itoa(MaxTemplate)+" characters.")
	case !utf8.ValidString(text):
		return nil, p.fail("invisible", 0, n, "A sentence is UTF-8.")
	}
	pieces, err := p.pieces(false)
	if err != nil {
		return nil, err
	}
	return &Template{text: text, pieces: pieces}, nil
}

// parser walks over the code points of a template once.
type parser struct {
	rest   []rune // all of them
	at     int
	placed int // placeholders so far
}

func (*parser) fail(code string, pos, n int, message string) *Error {
	return &Error{Code: code, Pos: pos, Len: n, Message: message}
}

// next returns the rune n after the current one, 0 after the end.
func (p *parser) next(n int) rune {
	if p.at+n >= len(p.rest) {
		return 0
	}
	return p.rest[p.at+n]
}

// pieces reads to the end, or in a group to its bracket, which it leaves.
func (p *parser) pieces(inGroup bool) ([]piece, error) {
	var all []piece
	var text strings.Builder
	flush := func() {
		if text.Len() > 0 {
			all = append(all, piece{what: literal, text: text.String()})
			text.Reset()
		}
	}
	for p.at < len(p.rest) {
		r := p.rest[p.at]
		if strings.ContainsRune("{}[]", r) && p.next(1) == r {
			text.WriteRune(r)
			p.at += 2
			continue
		}
		var (
			one piece
			err error
		)
		switch {
		case r == '{':
			one, err = p.placeholder()
		case r == '[' && !inGroup:
			one, err = p.group()
		case r == '[':
			return nil, p.fail("nested_group", p.at, 1, "Brackets do not stand in brackets. For the character write [[.")
		case r == ']' && inGroup:
			flush()
			return all, nil
		case r == ']', r == '}':
			return nil, p.fail("stray", p.at, 1, `This "`+string(r)+`" closes nothing. For the character write `+string(r)+string(r)+".")
		case r < 0x20 || r == 0x7f || Invisible(r):
			return nil, p.fail("invisible", p.at, 1, "A sentence is one line without characters that nobody sees.")
		default:
			text.WriteRune(r)
			p.at++
			continue
		}
		if err != nil {
			return nil, err
		}
		flush()
		all = append(all, one)
	}
	flush()
	return all, nil
}

// group reads from "[" to behind its "]".
func (p *parser) group() (piece, error) {
	from := p.at
	p.at++
	before := p.placed
	in, err := p.pieces(true)
	if err != nil {
		return piece{}, err
	}
	if p.at >= len(p.rest) {
		return piece{}, p.fail("unclosed", from, 1, `This "[" is never closed. For the character write [[.`)
	}
	p.at++
	if p.placed == before {
		return piece{}, p.fail("empty_group", from, p.at-from, "Nothing in these brackets can be missing. For the character write [[.")
	}
	return piece{what: group, in: in}, nil
}

// placeholder reads from "{" to behind its "}".
func (p *parser) placeholder() (piece, error) {
	from := p.at
	quoted := false
	for p.at++; p.at < len(p.rest); p.at++ {
		switch r := p.rest[p.at]; {
		case quoted && r == '\\':
			p.at++
		case r == '"':
			quoted = !quoted
		case r == '}' && !quoted:
			name := p.rest[from+1 : p.at]
			p.at++
			return p.named(from, string(name))
		}
	}
	return piece{}, p.fail("unclosed", from, 1, `This "{" is never closed. For the character write {{.`)
}

// named is the placeholder of that name; what stands from its brace to p.at is to blame when there is none.
func (p *parser) named(from int, name string) (piece, error) {
	if p.placed++; p.placed > MaxPlaceholders {
		return piece{}, p.fail("too_many", from, p.at-from, "A sentence has at most "+strconv.Itoa(MaxPlaceholders)+" placeholders.")
	}
	if w, ok := simple[name]; ok {
		return piece{what: w, all: w == changed}, nil
	}
	if path, ok := strings.CutPrefix(name, "changed:"); ok {
		if path == "" || !pointer.Valid(path) {
			return piece{}, p.fail("bad_path", from, p.at-from, `After "changed:" stands the path of a change, such as /amount; in a name ~0 is "~" and ~1 is "/".`)
		}
		return piece{what: changed, text: path}, nil
	}
	if keys, ok := strings.CutPrefix(name, "meta."); ok {
		path, ok := memberNames(keys)
		if !ok {
			return piece{}, p.fail("bad_path", from, p.at-from, `After "meta." stand member names joined by dots; one with a dot, a brace or a quote stands in quotes: meta."cost.center".`)
		}
		return piece{what: meta, keys: path}, nil
	}
	return piece{}, p.fail("unknown_placeholder", from, p.at-from, "There is no placeholder {"+name+"}."+suggest(name))
}

func suggest(name string) string {
	best, far := "", spelling.Far
	for _, n := range names {
		if d := spelling.Distance(strings.ToLower(name), n); d < far {
			best, far = n, d
		}
	}
	if best != "" {
		return " Did you mean {" + best + "}?"
	}
	return " There are {" + strings.Join(names, "}, {") + "}."
}

// memberNames cuts a.b."c.d" into its names.
func memberNames(s string) ([]string, bool) {
	var all []string
	for {
		var name string
		if strings.HasPrefix(s, `"`) {
			var b strings.Builder
			i := 1
			for ; i < len(s) && s[i] != '"'; i++ {
				if s[i] == '\\' {
					if i++; i == len(s) || s[i] != '"' && s[i] != '\\' {
						return nil, false
					}
				}
				b.WriteByte(s[i])
			}
			if i >= len(s) {
				return nil, false
			}
			name, s = b.String(), s[i+1:]
		} else {
			end := strings.IndexAny(s, `."{\`)
			if end < 0 {
				end = len(s)
			}
			if end == 0 {
				return nil, false
			}
			name, s = s[:end], s[end:]
		}
		all = append(all, name)
		if s == "" {
			return all, true
		}
		var ok bool
		if s, ok = strings.CutPrefix(s, "."); !ok {
			return nil, false
		}
	}
}
