package apptest

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/daybooktest"
)

// account is a thing with everything that a History must bear.
type account struct {
	Name     string            `json:"name"`
	Note     string            `json:"note,omitempty"`
	Big      json.Number       `json:"big,omitempty"`
	TaxID    string            `daybook:"mask" json:"tax_id"`
	IBANHash string            `daybook:"hash" json:"account"`
	Password string            `json:"password"` // masked by its name
	Seen     int               `daybook:"quiet" json:"seen"`
	Cache    string            `daybook:"-" json:"cache"`
	Labels   map[string]string `json:"labels,omitempty"`
	Items    []item            `json:"items,omitempty"`
	Hidden   string            `json:"-"`
}

type item struct {
	SKU  string `daybook:"key"  json:"sku"`
	Qty  int    `json:"qty"`
	Cost string `daybook:"mask" json:"cost"`
}

var secret = []byte("0123456789abcdef0123456789abcdef")

// ledger is a history on a database.
type ledger struct {
	base
	r *daybooktest.Recorder
	h *daybook.History[account]
}

func newLedger(b base, key []byte) ledger {
	r, clerk := daybooktest.New(b.t, daybook.ClerkOptions{Org: "acme", Secret: key})
	return ledger{b, r, daybook.NewHistory[account](clerk, b.outbox(), "account", daybook.HistoryOptions{})}
}

func (l ledger) ctx() context.Context { return daybook.WithActor(l.t.Context(), ada) }

// save saves in a transaction of its own.
func (l ledger) save(id string, a account, expect int64) (v daybook.Version, err error) {
	err = l.inTx(l.ctx(), func(ctx context.Context, tx daybook.Tx) error {
		v, err = l.h.Save(ctx, tx, id, &a, expect)
		return err
	})
	return v, err
}

func (l ledger) mustSave(id string, a account, expect, want int64) {
	l.t.Helper()
	l.r.Advance(time.Second)
	if v, err := l.save(id, a, expect); err != nil || v.Number != want {
		l.t.Fatalf("saved version %d: %v; want %d", v.Number, err, want)
	}
}

// events moves the outbox on and returns actions and paths of changes of what is recorded.
func (l ledger) events() (out []string) {
	l.t.Helper()
	if _, err := daybook.NewRelay(l.outbox(), l.r, daybook.RelayOptions{Now: l.r.Now}).Drain(l.t.Context()); err != nil {
		l.t.Fatal(err)
	}
	for _, e := range l.r.Events() {
		words := []string{e.Action}
		for _, c := range e.Changes {
			word := c.Path
			if c.Old.Masked() || c.New.Masked() {
				word += "*"
			}
			if c.Old.Hash() != "" || c.New.Hash() != "" {
				word += "#"
			}
			words = append(words, word)
		}
		out = append(out, strings.Join(words, " "))
	}
	return out
}

// TestHistory: one thing from its creation to its undeletion.
func TestHistory(t *testing.T) {
	t.Parallel()
	onEach(t, func(b base) {
		t, l := b.t, newLedger(b, secret)
		begun := l.r.Now()
		one := account{
			Name: "Acme", Big: "9007199254740993.10", TaxID: "DE1", IBANHash: "i1", Password: "p1", Cache: "c", Hidden: "h",
			Labels: map[string]string{"$masked": "x", "a": "b"}, Items: []item{{"x", 1, "7"}, {"y", 2, "8"}},
		}
		l.mustSave("1", one, 0, 1)
		l.mustSave("1", one, 1, 1) // nothing changed
		seen := one
		seen.Seen, seen.Cache, seen.Hidden = 5, "d", "g"
		l.mustSave("1", seen, 1, 1) // quiet and ignored
		two := one
		two.Name, two.Note, two.TaxID, two.IBANHash, two.Password = "Acme Ltd", "n", "DE2", "i2", "p2"
		two.Items = []item{{"y", 2, "9"}, {"x", 1, "7"}}
		l.mustSave("1", two, 1, 2)
		if _, err := l.save("1", one, 1); !errors.Is(err, daybook.ErrConflict) {
			t.Errorf("a stale save: %v", err)
		}
		if _, err := l.save("1", one, 0); !errors.Is(err, daybook.ErrConflict) {
			t.Errorf("a second creation: %v", err)
		}
		remove := func(want error, number int64) {
			t.Helper()
			l.r.Advance(time.Second)
			err := l.inTx(l.ctx(), func(ctx context.Context, tx daybook.Tx) error {
				v, err := l.h.Delete(ctx, tx, "1")
				if v.Number != number || v.Deleted != (number > 0) {
					t.Errorf("deleted as %+v, want number %d", v, number)
				}
				return err
			})
			if !errors.Is(err, want) {
				t.Errorf("deleted: %v, want %v", err, want)
			}
		}
		remove(nil, 3)
		remove(daybook.ErrDeleted, 3)
		deleted := l.r.Now()
		if _, v, err := l.h.At(t.Context(), "1", deleted); !errors.Is(err, daybook.ErrDeleted) || v.Number != 3 {
			t.Errorf("while it is deleted: %+v %v", v, err)
		}
		if _, _, err := l.h.At(t.Context(), "1", begun); !errors.Is(err, daybook.ErrNotExist) {
			t.Errorf("before it was created: %v", err)
		}
		if got, v, err := l.h.At(t.Context(), "1", begun.Add(3*time.Second)); err != nil || v.Number != 1 || got.Name != "Acme" || v.Actor.ID != "ada" {
			t.Errorf("at version 1: %+v %+v %v", got, v, err)
		}
		restored := func(ctx context.Context, a *account) error {
			if a.TaxID != "" || a.Password != "" || a.IBANHash != "" || a.Items[0].Cost != "" {
				t.Errorf("hidden values came back: %+v", a)
			}
			a.TaxID, a.Password, a.IBANHash, a.Items[0].Cost, a.Items[1].Cost = "DE1", "p1", "i1", "7", "8"
			return nil
		}
		err := l.inTx(l.ctx(), func(ctx context.Context, tx daybook.Tx) error {
			v, err := l.h.Restore(ctx, tx, "1", 1, restored)
			if v.Number != 4 || v.RestoredFrom != 1 || v.Deleted {
				t.Errorf("restored as %+v", v)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := l.h.Get(t.Context(), "1", 4)
		want := one
		want.TaxID, want.IBANHash, want.Password, want.Cache, want.Hidden = "", "", "", "", ""
		want.Items = []item{{"x", 1, ""}, {"y", 2, ""}}
		if diff := cmp.Diff(&want, got); diff != "" || err != nil {
			t.Errorf("version 4 (-want +got): %v\n%s", err, diff)
		}
		all := "/account# /big /items/0/cost* /items/0/qty /items/0/sku /items/1/cost* /items/1/qty /items/1/sku /labels /name /note /password* /seen /tax_id*"
		if diff := cmp.Diff([]string{
			"account.created" + " " + all,
			"account.updated /account# /items/0/cost* /name /note /password* /tax_id*",
			"account.deleted", "account.restored",
		}, cut(l.events(), 2)); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		bound(t, l)
	})
}

// cut keeps of all but the first n events their action alone.
func cut(events []string, n int) []string {
	for i := n; i < len(events); i++ {
		var action string
		_, _ = fmt.Sscan(events[i], &action)
		events[i] = action
	}
	return events
}

// bound checks that each version is the one that its event names.
func bound(t *testing.T, l ledger) {
	t.Helper()
	events := map[daybook.ID]daybook.Event{}
	for _, e := range l.r.Events() {
		events[e.ID] = e
	}
	n := int64(len(events))
	for v, err := range l.h.All(t.Context(), "1") {
		if err != nil {
			t.Fatal(err)
		}
		if v.Number != n {
			t.Errorf("version %d where %d was expected", v.Number, n)
		}
		n--
		var doc string
		if err := l.QueryRowContext(t.Context(), fmt.Sprintf("SELECT doc FROM daybook_versions WHERE number = %d", v.Number)).Scan(&doc); err != nil {
			t.Fatal(err)
		}
		var m struct {
			Version struct {
				Number       int64
				SHA256       string
				RestoredFrom int64 `json:"restored_from"`
			}
		}
		if err := json.Unmarshal(events[v.EventID].Metadata, &m); err != nil {
			t.Fatalf("version %d: %v", v.Number, err)
		}
		sum := sha256.Sum256([]byte(doc))
		if m.Version.Number != v.Number || m.Version.SHA256 != base64.StdEncoding.EncodeToString(sum[:]) || m.Version.RestoredFrom != v.RestoredFrom {
			t.Errorf("version %+v is not what its event names: %+v", v, m.Version)
		}
	}
	if n != 0 {
		t.Errorf("%d versions are missing", n)
	}
}

// TestHistory_Diff: between any two versions, and the plan of a restore.
func TestHistory_Diff(t *testing.T) {
	t.Parallel()
	onEach(t, func(b base) {
		t := b.t
		for name, key := range map[string][]byte{"with a secret": secret, "without": nil} {
			r, clerk := daybooktest.New(t, daybook.ClerkOptions{Org: daybook.OrgID(strconv.Itoa(len(key)) + "x"), Secret: key})
			type plain struct {
				Name  string `json:"name"`
				TaxID string `daybook:"mask" json:"tax_id"`
			}
			h := daybook.NewHistory[plain](clerk, b.outbox(), "plain", daybook.HistoryOptions{})
			for _, p := range []plain{{"a", "1"}, {"b", "1"}, {"c", "2"}} {
				r.Advance(time.Second)
				err := b.inTx(daybook.WithActor(t.Context(), ada), func(ctx context.Context, tx daybook.Tx) error {
					_, err := h.Save(ctx, tx, "1", &p, daybook.ExpectAny)
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			paths := func(changes daybook.Changes, err error) (out []string) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
				for _, c := range changes {
					out = append(out, c.Path)
				}
				return out
			}
			want := []string{"/name", "/tax_id"}
			if key == nil {
				want = want[:1] // nobody knows whether it changed
			}
			if diff := cmp.Diff(want, paths(h.Diff(t.Context(), "1", 1, 3))); diff != "" {
				t.Errorf("%s, 1 to 3 (-want +got):\n%s", name, diff)
			}
			if diff := cmp.Diff([]string{"/name"}, paths(h.Diff(t.Context(), "1", 2, 1))); diff != "" {
				t.Errorf("%s, 2 to 1 (-want +got):\n%s", name, diff)
			}
			plan, err := h.Plan(t.Context(), "1", 1)
			if diff := cmp.Diff(want, paths(plan.Changes, err)); diff != "" || !cmp.Equal(plan.Masked, []string{"/tax_id"}) || plan.Unknown != nil {
				t.Errorf("%s, plan %+v (-want +got):\n%s", name, plan, diff)
			}
			if _, err := h.Diff(t.Context(), "1", 1, 9); !errors.Is(err, daybook.ErrNotExist) {
				t.Errorf("version 9: %v", err)
			}
		}
	})
}

// TestHistory_shape: old versions are read in the shape of today, and a plan names what has no place in it.
func TestHistory_shape(t *testing.T) {
	t.Parallel()
	onEach(t, func(b base) {
		t := b.t
		type first struct {
			Full  string `json:"full"`
			Fax   string `json:"fax"`
			TaxID string `daybook:"mask" json:"tax"`
		}
		type second struct {
			Name  string `json:"name"`
			TaxID string `daybook:"mask" json:"tax"`
		}
		_, clerk := daybooktest.New(t, daybook.ClerkOptions{Org: "acme"})
		ctx := daybook.WithActor(t.Context(), ada)
		err := b.inTx(ctx, func(ctx context.Context, tx daybook.Tx) error {
			_, err := daybook.NewHistory[first](clerk, b.outbox(), "p", daybook.HistoryOptions{}).Save(ctx, tx, "1", &first{"Ada", "123", "T"}, 0)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		lift := func(doc json.RawMessage) (json.RawMessage, error) {
			var m map[string]json.RawMessage
			if err := json.Unmarshal(doc, &m); err != nil {
				return nil, err
			}
			m["name"] = m["full"]
			delete(m, "full")
			return json.Marshal(m)
		}
		h := daybook.NewHistory[second](clerk, b.outbox(), "p", daybook.HistoryOptions{
			Schema: 2, Upcast: map[int]func(json.RawMessage) (json.RawMessage, error){1: lift},
		})
		if got, v, err := h.Get(ctx, "1", 1); err != nil || got.Name != "Ada" || v.Schema != 1 {
			t.Errorf("lifted: %+v %+v %v", got, v, err)
		}
		if plan, err := h.Plan(ctx, "1", 1); err != nil || !cmp.Equal(plan.Unknown, []string{"/fax"}) || len(plan.Changes) != 0 {
			t.Errorf("plan %+v %v", plan, err)
		}
		third := daybook.NewHistory[second](clerk, b.outbox(), "p", daybook.HistoryOptions{Schema: 3})
		if _, _, err := third.Get(ctx, "1", 1); err == nil {
			t.Error("a version was read in a shape that nothing lifts it to")
		}
	})
}

// TestHistory_Restore_refused: masked values must be supplied, and an error of apply is the caller's own.
func TestHistory_Restore_refused(t *testing.T) {
	t.Parallel()
	onEach(t, func(b base) {
		t, l := b.t, newLedger(b, nil)
		l.h = daybook.NewHistory[account](mustClerk(t, l.r), b.outbox(), "account", daybook.HistoryOptions{Diff: daybook.DiffOptions{Ignore: []string{"/account"}, Secret: secret}})
		l.mustSave("1", account{Name: "a", TaxID: "1"}, 0, 1)
		l.mustSave("1", account{Name: "b", TaxID: "1"}, 1, 2)
		own := errors.New("not today")
		for want, apply := range map[error]func(context.Context, *account) error{
			daybook.ErrNotRestorable: func(context.Context, *account) error { return nil },
			own:                      func(context.Context, *account) error { return own },
		} {
			err := l.inTx(l.ctx(), func(ctx context.Context, tx daybook.Tx) error {
				_, err := l.h.Restore(ctx, tx, "1", 1, apply)
				return err
			})
			if !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
		}
		if n := b.count(t, "SELECT COUNT(*) FROM daybook_versions WHERE number > 0"); n != 2 {
			t.Errorf("%d versions", n)
		}
	})
}

func mustClerk(t *testing.T, r *daybooktest.Recorder) *daybook.Clerk {
	t.Helper()
	c, err := daybook.NewClerk(r, daybook.ClerkOptions{Org: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestHistory_concurrent: whoever saves at the same time, versions are numbered without gaps or repeats, and each has one event whose
// difference is to the one before.
func TestHistory_concurrent(t *testing.T) {
	t.Parallel()
	onEach(t, func(b base) {
		t, l := b.t, newLedger(b, secret)
		const writers, each = 8, 10
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				for i := range each {
					id := []string{"hot", "cold"}[i%2]
					if _, err := l.save(id, account{Name: fmt.Sprintf("%d.%d", w, i)}, daybook.ExpectAny); err != nil {
						t.Errorf("save: %v", err)
					}
				}
			})
		}
		wg.Wait()
		l.events()
		for _, id := range []string{"hot", "cold"} {
			names := map[int64]string{}
			next := int64(writers * each / 2)
			for v, err := range l.h.All(t.Context(), id) {
				if err != nil {
					t.Fatal(err)
				}
				if v.Number != next {
					t.Errorf("%s: version %d where %d was expected", id, v.Number, next)
				}
				next--
				a, _, err := l.h.Get(t.Context(), id, v.Number)
				if err != nil {
					t.Fatal(err)
				}
				names[v.Number] = a.Name
			}
			if next != 0 {
				t.Errorf("%s: %d versions are missing", id, next)
			}
			chained := 0
			for _, e := range l.r.Events() {
				var m struct{ Version struct{ Number int64 } }
				if err := json.Unmarshal(e.Metadata, &m); err != nil {
					t.Fatal(err)
				}
				if e.Targets[0].ID != id || m.Version.Number == 1 {
					continue
				}
				for _, c := range e.Changes {
					if c.Path == "/name" && string(c.Old.Raw()) == strconv.Quote(names[m.Version.Number-1]) && string(c.New.Raw()) == strconv.Quote(names[m.Version.Number]) {
						chained++
					}
				}
			}
			if want := writers*each/2 - 1; chained != want {
				t.Errorf("%s: %d events tell the difference to the version before, want %d", id, chained, want)
			}
		}
	})
}
