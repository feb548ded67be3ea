package api_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"k8s.io/klog/v2"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/leaf"
)

// servedLog is the log of org_acme, read over HTTP.
type servedLog struct {
	*fixture
	root     *url.URL
	verifier note.Verifier
	tree     tlog.Tree // of its checkpoint, once that was read
}

// fetcher is tessera's client of the log.
func (l *servedLog) fetcher(t testing.TB) *client.HTTPFetcher {
	t.Helper()
	root := *l.root
	f, err := client.NewHTTPFetcher(&root, nil)
	if err != nil {
		t.Fatal(err)
	}
	f.SetAuthorizationHeader("Bearer " + l.acme)
	return f
}

// recordMany records n small events at once, past HTTP.
func (f *fixture) recordMany(n int) {
	f.t.Helper()
	for n > 0 {
		some := min(n, 1000)
		texts := make([][]byte, some)
		for i := range texts {
			texts[i] = []byte(event("doc.read", fmt.Sprintf(`,"reason":"%d"`, i)))
		}
		if _, err := f.book.RecordJSON(f.t.Context(), "org_acme", daybook.Request{Events: texts}); err != nil {
			f.t.Fatal(err)
		}
		n -= some
	}
}

// prune applies rules, and has what they say carried out.
func (f *fixture) prune(rules ...daybook.RetentionRule) daybook.Pruned {
	f.t.Helper()
	p, err := f.book.ApplyRetention(f.t.Context(), "org_acme", daybook.Retention{Rules: rules})
	if err != nil {
		f.t.Fatal(err)
	}
	if _, err := f.book.Checkpoint(f.t.Context(), "org_acme"); err != nil {
		f.t.Fatal(err)
	}
	for again := true; again; again = f.book.Stats().Removals > 0 {
		f.Add(time.Second)
		if err := f.book.Settle(f.t.Context()); err != nil {
			f.t.Fatal(err)
		}
	}
	return p
}

func period(t *testing.T, text string) daybook.Period {
	t.Helper()
	p, err := daybook.ParsePeriod(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// serveLog serves a log of which some entries were erased, and the first tenth was pruned.
func serveLog(t *testing.T, entries int) *servedLog {
	t.Helper()
	f := newFixture(t, setup{})
	f.recordMany(entries / 10)
	f.Add(time.Hour)
	f.recordMany(entries - 2*(entries/10))
	if err := f.book.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	by := daybook.Party{Type: "user", ID: "usr_9"}
	for i, r := range []daybook.EraseRequest{{Text: "reason:41", Whole: true}, {Text: "reason:42", Paths: []string{"/reason"}}} {
		r.Org, r.Reason, r.By = "org_acme", "request", by
		if _, err := f.book.Erase(t.Context(), r); err != nil {
			t.Fatalf("erase %d: %v", i, err)
		}
	}
	if err := f.book.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p := f.prune(daybook.RetentionRule{Keep: period(t, "30m")}); len(p.Seqs) != 1 {
		t.Fatalf("%+v", p)
	}
	f.recordMany(entries/10 - 3) // three say what was erased and pruned
	server := httptest.NewServer(f.server)
	t.Cleanup(server.Close)
	root, err := url.Parse(server.URL + "/v1/organizations/org_acme/log/")
	if err != nil {
		t.Fatal(err)
	}
	info, err := f.book.LogInfo(t.Context(), "org_acme")
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(info.Keys[0].Vkey)
	if err != nil {
		t.Fatal(err)
	}
	return &servedLog{fixture: f, root: root, verifier: verifier}
}

// leafHashes is what tessera's fsck command does with an entry bundle.
func leafHashes(bundle []byte) ([][]byte, error) {
	var b api.EntryBundle
	if err := b.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	hashes := make([][]byte, 0, len(b.Entries))
	for _, e := range b.Entries {
		hashes = append(hashes, rfc6962.DefaultHasher.HashLeaf(e))
	}
	return hashes, nil
}

// altered is a log whose server changes one bit of one entry bundle.
type altered struct{ fsck.Fetcher }

func (a altered) ReadEntryBundle(ctx context.Context, i uint64, p uint8) ([]byte, error) {
	b, err := a.Fetcher.ReadEntryBundle(ctx, i, p)
	if err == nil && i == 1 {
		b[2+leaf.Size+40] ^= 4
	}
	return b, err
}

// TestTiles: tessera's fsck, which reads every entry bundle and every tile, agrees with what is served, and does not with one bit changed.
// Each resource has a worker, since a worker that has found something leaves the others waiting for ever.
func TestTiles(t *testing.T) {
	t.Parallel()
	const entries = 70_000
	l := serveLog(t, entries)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	said := &logged{}
	klog.LogToStderr(false)
	klog.SetOutput(said)
	const done = "Successfully fsck'd log with size 70000"
	all := fsck.Opts{N: 600}
	if err := fsck.New(l.verifier.Name(), l.verifier, altered{l.fetcher(t)}, leafHashes, all).Check(ctx); err == nil || strings.Contains(said.String(), done) {
		t.Errorf("one bit of one entry was changed: %v\n%s", err, said)
	}
	if err := fsck.New(l.verifier.Name(), l.verifier, l.fetcher(t), leafHashes, all).Check(ctx); err != nil || !strings.Contains(said.String(), done) {
		t.Errorf("untouched: %v\n%s", err, said)
	}
	checkpoint, err := l.fetcher(t).ReadCheckpoint(ctx)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := note.Open(checkpoint, note.VerifierList(l.verifier))
	if err != nil {
		t.Fatal(err)
	}
	l.tree, err = tlog.ParseTree([]byte("go.sum database tree\n" + strings.SplitN(opened.Text, "\n", 2)[1]))
	if err != nil || l.tree.N != entries {
		t.Fatalf("tree %v: %v", l.tree, err)
	}
	t.Run("the client of golang.org/x/mod proves from them", l.proveByTiles)
	t.Run("tessera's client proves from them", l.proveByTessera)
}

// ReadTiles is what tlog asks. Its paths name the height, which is always 8 here.
func (l *servedLog) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, tile := range tiles {
		w := l.do(ask{path: strings.TrimSuffix(l.root.Path, "/") + strings.Replace("/"+tile.Path(), "/tile/8/", "/tile/", 1), key: l.acme})
		if w.Code != http.StatusOK || w.Header().Get("Cache-Control") != "private, max-age=31536000, immutable" {
			return nil, fmt.Errorf("%s: %d %s", tile.Path(), w.Code, w.Body)
		}
		data[i] = w.Body.Bytes()
	}
	return data, nil
}

// Height is what tlog asks.
func (l *servedLog) Height() int { return 8 }

// SaveTiles is what tlog asks; nothing is kept.
func (l *servedLog) SaveTiles([]tlog.Tile, [][]byte) {}

func (l *servedLog) proveByTiles(t *testing.T) {
	hashes := tlog.TileHashReader(l.tree, l)
	for _, seq := range []int64{0, 255, 256, 40_000, 63_000, l.tree.N - 1} {
		p, err := tlog.ProveRecord(l.tree.N, seq, hashes)
		if err != nil {
			t.Fatal(err)
		}
		e, err := l.book.EntryAt(t.Context(), "org_acme", seq)
		if err != nil {
			t.Fatal(err)
		}
		if err := tlog.CheckRecord(p, l.tree.N, l.tree.Hash, seq, e.LeafHash); err != nil {
			t.Errorf("entry %d: %v", seq, err)
		}
	}
	if _, err := tlog.ProveTree(l.tree.N, 40_001, hashes); err != nil {
		t.Error(err)
	}
}

func (l *servedLog) proveByTessera(t *testing.T) {
	f := l.fetcher(t)
	builder, err := client.NewProofBuilder(t.Context(), uint64(l.tree.N), f.ReadTile)
	if err != nil {
		t.Fatal(err)
	}
	for _, seq := range []uint64{1, 300, 65_536} {
		p, err := builder.InclusionProof(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		want, err := l.book.Inclusion(t.Context(), "org_acme", int64(seq), l.tree.N)
		if err != nil {
			t.Fatal(err)
		}
		same := slices.EqualFunc(p, want.Proof, func(a []byte, b tlog.Hash) bool { return bytes.Equal(a, b[:]) })
		if !same {
			t.Errorf("entry %d: tessera's proof is another", seq)
		}
	}
}

// Nothing is served beyond the newest checkpoint, and a path that is no tile is a 404 like any other.
func TestTileBounds(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	f.recordMany(300)
	const log = "/v1/organizations/org_acme/log/"
	status := func(path string) int {
		t.Helper()
		return f.do(ask{path: log + path, key: f.acme}).Code
	}
	if got := status("tile/0/000.p/1"); got != http.StatusNotFound {
		t.Errorf("before the first checkpoint: %d", got)
	}
	if got := status("checkpoint"); got != http.StatusOK {
		t.Errorf("checkpoint: %d", got)
	}
	f.recordMany(10)
	for path, want := range map[string]int{
		"tile/0/000": 200, "tile/0/000.p/255": 200, "tile/0/001.p/44": 200, "tile/0/001.p/45": 404, "tile/0/001": 404, "tile/1/000.p/1": 200,
		"tile/1/000.p/2": 404, "tile/entries/001.p/44": 200, "tile/entries/001.p/45": 404, "tile/2/000.p/1": 404, "tile/": 404, "tile/0/000.p/0": 404,
		"inclusion?seq=299&size=300": 200, "inclusion?seq=300&size=301": 404, "consistency?from=300&to=301": 404, "checkpoints/300": 200,
		"checkpoints/0300": 404, "checkpoints/-1": 404, "checkpoints/x": 404,
	} {
		if got := status(path); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	if got := status("inclusion?seq=309"); got != http.StatusOK { // it signs what is unsigned
		t.Errorf("without a size: %d", got)
	}
	if got := status("tile/0/001.p/54"); got != http.StatusOK {
		t.Errorf("after signing: %d", got)
	}
}

// The log of an epoch that has ended is still served, under its number; without one it is the newest.
func TestEpochRoutes(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	f.recordMany(5)
	const log = "/v1/organizations/org_acme/log"
	get := func(path string, want int) string {
		t.Helper()
		w := f.do(ask{path: log + path, key: f.acme})
		if w.Code != want {
			t.Fatalf("%s: %d %s", path, w.Code, w.Body)
		}
		return w.Body.String()
	}
	first := get("/checkpoint", 200)
	if get("/epochs/0/checkpoints/5", 200) != first {
		t.Error("epoch 0 is not the newest")
	}
	get("/epochs/1/checkpoint", 404)
	get("/epochs/00/checkpoint", 404)
	get("/epochs/-1/checkpoint", 404)
	r := daybook.EpochRequest{Org: "org_acme", Cause: daybook.CauseOther, Reason: "test", By: daybook.Party{Type: "user", ID: "usr_9"}}
	if _, err := f.book.NewEpoch(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if got := get("/epochs/0/checkpoint", 200); got != first {
		t.Errorf("the last checkpoint of epoch 0 is\n%s\nnot\n%s", got, first)
	}
	if get("/checkpoint", 200) == first || get("/epochs/1/info", 200) != get("/info", 200) {
		t.Error("the newest log is not that of epoch 1")
	}
	get("/epochs/0/inclusion?seq=4", 200)
	get("/epochs/1/inclusion?seq=4", 404)
	get("/epochs/0/tile/entries/000.p/5", 200)
	if info := get("/epochs/0/info", 200); !strings.Contains(info, `"state":"frozen","size":5,"signed_size":5`) {
		t.Error(info)
	}
}

// TestPruned: what retention has removed with its leaves or hashes is 410, over HTTP too, and everything else goes on to prove.
func TestPruned(t *testing.T) {
	t.Parallel()
	for leave, wants := range map[daybook.Leave]map[string]int{
		daybook.LeaveHash: {
			"tile/0/000": 200, "tile/entries/000": 410, "tile/entries/002.p/10": 200, "tile/1/000.p/2": 200, "inclusion?seq=7": 200, "consistency?from=100&to=603": 200,
			"checkpoints/100": 200, "bundle": 200, "bundle?from=5&to=9": 200,
		},
		daybook.LeaveTile: {
			"tile/0/000": 410, "tile/0/002.p/9": 200, "tile/entries/000": 410, "tile/1/000.p/2": 200, "inclusion?seq=7": 410, "inclusion?seq=520": 200,
			"consistency?from=100&to=603": 200, "consistency?from=100&to=200": 200, "consistency?from=101&to=603": 410, "checkpoints/100": 200, "bundle": 200,
			"bundle?from=5&to=9": 410, "bundle?from=512&to=520": 200,
		},
	} {
		t.Run(string(leave), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, setup{})
			for _, n := range []int{100, 100, 312} {
				f.recordMany(n)
				if _, err := f.book.Checkpoint(t.Context(), "org_acme"); err != nil {
					t.Fatal(err)
				}
			}
			f.Add(time.Hour)
			f.recordMany(90)
			f.prune(daybook.RetentionRule{Keep: period(t, "30m"), Leave: leave})
			for path, want := range wants {
				w := f.do(ask{path: "/v1/organizations/org_acme/log/" + path, key: f.acme})
				if w.Code != want || want == 410 && !strings.Contains(w.Body.String(), `"code":"pruned"`) {
					t.Errorf("%s: %d, want %d: %.300s", path, w.Code, want, w.Body)
				}
			}
			info := f.do(ask{path: "/v1/organizations/org_acme/log/info", key: f.acme}).Body.String()
			if begin := `"min_index":512`; strings.Contains(info, begin) != (leave == daybook.LeaveTile) {
				t.Errorf("%s", info)
			}
		})
	}
}
