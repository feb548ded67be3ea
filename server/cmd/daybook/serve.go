package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/api"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/compat/workos"
	"github.com/daybook-audit/daybook/server/internal/config"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/server/internal/export"
	"github.com/daybook-audit/daybook/server/internal/selfaudit"
	"github.com/daybook-audit/daybook/server/internal/ui"
)

// Main is a whole server: store, Book, doors and HTTP. Fill the first fields, then Run, then Close.
type Main struct {
	Config *config.Config
	Logger *slog.Logger
	Now    func() time.Time
	// Prepare, if set, may use the store before anybody else does: dev puts its key there.
	Prepare func(ctx context.Context, docs daybook.Documents) error
	// Origin is what is signed as when neither the configuration nor the store says; empty: nothing is.
	Origin string

	// Settings are those of Config as they are shown, for the log of the instance.
	Settings []config.Setting

	// FollowTail says that the limit of the process's memory is the server's to move.
	FollowTail bool

	URL string // where it listens; set by Run

	node        node
	store       store
	sign        *signing
	book        *daybook.Book
	auth        *auth.Authenticator
	export      *export.Runner
	audit       *selfaudit.Auditor
	made        []control.Key // before the Book was open
	keep        keeping
	http        *http.Server
	connections atomic.Int64 // open
	failed      chan error
}

// Run opens the store and serves. It returns as soon as requests are answered; Wait waits for what follows.
func (m *Main) Run(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, m.Close())
		}
	}()
	c := m.Config
	m.identify()
	m.failed = make(chan error, 1)
	if m.store, err = m.openAwaited(ctx); err != nil {
		return err
	}
	if m.Prepare != nil {
		if err := m.Prepare(ctx, m.store); err != nil {
			return err
		}
	}
	handler, err := m.handler(ctx)
	if err != nil {
		return err
	}
	if err := m.started(ctx); err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	m.http = handler.HTTPServer()
	m.http.ConnState = m.countConnection
	m.URL = "http://" + listener.Addr().String()
	serve := m.http.Serve
	if c.TLSCert != "" {
		m.URL = "https://" + listener.Addr().String()
		m.http.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		serve = func(l net.Listener) error { return m.http.ServeTLS(l, c.TLSCert, c.TLSKey) }
	}
	go func() { m.fail(serve(listener)) }()
	m.Logger.LogAttrs(ctx, slog.LevelInfo, "listening", slog.String("url", m.URL), slog.String("db", config.MaskAddress(c.DB)), slog.String("version", version()))
	return nil
}

// handler builds everything between the store and the wire.
func (m *Main) handler(ctx context.Context) (*api.Server, error) {
	c := m.Config
	cursorKey, err := control.CursorKey(ctx, m.store)
	if err != nil {
		return nil, fmt.Errorf("read the cursor key: %w", err)
	}
	proxies, err := c.Proxies()
	if err != nil {
		return nil, err
	}
	keys, orgs := control.NewKeys(m.store, m.Now), control.NewOrgs(m.store, m.Now)
	if err := m.firstKey(ctx, keys); err != nil {
		return nil, err
	}
	d := api.Deps{
		Docs: m.store, Orgs: orgs, Keys: keys, Logger: m.Logger, Now: m.Now, TrustedProxies: proxies, Version: version(),
		Limits: api.Limits{Body: int64(c.LimitBody), Decompressed: int64(c.LimitDecompressed), Events: c.LimitEvents, Event: int(c.LimitEvent), Bodies: 2 * int64(c.QueueBytes)},
	}
	if _, ok := m.store.(daybook.Backuper); ok {
		d.Backup = m.backup
	} else {
		d.BackupHint = "this store is backed up with its own tools: " + backupPostgres
	}
	o := daybook.Options{
		Now: m.Now, Logger: m.Logger, CursorKey: cursorKey, MaxQueueBytes: int64(c.QueueBytes), TailBytes: int64(c.TailBytes),
		CommitTimeout: c.CommitTimeout, IdempotencyWindow: c.IdempotencyWindow, LeaseTime: c.LeaseTime,
	}
	if m.sign, err = openSigning(ctx, c, m.store, signingOptions{fallback: m.Origin, logger: m.Logger}); err != nil {
		return nil, err
	}
	if m.sign == nil {
		m.Logger.LogAttrs(ctx, slog.LevelWarn, "checkpoints are not signed: nobody can prove from outside that this log was not changed",
			slog.String("try", "--origin HOST (DAYBOOK_ORIGIN), the name of this instance in every checkpoint, for ever"))
	}
	m.sign.options(&o)
	m.keep.prepare(m, orgs)
	o.Erased, o.Dropped = m.keep.erased, m.keep.dropped
	o.SignEvery = c.AnchorInterval
	if m.sign != nil {
		o.Anchors = m.store
		if o.Witnesses, err = witnesses(c); err != nil {
			return nil, err
		}
	}
	if d.Console, err = ui.New(); err != nil {
		return nil, err
	}
	if c.Metrics {
		d.Metrics = api.NewMetrics()
		d.Metrics.Node(m.node.name, version())
		o.Metrics = d.Metrics.Book()
	}
	schemas, err := m.schemas(ctx)
	if err != nil {
		return nil, err
	}
	o.Schemas, d.Schemas = schemas, schemas
	frozen := &freezes{}
	if o.Metrics == nil {
		o.Metrics = &daybook.Metrics{}
	}
	o.Metrics.Freeze, o.Metrics.Retire = frozen.found, frozen.retired
	if m.book, err = daybook.Open(ctx, m.store, o); err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	m.auth = auth.New(keys, auth.Options{Now: m.Now, RateLimit: c.RateLimit, News: m.news()})
	m.audit = m.newAuditor()
	frozen.tell(m.audit)
	orgs.Made = m.orgMade
	for _, r := range m.book.Reapplied() {
		m.audit.Later(control.Instance, reappliedEvent(program("serve"), &r))
	}
	d.Book, d.Auth, d.Audit = m.book, m.auth, m.audit
	if d.Metrics != nil {
		d.Metrics.Watch(m.book.Stats)
		d.Metrics.WatchAudit(m.audit.Stats)
		d.Metrics.WatchErasures(m.keep.late.Count)
		d.Metrics.WatchTurn(m.keep.turn.Load)
	}
	origin := auth.Origin{Public: c.PublicURL, Proxies: proxies}
	if d.Sessions, err = m.auth.NewSessions(control.NewSessions(m.store, m.Now), origin); err != nil {
		return nil, fmt.Errorf("public_url: %w", err)
	}
	if err := m.openExports(ctx); err != nil {
		return nil, err
	}
	d.Exports, d.Origin = m.export, origin
	if info, err := os.Stat(c.DB); err == nil && info.Mode().IsRegular() {
		d.Storage = m.storageBytes
	}
	d.Failures = control.NewFailures(m.store, m.Now)
	d.Views, d.ViewerSettings = control.NewViews(m.store, m.Now), control.NewViewings(m.store, m.Now)
	viewerKey, err := control.ViewerTokenKey(ctx, m.store)
	if err == nil {
		d.Viewings, err = m.auth.NewViewings(d.ViewerSettings, viewerKey)
	}
	if err != nil {
		return nil, fmt.Errorf("read the key of viewer tokens: %w", err)
	}
	d.Console.Origins = d.Viewings.Origins
	d.Retentions, d.Erasures, d.BackupsKept = control.NewRetentions(m.store, m.Now), control.NewErasures(m.store, m.Now), c.BackupKeep
	ttl, err := m.restHapiTTL(orgs)
	if err != nil {
		return nil, err
	}
	m.keep.start(m, d.Retentions, ttl)
	if err := m.keep.resume(ctx, m); err != nil {
		return nil, err
	}
	d.Eraser = m.keep.eraser
	if d.Doors, err = m.doors(ctx, &d, origin); err != nil {
		return nil, err
	}
	return api.New(d)
}

// news is what this node hears of the others; nil when there are none.
func (m *Main) news() *control.News {
	if !m.Config.OnPostgres() {
		return nil
	}
	return control.NewNews(m.store, m.Now, m.keep.eraser.Sync, func(ctx context.Context) error { return m.auth.ForgetAll(ctx) })
}

// schemas reads the schemas, with the rules of the configuration.
func (m *Main) schemas(ctx context.Context) (*control.Schemas, error) {
	c := m.Config
	return control.OpenSchemas(ctx, m.store, control.SchemaOptions{Now: m.Now, Rules: map[string]control.SchemaRules{
		"":          {Mode: c.SchemaMode, Exact: c.SchemaTargets == "exact", First: c.SchemaVersion == "first"},
		workos.Name: {Mode: c.WorkOSSchemaMode, Exact: c.WorkOSSchemaTargets == "exact", First: c.WorkOSSchemaVersion == "workos"},
	}})
}

// openExports starts what writes exports, with those that the last process left.
func (m *Main) openExports(ctx context.Context) error {
	key, err := control.ExportKey(ctx, m.store)
	if err != nil {
		return fmt.Errorf("read the key of export links: %w", err)
	}
	m.export, err = export.Open(ctx, m.book, control.NewExports(m.store, m.Now), key, export.Options{
		Dir: exportDir(m.Config), Now: m.Now, Logger: m.Logger, Workers: m.Config.ExportWorkers, Keep: m.Config.ExportKeep,
		Lease: m.lease(), LeaseTime: m.Config.LeaseTime, Node: m.node.holder,
	})
	if err != nil {
		return fmt.Errorf("open the exports: %w", err)
	}
	return nil
}

// exportDir is the folder of the files of exports.
func exportDir(c *config.Config) string {
	switch {
	case c.ExportDir != "":
		return c.ExportDir
	case c.OnPostgres():
		return filepath.Join(c.Folder(), "daybook-exports")
	}
	return c.DB + "-exports"
}

// firstKey stores the key of the configuration if there is none yet, and says so if there is none even then.
func (m *Main) firstKey(ctx context.Context, keys *control.Keys) error {
	if m.Config.BootstrapKey != "" {
		made, err := keys.Bootstrap(ctx, m.Config.BootstrapKey, auth.All.Words())
		if hash, ok := control.HashSecret(m.Config.BootstrapKey); ok && made {
			var k control.Key
			k, err = keys.Find(ctx, hash)
			m.made = append(m.made, k)
		}
		return err
	}
	none, err := keys.None(ctx)
	if none {
		m.Logger.LogAttrs(ctx, slog.LevelWarn, "there is no API key yet: nobody can use this server",
			slog.String("try", fmt.Sprintf("stop it, then: daybook key create --db %s --all-orgs --scopes %s; or start it with DAYBOOK_BOOTSTRAP_KEY", config.MaskAddress(m.Config.DB), auth.All)))
	}
	return err
}

// storageBytes is the size of a store in a file, with what is on its way into it.
func (m *Main) storageBytes() (int64, error) {
	sum := int64(0)
	for _, path := range []string{m.Config.DB, m.Config.DB + "-wal"} {
		info, err := os.Stat(path)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return 0, fmt.Errorf("measure the store: %w", err)
		}
		if err == nil {
			sum += info.Size()
		}
	}
	return sum, nil
}

// backup copies the store beside itself and streams the copy.
func (m *Main) backup(ctx context.Context, w io.Writer) error {
	b, ok := m.store.(daybook.Backuper)
	if !ok {
		return errors.New("this store has no backup of its own")
	}
	dir, err := os.MkdirTemp(filepath.Dir(m.Config.DB), ".backup-*")
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a copy that stays costs space and nothing else
	path := filepath.Join(dir, "daybook.db")
	if _, err := b.Backup(ctx, path); err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	defer f.Close() //nolint:errcheck // opened for reading
	_, err = io.Copy(w, f)
	return err
}

// fail has Wait return err, if nothing else has failed before.
func (m *Main) fail(err error) {
	select {
	case m.failed <- err:
	default:
	}
}

// Wait returns when ctx ends (nil), or when serving cannot go on.
func (m *Main) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-m.book.Broken():
		return errors.New("the store failed to sync; what was acknowledged is safe, nothing more is accepted: start again")
	case err := <-m.failed:
		return fmt.Errorf("serve: %w", err)
	}
}

// Close stops listening, answers what is running, commits what waits and closes the store. It takes at most the shutdown timeout
// of the configuration, and what the last commit needs. What the server has to record of itself has what is left of that time, and five
// seconds when nothing is.
func (m *Main) Close() error {
	var errs []error
	end := time.Now().Add(m.Config.ShutdownTimeout)
	if m.http != nil {
		ctx, cancel := context.WithDeadline(context.Background(), end)
		defer cancel()
		if err := m.http.Shutdown(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stop listening: %w", err), m.http.Close())
		}
		m.http = nil
	}
	m.keep.close()
	if m.export != nil {
		errs = append(errs, m.export.Close())
		m.export = nil
	}
	if m.auth != nil {
		m.auth.Close()
		m.auth = nil
	}
	if m.audit != nil {
		ctx, cancel := context.WithTimeout(context.Background(), max(5*time.Second, time.Until(end)))
		defer cancel()
		m.audit.After(ctx, control.Instance, m.lifeEvent("daybook.server.stopped", nil))
		m.audit.Close(ctx)
		m.audit = nil
	}
	if m.book != nil {
		errs = append(errs, m.book.Close())
		m.book = nil
	}
	errs = append(errs, m.sign.Close())
	m.sign = nil
	if m.store != nil {
		errs = append(errs, m.store.Close())
		m.store = nil
	}
	return errors.Join(errs...)
}

func newServe(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "serve", Short: "The server: API and doors",
		Long: `Every setting is a flag, a variable (DAYBOOK_LISTEN for --listen) and a line of the configuration file (listen:).
The first key is made while no server runs, with daybook key create --db FILE, or taken from DAYBOOK_BOOTSTRAP_KEY.`,
		Example: `  $ daybook serve --db /var/lib/daybook/daybook.db --listen :8080
  $ DAYBOOK_LISTEN=127.0.0.1:9000 daybook serve --log-format text
  $ daybook serve --config /etc/daybook.yaml`,
		Annotations: map[string]string{exitsNote: "0 never · 1 the store or the address cannot be used · 2 a setting is wrong · 130, 143 stopped"},
		Args:        exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, settings, err := config.Load(e.sources(cmd))
			if err != nil {
				return usage("%v", err)
			}
			return e.serve(cmd.Context(), &Main{Config: c, Settings: settings, Logger: e.logger(c), Now: e.now}, nil)
		},
	}
	config.Bind(cmd.Flags())
	return cmd
}

// lookup is getenv with the word for "not set".
func (e *env) lookup(name string) (string, bool) {
	v := e.getenv(name)
	return v, v != ""
}

// logger writes to stderr as the configuration says.
func (e *env) logger(c *config.Config) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	o := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "text" {
		return slog.New(slog.NewTextHandler(e.stderr, o))
	}
	return slog.New(slog.NewJSONHandler(e.stderr, o))
}

// serve runs m until ctx ends, and says ready once it answers.
func (e *env) serve(ctx context.Context, m *Main, ready func() error) error {
	for _, text := range e.mistyped() {
		m.Logger.LogAttrs(ctx, slog.LevelWarn, "a variable does nothing", slog.String("reason", text))
	}
	if names := config.Ignored(config.Sources{LookupEnv: e.lookup}); m.Config.TavivoEnabled && len(names) > 0 {
		m.Logger.LogAttrs(ctx, slog.LevelWarn, "variables that name a database do nothing here",
			slog.String("variables", strings.Join(names, " ")), slog.String("try", "db (--db, DAYBOOK_DB) says where the log is kept"))
	}
	for _, s := range m.Settings {
		if (s.Key == "db" || s.Key == "highwater") && strings.HasPrefix(s.Source, "flag ") && strings.Contains(s.Value, "********") {
			m.Logger.LogAttrs(ctx, slog.LevelWarn, "a password stands on the command line, which other users of this machine can read",
				slog.String("setting", s.Key), slog.String("try", s.Key+"_password_file, or the variable instead of the flag"))
		}
	}
	m.FollowTail = e.tuneMemory()
	if err := m.Run(ctx); err != nil {
		return cannot("serve", err)
	}
	var err error
	if ready != nil {
		err = ready()
	}
	if err == nil {
		e.tellSupervisor(ctx, m.Logger, "READY=1")
		err = m.Wait(ctx)
	}
	e.tellSupervisor(context.WithoutCancel(ctx), m.Logger, "STOPPING=1")
	m.Logger.LogAttrs(context.WithoutCancel(ctx), slog.LevelInfo, "stopping")
	if err := errors.Join(err, m.closeInTime()); err != nil {
		return cannot("serve", err)
	}
	return context.Cause(ctx)
}

// closeInTime is Close for a process that ends then: it does not wait for more than twice the shutdown timeout. A store that does not answer
// can hold up one step of Close after the other; what such an end leaves behind is what a crash does, and nothing that was acknowledged is lost.
func (m *Main) closeInTime() error {
	closed := make(chan error, 1)
	go func() { closed <- m.Close() }()
	select {
	case err := <-closed:
		return err
	case <-time.After(2 * m.Config.ShutdownTimeout):
		m.Logger.LogAttrs(context.Background(), slog.LevelError, "the store does not answer: stopped without waiting for it; what was acknowledged is safe")
		return nil
	}
}
