package api

import (
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/control"
)

// organization is an org as the API shows it.
type organization struct {
	ID        daybook.OrgID `json:"id" example:"org_acme"`
	Name      string        `json:"name" example:"Acme"`
	CreatedAt stamp         `json:"created_at" format:"date-time"`
	Epoch     int           `json:"epoch" doc:"Begins at 0; a log that was restored from an old copy goes on in the next."`
	State     string        `json:"state" enum:"open,frozen,closed" doc:"frozen: reads go on, nothing is recorded."`
	Size      int64         `json:"size" doc:"Number of entries in the log." example:"48192"`
}

type organizationList struct {
	Organizations []organization `json:"organizations" nullable:"false"`
	NextCursor    *string        `json:"next_cursor" doc:"For the next page; null at the end."`
}

type newOrganization struct {
	ID   daybook.OrgID `json:"id,omitempty" maxLength:"128" pattern:"^[A-Za-z0-9._:@-]+$" doc:"Left out: one is made." example:"org_acme"`
	Name string        `json:"name,omitempty" maxLength:"512" example:"Acme"`
}

// stamp is a time in answers: RFC 3339 in UTC with microseconds.
type stamp string

func newStamp(t time.Time) stamp { return stamp(daybook.AppendTime(nil, t.UnixMicro())) }

func maybeStamp(t time.Time) *stamp {
	if t.IsZero() {
		return nil
	}
	return new(newStamp(t))
}

func createOrg(c *call) error {
	var in newOrganization
	if err := c.decode(&in); err != nil {
		return err
	}
	org, err := c.s.Orgs.Create(c.r.Context(), in.ID, in.Name)
	if err != nil {
		return err
	}
	// A crash between the two leaves an organization without a log: the first event makes it.
	if err := c.s.Book.CreateLog(c.r.Context(), org.ID); err != nil {
		return err
	}
	c.after("", c.act("daybook.org.created", daybook.Target{Type: "org", ID: string(org.ID), Name: org.Name}, nil))
	return c.sendOrg(http.StatusCreated, org)
}

func (c *call) sendOrg(status int, org control.Org) error {
	shown, err := c.organizations([]control.Org{org})
	if err != nil {
		return err
	}
	c.send(status, jsonType, marshal(shown[0]))
	return nil
}

// logStates are the words for the states of a log.
var logStates = map[daybook.LogState]string{daybook.LogOpen: "open", daybook.LogFrozen: "frozen", daybook.LogClosed: "closed"}

// organizations completes orgs with how their logs stand.
func (c *call) organizations(orgs []control.Org) ([]organization, error) {
	ids := make([]daybook.OrgID, 0, len(orgs))
	for _, org := range orgs {
		ids = append(ids, org.ID)
	}
	logs, err := c.s.Book.Info(c.r.Context(), ids...)
	if err != nil {
		return nil, err
	}
	shown := make([]organization, 0, len(orgs))
	for i, org := range orgs {
		shown = append(shown, organization{
			ID: org.ID, Name: org.Name, CreatedAt: newStamp(org.CreatedAt),
			Epoch: logs[i].Epoch, State: logStates[logs[i].State], Size: logs[i].Size,
		})
	}
	return shown, nil
}

func listOrgs(c *call) error {
	limit, err := c.whole(paramLimit)
	if err != nil {
		return err
	}
	after, err := readListCursor(c.param(paramCursor))
	if err != nil {
		return err
	}
	var orgs []control.Org
	if own := c.principal.Org; own != "" {
		org, err := c.s.Orgs.Get(c.r.Context(), own)
		if err == nil && string(own) > after {
			orgs = append(orgs, org)
		} else if daybook.CodeOf(err) == daybook.CodeInternal {
			return err
		}
		orgs = slices.DeleteFunc(orgs, func(o control.Org) bool { return !o.Named(c.param(paramName)) })
	} else if orgs, err = c.s.Orgs.Named(c.r.Context(), c.param(paramName), daybook.OrgID(after), int(limit)+1); err != nil {
		return err
	}
	list := organizationList{}
	if len(orgs) > int(limit) {
		orgs = orgs[:limit]
		list.NextCursor = listCursor(string(orgs[limit-1].ID))
	}
	if list.Organizations, err = c.organizations(orgs); err != nil {
		return err
	}
	c.send(http.StatusOK, jsonType, marshal(list))
	return nil
}

func getOrg(c *call) error {
	id := daybook.OrgID(c.r.PathValue("org"))
	if !id.Valid() || !c.principal.Reaches(id) {
		return errNotFound
	}
	org, err := c.s.Orgs.Get(c.r.Context(), id)
	if errors.Is(err, control.ErrNotFound) {
		return c.noOrg(id)
	}
	if err != nil {
		return err
	}
	c.org = id
	return c.sendOrg(http.StatusOK, org)
}

// listCursor says after which id the next page begins. It is a position, not a secret: it opens nothing.
func listCursor(id string) *string {
	return new("c_" + base64.RawURLEncoding.EncodeToString([]byte(id)))
}

func readListCursor(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	rest, ok := strings.CutPrefix(text, "c_")
	b, err := base64.RawURLEncoding.DecodeString(rest)
	if !ok || err != nil || len(b) == 0 {
		return "", invalid("cursor_invalid", paramCursor.name, "this cursor is not one of this list.")
	}
	return string(b), nil
}

// mayMake is who may make a key: the table is in auth.
func mayMake(p *auth.Principal, org daybook.OrgID, scopes auth.Scopes) error {
	if p.MayMakeKey(org, scopes) {
		return nil
	}
	if org != "" && !p.Reaches(org) {
		return errNotFound
	}
	return auth.Forbidden(p, auth.Operate)
}
