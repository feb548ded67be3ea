package api

import (
	"errors"
	"net/http"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/query"
	"github.com/daybook-audit/daybook/server/internal/control"
)

// summary is how a log stands, in a few figures.
type summary struct {
	Org        daybook.OrgID      `json:"org" example:"org_acme"`
	Name       string             `json:"name" example:"Acme"`
	State      string             `json:"state" enum:"open,frozen,closed" doc:"frozen: reads go on, nothing is recorded."`
	NoSpace    bool               `json:"no_space" doc:"The store had no space for what was last to be recorded: reads go on, events are refused with 507 until one fits."`
	Epoch      int                `json:"epoch"`
	Size       int64              `json:"size" doc:"Number of entries." example:"48192"`
	NewestAt   *stamp             `json:"newest_at" format:"date-time" doc:"When the newest was received; null: there is none."`
	Oldest     *place             `json:"oldest,omitempty" doc:"The first entry that is still there. Absent: none is."`
	FirstEvent *place             `json:"first_event,omitempty" doc:"The first event of a producer that is still there. Absent: none is, or it was not found in time."`
	Signing    bool               `json:"signing" doc:"Checkpoints are signed."`
	Checkpoint *summaryCheckpoint `json:"checkpoint,omitempty" doc:"The newest that is signed. Absent: none is yet. Asking signs nothing."`
}

type place struct {
	Seq        int64 `json:"seq"`
	ReceivedAt stamp `json:"received_at" format:"date-time"`
}

type summaryCheckpoint struct {
	Origin string `json:"origin" example:"audit.example.com/o/7f3k2q9x4m1n8p5r"`
	Size   int64  `json:"size" example:"48201"`
	Root   string `json:"root" doc:"Of its tree, base64."`
	At     stamp  `json:"at" format:"date-time" doc:"When it was signed."`
}

var aboutGetSummary = operation{
	id: "getSummary", tag: "Search", summary: "How the log stands", text: "Its size, where it begins, and its newest checkpoint. It signs nothing and counts nothing.",
	answers: ok(summary{}, "The figures."),
}

// producers is what was not recorded by the server itself.
var producers = func() *query.Query {
	q, err := query.Parse("-action:daybook.* -is:control", query.Options{})
	if err != nil {
		panic(err) // it is constant
	}
	return q
}()

func getSummary(c *call) error {
	ctx := c.r.Context()
	infos, err := c.s.Book.Info(ctx, c.org)
	if err != nil {
		return err
	}
	info := infos[0]
	shown := summary{Org: c.org, State: logStates[info.State], NoSpace: info.NoSpace, Epoch: info.Epoch, Size: info.Size}
	org, err := c.s.Orgs.Get(ctx, c.org)
	if err != nil && !errors.Is(err, control.ErrNotFound) { // the instance's own log has no organization
		return err
	}
	shown.Name = org.Name
	keys, err := c.s.Book.InstanceVkeys(ctx)
	if err != nil {
		return err
	}
	shown.Signing = keys.Clock != ""
	if info.Size > 0 {
		shown.NewestAt = new(stamp(daybook.AppendTime(nil, info.ReceivedAt)))
		if shown.Oldest, err = c.oldest(nil); err != nil {
			return err
		}
		if shown.FirstEvent, err = c.oldest(producers); err != nil {
			return err
		}
	}
	if shown.Signing && info.Exists {
		if shown.Checkpoint, err = c.newestCheckpoint(); err != nil {
			return err
		}
	}
	c.send(http.StatusOK, jsonType, marshal(shown))
	return nil
}

// oldest finds the first entry that q matches, as far as one search comes.
func (c *call) oldest(q *query.Query) (*place, error) {
	page, err := c.s.Book.Search(c.r.Context(), daybook.EventQuery{Org: c.org, Within: q, Asc: true, Limit: 1})
	if err != nil || len(page.Entries) == 0 {
		return nil, err
	}
	e := &page.Entries[0]
	return &place{e.Seq, stamp(daybook.AppendTime(nil, e.ReceivedAt))}, nil
}

// newestCheckpoint returns the newest that is there; nil: none is.
func (c *call) newestCheckpoint() (*summaryCheckpoint, error) {
	l, err := c.s.Book.Log(c.r.Context(), c.org, daybook.NewestEpoch)
	if err != nil {
		return nil, err
	}
	info, err := l.Info(c.r.Context())
	if err != nil || info.SignedSize < 0 {
		return nil, err
	}
	n, err := l.CheckpointAt(c.r.Context(), info.SignedSize)
	if err != nil {
		return nil, err
	}
	return &summaryCheckpoint{Origin: info.Origin, Size: n.Size, Root: n.Root.String(), At: newStamp(n.At)}, nil
}
