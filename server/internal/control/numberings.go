package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/crm"
)

// kindNumbering is the numbering of an organization's actions and entity types: a copy of what its log says. It stands under the
// organization.
const kindNumbering = "crm_numbering"

// Numberings keeps copies of numberings beside the logs, so that a number is still known, and never given again, when retention has
// removed its event. The log is the truth: a copy only grows by what was read there. Safe for concurrent use.
type Numberings struct{ docs daybook.Documents }

// NewNumberings returns what is kept in docs.
func NewNumberings(docs daybook.Documents) *Numberings { return &Numberings{docs} }

// Known returns the copy of org; nil: there is none.
func (n *Numberings) Known(ctx context.Context, org daybook.OrgID) (*crm.Registry, error) {
	r, _, err := n.get(ctx, org)
	return r, err
}

func (n *Numberings) get(ctx context.Context, org daybook.OrgID) (*crm.Registry, int64, error) {
	d, err := n.docs.Get(ctx, kindNumbering, org, string(org))
	if errors.Is(err, daybook.ErrNotExist) {
		return nil, 0, nil
	}
	r := &crm.Registry{}
	if err == nil {
		err = json.Unmarshal(d.Data, r)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read the numbering of %s: %w", org, err)
	}
	return r, d.Version, nil
}

// Keep keeps a registry that was read from the log of org, unless a longer one is kept already. Durable on return. A crash before it leaves
// the shorter copy: the log has the rest.
func (n *Numberings) Keep(ctx context.Context, org daybook.OrgID, r *crm.Registry) error {
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write the numbering of %s: %w", org, err)
	}
	for {
		known, version, err := n.get(ctx, org)
		if err != nil {
			return err
		}
		if known != nil && known.Length() >= r.Length() {
			return nil
		}
		_, err = n.docs.Put(ctx, daybook.Document{Kind: kindNumbering, Org: org, ID: string(org), Version: version, Data: data})
		if errors.Is(err, daybook.ErrVersionMoved) {
			continue
		}
		if err != nil {
			return fmt.Errorf("write the numbering of %s: %w", org, err)
		}
		return nil
	}
}
