package main

import (
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/compat/togo"
	"github.com/daybook-audit/daybook/server/internal/compat/workos"
	"github.com/daybook-audit/daybook/server/internal/control"
)

// doors are the APIs of other products that the configuration opens, each over the same Book, keys and organizations.
func (m *Main) doors(orgs *control.Orgs, origin auth.Origin) []auth.Door {
	var doors []auth.Door
	if m.Config.WorkOSEnabled {
		doors = append(doors, m.workos(orgs, origin))
	}
	if m.Config.TogoEnabled {
		doors = append(doors, m.togo(orgs, origin))
	}
	return doors
}

func (m *Main) workos(orgs *control.Orgs, origin auth.Origin) auth.Door {
	c := m.Config
	return workos.New(workos.Deps{
		Book: m.book, Auth: m.auth, Orgs: orgs, Repeats: control.NewRepeats(m.store, m.Now), Exports: m.export, Origin: origin, Audit: m.audit,
		Settings: workos.Settings{
			RejectUnknownOrg: c.WorkOSUnknownOrg == "reject", RelaxedLimits: c.WorkOSLimits == "relaxed",
			ReuseRecords: c.WorkOSKeyReuse == "new", NoKeylessDedupe: !c.WorkOSKeylessDedupe, GuardCSV: c.WorkOSCSVGuard,
		},
	})
}

func (m *Main) togo(orgs *control.Orgs, origin auth.Origin) auth.Door {
	return togo.New(togo.Deps{Book: m.book, Auth: m.auth, Orgs: orgs, Audit: m.audit, TrustedProxies: origin.Proxies})
}
