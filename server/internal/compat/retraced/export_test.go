package retraced

import "github.com/daybook-audit/daybook/leaf"

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
