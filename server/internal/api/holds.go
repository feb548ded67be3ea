package api

import (
	"net/http"

	"github.com/daybook-audit/daybook"
)

// hold is a legal hold as the API shows it.
type hold struct {
	ID             string  `json:"id" example:"hold_01m7w2y7m0f2sav0xm2zm5q97j"`
	Query          string  `json:"query" doc:"What is kept, in normal form; empty: the whole log." example:"target:invoice:42"`
	Reason         string  `json:"reason" example:"litigation 26-114"`
	By             *party  `json:"by"`
	Entries        int64   `json:"entries" doc:"That it named when it was placed. What came later and matches is kept too."`
	Seq            int64   `json:"seq" doc:"Of its control entry."`
	PlacedAt       stamp   `json:"placed_at" format:"date-time"`
	ReleasedAt     *stamp  `json:"released_at" format:"date-time" doc:"null: it is in force."`
	ReleasedBy     *party  `json:"released_by,omitempty"`
	ReleasedReason *string `json:"released_reason"`
}

type holdList struct {
	Holds      []hold  `json:"holds" nullable:"false" doc:"In the order of placing."`
	NextCursor *string `json:"next_cursor" doc:"Always null: there is one page."`
}

type newHold struct {
	ID     string  `json:"id,omitempty" doc:"Left out: one is made. The same id again places no second hold." example:"hold_01m7w2y7m0f2sav0xm2zm5q97j"`
	Query  *string `json:"query" doc:"What to keep: a query without org:, is: and relative times. Empty: the whole log, and all that is to come." example:"target:invoice:42"`
	Reason string  `json:"reason" doc:"It stands in the log for ever: no personal data." example:"litigation 26-114"`
}

type release struct {
	Reason string `json:"reason" doc:"It stands in the log for ever: no personal data." example:"settled"`
}

func showHold(h *daybook.Hold) hold {
	out := hold{
		ID: h.ID, Query: h.Query, Reason: h.Reason, By: showParty(h.By), Entries: h.Entries, Seq: h.Seq, PlacedAt: stampOf(h.PlacedAt),
		ReleasedAt: microStamp(h.ReleasedAt), ReleasedBy: showParty(h.ReleasedBy),
	}
	if h.ReleasedAt != 0 {
		out.ReleasedReason = &h.ReleasedReason
	}
	return out
}

// holdDetails is what the readable twin of a control entry says.
type holdDetails struct {
	Query   string `json:"query"`
	Entries int64  `json:"entries"`
	Seq     int64  `json:"seq"`
}

func (c *call) holdAct(action string, h *daybook.Hold, reason string) daybook.Event {
	e := c.act(action, daybook.Target{Type: "hold", ID: h.ID}, holdDetails{h.Query, h.Entries, h.Seq})
	e.Reason = reason
	return e
}

func placeHold(c *call) error {
	var in newHold
	if err := c.decode(&in, "query", "reason"); err != nil {
		return err
	}
	if in.Query == nil {
		return invalid("required", "/query", "query is required; an empty one keeps the whole log.")
	}
	before, err := c.s.Book.Holds(c.r.Context(), c.org)
	if err != nil {
		return err
	}
	h, err := c.s.Book.PlaceHold(c.r.Context(), daybook.HoldRequest{Org: c.org, ID: in.ID, Text: *in.Query, Reason: in.Reason, By: c.by()})
	if err != nil {
		return err
	}
	status := http.StatusCreated
	for i := range before {
		if before[i].ID == h.ID {
			status = http.StatusOK
		}
	}
	if status == http.StatusCreated {
		c.after(c.org, c.holdAct("daybook.hold.placed", &h, h.Reason))
	}
	c.send(status, jsonType, marshal(showHold(&h)))
	return nil
}

func listHolds(c *call) error {
	holds, err := c.s.Book.Holds(c.r.Context(), c.org)
	if err != nil {
		return err
	}
	list := holdList{Holds: []hold{}}
	for i := range holds {
		list.Holds = append(list.Holds, showHold(&holds[i]))
	}
	c.send(http.StatusOK, jsonType, marshal(list))
	return nil
}

func getHold(c *call) error {
	h, err := c.s.Book.Hold(c.r.Context(), c.org, c.r.PathValue("id"))
	if err != nil {
		return notThere(err)
	}
	c.send(http.StatusOK, jsonType, marshal(showHold(&h)))
	return nil
}

func releaseHold(c *call) error {
	var in release
	if err := c.decode(&in, "reason"); err != nil {
		return err
	}
	before, err := c.s.Book.Hold(c.r.Context(), c.org, c.r.PathValue("id"))
	if err != nil {
		return notThere(err)
	}
	h, err := c.s.Book.ReleaseHold(c.r.Context(), c.org, before.ID, in.Reason, c.by())
	if err != nil {
		return err
	}
	if before.ReleasedAt == 0 {
		c.after(c.org, c.holdAct("daybook.hold.released", &h, in.Reason))
	}
	c.send(http.StatusOK, jsonType, marshal(showHold(&h)))
	return nil
}

// notThere answers what is missing like what is somebody else's.
func notThere(err error) error {
	if daybook.CodeOf(err) == daybook.CodeNotFound {
		return errNotFound
	}
	return err
}
