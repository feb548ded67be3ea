package postgres_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// server is the PostgreSQL that most of these tests share.
var server *cluster

func TestMain(m *testing.M) {
	var err error
	if server, err = newCluster(); err != nil {
		fmt.Fprintln(os.Stderr, "start PostgreSQL for the tests (tools/install-test-needs installs it):", err)
		os.Exit(1)
	}
	code := m.Run()
	server.remove()
	os.Exit(code)
}

// cluster is a PostgreSQL of the tests' own: in a temporary folder, on a Unix socket.
type cluster struct {
	url, dir, bin string
	attr          syscall.SysProcAttr
	process       *exec.Cmd
}

// newCluster makes a cluster and starts it, as another user when we are root, who may not run PostgreSQL.
func newCluster() (c *cluster, err error) {
	c = &cluster{attr: syscall.SysProcAttr{Setpgid: true}}
	if c.bin, err = binaries(); err != nil {
		return nil, err
	}
	if c.dir, err = os.MkdirTemp(memory(), "daybook-postgres-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			c.remove()
		}
	}()
	if os.Getuid() == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			return nil, err
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		c.attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(c.dir, uid, gid); err != nil {
			return nil, err
		}
	}
	c.url = "host=" + c.dir + " user=daybook dbname=postgres"
	initdb := c.command("initdb", "-U", "daybook", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return c, c.start()
}

func (c *cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, name), append([]string{"-D", filepath.Join(c.dir, "data")}, args...)...)
	attr := c.attr
	cmd.SysProcAttr, cmd.Dir = &attr, c.dir
	return cmd
}

// start starts the server, after a crash too, and waits until it answers.
func (c *cluster) start() error {
	var log bytes.Buffer
	c.process = c.command("postgres", "-k", c.dir, "-c", "listen_addresses=", "-c", "max_connections=300", "-c", "shared_buffers=64MB")
	c.process.Stderr = &log
	if err := c.process.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	if err := answers(ctx, c.url); err != nil {
		c.stop(syscall.SIGQUIT)
		return fmt.Errorf("%w\n%s", err, log.String())
	}
	return nil
}

// stop ends the server: SIGINT in order, SIGQUIT at once, SIGKILL without a word to anybody, its children included.
func (c *cluster) stop(how syscall.Signal) {
	pid := c.process.Process.Pid
	if how == syscall.SIGKILL {
		pid = -pid
	}
	_ = syscall.Kill(pid, how)
	_ = c.process.Wait()
}

func (c *cluster) remove() {
	if c.process != nil && c.process.ProcessState == nil {
		c.stop(syscall.SIGINT)
	}
	_ = os.RemoveAll(c.dir)
}

// memory is a folder whose fsync costs nothing: these tests kill processes, never the machine. Empty: the usual one.
func memory() string {
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		return "/dev/shm"
	}
	return ""
}

// answers waits until the server takes connections.
func answers(ctx context.Context, url string) error {
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		c, err := pgx.Connect(ctx, url)
		if err == nil {
			return c.Close(ctx)
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// binaries returns the folder of initdb: in PATH, or the newest where Debian puts them.
func binaries() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("there is no initdb in PATH (%s) and none in /usr/lib/postgresql", strings.TrimSpace(os.Getenv("PATH")))
	}
	return filepath.Dir(found[len(found)-1]), nil
}
