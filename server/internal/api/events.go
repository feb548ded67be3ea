package api

import (
	"net/http"
	"strconv"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/query"
)

func listEvents(c *call) error { return c.listWithin(nil) }

// listTargetEvents is the history of a target: type and id of one element.
func listTargetEvents(c *call) error {
	return c.listWithin(query.Target(c.r.PathValue("type"), c.r.PathValue("id")))
}

// listActorEvents is what an actor did, also through others: type and id of the actor or of one of its via.
func listActorEvents(c *call) error {
	return c.listWithin(query.Actor(c.r.PathValue("type"), c.r.PathValue("id")))
}

func (c *call) listWithin(within *query.Query) error {
	q, err := c.eventQuery()
	if err != nil {
		return err
	}
	withSentences, err := c.flag(paramSentences)
	if err != nil {
		return err
	}
	q.Within, q.Gaps, q.Held = c.within(within), true, c.viewer() == nil
	page, err := c.s.Book.Search(c.r.Context(), q)
	if err != nil {
		return err
	}
	c.noteGaps(&page.Searched)
	c.seen = seen{asked: true, query: page.Query, within: q.Within, from: page.From, to: page.To}
	c.seen.showed(page.Entries...)
	out := append(c.out[:0], `{"entries":[`...)
	for i := range page.Entries {
		if i > 0 {
			out = append(out, ',')
		}
		out = c.appendEntry(out, &page.Entries[i])
	}
	if withSentences {
		out = append(out, `],"sentences":[`...)
		for i := range page.Entries {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(out, marshal(c.sentenceOf(c.asSeen(&page.Entries[i])))...)
		}
	}
	out = append(out, `],"next_cursor":`...)
	if page.NextCursor == "" {
		out = append(out, "null"...)
	} else {
		out = append(out, marshal(page.NextCursor)...)
	}
	out = append(out, `,"size":`...)
	out = strconv.AppendInt(out, page.Size, 10)
	out = append(out, `,"query":`...)
	out = append(out, marshal(page.Query)...)
	out = append(out, `,"from":`...)
	out = appendBound(out, page.From)
	out = append(out, `,"to":`...)
	out = appendBound(out, page.To)
	out = append(out, `,"searched":`...)
	out = appendSearched(out, &page.Searched)
	c.out = append(out, '}')
	c.send(http.StatusOK, jsonType, c.out)
	return nil
}

// eventQuery reads the parameters of a search. With a cursor, what is left out is the cursor's.
func (c *call) eventQuery() (daybook.EventQuery, error) {
	q := daybook.EventQuery{
		Org: c.org, Text: c.param(paramQ), FromText: c.param(paramFrom), ToText: c.param(paramTo), Cursor: c.param(paramCursor), Hide: c.hidden(),
	}
	var err error
	if c.given(paramTZ) || q.Cursor == "" {
		if q.Zone, err = c.zone(); err != nil {
			return q, err
		}
	}
	switch c.param(paramOrder) {
	case "", "log":
	case "occurred":
		q.Order = daybook.OrderOccurred
	default:
		return q, invalid("invalid_value", paramOrder.name, "order is log or occurred.")
	}
	if q.Asc, err = c.flag(paramAsc); err != nil {
		return q, err
	}
	limit, err := c.whole(paramLimit)
	if err != nil {
		return q, err
	}
	q.Limit = int(limit)
	if c.given(paramCursor) && q.Cursor == "" {
		return q, invalid("cursor_invalid", paramCursor.name, "this cursor does not belong to this question; begin again without a cursor")
	}
	return q, nil
}

func appendBound(dst []byte, micros *int64) []byte {
	if micros == nil {
		return append(dst, "null"...)
	}
	dst = append(dst, '"')
	dst = daybook.AppendTime(dst, *micros)
	return append(dst, '"')
}

// appendSearched writes what was looked through; a reason stands there only when something was left out.
func appendSearched(dst []byte, s *daybook.Searched) []byte {
	dst = append(dst, `{"from":`...)
	dst = appendBound(dst, &s.From)
	dst = append(dst, `,"to":`...)
	dst = appendBound(dst, &s.To)
	dst = append(dst, `,"days":`...)
	dst = strconv.AppendInt(dst, int64(s.Days), 10)
	dst = append(dst, `,"of_days":`...)
	dst = strconv.AppendInt(dst, int64(s.OfDays), 10)
	dst = append(dst, `,"blocks":`...)
	dst = strconv.AppendInt(dst, int64(s.Blocks), 10)
	dst = append(dst, `,"complete":`...)
	dst = strconv.AppendBool(dst, s.Complete)
	if s.Reason != "" {
		dst = append(dst, `,"reason":`...)
		dst = append(dst, marshal(s.Reason)...)
	}
	if len(s.Damaged) > 0 {
		shown := make([]damage, len(s.Damaged))
		for i := range s.Damaged {
			shown[i] = showDamage(&s.Damaged[i])
		}
		dst = append(append(dst, `,"damaged":`...), marshal(shown)...)
	}
	return append(dst, '}')
}

// noteGaps keeps what a search had to leave out.
func (c *call) noteGaps(s *daybook.Searched) {
	for i := range s.Damaged {
		c.noteDamage(s.Damaged[i])
	}
}

func getEvent(c *call) error {
	entry, err := c.entryOf(c.r.PathValue("id"))
	if err != nil {
		return err
	}
	c.seen.showed(entry)
	c.out = c.appendEntry(c.out[:0], &entry)
	c.send(http.StatusOK, jsonType, c.out)
	return nil
}

// entryOf returns the entry of an event, or errNotFound.
func (c *call) entryOf(text string) (daybook.Entry, error) {
	id, err := daybook.ParseID(text)
	if err != nil {
		return daybook.Entry{}, errNotFound // what is no id is the id of nothing
	}
	entry, err := c.s.Book.Entry(c.r.Context(), c.org, id)
	if daybook.CodeOf(err) == daybook.CodeNotFound {
		err = errNotFound // one body, whatever the reason
	}
	if err == nil {
		err = c.sees(entry.Seq)
	}
	return entry, err
}
