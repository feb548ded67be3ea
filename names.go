package daybook

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/query"
)

// What looking for the names of actors costs at most.
const (
	nameTime   = 50 * time.Millisecond
	nameBlocks = 64   // for those that are looked for together
	nameRound  = 16   // blocks after which those that have a name are no longer looked for
	nameText   = 4000 // bytes of the condition for those that are looked for together

	nameLongest = 400 // bytes of an id as the condition writes it; a longer one stands for itself
)

// nameActors gives the values of the facet actor.id the names that the newest entries which p finds give them, as far as 50 ms go and, for
// those that are looked for together, 64 blocks. The names come from entries alone, and so an erased one is not found. Under a value that
// several actors have (ids are of a type) stands the newest of their names. The caller holds a place of enterScan; hide is the one of its
// question.
func (b *Book) nameActors(ctx context.Context, p *question, hide []string, values []FacetValue) error {
	until := b.o.Now().Add(nameTime)
	together, size := map[string]*FacetValue{}, 0
	for i := range values {
		id := query.Literal(values[i].Value)
		if len(id) > nameLongest {
			continue
		}
		if size += len(id) + 1; size > nameText {
			if err := b.nameTogether(ctx, p, hide, together, until); err != nil {
				return err
			}
			together, size = map[string]*FacetValue{}, len(id)+1
		}
		together[values[i].Value] = &values[i]
	}
	return b.nameTogether(ctx, p, hide, together, until)
}

// nameTogether names the actors that are wanted and empties wanted as far as it finds them.
func (b *Book) nameTogether(ctx context.Context, p *question, hide []string, wanted map[string]*FacetValue, until time.Time) error {
	below := p.size
	for blocks := nameBlocks; blocks > 0 && below > 0 && len(wanted) > 0; blocks -= nameRound {
		condition, err := namedActors(wanted)
		if err != nil {
			return err
		}
		round := *p
		round.query = query.And(p.query, condition.Hiding(hide))
		s, err := b.newScan(ctx, &round)
		if err != nil {
			return err
		}
		s.budget.until, s.budget.blocks = until, nameRound
		below, err = s.walk(0, below, false, func(*kept.Entry) (bool, error) {
			s.takeName(wanted)
			return len(wanted) > 0, nil
		})
		over := s.budget.reason == ReasonTime
		s.close()
		if over || err != nil {
			return err
		}
	}
	return nil
}

// namedActors asks for entries that name one of the actors.
func namedActors(wanted map[string]*FacetValue) (*query.Query, error) {
	ids := make([]string, 0, len(wanted))
	for id := range wanted {
		ids = append(ids, query.Literal(id))
	}
	q, err := query.Parse("has:actor.name actor.id:"+strings.Join(ids, ","), query.Options{})
	if err != nil {
		return nil, fmt.Errorf("ask for the names of actors: %w", err)
	}
	return q, nil
}

// takeName takes the name of the actor of the entry that s has just matched, if it is wanted.
func (s *scan) takeName(wanted map[string]*FacetValue) {
	id, name := "", ""
	for i := range s.doc.Len() {
		switch string(s.doc.Path(i)) {
		case "/actor/id":
			id = string(s.doc.Value(i))
		case "/actor/name":
			name = string(s.doc.Value(i))
		}
	}
	if v := wanted[id]; v != nil {
		v.Name = name
		delete(wanted, id)
	}
}
