package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/crm"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/storetest"
)

func registry(t *testing.T, text string) *crm.Registry {
	t.Helper()
	r := &crm.Registry{}
	if err := json.Unmarshal([]byte(text), r); err != nil {
		t.Fatal(err)
	}
	return r
}

// brokenDocs fails every read.
type brokenDocs struct{ daybook.Documents }

var errBrokenDocs = errors.New("disk on fire")

func (brokenDocs) Get(context.Context, string, daybook.OrgID, string) (daybook.Document, error) {
	return daybook.Document{}, errBrokenDocs
}

// The copy of a numbering only grows.
func TestNumberings(t *testing.T) {
	t.Parallel()
	store := storetest.Memory()
	n := control.NewNumberings(store)
	if r, err := n.Known(t.Context(), "org_acme"); r != nil || err != nil {
		t.Fatalf("%v, %v", r, err)
	}
	short := registry(t, `{"actions":{"values":[{"value":1,"name":"a"}],"next":1},"entity_types":{"values":[],"next":0}}`)
	long := registry(t, `{"actions":{"values":[{"value":1,"name":"a"},{"value":2,"name":"b"}],"next":2,"holes":true},"entity_types":{"values":[{"value":0,"name":"E"}],"next":1}}`)
	for _, r := range []*crm.Registry{short, long, short, long} {
		if err := n.Keep(t.Context(), "org_acme", r); err != nil {
			t.Fatal(err)
		}
	}
	r, err := n.Known(t.Context(), "org_acme")
	if err != nil || r.Length() != 3 || !r.Actions.Free() || r.EntityTypes.Free() || r.Actions.Next() != 3 || r.EntityTypes.Next() != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := n.Known(t.Context(), "org_globex"); r != nil || err != nil {
		t.Errorf("of another: %v, %v", r, err)
	}
	// It goes with the organization.
	if err := store.DeleteOrg(t.Context(), "org_acme"); err != nil {
		t.Fatal(err)
	}
	if r, err := n.Known(t.Context(), "org_acme"); r != nil || err != nil {
		t.Errorf("of an organization that is gone: %v, %v", r, err)
	}
	broken := control.NewNumberings(brokenDocs{store})
	if _, err := broken.Known(t.Context(), "org_acme"); !errors.Is(err, errBrokenDocs) {
		t.Errorf("%v", err)
	}
	if err := broken.Keep(t.Context(), "org_acme", long); !errors.Is(err, errBrokenDocs) {
		t.Errorf("%v", err)
	}
}
