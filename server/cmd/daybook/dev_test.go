package main

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/storetest"
)

// TestDevKey: the key in dev.key is kept as long as it opens everything; in the place of one that does not, a new one is made.
func TestDevKey(t *testing.T) {
	t.Parallel()
	store := storetest.Memory()
	now := fixedNow()
	e := newEnv(nil, io.Discard, io.Discard, func(string) string { return "" })
	e.now = func() time.Time { return now }
	keys := control.NewKeys(store, e.now)
	create := func(n control.NewKey) (id, secret string) {
		if n.Scopes == nil {
			n.Scopes = auth.All.Words()
		}
		k, secret, err := keys.Create(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		return k.ID, secret
	}
	_, good := create(control.NewKey{})
	_, ofOne := create(control.NewKey{Org: "org_acme", Scopes: []string{"read"}})
	_, short := create(control.NewKey{ExpiresAt: now.Add(time.Hour)})
	_, narrow := create(control.NewKey{Scopes: []string{"record", "read"}})
	gone, revoked := create(control.NewKey{})
	if _, err := keys.Revoke(t.Context(), gone, func(*control.Key) bool { return true }); err != nil {
		t.Fatal(err)
	}
	_, unknown, err := control.NewKeys(storetest.Memory(), e.now).Create(t.Context(), control.NewKey{Scopes: []string{"read"}})
	if err != nil {
		t.Fatal(err)
	}
	now = now.Add(2 * time.Hour) // short is over
	for name, had := range map[string]string{
		"valid": good, "of one organization": ofOne, "with few scopes": narrow, "expired": short, "revoked": revoked, "of another store": unknown, "no key": "dbk_x", "empty": "", "no file": "-",
	} {
		path := filepath.Join(t.TempDir(), "dev.key")
		if had != "-" {
			if err := os.WriteFile(path, []byte(had+"\n"), 0o644); err != nil { // others may read it: until now
				t.Fatal(err)
			}
		}
		got, err := e.devKey(t.Context(), &Main{}, store, path)
		if err != nil || (got == had) != (name == "valid") {
			t.Errorf("%s: the key is kept: %v, %v", name, got == had, err)
			continue
		}
		text, err := os.ReadFile(path)
		info, err2 := os.Stat(path)
		if err != nil || err2 != nil || strings.TrimSpace(string(text)) != got || info.Mode() != fs.FileMode(0o600) {
			t.Errorf("%s: the file holds %q (%v, %v)", name, text, err, err2)
		}
		principal, err := auth.New(keys, auth.Options{Now: e.now}).Principal(t.Context(), "Bearer "+got)
		if err != nil || principal.Org != "" || principal.Scopes != auth.All {
			t.Errorf("%s: the key opens %+v, %v", name, principal, err)
		}
	}
}
