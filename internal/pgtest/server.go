//go:build linux

package pgtest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Options say what a server of a test's own is like. The zero value works.
type Options struct {
	Settings []string // of PostgreSQL, such as "max_connections=30"
	TCP      bool     // listen on a loopback port too
	Data     string   // start on this copy of a stopped server's data folder; it is moved away
}

// Server is a PostgreSQL. Its methods may be called concurrently, but for Kill and Start.
type Server struct {
	folder, bin string
	port        int
	freePort    func() // nil without TCP
	options     []string
	attr        syscall.SysProcAttr
	bases       atomic.Int64

	process *exec.Cmd
	gone    chan struct{} // closed when process has ended
	watch   io.Closer     // its end makes watcher stop the server and remove the folder
	watcher *exec.Cmd
}

var shared = sync.OnceValues(func() (*Server, error) { return start(Options{Settings: []string{"max_connections=300"}}) })

// Shared returns the server of this process. It stays until the process ends: do not stop it.
func Shared(tb testing.TB) *Server {
	tb.Helper()
	s, err := shared()
	if err != nil {
		tb.Fatalf("start PostgreSQL for the tests (tools/install-test-needs installs it): %v", err)
	}
	return s
}

// ForMain is Shared for a TestMain, which has no test yet.
func ForMain() (*Server, error) { return shared() }

// Start starts a server that is removed when tb ends.
func Start(tb testing.TB, o Options) *Server {
	tb.Helper()
	s, err := start(o)
	if err != nil {
		tb.Fatalf("start PostgreSQL for the test (tools/install-test-needs installs it): %v", err)
	}
	tb.Cleanup(s.remove)
	return s
}

func start(o Options) (s *Server, err error) {
	s = &Server{port: 5432, attr: syscall.SysProcAttr{Setpgid: true}}
	if s.bin, err = programs(); err != nil {
		return nil, err
	}
	give := func(string) error { return nil }
	if os.Getuid() == 0 {
		if s.attr.Credential, err = postgres(); err != nil {
			return nil, err
		}
		give = func(path string) error { return os.Chown(path, int(s.attr.Credential.Uid), int(s.attr.Credential.Gid)) }
	}
	if s.folder, err = os.MkdirTemp(memory(), "daybook-pg-"); err != nil {
		return nil, err
	}
	if err := s.guard(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.folder))
	}
	if err = give(s.folder); err == nil {
		err = s.fill(o)
	}
	if err == nil {
		err = s.Start()
	}
	if err != nil {
		s.remove()
		return nil, err
	}
	return s, nil
}

// fill makes the data folder, and takes what the server is started with.
func (s *Server) fill(o Options) error {
	listen := ""
	if o.TCP {
		var err error
		if s.port, s.freePort, err = holdPort(); err != nil {
			return err
		}
		listen = "127.0.0.1"
	}
	for _, setting := range append([]string{
		"unix_socket_directories=" + s.folder, "port=" + strconv.Itoa(s.port), "listen_addresses=" + listen,
		"max_connections=100", "shared_buffers=64MB", "max_wal_size=256MB", "dynamic_shared_memory_type=mmap",
	}, o.Settings...) {
		s.options = append(s.options, "-c", setting)
	}
	if o.Data != "" {
		return os.Rename(o.Data, s.Data())
	}
	initdb := s.command("initdb", "-D", s.Data(), "-U", "daybook", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--wal-segsize=4")
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

// guard starts the watcher. It has the reading end of a pipe whose other end the kernel closes when this process ends.
func (s *Server) guard() error {
	const script = `cat >/dev/null
ours() { [ "$(readlink "/proc/$pid/cwd")" = "$1/data" ]; }
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)
if [ -n "$pid" ] && ours "$1"; then
	kill -QUIT "$pid"; kill -CONT "$pid"
	for i in $(seq 500); do ours "$1" || break; sleep 0.02; done
fi
rm -rf "$1"`
	s.watcher = exec.Command("sh", "-c", script, "sh", s.folder)
	s.watcher.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	var err error
	if s.watch, err = s.watcher.StdinPipe(); err != nil {
		return err
	}
	return s.watcher.Start()
}

func (s *Server) remove() {
	_ = s.watch.Close()
	_ = s.watcher.Wait()
	if s.gone != nil {
		<-s.gone
	}
	if s.freePort != nil {
		s.freePort()
	}
}

// command returns a program of PostgreSQL, run as the server's user in its folder.
func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	attr := s.attr
	cmd.SysProcAttr, cmd.Dir = &attr, s.folder
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "HOME="+s.folder, "PGHOST="+s.folder, "PGPORT="+strconv.Itoa(s.port), "PGUSER=daybook")
	return cmd
}

// Start starts a server that was killed, and returns when it takes connections.
func (s *Server) Start() error {
	log, err := os.OpenFile(filepath.Join(s.folder, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // the server has its own
	for limit := time.Now().Add(3 * time.Minute); ; {
		cmd, gone := s.command("postgres", append([]string{"-D", s.Data()}, s.options...)...), make(chan struct{})
		cmd.Stdout, cmd.Stderr = log, log
		if err := cmd.Start(); err != nil {
			return err
		}
		go func() {
			_ = cmd.Wait()
			close(gone)
		}()
		s.process, s.gone = cmd, gone
		if s.answers(limit) {
			return nil
		}
		if time.Now().After(limit) {
			_ = cmd.Process.Kill()
			text, _ := os.ReadFile(log.Name())
			return fmt.Errorf("PostgreSQL does not start:\n%s", text)
		}
	}
}

// answers waits until the server takes connections. False: it has ended, since a child of the one that was killed is not gone yet.
func (s *Server) answers(limit time.Time) bool {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for time.Now().Before(limit) {
		if s.command("pg_isready", "-q", "-d", s.URL("postgres")).Run() == nil {
			return true
		}
		select {
		case <-s.gone:
			<-tick.C
			return false
		case <-tick.C:
		}
	}
	return false
}

// Kill ends the server and waits for it: SIGINT in order, SIGQUIT at once, SIGKILL without a word to anybody, its children included.
func (s *Server) Kill(how syscall.Signal) {
	var children []int
	pid := s.process.Process.Pid
	if how == syscall.SIGKILL {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
		for f := range strings.FieldsSeq(string(text)) {
			if child, err := strconv.Atoi(f); err == nil {
				children = append(children, child)
			}
		}
	}
	_ = s.process.Process.Signal(how)
	for _, child := range children {
		_ = syscall.Kill(child, how)
	}
	<-s.gone
}

// Data is the data folder, to be copied while the server is stopped.
func (s *Server) Data() string { return filepath.Join(s.folder, "data") }

// Folder is a folder that the server's user may write to, removed with the server.
func (s *Server) Folder() string { return s.folder }

// URL is the address of a database, on the Unix socket. To it, &name=value adds a parameter of the connection.
func (s *Server) URL(database string) string {
	return (&url.URL{
		Scheme: "postgres", User: url.User("daybook"), Path: "/" + database,
		RawQuery: url.Values{"host": {s.folder}, "port": {strconv.Itoa(s.port)}}.Encode(),
	}).String()
}

// TCP is where a server listens that was started with it: host and port.
func (s *Server) TCP() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// New returns the address of an empty database, which is dropped when tb ends if the server still runs.
func (s *Server) New(tb testing.TB) string {
	tb.Helper()
	return s.URL(s.Database(tb))
}

// Database is New for those who reach the server in another way: it returns the name.
func (s *Server) Database(tb testing.TB) string {
	tb.Helper()
	name := fmt.Sprintf("test_%d", s.bases.Add(1))
	s.SQL(tb, "postgres", "CREATE DATABASE "+name)
	tb.Cleanup(func() {
		_ = s.command("psql", "-X", "-q", "-d", s.URL("postgres"), "-c", "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)").Run()
	})
	return name
}

// SQL has statements carried out as superuser, several of them in one transaction, and returns what they answer: a line a row, columns
// between bars.
func (s *Server) SQL(tb testing.TB, database, text string) string {
	tb.Helper()
	return s.Run(tb, "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", s.URL(database), "-c", text)
}

// Run runs a program of PostgreSQL, such as pg_dump, as the server's user and returns what it prints. It finds the server by itself.
func (s *Server) Run(tb testing.TB, program string, args ...string) string {
	tb.Helper()
	var stderr bytes.Buffer
	cmd := s.command(program, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("%s: %v: %s", program, err, stderr.String())
	}
	return strings.TrimSuffix(string(out), "\n")
}

// memory is a folder whose fsync costs nothing. Empty: the usual one.
func memory() string {
	var disk syscall.Statfs_t
	if err := syscall.Statfs("/dev/shm", &disk); err == nil && disk.Bavail*uint64(disk.Bsize) > 1<<30 {
		return "/dev/shm"
	}
	return ""
}

// postgres returns the user of that name.
func postgres() (*syscall.Credential, error) {
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}

// programs returns the folder of initdb: in PATH, or the newest where Debian puts them.
func programs() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		path, err = filepath.EvalSymlinks(path) // the others are beside it, not beside a link to it
		return filepath.Dir(path), err
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errors.New("there is no initdb in PATH and none in /usr/lib/postgresql")
	}
	return filepath.Dir(found[len(found)-1]), nil
}
