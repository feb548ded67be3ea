package postgres_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/pgtest"
	"github.com/daybook-audit/daybook/postgres"
)

// put writes a file beside the data of a server, as the server wants it.
func put(t *testing.T, server *pgtest.Server, name string, text []byte) {
	t.Helper()
	path := filepath.Join(server.Data(), name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(server.Data())
	if err != nil {
		t.Fatal(err)
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok {
		if err := os.Chown(path, int(owner.Uid), int(owner.Gid)); err != nil {
			t.Fatal(err)
		}
	}
}

// certify gives a server a certificate for 127.0.0.1, and returns a file with it.
func certify(t *testing.T, server *pgtest.Server) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	put(t, server, "server.crt", text)
	put(t, server, "server.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	file := filepath.Join(t.TempDir(), "root.crt")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// until repeats f until it returns nil.
func until(t *testing.T, f func() error) {
	t.Helper()
	err := f()
	for tick, limit := time.NewTicker(50*time.Millisecond), time.Now().Add(3*time.Minute); err != nil; err = f() {
		if <-tick.C; time.Now().After(limit) {
			t.Fatal(err)
		}
	}
}

// A password that changes while Daybook runs is read anew; TLS is what the address says; and who is refused learns why, and never reads a
// password.
func TestOpen_passwordAndTLS(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgtest.Options{TCP: true})
	database := server.Database(t)
	root := certify(t, server)
	put(t, server, "pg_hba.conf", []byte("local all all trust\nhost all secret 127.0.0.1/32 scram-sha-256\nhostssl all tls 127.0.0.1/32 trust\n"))
	server.SQL(t, database, "ALTER SYSTEM SET ssl = on")
	server.SQL(t, database, "CREATE ROLE secret LOGIN SUPERUSER PASSWORD 'correct horse'; CREATE ROLE tls LOGIN SUPERUSER")
	server.SQL(t, database, "SELECT pg_reload_conf()")
	file := filepath.Join(t.TempDir(), "password")
	password := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	address := func(role, base, more string) string {
		return "postgres://" + role + "@" + server.TCP() + "/" + base + more
	}
	o := postgres.Options{Shards: 1, PasswordFile: file}
	until(t, func() error { // the server has read its files
		s, err := postgres.Open(t.Context(), address("tls", database, "?sslmode=verify-full&sslrootcert="+root), postgres.Options{Shards: 1})
		if err == nil {
			err = s.Close()
		}
		return err
	})
	for _, x := range []struct{ url, word, words string }{
		{address("secret", database, "?sslmode=disable"), "battery staple", "password"},
		{address("secret:hunter2", database, "?sslmode=disable"), "battery staple", "password"},
		{address("secret", "nowhere", "?sslmode=disable"), "correct horse", "make the database"},
		{address("tls", database, "?sslmode=disable"), "", "sslmode=require"},
		{address("tls", database, "?sslmode=verify-full"), "", "certificate"},
		{address("nobody", database, "?sslmode=disable"), "", "pg_hba.conf"},
	} {
		password(x.word)
		s, err := postgres.Open(t.Context(), x.url, o)
		if err == nil {
			t.Fatalf("%s: it opened: %v", x.url, s.Close())
		}
		if !strings.Contains(err.Error(), x.words) || strings.Contains(err.Error(), "hunter2") || x.word != "" && strings.Contains(err.Error(), x.word) {
			t.Errorf("%s: %v", x.url, err)
		}
	}
	password("correct horse")
	s, err := postgres.Open(t.Context(), address("secret", database, "?sslmode=disable"), o)
	if err != nil {
		t.Fatal(err)
	}
	shut(t, s)
	server.SQL(t, database, "ALTER ROLE secret PASSWORD 'battery staple'")
	password("battery staple")
	server.SQL(t, database, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'secret'")
	c := commitOf(0, 0, 100)
	until(t, func() error { return s.Append(t.Context(), c) })
}

// The server's settings are looked at with every commit: what would be lost in a crash is refused, and taken when the setting is right.
func TestAppend_unsafeServer(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgtest.Options{})
	url := server.New(t)
	s, err := postgres.Open(t.Context(), url, postgres.Options{Shards: 1})
	if err != nil {
		t.Fatal(err)
	}
	shut(t, s)
	c := commitOf(0, 0, 100)
	for _, name := range []string{"fsync", "full_page_writes"} {
		server.SQL(t, "postgres", "ALTER SYSTEM SET "+name+" = off")
		server.SQL(t, "postgres", "SELECT pg_reload_conf()")
		until(t, func() error { // the backends have read it
			if err := s.Append(t.Context(), c); err == nil || !strings.Contains(err.Error(), name+" = off") {
				c = commitOf(0, c.Prev+1, 100)
				return errors.Join(errors.New("it was taken"), err)
			}
			return nil
		})
		if other, err := postgres.Open(t.Context(), url, postgres.Options{}); err == nil || !strings.Contains(err.Error(), name+" = off") {
			t.Errorf("opened with %s = off: %v, %v", name, other, err)
		}
		r, err := postgres.Open(t.Context(), url, postgres.Options{ReadOnly: true}) // which loses nothing
		if err != nil {
			t.Fatal(err)
		}
		shut(t, r)
		server.SQL(t, "postgres", "ALTER SYSTEM RESET "+name)
		server.SQL(t, "postgres", "SELECT pg_reload_conf()")
		until(t, func() error { return s.Append(t.Context(), c) })
		c = commitOf(0, c.Prev+1, 100)
	}
}

// A commit whose wait for a synchronous standby is cut short is reported by the server as done. It is not: nobody knows.
func TestAppend_unreplicated(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgtest.Options{})
	s, err := postgres.Open(t.Context(), server.New(t), postgres.Options{Shards: 1})
	if err != nil {
		t.Fatal(err)
	}
	shut(t, s)
	server.SQL(t, "postgres", "ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
	server.SQL(t, "postgres", "SELECT pg_reload_conf()")
	until(t, func() error {
		if server.SQL(t, "postgres", "SHOW synchronous_standby_names") != "nobody" {
			return errors.New("the setting is not there yet")
		}
		return nil
	})
	c := commitOf(0, 0, 100)
	outcome := make(chan error, 1)
	go func() {
		for {
			err := s.Append(t.Context(), c)
			if err != nil || t.Context().Err() != nil {
				outcome <- err
				return
			}
			c = commitOf(0, c.Prev+1, 100) // its backend has not read the setting yet
		}
	}()
	until(t, func() error {
		server.SQL(t, "postgres", "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
		select {
		case err = <-outcome:
			return nil
		default:
			return errors.New("it waits for its standby")
		}
	})
	if err == nil || !strings.Contains(err.Error(), "standby") {
		t.Fatalf("error is %v", err)
	}
	server.SQL(t, "postgres", "ALTER SYSTEM RESET synchronous_standby_names")
	server.SQL(t, "postgres", "SELECT pg_reload_conf()")
	until(t, func() error { return s.Append(t.Context(), c) }) // the same commit: it is there
	if tail, err := s.Tail(t.Context(), 0, 0, 1<<20); err != nil || tail.Last != c.Prev+1 {
		t.Errorf("%d commits, %v", tail.Last, err)
	}
}

// A store outlives its server's restart, and a standby is read and never written.
func TestStore_restartAndStandby(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgtest.Options{})
	s, err := postgres.Open(t.Context(), server.New(t), postgres.Options{Shards: 1})
	if err != nil {
		t.Fatal(err)
	}
	shut(t, s)
	appendTo(t, s, 0, 0)
	seen := watch(t, s, nil)
	server.Kill(syscall.SIGINT)
	c := commitOf(0, 1, 100)
	if err := s.Append(t.Context(), c); err == nil {
		t.Fatal("a server that is not there took a commit")
	}
	copied := filepath.Join(filepath.Dir(server.Folder()), filepath.Base(server.Folder())+"-copy")
	if err := os.CopyFS(copied, os.DirFS(server.Data())); err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, func() error { return s.Append(t.Context(), c) })
	if places := watch(t, s, seen); places[0].Last != 2 {
		t.Errorf("%+v", places)
	}

	if err := os.WriteFile(filepath.Join(copied, "standby.signal"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	own(t, server.Data(), copied)
	standby := pgtest.Start(t, pgtest.Options{Data: copied, Settings: []string{"hot_standby=on"}})
	url := standby.URL("test_1")
	if s, err := postgres.Open(t.Context(), url, postgres.Options{}); err == nil || !strings.Contains(err.Error(), "standby") {
		t.Errorf("%v, %v", s, err)
	}
	r, err := postgres.Open(t.Context(), url, postgres.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	shut(t, r)
	if tail, err := r.Tail(t.Context(), 0, 0, 1<<20); err != nil || tail.Last != 1 || len(tail.Rows) != 1 {
		t.Errorf("%+v, %v", tail, err)
	}
	if err := r.Append(t.Context(), c); !errors.Is(err, postgres.ErrReadOnly) {
		t.Errorf("Append: %v", err)
	}
	if _, err := r.Watch(t.Context(), []daybook.Place{}); err != nil {
		t.Errorf("Watch: %v", err)
	}
}

// own gives a copied folder to the owner of the original, with its rights.
func own(t *testing.T, original, copied string) {
	t.Helper()
	info, err := os.Stat(original)
	if err != nil {
		t.Fatal(err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		t.Fatal("no owner")
	}
	err = filepath.Walk(copied, func(path string, info os.FileInfo, err error) error {
		mode := os.FileMode(0o600)
		if err == nil && info.IsDir() {
			mode = 0o700
		}
		return errors.Join(err, os.Chmod(path, mode), os.Lchown(path, int(owner.Uid), int(owner.Gid)))
	})
	if err != nil {
		t.Fatal(err)
	}
}
