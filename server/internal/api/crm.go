package api

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/crm"
	"github.com/daybook-audit/daybook/query"
	"github.com/daybook-audit/daybook/server/internal/control"
)

// The profile of a CRM's audit log: package crm over HTTP. Entries are read-only for everybody; there is no route that changes one.

const tagCRM = "CRM"

var (
	paramCRMAction       = param{"action", "Number or name; repeated, or a list with commas: any of.", manyTexts}
	paramCRMEntityType   = param{"entityType", "Number or name; repeated, or a list with commas: any of.", manyTexts}
	paramCRMIdentifier   = param{"numberIdentifier", "Compared as text; repeated: any of.", manyTexts}
	paramCRMUser         = param{"user", "Id as text; also of a deleted user. `null`: entries that show no user.", text}
	paramCRMEmail        = param{"userEmail", "In any case.", text}
	paramCRMImpersonated = param{"isImpersonated", "Left out: both.", yesOrNo}
	paramCRMImpersonator = param{"impersonatedBy", "Id of the real person.", text}
	paramCRMChanged      = param{"changed", "Name of a field of `difference`; repeated: all of.", manyTexts}
	paramCRMFrom         = param{"from", "Created at or after this time (RFC 3339).", text}
	paramCRMTo           = param{"to", "Created before this time.", text}
	paramCRMOrder        = param{"order", "Newest or oldest first.", huma.Schema{Type: huma.TypeString, Enum: []any{"desc", "asc"}, Default: "desc"}}
	paramCRMLimit        = param{"limit", "Most entries of one page.", number(1, crm.MaxLimit, crm.DefaultLimit)}
	paramCRMCursor       = param{"cursor", "`nextCursor` of the page before. Everything but `limit` must be as it was.", text}
	paramCRMAll          = param{"all", "Every entry of the organization in this shape; otherwise those of this profile.", yes}
	paramCRMAppend       = param{"append", "Names that are not known yet are appended to their enum first.", yes}
)

var crmList = []param{
	paramCRMAction, paramCRMEntityType, paramCRMIdentifier, paramCRMUser, paramCRMEmail, paramCRMImpersonated, paramCRMImpersonator, paramCRMChanged,
	paramCRMFrom, paramCRMTo, paramQ, paramCRMOrder, paramCRMLimit, paramCRMCursor, paramCRMAll,
}

// numberings keeps what is known of enums beside the logs.
func (s *Server) numberings() *control.Numberings { return control.NewNumberings(s.Docs) }

// numbering returns the numbering of the organization as the log has it now, and keeps what is new of it.
func (c *call) numbering() (*crm.Registry, error) {
	ctx := c.r.Context()
	known, err := c.s.numberings().Known(ctx, c.org)
	if err != nil {
		return nil, err
	}
	r, err := crm.ReadRegistry(ctx, c.s.Book, c.org, known)
	if err != nil {
		return nil, err
	}
	if known == nil && r.Length() > 0 || known != nil && r.Length() > known.Length() {
		return r, c.s.numberings().Keep(ctx, c.org, r)
	}
	return r, nil
}

// knownNumbering is numbering without a look into the log: what it has stays true, for a number never changes.
func (c *call) knownNumbering() (*crm.Registry, error) {
	known, err := c.s.numberings().Known(c.r.Context(), c.org)
	if err != nil || known != nil {
		return known, err
	}
	return c.numbering()
}

// crmFilter reads the parameters of a list.
func (c *call) crmFilter() (crm.Filter, error) {
	f := crm.Filter{
		Action: c.values(paramCRMAction, true), EntityType: c.values(paramCRMEntityType, true), NumberIdentifier: c.values(paramCRMIdentifier, false),
		User: c.param(paramCRMUser), UserEmail: c.param(paramCRMEmail), ImpersonatedBy: c.param(paramCRMImpersonator),
		Changed: c.values(paramCRMChanged, false), Query: c.param(paramQ), Cursor: c.param(paramCRMCursor),
	}
	if f.User == "null" {
		f.User, f.NoUser = "", true
	}
	for _, p := range crmList {
		if p.name != paramQ.name && slices.Contains(c.query[p.name], "") {
			return f, invalid("invalid_value", p.name, "%s must not be empty.", p.name)
		}
	}
	if _, err := query.Parse(f.Query, query.Options{Now: c.s.now()}); err != nil {
		return f, err
	}
	var err error
	if c.given(paramCRMImpersonated) {
		impersonated, err := c.flag(paramCRMImpersonated)
		if err != nil {
			return f, err
		}
		f.IsImpersonated = &impersonated
	}
	if f.All, err = c.flag(paramCRMAll); err != nil {
		return f, err
	}
	if f.From, err = c.moment(paramCRMFrom); err != nil {
		return f, err
	}
	if f.To, err = c.moment(paramCRMTo); err != nil {
		return f, err
	}
	if !f.From.IsZero() && !f.To.IsZero() && f.From.After(f.To) {
		return f, invalid("invalid_value", "from", "from must not be after to.")
	}
	switch c.param(paramCRMOrder) {
	case "", "desc":
	case "asc":
		f.Oldest = true
	default:
		return f, invalid("invalid_value", "order", "order is desc or asc.")
	}
	limit, err := c.whole(paramCRMLimit)
	f.Limit = int(limit)
	return f, err
}

// values are those of a parameter that may stand more than once; with lists, each may be several, with commas between them.
func (c *call) values(p param, lists bool) []string {
	if !lists {
		return c.query[p.name]
	}
	var all []string
	for _, v := range c.query[p.name] {
		all = append(all, strings.Split(v, ",")...)
	}
	return all
}

func (c *call) moment(p param) (time.Time, error) {
	if !c.given(p) {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339Nano, c.param(p))
	if err != nil || at.Year() < 1970 || at.Year() > 9999 {
		return time.Time{}, invalid("invalid_value", p.name, "%s is a time such as 2026-01-02T03:04:05Z.", p.name)
	}
	return at, nil
}

// crmPage is a page as clients read it.
type crmPage struct {
	Data       []crm.Entry `json:"data"`
	NextCursor *string     `json:"nextCursor"`
}

func listCRMEntries(c *call) error {
	f, err := c.crmFilter()
	if err != nil {
		return err
	}
	r, err := c.numbering()
	if err != nil {
		return err
	}
	page, err := crm.List(c.r.Context(), c.s.Book, c.org, r, f)
	if err != nil {
		return err
	}
	c.seen = seen{asked: true, query: page.Query, from: page.From, to: page.To}
	out := crmPage{Data: page.Entries}
	if out.Data == nil {
		out.Data = []crm.Entry{}
	}
	for i := range out.Data {
		c.seen.showed(daybook.Entry{Seq: out.Data[i].Seq})
	}
	if page.NextCursor != "" {
		out.NextCursor = &page.NextCursor
	}
	c.send(http.StatusOK, jsonType, marshal(out))
	return nil
}

func getCRMEntry(c *call) error {
	text := c.r.PathValue("id")
	var entry daybook.Entry
	var err error
	if id, bad := daybook.ParseID(text); bad == nil {
		entry, err = c.s.Book.Entry(c.r.Context(), c.org, id)
	} else if n, bad := strconv.ParseUint(text, 10, 63); bad == nil {
		entry, err = c.s.Book.EntryAt(c.r.Context(), c.org, int64(n)-1)
	} else {
		return invalid("invalid_format", "id", "an id is a whole number or evt_….")
	}
	if err != nil {
		return notThere(err)
	}
	r, err := c.knownNumbering()
	if err != nil {
		return err
	}
	one, err := crm.Read(&entry, r)
	if err != nil {
		return err
	}
	list := []crm.Entry{one}
	if err := crm.HideDeleted(c.r.Context(), c.s.Book, c.org, list); err != nil {
		return err
	}
	c.seen.showed(entry)
	c.send(http.StatusOK, jsonType, marshal(list[0]))
	return nil
}
