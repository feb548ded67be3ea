package retraced

import (
	"encoding/json"

	"github.com/daybook-audit/daybook/leaf"
)

// Decode reads one event as the door does, and returns what is wrong with it.
func Decode(text []byte) (Event, []string) {
	doc := leaf.Get()
	defer leaf.Put(doc)
	in, broken, err := decode(doc, text, "dev")
	if err != nil {
		return in.Event, []string{err.Error()}
	}
	var messages []string
	for _, v := range broken {
		messages = append(messages, v.Message)
	}
	return in.Event, messages
}

// ParseGraphQL reads a document and its variables.
func ParseGraphQL(document, vars string) error {
	o, err := parseOperation(request{Query: document, Variables: json.RawMessage(vars)})
	if err != nil {
		return err
	}
	for _, root := range o.roots {
		args := &arguments{vars: o.vars, list: root.args}
		_, _, _ = args.text("query"), args.number("last", 1, 1, maxPage), args.oneOf("type", "action")
		if err := args.done(); err != nil {
			return err
		}
	}
	return nil
}

// ParseSearch reads a search string, as far as the query that an organization is asked with.
func ParseSearch(text string) error {
	t, err := parseTerms(text)
	if err != nil {
		return err
	}
	s := &sought{terms: t, reader: &reader{}}
	if in, ok := t.in("org"); ok {
		_, err = s.question("org", in)
	}
	return err
}
