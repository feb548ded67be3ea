package api

import (
	"context"
	"iter"

	"github.com/daybook-audit/daybook"
)

// Book is what the API asks of a [daybook.Book].
type Book interface {
	RecordJSON(ctx context.Context, org daybook.OrgID, r daybook.Request) (daybook.Result, error)
	CreateLog(ctx context.Context, org daybook.OrgID) error
	Info(ctx context.Context, orgs ...daybook.OrgID) ([]daybook.LogInfo, error)
	Search(ctx context.Context, q daybook.EventQuery) (*daybook.Page, error)
	Entry(ctx context.Context, org daybook.OrgID, id daybook.ID) (daybook.Entry, error)
	EntryAt(ctx context.Context, org daybook.OrgID, seq int64) (daybook.Entry, error)
	Histogram(ctx context.Context, q daybook.HistogramQuery) (*daybook.Histogram, error)
	Facets(ctx context.Context, q daybook.FacetQuery) (*daybook.Facets, error)
	Follow(ctx context.Context, q daybook.FollowQuery) iter.Seq2[daybook.Step, error]
	InstanceVkeys(ctx context.Context) (daybook.InstanceVkeys, error)
	Anchors(ctx context.Context) (*daybook.Anchors, error)
	Log(ctx context.Context, org daybook.OrgID, epoch int) (*daybook.Log, error)
	RotateKey(ctx context.Context, org daybook.OrgID, by daybook.Party) (daybook.Vkey, error)
	Remover
	Broken() <-chan struct{}
}

// Remover is what the API asks of a [daybook.Book] about keeping and removing.
type Remover interface {
	PlaceHold(ctx context.Context, r daybook.HoldRequest) (daybook.Hold, error)
	ReleaseHold(ctx context.Context, org daybook.OrgID, id, reason string, by daybook.Party) (daybook.Hold, error)
	Hold(ctx context.Context, org daybook.OrgID, id string) (daybook.Hold, error)
	Holds(ctx context.Context, org daybook.OrgID) ([]daybook.Hold, error)
	PreviewErase(ctx context.Context, r daybook.EraseRequest) (daybook.ErasePreview, error)
	Erase(ctx context.Context, r daybook.EraseRequest) (daybook.Erasure, error)
	Erasure(ctx context.Context, org daybook.OrgID, id string) (daybook.Erasure, error)
	Erasures(ctx context.Context, org daybook.OrgID) ([]daybook.Erasure, error)
	PlanRetention(ctx context.Context, org daybook.OrgID, p daybook.Retention) (daybook.RetentionPlan, error)
	ApplyRetention(ctx context.Context, org daybook.OrgID, p daybook.Retention) (daybook.Pruned, error)
}

var _ Book = (*daybook.Book)(nil)
