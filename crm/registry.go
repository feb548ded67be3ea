package crm

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/daybook-audit/daybook"
)

// Finder is what reads a log: a *daybook.Book or a *client.Client.
type Finder interface {
	Search(ctx context.Context, q daybook.EventQuery) (*daybook.Page, error)
}

// Kind is one of the two enums of an org.
type Kind string

// The kinds.
const (
	Actions     Kind = "actions"
	EntityTypes Kind = "entityTypes"
)

// Actions of the events that this package records beside those of the application.
const (
	EnumAppended = "crm.enum_appended"
	UserDeleted  = "crm.user_deleted"
)

// Registry is the numbering of an org, as it stands in its log. It is never changed.
type Registry struct{ Actions, EntityTypes *Numbers }

// Of returns the enum of a kind.
func (r *Registry) Of(kind Kind) *Numbers {
	if kind == Actions {
		return r.Actions
	}
	return r.EntityTypes
}

func (r *Registry) with(kind Kind, n *Numbers) *Registry {
	if kind == Actions {
		return &Registry{n, r.EntityTypes}
	}
	return &Registry{r.Actions, n}
}

// ReadRegistry reads the numbering of org from its log: every append in its order. One that contradicts those before it, as only a
// forged event can, appends nothing. known is a copy that was read before and goes on from there, so that what retention has removed from
// the log since stays known; nil: there is none.
func ReadRegistry(ctx context.Context, find Finder, org daybook.OrgID, known *Registry) (*Registry, error) {
	r := known
	if r == nil {
		r = &Registry{&Numbers{}, &Numbers{}}
	}
	q := daybook.EventQuery{Org: org, Text: "action:" + EnumAppended, Asc: true, Limit: daybook.MaxLimit}
	found := map[Kind][]numbering{}
	for {
		page, err := find.Search(ctx, q)
		if daybook.CodeOf(err) == daybook.CodeNotFound {
			return r, nil // there is no log yet
		}
		if err != nil {
			return nil, fmt.Errorf("read the numbering of %s: %w", org, err)
		}
		for i := range page.Entries {
			if m, ok := readNumbering(&page.Entries[i]); ok {
				found[m.Enum] = append(found[m.Enum], m)
			}
		}
		if page.NextCursor == "" {
			break
		}
		q = daybook.EventQuery{Org: org, Limit: q.Limit, Cursor: page.NextCursor}
	}
	return &Registry{fold(r.Actions, found[Actions]), fold(r.EntityTypes, found[EntityTypes])}, nil
}

// fold applies appends in their order.
func fold(n *Numbers, appends []numbering) *Numbers {
	slices.SortFunc(appends, func(a, b numbering) int { return cmp.Compare(a.Generation, b.Generation) })
	for _, m := range appends {
		if m.Generation < n.next {
			continue
		}
		if m.Generation > n.next {
			n = &Numbers{values: n.values, holes: true}
		}
		if more, ok := n.extended(m.added); ok {
			n = more
		}
		n = &Numbers{values: n.values, holes: n.holes, next: m.Generation + 1}
	}
	return n
}

// numbering is one append, as it stands in the metadata of its event. Its event id is made of enum and generation alone, so that of two
// appends at once only one is recorded.
type numbering struct {
	Enum       Kind           `json:"enum"`
	Generation int            `json:"generation"`
	Values     map[int]string `json:"values"` // names are values here, for a name may look like that of a secret
	added      []Value        // Values, ascending
}

// numberingPart is how many values one event appends at most, well below what an event can hold.
const numberingPart = 500

func numberingID(kind Kind, generation int) daybook.ID {
	return madeID("enum", string(kind), strconv.Itoa(generation))
}

// madeID is an event id that is always the same for the same words. Its time is that of nothing.
func madeID(words ...string) daybook.ID {
	h := sha256.New()
	h.Write([]byte("daybook/crm/v1\n"))
	for _, w := range words {
		h.Write([]byte(strconv.Itoa(len(w)) + ":" + w)) // so that no two lists of words are one text
	}
	id := daybook.ID(h.Sum(nil)[:16])
	clear(id[:6])
	id[6], id[8] = id[6]&0x0f|0x70, id[8]&0x3f|0x80
	return id
}

// readNumbering reads an append. An event with another id was not made by an append.
func readNumbering(e *daybook.Entry) (numbering, bool) {
	var in struct {
		Metadata struct {
			CRM numbering `json:"crm"`
		} `json:"metadata"`
	}
	if e.Removed != daybook.NotRemoved || json.Unmarshal(e.Payload, &in) != nil {
		return numbering{}, false
	}
	m := in.Metadata.CRM
	if m.Generation < 0 || e.ID != numberingID(m.Enum, m.Generation) {
		return numbering{}, false
	}
	for value, name := range m.Values {
		m.added = append(m.added, Value{value, name})
	}
	slices.SortFunc(m.added, func(a, b Value) int { return cmp.Compare(a.Value, b.Value) })
	return m, true
}

// Appending returns the events that append values to the enum of a kind, for one commit, and the numbering that holds once they are
// recorded. When somebody else appends at the same time recording them is refused with CodeConflict: read the registry again. later is
// how often that has happened without the registry moving, which it does not when the place of an append is taken by an event that is
// none.
func (r *Registry) Appending(kind Kind, values []Value, by daybook.Actor, later int) ([]daybook.Event, *Registry, error) {
	values = slices.Clone(values)
	slices.SortFunc(values, func(a, b Value) int { return cmp.Compare(a.Value, b.Value) })
	n, ok := r.Of(kind).extended(values)
	if !ok {
		return nil, nil, fmt.Errorf("append %v to %s: they do not continue what is there", values, kind)
	}
	generation := n.next + later
	var events []daybook.Event
	for part := range slices.Chunk(values, numberingPart) {
		m := numbering{Enum: kind, Generation: generation, Values: map[int]string{}}
		for _, v := range part {
			m.Values[v.Value] = v.Name
		}
		metadata, err := json.Marshal(map[string]numbering{"crm": m})
		if err != nil {
			return nil, nil, fmt.Errorf("write the numbering: %w", err)
		}
		events = append(events, daybook.Event{
			ID: numberingID(kind, generation), Action: EnumAppended, Actor: by, Metadata: metadata,
			Targets: []daybook.Target{{Type: "crm_enum", ID: string(kind)}},
		})
		generation++
	}
	n.next, n.holes = generation, n.holes || later > 0
	return events, r.with(kind, n), nil
}

// tries is how often an append is tried again.
const tries = 16

// Append appends values and returns the registry that holds then: plan says what is missing from the registry it is given, which is
// asked again whenever somebody else was faster; nothing is recorded when nothing is. read reads the registry as it is now, and record
// records all of its events or none; again says that one had been recorded before: by somebody who appended the same, or long ago and
// removed since, which only reading again can tell.
func Append(
	kind Kind, by daybook.Actor, read func() (*Registry, error), plan func(r *Registry) ([]Value, error),
	record func(events []daybook.Event) (again bool, err error),
) (*Registry, error) {
	seen, later := -1, 0
	for range tries {
		r, err := read()
		if err != nil {
			return nil, err
		}
		if next := r.Of(kind).next; next == seen {
			later++
		} else {
			seen, later = next, 0
		}
		values, err := plan(r)
		if err != nil || len(values) == 0 {
			return r, err
		}
		events, then, err := r.Appending(kind, values, by, later)
		if err != nil {
			return nil, err
		}
		switch again, err := record(events); {
		case err == nil && !again:
			return then, nil
		case err != nil && daybook.CodeOf(err) != daybook.CodeConflict:
			return nil, err
		}
	}
	return nil, errors.New("crm: others append all the time: try again")
}

// Length says how much of a log a registry was read from: of two of one org the longer one knows more.
func (r *Registry) Length() int { return r.Actions.next + r.EntityTypes.next }

// storedRegistry is a copy of a Registry beside the log.
type storedRegistry struct {
	Actions     storedNumbers `json:"actions"`
	EntityTypes storedNumbers `json:"entity_types"`
}

type storedNumbers struct {
	Values []Value `json:"values"`
	Next   int     `json:"next"`
	Holes  bool    `json:"holes,omitempty"`
}

// MarshalJSON writes what UnmarshalJSON reads, for a copy beside the log.
func (r *Registry) MarshalJSON() ([]byte, error) {
	stored := func(n *Numbers) storedNumbers { return storedNumbers{n.values, n.next, n.holes} }
	return json.Marshal(storedRegistry{stored(r.Actions), stored(r.EntityTypes)})
}

// UnmarshalJSON reads a copy.
func (r *Registry) UnmarshalJSON(text []byte) error {
	var in storedRegistry
	if err := json.Unmarshal(text, &in); err != nil {
		return fmt.Errorf("read the numbering: %w", err)
	}
	r.Actions = &Numbers{in.Actions.Values, in.Actions.Next, in.Actions.Holes}
	r.EntityTypes = &Numbers{in.EntityTypes.Values, in.EntityTypes.Next, in.EntityTypes.Holes}
	return nil
}
