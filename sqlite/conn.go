package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"modernc.org/sqlite"
)

// conn is one connection with its prepared statements, used by one goroutine at a time. It speaks to the driver without the pool of
// database/sql, which would look up, lock and convert on every statement of every commit.
type conn struct {
	dc    driver.Conn
	stmts map[string]*stmt
	// written counts roughly the bytes that statements put into the write-ahead log.
	written int64
	level   string // of synchronous, as it is set now
}

type stmt struct {
	driver.Stmt
	exec  driver.StmtExecContext
	query driver.StmtQueryContext
	args  []driver.NamedValue
	row   []driver.Value
}

// uninterrupted is the context of every statement. Each is short, and a COMMIT cut off in the middle would have an unknown outcome.
var uninterrupted = context.Background()

// pragma is a setting of every connection and the value it reads back as.
type pragma struct {
	set  string // "name(value)"; empty: only read back
	name string
	want any
}

// role says what a connection is for.
type role int

const (
	writes role = iota
	reads
	checkpoints
	inspects // a store that another process may be writing
	studies  // a store that nobody has open: no locks, and no files beside it
)

func pragmas(r role, synchronous string) []pragma {
	level := map[string]int64{"OFF": 0, "NORMAL": 1, "FULL": 2}[synchronous]
	wait, cache, query := int64(5000), int64(-24576), int64(0)
	if r != writes {
		cache = -4096
	}
	if r == reads || r == inspects || r == studies {
		query = 1
	}
	if r == checkpoints {
		wait = 250 // it holds up commits while it waits for readers
	}
	ps := []pragma{
		{fmt.Sprintf("busy_timeout(%d)", wait), "busy_timeout", wait},
		{"journal_mode(WAL)", "journal_mode", "wal"},
		{"synchronous(" + synchronous + ")", "synchronous", level},
		{fmt.Sprintf("cache_size(%d)", cache), "cache_size", cache},
		{"wal_autocheckpoint(0)", "wal_autocheckpoint", int64(0)},
		{"secure_delete(ON)", "secure_delete", int64(1)},
		{"temp_store(2)", "temp_store", int64(2)},
		{"trusted_schema(0)", "trusted_schema", int64(0)},
		{fmt.Sprintf("query_only(%d)", query), "query_only", query},
		{"", "page_size", int64(4096)},
		{"", "auto_vacuum", int64(0)},
	}
	if r == inspects || r == studies { // it writes nothing, so it cannot change what the file is
		ps[1].set = ""
	}
	if r == studies { // SQLite's word for no log at all
		ps[1].want = "delete"
	}
	return ps
}

// dsn names the file at the absolute path with every setting in it: a PRAGMA sent through a pool would reach one connection.
func dsn(path string, r role, synchronous string) string {
	v := url.Values{"_txlock": {"immediate"}}
	for _, p := range pragmas(r, synchronous) {
		if p.set != "" {
			v.Add("_pragma", p.set)
		}
	}
	if r == inspects || r == studies {
		v.Set("mode", "ro")
	}
	if r == studies {
		v.Set("immutable", "1")
	}
	return "file:" + uriPath(path) + "?" + v.Encode()
}

// dial opens a connection and reads every setting back.
func dial(path string, r role, synchronous string) (*conn, error) {
	dc, err := new(sqlite.Driver).Open(dsn(path, r, synchronous))
	if err != nil {
		return nil, err
	}
	c := &conn{dc: dc, stmts: map[string]*stmt{}, level: synchronous}
	for _, p := range pragmas(r, synchronous) {
		var got driver.Value
		err := c.query("PRAGMA "+p.name, func(row []driver.Value) error { got = row[0]; return nil })
		if err == nil && got != p.want {
			err = fmt.Errorf("PRAGMA %s is %v, not %v", p.name, got, p.want)
		}
		if err != nil {
			return nil, errors.Join(err, c.close())
		}
	}
	return c, nil
}

// sync sets how the next transaction is synced. SQLite sets it while it prepares the PRAGMA, so a kept statement would not.
//
//nolint:contextcheck,nolintlint // see uninterrupted; contextcheck obeys this without telling nolintlint
func (c *conn) sync(level string, kind class) error {
	if kind == merging && level == "FULL" {
		level = "NORMAL"
	}
	if c.level == level {
		return nil
	}
	s, err := c.dc.Prepare("PRAGMA synchronous=" + level)
	if err != nil {
		return fmt.Errorf("set synchronous to %s: %w", level, err)
	}
	e, ok := s.(driver.StmtExecContext)
	if !ok {
		return errors.Join(fmt.Errorf("%T takes no context", s), s.Close())
	}
	_, err = e.ExecContext(uninterrupted, nil)
	if err = errors.Join(err, s.Close()); err != nil {
		return fmt.Errorf("set synchronous to %s: %w", level, err)
	}
	c.level = level
	return nil
}

func (c *conn) close() error {
	var errs []error
	for _, s := range c.stmts {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.dc.Close())...)
}

// prepare returns the statement of query, prepared once, with args bound. It must be a single SQL statement.
func (c *conn) prepare(query string, args []any) (*stmt, error) {
	s := c.stmts[query]
	if s == nil {
		ds, err := c.dc.Prepare(query)
		if err != nil {
			return nil, fmt.Errorf("prepare %q: %w", query, err)
		}
		s = &stmt{Stmt: ds}
		var ok1, ok2 bool
		s.exec, ok1 = ds.(driver.StmtExecContext)
		s.query, ok2 = ds.(driver.StmtQueryContext)
		if !ok1 || !ok2 {
			return nil, errors.Join(fmt.Errorf("%T takes no statements with numbered arguments", ds), ds.Close())
		}
		c.stmts[query] = s
	}
	s.args = s.args[:0]
	for i, a := range args {
		s.args = append(s.args, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	return s, nil
}

// exec runs a statement without result rows and returns how many rows it changed. Arguments are int64, string, []byte (nil is NULL).
//
//nolint:contextcheck,nolintlint // see uninterrupted; contextcheck obeys this without telling nolintlint
func (c *conn) exec(query string, args ...any) (int64, error) {
	s, err := c.prepare(query, args)
	if err != nil {
		return 0, err
	}
	res, err := s.exec.ExecContext(uninterrupted, s.args)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", head(query), err)
	}
	for i := range s.args {
		if b, ok := s.args[i].Value.([]byte); ok {
			c.written += int64(len(b))
		}
		s.args[i].Value = nil
	}
	return res.RowsAffected()
}

// errStop ends a query early, without an error.
var errStop = errors.New("stop")

// query calls each for every row; the slice is good until each returns, the values in it for ever.
//
//nolint:contextcheck,nolintlint // see uninterrupted; contextcheck obeys this without telling nolintlint
func (c *conn) query(query string, each func(row []driver.Value) error, args ...any) (err error) {
	s, err := c.prepare(query, args)
	if err != nil {
		return err
	}
	rows, err := s.query.QueryContext(uninterrupted, s.args)
	if err != nil {
		return fmt.Errorf("%s: %w", head(query), err)
	}
	defer func() {
		if e := rows.Close(); err == nil && e != nil {
			err = fmt.Errorf("%s: %w", head(query), e)
		}
	}()
	if s.row == nil {
		s.row = make([]driver.Value, len(rows.Columns()))
	}
	for {
		switch err := rows.Next(s.row); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("%s: %w", head(query), err)
		}
		if err := each(s.row); errors.Is(err, errStop) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// head returns the first words of a statement, for messages.
func head(query string) string {
	words := strings.Fields(query)
	return strings.ToLower(strings.Join(words[:min(3, len(words))], " "))
}

// number and bytes read a column.
func number(v driver.Value) int64 { n, _ := v.(int64); return n }
func blob(v driver.Value) []byte  { b, _ := v.([]byte); return b }
