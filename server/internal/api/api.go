// Package api is the native HTTP API: routes, request bodies, answers, problem+json, the live tail and the OpenAPI document. It mounts
// the doors of other products without knowing them.
package api

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/server/internal/export"
	"github.com/daybook-audit/daybook/server/internal/selfaudit"
	"github.com/daybook-audit/daybook/server/internal/ui"
)

// Deps is what the API stands on. Book, Docs, Orgs, Keys, Auth, Exports, Views, Retentions, Schemas, Erasures and Eraser are needed; the rest may be zero.
type Deps struct {
	Book Book
	Docs daybook.Documents // asked by /readyz
	Orgs *control.Orgs
	Keys *control.Keys
	Auth *auth.Authenticator

	Exports  *export.Runner
	Origin   auth.Origin        // for the addresses in answers
	Audit    *selfaudit.Auditor // nil: what is done through the API is not recorded
	Sessions *auth.Sessions     // nil: nobody signs in, API keys alone count

	Viewings       *auth.Viewings // nil: there are no viewer tokens
	ViewerSettings *control.Viewings

	// Storage returns the bytes of the store's files; nil: they are elsewhere.
	Storage func() (int64, error)

	Views      *control.Views
	Failures   *control.Failures
	Retentions *control.Retentions
	Schemas    *control.Schemas
	Erasures   *control.Erasures
	Eraser     *control.Eraser // of organizations
	// BackupsKept is how long backups are kept, for the certificate of an erasure; 0: it is not known.
	BackupsKept time.Duration

	Offline *Offline // nil: the log is the server's own. Set: the Book is of an excerpt, and Exports, Audit and the like may be nil

	Doors   []auth.Door
	Console *ui.Console // nil: there is none
	Metrics *Metrics    // nil: /metrics is 404

	// Backup writes a consistent copy of the store, or returns an error before the first byte. Nil: 501 with BackupHint.
	Backup     func(ctx context.Context, w io.Writer) error
	BackupHint string // what to type instead

	Logger         *slog.Logger     // nil: nothing is logged
	Now            func() time.Time // nil: time.Now
	Limits         Limits
	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed
	Version        string
}

// Limits bounds requests. A zero field takes the documented limit.
type Limits struct {
	Body         int64 // bytes of a body as it comes over the wire; 5 MiB
	Decompressed int64 // bytes of a body after decompression; 5 MiB
	Events       int   // events of a request; 1,000
	Event        int   // bytes of an event; 256 KiB

	// What all requests together may hold; what comes beyond is refused with 503.
	AtWork  int   // requests whose body is there and whose answer is not; 4,096, and fewer when they do not get it within half a second
	Bodies  int64 // bytes of bodies, from their arrival to the answer; 64 MiB
	Answers int64 // bytes of answers above 64 KiB that clients have not taken yet; 64 MiB
}

func (l Limits) withDefaults() Limits {
	if l.Body == 0 {
		l.Body = 5 << 20
	}
	if l.Decompressed == 0 {
		l.Decompressed = 5 << 20
	}
	if l.Events == 0 {
		l.Events = 1000
	}
	if l.Event == 0 {
		l.Event = 256 << 10
	}
	if l.AtWork == 0 {
		l.AtWork = 4096
	}
	if l.Bodies == 0 {
		l.Bodies = 64 << 20
	}
	if l.Answers == 0 {
		l.Answers = 64 << 20
	}
	return l
}

// Server answers requests. Safe for concurrent use.
type Server struct {
	Deps
	mux     *http.ServeMux
	routes  []*route
	log     *slog.Logger
	now     func() time.Time
	limits  Limits
	none    *route // stands for requests without a route
	console *route // stands for those of the console
	openapi []byte // the document, made by New
	docs    []byte // its reference page

	atWork          crew
	bodies, answers room
	dictionaries    dictionaries
	totals          totals
	damages         damages

	closing   chan struct{}
	closeOnce sync.Once
}

// New returns the API over d.
func New(d Deps) (*Server, error) {
	s := &Server{Deps: d, log: d.Logger, now: d.Now, limits: d.Limits.withDefaults(), closing: make(chan struct{})}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now //nolint:forbidigo // the default of an option
	}
	s.atWork.open(s.limits.AtWork, s.now)
	s.bodies.limit, s.answers.limit = s.limits.Bodies, s.limits.Answers
	s.mount()
	if err := s.describe(); err != nil {
		return nil, err
	}
	return s, nil
}

// Close ends the live tails and makes /readyz say no, so that an [http.Server] can shut down; other requests go on. It is what
// RegisterOnShutdown wants.
func (s *Server) Close() { s.closeOnce.Do(func() { close(s.closing) }) }

// HTTPServer returns an [http.Server] for s with timeouts that keep slow clients from holding it: 10 s for the header, a minute for
// the whole request and for the answer (live tails and backups extend theirs write by write).
func (s *Server) HTTPServer() *http.Server {
	h := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	h.RegisterOnShutdown(s.Close)
	return h
}
