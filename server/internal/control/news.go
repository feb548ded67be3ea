package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/daybook-audit/daybook"
)

// newsID is the document whose version grows with everything that the other nodes of a store must hear of at once.
const newsID = "news"

// tell lets the other nodes know that something they may remember holds no longer: a key, an organization.
func tell(ctx context.Context, docs daybook.Documents) error {
	for {
		d, err := docs.Get(ctx, kindInstance, "", newsID)
		if errors.Is(err, daybook.ErrNotExist) {
			d = daybook.Document{Kind: kindInstance, ID: newsID}
		} else if err != nil {
			return fmt.Errorf("tell the other nodes: %w", err)
		}
		d.Data = json.RawMessage(`{}`)
		_, err = docs.Put(ctx, d)
		if err == nil {
			return nil
		}
		if !errors.Is(err, daybook.ErrVersionMoved) {
			return fmt.Errorf("tell the other nodes: %w", err)
		}
	}
}

// Bounds of how late a node hears of the others.
const (
	heedEvery = 500 * time.Millisecond
	heedAgain = time.Minute // without any news, since whoever had some may have ended before it could tell

	heedFor = 2 * time.Second // how long the store may take to say what there is, before what is remembered holds on
)

// News is how a node hears that it must not believe any longer what it remembers: a key was revoked, an organization is being erased, by
// another node. Whoever answers a request heeds it first: what was told half a second before the request, and the time of one read, is
// known then, also to a node that was frozen meanwhile. While the store does not answer, what is remembered holds on for as long as it
// says of itself. Safe for concurrent use; the nil News has none.
type News struct {
	docs  daybook.Documents
	now   func() time.Time
	heard []func(ctx context.Context) error

	due atomic.Int64 // µs since 1970: when the store is to be asked again

	turn     chan struct{} // one slot: of whoever asks; guards what follows
	version  int64         // of the document
	again    time.Time
	failed   error // what could not be heard when that was last tried, at
	failedAt time.Time
}

// NewNews returns the news of the nodes that keep their documents in docs. Each of heard is called when there are some, and once a minute.
func NewNews(docs daybook.Documents, now func() time.Time, heard ...func(ctx context.Context) error) *News {
	return &News{docs: docs, now: now, heard: heard, version: -1, turn: make(chan struct{}, 1)}
}

// Heed hears what there is to hear, unless somebody has just done so. It fails when there was something and it could not be heard: the
// next call tries again, and those that waited meanwhile have failed with it.
func (n *News) Heed(ctx context.Context) error {
	if n == nil {
		return nil
	}
	now := n.now()
	late := now.UnixMicro() - n.due.Load()
	if late < 0 {
		return nil
	}
	select {
	case n.turn <- struct{}{}:
	default:
		if late < heedEvery.Microseconds() { // one asks, the others need not wait for that
			return nil
		}
		select {
		case n.turn <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	defer func() { <-n.turn }()
	switch {
	case now.UnixMicro() < n.due.Load(): // somebody has asked while this one waited
		return nil
	case n.failedAt.After(now):
		return n.failed
	}
	err := n.ask(ctx, now)
	if err != nil {
		n.failed, n.failedAt = err, n.now()
	}
	return err
}

// ask asks the store. The caller has the turn, and others wait for it: that its request ends does not matter, and a store that says nothing is
// not asked by one after the other.
func (n *News) ask(ctx context.Context, now time.Time) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), heedFor)
	defer cancel()
	var version int64
	switch d, err := n.docs.Get(ctx, kindInstance, "", newsID); {
	case err == nil:
		version = d.Version
	case !errors.Is(err, daybook.ErrNotExist):
		n.due.Store(n.now().Add(heedEvery).UnixMicro())
		return nil // what is remembered holds on, and whoever needs more asks the store itself
	}
	if version == n.version && now.Before(n.again) {
		n.due.Store(now.Add(heedEvery).UnixMicro())
		return nil
	}
	for _, hear := range n.heard {
		if err := hear(ctx); err != nil {
			return fmt.Errorf("hear of the other nodes: %w", err)
		}
	}
	n.version, n.again = version, now.Add(heedAgain)
	n.due.Store(now.Add(heedEvery).UnixMicro())
	return nil
}
