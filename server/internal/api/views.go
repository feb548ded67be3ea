package api

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/query"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/control"
)

// view is a saved view as the API shows it.
type view struct {
	ID        string `json:"id" example:"view_01m7w2y7m0fhra2avt0s3fj8ks"`
	Slug      string `json:"slug" doc:"For addresses; made of the name." example:"privileged-changes"`
	Name      string `json:"name" example:"Privileged changes"`
	Search    string `json:"search" doc:"The query string of the console's address." example:"q=action%3Arole.*&from=now-7d"`
	Shared    bool   `json:"shared" doc:"Everybody in the organization sees it; else its owner alone."`
	Default   bool   `json:"default" doc:"What the console begins with: everybody's when shared, else the owner's."`
	By        party  `json:"by"`
	CreatedAt stamp  `json:"created_at" format:"date-time"`
	UpdatedAt stamp  `json:"updated_at" format:"date-time"`
}

type viewList struct {
	Views []view `json:"views" nullable:"false" doc:"The shared ones by name, then one's own by name; at most 100 of each."`
}

// newView is what a view shall be.
type newView struct {
	Name    string `json:"name" minLength:"1" maxLength:"100" example:"Privileged changes"`
	Search  string `json:"search" maxLength:"4096" doc:"The query string of the console's address. What stands in q must be a query." example:"q=action%3Arole.*&from=now-7d"`
	Shared  bool   `json:"shared,omitempty" doc:"Needs the scope manage."`
	Default bool   `json:"default,omitempty"`
}

const tagViews = "Saved views"

var (
	pathView = []param{{"view", "Its id, `view_…`, or its slug.", text}}

	aboutListViews  = operation{id: "listViews", tag: tagViews, summary: "List saved views", answers: ok(viewList{}, "Those one sees.")}
	aboutGetView    = operation{id: "getView", tag: tagViews, summary: "Get a saved view", path: pathView, answers: ok(view{}, "The view.")}
	aboutCreateView = operation{
		id: "createView", tag: tagViews, summary: "Save a view", text: "A view belongs to the key that saves it, or with `shared` to everybody.",
		request: []content{{mediaJSON, newView{}}}, answers: created(view{}, "Saved, and durable."), faults: []int{413, 415, 503, 507},
	}
	aboutPutView = operation{
		id: "putView", tag: tagViews, summary: "Change a view", text: "In the place of what was there. A view of one's own that is shared now is another view, with an id of its own, and the old one is gone.",
		path: pathView, request: []content{{mediaJSON, newView{}}}, answers: ok(view{}, "Changed, and durable."), faults: []int{413, 415, 503, 507},
	}
	aboutDeleteView = operation{
		id: "deleteView", tag: tagViews, summary: "Delete a view", path: pathView, answers: []answer{{status: http.StatusNoContent, text: "Deleted."}}, faults: []int{503, 507},
	}
)

// viewDetails is what the log keeps of a view.
type viewDetails struct {
	Search  string `json:"search"`
	Shared  bool   `json:"shared"`
	Default bool   `json:"default"`
}

func showView(v control.View) view {
	return view{
		v.ID, v.Slug, v.Name, v.Search, v.Shared, v.Default, party{Type: v.By.Type, ID: v.By.ID}, newStamp(v.CreatedAt), newStamp(v.UpdatedAt),
	}
}

func listViews(c *call) error {
	all, err := c.s.Views.List(c.r.Context(), c.org, c.principal.KeyID)
	if err != nil {
		return err
	}
	list := viewList{Views: []view{}}
	for _, v := range all {
		list.Views = append(list.Views, showView(v))
	}
	c.send(http.StatusOK, jsonType, marshal(list))
	return nil
}

// view returns the view that the path names.
func (c *call) view() (control.View, error) {
	return c.s.Views.Get(c.r.Context(), c.org, c.principal.KeyID, c.r.PathValue("view"))
}

func getView(c *call) error {
	v, err := c.view()
	if err != nil {
		return err
	}
	c.send(http.StatusOK, jsonType, marshal(showView(v)))
	return nil
}

func createView(c *call) error {
	v, err := c.readView()
	if err != nil {
		return err
	}
	if err := c.viewAct("daybook.view.created", v); err != nil {
		return err
	}
	return c.putView(http.StatusCreated, v)
}

func putView(c *call) error {
	was, err := c.view()
	if err != nil {
		return err
	}
	if err := c.mayShare(was.Shared); err != nil {
		return err
	}
	v, err := c.readView()
	if err != nil {
		return err
	}
	if v.Shared == was.Shared {
		v.ID = was.ID
	}
	if err := c.viewAct("daybook.view.changed", v); err != nil {
		return err
	}
	if err := c.putView(http.StatusOK, v); err != nil || v.ID != "" {
		return err
	}
	// A crash here leaves both: the old one can be deleted like any other.
	return c.s.Views.Delete(c.r.Context(), c.org, c.principal.KeyID, was)
}

func (c *call) putView(status int, v control.View) error {
	stored, err := c.s.Views.Put(c.r.Context(), c.org, c.principal.KeyID, v)
	if err != nil {
		return err
	}
	c.send(status, jsonType, marshal(showView(stored)))
	return nil
}

func deleteView(c *call) error {
	v, err := c.view()
	if err != nil {
		return err
	}
	if err := c.mayShare(v.Shared); err != nil {
		return err
	}
	if err := c.viewAct("daybook.view.deleted", v); err != nil {
		return err
	}
	if err := c.s.Views.Delete(c.r.Context(), c.org, c.principal.KeyID, v); err != nil {
		return err
	}
	c.WriteHeader(http.StatusNoContent)
	return nil
}

// mayShare refuses what everybody would see for want of the scope.
func (c *call) mayShare(shared bool) error {
	if shared && !c.principal.Scopes.Has(auth.Manage) {
		return auth.Forbidden(c.principal, auth.Manage)
	}
	return nil
}

// readView reads a view from the body.
func (c *call) readView() (control.View, error) {
	var in newView
	if err := c.decode(&in, "name", "search"); err != nil {
		return control.View{}, err
	}
	if err := c.mayShare(in.Shared); err != nil {
		return control.View{}, err
	}
	values, err := url.ParseQuery(in.Search)
	if err != nil {
		return control.View{}, invalid("invalid_format", "/search", "search is not percent-encoded as it should be.")
	}
	if _, err := query.Parse(values.Get("q"), query.Options{Now: c.s.now()}); err != nil {
		return control.View{}, &daybook.Error{Code: daybook.CodeInvalid, Rule: "query_invalid", Field: "/search", Message: err.Error(), Err: err}
	}
	return control.View{Name: strings.TrimSpace(in.Name), Search: in.Search, Shared: in.Shared, Default: in.Default, By: c.by()}, nil
}

// viewAct records what is done to a view, before it is done.
func (c *call) viewAct(action string, v control.View) error {
	return c.did(c.org, c.act(action, daybook.Target{Type: "view", ID: cmp.Or(v.ID, v.Name), Name: v.Name}, viewDetails{v.Search, v.Shared, v.Default}))
}
