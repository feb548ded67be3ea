package control_test

import (
	"errors"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/storetest"
)

func TestViewers(t *testing.T) {
	t.Parallel()
	c, docs := newClock(), storetest.Memory()
	v := control.NewViewers(docs, c.now)
	grant := func(actor string) control.Grant {
		return control.Grant{Org: "org_a", Group: "g", Actor: actor, Action: "seen", Granted: c.now().UnixMicro()}
	}
	ada := grant("ada")
	if err := v.Keep(t.Context(), "t1", ada); err != nil {
		t.Fatal(err)
	}
	if err := v.Keep(t.Context(), "t1", ada); err == nil {
		t.Error("a token was kept twice")
	}
	if g, err := v.Find(t.Context(), "t1"); err != nil || g != ada {
		t.Errorf("%+v %v", g, err)
	}
	list, err := docs.List(t.Context(), "viewer_token", "", "", 10)
	if err != nil || len(list) != 1 || list[0].ID == "t1" {
		t.Errorf("the text of a token is kept: %v %v", list, err)
	}
	c.add(control.TokenLife)
	if _, err := v.Find(t.Context(), "t1"); !errors.Is(err, control.ErrNotFound) {
		t.Errorf("an old token: %v", err)
	}
	// The next one sweeps what is too old, and what cannot be read.
	if _, err := docs.Put(t.Context(), daybook.Document{Kind: "viewer_token", ID: "junk", Data: []byte(`[]`)}); err != nil {
		t.Fatal(err)
	}
	if err := v.Keep(t.Context(), "t2", grant("bob")); err != nil {
		t.Fatal(err)
	}
	if list, err := docs.List(t.Context(), "viewer_token", "", "", 10); err != nil || len(list) != 1 {
		t.Errorf("%d documents: %v", len(list), err)
	}
}

func TestViewersEnd(t *testing.T) {
	t.Parallel()
	c := newClock()
	v := control.NewViewers(storetest.Memory(), c.now)
	ended := func(org daybook.OrgID, group, actor string, at time.Time) bool {
		t.Helper()
		is, err := v.Ended(t.Context(), &control.Grant{Org: org, Group: group, Actor: actor, Granted: at.UnixMicro()})
		if err != nil {
			t.Fatal(err)
		}
		return is
	}
	for range 2 {
		c.add(time.Second)
		before := c.now()
		if err := v.End(t.Context(), "org_a", "g", "ada"); err != nil {
			t.Fatal(err)
		}
		c.add(time.Second)
		if !ended("org_a", "g", "ada", before) || ended("org_a", "g", "ada", c.now()) {
			t.Error("what was granted before ends, and nothing else")
		}
		if ended("org_b", "g", "ada", before) || ended("org_a", "", "ada", before) || ended("org_a", "g", "bob", before) {
			t.Error("somebody else's was ended")
		}
	}
}

func TestViewersFailingStore(t *testing.T) {
	t.Parallel()
	v := control.NewViewers(brokenDocuments{}, newClock().now)
	_, found := v.Find(t.Context(), "t")
	_, ended := v.Ended(t.Context(), &control.Grant{})
	_, key := control.ViewerKey(t.Context(), brokenDocuments{})
	for what, err := range map[string]error{"keep": v.Keep(t.Context(), "t", control.Grant{}), "find": found, "ended": ended, "end": v.End(t.Context(), "o", "", "a"), "key": key} {
		if !errors.Is(err, errDisk) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
