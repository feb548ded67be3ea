package api

import (
	"net/http"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/crm"
	"github.com/daybook-audit/daybook/internal/rawjson"
)

// createCRMDeletion is POST /v1/crm/user-deletions: nothing is rewritten, readers see no user from then on.
func createCRMDeletion(c *call) error {
	bodies, single, err := c.crmBodies()
	if err != nil {
		return err
	}
	members := rawjson.Members(rawjson.Trim(bodies[0]))
	user := rawjson.Find(members, "user")
	if !single || len(members) != 1 || !isID(user) {
		return unprocessable("/user", "the body is {\"user\":ID}, and the id %s.", idForm)
	}
	event, err := crm.DeletionEvent(user, actorOf(c.principal))
	if err != nil {
		return err
	}
	ctx := c.r.Context()
	status := http.StatusOK
	entry, err := c.s.Book.Entry(ctx, c.org, event.ID)
	if daybook.CodeOf(err) == daybook.CodeNotFound {
		status = http.StatusCreated
		_, err = c.s.Book.RecordJSON(ctx, c.org, daybook.Request{Events: [][]byte{marshal(&event)}})
		if daybook.CodeOf(err) == daybook.CodeConflict { // somebody else was faster
			status, err = http.StatusOK, nil
		}
		if err == nil {
			entry, err = c.s.Book.Entry(ctx, c.org, event.ID)
		}
	}
	if err != nil {
		return unwrapSingle(err, true)
	}
	deletion, ok := crm.ReadDeletion(&entry)
	if !ok { // removed since, by retention or erasure
		deletion = crm.Deletion{User: user, DeletedAt: crm.TimeOf(entry.ReceivedAt), EventID: entry.ID}
	}
	c.send(status, jsonType, marshal(deletion))
	return nil
}

// crmDeletions is a page of deletions as clients read it.
type crmDeletions struct {
	Data       []crm.Deletion `json:"data"`
	NextCursor *string        `json:"nextCursor"`
}

func listCRMDeletions(c *call) error {
	limit, err := c.whole(paramCRMLimit)
	if err != nil {
		return err
	}
	q := daybook.EventQuery{Org: c.org, Text: "action:" + crm.UserDeleted, Limit: int(limit), Cursor: c.param(paramCRMCursor)}
	if c.given(paramCRMCursor) && q.Cursor == "" {
		return invalid("cursor_invalid", paramCRMCursor.name, "this cursor does not belong to this question; begin again without a cursor")
	}
	page, err := c.s.Book.Search(c.r.Context(), q)
	if err != nil {
		return err
	}
	out := crmDeletions{Data: []crm.Deletion{}}
	for i := range page.Entries {
		if d, ok := crm.ReadDeletion(&page.Entries[i]); ok {
			out.Data = append(out.Data, d)
		}
	}
	if page.NextCursor != "" {
		out.NextCursor = &page.NextCursor
	}
	c.seen = seen{asked: true, query: page.Query}
	c.seen.showed(page.Entries...)
	c.send(http.StatusOK, jsonType, marshal(out))
	return nil
}
