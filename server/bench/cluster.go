package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
)

// cluster is a PostgreSQL of the benchmark's own, on the disk that is measured, durable as it comes.
type cluster struct {
	bin, dir string
	port     int
	attr     *syscall.SysProcAttr
	process  *exec.Cmd
}

// What both layouts get beyond the defaults: memory, and checkpoints that do not fall into every run.
var clusterSettings = []string{"shared_buffers=512MB", "max_wal_size=4GB", "max_connections=200", "listen_addresses=127.0.0.1", "unix_socket_directories="}

// startCluster makes a cluster in dir and starts it, as the user postgres when we are root.
func startCluster(ctx context.Context, dir string) (*cluster, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return nil, errors.New("there is no /usr/lib/postgresql/*/bin/initdb: install postgresql")
	}
	c := &cluster{bin: filepath.Dir(found[len(found)-1]), dir: dir, attr: &syscall.SysProcAttr{Setpgid: true}}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if os.Getuid() == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			return nil, err
		}
		uid, _ := strconv.ParseUint(u.Uid, 10, 32)
		gid, _ := strconv.ParseUint(u.Gid, 10, 32)
		c.attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := errors.Join(os.Chown(dir, int(uid), int(gid)), os.Chmod(filepath.Dir(dir), 0o755)); err != nil {
			return nil, err
		}
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	c.port, _ = strconv.Atoi(port)
	if err := l.Close(); err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	if out, err := c.command(ctx, "initdb", "-D", data, "-U", "daybook", "-A", "trust", "-E", "UTF8", "--locale=C").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	args := []string{"-D", data, "-p", port}
	for _, s := range clusterSettings {
		args = append(args, "-c", s)
	}
	c.process = c.command(ctx, "postgres", args...)
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close() //nolint:errcheck // the server has its own
	c.process.Stdout, c.process.Stderr = log, log
	c.process.Cancel = func() error { return c.process.Process.Signal(syscall.SIGINT) }
	if err := c.process.Start(); err != nil {
		return nil, err
	}
	for range 300 {
		if err = c.sql(ctx, "postgres", "SELECT 1", new(int)); err == nil {
			return c, nil
		}
		if err := pause(ctx); err != nil {
			break
		}
	}
	c.stop()
	return nil, fmt.Errorf("PostgreSQL does not start: %w", err)
}

func (c *cluster) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(c.bin, name), args...)
	attr := *c.attr
	cmd.SysProcAttr, cmd.Dir = &attr, c.dir
	return cmd
}

func (c *cluster) url(database string) string {
	return fmt.Sprintf("postgres://daybook@127.0.0.1:%d/%s?sslmode=disable", c.port, database)
}

// sql has one statement carried out, and scans what its row answers into to.
func (c *cluster) sql(ctx context.Context, database, text string, to ...any) error {
	conn, err := pgx.Connect(ctx, c.url(database))
	if err != nil {
		return err
	}
	defer conn.Close(ctx) //nolint:errcheck // the answer is there
	if len(to) == 0 {
		_, err = conn.Exec(ctx, text)
		return err
	}
	return conn.QueryRow(ctx, text).Scan(to...)
}

// stop ends PostgreSQL at once and waits for it.
func (c *cluster) stop() {
	_ = c.process.Process.Signal(syscall.SIGINT)
	_ = c.process.Wait()
}

// costs are what PostgreSQL has used so far.
type costs struct {
	cpu    float64 // seconds, of every process of it, those that have ended included
	wal    int64   // bytes of write-ahead log
	stored int64   // bytes of one database
}

// costs looks. A checkpoint comes first, so that no layout writes the full pages that another has caused.
func (c *cluster) costs(ctx context.Context, database string) (k costs, err error) {
	if err := c.sql(ctx, database, "CHECKPOINT"); err != nil {
		return k, err
	}
	err = c.sql(ctx, database, "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint, pg_database_size(current_database())", &k.wal, &k.stored)
	if err != nil {
		return k, err
	}
	dirs, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return k, err
	}
	for _, name := range dirs {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		f := strings.Fields(rest)
		own := filepath.Base(filepath.Dir(name)) == strconv.Itoa(c.process.Process.Pid)
		if len(f) < 15 || !own && f[1] != strconv.Itoa(c.process.Process.Pid) {
			continue
		}
		ticks := f[11:13]
		if own {
			ticks = f[11:15] // and of children that have ended
		}
		for _, t := range ticks {
			n, _ := strconv.ParseInt(t, 10, 64)
			k.cpu += float64(n) / 100 // USER_HZ is 100 on every Linux that Go runs on
		}
	}
	return k, nil
}
