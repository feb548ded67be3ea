//go:build linux

package pgtest_test

import (
	"errors"
	"net"
	"syscall"
	"testing"

	"github.com/daybook-audit/daybook/internal/pgtest"
)

// A port that is held refuses, takes a listener, refuses again and takes the next, and is given to nobody who asks for any.
func TestPort(t *testing.T) {
	t.Parallel()
	address := pgtest.Port(t)
	for range 3 {
		if c, err := net.Dial("tcp", address); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatalf("%v, %v", c, err)
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		taken, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		for _, end := range []interface{ Close() error }{taken, c, l} { // the server's end first: it stays in TIME_WAIT
			if err := end.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	for range 200 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		if l.Addr().String() == address {
			t.Fatalf("%s was given to another", address)
		}
	}
}
