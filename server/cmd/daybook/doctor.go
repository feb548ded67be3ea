package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/config"
	"github.com/daybook-audit/daybook/server/internal/control"
)

const doctorFields = "state,check,found,hint"

// finding is one line of the doctor.
type finding struct {
	State string `json:"state"` // ok, warn, fail
	Check string `json:"check"`
	Found string `json:"found"`
	Hint  string `json:"hint"`
}

func newDoctor(e *env) *cobra.Command {
	var fixHints, ready bool
	cmd := &cobra.Command{
		Use: "doctor", Short: "Look at configuration, store, disk, keys, server and clock; one line each",
		Example: `  $ daybook doctor --fix-hints
  $ daybook doctor --ready
  $ daybook doctor -o json | jq '.[] | select(.state != "ok")'`,
		Annotations: map[string]string{fieldsNote: doctorFields, exitsNote: "0 nothing fails · 1 something does"},
		Args:        exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if ready {
				return e.askReady(cmd.Context())
			}
			found := e.examine(cmd)
			failed := false
			if fixHints {
				for _, f := range found {
					failed = failed || f.State == "fail"
					if f.State != "ok" && f.Hint != "" {
						if _, err := fmt.Fprintf(e.stdout, "# %s: %s\n%s\n", visible(f.Check), visible(f.Found), visible(f.Hint)); err != nil {
							return err
						}
					}
				}
			} else {
				p, err := e.printer(splitFields(doctorFields), heading{name: "STATE"}, heading{name: "CHECK"}, heading{name: "FOUND"})
				if err != nil {
					return err
				}
				tones := map[string]tone{"ok": green, "warn": amber, "fail": red}
				for _, f := range found {
					failed = failed || f.State == "fail"
					text := f.Found
					if f.Hint != "" && f.State != "ok" {
						text += "  → " + f.Hint
					}
					if err := p.addValue(f, cell{text: f.State, tone: tones[f.State]}, cell{text: f.Check}, cell{text: text}); err != nil {
						return err
					}
				}
				if err := p.end(); err != nil {
					return err
				}
			}
			if failed {
				return ended(exitFailed)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&fixHints, "fix-hints", false, "only what to type or set, as lines to copy")
	cmd.Flags().BoolVar(&ready, "ready", false, "only whether the server answers that it is ready, in three seconds: for health checks of containers")
	config.Bind(cmd.Flags())
	return cmd
}

// askReady fails when the server in force does not answer that it can serve. It opens no store and needs no key.
func (e *env) askReady(ctx context.Context) error {
	c, err := e.connect()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	if _, err := c.Ready(ctx); err != nil {
		return cannot("reach a server that is ready", err)
	}
	e.note("ready")
	return nil
}

// examine runs every check. None of them changes anything.
func (e *env) examine(cmd *cobra.Command) []finding {
	var out []finding
	c, settings, err := config.Load(e.sources(cmd))
	if err != nil {
		out = append(out, finding{"fail", "config", err.Error(), "daybook config check"})
	} else {
		set := 0
		for _, s := range settings {
			if s.Source != "default" {
				set++
			}
		}
		out = append(out, finding{"ok", "config", fmt.Sprintf("%d settings given, %d by default", set, len(settings)-set), ""})
		for _, text := range e.mistyped() {
			out = append(out, finding{"warn", "config", text, "daybook config lists them"})
		}
		out = append(out, e.examineStore(cmd.Context(), c)...)
		out = append(out, examineSigning(cmd.Context(), c))
		if listensWide(c.Listen) && c.TLSCert == "" && len(c.TrustedProxies) == 0 {
			out = append(out, finding{"warn", "network", "listens on " + c.Listen + " without TLS and without a trusted proxy: keys travel in the clear", "--tls-cert FILE --tls-key FILE, or --trusted-proxies NETWORK"})
		}
	}
	return append(out, e.examineServer(cmd.Context())...)
}

func listensWide(listen string) bool {
	return !strings.HasPrefix(listen, "127.") && !strings.HasPrefix(listen, "localhost") && !strings.HasPrefix(listen, "[::1]")
}

// examineStore looks at the store's file and the disk below it, or at the database.
func (e *env) examineStore(ctx context.Context, c *config.Config) []finding {
	db := c.DB
	if c.OnPostgres() {
		return e.examinePostgres(ctx, c)
	}
	if err := checkDriver(db); err != nil {
		return []finding{{"fail", "store", err.Error(), "--db FILE"}}
	}
	var out []finding
	info, err := os.Stat(db)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		out = append(out, finding{"ok", "store", db + " is not there yet: serve makes it", ""})
	case err != nil:
		out = append(out, finding{"fail", "store", err.Error(), "--db FILE"})
	default:
		out = append(out, e.examineFile(ctx, db, info))
		if info.Mode().Perm()&0o077 != 0 {
			out = append(out, finding{"warn", "store", fmt.Sprintf("others may read %s (mode %04o)", db, info.Mode().Perm()), "chmod 600 " + db})
		}
	}
	free, err := freeSpace(filepath.Dir(db))
	switch {
	case err != nil:
		out = append(out, finding{"warn", "disk", err.Error(), ""})
	case free < 1<<30:
		out = append(out, finding{"warn", "disk", bytesText(free) + " free: recording stops when the disk is full", "free space, or another --db"})
	default:
		out = append(out, finding{"ok", "disk", bytesText(free) + " free", ""})
	}
	return out
}

func (e *env) examineFile(ctx context.Context, db string, info fs.FileInfo) finding {
	s, err := openStore(ctx, db, storeOptions{readOnly: true})
	if err != nil {
		return finding{"fail", "store", err.Error(), "daybook fsck --db " + db}
	}
	tail, err := s.Tail(ctx, 0, 0, 1)
	bad := damagedTail(ctx, s)
	err = errors.Join(err, s.Close())
	switch {
	case len(bad) > 0:
		return bad[0]
	case err != nil && tail.Last == 0:
		return finding{"fail", "store", err.Error(), "daybook fsck --db " + db}
	}
	return finding{"ok", "store", fmt.Sprintf("sqlite, %s, %s commits", bytesText(info.Size()), thousands(int64(tail.Last))), ""}
}

// damagedTail finds what keeps a server from starting: commits that are not merged and cannot be read.
func damagedTail(ctx context.Context, s store) []finding {
	var out []finding
	report, _ := daybook.Fsck(ctx, s, daybook.FsckOptions{TailOnly: true}) // what cannot be read at all is said by the other checks
	for _, f := range report.Findings {
		out = append(out, finding{"fail", "store", f.Message + "; no server starts on it", "daybook fsck, which says whose entries are affected; then docs/operations/damaged.md"})
	}
	return out
}

// examineSigning says as whom the instance signs.
func examineSigning(ctx context.Context, c *config.Config) finding {
	off := finding{"warn", "signing", "checkpoints are not signed: nobody can prove from outside that the log was not changed", "--origin HOST (DAYBOOK_ORIGIN)"}
	origin := c.Origin
	if c.OnPostgres() || isThere(c.DB) {
		s, err := openStore(ctx, c.DB, storeOptions{readOnly: true, c: c})
		if err != nil {
			return finding{"warn", "signing", "the store cannot be read", ""}
		}
		known, signed, err := control.ReadSigning(ctx, s)
		if err = errors.Join(err, s.Close()); err != nil {
			return finding{"fail", "signing", err.Error(), "daybook fsck --db " + config.MaskAddress(c.DB)}
		}
		if signed {
			origin = known.Origin
		}
		if signed {
			m, err := findMarks(ctx, c)
			if err != nil {
				return finding{"fail", "signing", err.Error(), "--highwater"}
			}
			if m == nil {
				return finding{"fail", "signing", "there is no high-water store at " + marksShown(c), "daybook recover"}
			}
			if err := m.Close(); err != nil {
				return finding{"fail", "signing", err.Error(), "--highwater"}
			}
		}
	}
	if origin == "" {
		return off
	}
	return finding{"ok", "signing", "checkpoints are signed as " + origin, ""}
}

// examineServer asks the server in force, if there is one.
func (e *env) examineServer(ctx context.Context) []finding {
	var out []finding
	t, err := e.target()
	if err != nil {
		return append(out, finding{"fail", "context", err.Error(), "daybook context ls"})
	}
	c, err := e.connect()
	if err != nil {
		return append(out, finding{"fail", "server", err.Error(), "--server URL"})
	}
	before := e.now()
	at, err := c.Ready(ctx)
	if err != nil {
		why, _, _ := e.reason(err)
		state := "warn" // one may look before the first start
		if t.server.from != "default" {
			state = "fail"
		}
		return append(out, finding{state, "server", why, "daybook serve, or --server URL"})
	}
	out = append(out, finding{"ok", "server", t.server.value + " is ready", ""})
	if !at.IsZero() {
		off := at.Sub(before)
		if off < -2*time.Second || off > 2*time.Second {
			out = append(out, finding{"warn", "clock", fmt.Sprintf("this machine and the server are %s apart", brief(max(off, -off))), "synchronise the clocks (NTP)"})
		} else {
			out = append(out, finding{"ok", "clock", "this machine and the server agree within 2 s", ""})
		}
	}
	if t.key.value == "" {
		return append(out, finding{"warn", "key", "none is set", "set DAYBOOK_API_KEY, or daybook context add"})
	}
	w, err := c.Whoami(ctx)
	if err != nil {
		why, _, try := e.reason(err)
		return append(out, finding{"fail", "key", why, try})
	}
	f := finding{"ok", "key", fmt.Sprintf("%s may %s", w.ID, strings.Join(w.Scopes, ", ")), ""}
	if w.ExpiresAt != nil && w.ExpiresAt.Before(e.now().Add(14*24*time.Hour)) {
		f.State, f.Hint = "warn", "daybook key create"
		f.Found += "; it expires " + w.ExpiresAt.UTC().Format(time.RFC3339)
	}
	return append(out, f)
}
