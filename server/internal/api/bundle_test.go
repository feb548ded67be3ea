package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/transparency-dev/formats/proof"
	merkleproof "github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/verify"
)

// pinned is the key of the newest log of org_acme, pinned by a reader.
func (f *fixture) pinned(t *testing.T) (string, verify.Options) {
	t.Helper()
	info, err := f.book.LogInfo(t.Context(), "org_acme")
	if err != nil {
		t.Fatal(err)
	}
	k, err := verify.ParseKey(info.Keys[0].Vkey)
	if err != nil {
		t.Fatal(err)
	}
	return info.Keys[0].Vkey, verify.Options{Keys: []verify.Key{k}}
}

// TestProofFile: what the route answers is what transparency-dev reads, proves with its own tree, and what package verify accepts; with
// one hash changed neither does.
func TestProofFile(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	var receipt struct{ ID string }
	for range 5 {
		if err := json.Unmarshal([]byte(f.record(f.acme, event("a.b", ""))), &receipt); err != nil {
			t.Fatal(err)
		}
	}
	f.recordMany(300)
	vkey, o := f.pinned(t)
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	file := f.do(ask{path: "/v1/organizations/org_acme/log/proof/" + receipt.ID + ".tlog-proof", key: f.acme}).Body.Bytes()
	judge := func(file []byte) (ours int, theirs error) {
		t.Helper()
		var p proof.TLogProof
		if err := p.Unmarshal(file); err != nil {
			return verify.Proof(string(file), nil, o).Exit(), err
		}
		if again := p.Marshal(); string(again) != string(file) {
			t.Errorf("read and written again it is\n%s\nnot\n%s", again, file)
		}
		n, err := note.Open(p.Checkpoint, note.VerifierList(verifier))
		if err != nil {
			return verify.Proof(string(file), nil, o).Exit(), err
		}
		parsed, err := verify.ParseNote(p.Checkpoint)
		if err != nil || !strings.Contains(n.Text, "\n305\n") || p.Index != 4 {
			t.Fatalf("index %d of %q: %v", p.Index, n.Text, err)
		}
		hashes := make([][]byte, len(p.Hashes))
		for i := range p.Hashes {
			hashes[i] = p.Hashes[i][:]
		}
		theirs = merkleproof.VerifyInclusion(rfc6962.DefaultHasher, p.Index, uint64(parsed.Size), rfc6962.DefaultHasher.HashLeaf(p.ExtraData), hashes, parsed.Root[:])
		return verify.Proof(string(file), nil, o).Exit(), theirs
	}
	if ours, theirs := judge(file); theirs != nil || ours != 0 {
		t.Errorf("transparency-dev says %v, package verify %d:\n%s", theirs, ours, file)
	}
	lines := strings.Split(string(file), "\n")
	lines[4], lines[5] = lines[5], lines[4]
	if ours, theirs := judge([]byte(strings.Join(lines, "\n"))); theirs == nil || ours != 6 {
		t.Errorf("with two hashes swapped: %v, %d", theirs, ours)
	}
}

// The bundle of the route may show a selection, withhold fields and link older checkpoints; a verifier accepts each, and says what it is.
func TestBundleParams(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	for _, action := range []string{"a.b", "a.c", "a.b"} {
		f.record(f.acme, event(action, `,"reason":"topsecret"`))
		f.do(ask{path: "/v1/organizations/org_acme/log/checkpoint", key: f.acme})
	}
	_, o := f.pinned(t)
	for _, tt := range []struct {
		params            string
		shown, hashes, of int
		secret            bool
		holds             string
	}{
		{"", 3, 0, 1, true, `"to":3`},
		{"?q=action:a.c", 1, 2, 1, true, `"filter":"action:a.c"`},
		{"?mask=/reason", 3, 0, 1, false, `"mask":["/reason"]`},
		{"?mask=/reason,/actor/id&q=action:a.b", 2, 1, 1, false, `"mask":["/reason","/actor/id"]`},
		{"?since=1,2", 3, 0, 3, true, `"t":"consistency"`},
		{"?q=occurred:2026-11-21&tz=Europe/Berlin", 3, 0, 1, true, `"filter":"occurred:`},
	} {
		text := f.do(ask{path: "/v1/organizations/org_acme/log/bundle" + tt.params, key: f.acme}).Body.String()
		if n := strings.Count(text, `{"t":"entry"`); n != tt.shown || strings.Contains(text, "topsecret") != tt.secret || !strings.Contains(text, tt.holds) {
			t.Errorf("%s: %d entries:\n%s", tt.params, n, text)
		}
		if n := strings.Count(text, "— audit.example.com/o/"); n < tt.of {
			t.Errorf("%s: %d checkpoints", tt.params, n)
		}
		if r := verify.Bundle(strings.NewReader(text), o); r.Exit() != 0 {
			t.Errorf("%s: exit %d, %v", tt.params, r.Exit(), r.Findings)
		}
	}
	for _, params := range []string{"?q=actr:x", "?mask=reason", "?since=x", "?tz=Mars", "?since=1,,2"} {
		if w := f.do(ask{path: "/v1/organizations/org_acme/log/bundle" + params, key: f.acme}); w.Code != http.StatusBadRequest {
			t.Errorf("%s: %d %s", params, w.Code, w.Body)
		}
	}
}

// Evidence is the bundle of the same range, for who may only read; it is of few entries and says so.
func TestEvidence(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	for range 3 {
		f.record(f.acme, event("a.b", `,"reason":"r"`))
	}
	readOnly := f.key("org_acme", auth.Read)
	_, o := f.pinned(t)
	at := "/v1/organizations/org_acme/log/"
	for _, params := range []string{"?from=1&to=2", "?from=0&to=3", "?from=2&to=3&size=3"} {
		text := f.do(ask{path: at + "evidence" + params, key: readOnly}).Body.String()
		if r := verify.Bundle(strings.NewReader(text), o); r.Exit() != 0 || r.Entries != r.To-r.From {
			t.Errorf("%s: exit %d, %v, %d entries", params, r.Exit(), r.Findings, r.Entries)
		}
		if whole := f.do(ask{path: at + "bundle" + params, key: f.acme}).Body.String(); whole != text {
			t.Errorf("%s: evidence %s\nbundle %s", params, text, whole)
		}
	}
	for params, want := range map[string]string{
		"": "required", "?from=0": "required", "?from=1&to=1": "empty_range", "?from=2&to=1": "empty_range", "?from=0&to=1001": "empty_range",
		"?from=0&to=1&q=x": "unknown_parameter", "?from=0&to=1&mask=/reason": "unknown_parameter", "?from=x&to=1": "invalid_value",
	} {
		if w := f.do(ask{path: at + "evidence" + params, key: readOnly}); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), `"`+want+`"`) {
			t.Errorf("%s: %d %s", params, w.Code, w.Body)
		}
	}
}

// An epoch is bundled as it stood at its last checkpoint; one that ended before it was signed never can be, and 503 would say otherwise.
func TestBundleOfEpoch(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	next := func() {
		t.Helper()
		r := daybook.EpochRequest{Org: "org_acme", Cause: daybook.CauseOther, Reason: "test", By: daybook.Party{Type: "user", ID: "usr_9"}}
		if _, err := f.book.NewEpoch(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	f.record(f.acme, event("a.b", ""))
	f.do(ask{path: "/v1/organizations/org_acme/log/checkpoint", key: f.acme})
	_, o := f.pinned(t)
	f.record(f.acme, event("a.c", ""))
	next()
	text := f.do(ask{path: "/v1/organizations/org_acme/log/epochs/0/bundle", key: f.acme}).Body.String()
	if r := verify.Bundle(strings.NewReader(text), o); r.Exit() != 0 {
		t.Errorf("epoch 0: exit %d, %v\n%s", r.Exit(), r.Findings, text)
	}
	f.record(f.globex, event("a.b", ""))
	r := daybook.EpochRequest{Org: "org_globex", Cause: daybook.CauseOther, Reason: "test", By: daybook.Party{Type: "user", ID: "usr_9"}}
	if _, err := f.book.NewEpoch(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"bundle", "checkpoint", "inclusion?seq=0"} {
		w := f.do(ask{path: "/v1/organizations/org_globex/log/epochs/0/" + path, key: f.globex})
		if w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "never_signed") {
			t.Errorf("%s of an epoch that was never signed: %d %s", path, w.Code, w.Body)
		}
	}
}
