package api

import (
	"context"
	"net/http"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/control"
)

// Key is a key as the API shows it. It is exported because the schema generator leaves out unexported embedded structs.
type Key struct {
	ID         string         `json:"id" example:"key_01m7w2y7m0fhra2avt0s3fj8ks"`
	Name       string         `json:"name" example:"ci"`
	Org        *daybook.OrgID `json:"org" doc:"null: all organizations." example:"org_acme"`
	Scopes     []string       `json:"scopes" nullable:"false" example:"[\"record\"]"`
	Labels     []string       `json:"labels,omitempty" doc:"Words that a door may ask for beside the scopes. Absent: none." example:"[\"Admin\"]"`
	CreatedAt  stamp          `json:"created_at" format:"date-time"`
	ExpiresAt  *stamp         `json:"expires_at" format:"date-time"`
	LastUsedAt *stamp         `json:"last_used_at" format:"date-time" doc:"To the minute."`
	RevokedAt  *stamp         `json:"revoked_at" format:"date-time"`
}

type createdKey struct {
	Key
	Secret string `json:"key" doc:"The key itself. It is shown this once and kept nowhere." example:"dbk_…"`
}

type keyList struct {
	Keys       []Key   `json:"keys" nullable:"false"`
	NextCursor *string `json:"next_cursor" doc:"For the next page; null at the end."`
}

type identity struct {
	Key
	Version  string        `json:"version" doc:"The version of the server." example:"0.1.0"`
	Session  *shownSession `json:"session,omitempty" doc:"Of somebody signed in. Absent: the key itself was shown."`
	Instance instanceFacts `json:"instance" doc:"What this server can do."`
	Offline  *Offline      `json:"offline,omitempty" doc:"Only of daybook ui --bundle: the file that is shown, and nothing else."`
}

// shownSession is a session as its owner sees it.
type shownSession struct {
	ID        string `json:"id" example:"ses_01m7w2y7m0fhra2avt0s3fj8ks"`
	CreatedAt stamp  `json:"created_at" format:"date-time"`
	ExpiresAt stamp  `json:"expires_at" format:"date-time" doc:"When it ends unless it is used before."`
	EndsAt    stamp  `json:"ends_at" format:"date-time" doc:"When it ends however much it is used."`
}

// instanceFacts is what the server can do, for those who draw its console.
type instanceFacts struct {
	URL      string `json:"url" doc:"Under which clients reach it."`
	Signing  bool   `json:"signing" doc:"Checkpoints are signed: there are proofs."`
	Recorded bool   `json:"self_audit" doc:"What is done through the server is recorded."`
	Sessions bool   `json:"sessions" doc:"People can sign in."`
	Backup   bool   `json:"backup" doc:"A backup can be had from GET /v1/backup."`
}

type newKey struct {
	Name      string         `json:"name,omitempty" maxLength:"512" example:"ci"`
	Org       *daybook.OrgID `json:"org" doc:"null: all organizations." example:"org_acme"`
	Scopes    []string       `json:"scopes" nullable:"false" minItems:"1" example:"[\"record\"]"`
	Labels    []string       `json:"labels,omitempty" maxItems:"32" doc:"Words of 1 to 128 bytes, without commas and spaces, that a door may ask for beside the scopes." example:"[\"Admin\"]"`
	ExpiresAt *time.Time     `json:"expires_at,omitempty" doc:"null: never."`
}

func showKey(k control.Key) Key {
	shown := Key{
		ID: k.ID, Name: k.Name, Scopes: k.Scopes, Labels: k.Labels, CreatedAt: newStamp(k.CreatedAt), ExpiresAt: maybeStamp(k.ExpiresAt),
		LastUsedAt: maybeStamp(k.LastUsedAt), RevokedAt: maybeStamp(k.RevokedAt),
	}
	if k.Org != "" {
		shown.Org = &k.Org
	}
	return shown
}

func createKey(c *call) error {
	var in newKey
	if err := c.decode(&in, "org"); err != nil {
		return err
	}
	scopes, err := auth.ParseScopes(in.Scopes)
	if err != nil {
		return err
	}
	want := control.NewKey{Name: in.Name, Scopes: scopes.Words(), Labels: in.Labels, Before: func(_ context.Context, k control.Key) error {
		return c.did(k.Org, c.keyAct("daybook.key.created", k)) //nolint:contextcheck // a call carries its request
	}}
	if in.ExpiresAt != nil {
		want.ExpiresAt = in.ExpiresAt.UTC()
	}
	if in.Org != nil {
		if want.Org = *in.Org; !want.Org.Valid() {
			return control.ErrOrgForm
		}
	}
	if err := mayMake(c.principal, want.Org, scopes); err != nil {
		return err
	}
	if want.Org != "" {
		if err := c.orgExists(want.Org); err != nil {
			return err
		}
	}
	key, secret, err := c.s.Keys.Create(c.r.Context(), want)
	if err != nil {
		return err
	}
	c.send(http.StatusCreated, jsonType, marshal(createdKey{showKey(key), secret}))
	return nil
}

// listKeys shows an operator every key, or with Daybook-Org those that reach the organization: its own and those for all. A manager
// sees those of the own one.
func listKeys(c *call) error {
	limit, err := c.whole(paramLimit)
	if err != nil {
		return err
	}
	after, err := readListCursor(c.param(paramCursor))
	if err != nil {
		return err
	}
	org, err := c.namedOrg()
	if err != nil {
		return err
	}
	if org == "" && !c.principal.Scopes.Has(auth.Operate) {
		return invalid("org_required", "Daybook-Org", "this key is for all organizations: name one in the header Daybook-Org.")
	}
	if org != "" {
		if err := c.orgExists(org); err != nil {
			return err
		}
	}
	keys, err := c.s.Keys.All(c.r.Context(), func(k *control.Key) bool {
		return k.ID > after && (org == "" || k.Org == "" || k.Org == org) && c.principal.MaySeeKey(k.Org)
	})
	if err != nil {
		return err
	}
	list := keyList{Keys: []Key{}}
	if len(keys) > int(limit) {
		keys = keys[:limit]
		list.NextCursor = listCursor(keys[limit-1].ID)
	}
	for _, k := range keys {
		list.Keys = append(list.Keys, showKey(k))
	}
	c.send(http.StatusOK, jsonType, marshal(list))
	return nil
}

func revokeKey(c *call) error {
	already := false
	key, err := c.s.Keys.Revoke(c.r.Context(), c.r.PathValue("id"), func(k *control.Key) bool {
		already = !k.RevokedAt.IsZero()
		return c.principal.MaySeeKey(k.Org)
	})
	if err != nil {
		return err
	}
	c.s.Auth.Forget(key)
	if !already {
		c.after(key.Org, c.keyAct("daybook.key.revoked", key)) // a key must end also when the log takes nothing
	}
	c.WriteHeader(http.StatusNoContent)
	return nil
}

func whoami(c *call) error {
	keys, err := c.s.Book.InstanceVkeys(c.r.Context())
	if err != nil {
		return err
	}
	shown := identity{Key: showKey(c.principal.Key), Version: c.s.Version, Offline: c.s.Offline, Instance: instanceFacts{
		URL: c.s.Origin.URL(c.r), Signing: keys.Clock != "", Recorded: c.s.Audit != nil, Sessions: c.s.Sessions != nil, Backup: c.s.Backup != nil,
	}}
	if s := c.principal.Session; s != nil {
		shown.Session = &shownSession{s.ID, newStamp(s.CreatedAt), newStamp(s.ExpiresAt()), newStamp(s.CreatedAt.Add(control.SessionFor))}
	}
	c.send(http.StatusOK, jsonType, marshal(shown))
	return nil
}
