package load

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/daybook-audit/daybook/server/internal/madeup"
)

// Crowd is clients that want nothing, or take their time: each costs the server a connection.
type Crowd struct {
	Idle, Senders, Readers int // how many: with nothing to say; that send their body a byte a second; that read their answer so
	Now                    func() time.Time

	conns            []net.Conn
	senders, readers []net.Conn // of conns
	stop             context.CancelFunc
	done             sync.WaitGroup
}

// Gather opens the connections; idle ones have had one answer each. It is called once. Without an error [Crowd.Leave] must be called.
func (c *Crowd) Gather(ctx context.Context, host, key string) (err error) {
	defer func() {
		if err != nil {
			c.Leave()
		}
	}()
	for range c.Idle {
		if err := c.open(ctx, host, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", true); err != nil {
			return err
		}
	}
	org := madeup.OrgID(0)
	for range c.Senders {
		head := fmt.Sprintf("POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nDaybook-Org: %s\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n", key, org)
		if err := c.open(ctx, host, head, false); err != nil {
			return err
		}
	}
	c.senders = c.conns[c.Idle:len(c.conns):len(c.conns)]
	for range c.Readers {
		ask := fmt.Sprintf("GET /v1/events?limit=1000 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nDaybook-Org: %s\r\n\r\n", key, org)
		if err := c.open(ctx, host, ask, false); err != nil {
			return err
		}
	}
	c.readers = c.conns[c.Idle+c.Senders:]
	for _, conn := range c.readers { // the searching is over when a phase begins: what is measured is the reading
		if err := conn.SetReadDeadline(c.Now().Add(time.Minute)); err != nil {
			return err
		}
		if _, err := conn.Read(make([]byte, 1)); err != nil {
			return fmt.Errorf("wait for an answer that will be read slowly: %w", err)
		}
	}
	slowly, cancel := context.WithCancel(ctx)
	c.stop = cancel
	c.done.Go(func() { c.dawdle(slowly) })
	return nil
}

// open opens a connection with a small buffer for what comes, and sends text on it.
func (c *Crowd) open(ctx context.Context, host, text string, answered bool) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
	if err != nil {
		return fmt.Errorf("open connection %d: %w", len(c.conns)+1, err)
	}
	c.conns = append(c.conns, conn)
	if tcp, ok := conn.(*net.TCPConn); ok && !answered {
		if err := tcp.SetReadBuffer(4 << 10); err != nil {
			return err
		}
	}
	if _, err := conn.Write([]byte(text)); err != nil {
		return err
	}
	if answered {
		_, err = readAnswer(bufio.NewReaderSize(conn, 1<<10), false)
	}
	return err
}

// dawdle moves a byte a second on every slow connection until ctx ends. One that the server has given up is left alone.
func (c *Crowd) dawdle(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	one := make([]byte, 1)
	for {
		select {
		case <-ctx.Done():
			return
		case at := <-tick.C:
			for _, conn := range c.senders {
				_, _ = conn.Write([]byte(" "))
			}
			for _, conn := range c.readers {
				_ = conn.SetReadDeadline(at.Add(time.Second))
				_, _ = conn.Read(one)
			}
		}
	}
}

// Leave closes every connection.
func (c *Crowd) Leave() {
	if c.stop != nil {
		c.stop()
		c.done.Wait()
	}
	for _, conn := range c.conns {
		_ = conn.Close()
	}
}
