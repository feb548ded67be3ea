package apptest

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/daybooksql"
	"github.com/daybook-audit/daybook/internal/pgtest"
)

// server is a MariaDB of the tests, started when the first test asks for it. PostgreSQL comes from pgtest.
type server struct {
	once    sync.Once
	err     error
	process *exec.Cmd
	log     bytes.Buffer
	folder  string
	start   func(s *server) error
	stop    os.Signal
}

var (
	mariadb = server{start: startMariaDB, stop: syscall.SIGTERM}
	bases   atomic.Int64
)

func TestMain(m *testing.M) {
	code := m.Run()
	mariadb.end()
	os.Exit(code)
}

// end stops the server and removes its folder.
func (s *server) end() {
	if s.process != nil {
		_ = s.process.Process.Signal(s.stop)
		_ = s.process.Wait()
	}
	if s.folder != "" {
		_ = os.RemoveAll(s.folder)
	}
}

// running starts the server once.
func (s *server) running(t testing.TB) {
	t.Helper()
	s.once.Do(func() {
		started := make(chan struct{})
		go func() {
			runtime.LockOSThread() // the death signal comes when the thread ends that started the server
			s.err = s.start(s)
			close(started)
			select {}
		}()
		<-started
	})
	if s.err != nil {
		t.Fatal(s.err)
	}
}

// nobody is who runs a server when the tests run as root, which it dislikes.
func nobody() (*syscall.SysProcAttr, func(string) error, error) {
	// The kernel ends the server when the test is killed.
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 {
		return attr, func(string) error { return nil }, nil
	}
	who, err := user.Lookup("nobody")
	if err != nil {
		return nil, nil, err
	}
	uid, err := strconv.ParseUint(who.Uid, 10, 32)
	if err != nil {
		return nil, nil, err
	}
	gid, err := strconv.ParseUint(who.Gid, 10, 32)
	if err != nil {
		return nil, nil, err
	}
	attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return attr, func(folder string) error { return os.Chown(folder, int(uid), int(gid)) }, nil
}

// prepare makes the server's folder; a short path, for sockets have at most 107 bytes.
func (s *server) prepare() (*syscall.SysProcAttr, error) {
	attr, give, err := nobody()
	if err != nil {
		return nil, err
	}
	if s.folder, err = os.MkdirTemp("/tmp", "daybook"); err != nil {
		return nil, err
	}
	return attr, give(s.folder)
}

// command runs a program as the server's user, in its folder.
func (s *server) command(attr *syscall.SysProcAttr, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.SysProcAttr = s.folder, attr
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "HOME="+s.folder, "TMPDIR="+s.folder)
	return cmd
}

// launch starts the server and waits until ready says nil.
func (s *server) launch(cmd *exec.Cmd, ready func() error) error {
	cmd.Stdout, cmd.Stderr = &s.log, &s.log
	if err := cmd.Start(); err != nil {
		return err
	}
	s.process = cmd
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(3 * time.Minute)
	for {
		err := ready()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-limit:
			return fmt.Errorf("%s does not answer: %w", cmd.Path, err)
		}
	}
}

// program finds a program, also where Debian puts what is not for everybody's PATH.
func program(name, folders string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	found, err := filepath.Glob(filepath.Join(folders, name))
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("%s is not installed: tools/install-test-needs installs it", name)
	}
	return found[len(found)-1], nil
}

func startMariaDB(s *server) error {
	attr, err := s.prepare()
	if err != nil {
		return err
	}
	install, err := program("mariadb-install-db", "/usr/bin")
	if err != nil {
		return err
	}
	server, err := program("mariadbd", "/usr/sbin")
	if err != nil {
		return err
	}
	data := filepath.Join(s.folder, "data")
	if out, err := s.command(attr, install, "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal", "--skip-test-db").CombinedOutput(); err != nil {
		return fmt.Errorf("mariadb-install-db: %w\n%s", err, out)
	}
	cmd := s.command(attr, server, "--no-defaults", "--datadir="+data, "--socket="+filepath.Join(s.folder, "sock"), "--skip-networking",
		"--pid-file="+filepath.Join(s.folder, "pid"), "--innodb-flush-log-at-trx-commit=0", "--max-connections=100")
	return s.launch(cmd, func() error { return ping("mysql", mariadbDSN(s, "")) })
}

func mariadbDSN(s *server, base string) string {
	c := mysql.NewConfig()
	c.User, c.Net, c.Addr, c.DBName = "root", "unix", filepath.Join(s.folder, "sock"), base
	return c.FormatDSN()
}

func ping(driver, dsn string) (err error) {
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return db.PingContext(ctx)
}

// base is an application's database of its own for one test, with Daybook's tables.
type base struct {
	*sql.DB
	t *testing.T
	d daybook.Dialect
}

func (b base) outbox() daybook.OutboxDB { return daybooksql.DB(b.DB, b.d) }

// must runs statements.
func (b base) must(t *testing.T, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := b.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// count returns the number that a query answers with.
func (b base) count(t *testing.T, query string) (n int) {
	t.Helper()
	if err := b.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// kinds opens a new database of each kind.
var kinds = map[daybook.Dialect]func(testing.TB) *sql.DB{daybook.SQLite: openSQLite, daybook.Postgres: openPostgres, daybook.MySQL: openMariaDB}

// onEach runs test on each kind of database.
func onEach(t *testing.T, test func(b base)) {
	t.Helper()
	for d, open := range kinds {
		t.Run(string(d), func(t *testing.T) {
			t.Parallel()
			b := base{open(t), t, d}
			t.Cleanup(func() {
				if err := b.Close(); err != nil {
					t.Error(err)
				}
			})
			for range 2 { // the second time it does nothing
				for s := range strings.SplitSeq(daybook.OutboxSchema(d), ";\n") {
					if s != "" {
						b.must(t, s)
					}
				}
			}
			test(b)
		})
	}
}

func open(t testing.TB, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func openSQLite(t testing.TB) *sql.DB {
	t.Helper()
	return open(t, "sqlite", "file:"+filepath.Join(t.TempDir(), "app.db")+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(60000)&_pragma=synchronous(OFF)&_txlock=immediate")
}

func openPostgres(t testing.TB) *sql.DB {
	t.Helper()
	return open(t, "pgx", pgtest.Shared(t).New(t)+"&synchronous_commit=off")
}

func openMariaDB(t testing.TB) *sql.DB {
	t.Helper()
	mariadb.running(t)
	name := fmt.Sprintf("app%d", bases.Add(1))
	db := open(t, "mysql", mariadbDSN(&mariadb, ""))
	_, err := db.ExecContext(t.Context(), "CREATE DATABASE "+name)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return open(t, "mysql", mariadbDSN(&mariadb, name))
}
