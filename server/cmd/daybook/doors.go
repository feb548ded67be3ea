package main

import (
	"github.com/daybook-audit/daybook/server/internal/api"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/compat/workos"
	"github.com/daybook-audit/daybook/server/internal/control"
)

// doors are the APIs of other products that the configuration opens, each over the same Book, keys and organizations.
func (m *Main) doors(d *api.Deps, origin auth.Origin) []auth.Door {
	var doors []auth.Door
	if m.Config.WorkOSEnabled {
		doors = append(doors, m.workos(d, origin))
	}
	return doors
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
