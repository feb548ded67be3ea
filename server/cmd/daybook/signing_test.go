package main

import (
	"context"
	"strings"
	"testing"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/config"
	"github.com/daybook-audit/daybook/storetest"
)

func TestWitnesses(t *testing.T) {
	t.Parallel()
	const vkey = "witness.example.com/w1+e8a1b2c3+BAatBBD9srVwN21ogZ9cxgLHpBDoAcTPnmYRcYrgBtTn"
	c := &config.Config{AnchorTo: []string{"folder:/mnt/anchors", "post:https://x.example.com/in?token=secret", "timestamp:http://tsa.example.com /mnt/stamps"}}
	ws, err := witnesses(c)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, w := range ws {
		names = append(names, w.Name())
	}
	if got := strings.Join(names, ", "); got != "folder /mnt/anchors, post x.example.com, timestamp tsa.example.com" {
		t.Errorf("got %s", got)
	}
	for _, wrong := range []string{
		"", "folder:", "folder:a b", "post:ftp://x", "post:https://x y", "timestamp:https://x", "witness:https://x", "witness:https://x " + vkey, "mail:a@b",
	} {
		if _, err := witnesses(&config.Config{AnchorTo: []string{wrong}}); err == nil {
			t.Errorf("%q was taken", wrong)
		}
	}
}

func TestMasterKey(t *testing.T) {
	t.Parallel()
	const right = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	for text, ok := range map[string]bool{
		right: true, right + "\n": true, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f": true,
		"": false, "secret": false, right[:40]: false, right + right: false,
	} {
		key, _, err := masterKey(&config.Config{DB: t.TempDir() + "/daybook.db", MasterKey: text}, false)
		if (err == nil) != ok || ok && (len(key) != 32 || key[31] != 31) {
			t.Errorf("%q: %v", text, err)
		}
		if err != nil && len(text) > 5 && strings.Contains(err.Error(), text) {
			t.Errorf("the error shows the key: %v", err)
		}
	}
}

// TestMakeMasterKey: of many that make the key at once one does, and all of them have the same.
func TestMakeMasterKey(t *testing.T) {
	t.Parallel()
	c := &config.Config{DB: t.TempDir() + "/daybook.db"}
	type outcome struct {
		key, made string
		err       error
	}
	outcomes := make(chan outcome)
	const nodes = 8
	for range nodes {
		go func() {
			key, made, err := masterKey(c, true)
			outcomes <- outcome{string(key), made, err}
		}()
	}
	keys, made := map[string]bool{}, 0
	for range nodes {
		o := <-outcomes
		if o.err != nil {
			t.Fatal(o.err)
		}
		keys[o.key] = true
		if o.made != "" {
			made++
		}
	}
	if len(keys) != 1 || made != 1 {
		t.Errorf("%d keys, made %d times", len(keys), made)
	}
	if _, _, err := masterKey(&config.Config{DB: t.TempDir() + "/daybook.db"}, false); err == nil {
		t.Error("a key was made that the logs were not signed with")
	}
}

// TestOtherMasterKey: a node with a key of its own is refused, whether the first one has signed or only just made its key, and what it
// made itself is gone.
func TestOtherMasterKey(t *testing.T) {
	t.Parallel()
	docs := storetest.Memory()
	first := &config.Config{DB: t.TempDir() + "/daybook.db", Origin: "audit.example.com"}
	s, err := openSigning(t.Context(), first, docs, signingOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	second := &config.Config{DB: t.TempDir() + "/daybook.db", Origin: "audit.example.com"}
	if _, err := openSigning(t.Context(), second, docs, signingOptions{}); err == nil || !strings.Contains(err.Error(), "there is no master key") {
		t.Errorf("without a key: %v", err)
	}
	// It looked before the first one had stored anything.
	if _, err := openSigning(t.Context(), second, &late{Documents: docs}, signingOptions{}); err == nil || !strings.Contains(err.Error(), "another master key") {
		t.Errorf("at the same moment: %v", err)
	}
	if isThere(masterKeyPath(second)) {
		t.Error("a key is left that nothing was signed with")
	}
	if err := makeMasterKey(masterKeyPath(second)); err != nil {
		t.Fatal(err)
	}
	if _, err := openSigning(t.Context(), second, docs, signingOptions{}); err == nil || !strings.Contains(err.Error(), "another master key") {
		t.Errorf("with another key: %v", err)
	}
}

// late is Documents whose first look comes before anything was stored.
type late struct {
	daybook.Documents
	looked bool
}

func (l *late) Get(ctx context.Context, kind string, org daybook.OrgID, id string) (daybook.Document, error) {
	if !l.looked {
		l.looked = true
		return daybook.Document{}, daybook.ErrNotExist
	}
	return l.Documents.Get(ctx, kind, org, id)
}
