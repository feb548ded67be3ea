package main

import (
	"context"
	"fmt"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/api"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/compat/retraced"
	"github.com/daybook-audit/daybook/server/internal/compat/togo"
	"github.com/daybook-audit/daybook/server/internal/compat/workos"
	"github.com/daybook-audit/daybook/server/internal/control"
)

// doors are the APIs of other products that the configuration opens, each over the same Book, keys and organizations.
func (m *Main) doors(ctx context.Context, d *api.Deps, origin auth.Origin) ([]auth.Door, error) {
	var doors []auth.Door
	if m.Config.WorkOSEnabled {
		doors = append(doors, m.workos(d, origin))
	}
	if m.Config.TavivoEnabled {
		door, err := m.tavivo(ctx, d.Orgs, origin)
		if err != nil {
			return nil, err
		}
		doors = append(doors, door)
	}
	if m.Config.RetracedEnabled {
		door, err := m.retraced(ctx, d, origin)
		if err != nil {
			return nil, err
		}
		doors = append(doors, door)
	}
	if m.Config.TogoEnabled {
		doors = append(doors, m.togo(origin))
	}
	if m.Config.RestHapiEnabled {
		door, err := m.restHapi(d, origin)
		if err != nil {
			return nil, err
		}
		doors = append(doors, door)
	}
	return doors, nil
}

func (m *Main) workos(d *api.Deps, origin auth.Origin) auth.Door {
	c := m.Config
	return workos.New(workos.Deps{
		Book: m.book, Auth: m.auth, Orgs: d.Orgs, Repeats: control.NewRepeats(m.store, m.Now), Exports: m.export, Origin: origin, Audit: m.audit,
		Schemas: d.Schemas, Retentions: d.Retentions, Portal: control.NewPortal(m.store, d.Keys, m.Now),
		Settings: workos.Settings{
			RejectUnknownOrg: c.WorkOSUnknownOrg == "reject", RelaxedLimits: c.WorkOSLimits == "relaxed",
			ReuseRecords: c.WorkOSKeyReuse == "new", NoKeylessDedupe: !c.WorkOSKeylessDedupe, GuardCSV: c.WorkOSCSVGuard,
			OwnRetention: c.WorkOSRetention == "workos",
		},
	})
}

func (m *Main) retraced(ctx context.Context, d *api.Deps, origin auth.Origin) (auth.Door, error) {
	c := m.Config
	cursorKey, err := control.CursorKey(ctx, m.store)
	if err != nil {
		return nil, fmt.Errorf("read the cursor key: %w", err)
	}
	secret, err := control.ViewerKey(ctx, m.store)
	if err != nil {
		return nil, fmt.Errorf("read the key of viewer sessions: %w", err)
	}
	viewers, err := m.auth.NewViewers(control.NewViewers(m.store, m.Now), secret, c.RetracedSessionTTL)
	if err != nil {
		return nil, err
	}
	return retraced.New(retraced.Deps{
		Book: m.book, Auth: m.auth, Viewers: viewers, Orgs: d.Orgs, CursorKey: cursorKey, Origin: origin, Audit: m.audit,
		Settings: retraced.Settings{Org: daybook.OrgID(c.RetracedOrg), BulkMax: c.RetracedBulkMax},
	}), nil
}

func (m *Main) togo(origin auth.Origin) auth.Door {
	return togo.New(togo.Deps{Book: m.book, Auth: m.auth, Audit: m.audit, TrustedProxies: origin.Proxies})
}
