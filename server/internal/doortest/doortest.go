// Package doortest is what the tests of the doors and formats share: a book in memory with keys to it, and golden files.
package doortest

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/storetest"
)

var update = flag.Bool("update", false, "write the golden files")

// Golden compares got with testdata/NAME.golden, which -update writes instead.
func Golden(tb testing.TB, name, got string) {
	tb.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			tb.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		tb.Errorf("%s (-update writes it) -want +got:\n%s", path, diff)
	}
}

// Base is what a door stands on. It is over when its test is.
type Base struct {
	*storetest.Clock
	Store *storetest.MemoryStore
	Book  *daybook.Book
	Keys  *control.Keys
	Orgs  *control.Orgs
	Auth  *auth.Authenticator

	tb testing.TB
}

// New opens a book over store. The clock is that of o and a as well.
func New(tb testing.TB, clock *storetest.Clock, store *storetest.MemoryStore, o daybook.Options, a auth.Options) *Base {
	tb.Helper()
	o.Now, a.Now = clock.Now, clock.Now
	b := &Base{Clock: clock, Store: store, Keys: control.NewKeys(store, clock.Now), Orgs: control.NewOrgs(store, clock.Now), tb: tb}
	var err error
	if b.Book, err = daybook.Open(tb.Context(), store, o); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := b.Book.Close(); err != nil {
			tb.Error(err)
		}
	})
	b.Auth = auth.New(b.Keys, a)
	tb.Cleanup(b.Auth.Close)
	return b
}

// Key makes a key of an organization, or of all when org is empty.
func (b *Base) Key(org daybook.OrgID, scopes ...string) string {
	b.tb.Helper()
	return b.NewKey(control.NewKey{Org: org, Name: "app", Scopes: scopes})
}

// NewKey makes a key.
func (b *Base) NewKey(k control.NewKey) string {
	b.tb.Helper()
	_, secret, err := b.Keys.Create(b.tb.Context(), k)
	if err != nil {
		b.tb.Fatal(err)
	}
	return secret
}

// Entries returns what stands in a log, oldest first.
func (b *Base) Entries(org daybook.OrgID) []string {
	b.tb.Helper()
	var list []string
	for e, err := range b.Book.Events(b.tb.Context(), daybook.EventQuery{Org: org, Asc: true}) {
		if err != nil {
			b.tb.Fatal(err)
		}
		list = append(list, string(e.Payload))
	}
	return list
}
