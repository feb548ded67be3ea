package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/config"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/server/internal/load"
)

// Asked for far more than it may have at work, the server takes in some, refuses the rest with a time to come again, loses no receipt,
// and holds no more than it may; idle and slow clients change nothing of that. How fast it is, is not this test's matter.
func TestOverload(t *testing.T) {
	t.Parallel()
	c, _, err := config.Load(config.Sources{LookupEnv: func(string) (string, bool) { return "", false }, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	c.DB, c.Listen, c.QueueBytes = filepath.Join(t.TempDir(), "daybook.db"), "127.0.0.1:0", 1<<20 // room for a few large bodies
	m, key := &Main{Config: c, Logger: slog.New(slog.DiscardHandler), Now: time.Now}, ""
	m.Prepare = func(ctx context.Context, docs daybook.Documents) (err error) {
		_, key, err = control.NewKeys(docs, time.Now).Create(ctx, control.NewKey{Name: "test", Scopes: auth.All.Words()})
		return err
	}
	if err := m.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}()
	vars := map[string]string{"DAYBOOK_SERVER": m.URL, "DAYBOOK_API_KEY": key}
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{
		"bench", "overload", "--capacity", "100", "--factor", "20", "--connections", "64", "--orgs", "3", "--batch", "100",
		"--idle", "200", "--senders", "20", "--readers", "20", "--probe", "300ms", "--duration", "1s",
	}, nil, &out, &errs, func(name string) string { return vars[name] })
	if code != 0 {
		t.Fatalf("exit %d: %s%s", code, out.String(), errs.String())
	}
	phases := map[string]load.Line{}
	for line := range bytes.Lines(out.Bytes()) {
		var r load.Line
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		phases[r.Name] = r
	}
	over, receipts := phases["overload"], phases["receipts"]
	if over.Errors != 0 || over.Events == 0 || over.More["refused"] == 0.0 {
		t.Errorf("accepted %d, refused %v, failed %d: %s", over.Events, over.More["refused"], over.Errors, over.FirstFail)
	}
	if receipts.Events < over.Events || receipts.Errors != 0 {
		t.Errorf("%d receipts for %d events, %d of them without an entry", receipts.Events, over.Events, receipts.Errors)
	}
	if beside := phases["half of it beside idle and slow clients"]; beside.Events == 0 || beside.Errors != 0 {
		t.Errorf("beside idle and slow clients: %d events, %d failed: %s", beside.Events, beside.Errors, beside.FirstFail)
	}
	if stats := m.book.Stats(); stats.QueueBytes != 0 {
		t.Errorf("%d bytes still wait", stats.QueueBytes)
	}
}

// What the check of receipts must find: a receipt for a place that holds something else, and one for a place that is not there.
func TestHeldTo(t *testing.T) {
	t.Parallel()
	m, key := serverFor(t, filepath.Join(t.TempDir(), "daybook.db"), "")
	defer func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}()
	e := newEnv(nil, &bytes.Buffer{}, &bytes.Buffer{}, func(name string) string {
		return map[string]string{"DAYBOOK_SERVER": m.URL, "DAYBOOK_API_KEY": key, "DAYBOOK_ORG": "org_1"}[name]
	})
	e.now, e.timeout = time.Now, time.Minute
	c, err := e.connect()
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Record(t.Context(), "org_1", daybook.Event{Action: "a.b", Actor: daybook.Actor{Type: "user", ID: "1"}})
	if err != nil {
		t.Fatal(err)
	}
	truth := fmt.Sprintf(`{"id":%q,"seq":%d,"leaf_hash":%q}`, r.ID, r.Seq, r.LeafHash)
	for name, tt := range map[string]struct {
		body           string
		receipts, lost int64
	}{
		"true":            {truth, 1, 0},
		"batch":           {`{"receipts":[` + truth + `]}`, 1, 0},
		"other leaf":      {strings.Replace(truth, r.LeafHash.String()[:6], "AAAAAA", 1), 1, 1},
		"not there":       {strings.Replace(truth, `"seq":0`, `"seq":7`, 1), 1, 1},
		"twice one place": {`{"receipts":[` + truth + `,` + strings.Replace(truth, r.ID.String(), "evt_01m80ky6v9fjybb4d3798f4w62", 1) + `]}`, 2, 2},
	} {
		receipts, lost, err := load.HeldTo(t.Context(), c, []load.Answer{{Org: "org_1", Body: tt.body}})
		if err != nil || receipts != tt.receipts || lost != tt.lost {
			t.Errorf("%s: %d receipts, %d lost, %v: %s", name, receipts, lost, err, tt.body)
		}
	}
}

// Open connections are counted, since the memory of the process is measured by them.
func TestCountConnection(t *testing.T) {
	t.Parallel()
	m := &Main{}
	for _, state := range []http.ConnState{http.StateNew, http.StateNew, http.StateActive, http.StateIdle, http.StateClosed, http.StateNew, http.StateHijacked} {
		m.countConnection(nil, state)
	}
	if n := m.connections.Load(); n != 1 {
		t.Errorf("%d connections are open", n)
	}
}
