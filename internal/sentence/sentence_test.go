package sentence_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/sentence"
)

var update = flag.Bool("update", false, "write what is rendered into the vector file; read the difference before you commit it")

const vectorFile = "../../testdata/vectors/sentences.json"

// vectors is the file that the suite of web/src/sentence runs too.
type vectors struct {
	Cases  []rendered `json:"cases"`
	Errors []parsed   `json:"errors"`
}

type rendered struct {
	About       string            `json:"about"`
	Success     string            `json:"sentence,omitempty"`
	Failure     string            `json:"sentence_failure,omitempty"`
	Denied      string            `json:"sentence_denied,omitempty"`
	Gone        []string          `json:"gone,omitempty"` // of the entry: what is erased or hidden
	GoneUnnamed bool              `json:"gone_unnamed,omitempty"`
	Event       json.RawMessage   `json:"event"`
	Text        string            `json:"text"`
	Who         string            `json:"who"`
	What        string            `json:"what"`
	Parts       sentence.Sentence `json:"parts"`
}

type parsed struct {
	Sentence string `json:"sentence"`
	OK       bool   `json:"ok,omitempty"`
	Code     string `json:"code,omitempty"`
	Pos      int    `json:"pos,omitempty"`
	Len      int    `json:"len,omitempty"`
	Message  string `json:"message,omitempty"`
}

func template(t *testing.T, text string) *sentence.Template {
	t.Helper()
	if text == "" {
		return nil
	}
	tpl, err := sentence.Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if tpl.String() != text {
		t.Errorf("%s: String is %s", text, tpl)
	}
	return tpl
}

func (c rendered) run(t *testing.T) rendered {
	t.Helper()
	var ev daybook.Event
	if err := json.Unmarshal(c.Event, &ev); err != nil {
		t.Fatalf("%s: %v", c.About, err)
	}
	s := sentence.Templates{Success: template(t, c.Success), Failure: template(t, c.Failure), Denied: template(t, c.Denied)}.
		Render(sentence.Subject{Event: &ev, Gone: c.Gone, GoneUnnamed: c.GoneUnnamed})
	c.Text, c.Who, c.What, c.Parts = s.String(), s.Who(), s.What(), s
	if c.Parts == nil {
		c.Parts = sentence.Sentence{}
	}
	return c
}

func (p parsed) run(t *testing.T) parsed {
	t.Helper()
	got := parsed{Sentence: p.Sentence}
	_, err := sentence.Parse(p.Sentence)
	if got.OK = err == nil; got.OK {
		return got
	}
	var e *sentence.Error
	if !errors.As(err, &e) {
		t.Fatalf("%s: %v is no *Error", p.Sentence, err)
	}
	got.Code, got.Pos, got.Len, got.Message = e.Code, e.Pos, e.Len, e.Message
	if !strings.HasPrefix(err.Error(), e.Message) {
		t.Errorf("%s: the error does not say what is wrong: %v", p.Sentence, err)
	}
	return got
}

func readVectors(t *testing.T) vectors {
	t.Helper()
	text, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var all vectors
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestVectors: every sentence and every refusal of the file that both suites run.
func TestVectors(t *testing.T) {
	t.Parallel()
	all := readVectors(t)
	var got vectors
	for _, c := range all.Cases {
		got.Cases = append(got.Cases, c.run(t))
	}
	for _, p := range all.Errors {
		got.Errors = append(got.Errors, p.run(t))
	}
	if *update {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		e.SetIndent("", " ")
		if err := e.Encode(got); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vectorFile, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if len(got.Cases) < 50 || len(got.Errors) < 20 {
		t.Fatalf("only %d cases and %d errors", len(got.Cases), len(got.Errors))
	}
	for i := range got.Cases {
		got.Cases[i].Event, all.Cases[i].Event = nil, nil
		if d := cmp.Diff(all.Cases[i], got.Cases[i]); d != "" {
			t.Errorf("%s (-want +got):\n%s", all.Cases[i].About, d)
		}
	}
	if d := cmp.Diff(all.Errors, got.Errors); d != "" {
		t.Errorf("errors (-want +got):\n%s", d)
	}
}

// TestWords: the words that the browser renders with are the same. The folder is absent when the module is downloaded.
func TestWords(t *testing.T) {
	t.Parallel()
	own, err := os.ReadFile("words.json")
	if err != nil {
		t.Fatal(err)
	}
	const twin = "../../web/src/sentence/words.json"
	if *update {
		if err := os.WriteFile(twin, own, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	theirs, err := os.ReadFile(twin)
	if errors.Is(err, os.ErrNotExist) {
		if _, err := os.Stat("../../web"); errors.Is(err, os.ErrNotExist) {
			return
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(own, theirs) {
		t.Error("web/src/sentence/words.json is another: go test ./internal/sentence -update")
	}
}

func TestOf(t *testing.T) {
	t.Parallel()
	ada := daybook.Actor{Type: "user", ID: "usr_1", Name: "Ada Byron"}
	grace := daybook.Actor{Type: "user", ID: "usr_7", Name: "Grace Hopper"}
	s := sentence.Of(&daybook.Event{Action: "invoice.updated", Actor: grace.As(ada), Targets: []daybook.Target{{Type: "invoice", ID: "42"}}})
	if got, want := s.String(), "Ada Byron as Grace Hopper updated invoice 42"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestVisible(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain ü 😀": "plain ü 😀",
		"a\x1b[2Jb": "a␛[2Jb",
		"\x7f\xff":  "␡⟨FF⟩",
		"\u202ea":   "⟨U+202E⟩a",
	} {
		got := sentence.Visible(in)
		if got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
		if again := sentence.Visible(got); again != got {
			t.Errorf("%q: a second time it is %s", in, again)
		}
	}
}

// FuzzParse: no template panics; what is accepted renders every event without a placeholder left and without a hidden character.
func FuzzParse(f *testing.F) {
	text, err := os.ReadFile(vectorFile)
	if err != nil {
		f.Fatal(err)
	}
	var all vectors
	if err := json.Unmarshal(text, &all); err != nil {
		f.Fatal(err)
	}
	for _, p := range all.Errors {
		f.Add(p.Sentence, "x")
	}
	for _, c := range all.Cases {
		f.Add(c.Success, c.Who)
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		tpl, err := sentence.Parse(text)
		if err != nil {
			var e *sentence.Error
			if !errors.As(err, &e) {
				t.Fatalf("%v is no *Error", err)
			}
			if n := utf8.RuneCountInString(text); e.Pos < 0 || e.Len < 0 || e.Pos+e.Len > n {
				t.Fatalf("%q: %d characters from %d on are not in its %d", text, e.Len, e.Pos, n)
			}
			return
		}
		for _, ev := range []*daybook.Event{
			{},
			{
				Action: "a.created", Actor: daybook.Actor{Name: name, Via: []daybook.Actor{{Type: "user", ID: name}}}, Targets: []daybook.Target{{Name: name}, {ID: name}},
				Reason: name, Changes: daybook.Changes{{Path: "/" + name, New: daybook.JSON(json.RawMessage(`{"a":[1]}`))}}, Outcome: daybook.Failure,
			},
		} {
			s := sentence.Templates{Success: tpl}.Render(sentence.Subject{Event: ev})
			if got := s.String(); sentence.Visible(got) != got {
				t.Errorf("%q: hidden characters in %q", text, got)
			}
			if slices.ContainsFunc(s, func(p sentence.Part) bool { return p.Text == "" }) {
				t.Errorf("%q: an empty part in %v", text, s)
			}
		}
	})
}
