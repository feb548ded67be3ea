package api_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/storetest"
)

// erasedOrg is a certificate, as far as the test looks.
type erasedOrg struct {
	By         map[string]string
	ApprovedBy map[string]string `json:"approved_by"`
	Logs       []struct {
		Size               int
		Origin, Checkpoint string
	}
}

// waitErased waits until the erasure of an organization is done, and returns its certificate.
func (f *fixture) waitErased(id string) (c erasedOrg) {
	f.t.Helper()
	for {
		var x struct{ State string }
		w := f.do(ask{path: "/v1/organization-erasures/" + id, key: f.admin})
		if err := json.Unmarshal(w.Body.Bytes(), &x); err != nil || w.Code != http.StatusOK {
			f.t.Fatalf("%d %s", w.Code, w.Body)
		}
		if x.State == "done" {
			break
		}
	}
	w := f.do(ask{path: "/v1/organization-erasures/" + id + "/certificate", key: f.admin})
	if err := json.Unmarshal(w.Body.Bytes(), &c); err != nil || w.Code != http.StatusOK {
		f.t.Fatalf("%d %s", w.Code, w.Body)
	}
	return c
}

func TestEraseOrg(t *testing.T) {
	t.Parallel()
	const id, path = "ers_01m8054e3bek9amg680j6srjmm", "/v1/organizations/org_acme/erasure"
	post := func(f *fixture, path, key, body string) (int, string) {
		w := f.do(ask{method: "POST", path: path, key: key, body: body})
		return w.Code, w.Body.String()
	}
	t.Run("a hold forbids it, and afterwards nothing is left", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t, setup{})
		f.record(f.acme, fullEvent)
		f.record(f.globex, login)
		export := f.exportOf(f.acme, `{"format":"ndjson"}`)
		f.do(ask{method: "PUT", path: "/v1/retention", key: f.acme, body: `{"rules":[{"match":"","keep":"30d"}]}`})
		f.do(ask{method: "POST", path: "/v1/holds", key: f.acme, body: `{"id":"` + holdID + `","query":"","reason":"r"}`})
		if code, body := post(f, path+"/preview", f.admin, `{}`); code != http.StatusOK ||
			!strings.Contains(body, `"epochs":1,"entries":2,"keys":1,"exports":1,"holds":["`+holdID+`"],"approvers":1`) {
			t.Errorf("preview: %d %s", code, body)
		}
		if code, body := post(f, path, f.admin, `{"id":"`+id+`","reason":"r"}`); code != http.StatusConflict || !strings.Contains(body, "on_hold") {
			t.Errorf("under a hold: %d %s", code, body)
		}
		if w := f.do(ask{path: "/v1/organization-erasures/" + id, key: f.admin}); w.Code != http.StatusNotFound {
			t.Errorf("what a hold forbade is known: %d", w.Code)
		}
		f.record(f.acme, login) // it goes on
		f.do(ask{method: "POST", path: "/v1/holds/" + holdID + "/release", key: f.acme, body: `{"reason":"r"}`})
		note := f.do(ask{path: "/v1/organizations/org_acme/log/checkpoint", key: f.acme}).Body.String()
		if code, body := post(f, path, f.admin, `{"id":"`+id+`","reason":"contract 114 ended","legal_basis":"gdpr_art_28_3_g"}`); code != http.StatusAccepted {
			t.Fatalf("%d %s", code, body)
		}
		c := f.waitErased(id)
		logs := c.Logs[0]
		if origin, _, _ := strings.Cut(note, "\n"); logs.Origin != origin || !strings.HasPrefix(logs.Checkpoint, origin+"\n4\n") || logs.Size != 4 {
			t.Errorf("the last checkpoint: %+v\n%s", logs, note)
		}
		for _, key := range []string{f.acme, f.admin} {
			w := f.do(ask{path: "/v1/organizations/org_acme", key: key})
			if w.Code != http.StatusUnauthorized && w.Code != http.StatusNotFound {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		}
		for _, kind := range []string{"erasure", "export", "hold", "retention", "export_at", "key", "org"} {
			for _, org := range []daybook.OrgID{"org_acme", ""} {
				list, err := f.store.List(t.Context(), kind, org, "", 100)
				if err != nil {
					t.Fatal(err)
				}
				for _, d := range list {
					if d.Org == "org_acme" || strings.Contains(string(d.Data), "org_acme") || d.ID == "org_acme" || d.ID == export.ID {
						t.Errorf("left: %s %s %s", d.Kind, d.ID, d.Data)
					}
				}
			}
		}
		if got := f.do(ask{path: "/v1/events", key: f.globex}); got.Code != http.StatusOK || !strings.Contains(got.Body.String(), "evt_") {
			t.Errorf("another: %d %s", got.Code, got.Body)
		}
		// Whoever uses the id again is somebody else.
		if err := f.orgs.Ensure(t.Context(), "org_acme"); err != nil {
			t.Fatal(err)
		}
		again := f.key("org_acme", auth.All&^auth.Operate)
		f.record(again, login)
		if got := f.do(ask{path: "/v1/organizations/org_acme/log/checkpoint", key: again}).Body.String(); strings.HasPrefix(got, logs.Origin) {
			t.Error("the next log has the origin of the one before")
		}
		f.Add(control.CertificateKept)
		if err := f.eraser.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		if w := f.do(ask{path: "/v1/organization-erasures/" + id, key: f.admin}); w.Code != http.StatusNotFound {
			t.Errorf("after 30 days: %d", w.Code)
		}
	})
	t.Run("with two people", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t, setup{})
		second := f.key("", auth.All)
		f.record(f.acme, login)
		f.do(ask{method: "PUT", path: "/v1/retention", key: f.acme, body: `{"rules":[],"erasure_approvers":2}`})
		if code, body := post(f, path, f.admin, `{"id":"`+id+`","reason":"r"}`); code != http.StatusAccepted || !strings.Contains(body, "awaiting_approval") {
			t.Fatalf("%d %s", code, body)
		}
		if code, body := post(f, path, f.admin, `{"reason":"r"}`); code != http.StatusConflict || !strings.Contains(body, "exists") {
			t.Errorf("asked twice: %d %s", code, body)
		}
		approve := "/v1/organization-erasures/" + id + "/approve"
		if code, body := post(f, approve, f.admin, `{}`); code != http.StatusForbidden || !strings.Contains(body, "second_person") {
			t.Errorf("by the same: %d %s", code, body)
		}
		f.record(f.acme, event("a.b", ""))
		// A hold that came meanwhile counts, and the request waits on.
		f.do(ask{method: "POST", path: "/v1/holds", key: f.acme, body: `{"id":"` + holdID + `","query":"","reason":"r"}`})
		if code, body := post(f, approve, second, `{}`); code != http.StatusConflict || !strings.Contains(body, "on_hold") {
			t.Errorf("under a hold: %d %s", code, body)
		}
		f.do(ask{method: "POST", path: "/v1/holds/" + holdID + "/release", key: f.acme, body: `{"reason":"r"}`})
		if code, body := post(f, approve, second, `{}`); code != http.StatusAccepted {
			t.Fatalf("%d %s", code, body)
		}
		if c := f.waitErased(id); c.ApprovedBy == nil || c.By == nil {
			t.Errorf("%v", c)
		}
		if w := f.do(ask{method: "DELETE", path: "/v1/organization-erasures/" + id, key: f.admin}); w.Code != http.StatusConflict {
			t.Errorf("withdrawn: %d", w.Code)
		}
	})
	t.Run("the instance itself is not erased", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t, setup{})
		if code, body := post(f, "/v1/organizations/daybook:instance/erasure", f.admin, `{"reason":"r"}`); code != http.StatusForbidden {
			t.Errorf("%d %s", code, body)
		}
	})
}

// TestEraser_resumes ends a process after each write of an erasure: the next one goes on, and everything is gone in the end.
func TestEraser_resumes(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		f := newFixture(t, setup{})
		f.record(f.acme, login)
		f.record(f.globex, login)
		erasures := control.NewOrgErasures(f.store, f.Now)
		x, err := erasures.Add(t.Context(), control.OrgErasure{ID: erasureID, Org: "org_acme", Reason: "r", By: daybook.Party{Type: "user", ID: "u"}}, false)
		if err != nil {
			t.Fatal(err)
		}
		faulty := storetest.Faulty(f.store, func(step storetest.Step, i int) storetest.Fault {
			if step == storetest.StepPut && i >= n || step == storetest.StepDelete && i >= n {
				return storetest.NotPersisted
			}
			return storetest.None
		})
		first := &control.Eraser{
			Erasures: control.NewOrgErasures(faulty, f.Now), Orgs: control.NewOrgs(faulty, f.Now), Docs: faulty, Book: f.book, Now: f.Now, Logger: slog.New(slog.DiscardHandler),
		}
		if _, err := first.Begin(t.Context(), x); err != nil {
			t.Fatalf("write %d: %v", n, err)
		}
		first.Close()
		hits := faulty.Hits()
		second := &control.Eraser{Erasures: erasures, Orgs: f.orgs, Docs: f.store, Book: f.book, Now: f.Now, Logger: slog.New(slog.DiscardHandler)}
		if err := second.Resume(t.Context()); err != nil {
			t.Fatalf("write %d: %v", n, err)
		}
		for {
			if x, err = erasures.Get(t.Context(), erasureID); err != nil {
				t.Fatal(err)
			}
			if !x.CompletedAt.IsZero() {
				break
			}
		}
		second.Close()
		if len(x.Last) != 1 || x.Last[0].Size != 1 {
			t.Errorf("write %d: handed over %+v", n, x.Last)
		}
		info, err := f.book.Info(t.Context(), "org_acme", "org_globex")
		if err != nil || info[0].Exists || !info[1].Exists {
			t.Errorf("write %d: %+v, %v", n, info, err)
		}
		if hits == 0 {
			return
		}
	}
}
