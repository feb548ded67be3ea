package main

import (
	"bytes"
	"io/fs"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
)

// A service manager hears READY=1 and STOPPING=1, by a path or in the abstract name space; one that is gone is a warning.
func TestTellSupervisor(t *testing.T) {
	t.Parallel()
	for name, address := range map[string]string{"path": filepath.Join(t.TempDir(), "notify"), "abstract": "@daybook-" + filepath.Base(t.TempDir()) + "-" + filepath.Base(filepath.Dir(t.TempDir()))} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
			if err != nil {
				t.Fatal(err)
			}
			defer socket.Close() //nolint:errcheck // a test's own
			var log bytes.Buffer
			e := &env{getenv: func(name string) string { return map[string]string{"NOTIFY_SOCKET": address}[name] }}
			e.tellSupervisor(t.Context(), slog.New(slog.NewTextHandler(&log, nil)), "READY=1")
			got := make([]byte, 64)
			n, err := socket.Read(got)
			if err != nil || string(got[:n]) != "READY=1" || log.Len() > 0 {
				t.Errorf("heard %q, %v; logged %s", got[:n], err, &log)
			}
		})
	}
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	(&env{getenv: func(string) string { return "" }}).tellSupervisor(t.Context(), logger, "READY=1")
	if log.Len() > 0 {
		t.Errorf("without a service manager: %s", &log)
	}
	(&env{getenv: func(string) string { return "/nowhere/notify" }}).tellSupervisor(t.Context(), logger, "READY=1")
	if !strings.Contains(log.String(), "READY=1") {
		t.Errorf("a service manager that is gone: %q", &log)
	}
}

// A secret file that others may read is refused, unless root handed it to this process.
func TestExposed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		mode   fs.FileMode
		ofRoot bool
		uid    int
		want   bool
	}{
		{0o600, false, 1000, false},
		{0o400, false, 1000, false},
		{0o640, false, 1000, true},
		{0o604, false, 1000, true},
		{0o440, true, 1000, false},
		{0o640, true, 1000, false},
		{0o660, true, 1000, true},
		{0o444, true, 1000, true},
		{0o450, true, 1000, true},
		{0o440, true, 0, true},
		{0o600, true, 0, false},
	} {
		if got := exposed(tt.mode, tt.ofRoot, tt.uid); got != tt.want {
			t.Errorf("mode %04o, root's: %t, read by %d: %t", tt.mode, tt.ofRoot, tt.uid, got)
		}
	}
}
