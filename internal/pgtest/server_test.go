//go:build linux

package pgtest_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/daybook-audit/daybook/internal/pgtest"
)

func TestMain(m *testing.M) {
	if os.Getenv("PGTEST_CHILD") != "" {
		s, err := pgtest.ForMain()
		fmt.Println(s.Folder(), err)
		select {} // until it is killed
	}
	os.Exit(m.Run())
}

// What was committed before a server was killed is there when it has started again, and nothing is left of it in the end.
func TestServer(t *testing.T) {
	t.Parallel()
	var folder string
	t.Run("a server of its own", func(t *testing.T) {
		s := pgtest.Start(t, pgtest.Options{TCP: true, Settings: []string{"max_connections=17"}})
		folder = s.Folder()
		base := s.Database(t)
		s.SQL(t, base, "CREATE TABLE x (n int)")
		for n, how := range []syscall.Signal{syscall.SIGKILL, syscall.SIGQUIT, syscall.SIGINT} {
			s.SQL(t, base, "INSERT INTO x VALUES (1)")
			s.Kill(how)
			if c, err := net.Dial("tcp", s.TCP()); err == nil {
				t.Errorf("after %s it listens", how)
				_ = c.Close()
			}
			if err := s.Start(); err != nil {
				t.Fatal(err)
			}
			if got := s.SQL(t, base, "SELECT count(*) FROM x"); got != strconv.Itoa(n+1) {
				t.Errorf("after %s there are %s rows", how, got)
			}
		}
		if got := s.SQL(t, base, "SELECT current_setting('max_connections'), current_setting('fsync'), current_user"); got != "17|on|daybook" {
			t.Errorf("settings: %s", got)
		}
		c, err := net.Dial("tcp", s.TCP())
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
	})
	if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is left: %v", folder, err)
	}
}

func TestShared(t *testing.T) {
	t.Parallel()
	s := pgtest.Shared(t)
	if pgtest.Shared(t) != s {
		t.Error("there are two")
	}
	if one, two := s.New(t), s.New(t); one == two || !strings.HasPrefix(one, "postgres://") {
		t.Errorf("addresses %s and %s", one, two)
	}
}

// A test that dies with SIGKILL leaves neither a server nor a folder.
func TestStart_killed(t *testing.T) {
	t.Parallel()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Env = append(os.Environ(), "PGTEST_CHILD=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	folder := make([]byte, 200)
	n, err := out.Read(folder)
	if err != nil {
		t.Fatal(err)
	}
	folder, _, _ = bytes.Cut(folder[:n], []byte(" "))
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	tick, limit := time.NewTicker(10*time.Millisecond), time.After(3*time.Minute)
	defer tick.Stop()
	for {
		if _, err := os.Stat(string(folder)); errors.Is(err, fs.ErrNotExist) {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("%s is left", folder)
		}
	}
}
