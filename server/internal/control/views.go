package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/typeid"
	"github.com/daybook-audit/daybook/query"
)

// kindViews is the saved views of one owner, or those that are shared: one document under the organization.
const kindViews = "views"

// sharedViews is the owner of the views that everybody sees; no key has this id.
const sharedViews = "shared"

// Limits of saved views.
const (
	maxViews      = 100     // of one owner, and shared
	maxViewName   = 100     // characters
	maxViewSearch = 4 << 10 // bytes
)

// View is a search with a name.
type View struct {
	ID        string // view_…
	Slug      string // made of the name; one owner has it once
	Name      string
	Search    string // the query string of the console's address: q, from, to, tz, order, cols …
	Shared    bool   // everybody in the organization sees it
	Default   bool   // what the console begins with: of everybody when shared, else of its owner
	By        daybook.Party
	CreatedAt time.Time
	UpdatedAt time.Time
}

type viewDocument struct {
	ID        string        `json:"id"`
	Slug      string        `json:"slug"`
	Name      string        `json:"name"`
	Search    string        `json:"search"`
	Grammar   int           `json:"grammar"` // of the query in it
	By        daybook.Party `json:"by"`
	CreatedAt moment        `json:"created_at"`
	UpdatedAt moment        `json:"updated_at"`
}

type viewsDocument struct {
	Views   []viewDocument `json:"views"`
	Default string         `json:"default,omitempty"` // id of a view
}

func (d *viewsDocument) view(i int, shared bool) View {
	v := &d.Views[i]
	return View{
		ID: v.ID, Slug: v.Slug, Name: v.Name, Search: v.Search, Shared: shared, Default: d.Default == v.ID, By: v.By, CreatedAt: v.CreatedAt.time(), UpdatedAt: v.UpdatedAt.time(),
	}
}

// Views keeps saved views. Safe for concurrent use; it caches nothing.
type Views struct {
	docs daybook.Documents
	now  func() time.Time
}

// NewViews returns the views kept in docs.
func NewViews(docs daybook.Documents, now func() time.Time) *Views {
	return &Views{docs: docs, now: now}
}

// List returns the views that an owner sees in org: the shared ones by name, then the owner's by name.
func (v *Views) List(ctx context.Context, org daybook.OrgID, owner string) ([]View, error) {
	var all []View
	for _, of := range []string{sharedViews, owner} {
		d, _, err := v.read(ctx, org, of)
		if err != nil {
			return nil, err
		}
		from := len(all)
		for i := range d.Views {
			all = append(all, d.view(i, of == sharedViews))
		}
		slices.SortFunc(all[from:], func(a, b View) int { return strings.Compare(a.Name+"\x00"+a.ID, b.Name+"\x00"+b.ID) })
	}
	return all, nil
}

// Get returns a view that an owner sees, by its id or its slug; of two with one slug, the owner's. Else ErrNotFound.
func (v *Views) Get(ctx context.Context, org daybook.OrgID, owner, name string) (View, error) {
	all, err := v.List(ctx, org, owner)
	if err != nil {
		return View{}, err
	}
	for _, view := range slices.Backward(all) { // the owner's are the last
		if view.ID == name || view.Slug == name {
			return view, nil
		}
	}
	return View{}, ErrNotFound
}

// Put stores a view of owner, or with Shared one of everybody, durable on return: a new one when ID is empty, else in the place of the one
// with this id, which must be there as it is, shared or not. What is wrong with it is an *Error of CodeInvalid.
func (v *Views) Put(ctx context.Context, org daybook.OrgID, owner string, view View) (View, error) {
	if err := view.check(); err != nil {
		return View{}, err
	}
	var stored View
	err := v.change(ctx, org, ownerOf(owner, view.Shared), func(d *viewsDocument) error {
		now := at(v.now())
		i := slices.IndexFunc(d.Views, func(known viewDocument) bool { return known.ID == view.ID })
		switch {
		case view.ID != "" && i < 0:
			return ErrNotFound
		case i < 0 && len(d.Views) >= maxViews:
			return &daybook.Error{Code: daybook.CodeInvalid, Rule: "too_many_views", Message: fmt.Sprintf("there are %d views already: delete one.", maxViews)}
		case i < 0:
			i = len(d.Views)
			d.Views = append(d.Views, viewDocument{ID: typeid.New("view"), By: view.By, CreatedAt: now})
		}
		known := &d.Views[i]
		known.Name, known.Search, known.Grammar, known.UpdatedAt = view.Name, view.Search, query.Grammar, now
		known.Slug = d.slug(view.Name, known.ID)
		switch {
		case view.Default:
			d.Default = known.ID
		case d.Default == known.ID:
			d.Default = ""
		}
		stored = d.view(i, view.Shared)
		return nil
	})
	return stored, err
}

// Delete removes a view that Get has returned; durable on return. One that is not there any more is no error.
func (v *Views) Delete(ctx context.Context, org daybook.OrgID, owner string, view View) error {
	return v.change(ctx, org, ownerOf(owner, view.Shared), func(d *viewsDocument) error {
		d.Views = slices.DeleteFunc(d.Views, func(known viewDocument) bool { return known.ID == view.ID })
		if d.Default == view.ID {
			d.Default = ""
		}
		return nil
	})
}

func ownerOf(owner string, shared bool) string {
	if shared {
		return sharedViews
	}
	return owner
}

func (v *Views) read(ctx context.Context, org daybook.OrgID, owner string) (viewsDocument, daybook.Document, error) {
	var of viewsDocument
	d, err := v.docs.Get(ctx, kindViews, org, owner)
	switch {
	case errors.Is(err, daybook.ErrNotExist):
		return of, daybook.Document{Kind: kindViews, Org: org, ID: owner}, nil
	case err == nil:
		err = json.Unmarshal(d.Data, &of)
	}
	if err != nil {
		return of, d, fmt.Errorf("read views: %w", err)
	}
	return of, d, nil
}

// change edits the views of an owner, again from the start when somebody else was faster.
func (v *Views) change(ctx context.Context, org daybook.OrgID, owner string, edit func(*viewsDocument) error) error {
	for {
		of, d, err := v.read(ctx, org, owner)
		if err != nil {
			return err
		}
		if err := edit(&of); err != nil {
			return err
		}
		if d.Data, err = json.Marshal(of); err != nil {
			return fmt.Errorf("write views: %w", err)
		}
		if _, err = v.docs.Put(ctx, d); err == nil {
			return nil
		}
		if !errors.Is(err, daybook.ErrVersionMoved) {
			return fmt.Errorf("write views: %w", err)
		}
	}
}

// slug makes a word for an address of a name, which no other view of the same owner has.
func (d *viewsDocument) slug(name, id string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	word := strings.TrimSuffix(b.String(), "-")
	if word == "" || strings.HasPrefix(word, "view_") {
		word = "view"
	}
	for n := 1; ; n++ {
		slug := word
		if n > 1 {
			slug += "-" + strconv.Itoa(n)
		}
		if !slices.ContainsFunc(d.Views, func(v viewDocument) bool { return v.Slug == slug && v.ID != id }) {
			return slug
		}
	}
}

// check refuses what is no view.
func (v *View) check() error {
	switch {
	case strings.TrimSpace(v.Name) == "" || utf8.RuneCountInString(v.Name) > maxViewName || !utf8.ValidString(v.Name) || strings.ContainsFunc(v.Name, unicode.IsControl):
		return invalidView("/name", "a name has 1 to %d characters, none of them a control character.", maxViewName)
	case len(v.Search) > maxViewSearch || !utf8.ValidString(v.Search) || strings.ContainsFunc(v.Search, unicode.IsControl):
		return invalidView("/search", "search is a query string of at most %d bytes.", maxViewSearch)
	}
	return nil
}

func invalidView(field, format string, args ...any) error {
	return &daybook.Error{Code: daybook.CodeInvalid, Rule: "invalid_value", Field: field, Message: fmt.Sprintf(format, args...)}
}
