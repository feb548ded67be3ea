package api_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	tesseraapi "github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/api"
	"github.com/daybook-audit/daybook/storetest"
)

// anchoredFixture is a server whose anchor log has so many leaves; org_acme grew before each, org_globex before the first.
func anchoredFixture(t *testing.T, leaves int) *fixture {
	t.Helper()
	now := storetest.ClockAt(time.Date(2026, 11, 21, 14, 22, 7, 0, time.UTC))
	s, marks := storetest.Memory(), storetest.Marks()
	opened := func() *daybook.Book {
		b, err := daybook.Open(t.Context(), s, daybook.Options{
			Now: now.Now, Origin: "audit.example.com", MasterKey: bytes.Repeat([]byte{7}, 32), HighWater: marks, SignEvery: time.Hour, Anchors: s,
		})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for i := range leaves {
		b := opened()
		for _, org := range []daybook.OrgID{"org_acme", "org_globex"}[:1+(leaves-i)/leaves] {
			if _, err := b.RecordJSON(t.Context(), org, daybook.Request{Events: [][]byte{[]byte(event("doc.read", ""))}}); err != nil {
				t.Fatal(err)
			}
		}
		now.Add(time.Hour)
		if err := b.Close(); err != nil { // an interval ends with Close
			t.Fatal(err)
		}
	}
	b := opened()
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return newFixture(t, setup{deps: func(d *api.Deps) { d.Book = b }})
}

// anchorLeafHashes hashes the leaves of an entry bundle of the anchor log.
func anchorLeafHashes(bundle []byte) ([][]byte, error) {
	var b tesseraapi.EntryBundle
	if err := b.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	hashes := make([][]byte, 0, len(b.Entries))
	for _, e := range b.Entries {
		h := tlog.RecordHash(e)
		hashes = append(hashes, h[:])
	}
	return hashes, nil
}

// TestAnchorTiles: tessera's client and fsck read the anchor log as they read a log, and refuse it with one bit changed.
func TestAnchorTiles(t *testing.T) {
	t.Parallel()
	const leaves = 300
	f := anchoredFixture(t, leaves)
	server := httptest.NewServer(f.server)
	t.Cleanup(server.Close)
	root, err := url.Parse(server.URL + "/v1/anchor/")
	if err != nil {
		t.Fatal(err)
	}
	var info struct {
		Origin, Vkey string
		SignedSize   int64 `json:"signed_size"`
	}
	w := f.do(ask{path: "/v1/anchor/info", key: f.acme})
	if err := json.Unmarshal(w.Body.Bytes(), &info); err != nil || info.SignedSize != leaves || info.Origin != "audit.example.com/anchor" {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	verifier, err := note.NewVerifier(info.Vkey)
	if err != nil {
		t.Fatal(err)
	}
	fetcher := func() *client.HTTPFetcher {
		at := *root
		h, err := client.NewHTTPFetcher(&at, nil)
		if err != nil {
			t.Fatal(err)
		}
		h.SetAuthorizationHeader("Bearer " + f.acme)
		return h
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := fsck.New(verifier.Name(), verifier, fetcher(), anchorLeafHashes, fsck.Opts{N: 8}).Check(ctx); err != nil {
		t.Errorf("tessera's fsck: %v", err)
	}
	if err := fsck.New(verifier.Name(), verifier, anchorAltered{fetcher()}, anchorLeafHashes, fsck.Opts{N: 8}).Check(ctx); err == nil {
		t.Error("tessera's fsck finds nothing where a bit was changed")
	}
	builder, err := client.NewProofBuilder(ctx, leaves, fetcher().ReadTile)
	if err != nil {
		t.Fatal(err)
	}
	for _, index := range []uint64{0, 255, 256, leaves - 1} {
		want, err := builder.InclusionProof(ctx, index)
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			LeafHash tlog.Hash `json:"leaf_hash"`
			Proof    []tlog.Hash
		}
		w := f.do(ask{path: fmt.Sprintf("/v1/anchor/inclusion?seq=%d", index), key: f.acme})
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || len(got.Proof) != len(want) {
			t.Fatalf("leaf %d: %d %s", index, w.Code, w.Body)
		}
		for i := range want {
			if !bytes.Equal(got.Proof[i][:], want[i]) {
				t.Errorf("leaf %d: hash %d is another than tessera's", index, i)
			}
		}
	}
	f.proveAnchorGrew(t, verifier)
	for _, path := range []string{
		"tile/0/001.p/45", "tile/0/002.p/1", "tile/1/000.p/2", "tile/entries/001.p/45", "tile/0/0", "checkpoints/0", "checkpoints/301", "checkpoints/x",
		"inclusion?seq=300", "inclusion?seq=0&size=301", "consistency?from=1&to=301",
	} {
		if w := f.do(ask{path: "/v1/anchor/" + path, key: f.acme}); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

// proveAnchorGrew checks the consistency of an older checkpoint with the newest.
func (f *fixture) proveAnchorGrew(t *testing.T, v note.Verifier) {
	t.Helper()
	tree := func(path string) tlog.Tree {
		w := f.do(ask{path: path, key: f.acme})
		n, err := note.Open(w.Body.Bytes(), note.VerifierList(v))
		if err != nil {
			t.Fatalf("%s: %v %s", path, err, w.Body)
		}
		tree, err := tlog.ParseTree([]byte("go.sum database tree\n" + strings.SplitN(n.Text, "\n", 2)[1]))
		if err != nil {
			t.Fatal(err)
		}
		return tree
	}
	older, newest := tree("/v1/anchor/checkpoints/7"), tree("/v1/anchor/checkpoint")
	var p struct{ Proof tlog.TreeProof }
	w := f.do(ask{path: "/v1/anchor/consistency?from=7", key: f.acme})
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatal(err)
	}
	if err := tlog.CheckTree(p.Proof, newest.N, newest.Hash, older.N, older.Hash); err != nil {
		t.Error(err)
	}
}

type anchorAltered struct{ fsck.Fetcher }

func (a anchorAltered) ReadEntryBundle(ctx context.Context, i uint64, p uint8) ([]byte, error) {
	b, err := a.Fetcher.ReadEntryBundle(ctx, i, p)
	if err == nil {
		b[20] ^= 1
	}
	return b, err
}

// TestLogAnchor: an organization gets the proof of its own head, which leads to the checkpoint of the anchor log, and nothing by which it
// learns of another's.
func TestLogAnchor(t *testing.T) {
	t.Parallel()
	f := anchoredFixture(t, 3)
	var got struct {
		Size        int64
		Root        tlog.Hash
		Consistency tlog.TreeProof
		BatchIndex  int64            `json:"batch_index"`
		BatchProof  tlog.RecordProof `json:"batch_proof"`
		Leaf        []byte
		Proof       tlog.RecordProof
		Note        string
	}
	w := f.do(ask{path: "/v1/organizations/org_globex/log/anchor", key: f.globex})
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.Size != 1 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	w = f.do(ask{path: "/v1/organizations/org_globex/log/info", key: f.globex})
	var info struct{ Origin string }
	if err := json.Unmarshal(w.Body.Bytes(), &info); err != nil {
		t.Fatal(err)
	}
	tag := sha256.Sum256([]byte(info.Origin))
	entry := append(binary.BigEndian.AppendUint64(tag[:], uint64(got.Size)), got.Root[:]...)
	logs := int64(binary.BigEndian.Uint32(got.Leaf[21:]))
	if logs != 2 {
		t.Errorf("the first leaf is of %d logs", logs)
	}
	if err := tlog.CheckRecord(got.BatchProof, logs, tlog.Hash(got.Leaf[25:57]), got.BatchIndex, tlog.RecordHash(entry)); err != nil {
		t.Errorf("the batch: %v", err)
	}
	index := int64(binary.BigEndian.Uint64(got.Leaf[5:]))
	lines := strings.Split(got.Note, "\n")
	var size int64
	if _, err := fmt.Sscan(lines[1], &size); err != nil {
		t.Fatal(err)
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		t.Fatal(err)
	}
	if err := tlog.CheckRecord(got.Proof, size, root, index, tlog.RecordHash(got.Leaf)); err != nil {
		t.Errorf("the leaf: %v", err)
	}
	// The whole batch is the operator's; what the organization gets is one of its entries.
	if w := f.do(ask{path: "/v1/anchor/batch/0", key: f.globex}); w.Code != http.StatusForbidden {
		t.Errorf("a batch without the scope operate: %d %s", w.Code, w.Body)
	}
	var batch struct {
		Logs    int
		Entries []byte
	}
	w = f.do(ask{path: "/v1/anchor/batch/0", key: f.admin})
	if err := json.Unmarshal(w.Body.Bytes(), &batch); err != nil || batch.Logs != 2 || !bytes.Equal(batch.Entries[got.BatchIndex*72:][:72], entry) {
		t.Errorf("the batch: %d %s", w.Code, w.Body)
	}
	other := base64.StdEncoding.EncodeToString(batch.Entries[(1-got.BatchIndex)*72:][:32])
	for _, path := range []string{"/v1/organizations/org_globex/log/anchor", "/v1/anchor/info", "/v1/anchor/tile/entries/000.p/3"} {
		if strings.Contains(f.do(ask{path: path, key: f.globex}).Body.String(), other) {
			t.Errorf("%s shows the head of another log", path)
		}
	}
	if w := f.do(ask{path: "/v1/anchor/batch/3", key: f.admin}); w.Code != http.StatusNotFound {
		t.Errorf("a batch that is not there: %d", w.Code)
	}
	if w := newFixture(t, setup{}).do(ask{path: "/v1/anchor/info", key: f.acme}); w.Code != http.StatusUnauthorized {
		t.Errorf("a key of another instance: %d", w.Code)
	}
}

// Without an anchor log its routes are not there.
func TestAnchor_none(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	f.record(f.acme, event("a.b", ""))
	for _, path := range []string{"/v1/anchor/checkpoint", "/v1/anchor/info", "/v1/anchor/tile/0/000.p/1", "/v1/organizations/org_acme/log/anchor"} {
		if w := f.do(ask{path: path, key: f.acme}); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}
