package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"os"
	"slices"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/server/internal/selfaudit"
)

// newAuditor returns what records the acts and looks of this server, as its configuration says.
func (m *Main) newAuditor() *selfaudit.Auditor {
	return selfaudit.New(m.book, selfaudit.Options{
		Now: m.Now, Logger: m.Logger, Window: m.Config.AuditReadsWindow, Each: m.Config.AuditReads == "each", Blind: m.Config.AuditReads == "off",
	})
}

// program is the actor of what a command does by itself.
func program(command string) daybook.Actor {
	return daybook.Actor{Type: "system", ID: "daybook " + command}
}

var thisInstance = []daybook.Target{{Type: "instance", ID: "instance"}}

// started records that the server runs, and what has changed in its settings since it last did. A log that takes nothing does not
// keep the server from serving what it can: the events are in the log of the server then.
func (m *Main) started(ctx context.Context) error {
	settings := m.comparable()
	old, err := control.Settings(ctx, m.store, settings)
	if err != nil {
		return err
	}
	if len(old) > 0 {
		e := daybook.Event{Action: "daybook.config.changed", Actor: program("serve"), Targets: thisInstance}
		for _, name := range slices.Sorted(maps.Keys(old)) {
			e.Changes = append(e.Changes, daybook.Change{Path: "/" + name, Old: setting(old[name]), New: setting(settings[name])})
		}
		m.audit.After(ctx, control.Instance, e)
	}
	m.audit.After(ctx, control.Instance, m.lifeEvent("daybook.server.started", settings))
	for _, k := range m.made {
		org, e := keyMade(program("serve"), k)
		m.audit.After(ctx, org, e)
	}
	return nil
}

// setting is a value of the configuration as changes show it; what was not set is absent.
func setting(text string) daybook.Value {
	if text == "" {
		return daybook.Value{}
	}
	raw, err := json.Marshal(text)
	if err != nil { // what is text is JSON
		return daybook.Value{}
	}
	return daybook.JSON(raw)
}

// lifeEvent describes the server that starts or stops.
func (m *Main) lifeEvent(action string, settings map[string]string) daybook.Event {
	d := struct {
		Version string `json:"version"`
		Digest  string `json:"config_sha256,omitempty"` // of the settings as JSON, names sorted, secrets masked
		PID     int    `json:"pid"`
	}{Version: version(), PID: os.Getpid()}
	if text, err := json.Marshal(settings); err == nil && settings != nil {
		sum := sha256.Sum256(text)
		d.Digest = hex.EncodeToString(sum[:])
	}
	e := daybook.Event{Action: action, Actor: program("serve"), Targets: thisInstance}
	if text, err := json.Marshal(d); err == nil {
		e.Metadata = text
	}
	return e
}

// keyMade describes a key that a command has made in the store itself.
func keyMade(by daybook.Actor, k control.Key) (org daybook.OrgID, e daybook.Event) {
	d := struct {
		Org       *daybook.OrgID `json:"org"`
		Scopes    []string       `json:"scopes"`
		Labels    []string       `json:"labels,omitempty"`
		ExpiresAt *string        `json:"expires_at"`
	}{Scopes: k.Scopes, Labels: k.Labels}
	org = control.Instance
	if k.Org != "" {
		org, d.Org = k.Org, &k.Org
	}
	if !k.ExpiresAt.IsZero() {
		d.ExpiresAt = new(string(daybook.AppendTime(nil, k.ExpiresAt.UnixMicro())))
	}
	e = daybook.Event{Action: "daybook.key.created", Actor: by, Targets: []daybook.Target{{Type: "api_key", ID: k.ID, Name: k.Name}}}
	if text, err := json.Marshal(d); err == nil {
		e.Metadata = text
	}
	return org, e
}

// orgMade tells the log of the instance of an organization that a key for all organizations has made by recording in it.
func (m *Main) orgMade(_ context.Context, org daybook.OrgID) {
	m.audit.Later(control.Instance, removalEvent("daybook.org.created", program("serve"), daybook.Target{Type: "org", ID: string(org)}, map[string]any{"implicit": true}))
}
