package control

import (
	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/sentence"
)

// Sentences are the templates of a schema version, as [sentence.Parse] reads them; empty: none. Without Success the others are empty too.
type Sentences struct {
	Success string `json:"sentence,omitempty"`
	Failure string `json:"sentence_failure,omitempty"` // empty: Success, with the outcome appended
	Denied  string `json:"sentence_denied,omitempty"`
}

// check refuses what is no template.
func (s *Sentences) check() error {
	for _, t := range []struct{ field, text string }{{"/sentence", s.Success}, {"/sentence_failure", s.Failure}, {"/sentence_denied", s.Denied}} {
		if t.text == "" {
			continue
		}
		if _, err := sentence.Parse(t.text); err != nil {
			return &daybook.Error{Code: daybook.CodeInvalid, Rule: "invalid_sentence", Field: t.field, Message: err.Error()}
		}
		if s.Success == "" {
			return &daybook.Error{
				Code: daybook.CodeInvalid, Rule: "required", Field: "/sentence", Message: "sentence_failure and sentence_denied need a sentence beside them.",
			}
		}
	}
	return nil
}

// templates parses the sentences. What was registered is well-formed; what a later version cannot read is left out.
func (s *Sentences) templates() sentence.Templates {
	parse := func(text string) *sentence.Template {
		t, err := sentence.Parse(text)
		if err != nil {
			return nil
		}
		return t
	}
	return sentence.Templates{Success: parse(s.Success), Failure: parse(s.Failure), Denied: parse(s.Denied)}
}
