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
	Histogram(ctx context.Context, q daybook.HistogramQuery) (*daybook.Histogram, error)
	Facets(ctx context.Context, q daybook.FacetQuery) (*daybook.Facets, error)
	Follow(ctx context.Context, q daybook.FollowQuery) iter.Seq2[daybook.Step, error]
	Log(ctx context.Context, org daybook.OrgID, epoch int) (*daybook.Log, error)
	RotateKey(ctx context.Context, org daybook.OrgID, by daybook.Party) (daybook.Vkey, error)
	Broken() <-chan struct{}
}

var _ Book = (*daybook.Book)(nil)
