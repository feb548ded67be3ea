//go:build linux

package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/daybook-audit/daybook/internal/pgtest"
	"github.com/daybook-audit/daybook/server/internal/config"
)

// logLines hands on each line that is logged.
type logLines chan string

func (l logLines) Write(b []byte) (int, error) {
	select {
	case l <- string(b):
	default:
	}
	return len(b), nil
}

// A server whose database answers later than it waits and then serves; one whose database refuses it does not wait, and a signal ends
// the wait.
func TestAwait(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgtest.Options{TCP: true})
	address := pgtest.Port(t)
	main := func(host string) (*Main, logLines) {
		c, _, err := config.Load(config.Sources{LookupEnv: func(string) (string, bool) { return "", false }, Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		log := make(logLines, 100)
		c.Listen, c.ExportDir = "127.0.0.1:0", filepath.Join(t.TempDir(), "exports")
		c.DB = "postgres://daybook@" + host + "/" + server.Database(t) + "?sslmode=disable"
		return &Main{Config: c, Logger: slog.New(slog.NewTextHandler(log, nil)), Now: time.Now}, log
	}
	m, log := main(address)
	started := make(chan error, 1)
	go func() { started <- m.Run(t.Context()) }()
	if line := <-log; !strings.Contains(line, "does not answer yet") || !strings.Contains(line, "refused") {
		t.Errorf("logged %s", line)
	}
	forward(t, address, server.TCP())
	if err := <-started; err != nil {
		t.Fatalf("the database answers now: %v", err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}

	m, _ = main(server.TCP())
	u, err := url.Parse(m.Config.DB)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/not_there"
	m.Config.DB = u.String()
	if err := m.Run(t.Context()); err == nil || notYetThere(err) {
		t.Errorf("a database that is not there: %v", err)
	}

	ended, cancel := context.WithCancelCause(t.Context())
	m, log = main("127.0.0.1:1")
	go func() { started <- m.Run(ended) }()
	<-log
	cancel(errTerminated)
	if err := <-started; !errors.Is(err, errTerminated) {
		t.Errorf("a signal while it waits: %v", err)
	}
}

// forward listens on address and passes every connection on to another.
func forward(t *testing.T, address, to string) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	t.Cleanup(func() {
		_ = l.Close()
		group.Wait()
	})
	group.Go(func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			group.Go(func() {
				defer from.Close() //nolint:errcheck // a test's own
				there, err := net.Dial("tcp", to)
				if err != nil {
					return
				}
				defer there.Close() //nolint:errcheck // a test's own
				group.Go(func() {
					_, _ = io.Copy(there, from)
					_ = there.Close()
				})
				_, _ = io.Copy(from, there)
			})
		}
	})
}
