package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestCheckpointLs: what a list holds that is false is named in its row and by the exit code, and the rest of the list is there.
func TestCheckpointLs(t *testing.T) {
	t.Parallel()
	w := watch(t, time.Now)
	server := w.start()
	for range 3 {
		w.record(1)
		if _, err := w.book.Checkpoint(t.Context(), "org_acme"); err != nil {
			t.Fatal(err)
		}
	}
	other := watch(t, time.Now) // the same log by name only
	other.record(2)
	otherNote, err := other.book.Checkpoint(t.Context(), "org_acme")
	if err != nil {
		t.Fatal(err)
	}
	honest := w.handler
	// alter has the server show the rows of its list otherwise.
	alter := func(change func(rows []map[string]any)) http.Handler {
		return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
			if !strings.HasSuffix(r.URL.Path, "/checkpoints") {
				honest.ServeHTTP(out, r)
				return
			}
			kept := httptest.NewRecorder()
			honest.ServeHTTP(kept, r)
			var list struct {
				Checkpoints []map[string]any `json:"checkpoints"`
			}
			if err := json.Unmarshal(kept.Body.Bytes(), &list); err != nil {
				t.Error(err)
			}
			change(list.Checkpoints)
			if err := json.NewEncoder(out).Encode(list); err != nil {
				t.Error(err)
			}
		})
	}
	for name, c := range map[string]struct {
		change func(rows []map[string]any)
		args   []string
		code   int
		checks []string
	}{
		"as it is":                {func([]map[string]any) {}, []string{"--proofs", "--vkey", w.vkey}, 0, []string{"holds", "holds", "holds"}},
		"nothing asked for":       {func([]map[string]any) {}, nil, 0, []string{"", "", ""}},
		"damaged":                 {func(rows []map[string]any) { rows[1]["damaged"], rows[1]["note"] = true, "" }, nil, exitTampered, []string{"", "damaged", ""}},
		"the newest is damaged":   {func(rows []map[string]any) { rows[0]["note"] = "x" }, []string{"--proofs"}, exitTampered, []string{"damaged", "holds", "holds"}},
		"of another size":         {func(rows []map[string]any) { rows[1]["note"] = rows[2]["note"] }, nil, exitTampered, []string{"", "damaged", ""}},
		"of another log":          {func(rows []map[string]any) { rows[1]["note"] = string(otherNote.Note) }, []string{"--proofs"}, exitTampered, []string{"holds", "fork", "holds"}},
		"with another root":       {func(rows []map[string]any) { rows[2]["note"] = otherRoot(rows[2]["note"]) }, []string{"--proofs"}, exitTampered, []string{"holds", "holds", "fork"}},
		"with another root, keys": {func(rows []map[string]any) { rows[2]["note"] = otherRoot(rows[2]["note"]) }, []string{"--vkey", w.vkey}, exitTampered, []string{"holds", "holds", "signature invalid"}},
		"by a key nobody knows":   {func([]map[string]any) {}, []string{"--vkey", other.vkey}, exitUnverified, []string{"key unknown", "key unknown", "key unknown"}},
	} {
		w.front.show(alter(c.change))
		out, errs, code := w.run(append([]string{"checkpoint", "ls", "--server", server.URL, "--org", "org_acme", "-o", "json"}, c.args...)...)
		var rows []listedCheckpoint
		if err := json.NewDecoder(bytes.NewReader([]byte(out))).Decode(&rows); err != nil {
			t.Errorf("%s: %v: %s%s", name, err, out, errs)
			continue
		}
		var checks []string
		for _, row := range rows {
			checks = append(checks, row.Check)
			if row.Check != checkDamaged && (row.SignedAt == nil || row.Note == "" || row.Root == "") && !strings.Contains(name, "another root") {
				t.Errorf("%s: %+v", name, row)
			}
		}
		if diff := cmp.Diff(c.checks, checks); diff != "" || code != c.code {
			t.Errorf("%s: exit %d, want %d: %s%s", name, code, c.code, errs, diff)
		}
	}
	w.front.show(http.NotFoundHandler())
	if _, errs, code := w.run("checkpoint", "ls", "--server", server.URL, "--org", "org_acme"); code == 0 {
		t.Errorf("no such list: exit 0: %s", errs)
	}
}

// otherRoot returns a note with the root of nothing in the place of its own.
func otherRoot(note any) string {
	text, _ := note.(string)
	lines := strings.SplitN(text, "\n", 4)
	lines[2] = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
	return strings.Join(lines, "\n")
}
