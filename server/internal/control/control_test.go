package control_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/storetest"
)

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 11, 21, 14, 22, 7, 402118000, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func rule(err error) string {
	if e, ok := errors.AsType[*daybook.Error](err); ok {
		return e.RuleName()
	}
	return ""
}

func TestKeys(t *testing.T) {
	t.Parallel()
	ctx, docs, clock := t.Context(), storetest.Memory(), newClock()
	keys := control.NewKeys(docs, clock.now)
	key, secret, err := keys.Create(ctx, control.NewKey{Name: "ci", Org: "org_acme", Scopes: []string{"record"}, ExpiresAt: clock.now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if len(secret) != 63 || !strings.HasPrefix(secret, "dbk_") {
		t.Errorf("the text %q has not the form of a key", secret)
	}
	hash, ok := control.HashSecret(secret)
	if sum := sha256.Sum256([]byte(secret)); !ok || hash != sum {
		t.Error("the hash is not the SHA-256 of the whole text")
	}
	found, err := keys.Find(ctx, hash)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(key, found); diff != "" {
		t.Errorf("what was stored is not what was made:\n%s", diff)
	}
	if !found.Valid(clock.now()) || found.Valid(clock.now().Add(time.Hour)) {
		t.Error("the key ends at another time than asked")
	}

	t.Run("text_is_nowhere", func(t *testing.T) {
		list, err := docs.List(ctx, "key", "", "", 10)
		if err != nil || len(list) != 1 {
			t.Fatal(len(list), err)
		}
		if bytes.Contains(list[0].Data, []byte(secret[4:20])) || list[0].ID != hex.EncodeToString(hash[:]) {
			t.Errorf("the document holds more than the hash: %s %s", list[0].ID, list[0].Data)
		}
	})
	t.Run("used_once_a_minute", func(t *testing.T) {
		version := func() int64 {
			d, err := docs.Get(ctx, "key", "", hash.String())
			if err != nil {
				t.Fatal(err)
			}
			return d.Version
		}
		first := version()
		for _, wait := range []time.Duration{0, 0, 59 * time.Second, time.Second, 0} {
			clock.add(wait)
			if err := keys.Used(ctx, hash); err != nil {
				t.Fatal(err)
			}
		}
		if n := version() - first; n != 2 {
			t.Errorf("written %d times in a minute and a second", n)
		}
	})
	t.Run("revoke_twice", func(t *testing.T) {
		at := clock.now()
		for range 2 {
			revoked, err := keys.Revoke(ctx, key.ID, func(*control.Key) bool { return true })
			if err != nil || !revoked.RevokedAt.Equal(at) || revoked.Valid(at) {
				t.Errorf("revoked: %+v, %v", revoked, err)
			}
			clock.add(time.Second)
		}
	})
	t.Run("revoke_of_another", func(t *testing.T) {
		_, other := keys.Revoke(ctx, key.ID, func(*control.Key) bool { return false })
		_, missing := keys.Revoke(ctx, "key_00000000000000000000000000", func(*control.Key) bool { return true })
		if !errors.Is(other, control.ErrNotFound) || !errors.Is(missing, control.ErrNotFound) {
			t.Errorf("got %v and %v", other, missing)
		}
	})
}

func TestKeyRefused(t *testing.T) {
	t.Parallel()
	clock := newClock()
	keys := control.NewKeys(storetest.Memory(), clock.now)
	for name, tt := range map[string]struct {
		key  control.NewKey
		want string
	}{
		"no scope":            {control.NewKey{Org: "org_a"}, "required"},
		"operate for one org": {control.NewKey{Org: "org_a", Scopes: []string{"record", "operate"}}, "invalid_value"},
		"bad org":             {control.NewKey{Org: "org a", Scopes: []string{"record"}}, "invalid_org"},
		"long name":           {control.NewKey{Name: strings.Repeat("x", 513), Scopes: []string{"record"}}, "invalid_value"},
		"past":                {control.NewKey{Scopes: []string{"record"}, ExpiresAt: clock.now()}, "invalid_value"},
	} {
		if _, _, err := keys.Create(t.Context(), tt.key); rule(err) != tt.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if all, err := keys.All(t.Context(), func(*control.Key) bool { return true }); len(all) != 0 || err != nil {
		t.Errorf("%d keys were stored, %v", len(all), err)
	}
}

func TestBootstrap(t *testing.T) {
	t.Parallel()
	ctx, clock := t.Context(), newClock()
	_, secret, err := control.NewKeys(storetest.Memory(), clock.now).Create(ctx, control.NewKey{Scopes: []string{"read"}})
	if err != nil {
		t.Fatal(err)
	}
	keys := control.NewKeys(storetest.Memory(), clock.now)
	if made, err := keys.Bootstrap(ctx, "dbk_nonsense", []string{"operate"}); made || rule(err) != "invalid_format" {
		t.Errorf("nonsense: %v, %v", made, err)
	}
	for i, want := range []bool{true, false} {
		if made, err := keys.Bootstrap(ctx, secret, []string{"operate", "record"}); made != want || err != nil {
			t.Errorf("start %d: made %v, %v", i, made, err)
		}
	}
	hash, _ := control.HashSecret(secret)
	key, err := keys.Find(ctx, hash)
	if err != nil || key.Org != "" || !slices.Equal(key.Scopes, []string{"operate", "record"}) {
		t.Errorf("got %+v, %v", key, err)
	}
}

func TestHashSecret(t *testing.T) {
	t.Parallel()
	_, secret, err := control.NewKeys(storetest.Memory(), time.Now).Create(t.Context(), control.NewKey{Scopes: []string{"read"}})
	if err != nil {
		t.Fatal(err)
	}
	// CRC-32 is of the 52 characters, so every single mistyped character is known without a look-up.
	for i := range len(secret) {
		for _, c := range []byte("0z-") {
			wrong := []byte(secret)
			if wrong[i] == c {
				continue
			}
			wrong[i] = c
			if _, ok := control.HashSecret(string(wrong)); ok {
				t.Errorf("%s was taken for a key", wrong)
			}
		}
	}
	for _, wrong := range []string{"", "dbk_", secret[:62], secret + "0", strings.ToUpper(secret), " " + secret[:62]} {
		if _, ok := control.HashSecret(wrong); ok {
			t.Errorf("%q was taken for a key", wrong)
		}
	}
	// A fixed one, so that the form never changes: 32 bytes of zeros and the CRC-32 of 52 zeros, 0x71550ccf in seven characters.
	zeros := "dbk_" + strings.Repeat("0", 52)
	if _, ok := control.HashSecret(zeros + crcOfZeros); !ok {
		t.Errorf("the form of a key has changed")
	}
}

func FuzzHashSecret(f *testing.F) {
	f.Add("dbk_" + strings.Repeat("0", 52) + crcOfZeros)
	f.Add("dbk_" + strings.Repeat("z", 59))
	f.Fuzz(func(t *testing.T, text string) {
		if hash, ok := control.HashSecret(text); ok && (len(text) != 63 || hash != sha256.Sum256([]byte(text))) {
			t.Errorf("%q", text)
		}
	})
}

func TestOrgs(t *testing.T) {
	t.Parallel()
	ctx, docs, clock := t.Context(), storetest.Memory(), newClock()
	orgs := control.NewOrgs(docs, clock.now)
	acme, err := orgs.Create(ctx, "org_acme", "Acme")
	if err != nil {
		t.Fatal(err)
	}
	other := control.NewOrgs(docs, clock.now) // another node
	if got, err := other.Get(ctx, "org_acme"); err != nil || cmp.Diff(acme, got) != "" {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := other.Create(ctx, "org_acme", "again"); rule(err) != "exists" || daybook.CodeOf(err) != daybook.CodeConflict {
		t.Errorf("made twice: %v", err)
	}
	if _, err := orgs.Create(ctx, "org acme", ""); rule(err) != "invalid_org" {
		t.Errorf("a bad id: %v", err)
	}
	made, err := orgs.Create(ctx, "", "")
	if err != nil || !strings.HasPrefix(string(made.ID), "org_") || len(made.ID) != 30 {
		t.Errorf("made %+v, %v", made, err)
	}
	if _, err := orgs.Get(ctx, "org_none"); !errors.Is(err, control.ErrNotFound) {
		t.Errorf("a missing one: %v", err)
	}
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			if err := orgs.Ensure(ctx, "org_b"); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	list, err := orgs.List(ctx, "org_acme", 1)
	if err != nil || len(list) != 1 || list[0].ID != "org_b" {
		t.Errorf("the page after org_acme: %+v, %v", list, err)
	}
	if ok, err := other.Exists(ctx, "org_none"); ok || err != nil {
		t.Errorf("org_none exists: %v, %v", ok, err)
	}
}

// brokenDocuments fails every call.
type brokenDocuments struct{ daybook.Documents }

var errDisk = errors.New("disk on fire")

func (brokenDocuments) Get(context.Context, string, daybook.OrgID, string) (daybook.Document, error) {
	return daybook.Document{}, errDisk
}

func (brokenDocuments) List(context.Context, string, daybook.OrgID, string, int) ([]daybook.Document, error) {
	return nil, errDisk
}

func (brokenDocuments) Put(context.Context, daybook.Document) (int64, error) { return 0, errDisk }

// A store that fails is never taken for one that has nothing.
func TestFailingStore(t *testing.T) {
	t.Parallel()
	ctx, docs, clock := t.Context(), brokenDocuments{}, newClock()
	keys, orgs := control.NewKeys(docs, clock.now), control.NewOrgs(docs, clock.now)
	calls := map[string]func() error{
		"find":      func() error { _, err := keys.Find(ctx, control.SecretHash{}); return err },
		"create":    func() error { _, _, err := keys.Create(ctx, control.NewKey{Scopes: []string{"read"}}); return err },
		"all":       func() error { _, err := keys.All(ctx, nil); return err },
		"used":      func() error { return keys.Used(ctx, control.SecretHash{}) },
		"bootstrap": func() error { _, err := keys.Bootstrap(ctx, "", nil); return err },
		"org":       func() error { _, err := orgs.Get(ctx, "a"); return err },
		"ensure":    func() error { return orgs.Ensure(ctx, "a") },
		"make":      func() error { _, err := orgs.Create(ctx, "a", ""); return err },
		"list":      func() error { _, err := orgs.List(ctx, "", 1); return err },
		"cursor":    func() error { _, err := control.CursorKey(ctx, docs); return err },
		"repeats":   func() error { _, _, err := control.NewRepeats(docs, clock.now).Hashes(ctx, "workos", nil); return err },
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, errDisk) || daybook.CodeOf(err) != daybook.CodeInternal {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCursorKey(t *testing.T) {
	t.Parallel()
	docs := storetest.Memory()
	keys := make([][]byte, 4)
	var wait sync.WaitGroup
	for i := range keys {
		wait.Go(func() {
			key, err := control.CursorKey(t.Context(), docs)
			if err != nil {
				t.Error(err)
			}
			keys[i] = key
		})
	}
	wait.Wait()
	for _, key := range keys {
		if len(key) != 32 || !bytes.Equal(key, keys[0]) || bytes.Equal(key, make([]byte, 32)) {
			t.Errorf("nodes have different keys: %x", keys)
		}
	}
}

func TestRepeats(t *testing.T) {
	t.Parallel()
	ctx, docs, clock := t.Context(), storetest.Memory(), newClock()
	hashes := func(door, fingerprint string) ([16]byte, [][16]byte) {
		t.Helper()
		// A new one each time, as after a restart.
		store, known, err := control.NewRepeats(docs, clock.now).Hashes(ctx, door, []byte(fingerprint))
		if err != nil {
			t.Fatal(err)
		}
		return store, known
	}
	first, known := hashes("workos", "print")
	if len(known) != 1 || known[0] != first {
		t.Errorf("on the first day %d hashes are known", len(known))
	}
	if again, _ := hashes("workos", "print"); again != first {
		t.Error("the hash has changed within the day")
	}
	if other, _ := hashes("retraced", "print"); other == first {
		t.Error("two doors meet in one hash")
	}
	clock.add(24 * time.Hour)
	second, known := hashes("workos", "print")
	if second == first || len(known) != 2 || known[0] != second || known[1] != first {
		t.Errorf("the day after: %x, %x, was %x", second, known, first)
	}
	clock.add(48 * time.Hour)
	if _, known = hashes("workos", "print"); slices.Contains(known, first) || slices.Contains(known, second) || len(known) != 1 {
		t.Errorf("three days after: %x", known)
	}
	list, err := docs.List(ctx, "instance", "", "", 10)
	if err != nil || len(list) != 1 {
		t.Errorf("%d keys of days are left, %v: nothing may be left to guess with", len(list), err)
	}
}

func TestRepeatsWithinADay(t *testing.T) {
	t.Parallel()
	clock := newClock()
	repeats := control.NewRepeats(storetest.Memory(), clock.now)
	a, _, err := repeats.Hashes(t.Context(), "workos", []byte("a"))
	if err != nil {
		t.Fatal(err)
	}
	clock.add(24 * time.Hour) // the same object over midnight
	b, known, err := repeats.Hashes(t.Context(), "workos", []byte("a"))
	if err != nil || a == b || len(known) != 2 || known[1] != a {
		t.Errorf("got %x, %x, %v", b, known, err)
	}
}

const crcOfZeros = "1rna36f"
