package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/api"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/server/internal/evidence"
	"github.com/daybook-audit/daybook/server/internal/ui"
	"github.com/daybook-audit/daybook/verify"
)

// showing is the console on a bundle, from the command line.
type showing struct {
	verifying
	bundle, listen   string
	unverified, open bool
}

func newUI(e *env) *cobra.Command {
	s := &showing{}
	cmd := &cobra.Command{
		Use: "ui --bundle FILE", Short: "The console, offline, on an evidence bundle",
		Long: `Verifies the bundle as daybook verify does, and shows it in the console, on this machine alone: search, counts, timelines, differences,
versions and proofs, without a server, a store or a network. Nothing is recorded, changed or written. The printed link signs one browser
in, once. A bundle that is not proved is shown only with --unverified, and says so on every page.

The console of a server stands at the server's own address.`,
		Example: `  $ daybook ui --bundle acme-2026.daybook.gz --vkey "$VKEY" --open
  $ daybook ui --bundle acme-2026.daybook.gz --state auditor.state
  $ daybook ui --bundle found.daybook --unverified               # to look at what cannot be proved`,
		Annotations: map[string]string{exitsNote: "1 the file cannot be shown, or the address not used · 2 the command line is wrong · 6 something in the bundle is false · 7 it could not be verified · 130, 143 stopped"},
		Args:        exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if s.bundle == "" {
				return &usageError{message: "--bundle is missing: which file is to be shown?", try: "daybook ui --bundle FILE --vkey VKEY   (the console of a server stands at the server's own address)"}
			}
			if err := s.loopback(); err != nil {
				return err
			}
			if err := s.read(e); err != nil {
				return err
			}
			return s.run(cmd.Context(), e)
		},
	}
	f := cmd.Flags()
	f.StringVar(&s.bundle, "bundle", "", "evidence bundle to show (.daybook, also .daybook.gz)")
	f.Lookup("bundle").Annotations = map[string][]string{valueNote: {"FILE"}}
	f.StringVar(&s.listen, "listen", "127.0.0.1:0", "address of this machine to listen on (port 0: a free one)")
	f.BoolVar(&s.open, "open", false, "open the link in the browser")
	f.BoolVar(&s.unverified, "unverified", false, "show a bundle even if it is not proved")
	s.flags(cmd)
	f.Lookup("state").Usage = "file that remembers keys and checkpoints; it is read, and not written"
	return cmd
}

// loopback refuses an address that others could reach: evidence is for who holds the file.
func (s *showing) loopback() error {
	host, _, err := net.SplitHostPort(s.listen)
	if err != nil {
		return usage("--listen %q: an address is HOST:PORT", s.listen)
	}
	if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return usage("--listen %q: a bundle is shown on this machine alone: 127.0.0.1, ::1 or localhost", s.listen)
	}
	return nil
}

// run verifies the bundle, says what was found, and shows it until ctx ends.
func (s *showing) run(ctx context.Context, e *env) (err error) {
	bar := e.progress("entries", 0)
	o := s.options
	o.Progress = func(done, total int64) {
		bar.total = total
		bar.at(done)
	}
	f, err := evidence.Open(s.bundle, o)
	bar.end()
	if err != nil {
		return cannot("show "+filepath.Base(s.bundle), err)
	}
	if _, err := fmt.Fprint(e.stdout, e.portraitOf(f.Report)); err != nil {
		return err
	}
	if code := f.Report.Exit(); code != exitDone && !s.unverified {
		e.note("not shown; to look at it even so: --unverified")
		if f.Report.Has(verify.KeyNotPinned) {
			e.note("try: --vkey VKEY, which you have by another way than from the log")
		}
		return ended(code)
	}
	c, err := newConsole(ctx, e.now, f)
	if err != nil {
		return cannot("show "+f.Name, err)
	}
	defer func() { err = errors.Join(err, c.close()) }()
	failed, url, err := c.listen(ctx, s.listen)
	if err != nil {
		return cannot("show "+f.Name, err)
	}
	link := url + "/signin?code=" + c.code
	fmt.Fprintf(e.stdout, "\n%s is shown offline. This link signs a browser in, once, within an hour:\n  %s\n\nStop with Ctrl-C.\n", visible(f.Name), link)
	if s.open {
		if err := browse(ctx, link); err != nil {
			e.note("the browser could not be opened: %v", err)
		}
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case err := <-failed:
		return cannot("show "+f.Name, err)
	}
}

// console is the console on one bundle.
type console struct {
	book *daybook.Book
	auth *auth.Authenticator
	http *http.Server
	api  *api.Server
	code string // signs a browser in, once
}

// newConsole puts the API over a bundle. All that it keeps it keeps in memory, and only who is signed in.
func newConsole(ctx context.Context, now func() time.Time, f *evidence.File) (*console, error) {
	book, err := daybook.Open(ctx, f.Excerpt, daybook.Options{Now: now})
	if err != nil {
		return nil, err
	}
	c := &console{book: book}
	if err := c.build(ctx, now, f); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

func (c *console) build(ctx context.Context, now func() time.Time, f *evidence.File) error {
	docs := &evidence.Documents{}
	orgs, keys := control.NewOrgs(docs, now), control.NewKeys(docs, now)
	name := visible(f.Name)
	if len(name) > control.MaxName {
		name = ""
	}
	if _, err := orgs.Create(ctx, f.Org, name); err != nil {
		return err
	}
	key, _, err := keys.Create(ctx, control.NewKey{Name: "offline", Org: f.Org, Scopes: (auth.Read | auth.Export).Words()})
	if err != nil {
		return err
	}
	sessions := control.NewSessions(docs, now)
	if c.code, err = sessions.Invite(ctx, key); err != nil {
		return err
	}
	schemas, err := control.OpenSchemas(ctx, docs, control.SchemaOptions{Now: now, Rules: map[string]control.SchemaRules{"": {}}})
	if err != nil {
		return err
	}
	offline, err := c.offline(ctx, f)
	if err != nil {
		return err
	}
	c.auth = auth.New(keys, auth.Options{Now: now})
	d := api.Deps{
		Book: c.book, Docs: docs, Orgs: orgs, Keys: keys, Auth: c.auth, Offline: offline, Now: now, Version: version(), Schemas: schemas,
		Views: control.NewViews(docs, now), ViewerSettings: control.NewViewings(docs, now), Retentions: control.NewRetentions(docs, now),
		Erasures: control.NewErasures(docs, now), Failures: control.NewFailures(docs, now), Logger: slog.New(slog.DiscardHandler), BackupHint: "the file is the copy",
	}
	if d.Sessions, err = c.auth.NewSessions(sessions, d.Origin); err != nil {
		return err
	}
	if d.Console, err = ui.New(); err != nil {
		return err
	}
	c.api, err = api.New(d)
	return err
}

// maxFindings is how many findings the console shows; the others are counted.
const maxFindings = 50

// offline says what is shown.
func (c *console) offline(ctx context.Context, f *evidence.File) (*api.Offline, error) {
	r, h := f.Report, &f.Head
	o := &api.Offline{
		File: f.Name, Origin: h.Origin, From: h.From, To: h.To, Size: h.Size, Key: h.Vkey, Filtered: h.Filtered, Filter: h.Filter,
		Mask: append([]string{}, h.Mask...), Shown: r.Entries, Hashed: r.Hashed, Removed: r.Removed, Withheld: r.Withheld,
		Verdict:  map[int]string{verify.ExitProved: "proved", verify.ExitFalse: "false", verify.ExitUnverified: "unverified"}[r.Exit()],
		Findings: []api.OfflineFinding{}, More: r.More, Notes: append([]string{}, r.Notes...),
	}
	for i, found := range r.Findings {
		if i == maxFindings {
			o.More += len(r.Findings) - maxFindings
			break
		}
		shown := api.OfflineFinding{Code: string(found.Code), Line: found.Line, Message: found.Message}
		if found.Seq >= 0 {
			shown.Seq = &found.Seq
		}
		o.Findings = append(o.Findings, shown)
	}
	var ends [2]int64
	for i := range ends {
		page, err := c.book.Search(ctx, daybook.EventQuery{Org: f.Org, Asc: i == 0, Limit: 1})
		if err != nil {
			return nil, err
		}
		if len(page.Entries) > 0 {
			ends[i] = page.Entries[0].ReceivedAt
		}
	}
	o.Times(ends[0], ends[1], r.Signed)
	return o, nil
}

// listen serves at an address. What it returns gets the error that ends it.
func (c *console) listen(ctx context.Context, address string) (failed <-chan error, url string, err error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, "", fmt.Errorf("listen: %w", err)
	}
	c.http = c.api.HTTPServer()
	ended := make(chan error, 1)
	go func() { ended <- c.http.Serve(listener) }()
	return ended, "http://" + listener.Addr().String(), nil
}

// close ends what runs. It waits for running requests, five seconds at most.
func (c *console) close() error {
	var errs []error
	if c.http != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := c.http.Shutdown(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stop listening: %w", err), c.http.Close())
		}
	}
	if c.auth != nil {
		c.auth.Close()
	}
	return errors.Join(append(errs, c.book.Close())...)
}

// browse opens an address in the browser of whoever is at the screen.
func browse(ctx context.Context, url string) error {
	words := map[string]string{"darwin": "open", "windows": "rundll32 url.dll,FileProtocolHandler"}[runtime.GOOS]
	if words == "" {
		words = "xdg-open"
	}
	args := append(strings.Fields(words), url)
	cmd := exec.CommandContext(context.WithoutCancel(ctx), args[0], args[1:]...) //nolint:gosec // words of ours, and an address of ours
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }() // what became of it, who looks at the screen sees
	return nil
}
