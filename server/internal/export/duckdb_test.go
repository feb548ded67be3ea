package export_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/server/internal/export"
)

// TestDuckDB: another program reads every format, and finds the same in each.
func TestDuckDB(t *testing.T) {
	t.Parallel()
	var texts []string
	for i := range 1200 { // each with an id of its own
		texts = append(texts, "{"+strings.SplitN(sample[i%3], ",", 2)[1])
	}
	ps := passages(t, texts...)
	dir := t.TempDir()
	for name, x := range map[string]control.Export{
		"all.parquet": {Format: export.Parquet}, "all.csv.gz": {Format: export.CSV, Compression: export.Gzip, Raw: true},
		"all.ndjson.zst": {Format: export.NDJSON, Compression: export.Zstd}, "none.parquet": {Format: export.Parquet},
	} {
		some := ps
		if strings.HasPrefix(name, "none") {
			some = nil
		}
		if err := os.WriteFile(filepath.Join(dir, name), file(t, x, some), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parquet, csv, ndjson := quoted(dir, "all.parquet"), quoted(dir, "all.csv.gz"), quoted(dir, "all.ndjson.zst")
	var questions, want []string
	for _, c := range []struct{ question, want string }{
		{"select count(*), min(seq), max(seq), count(distinct leaf_hash) from " + parquet, `[["1200","0","1199","1200"]]`},
		{"select count(*) from " + quoted(dir, "none.parquet"), `[["0"]]`},
		{
			"select action, outcome, count(*) from " + parquet + " group by all order by all",
			`[["café.opened","success","400"],["invoice.updated","failure","400"],["user.login","success","400"]]`,
		},
		{
			"select column_name, column_type from (describe select seq, id, received_at, occurred_at, version, http_status_code, metadata, changes from " + parquet + ")",
			`[["seq","BIGINT"],["id","VARCHAR"],["received_at","TIMESTAMP WITH TIME ZONE"],["occurred_at","TIMESTAMP WITH TIME ZONE"],` +
				`["version","BIGINT"],["http_status_code","BIGINT"],["metadata","JSON"],["changes","JSON"]]`,
		},
		{
			"select distinct metadata->>'$.n', http_response->>'$', changes->>'$[0].new', epoch_us(occurred_at), target_name from " + parquet + " where version = 3",
			`[["9007199254740993","ok","1450.1","1795270927318000","Invoice 42"]]`,
		},
		{"select count(*) from " + parquet + " where error_code is null and reason like '+1%'", `[["400"]]`},
		{"select count(*) from (select seq, id, actor_name, reason, leaf_hash, targets::varchar from " + parquet +
			" except select seq, id, actor_name, reason, leaf_hash, targets from read_csv(" + csv + ", all_varchar=true, types={'seq':'BIGINT'}))", `[["0"]]`},
		{"select count(*) from (select seq, id, leaf_hash, action from " + parquet + " except select seq, id, leaf_hash, action from read_json(" + ndjson +
			", format='newline_delimited', columns={seq:'BIGINT', id:'VARCHAR', leaf_hash:'VARCHAR', action:'VARCHAR'}))", `[["0"]]`},
		{"select distinct compression from parquet_metadata(" + parquet + ")", `[["ZSTD"]]`},
		{"select decode(key), decode(value) from parquet_kv_metadata(" + parquet + ") where key = 'daybook.org'", `[["daybook.org","org_acme"]]`},
	} {
		questions, want = append(questions, c.question), append(want, c.want)
	}
	got := strings.Split(duckDB(t, questions), "\n")
	if len(got) != len(want) {
		t.Fatalf("%d answers to %d questions: %s", len(got), len(want), got)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("%s:\n%s, want\n%s", questions[i], got[i], want[i])
		}
	}
}

func quoted(dir, name string) string { return "'" + filepath.Join(dir, name) + "'" }

// duckDB asks questions; the answers are a line each.
func duckDB(t *testing.T, questions []string) string {
	t.Helper()
	modules, err := nodeModules(t.Context(), "testdata/duckdb")
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(questions)
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(t.TempDir(), "questions.json")
	if err := os.WriteFile(list, text, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "node", "testdata/duckdb/ask.cjs", modules, list).CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

// nodeModules returns a folder that has the packages which the package-lock.json of source pins. They are kept in the user's cache under
// the hash of that file: only the first run downloads them.
func nodeModules(ctx context.Context, source string) (folder string, err error) {
	var pinned [][]byte
	names := []string{"package.json", "package-lock.json"}
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(source, name))
		if err != nil {
			return "", err
		}
		pinned = append(pinned, text)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	folder = filepath.Join(cache, "daybook-test", fmt.Sprintf("%s-%x", filepath.Base(source), sha256.Sum256(slices.Concat(pinned...))))
	if _, err := os.Stat(folder); err == nil {
		return folder, nil
	}
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		return "", err
	}
	temporary, err := os.MkdirTemp(filepath.Dir(folder), "installing-") // it gets its name when it is whole
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temporary)) }()
	for i, name := range names {
		if err := os.WriteFile(filepath.Join(temporary, name), pinned[i], 0o644); err != nil {
			return "", err
		}
	}
	install := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = temporary
	if out, err := install.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm ci (type tools/install-test-needs, which make test does too): %w\n%s", err, bytes.TrimSpace(out))
	}
	if err := os.Rename(temporary, folder); err != nil && !errors.Is(err, fs.ErrExist) { // another run may have been first
		return "", err
	}
	return folder, nil
}
