package main

import (
	"strings"
	"testing"

	"github.com/daybook-audit/daybook/server/internal/config"
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
		key, err := masterKey(&config.Config{DB: t.TempDir() + "/daybook.db", MasterKey: text}, false)
		if (err == nil) != ok || ok && (len(key) != 32 || key[31] != 31) {
			t.Errorf("%q: %v", text, err)
		}
		if err != nil && len(text) > 5 && strings.Contains(err.Error(), text) {
			t.Errorf("the error shows the key: %v", err)
		}
	}
}
