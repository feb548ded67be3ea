//go:build linux

package pgtest

import (
	"net"
	"slices"
	"sync"
	"testing"
	"time"
)

// A Fault is what is wrong with a [Link].
type Fault int

// The faults of a link.
const (
	Up       Fault = iota // nothing
	Down                  // connections are reset, new ones too
	HalfOpen              // what is sent arrives nowhere, and nobody is told; when the link is up again it arrives, late
	Slow                  // a quarter of a KiB every 20 ms in each direction of each connection
)

// Link is a way to a server over TCP on which something can be wrong. Its methods may be called concurrently.
type Link struct {
	listener net.Listener
	to       string

	mu      sync.Mutex
	fault   Fault
	changed chan struct{}     // closed when fault changes
	open    map[net.Conn]bool // both ends of every connection
}

// NewLink returns a link to an address, up, that ends with tb.
func NewLink(tb testing.TB, to string) *Link {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	l := &Link{listener: listener, to: to, changed: make(chan struct{}), open: map[net.Conn]bool{}}
	go l.accept()
	tb.Cleanup(func() {
		_ = listener.Close()
		l.Set(Down)
	})
	return l
}

// Addr is where the link begins.
func (l *Link) Addr() string { return l.listener.Addr().String() }

// Set makes something wrong with the link, or mends it.
func (l *Link) Set(f Fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault = f
	close(l.changed)
	l.changed = make(chan struct{})
	if f != Down {
		return
	}
	for c := range l.open {
		reset(c)
	}
}

func (l *Link) now() (Fault, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fault, l.changed
}

func (l *Link) accept() {
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return
		}
		go l.join(near)
	}
}

// join connects near with the server.
func (l *Link) join(near net.Conn) {
	far, err := net.Dial("tcp", l.to)
	if err != nil {
		reset(near)
		return
	}
	l.mu.Lock()
	if l.open[near], l.open[far] = true, true; l.fault == Down {
		reset(near)
		reset(far)
	}
	l.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { l.carry(far, near) })
	both.Go(func() { l.carry(near, far) })
	both.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, near)
	delete(l.open, far)
}

// carry carries what from says to to, as well as the link can.
func (l *Link) carry(to, from net.Conn) {
	defer func() {
		_ = to.Close()
		_ = from.Close()
	}()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		for part := range slices.Chunk(buffer[:n], 256) {
			f, changed := l.now()
			switch f {
			case HalfOpen:
				<-changed // to another fault than this
			case Slow:
				<-time.After(20 * time.Millisecond)
			default:
			}
			if _, err := to.Write(part); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// reset ends a connection without a word.
func reset(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = c.Close()
}
