package witness_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/storetest"
	"github.com/daybook-audit/daybook/verify"
	"github.com/daybook-audit/daybook/witness"
)

// peer is a C2SP witness: it cosigns what extends what it has cosigned.
type peer struct {
	vkey    string
	private ed25519.PrivateKey
	hash    uint32
	logKey  string

	mu      sync.Mutex
	size    int64
	root    tlog.Hash
	answers []int
	spoil   func(status int, body []byte) (int, []byte)
}

const peerName = "witness.example.com/w1"

func newPeer() *peer {
	p := &peer{private: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{5}, 32))}
	public := append([]byte{4}, p.private[32:]...)
	sum := sha256.Sum256(append([]byte(peerName+"\n"), public...))
	p.hash = binary.BigEndian.Uint32(sum[:])
	p.vkey = fmt.Sprintf("%s+%08x+%s", peerName, p.hash, base64.StdEncoding.EncodeToString(public))
	return p
}

func (p *peer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Method != http.MethodPost || r.URL.Path != "/base/add-checkpoint" {
		http.Error(w, "no", http.StatusNotFound)
		return
	}
	status, answer := p.add(string(body))
	if p.spoil != nil {
		status, answer = p.spoil(status, answer)
	}
	p.answers = append(p.answers, status)
	w.WriteHeader(status)
	_, _ = w.Write(answer)
}

// add follows the steps of C2SP tlog-witness.
func (p *peer) add(body string) (int, []byte) {
	head, text, _ := strings.Cut(body, "\n\n")
	lines := strings.Split(head, "\n")
	old, err := strconv.ParseInt(strings.TrimPrefix(lines[0], "old "), 10, 64)
	if err != nil {
		return http.StatusBadRequest, nil
	}
	var proof tlog.TreeProof
	for _, line := range lines[1:] {
		h, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(h) != 32 {
			return http.StatusBadRequest, nil
		}
		proof = append(proof, tlog.Hash(h))
	}
	v, err := note.NewVerifier(p.logKey)
	if err != nil {
		return http.StatusNotFound, nil
	}
	n, err := note.Open([]byte(text), note.VerifierList(v))
	if err != nil {
		return http.StatusForbidden, nil
	}
	c, err := verify.ParseCheckpoint(n.Text)
	switch {
	case err != nil || old > c.Size:
		return http.StatusBadRequest, nil
	case old != p.size:
		return http.StatusConflict, fmt.Appendf(nil, "%d\n", p.size)
	case old > 0 && old < c.Size && tlog.CheckTree(proof, c.Size, c.Root, old, p.root) != nil, old == c.Size && c.Root != p.root:
		return http.StatusUnprocessableEntity, nil
	}
	p.size, p.root = c.Size, c.Root
	return http.StatusOK, p.cosign(n.Text, 1795301800)
}

func (p *peer) cosign(text string, at uint64) []byte {
	sig := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(nil, p.hash), at)
	sig = append(sig, ed25519.Sign(p.private, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", at, text))...)
	return fmt.Appendf(nil, "— %s %s\n", peerName, base64.StdEncoding.EncodeToString(sig))
}

// anchors is a book that anchors into the witnesses when it is closed.
type anchors struct {
	t     *testing.T
	store *storetest.MemoryStore
	docs  *storetest.MemoryStore
	marks *storetest.MemoryMarks
	vkey  string
	errs  map[string]error
	note  []byte
	n     int
}

func newAnchors(t *testing.T) *anchors {
	t.Helper()
	return &anchors{t: t, store: storetest.Memory(), docs: storetest.Memory(), marks: storetest.Marks()}
}

// round records something, signs and anchors it, and returns the newest note of the anchor log.
func (a *anchors) round(ws ...daybook.Witness) {
	a.t.Helper()
	a.errs = map[string]error{}
	var mu sync.Mutex
	b, err := daybook.Open(a.t.Context(), a.store, daybook.Options{
		Origin: "audit.example.com", MasterKey: make([]byte, 32), HighWater: a.marks, SignEvery: time.Hour, Anchors: a.docs, Witnesses: ws,
		Metrics: &daybook.Metrics{Witness: func(name string, err error) {
			mu.Lock()
			defer mu.Unlock()
			a.errs[name] = err
		}},
	})
	if err != nil {
		a.t.Fatal(err)
	}
	a.n++
	event := fmt.Appendf(nil, `{"action":"a.b","actor":{"type":"user","id":"%d"}}`, a.n)
	if _, err := b.RecordJSON(a.t.Context(), "org_a", daybook.Request{Events: [][]byte{event}}); err != nil {
		a.t.Fatal(err)
	}
	info, err := b.LogInfo(a.t.Context(), "org_a")
	if err != nil {
		a.t.Fatal(err)
	}
	a.vkey = info.AnchorVkey
	if err := b.Close(); err != nil {
		a.t.Fatal(err)
	}
	a.store = a.store.Reopen()
	if b, err = daybook.Open(a.t.Context(), a.store, daybook.Options{
		Origin: "audit.example.com", MasterKey: make([]byte, 32), HighWater: a.marks, Anchors: a.docs,
	}); err != nil {
		a.t.Fatal(err)
	}
	anchors, err := b.Anchors(a.t.Context())
	if err != nil {
		a.t.Fatal(err)
	}
	a.note = anchors.Note
	if err := b.Close(); err != nil {
		a.t.Fatal(err)
	}
	a.store = a.store.Reopen()
}

func cosigner(t *testing.T, p *peer, url string) *witness.Cosigner {
	t.Helper()
	w, err := witness.NewCosigner(http.DefaultClient, url+"/base/", p.vkey)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestCosigner(t *testing.T) {
	t.Parallel()
	serve := func(t *testing.T) (*peer, string, *anchors) {
		t.Helper()
		p, a := newPeer(), newAnchors(t)
		server := httptest.NewServer(p)
		t.Cleanup(server.Close)
		a.round() // makes the key known
		p.logKey = a.vkey
		return p, server.URL, a
	}
	t.Run("cosigns every checkpoint, and the signature stands in the note", func(t *testing.T) {
		t.Parallel()
		p, url, a := serve(t)
		w := cosigner(t, p, url)
		k, err := verify.ParseKey(p.vkey)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			a.round(w)
			n, err := verify.ParseNote(a.note)
			if err != nil {
				t.Fatal(err)
			}
			if at, err := n.Signed(k); err != nil || at.Unix() != 1795301800 || a.errs[peerName] != nil {
				t.Errorf("%v, %v, %v\n%s", at, err, a.errs, a.note)
			}
		}
		if fmt.Sprint(p.answers) != "[200 200 200]" {
			t.Errorf("answers %v", p.answers)
		}
	})
	t.Run("a 409 is answered with the proof from the size that the witness has", func(t *testing.T) {
		t.Parallel()
		p, url, a := serve(t)
		for range 4 { // each a new process, that knows nothing of the witness
			a.round()
			a.round(cosigner(t, p, url))
			if err := a.errs[peerName]; err != nil {
				t.Fatal(err)
			}
		}
		if fmt.Sprint(p.answers) != "[200 409 200 409 200 409 200]" {
			t.Errorf("answers %v", p.answers)
		}
	})
	t.Run("a larger size, a fork and a wrong signature are tampering; other failures are not", func(t *testing.T) {
		t.Parallel()
		wrong := newPeer().cosign("another text\n", 7)
		for name, tc := range map[string]struct {
			prepare func(p *peer)
			code    daybook.Code
		}{
			"a larger size":               {func(p *peer) { p.size = 1000 }, daybook.CodeTampered},
			"a fork":                      {func(p *peer) { p.size, p.root = 1, tlog.Hash{1} }, daybook.CodeTampered},
			"a signature of another text": {func(p *peer) { p.spoil = func(int, []byte) (int, []byte) { return 200, wrong } }, daybook.CodeInternal},
			"no signature":                {func(p *peer) { p.spoil = func(int, []byte) (int, []byte) { return 200, nil } }, daybook.CodeInternal},
			"no size in the 409":          {func(p *peer) { p.spoil = func(int, []byte) (int, []byte) { return 409, []byte("x") } }, daybook.CodeInternal},
			"the same 409 for ever":       {func(p *peer) { p.spoil = func(int, []byte) (int, []byte) { return 409, []byte("1\n") } }, daybook.CodeInternal},
			"an unknown log":              {func(p *peer) { p.spoil = func(int, []byte) (int, []byte) { return 404, nil } }, daybook.CodeInternal},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				p, url, a := serve(t)
				tc.prepare(p)
				a.round(cosigner(t, p, url))
				if err := a.errs[peerName]; daybook.CodeOf(err) != tc.code {
					t.Errorf("got %v", err)
				}
				if bytes.Contains(a.note, []byte(peerName)) {
					t.Errorf("a cosignature that does not hold was kept:\n%s", a.note)
				}
			})
		}
	})
	t.Run("a key that is none, or is not for cosignatures, is refused", func(t *testing.T) {
		t.Parallel()
		for _, vkey := range []string{"", "x", "audit.example.com/anchor+72a6bcca+AUWUnc+t3k3bMFhGa3ZOYJJyG/QbAUgw6SLXcjc438X3"} {
			if _, err := witness.NewCosigner(http.DefaultClient, "http://x", vkey); err == nil {
				t.Errorf("%q was taken", vkey)
			}
		}
	})
}

func TestFolder(t *testing.T) {
	t.Parallel()
	a, dir := newAnchors(t), t.TempDir()
	f := witness.NewFolder(dir)
	for size := 1; size <= 3; size++ {
		a.round(f)
		text, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("audit.example.com-anchor-%d.note", size)))
		if err != nil || !bytes.Equal(text, a.note) {
			t.Errorf("%v: %s, not %s", err, text, a.note)
		}
	}
	c := &daybook.AnchorCheckpoint{Origin: "audit.example.com/anchor", Size: 3, Note: []byte("audit.example.com/anchor\n3\nanother\n\n— x y\n")}
	if _, err := f.Tell(t.Context(), c); daybook.CodeOf(err) != daybook.CodeTampered {
		t.Errorf("another checkpoint of a size that is there: %v", err)
	}
	if _, err := witness.NewFolder(filepath.Join(dir, "none")).Tell(t.Context(), c); err == nil {
		t.Error("a folder that is not there: no error")
	}
}

func TestMailbox(t *testing.T) {
	t.Parallel()
	var got []byte
	status := http.StatusAccepted
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, _ = io.ReadAll(r.Body)
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	m := witness.NewMailbox(http.DefaultClient, server.URL+"/secret-path")
	if strings.Contains(m.Name(), "secret") {
		t.Errorf("the name tells the address: %s", m.Name())
	}
	c := &daybook.AnchorCheckpoint{Note: []byte("note\n")}
	if _, err := m.Tell(t.Context(), c); err != nil || string(got) != "note\n" {
		t.Errorf("%v, %s", err, got)
	}
	status = http.StatusInternalServerError
	if _, err := m.Tell(t.Context(), c); err == nil {
		t.Error("a 500 is no error")
	}
	server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := m.Tell(ctx, c); err == nil {
		t.Error("nobody answers, and there is no error")
	}
}

// authority is openssl's timestamp authority.
type authority struct{ dir string }

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t.TempDir()}
	conf := `[tsa]
serial = ` + a.dir + `/serial
signer_cert = ` + a.dir + `/tsa.pem
signer_key = ` + a.dir + `/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
crypto_device = builtin
[ext]
extendedKeyUsage = critical,timeStamping
[req]
distinguished_name = dn
x509_extensions = ext
prompt = no
[dn]
CN = test authority
`
	for name, text := range map[string]string{"conf": conf, "serial": "01\n"} {
		if err := os.WriteFile(filepath.Join(a.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a.openssl(t, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-config", a.dir+"/conf", "-keyout", a.dir+"/tsa.key", "-out", a.dir+"/tsa.pem")
	return a
}

func (a *authority) openssl(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "openssl", args...).CombinedOutput(); err != nil {
		t.Fatalf("openssl %v: %v\n%s", args, err, out)
	}
}

func TestTimestamp(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	replay := []byte(nil)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query, _ := io.ReadAll(r.Body)
		if replay == nil {
			if err := os.WriteFile(a.dir+"/query", query, 0o600); err != nil {
				t.Error(err)
			}
			a.openssl(t, "ts", "-reply", "-config", a.dir+"/conf", "-section", "tsa", "-queryfile", a.dir+"/query", "-out", a.dir+"/reply")
			reply, err := os.ReadFile(a.dir + "/reply")
			if err != nil {
				t.Error(err)
			}
			_, _ = w.Write(reply)
			return
		}
		_, _ = w.Write(replay)
	}))
	t.Cleanup(server.Close)
	dir := t.TempDir()
	stamp := witness.NewTimestamp(http.DefaultClient, server.URL, dir)
	log := newAnchors(t)
	log.round(stamp)
	if err := errors.Join(log.errs[stamp.Name()]); err != nil {
		t.Fatal(err)
	}
	file := dir + "/audit.example.com-anchor-1"
	a.openssl(t, "ts", "-verify", "-in", file+".tsr", "-data", file+".note", "-CAfile", a.dir+"/tsa.pem")
	var err error
	if replay, err = os.ReadFile(file + ".tsr"); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]*daybook.AnchorCheckpoint{
		"another checkpoint":                   {Origin: "x", Size: 9, Note: []byte("another")},
		"the same checkpoint, another request": {Origin: "x", Size: 9, Note: log.note},
	} {
		if _, err := stamp.Tell(t.Context(), c); err == nil {
			t.Errorf("%s: a replayed timestamp was taken", name)
		}
	}
	whole := replay
	for cut := 0; cut < len(whole); cut += 7 {
		replay = whole[:cut]
		if _, err := stamp.Tell(t.Context(), &daybook.AnchorCheckpoint{Origin: "x", Size: 9, Note: log.note}); err == nil {
			t.Fatalf("the first %d bytes of a timestamp were taken", cut)
		}
	}
	if _, err := os.Stat(dir + "/x-9.tsr"); err == nil {
		t.Error("a timestamp that does not hold was kept")
	}
}
