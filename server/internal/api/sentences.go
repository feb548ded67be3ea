package api

import (
	"net/http"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/sentence"
)

// templatesOf are the sentences of one version of an action's schema.
type templatesOf struct {
	Action  string         `json:"action" example:"invoice.updated"`
	Version int            `json:"version" example:"3"`
	Org     *daybook.OrgID `json:"org" nullable:"true" doc:"Whose schema it is; null: it is shared." example:"org_acme"`
	Sentences
}

type templateList struct {
	Sentences  []templatesOf `json:"sentences" nullable:"false" doc:"By action and version; versions without any are left out."`
	NextCursor *string       `json:"next_cursor" doc:"For the next page; null at the end."`
}

var aboutListSentences = operation{
	id: "listSentences", tag: tagSchemas, summary: "List the sentences of all actions",
	text:    "For programs that say themselves what an event says: the templates of every version, so that an old event keeps its sentence. `limit` counts actions.",
	answers: ok(templateList{}, "A page of templates."),
}

func listSentences(c *call) error {
	after, limit, err := c.page()
	if err != nil {
		return err
	}
	list := templateList{Sentences: []templatesOf{}}
	actions := 0
	last := ""
	for _, a := range c.s.Schemas.Actions(c.r.Context(), c.org) {
		if a.Name <= after {
			continue
		}
		if actions == limit {
			list.NextCursor = listCursor(last)
			break
		}
		actions, last = actions+1, a.Name
		for _, s := range a.Schemas {
			if s.Sentences.Success != "" {
				list.Sentences = append(list.Sentences, templatesOf{s.Action, s.Version, showSchema(s).Org, showSentences(s)})
			}
		}
	}
	c.send(http.StatusOK, jsonType, marshal(list))
	return nil
}

// sentenceOf says what an entry says, as its own version of the action's schema says it; empty: nothing of it is left to say.
func (c *call) sentenceOf(e *daybook.Entry) string {
	if e.Removed != daybook.NotRemoved || e.Kind == daybook.KindControl {
		return ""
	}
	ev, err := e.Event()
	if err != nil {
		return ""
	}
	var templates sentence.Templates
	if a, err := c.s.Schemas.Action(c.r.Context(), c.org, ev.Action); err == nil {
		if s, err := a.Version(max(ev.Version, 1)); err == nil {
			templates = s.Templates()
		}
	}
	return templates.Render(sentence.Subject{Event: &ev, Gone: e.ErasedFields, GoneUnnamed: e.Erased > len(e.ErasedFields)}).String()
}
