//go:build linux

package pgtest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing"
)

// Port returns a loopback address that is tb's own: who connects is refused until somebody listens there, which any program may that is
// told to, as often as it likes; and the kernel gives the port to nobody who asks for a free one, as it would if the port were found and
// given back before it is used.
func Port(tb testing.TB) string {
	tb.Helper()
	port, free, err := holdPort()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(free)
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

// holdPort binds a socket to a port and never listens there. With SO_REUSEADDR on both sides others may bind it too, if they name it.
func holdPort() (port int, free func(), err error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, nil, os.NewSyscallError("socket", err)
	}
	free = sync.OnceFunc(func() { _ = syscall.Close(fd) })
	err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	if err == nil {
		err = syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	}
	var at syscall.Sockaddr
	if err == nil {
		at, err = syscall.Getsockname(fd)
	}
	address, ok := at.(*syscall.SockaddrInet4)
	if err == nil && !ok {
		err = errors.New("it has no address")
	}
	if err != nil {
		free()
		return 0, nil, fmt.Errorf("hold a port: %w", err)
	}
	return address.Port, free, nil
}
