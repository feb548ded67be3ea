package postgres_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/postgres"
	"github.com/daybook-audit/daybook/storetest"
)

// startPooler starts a PgBouncer in transaction mode before the server that the tests share, and returns its address. It has ten
// connections for everybody.
func startPooler(t *testing.T) string {
	t.Helper()
	folder := strings.TrimPrefix(strings.Fields(server.url)[0], "host=")
	dir := filepath.Join(folder, "pooler")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"users": fmt.Sprintf("%q \"\"\n%q \"\"\n%q \"\"\n", "daybook", ownerRole, appRole),
		"pgbouncer.ini": "[databases]\n* = host=" + folder + "\n[pgbouncer]\npool_mode = transaction\nlisten_addr =\nunix_socket_dir = " + dir +
			"\nauth_type = trust\nauth_file = " + filepath.Join(dir, "users") + "\nmax_client_conn = 2000\ndefault_pool_size = 10\nlogfile = " + filepath.Join(dir, "log") + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		program = "/usr/sbin/pgbouncer"
	}
	cmd := exec.Command(program, "-q", filepath.Join(dir, "pgbouncer.ini"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Getuid() == 0 { // it refuses root
		u, err := user.Lookup("postgres")
		if err != nil {
			t.Fatal(err)
		}
		uid, _ := strconv.ParseUint(u.Uid, 10, 32)
		gid, _ := strconv.ParseUint(u.Gid, 10, 32)
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(dir, int(uid), int(gid)); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start PgBouncer (tools/install-test-needs installs it): %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	url := "host=" + dir + " port=6432 user=daybook dbname=postgres"
	for tick, limit := time.NewTicker(20*time.Millisecond), time.Now().Add(3*time.Minute); ; <-tick.C {
		c, err := pgx.Connect(t.Context(), url)
		if err == nil {
			_ = c.Close(t.Context())
			return url
		}
		if time.Now().After(limit) {
			text, _ := os.ReadFile(filepath.Join(dir, "log"))
			t.Fatalf("PgBouncer does not answer: %v\n%s", err, text)
		}
	}
}

// Behind a pooler that gives each transaction another connection everything is as without: the promises of a store and of a fleet, made by
// the role that serves, and a Book.
func TestPooler(t *testing.T) {
	t.Parallel()
	url := startPooler(t)
	if err := makeRoles(); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	names := map[testing.TB]string{}
	open := func(tb testing.TB) daybook.Store {
		tb.Helper()
		mu.Lock()
		defer mu.Unlock()
		if names[tb] == "" {
			names[tb] = newSchema(tb)
			s, err := postgres.Open(tb.Context(), strings.Replace(url, "user=daybook", "user="+ownerRole, 1), postgres.Options{Schema: names[tb], Shards: 1})
			if err != nil {
				tb.Fatal(err)
			}
			if err := s.Close(); err != nil {
				tb.Fatal(err)
			}
			run(tb, connect(tb, names[tb]), "SELECT let_serve($1)", appRole)
		}
		s, err := postgres.Open(tb.Context(), strings.Replace(url, "user=daybook", "user="+appRole, 1), postgres.Options{Schema: names[tb]})
		if err != nil {
			tb.Fatal(err)
		}
		if !postgres.Pooled(s) || !postgres.Walled(s) {
			tb.Errorf("pooled %v, walled %v", postgres.Pooled(s), postgres.Walled(s))
		}
		return s
	}
	t.Run("Store", func(t *testing.T) { storetest.Run(t, open) })
	t.Run("Fleet", func(t *testing.T) { storetest.RunFleet(t, open) })
	t.Run("Book", func(t *testing.T) {
		t.Parallel()
		h := storetest.NewHistory(storetest.Load{Seed: rand.Uint64(), Start: time.Now().UnixMicro(), Writers: 4, Orgs: 5})
		s := open(t)
		b, err := daybook.Open(t.Context(), s, busy())
		if err != nil {
			t.Fatal(err)
		}
		write(t, b, h, 20)
		if err := b.Settle(t.Context()); err != nil {
			t.Error(err)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		h.Check(t, s)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Run("HighWater", func(t *testing.T) {
		t.Parallel()
		storetest.RunHighWater(t, func(tb testing.TB) daybook.HighWater {
			tb.Helper()
			mu.Lock()
			defer mu.Unlock()
			if names[tb] == "" {
				names[tb] = newSchema(tb)
			}
			h, err := postgres.OpenHighWater(tb.Context(), url, postgres.HighWaterOptions{Schema: names[tb]})
			if err != nil {
				tb.Fatal(err)
			}
			tb.Cleanup(func() { _ = h.Close() })
			return h
		})
	})
}
