package main

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
)

// tellSupervisor says state to the service manager that started this process, if one did. It is no reason to stop when that fails.
func (e *env) tellSupervisor(ctx context.Context, log *slog.Logger, state string) {
	name := e.getenv("NOTIFY_SOCKET")
	if name == "" {
		return
	}
	if err := notify(name, state); err != nil {
		log.LogAttrs(ctx, slog.LevelWarn, "the service manager does not hear this process", slog.String("error", err.Error()))
	}
}

// notify sends one datagram to the socket of this name, as sd_notify(3) has it.
func notify(name, state string) error {
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"}) // a leading @ is the abstract name space
	if err != nil {
		return fmt.Errorf("tell the service manager %s: %w", state, err)
	}
	defer c.Close() //nolint:errcheck // the datagram is sent, or Write says so
	if _, err := c.Write([]byte(state)); err != nil {
		return fmt.Errorf("tell the service manager %s: %w", state, err)
	}
	return nil
}

// exposed reports whether others than the process with this user id may read a secret file of this mode. What belongs to root and may
// be read by a group alone was handed over by whoever runs the service: systemd gives its credentials so (the access control list of
// the service's user shows in the bits of the group), Kubernetes its secrets.
func exposed(mode fs.FileMode, ofRoot bool, uid int) bool {
	perm := mode.Perm()
	if ofRoot && uid != 0 && perm&0o037 == 0 {
		return false
	}
	return perm&0o077 != 0
}
