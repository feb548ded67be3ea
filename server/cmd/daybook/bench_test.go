package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/daybook-audit/daybook/server/internal/load"
)

// TestBench runs each measurement in its smallest size: what it reports must be what was recorded, and every search must find what
// it should.
func TestBench(t *testing.T) {
	t.Parallel()
	db := filepath.Join(t.TempDir(), "daybook.db")
	m, key := serverFor(t, db, "")
	defer func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}()
	bench := func(args ...string) []load.Line {
		t.Helper()
		vars := map[string]string{"DAYBOOK_SERVER": m.URL, "DAYBOOK_API_KEY": key}
		var out, errs bytes.Buffer
		if code := run(t.Context(), append([]string{"bench"}, args...), nil, &out, &errs, func(name string) string { return vars[name] }); code != 0 {
			t.Fatalf("bench %v: exit %d: %s%s", args, code, out.String(), errs.String())
		}
		var results []load.Line
		for line := range bytes.Lines(out.Bytes()) {
			var r load.Line
			if err := json.Unmarshal(line, &r); err != nil {
				t.Fatalf("bench %v: %v: %s", args, err, line)
			}
			if r.Errors != 0 || r.Requests == 0 && r.Events == 0 || r.P99 < r.P50 || r.Max < r.P99 {
				t.Errorf("bench %v: %s", args, line)
			}
			results = append(results, r)
		}
		return results
	}
	total := int64(0)
	for _, c := range []struct{ connections, batch, events int }{{4, 100, 3000}, {8, 1, 200}} {
		r := bench("load", "--orgs", "5", "--bodies", "1000", "--connections", strconv.Itoa(c.connections), "--batch", strconv.Itoa(c.batch), "--events", strconv.Itoa(c.events))
		if len(r) != 1 || r[0].Events != int64(c.events) {
			t.Errorf("load: %+v", r)
		}
		total += int64(c.events)
	}
	open := bench("load", "--orgs", "5", "--bodies", "100", "--connections", "4", "--batch", "1", "--rate", "200", "--warmup", "0s", "--duration", "300ms")
	if open[0].Requests > 60 {
		t.Errorf("200 a second for 300 ms are at most 60 requests, not %d", open[0].Requests)
	}
	queries := bench("query", "--repeats", "6")
	if len(queries) < 20 {
		t.Errorf("only %d kinds of search", len(queries))
	}
	if r := bench("disk", "--db", db); r[0].Events < total+open[0].Requests {
		t.Errorf("the store holds %d entries, want at least %d", r[0].Events, total+open[0].Requests)
	}
	if r := bench("commit", "--commits", "20", "--batch", "5", "--orgs", "3", "--dir", t.TempDir()); r[0].Events != 100 {
		t.Errorf("commit: %+v", r[0])
	}
	bench("sync", "--repeats", "5", "--dir", t.TempDir())
}
