package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/client"
)

// attack is one phase of `bench overload`: requests at a rate, or as fast as they are answered.
type attack struct {
	host        string
	requests    [][]byte
	connections int
	rate        float64 // 0: closed model
	length      time.Duration
	keep        bool // the receipts
	now         func() time.Time
}

// reaction is what came of it.
type reaction struct {
	accepted, refused histogram
	failed, unsent    int64 // unsent: no connection was free, all waited for an answer
	first             string
	seconds           float64
	receipts          []acknowledged
}

// acknowledged is an answer that promises something, to be held to it.
type acknowledged struct {
	org  daybook.OrgID
	body string
}

func (o *reaction) merge(p *reaction) {
	o.accepted.merge(&p.accepted)
	o.refused.merge(&p.refused)
	o.failed += p.failed
	o.receipts = append(o.receipts, p.receipts...)
	if o.first == "" {
		o.first = p.first
	}
}

func (a *attack) run(ctx context.Context) (*reaction, error) {
	p := &loop{requests: a.requests, now: a.now, from: a.now()}
	p.to = p.from.Add(a.length)
	var arrivals chan time.Time
	unsent := make(chan int64, 1)
	if a.rate > 0 {
		arrivals = make(chan time.Time)
		go func() { unsent <- a.arrive(ctx, p, arrivals) }()
	}
	parts := make([]reaction, a.connections)
	errs := make([]error, a.connections)
	var group sync.WaitGroup
	for i := range a.connections {
		group.Go(func() { errs[i] = a.connection(ctx, p, &parts[i], arrivals) })
	}
	group.Wait()
	all := &reaction{seconds: min(a.now().Sub(p.from), a.length).Seconds()}
	for i := range parts {
		all.merge(&parts[i])
	}
	if arrivals != nil {
		all.unsent = <-unsent
	}
	return all, errors.Join(errs...)
}

// arrive hands the intended starts to connections that are free, and returns how many found none.
func (a *attack) arrive(ctx context.Context, p *loop, arrivals chan<- time.Time) (unsent int64) {
	defer close(arrivals)
	every := time.Duration(float64(time.Second) / a.rate)
	for at := p.from; at.Before(p.to); at = at.Add(every) {
		if wait := at.Sub(a.now()); wait > 0 {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return unsent
			}
		}
		select {
		case arrivals <- at:
		default:
			unsent++
		}
	}
	return unsent
}

// connection sends requests until time is up. A connection that the server closes is opened again.
func (a *attack) connection(ctx context.Context, p *loop, o *reaction, arrivals <-chan time.Time) error {
	var c net.Conn
	var in *bufio.Reader
	defer func() {
		if c != nil {
			c.Close() //nolint:errcheck // nothing is left on it
		}
	}()
	for ctx.Err() == nil {
		intended := a.now()
		if arrivals != nil {
			var ok bool
			if intended, ok = <-arrivals; !ok {
				return nil
			}
		}
		if a.now().After(p.to) {
			return nil
		}
		if c == nil {
			var err error
			if c, err = (&net.Dialer{}).DialContext(ctx, "tcp", a.host); err != nil {
				return err
			}
			in = bufio.NewReaderSize(c, 4<<10)
		}
		request := p.requests[int(p.next.Add(1))%len(p.requests)]
		_, err := c.Write(request)
		var got answer
		if err == nil {
			got, err = readWhole(in, a.keep)
		}
		took := a.now().Sub(intended)
		switch {
		case err != nil:
			o.fail(err.Error())
		case got.status/100 == 2:
			o.accepted.add(took)
			if a.keep {
				o.receipts = append(o.receipts, acknowledged{orgOf(request), got.body})
			}
		case got.retry && (got.status == 429 || got.status == 503):
			o.refused.add(took)
		default:
			o.fail(strconv.Itoa(got.status) + " " + got.body)
		}
		if err != nil || got.last {
			c.Close() //nolint:errcheck // nothing is left on it
			c = nil
		}
	}
	return ctx.Err()
}

func (o *reaction) fail(why string) {
	o.failed++
	if o.first == "" {
		o.first = why
	}
}

// orgOf reads the organization from a request of ours.
func orgOf(request []byte) daybook.OrgID {
	_, rest, _ := bytes.Cut(request, []byte("\r\nDaybook-Org: "))
	org, _, _ := bytes.Cut(rest, []byte("\r\n"))
	return daybook.OrgID(org)
}

// receipt is what an answer promises of one event.
type receipt struct {
	ID       string `json:"id"`
	Seq      int64  `json:"seq"`
	LeafHash string `json:"leaf_hash"`
}

// heldTo looks up in the logs what answers have promised, and returns how many receipts there were and how many of them nothing stands
// behind.
func heldTo(ctx context.Context, c *client.Client, answers []acknowledged) (receipts, lost int64, err error) {
	promised := map[daybook.OrgID]map[int64]receipt{}
	for _, a := range answers {
		var batch struct {
			receipt
			Receipts []receipt `json:"receipts"`
		}
		if err := json.Unmarshal([]byte(a.body), &batch); err != nil {
			return 0, 0, fmt.Errorf("read a receipt: %w", err)
		}
		if batch.ID != "" {
			batch.Receipts = []receipt{batch.receipt}
		}
		of := promised[a.org]
		if of == nil {
			of = map[int64]receipt{}
			promised[a.org] = of
		}
		for _, r := range batch.Receipts {
			if other, twice := of[r.Seq]; twice && other != r {
				lost++ // two events on one place
			}
			of[r.Seq] = r
			receipts++
		}
	}
	for org, of := range promised {
		first, last := int64(-1), int64(-1)
		for seq := range of {
			if first < 0 || seq < first {
				first = seq
			}
			last = max(last, seq)
		}
		found := 0
		for entry, err := range c.All(ctx, client.Query{Org: org, Asc: true, Text: fmt.Sprintf("seq:%d..%d", first, last)}) {
			if err != nil {
				return receipts, lost, fmt.Errorf("read the log of %s: %w", org, err)
			}
			if r, ok := of[entry.Seq]; ok && r == (receipt{entry.ID, entry.Seq, entry.LeafHash}) {
				found++
			}
		}
		lost += int64(len(of) - found)
	}
	return receipts, lost, nil
}
