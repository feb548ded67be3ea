package retraced

import (
	"strings"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/query"
)

// terms is a search string of Retraced, translated: a query in our language, and what our language does not say.
type terms struct {
	text    string                // as it was written: cursors are bound to it
	query   string                // holds for every organization
	groups  []string              // group.id; nil: any
	nothing bool                  // it asks for what no entry has
	cruds   string                // the letters that are asked for; empty: any
	tests   []func(*outline) bool // all must hold besides the query
}

// parseTerms reads a search string. Its error is safe to show.
func parseTerms(text string) (*terms, error) {
	t := &terms{text: text}
	var conditions []string
	r := termReader{rest: text}
	for r.next() {
		c, err := t.condition(r.key, r.values)
		if err != nil {
			return nil, err
		}
		if c != "" {
			conditions = append(conditions, c)
		}
	}
	t.query = strings.Join(conditions, " ")
	return t, nil
}

// termValue is one value of a term; a star at its end means a beginning unless it is literal.
type termValue struct {
	text   string
	quoted bool
}

// termReader cuts a search string into terms.
type termReader struct {
	rest   string
	key    string // empty: free text
	values []termValue
}

// termKeys are the fields of a search string, and whether commas separate their values outside of quotes.
var termKeys = map[string]bool{
	"action": true, "crud": true, "received": true, "created": true, "actor.id": true, "target.id": true, "target.type": true,
	"group.id": true, "external_id": true, "actor.name": false, "target.name": false, "description": false, "location": false,
}

func (r *termReader) next() bool {
	r.rest = strings.TrimLeft(r.rest, " \t\r\n")
	if r.rest == "" {
		return false
	}
	r.key, r.values = "", nil
	lists := false
	if key, rest, ok := strings.Cut(r.rest, ":"); ok {
		if commas, known := termKeys[key]; known {
			r.key, r.rest, lists = key, rest, commas
		}
	}
	for {
		v := r.value(lists)
		r.values = append(r.values, v)
		if !lists || !strings.HasPrefix(r.rest, ",") {
			return true
		}
		r.rest = r.rest[1:]
	}
}

// value reads one value; a quote that is not closed reaches to the end.
func (r *termReader) value(lists bool) termValue {
	if strings.HasPrefix(r.rest, `"`) {
		var b strings.Builder
		for i := 1; i < len(r.rest); i++ {
			switch c := r.rest[i]; {
			case c == '"':
				r.rest = r.rest[i+1:]
				return termValue{b.String(), true}
			case c == '\\' && i+1 < len(r.rest) && (r.rest[i+1] == '"' || r.rest[i+1] == '\\'): // Go's client escapes them
				i++
				b.WriteByte(r.rest[i])
			default:
				b.WriteByte(c)
			}
		}
		r.rest = ""
		return termValue{b.String(), true}
	}
	ends := " \t\r\n"
	if lists {
		ends += ","
	}
	end := strings.IndexAny(r.rest, ends)
	if end < 0 {
		end = len(r.rest)
	}
	v := termValue{text: r.rest[:end]}
	r.rest = r.rest[end:]
	return v
}

// condition translates one term. What it cannot say in full it says as far as it can, and adds a test.
func (t *terms) condition(key string, values []termValue) (string, error) {
	texts := make([]string, 0, len(values))
	for _, v := range values {
		if v.text != "" {
			texts = append(texts, v.text)
		}
	}
	if key == "received" || key == "created" {
		return interval(key, values)
	}
	if len(texts) == 0 {
		return "", nil
	}
	switch key {
	case "action":
		for i, v := range texts {
			texts[i] = pattern(v)
		}
		return "action:" + strings.Join(texts, ","), nil
	case "crud":
		t.crud(texts)
		return "", nil
	case "actor.id", "target.id", "target.type":
		return key + ":" + quotedList(texts), nil
	case "external_id":
		return "correlation_id:" + quotedList(texts), nil
	case "group.id":
		t.groups = append(t.groups, texts...)
		return "", nil
	case "location":
		t.nothing = true
		return "", nil
	case "actor.name":
		return t.words(texts[0], (*outline).actorName), nil
	case "target.name":
		return t.words(texts[0], (*outline).targetName), nil
	case "description":
		return t.words(texts[0], (*outline).description), nil
	}
	return freeText(values[0]), nil
}

// crud asks for letters.
func (t *terms) crud(texts []string) {
	if t.cruds != "" {
		t.also(t.cruds) // a second term: both must hold
	}
	t.cruds = strings.ToLower(strings.Join(texts, ","))
}

func (t *terms) also(cruds string) {
	t.tests = append(t.tests, func(o *outline) bool { return strings.Contains(cruds, o.crud()) })
}

// said and unsaid are the conditions on entries whose producer said a letter that is asked for, and on those where the action decides.
func (t *terms) said() string {
	return "meta.retraced.crud:" + quotedList(strings.Split(t.cruds, ","))
}

const unsaid = "-has:meta.retraced.crud"

// words asks for all words of text, in any case, in one string of an entry.
func (t *terms) words(text string, of func(*outline) string) string {
	want := wordsOf(text)
	t.tests = append(t.tests, func(o *outline) bool {
		have := map[string]bool{}
		for _, w := range wordsOf(of(o)) {
			have[w] = true
		}
		for _, w := range want {
			if !have[w] {
				return false
			}
		}
		return true
	})
	return quotedWords(want)
}

func wordsOf(text string) []string {
	var words []string
	query.Words([]byte(text), func(w []byte) bool {
		words = append(words, string(w))
		return true
	})
	return words
}

func quotedWords(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = quote(w)
	}
	return strings.Join(quoted, " ")
}

// freeText asks for the words of an unquoted text, or for a phrase.
func freeText(v termValue) string {
	words := wordsOf(v.text)
	switch {
	case len(words) == 0:
		return ""
	case v.quoted:
		return quote(v.text)
	case len(words) == 1 && strings.HasSuffix(v.text, "*"):
		return escape(words[0]) + "*"
	}
	return quotedWords(words)
}

// interval reads START,END: from START on, before END; an empty side is open.
func interval(key string, values []termValue) (string, error) {
	if len(values) == 1 {
		if from, to, ok := strings.Cut(values[0].text, ","); ok {
			values = []termValue{{text: from}, {text: to}}
		}
	}
	if len(values) != 2 {
		return "", &searchError{"Invalid " + key + " range: it is START,END"}
	}
	field := key
	if key == "created" {
		field = "occurred"
	}
	var conditions []string
	for i, compare := range []string{":>=", ":<"} {
		if values[i].text == "" {
			continue
		}
		at, ok := searchTime(values[i].text)
		if !ok {
			return "", &searchError{"Invalid " + key + " range: unable to parse " + shown(values[i].text)}
		}
		conditions = append(conditions, field+compare+string(daybook.AppendTime(nil, at.UnixMicro())))
	}
	return strings.Join(conditions, " "), nil
}

// searchTime reads ISO 8601; a day alone is its beginning in UTC.
func searchTime(text string) (time.Time, bool) {
	at, ok := isoTime(text)
	if !ok {
		var err error
		at, err = time.Parse(time.DateOnly, text)
		ok = err == nil
	}
	return at, ok && at.UTC().Year() >= 1970 && at.UTC().Year() <= 9999
}

// searchError is what is wrong with a search string.
type searchError struct{ message string }

// Error is the message.
func (e *searchError) Error() string { return e.message }

// pattern is an action: a star at its end means everything that goes on.
func pattern(action string) string {
	if begins, ok := strings.CutSuffix(action, "*"); ok {
		return escape(begins) + "*"
	}
	return quote(action)
}

func quotedList(texts []string) string {
	quoted := make([]string, len(texts))
	for i, v := range texts {
		quoted[i] = quote(v)
	}
	return strings.Join(quoted, ",")
}

// quote writes a literal of the query language.
func quote(s string) string { return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"` }

// escape writes a literal that something follows.
func escape(s string) string {
	var b strings.Builder
	for _, r := range s {
		plain := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r > 0x7f
		if !plain {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// in returns the query for one organization, without the letters; false: it has nothing of what is asked for.
func (t *terms) in(org daybook.OrgID) (string, bool) {
	if t.nothing {
		return "", false
	}
	if t.groups == nil {
		return t.query, true
	}
	group := "meta.retraced.group.id:" + quotedList(t.groups)
	for _, g := range t.groups {
		if g == string(org) {
			group = "(" + group + " OR -has:meta.retraced.group.id)"
		}
	}
	return strings.TrimSpace(t.query + " " + group), true
}
