package selfaudit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/selfaudit"
	"github.com/daybook-audit/daybook/storetest"
)

// book records into a real Book, unless fail says otherwise.
type book struct {
	*daybook.Book
	mu    sync.Mutex
	fail  error
	tried int
}

func (b *book) RecordJSON(ctx context.Context, org daybook.OrgID, r daybook.Request) (daybook.Result, error) {
	b.mu.Lock()
	fail := b.fail
	b.tried++
	b.mu.Unlock()
	if fail != nil {
		return daybook.Result{}, fail
	}
	return b.Book.RecordJSON(ctx, org, r)
}

func (b *book) set(fail error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fail = fail
}

// start returns a book and an auditor of the bubble of t.
func start(t *testing.T, o selfaudit.Options) (b *book, a *selfaudit.Auditor, log *bytes.Buffer) {
	t.Helper()
	real, err := daybook.Open(context.Background(), storetest.Memory(), daybook.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := real.Close(); err != nil {
			t.Error(err)
		}
	})
	log = new(bytes.Buffer)
	o.Logger = slog.New(slog.NewTextHandler(log, nil))
	b = &book{Book: real}
	return b, selfaudit.New(b, o), log
}

// seen is what a test looks at of an event.
type seen struct {
	Action, Actor, Outcome, Query, View string
	Rows, Views                         int64
	First, Last                         *int64
	Crowded                             bool
}

// list returns the events of org, oldest first.
func (b *book) list(t *testing.T, org daybook.OrgID) []seen {
	t.Helper()
	page, err := b.Search(context.Background(), daybook.EventQuery{Org: org, Asc: true, Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	var list []seen
	for i := range page.Entries {
		var e struct {
			Action, Outcome string
			Actor           struct{ ID string }
			Metadata        struct {
				Query, View string
				Rows, Views int64
				First       *int64 `json:"first_seq"`
				Last        *int64 `json:"last_seq"`
				Crowded     bool
			}
		}
		if err := json.Unmarshal(page.Entries[i].AppendJSON(nil), &e); err != nil {
			t.Fatal(err)
		}
		m := e.Metadata
		list = append(list, seen{e.Action, e.Actor.ID, e.Outcome, m.Query, m.View, m.Rows, m.Views, m.First, m.Last, m.Crowded})
	}
	return list
}

func look(key, query string, rows, first, last int64) selfaudit.Look {
	return selfaudit.Look{
		Org: "org_acme", Action: "daybook.log.viewed", By: daybook.Actor{Type: "api_key", ID: key}, Outcome: daybook.Success,
		What: "search", Query: query, Shown: selfaudit.Shown{Rows: rows, First: first, Last: last},
	}
}

func viewed(key, query string, views, rows, first, last int64) seen {
	s := seen{Action: "daybook.log.viewed", Actor: key, Outcome: "success", Query: query, View: "search", Rows: rows, Views: views}
	if rows > 0 {
		s.First, s.Last = &first, &last
	}
	return s
}

func TestSaw(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, a, log := start(t, selfaudit.Options{})
		a.Saw(look("key_1", "action:a", 50, 100, 149))
		synctest.Wait()
		want := []seen{viewed("key_1", "action:a", 1, 50, 100, 149)}
		if diff := cmp.Diff(want, b.list(t, "org_acme")); diff != "" {
			t.Errorf("the first look is not recorded at once:\n%s", diff)
		}
		a.Saw(look("key_1", "action:a", 50, 50, 99))
		a.Saw(look("key_2", "action:a", 0, 0, 0))
		a.Saw(look("key_1", "action:b", 1, 7, 7))
		time.Sleep(4 * time.Minute)
		a.Saw(look("key_1", "action:a", 10, 40, 49))
		synctest.Wait()
		want = append(want, viewed("key_2", "action:a", 1, 0, 0, 0), viewed("key_1", "action:b", 1, 1, 7, 7))
		if diff := cmp.Diff(want, b.list(t, "org_acme")); diff != "" {
			t.Errorf("within the window:\n%s", diff)
		}
		time.Sleep(2 * time.Minute) // the window has ended: one event for what followed the first look
		synctest.Wait()
		want = append(want, viewed("key_1", "action:a", 2, 60, 40, 99))
		if diff := cmp.Diff(want, b.list(t, "org_acme")); diff != "" {
			t.Errorf("after the window:\n%s", diff)
		}
		a.Saw(look("key_1", "action:a", 1, 150, 150))
		a.Saw(look("key_1", "action:a", 1, 151, 151))
		a.Close(t.Context()) // ends every window
		want = append(want, viewed("key_1", "action:a", 1, 1, 150, 150), viewed("key_1", "action:a", 1, 1, 151, 151))
		if diff := cmp.Diff(want, b.list(t, "org_acme")); diff != "" {
			t.Errorf("after Close:\n%s", diff)
		}
		if s := a.Stats(); s != (selfaudit.Stats{Recorded: 6}) || log.Len() > 0 {
			t.Errorf("%+v, logged: %s", s, log)
		}
	})
}

func TestEach(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, a, _ := start(t, selfaudit.Options{Each: true})
		for range 3 {
			a.Saw(look("key_1", "", 1, 0, 0))
		}
		a.Close(t.Context())
		if n := len(b.list(t, "org_acme")); n != 3 {
			t.Errorf("%d events for three looks", n)
		}
	})
}

func TestBlind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, a, _ := start(t, selfaudit.Options{Blind: true})
		a.Saw(look("key_1", "", 1, 0, 0))
		a.After(t.Context(), "org_acme", daybook.Event{Action: "daybook.key.revoked", Actor: daybook.System("test")})
		a.Close(t.Context())
		if list := b.list(t, "org_acme"); len(list) != 1 || list[0].Action != "daybook.key.revoked" {
			t.Errorf("only looks are left out: %+v", list)
		}
	})
}

func TestNil(t *testing.T) {
	t.Parallel()
	var a *selfaudit.Auditor
	a.Saw(look("key_1", "", 1, 0, 0))
	a.After(t.Context(), "org_acme", daybook.Event{})
	if err := a.Did(t.Context(), "org_acme", daybook.Event{}); err != nil {
		t.Error(err)
	}
	if a.Stats() != (selfaudit.Stats{}) {
		t.Error("nothing counts something")
	}
	a.Close(t.Context())
}

// Did is durable when it returns, and hands on why it is not.
func TestDid(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, a, _ := start(t, selfaudit.Options{})
		act := daybook.Event{Action: "daybook.key.created", Actor: daybook.System("test")}
		if err := a.Did(t.Context(), "org_acme", act); err != nil {
			t.Fatal(err)
		}
		if list := b.list(t, "org_acme"); len(list) != 1 || list[0].Outcome != "success" {
			t.Errorf("recorded %+v", list)
		}
		b.set(&daybook.Error{Code: daybook.CodeOverloaded})
		if err := a.Did(t.Context(), "org_acme", act); daybook.CodeOf(err) != daybook.CodeOverloaded {
			t.Errorf("got %v", err)
		}
		b.set(nil)
		a.Close(t.Context())
		if n := len(b.list(t, "org_acme")); n != 1 {
			t.Errorf("%d events, though the caller was told that the second is not recorded", n)
		}
	})
}

// While the Book refuses, nothing is lost and nobody waits.
func TestBusyBook(t *testing.T) {
	for name, fail := range map[string]error{"overloaded": &daybook.Error{Code: daybook.CodeOverloaded}, "unknown outcome": daybook.ErrUnknownOutcome} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b, a, log := start(t, selfaudit.Options{})
				b.set(fail)
				a.After(t.Context(), "org_acme", daybook.Event{Action: "daybook.key.revoked", Actor: daybook.System("test")})
				a.Saw(look("key_1", "", 1, 0, 0))
				time.Sleep(time.Minute)
				synctest.Wait()
				if b.tried < 3 || b.tried > 30 || a.Stats().Waiting != 2 {
					t.Errorf("tried %d times in a minute, %+v", b.tried, a.Stats())
				}
				b.set(nil)
				time.Sleep(time.Minute)
				synctest.Wait()
				if list := b.list(t, "org_acme"); len(list) != 2 || list[0].Action != "daybook.key.revoked" {
					t.Errorf("recorded %+v", list)
				}
				a.Close(t.Context())
				if log.Len() > 0 || a.Stats() != (selfaudit.Stats{Recorded: 2}) {
					t.Errorf("%+v, logged: %s", a.Stats(), log)
				}
			})
		})
	}
}

// What no log will ever hold is logged, with everything but what was asked.
func TestLost(t *testing.T) {
	for name, tt := range map[string]struct {
		fail error
		wait time.Duration // until it is given up
	}{
		"frozen":   {&daybook.Error{Code: daybook.CodeUnavailable, Rule: "log_frozen"}, 0},
		"refused":  {&daybook.BatchError{Errors: []daybook.EventError{{Err: &daybook.Error{Code: daybook.CodeInvalid}}}}, 0},
		"internal": {errors.New("no reason"), time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b, a, log := start(t, selfaudit.Options{})
				b.set(tt.fail)
				a.Saw(look("key_1", "secret-question", 1, 0, 0))
				time.Sleep(tt.wait)
				synctest.Wait()
				text := log.String()
				if s := a.Stats(); s != (selfaudit.Stats{Lost: 1}) || !strings.Contains(text, "api_key:key_1") || !strings.Contains(text, "daybook.log.viewed") {
					t.Errorf("%+v, logged: %s", s, text)
				}
				if strings.Contains(text, "secret-question") {
					t.Errorf("the log of the server holds what was asked: %s", text)
				}
				b.set(nil)
				a.Close(t.Context())
			})
		})
	}
}

// Close gives up in time, and logs what it could not record and what comes later.
func TestCloseWithoutRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, a, log := start(t, selfaudit.Options{})
		b.set(&daybook.Error{Code: daybook.CodeOverloaded})
		a.Saw(look("key_1", "", 1, 0, 0))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		a.Close(ctx)
		a.Saw(look("key_2", "", 1, 0, 0))
		a.After(t.Context(), "org_acme", daybook.Event{Action: "daybook.key.revoked", Actor: daybook.System("test")})
		if s := a.Stats(); s != (selfaudit.Stats{Lost: 3}) || strings.Count(log.String(), "lost") != 3 {
			t.Errorf("%+v, logged: %s", s, log)
		}
	})
}

// Somebody who asks a million different questions gets a few thousand events, and the rest are counted.
func TestCrowd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, a, log := start(t, selfaudit.Options{})
		b.set(&daybook.Error{Code: daybook.CodeOverloaded})
		const looks = 20_000
		for i := range int64(looks) {
			l := look("key_1", "meta.n:"+string(rune('a'+i%26))+time.Duration(i).String(), 1, i, i)
			a.Saw(l)
		}
		synctest.Wait()
		waiting := a.Stats().Waiting
		if waiting < 1000 || waiting > 5000 {
			t.Errorf("%d events wait in memory", waiting)
		}
		b.set(nil)
		a.Close(t.Context())
		var total, crowds int64
		asked := 0
		for cursor, more := "", true; more; {
			page, err := b.Search(context.Background(), daybook.EventQuery{Org: "org_acme", Limit: 1000, Cursor: cursor})
			if err != nil {
				t.Fatal(err)
			}
			for i := range page.Entries {
				var e struct {
					Metadata struct {
						Views   int64
						Crowded bool
						First   int64 `json:"first_seq"`
						Last    int64 `json:"last_seq"`
					}
				}
				if err := json.Unmarshal(page.Entries[i].AppendJSON(nil), &e); err != nil {
					t.Fatal(err)
				}
				total += e.Metadata.Views
				asked++
				if e.Metadata.Crowded {
					if crowds++; e.Metadata.Last != looks-1 {
						t.Errorf("the crowd reaches to seq %d", e.Metadata.Last)
					}
				}
			}
			cursor = page.NextCursor
			more = cursor != ""
		}
		if total != looks || crowds != 1 || log.Len() > 0 {
			t.Errorf("%d looks in %d events, %d of them crowds; logged: %s", total, asked, crowds, log)
		}
	})
}

func BenchmarkSaw(b *testing.B) {
	real, err := daybook.Open(b.Context(), storetest.Memory(), daybook.Options{})
	if err != nil {
		b.Fatal(err)
	}
	a := selfaudit.New(real, selfaudit.Options{})
	l := look("key_1", "action:a", 50, 100, 149)
	b.ReportAllocs()
	for b.Loop() {
		a.Saw(l)
	}
	a.Close(b.Context())
	if err := real.Close(); err != nil {
		b.Fatal(err)
	}
}
