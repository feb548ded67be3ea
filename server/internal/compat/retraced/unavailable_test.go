package retraced_test

import (
	"context"
	"errors"
	"iter"
	"strings"
	"testing"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/compat/retraced"
)

// brokenBook fails in the way given, every time.
type brokenBook struct {
	retraced.Book
	err error
}

func (b brokenBook) RecordJSON(context.Context, daybook.OrgID, daybook.Request) (daybook.Result, error) {
	return daybook.Result{}, b.err
}

func (b brokenBook) Search(context.Context, daybook.EventQuery) (*daybook.Page, error) {
	return nil, b.err
}

func (b brokenBook) Facets(context.Context, daybook.FacetQuery) (*daybook.Facets, error) {
	return nil, b.err
}

func (b brokenBook) Events(context.Context, daybook.EventQuery) iter.Seq2[daybook.Entry, error] {
	return func(yield func(daybook.Entry, error) bool) { yield(daybook.Entry{}, b.err) }
}

// What fails for a while is 503 with Retry-After, and says nothing of why; what the caller did is 4xx.
func TestUnavailable(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err            error
		record, search int
	}{
		"overloaded":      {&daybook.Error{Code: daybook.CodeOverloaded, Message: "secret"}, 503, 503},
		"unknown outcome": {daybook.ErrUnknownOutcome, 503, 503},
		"store":           {errors.New("secret of the disk"), 503, 503},
		"too large":       {&daybook.Error{Code: daybook.CodeTooLarge}, 413, 503},
		"conflict":        {&daybook.Error{Code: daybook.CodeConflict}, 409, 503},
		"schema":          {&daybook.Error{Code: daybook.CodeInvalid, Message: "no schema"}, 400, 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, func(d *retraced.Deps) { d.Book = brokenBook{d.Book, tt.err} })
			if err := f.Orgs.Ensure(t.Context(), "org_acme"); err != nil {
				t.Fatal(err)
			}
			w := f.post(f.acme, full)
			if w.Code != tt.record || (w.Code == 503) != (w.Header().Get("Retry-After") != "") || strings.Contains(w.Body.String(), "secret") {
				t.Errorf("record: %d %s", w.Code, w.Body)
			}
			for _, document := range []string{`{search(query:""){totalCount}}`, `{counts(type:action){totalCount}}`} {
				w = f.ask(f.acme, document, nil)
				if w.Code != tt.search || strings.Contains(w.Body.String(), "secret") {
					t.Errorf("%s: %d %s", document, w.Code, w.Body)
				}
			}
		})
	}
}

// A viewer sees nothing that the log cannot note.
func TestViewNotRecorded(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(d *retraced.Deps) { d.Book = recordFails{d.Book} })
	session := f.session(f.acme, "group_id", "org_acme")
	if w := f.view(session, "", ""); w.Code != 503 || strings.Contains(w.Body.String(), "data") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// recordFails only reads.
type recordFails struct{ retraced.Book }

func (recordFails) RecordJSON(context.Context, daybook.OrgID, daybook.Request) (daybook.Result, error) {
	return daybook.Result{}, errors.New("disk on fire")
}
