package api

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/query"
)

// neighbours is an entry and what stands around it.
type neighbours struct {
	Entry entry          `json:"entry"`
	Log   beforeAndAfter `json:"log" doc:"Its neighbours in the log."`
	Actor beforeAndAfter `json:"actor" doc:"Its neighbours among what the same actor did, also through others; empty when the actor is not there any more."`
}

type beforeAndAfter struct {
	Before []entry `json:"before" nullable:"false" doc:"Newest first."`
	After  []entry `json:"after" nullable:"false" doc:"Oldest first."`
}

var (
	paramAround = param{"n", "How many on each side.", number(1, maxAround, 10)}

	aboutGetAround = operation{
		id: "getAround", tag: "Search", summary: "What stands around an entry", path: []param{{"id", "The event's id.", text}},
		text:    "In the log, and among what the same actor did. What retention has removed is left out.",
		answers: ok(neighbours{}, "The entry and its neighbours."), faults: []int{404},
	}
)

const maxAround = 50

func getAround(c *call) error {
	n, err := c.whole(paramAround)
	if err != nil {
		return err
	}
	entry, err := c.entryOf(c.r.PathValue("id"))
	if err != nil {
		return err
	}
	c.seen = seen{asked: true, query: "id:" + entry.ID.String()}
	c.seen.showed(entry)
	shown := map[int64]bool{entry.Seq: true}
	out := append(c.out[:0], `{"entry":`...)
	out = c.appendEntry(out, &entry)
	for _, of := range []struct {
		name   string
		within *query.Query
		none   bool
	}{{name: "log"}, {"actor", actorQuery(&entry), actorQuery(&entry) == nil}} {
		out = fmt.Appendf(out, `,%q:{`, of.name)
		for i, side := range []struct {
			name, seqs string
			asc        bool
		}{{"before", "seq:<%d", false}, {"after", "seq:>%d", true}} {
			if i > 0 {
				out = append(out, ',')
			}
			out = fmt.Appendf(out, `%q:[`, side.name)
			if !of.none {
				if out, err = c.appendSide(out, shown, daybook.EventQuery{
					Org: c.org, Text: fmt.Sprintf(side.seqs, entry.Seq), Within: c.within(of.within), Asc: side.asc, Limit: int(n),
				}); err != nil {
					return err
				}
			}
			out = append(out, ']')
		}
		out = append(out, '}')
	}
	c.out = append(out, '}')
	c.send(http.StatusOK, jsonType, c.out)
	return nil
}

// appendSide appends the entries that q finds, without brackets. shown are the places of those that the answer has.
func (c *call) appendSide(dst []byte, shown map[int64]bool, q daybook.EventQuery) ([]byte, error) {
	page, err := c.s.Book.Search(c.r.Context(), q)
	if err != nil {
		return dst, err
	}
	for i := range page.Entries {
		if i > 0 {
			dst = append(dst, ',')
		}
		if seq := page.Entries[i].Seq; !shown[seq] {
			shown[seq] = true
			c.seen.showed(page.Entries[i])
		}
		dst = c.appendEntry(dst, &page.Entries[i])
	}
	return dst, nil
}

// actorQuery finds what the actor of an entry did; nil: there is none.
func actorQuery(e *daybook.Entry) *query.Query {
	var of struct{ Actor struct{ Type, ID string } }
	if len(e.Payload) == 0 || json.Unmarshal(e.Payload, &of) != nil || of.Actor.ID == "" || of.Actor.Type == "" {
		return nil
	}
	return query.Actor(of.Actor.Type, of.Actor.ID)
}
