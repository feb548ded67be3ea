package api

import (
	"cmp"
	"slices"

	"github.com/daybook-audit/daybook"
)

// job is what is under way for one organization.
type job struct {
	Kind  string        `json:"kind" enum:"export,erase_organization"`
	ID    string        `json:"id" example:"exp_01m7z7rs1affyad5cmxxj94a79"`
	Org   daybook.OrgID `json:"org" example:"org_acme"`
	State string        `json:"state" enum:"pending,running,awaiting_approval" doc:"awaiting_approval: it waits for a second person."`
	Done  int64         `json:"done" doc:"Of an export: entries that are read."`
	Of    int64         `json:"of" doc:"0: not known."`
	Asked stamp         `json:"asked_at" format:"date-time"`
	Began *stamp        `json:"started_at" format:"date-time" doc:"null: not yet."`
}

const maxJobs = 50

// jobs lists what is not finished: what runs first, then by when it was asked for.
func (c *call) jobs() ([]job, error) {
	all := []job{}
	if c.s.Exports != nil {
		open, err := c.s.Exports.Open(c.r.Context())
		if err != nil {
			return nil, err
		}
		for i := range open {
			x := &open[i]
			all = append(all, job{"export", x.ID, x.Org, x.State, x.Scanned, x.Size, stampOf(x.CreatedAt), microStamp(x.StartedAt)})
		}
	}
	if c.s.Eraser != nil {
		erasures, err := c.s.Eraser.Erasures.List(c.r.Context())
		if err != nil {
			return nil, err
		}
		for i := range erasures {
			x := &erasures[i]
			row := job{Kind: "erase_organization", ID: x.ID, Org: x.Org, State: "awaiting_approval", Asked: newStamp(x.RequestedAt)}
			if x.Pending() {
				row.State, row.Began = "running", maybeStamp(x.ApprovedAt)
			}
			if x.CompletedAt.IsZero() {
				all = append(all, row)
			}
		}
	}
	waits := func(j *job) int {
		if j.State == "running" {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(all, func(a, b job) int {
		return cmp.Or(cmp.Compare(waits(&a), waits(&b)), cmp.Compare(string(a.Asked), string(b.Asked)))
	})
	return all[:min(len(all), maxJobs)], nil
}
