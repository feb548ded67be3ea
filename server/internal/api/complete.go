package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/pointer"
	"github.com/daybook-audit/daybook/query"
)

// completions is what could stand at a cursor in a query, and what is wrong with the query.
type completions struct {
	Completions []completion  `json:"completions" nullable:"false" doc:"The likeliest first."`
	Query       string        `json:"query" doc:"The normal form of q; empty when it has an error."`
	Error       *queryProblem `json:"query_error,omitempty" doc:"What is wrong with q as it stands, while it is being typed. Absent: nothing."`
}

type completion struct {
	Text  string `json:"text" doc:"What to write in place of the characters from to to." example:"invoice.paid"`
	Means string `json:"means" doc:"In a few words, or the name of what text is the id of."`
	From  int    `json:"from" doc:"In characters from 0."`
	To    int    `json:"to"`
	Count int64  `json:"count,omitempty" doc:"Of a value: how many entries have it, as far as was counted. Absent: not counted."`
}

var (
	paramMost     = param{"limit", "Most completions.", number(1, 100, mostCompletions)}
	paramPos      = param{"pos", "Where the cursor stands, in characters from 0. Left out: at the end.", number(0, query.MaxText, 0)}
	aboutComplete = operation{
		id: "complete", tag: "Search", summary: "Complete a query",
		text: "Fields, the words of fields that take a few, and values: the commonest of the log for actions and types, the most recent for everything else. What is wrong with the " +
			"query stands beside it, with the place, so that one request serves both.",
		answers: ok(completions{}, "What could stand at the cursor."),
	}
)

const (
	mostCompletions = 12
	sampleSize      = 500              // newest entries whose values are offered
	dictionaryFor   = 10 * time.Second // how long what was found of a log is offered: also that of a value erased meanwhile
	maxDictionaries = 1_000
)

func complete(c *call) error {
	text := c.param(paramQ)
	pos := int64(len([]rune(text)))
	if c.given(paramPos) {
		var err error
		if pos, err = c.whole(paramPos); err != nil {
			return err
		}
	}
	if len(text) > query.MaxText {
		return invalid("invalid_value", paramQ.name, "a query has at most %d bytes.", query.MaxText)
	}
	most, err := c.whole(paramMost)
	if err != nil {
		return err
	}
	zone, err := c.zone()
	if err != nil {
		return err
	}
	words, err := c.s.dictionaries.of(c.r.Context(), c.s.Book, c.org, c.s.now())
	if err != nil {
		return err
	}
	c.seen = seen{asked: true} // what is typed letter by letter is no question: all of it is one look
	o := query.Options{Now: c.s.now(), Zone: zone, MetaKeys: words.metaKeys}
	shown := completions{Completions: []completion{}}
	for _, found := range query.Complete(text, int(pos), o) {
		shown.Completions = append(shown.Completions, completion{Text: found.Text, Means: found.Means, From: found.From, To: found.To})
	}
	if at, ok := query.ValueAt(text, int(pos), o); ok {
		shown.Completions = append(shown.Completions, words.values(at)...)
	}
	shown.Completions = shown.Completions[:min(len(shown.Completions), int(most))]
	q, err := query.Parse(text, o)
	var wrong *query.Error
	switch {
	case err == nil:
		shown.Query = q.String()
	case errors.As(err, &wrong):
		shown.Error = wrongQuery(wrong).Query
	default:
		return err
	}
	c.send(http.StatusOK, jsonType, marshal(shown))
	return nil
}

// word is a value of a field.
type word struct {
	text  string // as a query writes it
	plain string // in lower case, as people type it
	means string
	count int64
}

// dictionary is what values the fields of a log have: the commonest of some, the most recent of others.
type dictionary struct {
	until    time.Time
	words    map[string][]word // by field, the commonest first
	metaKeys []string
}

// values returns those that could be meant at a place.
func (d *dictionary) values(at query.ValuePlace) []completion {
	typed := strings.ToLower(strings.Trim(at.Typed, `"`))
	var first, later []completion
	for _, w := range d.words[at.Field] {
		found := completion{Text: w.text, Means: w.means, From: at.From, To: at.To, Count: w.count}
		switch {
		case strings.HasPrefix(w.plain, typed):
			first = append(first, found)
		case strings.Contains(w.plain, typed), strings.Contains(strings.ToLower(w.means), typed):
			later = append(later, found)
		}
	}
	return append(first, later...)
}

// dictionaries remembers what was found. A log is looked at again after some seconds, when somebody asks.
type dictionaries struct {
	mu    sync.Mutex
	known map[daybook.OrgID]*dictionary
}

func (d *dictionaries) of(ctx context.Context, book Book, org daybook.OrgID, now time.Time) (*dictionary, error) {
	d.mu.Lock()
	found := d.known[org]
	d.mu.Unlock()
	if found != nil && now.Before(found.until) {
		return found, nil
	}
	found, err := readDictionary(ctx, book, org)
	if err != nil {
		return nil, err
	}
	found.until = now.Add(dictionaryFor)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known == nil || len(d.known) >= maxDictionaries {
		d.known = map[daybook.OrgID]*dictionary{} // crude and rare
	}
	d.known[org] = found
	return found, nil
}

// countedFields are the fields whose commonest values a log knows without reading entries.
var countedFields = []string{"action", "actor.type", "target.type", "actor.id"}

// readDictionary looks at what a log counts and at its newest entries.
func readDictionary(ctx context.Context, book Book, org daybook.OrgID) (*dictionary, error) {
	d := &dictionary{words: map[string][]word{}}
	facets, err := book.Facets(ctx, daybook.FacetQuery{EventQuery: daybook.EventQuery{Org: org}, Fields: countedFields, Top: maxTop, Names: true})
	if err != nil {
		return nil, err
	}
	page, err := book.Search(ctx, daybook.EventQuery{Org: org, Limit: sampleSize, Gaps: true})
	if err != nil {
		return nil, err
	}
	s := sample{counts: map[string]map[string]*word{}}
	for i := range page.Entries {
		s.add(&page.Entries[i])
	}
	for field, words := range s.counts {
		for _, w := range words {
			d.words[field] = append(d.words[field], *w)
		}
		slices.SortFunc(d.words[field], func(a, b word) int { return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.text, b.text)) })
	}
	for i := range facets.Fields {
		f := &facets.Fields[i]
		var words []word
		for _, v := range f.Values {
			w := word{text: query.Literal(v.Value), plain: strings.ToLower(v.Value), count: v.Count}
			if f.Field == "actor.id" {
				w.means = cmp.Or(s.actors[v.Value], v.Name)
			}
			words = append(words, w)
		}
		d.words[f.Field] = words
	}
	for key := range s.metaKeys {
		d.metaKeys = append(d.metaKeys, key)
	}
	slices.Sort(d.metaKeys)
	return d, nil
}

// sample counts the values of entries.
type sample struct {
	counts   map[string]map[string]*word // by field and value
	actors   map[string]string           // names by id
	metaKeys map[string]struct{}
}

// add counts the values of one entry. One that nothing is left of has none.
func (s *sample) add(e *daybook.Entry) {
	var v struct {
		Actor   actor
		Targets []target
		Context origin
		Error   struct{ Code string }
		Changes []struct{ Path string }

		CorrelationID string `json:"correlation_id"`
		Metadata      map[string]any
	}
	if len(e.Payload) == 0 || json.Unmarshal(e.Payload, &v) != nil {
		return
	}
	s.actor(&v.Actor)
	for _, by := range v.Actor.Via {
		s.count("via", by.ID, text1(by.Name))
	}
	for _, t := range v.Targets {
		pair := query.LiteralPair(t.Type, t.ID)
		s.put("target", pair, t.Type+":"+t.ID, text1(t.Name))
		s.count("target.id", t.ID, text1(t.Name))
		s.count("target.name", text1(t.Name), "")
	}
	s.count("error.code", v.Error.Code, "")
	s.count("ip", text1(v.Context.IP), "")
	s.count("correlation_id", v.CorrelationID, "")
	if h := v.Context.HTTP; h != nil {
		s.count("http.route", text1(h.Route), "")
	}
	for _, change := range v.Changes {
		name, _, _ := strings.Cut(strings.TrimPrefix(change.Path, "/"), "/")
		s.count("changed", pointer.Name(name), "")
	}
	for key, value := range v.Metadata {
		if s.metaKeys == nil {
			s.metaKeys = map[string]struct{}{}
		}
		s.metaKeys[key] = struct{}{}
		if text, ok := value.(string); ok {
			s.count(query.MetaField(key), text, "")
		}
	}
}

func (s *sample) actor(a *actor) {
	name := text1(a.Name)
	if s.actors == nil {
		s.actors = map[string]string{}
	}
	if s.actors[a.ID] == "" {
		s.actors[a.ID] = cmp.Or(name, text1(a.Email))
	}
	s.count("actor", a.ID, cmp.Or(name, text1(a.Email)))
	s.count("actor.name", name, "")
	s.count("actor.email", text1(a.Email), name)
}

// count counts one value; the empty one is none, and a long one nobody completes.
func (s *sample) count(field, value, means string) {
	if value != "" && len(value) <= 128 {
		s.put(field, query.Literal(value), value, means)
	}
}

func (s *sample) put(field, text, plain, means string) {
	words := s.counts[field]
	if words == nil {
		words = map[string]*word{}
		s.counts[field] = words
	}
	w := words[text]
	if w == nil {
		if len(words) >= maxLimit {
			return
		}
		w = &word{text: text, plain: strings.ToLower(plain), means: means}
		words[text] = w
	}
	w.means = cmp.Or(w.means, means) // some entries name who it is, others do not
	w.count++
}

func text1(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
