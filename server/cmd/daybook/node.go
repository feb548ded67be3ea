package main

import (
	"context"
	"crypto/rand"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/config"
)

// node is this process among those that use a store.
type node struct {
	name   string // in logs and metrics
	holder string // in leases and exports: like no other process before it
}

// newNode names this process.
func newNode(c *config.Config) node {
	random := strings.ToLower(rand.Text())
	n := node{name: c.Node}
	if n.name == "" {
		host, err := os.Hostname()
		if err != nil || host == "" {
			host = "node"
		}
		n.name = host + "-" + random[:6]
	}
	n.holder = n.name + "/" + random
	return n
}

// identify names m, in its log too if others may use its store.
func (m *Main) identify() {
	m.node = newNode(m.Config)
	if m.Config.OnPostgres() || m.Config.Node != "" {
		m.Logger = m.Logger.With(slog.String("node", m.node.name))
	}
}

// lease is that of the store for this process; nil when no other process can use it.
func (m *Main) lease() func(ctx context.Context, name string, ttl time.Duration) error {
	f, ok := m.store.(daybook.Fleet)
	if !ok {
		return nil
	}
	return func(ctx context.Context, name string, ttl time.Duration) error {
		return f.Lease(ctx, name, m.node.holder, ttl)
	}
}

// comparable returns those of the settings that the nodes of a store have in common, all of them when it is this process's alone.
func (m *Main) comparable() map[string]string {
	settings := map[string]string{}
	for _, s := range m.Settings {
		if !s.PerNode || !m.Config.OnPostgres() {
			settings[s.Key] = s.Value
		}
	}
	return settings
}
