package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/server/internal/api"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/storetest"
	"github.com/daybook-audit/daybook/verify"
)

// watched is a server that signs, on a store in memory, behind an address at which something else can be put.
type watched struct {
	t       *testing.T
	store   *storetest.MemoryStore
	marks   *storetest.MemoryMarks
	book    *daybook.Book
	handler http.Handler
	front   *front
	key     string
	vkey    string
	dir     string
}

// front is the address: what answers there can be exchanged.
type front struct{ handler atomic.Pointer[http.Handler] }

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	(*f.handler.Load()).ServeHTTP(w, r)
}

func (f *front) show(h http.Handler) { f.handler.Store(&h) }

// watch starts a server with a few events of org_acme.
func watch(t *testing.T, now func() time.Time) *watched {
	t.Helper()
	w := &watched{t: t, store: storetest.Memory(), marks: storetest.Marks(), front: &front{}, dir: t.TempDir()}
	w.open(now)
	orgs := control.NewOrgs(w.store, now)
	if err := orgs.Ensure(t.Context(), "org_acme"); err != nil {
		t.Fatal(err)
	}
	_, key, err := control.NewKeys(w.store, now).Create(t.Context(), control.NewKey{Name: "auditor", Org: "org_acme", Scopes: []string{"read", "export"}})
	if err != nil {
		t.Fatal(err)
	}
	w.key = key
	w.record(5)
	info, err := w.book.LogInfo(t.Context(), "org_acme")
	if err != nil {
		t.Fatal(err)
	}
	w.vkey = info.Keys[0].Vkey
	return w
}

// open opens the Book of the store and shows it.
func (w *watched) open(now func() time.Time) {
	w.t.Helper()
	book, err := daybook.Open(w.t.Context(), w.store, daybook.Options{
		Now: now, Origin: "audit.example.com", MasterKey: bytes.Repeat([]byte{7}, 32), HighWater: w.marks, SignEvery: time.Hour,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := book.Close(); err != nil {
			w.t.Error(err)
		}
	})
	keys := control.NewKeys(w.store, now)
	a := auth.New(keys, auth.Options{Now: now})
	w.t.Cleanup(a.Close)
	server, err := api.New(api.Deps{Book: book, Docs: w.store, Orgs: control.NewOrgs(w.store, now), Keys: keys, Auth: a, Now: now, Version: "test"})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(server.Close)
	w.book, w.handler = book, server
	w.front.show(server)
}

// copied is the same instance once more: same keys, same log, from here on another history. Its marks are its own.
func (w *watched) copied(now func() time.Time) *watched {
	w.t.Helper()
	c := *w
	c.store, c.marks = w.store.Copy(), w.marks.Copy()
	c.front = &front{}
	c.open(now)
	return &c
}

func (w *watched) record(n int) {
	w.t.Helper()
	for i := range n {
		e := daybook.Event{Action: "invoice.updated", Actor: daybook.Actor{Type: "user", ID: "usr_7"}, Reason: fmt.Sprint("number ", i)}
		if _, err := w.book.Record(w.t.Context(), "org_acme", e); err != nil {
			w.t.Fatal(err)
		}
	}
}

// round runs `daybook monitor --once` and returns its line.
func (w *watched) round(server *httptest.Server, more ...string) (int, roundJSON) {
	w.t.Helper()
	args := append([]string{"monitor", "--once", "--server", server.URL, "--org", "org_acme", "--state", filepath.Join(w.dir, "state"), "--vkey", w.vkey}, more...)
	out, _, code := w.run(args...)
	var line roundJSON
	if err := json.Unmarshal([]byte(out), &line); err != nil {
		w.t.Fatalf("%q: %v", out, err)
	}
	return code, line
}

func (w *watched) run(args ...string) (stdout, stderr string, code int) {
	w.t.Helper()
	var out, errs bytes.Buffer
	code = run(w.t.Context(), args, strings.NewReader(""), &out, &errs, w.getenv)
	return out.String(), errs.String(), code
}

func (w *watched) getenv(name string) string {
	if name == "DAYBOOK_API_KEY" {
		return w.key
	}
	return ""
}

func (w *watched) start() *httptest.Server {
	w.t.Helper()
	s := httptest.NewServer(w.front)
	w.t.Cleanup(s.Close)
	return s
}

func (w *watched) state() []byte {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(w.dir, "state"))
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

func has(line roundJSON, code verify.Code) bool {
	for _, f := range line.Findings {
		if f.Code == code {
			return true
		}
	}
	return false
}

// TestMonitor_honest: rounds of a log that grows, is erased, held and gets another key find nothing, and verify only what is new.
func TestMonitor_honest(t *testing.T) {
	t.Parallel()
	w := watch(t, time.Now)
	server := w.start()
	party := daybook.Party{Type: "user", ID: "usr_9"}
	for i, step := range []struct {
		do  func()
		new int64
	}{
		{func() {}, 5},
		{func() {}, 0},
		{func() { w.record(3) }, 3},
		{func() {
			if _, err := w.book.RotateKey(t.Context(), "org_acme", party); err != nil {
				t.Fatal(err)
			}
			w.record(1)
		}, 2},
		{func() { w.record(1) }, 1},
	} {
		step.do()
		code, line := w.round(server)
		if code != 0 || line.New != step.new || len(line.Findings) > 0 || line.Org != "org_acme" {
			t.Fatalf("round %d: exit %d, %+v", i, code, line)
		}
	}
	// The whole of it, once more and without memory.
	if out, errs, code := w.run("verify", "--server", server.URL, "--org", "org_acme", "--vkey", w.vkey, "--full"); code != 0 || !strings.Contains(out, "OK  nothing was changed") {
		t.Errorf("verify --full: exit %d\n%s%s", code, out, errs)
	}
	if out, _, code := w.run("verify", "--server", server.URL, "--vkey", w.vkey, "--state", filepath.Join(w.dir, "state"), "-o", "json"); code != 0 || !strings.Contains(out, `"size": 11`) {
		t.Errorf("verify with the org of the key: exit %d\n%s", code, out)
	}
}

// TestMonitor: what an operator or a thief of the key may do to a log, and what the monitor calls it. The state stays as it was.
func TestMonitor(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(w *watched) // after a first round
		args   []string
		exit   int
		code   verify.Code
	}{
		"fork of the same size": {change: func(w *watched) {
			// What the monitor saw was forgotten: the same key signs other entries at the same places.
			w.record(2)
		}, exit: 6, code: verify.Fork},
		"fork that is larger": {change: func(w *watched) { w.record(4) }, exit: 6, code: verify.ProofInvalid},
		"rollback":            {change: func(w *watched) { w.record(1) }, exit: 6, code: verify.Rollback},
		"silence":             {change: nil, exit: 7, code: verify.Unreachable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := watch(t, time.Now)
			server := w.start()
			// Its clock is ahead, so that what it signs is later than what the monitor has seen.
			other := w.copied(func() time.Time { return time.Now().Add(time.Minute) })
			w.record(2)
			if code, line := w.round(server); code != 0 || line.Size != 7 {
				t.Fatalf("first round: exit %d, %+v", code, line)
			}
			before := w.state()
			if c.change != nil {
				c.change(other)
				w.front.show(other.handler)
			} else {
				w.front.show(http.NotFoundHandler())
			}
			alarmed := filepath.Join(w.dir, "alarm")
			code, line := w.round(server, append(c.args, "--exec", "cat > "+alarmed)...)
			if code != c.exit || !has(line, c.code) {
				t.Errorf("exit %d, want %d with %s: %+v", code, c.exit, c.code, line)
			}
			if !bytes.Equal(before, w.state()) {
				t.Error("the state has changed")
			}
			told, err := os.ReadFile(alarmed)
			if c.exit != 6 {
				if err == nil {
					t.Errorf("one round without a verdict runs the command: %s", told)
				}
				return
			}
			if err != nil || !strings.Contains(string(told), string(c.code)) || len(line.Evidence) != 2 {
				t.Fatalf("--exec got %q, %v; evidence %v", told, err, line.Evidence)
			}
			for _, name := range line.Evidence {
				if text, err := os.ReadFile(name); err != nil || !strings.HasPrefix(string(text), line.Origin+"\n") {
					t.Errorf("%s: %q, %v", name, text, err)
				}
			}
		})
	}
}

// TestMonitor_stale: a log that was not signed for long is told from one that is.
func TestMonitor_stale(t *testing.T) {
	t.Parallel()
	hourAgo := func() time.Time { return time.Now().Add(-time.Hour) }
	w := watch(t, hourAgo)
	server := w.start()
	if code, line := w.round(server); code != 7 || !has(line, verify.Stale) || len(line.Findings) != 1 {
		t.Errorf("exit %d, %+v", code, line)
	}
	if code, line := w.round(server, "--max-age", "2h"); code != 0 || line.New != 5 {
		t.Errorf("with a larger --max-age: exit %d, %+v", code, line)
	}
}

// TestMonitor_hidden: a server that lies on the way cannot make anything pass.
func TestMonitor_hidden(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		edit func(lines []string) []string
		exit int
		code verify.Code
	}{
		"a body removed without a control entry": {func(lines []string) []string {
			for i, l := range lines {
				var e struct {
					T   string
					Seq int64
				}
				if json.Unmarshal([]byte(l), &e) == nil && e.T == "entry" {
					lines[i] = leafLine(l)
					break
				}
			}
			return lines
		}, 6, verify.UnauthorisedRemoval},
		"an entry changed": {func(lines []string) []string {
			return strings.Split(strings.Replace(strings.Join(lines, "\n"), "number 3", "number 4", 1), "\n")
		}, 6, verify.LeafMismatch},
		"a filtered copy": {func(lines []string) []string {
			lines[0] = strings.Replace(lines[0], `"from"`, `"filter":"x","from"`, 1)
			return lines
		}, 7, verify.ProofMissing},
		"cut": {func(lines []string) []string { return lines[:len(lines)-2] }, 6, verify.PositionMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := watch(t, time.Now)
			server := w.start()
			w.front.show(editing(w.handler, "/bundle", func(text string) string {
				lines := c.edit(strings.Split(strings.TrimSuffix(text, "\n"), "\n"))
				return refooted(lines)
			}))
			if code, line := w.round(server); code != c.exit || !has(line, c.code) || line.New != 0 {
				t.Errorf("exit %d, want %d with %s: %+v", code, c.exit, c.code, line)
			}
		})
	}
	for name, c := range map[string]struct {
		path, old, now string
		exit           int
		code           verify.Code
	}{
		"another checkpoint": {"/checkpoint", "\n5\n", "\n4\n", 6, verify.SignatureInvalid},
		"a narrower bundle":  {"/bundle", `"to":5`, `"to":4`, 6, verify.HeaderMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := watch(t, time.Now)
			server := w.start()
			w.front.show(editing(w.handler, c.path, func(text string) string { return strings.Replace(text, c.old, c.now, 1) }))
			if code, line := w.round(server); code != c.exit || !has(line, c.code) {
				t.Errorf("exit %d, want %d with %s: %+v", code, c.exit, c.code, line)
			}
		})
	}
}

// refooted joins the lines with a footer that fits them.
func refooted(lines []string) string {
	text := strings.Join(lines[:len(lines)-1], "\n") + "\n"
	sum := sha256.Sum256([]byte(text))
	return text + fmt.Sprintf("{\"t\":\"footer\",\"lines\":%d,\"sha256\":%q}\n", len(lines)-1, base64.StdEncoding.EncodeToString(sum[:]))
}

// leafLine makes the leaf line of an entry line.
func leafLine(line string) string {
	entry := strings.Replace(line, `"t":"entry",`, "", 1)
	e, err := verify.ParseEntry([]byte(entry))
	if err != nil || e.Leaf.Kind != leaf.Event {
		return line
	}
	return fmt.Sprintf(`{"t":"leaf","seq":%d,"leaf":%q}`, e.Leaf.Seq, base64.StdEncoding.EncodeToString(e.Leaf.Append(nil)))
}

// editing answers like h, but for what ends in suffix, which goes through edit.
func editing(h http.Handler, suffix string, edit func(string) string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, suffix) {
			h.ServeHTTP(w, r)
			return
		}
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		w.Header().Set("Content-Type", rec.Header().Get("Content-Type"))
		w.WriteHeader(rec.Code)
		if _, err := w.Write([]byte(edit(rec.Body.String()))); err != nil {
			panic(err)
		}
	})
}

// TestMonitor_vectors: logs that no honest Book would write, from mutations.json.
func TestMonitor_vectors(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../testdata/vectors/mutations.json")
	if err != nil {
		t.Fatal(err)
	}
	var f struct {
		Mutations []struct {
			Name, File string
			Pins       []string
			Exit       int
			Reason     verify.Code
		}
	}
	if err := json.Unmarshal(text, &f); err != nil {
		t.Fatal(err)
	}
	run := 0
	for _, m := range f.Mutations {
		var h struct {
			Origin  string
			Clock   string `json:"clock_vkey"`
			From    int64
			To      int64
			Size    int64
			Filter  *string
			Details any `json:"-"`
		}
		head, rest, _ := strings.Cut(m.File, "\n")
		if m.File == "" || json.Unmarshal([]byte(head), &h) != nil || h.From != 0 || h.To != h.Size || h.Filter != nil {
			continue
		}
		run++
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			var cp struct{ Note string }
			line, _, _ := strings.Cut(rest, "\n")
			if err := json.Unmarshal([]byte(line), &cp); err != nil {
				t.Fatal(err)
			}
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch at := r.URL.Path; {
				case strings.HasSuffix(at, "/info"):
					fmt.Fprintf(w, `{"origin":%q,"clock_vkey":%q}`, h.Origin, h.Clock)
				case strings.HasSuffix(at, "/checkpoint"):
					fmt.Fprint(w, cp.Note)
				default:
					fmt.Fprint(w, m.File)
				}
			}))
			defer server.Close()
			w := &watched{t: t, dir: t.TempDir(), key: "dbk_x", vkey: m.Pins[0]}
			code, round := w.round(server, "--max-age", "1000000h")
			if code != m.Exit || m.Reason != "" && !has(round, m.Reason) {
				t.Errorf("exit %d, want %d with %q: %+v", code, m.Exit, m.Reason, round)
			}
		})
	}
	if run < 8 {
		t.Errorf("only %d cases", run)
	}
}

// TestMonitor_goesOn: three rounds in a row without a verdict call somebody; --keep-going only reports what is false.
func TestMonitor_goesOn(t *testing.T) {
	t.Parallel()
	for name, org := range map[string]string{"with --org": "org_acme", "without, at a server that does not say whose the key is": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			goesOn(t, org)
		})
	}
}

func goesOn(t *testing.T, org string) {
	t.Helper()
	w := watch(t, time.Now)
	server := w.start()
	w.front.show(http.NotFoundHandler())
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	calls := filepath.Join(w.dir, "calls")
	out := &lines{}
	out.each = func(n int) {
		switch n {
		case 4:
			w.front.show(w.handler)
		case 5:
			w.record(2)
			w.front.show(editing(w.handler, "/checkpoint", func(text string) string { return strings.Replace(text, "\n7\n", "\n6\n", 1) }))
		case 7:
			stop()
		}
	}
	var errs bytes.Buffer
	code := run(ctx, []string{
		"monitor", "--org", org, "--every", "1ms", "--keep-going", "--server", server.URL, "--state", filepath.Join(w.dir, "state"), "--vkey", w.vkey, "--exec", "cat >> " + calls,
	}, strings.NewReader(""), out, &errs, w.getenv)
	if code == exitTampered || code == exitUnverified {
		t.Errorf("exit %d: %s", code, errs.String())
	}
	told, err := os.ReadFile(calls)
	if err != nil {
		t.Fatal(err)
	}
	rounds := strings.Split(strings.TrimSpace(string(told)), "\n")
	if len(rounds) < 2 || !strings.Contains(rounds[0], "unreachable") || !strings.Contains(rounds[1], "signature_invalid") {
		t.Errorf("called with %q", rounds)
	}
}

// lines counts the lines written to it.
type lines struct {
	n    int
	each func(n int)
}

func (l *lines) Write(p []byte) (int, error) {
	for range bytes.Count(p, []byte("\n")) {
		l.n++
		l.each(l.n)
	}
	return len(p), nil
}

func TestMonitor_usage(t *testing.T) {
	t.Parallel()
	bare := filepath.Join(t.TempDir(), "note")
	if err := os.WriteFile(bare, []byte("x\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{"monitor", "monitor --state x --every 0s", "monitor --state " + bare, "monitor --state x --vkey nonsense", "monitor x --state x", "verify a b", "verify --full x", "verify --entry x"} {
		if _, errs, code := runHere(t, "", strings.Fields(args)...); code != exitUsage || errs == "" {
			t.Errorf("%s: exit %d, %q", args, code, errs)
		}
	}
}
