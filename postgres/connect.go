package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// oldestServer is the oldest version of PostgreSQL that the statements here are written for.
	oldestServer = 130000
	// maxConns is how many connections a pool has at most, unless the address says pool_max_conns.
	maxConns = 20
	// dialTimeout bounds one attempt to connect, unless the address says connect_timeout.
	dialTimeout = 5 * time.Second
)

// facts are what a connection says about its server, in one statement.
type facts struct {
	version     int
	fsync       string
	fullPages   string
	synchronous string
	encoding    string
	standby     bool
	pid         uint32
}

const sqlFacts = `SELECT current_setting('server_version_num')::int, current_setting('fsync'), current_setting('full_page_writes'),
	current_setting('synchronous_commit'), current_setting('server_encoding'), pg_is_in_recovery(), pg_backend_pid()`

func ask(ctx context.Context, c *pgx.Conn) (f facts, err error) {
	err = c.QueryRow(ctx, sqlFacts, pgx.QueryExecModeExec).Scan(&f.version, &f.fsync, &f.fullPages, &f.synchronous, &f.encoding, &f.standby, &f.pid)
	if err != nil {
		err = fmt.Errorf("read the server's settings: %w", explained(err))
	}
	return f, err
}

// refused says why a server cannot be used: it is too old, or set up so that what it acknowledged can be lost. A crash would then take
// away what producers believe recorded, and the log could not tell.
func (f *facts) refused(readOnly bool) error {
	switch {
	case f.version < oldestServer:
		return fmt.Errorf("the server is PostgreSQL %d.%d: Daybook needs version 13 or later", f.version/10000, f.version%10000)
	case f.encoding != "UTF8":
		return fmt.Errorf("the database has the encoding %s: make one with UTF8", f.encoding)
	case readOnly:
		return nil
	case f.fsync != "on":
		return fmt.Errorf("the server runs with fsync = %s: a crash could lose what was acknowledged. Set it to on", f.fsync)
	case f.fullPages != "on":
		return fmt.Errorf("the server runs with full_page_writes = %s: a crash could lose what was acknowledged. Set it to on", f.fullPages)
	case f.standby:
		return errors.New("the server is a standby and takes no writes: connect to its primary, or give all hosts and target_session_attrs=read-write")
	}
	return nil
}

// dial opens the pool, after one connection has shown what the server is and whether a pooler stands before it.
func (l *link) dial(ctx context.Context, url, passwordFile string) error {
	l.url = url
	if passwordFile != "" {
		l.password = func() (string, error) {
			text, err := os.ReadFile(passwordFile)
			return strings.TrimRight(string(text), "\r\n"), err
		}
	}
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return hidden(err)
	}
	l.prepare(config.ConnConfig)
	if !strings.Contains(url, "pool_max_conns") {
		config.MaxConns = maxConns
	}
	if !strings.Contains(url, "pool_max_conn_lifetime_jitter") {
		config.MaxConnLifetimeJitter = config.MaxConnLifetime / 5
	}
	if config.PingTimeout == 0 {
		config.PingTimeout = 2 * time.Second
	}
	if err := l.look(ctx, config.ConnConfig); err != nil {
		return err
	}
	config.BeforeConnect, config.AfterConnect = l.before, l.after
	l.reading = make(chan struct{}, max(config.MaxConns-config.MaxConns/3, 1))
	l.pool, err = pgxpool.NewWithConfig(ctx, config)
	return err
}

// prepare sets what every connection of ours has.
func (l *link) prepare(c *pgx.ConnConfig) {
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = dialTimeout
	}
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "daybook"
	}
	if len(c.Fallbacks) > 0 && c.ValidateConnect == nil && !l.readOnly {
		c.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	c.OnNotice = noticed
	// A peer that is gone without a word is noticed within half a minute.
	c.DialFunc = (&net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 4}}).DialContext
}

// look connects once. A pooler shows itself by naming another backend than the one that answers; an address that asks for a way to send
// statements that leaves nothing in a session says that there is one.
func (l *link) look(ctx context.Context, config *pgx.ConnConfig) error {
	c, err := l.connect(ctx, config)
	if err != nil {
		return err
	}
	defer c.Close(ctx) //nolint:errcheck // nothing was written
	f, err := ask(ctx, c)
	if err != nil {
		return err
	}
	if err := f.refused(l.readOnly); err != nil {
		return err
	}
	if f.synchronous == "off" && !l.readOnly {
		l.logger.LogAttrs(ctx, slog.LevelWarn, "the server's synchronous_commit is off: every commit of Daybook sets it to on for itself")
	}
	l.pooled = l.pooled || f.pid != c.PgConn().PID() || config.DefaultQueryExecMode != pgx.QueryExecModeCacheStatement
	if l.pooled && config.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement {
		// A prepared statement stays with a connection that the next transaction does not get; a description is ours.
		config.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	return nil
}

// connect makes one connection with the password of now.
func (l *link) connect(ctx context.Context, config *pgx.ConnConfig) (*pgx.Conn, error) {
	config = config.Copy()
	if err := l.passwordOf(config); err != nil {
		return nil, err
	}
	if l.pooled && config.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement {
		config.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	c, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", explained(err))
	}
	return c, nil
}

// passwordOf reads the password anew, so that a new connection gets the one that is right now: from the file of the options, else from
// where libpq looks (PGPASSWORD, PGPASSFILE, ~/.pgpass).
func (l *link) passwordOf(config *pgx.ConnConfig) error {
	if l.password != nil {
		password, err := l.password()
		if err != nil {
			return fmt.Errorf("read the password: %w", err)
		}
		config.Password = password
		return nil
	}
	now, err := pgxpool.ParseConfig(l.url) // knows the words that are the pool's
	if err != nil {
		return hidden(err)
	}
	config.Password = now.ConnConfig.Password
	return nil
}

// before is called for every connection that the pool makes.
func (l *link) before(ctx context.Context, config *pgx.ConnConfig) error {
	if err := l.gate.wait(ctx); err != nil {
		return err
	}
	return l.passwordOf(config)
}

// after looks at every new connection: after a failover the server is another.
func (l *link) after(ctx context.Context, c *pgx.Conn) error {
	f, err := ask(ctx, c)
	if err != nil {
		return err
	}
	if err := f.refused(l.readOnly); err != nil {
		return err
	}
	if !l.pooled {
		if f.pid != c.PgConn().PID() {
			return errors.New("a pooler stands before the server now: start Daybook again")
		}
		session := "SET statement_timeout = " + milliseconds(l.timeout*9/10) + "; SET lock_timeout = " + milliseconds(l.timeout/2) +
			"; SET idle_in_transaction_session_timeout = " + milliseconds(2*l.timeout)
		switch {
		case l.readOnly:
			session += "; SET default_transaction_read_only = on"
		case f.synchronous == "off":
			session += "; SET synchronous_commit = on"
		}
		if _, err := c.Exec(ctx, session); err != nil {
			return err
		}
	}
	l.gate.succeeded()
	return nil
}

// gate spaces attempts to connect while none succeeds: from 50 ms to 2 s apart, never all at once.
type gate struct {
	mu     sync.Mutex
	delay  time.Duration
	closed chan struct{} // closed when the next attempt may be made; nil: now
}

// failed shuts the gate for a while, longer each time.
func (g *gate) failed() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed != nil {
		return // of those that failed together one counts
	}
	g.delay = min(max(2*g.delay, 50*time.Millisecond), 2*time.Second)
	shut := make(chan struct{})
	g.closed = shut
	time.AfterFunc(jitter(g.delay), func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.closed = nil
		close(shut)
	})
}

func (g *gate) succeeded() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.delay = 0
}

// wait returns when an attempt may be made.
func (g *gate) wait(ctx context.Context) error {
	g.mu.Lock()
	shut, delay := g.closed, g.delay
	g.mu.Unlock()
	if shut == nil {
		return nil
	}
	select {
	case <-shut:
	case <-ctx.Done():
		return ctx.Err()
	}
	return pause(ctx, jitter(delay/4)) // those that waited do not start together
}

// jitter returns a time between half of d and d.
func jitter(d time.Duration) time.Duration {
	return d/2 + time.Duration(rand.Int64N(int64(d/2)+1)) //nolint:gosec // it spreads load, and keeps no secret
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
