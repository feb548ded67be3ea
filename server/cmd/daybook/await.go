package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"github.com/daybook-audit/daybook/server/internal/config"
)

// A server waits so long for a database that does not answer yet, looking again after a moment that doubles.
const (
	awaitLeast = 250 * time.Millisecond
	awaitMost  = 5 * time.Second
	awaitInAll = 5 * time.Minute
)

// openAwaited opens the store. When machines start together the database may be the last to answer: that is waited for, and nothing
// else is, such as a wrong password. The end of ctx ends the wait.
func (m *Main) openAwaited(ctx context.Context) (store, error) {
	wait := awaitLeast
	for waited := time.Duration(0); ; waited += wait {
		s, err := openStore(ctx, m.Config.DB, storeOptions{logger: m.Logger, c: m.Config})
		if err == nil || !notYetThere(err) || waited >= awaitInAll {
			return s, err
		}
		m.Logger.LogAttrs(ctx, slog.LevelWarn, "the database does not answer yet", slog.String("db", config.MaskAddress(m.Config.DB)), slog.String("error", err.Error()),
			slog.Duration("again_in", wait))
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(wait):
		}
		wait = min(2*wait, awaitMost)
	}
}

// notYetThere reports whether err says that nothing listens where the database should be, or that it is starting.
func notYetThere(err error) bool {
	const cannotConnectNow = "57P03"
	var state interface{ SQLState() string }
	if errors.As(err, &state) && state.SQLState() == cannotConnectNow {
		return true
	}
	var op *net.OpError
	var name *net.DNSError
	return errors.As(err, &op) && op.Op == "dial" || errors.As(err, &name)
}
