package sentence

import (
	"strconv"
	"strings"

	"github.com/daybook-audit/daybook"
)

// Kind says what a part of a sentence names.
type Kind string

// The kinds.
const (
	Text    Kind = "text"    // words of the template
	Actor   Kind = "actor"   // who, with the one who stands behind
	Target  Kind = "target"  // what it was done to
	Value   Kind = "value"   // anything else that the event says
	Outcome Kind = "outcome" // " – failed" or " – denied", when the template does not say so itself
)

// Part is a piece of a sentence.
type Part struct {
	Kind Kind   `json:"kind"`
	Text string `json:"text"` // never empty; control and bidirectional characters are symbols
}

// Sentence is what an event says, in parts.
type Sentence []Part

// String joins the parts.
func (s Sentence) String() string {
	var b strings.Builder
	for _, p := range s {
		b.WriteString(p.Text)
	}
	return b.String()
}

// Who returns the actor when the sentence begins with it, else "".
func (s Sentence) Who() string {
	if len(s) > 0 && s[0].Kind == Actor {
		return s[0].Text
	}
	return ""
}

// What returns the sentence without the actor that it begins with.
func (s Sentence) What() string {
	if s.Who() != "" {
		return strings.TrimLeft(s[1:].String(), " ·")
	}
	return s.String()
}

// Templates are those of one schema version. The zero value stands for a schema without any.
type Templates struct {
	Success *Template
	Failure *Template // nil: Success with the outcome appended
	Denied  *Template // nil: Success with the outcome appended
}

// gone stands for what was there and is erased, or hidden from the reader.
const gone = "▒"

// Subject is what a sentence is about.
type Subject struct {
	Event *daybook.Event
	// Gone are the JSON pointers of members that are erased or hidden. GoneUnnamed says that more are, and nobody knows which.
	Gone        []string
	GoneUnnamed bool
}

// Render says what s says. It never fails: what is missing is left out, what is erased is ▒.
func (t Templates) Render(s Subject) Sentence {
	ev := s.Event
	own, suffix := t.Success, ""
	switch ev.Outcome {
	case daybook.Failure:
		if suffix = words.Failed; t.Failure != nil {
			own, suffix = t.Failure, ""
		}
	case daybook.Denied:
		if suffix = words.Denied; t.Denied != nil {
			own, suffix = t.Denied, ""
		}
	case daybook.Success:
	}
	w := writer{s: s}
	if own == nil {
		w.byAction()
	} else {
		w.pieces(own.pieces)
	}
	w.trim()
	if suffix != "" {
		w.out = append(w.out, Part{Outcome, suffix})
	}
	return w.out
}

// Of is the sentence of an event whose schema has no template.
func Of(ev *daybook.Event) Sentence { return Templates{}.Render(Subject{Event: ev}) }

// writer renders one sentence.
type writer struct {
	s   Subject
	out Sentence
}

// byAction is the sentence without a template.
func (w *writer) byAction() {
	w.add(Actor, w.actor())
	if verb, ok := verbOf(w.s.Event.Action); ok {
		w.add(Text, " "+verb)
		if name := w.target(); name != "" {
			w.add(Text, " ")
			w.add(Target, name)
		}
		return
	}
	w.add(Text, " · ")
	w.add(Value, w.action())
	if name := w.target(); name != "" {
		w.add(Text, " · ")
		w.add(Target, name)
	}
}

// add appends a part. White space never doubles where something was left out.
func (w *writer) add(k Kind, text string) {
	if k == Text && (len(w.out) == 0 || w.spaced()) {
		text = strings.TrimLeft(text, " ")
	}
	if text == "" {
		return
	}
	if n := len(w.out); k == Text && n > 0 && w.out[n-1].Kind == Text {
		w.out[n-1].Text += text
		return
	}
	w.out = append(w.out, Part{k, text})
}

// spaced reports whether the words so far end in a space of the template.
func (w *writer) spaced() bool {
	last := w.out[len(w.out)-1]
	return last.Kind == Text && strings.HasSuffix(last.Text, " ")
}

// trim takes the space after the last word.
func (w *writer) trim() {
	if n := len(w.out); n > 0 && w.out[n-1].Kind == Text {
		if w.out[n-1].Text = strings.TrimRight(w.out[n-1].Text, " "); w.out[n-1].Text == "" {
			w.out = w.out[:n-1]
		}
	}
}

func (w *writer) pieces(all []piece) {
	for _, p := range all {
		switch p.what {
		case literal:
			w.add(Text, p.text)
		case group:
			if w.whole(p.in) {
				w.pieces(p.in)
			}
		default:
			w.add(w.value(p))
		}
	}
}

// whole reports whether no placeholder of a group is empty.
func (w *writer) whole(in []piece) bool {
	for _, p := range in {
		if p.what == literal {
			continue
		}
		if _, text := w.value(p); text == "" {
			return false
		}
	}
	return true
}

// value is what a placeholder stands for; empty: the event does not say.
func (w *writer) value(p piece) (Kind, string) {
	ev := w.s.Event
	switch p.what {
	case actor:
		return Actor, w.actor()
	case target:
		return Target, w.target()
	case targets:
		return Target, w.targets()
	case changed:
		if p.all {
			return Value, w.changed()
		}
		return Value, w.changedAt(p.text)
	case meta:
		return Value, w.meta(p.keys)
	case reason:
		return Value, w.or(shorten(ev.Reason), "/reason")
	case errorCode:
		if ev.Error != nil && ev.Error.Code != "" {
			return Value, shorten(ev.Error.Code)
		}
		return Value, w.or("", "/error/code")
	case action:
		return Value, w.action()
	case literal, group:
	}
	return Text, ""
}

// or returns text, or the mark of what is gone when text is empty because the member at path is.
func (w *writer) or(text, path string) string {
	if text == "" && w.gone(path) {
		return gone
	}
	return text
}

// gone reports whether the member at path, or all of it that there was, may be erased or hidden.
func (w *writer) gone(path string) bool {
	if w.s.GoneUnnamed {
		return true
	}
	for _, p := range w.s.Gone {
		if p == path || strings.HasPrefix(p, path+"/") || strings.HasPrefix(path, p+"/") {
			return true
		}
	}
	return false
}

func (w *writer) action() string { return w.or(shorten(w.s.Event.Action), "/action") }

// actor names who acted; the person behind an impersonation comes first.
func (w *writer) actor() string {
	a := w.s.Event.Actor
	name := w.or(nameOf(a), "/actor")
	if name == "" {
		name = words.Nobody
	}
	if len(a.Via) == 0 {
		return name
	}
	via := w.or(nameOf(a.Via[0]), "/actor/via")
	if via == "" {
		via = words.Nobody
	}
	if a.Via[0].Type == "user" {
		return via + words.As + name
	}
	return name + words.Via + via
}

func nameOf(a daybook.Actor) string {
	for _, s := range []string{a.Name, a.Email, a.ID} {
		if s != "" {
			return shorten(s)
		}
	}
	return ""
}

// target names the first target; empty: there is none.
func (w *writer) target() string {
	if ts := w.s.Event.Targets; len(ts) > 0 {
		return w.targetName(ts[0])
	}
	return w.or("", "/targets")
}

func (w *writer) targetName(t daybook.Target) string {
	if t.Name != "" {
		return shorten(t.Name)
	}
	return w.or(shorten(strings.Trim(t.Type+" "+t.ID, " ")), "/targets")
}

func (w *writer) targets() string {
	ts := w.s.Event.Targets
	if len(ts) < 2 {
		return w.target()
	}
	text := w.targetName(ts[0])
	switch n := len(ts); n {
	case 2:
		return text + words.And + w.targetName(ts[1])
	case 3:
		return text + ", " + w.targetName(ts[1]) + words.And + w.targetName(ts[2])
	default:
		return text + ", " + w.targetName(ts[1]) + words.And + strconv.Itoa(n-2) + words.More
	}
}
