package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/config"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/server/internal/madeup"
)

func newDev(e *env) *cobra.Command {
	var data string
	var empty bool
	cmd := &cobra.Command{
		Use: "dev", Short: "A server with sample data, and a key to try it with",
		Long: `Keeps everything in one folder: daybook.db; dev.key, a key for all organizations with every scope; master.key and highwater.db, with
which checkpoints are signed. The sample goes only into a new store: three organizations, thirty days. To begin anew, remove the folder.`,
		Example: `  $ daybook dev
  $ daybook dev --listen 127.0.0.1:9000 --data /tmp/try
  $ daybook dev --empty`,
		Annotations: map[string]string{exitsNote: "1 the folder or the address cannot be used · 2 a setting is wrong · 130, 143 stopped"},
		Args:        exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, settings, err := config.Load(e.sources(cmd))
			if err != nil {
				return usage("%v", err)
			}
			for _, s := range settings {
				switch {
				case s.Source != "default":
				case s.Key == "log_level":
					c.LogLevel = "warn"
				case s.Key == "log_format":
					c.LogFormat = "text"
				}
			}
			return e.dev(cmd.Context(), &Main{Config: c, Settings: settings, Logger: e.logger(c), Now: e.now, Origin: "localhost"}, data, empty)
		},
	}
	cmd.Flags().String("listen", "", "address to listen on (default 127.0.0.1:8080)")
	cmd.Flags().StringVar(&data, "data", ".daybook", "folder of the store and the key")
	cmd.Flags().BoolVar(&empty, "empty", false, "without the sample")
	return cmd
}

// dev serves out of the folder data.
func (e *env) dev(ctx context.Context, m *Main, data string, empty bool) error {
	c := m.Config
	m.Origin = "localhost"
	if err := os.MkdirAll(data, 0o700); err != nil {
		return cannot("use "+data, err)
	}
	c.DB = filepath.Join(data, "daybook.db")
	if !empty && !isThere(c.DB) {
		if err := e.makeSample(ctx, c.DB); err != nil {
			return cannot("make the sample", err)
		}
	}
	var key, code string
	var orgs []control.Org
	m.Prepare = func(ctx context.Context, docs daybook.Documents) (err error) {
		if key, err = e.devKey(ctx, m, docs, filepath.Join(data, "dev.key")); err != nil {
			return err
		}
		if code, err = e.invite(ctx, docs, key); err != nil {
			return err
		}
		orgs, err = control.NewOrgs(docs, e.now).List(ctx, "", 10)
		return err
	}
	return e.serve(ctx, m, func() error { return e.welcome(ctx, m, data, key, code, orgs) })
}

// invite returns a code that signs a browser in once with the key.
func (e *env) invite(ctx context.Context, docs daybook.Documents, key string) (string, error) {
	hash, _ := control.HashSecret(key)
	k, err := control.NewKeys(docs, e.now).Find(ctx, hash)
	if err != nil {
		return "", fmt.Errorf("find the key: %w", err)
	}
	return control.NewSessions(docs, e.now).Invite(ctx, k)
}

// makeSample makes the store db with the sample in it, wholly or not at all. It is filled in memory where the system has a folder
// for that, since what nobody was promised need not be synced commit by commit, and then copied into its place.
func (e *env) makeSample(ctx context.Context, db string) (err error) {
	start := e.now()
	dir, err := os.MkdirTemp("/dev/shm", "daybook-sample-*")
	if err != nil {
		if dir, err = os.MkdirTemp("", "daybook-sample-*"); err != nil {
			return err
		}
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s, err := openStore(ctx, filepath.Join(dir, "daybook.db"), storeOptions{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	n, err := recordSample(ctx, s, s, start)
	if err != nil {
		return err
	}
	b, ok := s.(daybook.Backuper)
	if !ok {
		return errors.New("this store cannot be copied")
	}
	if _, err := b.Backup(ctx, db); err != nil {
		return err
	}
	e.note("made %s of sample data in %s", count(n, "event", "events"), brief(e.now().Sub(start)))
	return nil
}

// devKey returns the key in path if it holds for everything, else makes one and writes it there.
func (e *env) devKey(ctx context.Context, m *Main, docs daybook.Documents, path string) (string, error) {
	keys := control.NewKeys(docs, e.now)
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the key: %w", err)
	}
	secret := strings.TrimSpace(string(text))
	if hash, ok := control.HashSecret(secret); ok {
		k, err := keys.Find(ctx, hash)
		if err == nil && k.Valid(e.now()) && k.Org == "" && slices.Equal(k.Scopes, auth.All.Words()) {
			return secret, os.Chmod(path, 0o600)
		}
		if err != nil && daybook.CodeOf(err) != daybook.CodeNotFound {
			return "", err
		}
	}
	made, secret, err := keys.Create(ctx, control.NewKey{Name: "dev", Scopes: auth.All.Words()})
	if err != nil {
		return "", fmt.Errorf("make a key: %w", err)
	}
	m.made = append(m.made, made)
	// A crash between the two leaves a key that nobody knows: harmless, the next start makes another.
	if err := os.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keep the key: %w", err)
	}
	return secret, os.Chmod(path, 0o600)
}

// welcome prints what a newcomer pastes.
func (e *env) welcome(ctx context.Context, m *Main, data, key, code string, orgs []control.Org) error {
	program := "daybook"
	if len(os.Args) > 0 && strings.ContainsRune(os.Args[0], filepath.Separator) {
		program = os.Args[0]
	}
	org := string(madeup.SampleOrgs()[0].ID)
	var total int64
	var names []string
	for _, o := range orgs {
		names = append(names, string(o.ID))
		info, err := m.book.Info(ctx, o.ID)
		if err != nil {
			return fmt.Errorf("look at %s: %w", o.ID, err)
		}
		total += info[0].Size
	}
	if len(orgs) > 0 && !strings.Contains(strings.Join(names, " "), org) {
		org = names[0]
	}
	holds := "no events yet"
	if total > 0 {
		holds = count(int(total), "event", "events") + " in " + strings.Join(names, ", ")
	}
	vars := "DAYBOOK_API_KEY=" + key + " DAYBOOK_ORG=" + org
	if m.URL != defaultServer {
		vars = "DAYBOOK_SERVER=" + m.URL + " " + vars
	}
	fmt.Fprintf(e.stdout, `Daybook is ready: %s

Open the console (this link signs a browser in, once, within an hour; later: sign in with the key):
  %s/signin?code=%s

  key    %s   (all organizations, every scope; also in %s)
  data   %s · %s

Record an event:
  curl -s %s/v1/events -H 'Authorization: Bearer %s' -H 'Daybook-Org: %s' -H 'Content-Type: application/json' -d '{"action":"invoice.paid","actor":{"type":"user","id":"usr_7","name":"Grace Hopper"},"targets":[{"type":"invoice","id":"42","name":"Invoice 42"}]}'

Follow the log (in another terminal), or look back:
  %s %s tail
  %s %s events 'outcome:denied,failure' --since 7d

API reference: %s/docs/api   Stop with Ctrl-C.
`, m.URL, m.URL, code, key, filepath.Join(data, "dev.key"), filepath.Join(data, "daybook.db"), holds, m.URL, key, org, vars, program, vars, program, m.URL)
	return nil
}
