package retraced_test

import (
	"strings"
	"testing"

	"github.com/daybook-audit/daybook/server/internal/compat/retraced"
	"github.com/daybook-audit/daybook/server/internal/doortest"
)

// TestReadDump: nodes of the search, lines of the index and what producers sent become the same events.
func TestReadDump(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var lines []string
	for _, text := range []string{
		`{"id":"019b7ca98f2e7ca98112ca1bbdcafac2","action":"invoice.update","description":"d","crud":"u","group":{"id":"org-1","name":"Acme"},` +
			`"actor":{"id":"user-1","name":"Ada","href":null,"fields":[{"key":"dept","value":"R&D"}]},"target":{"id":"inv","name":null,"type":"invoice","fields":null},` +
			`"display":{"markdown":"x"},"received":"2026-01-02T03:04:05.901Z","created":null,"canonical_time":"2026-01-02T03:04:05.901Z","is_failure":true,"is_anonymous":null,` +
			`"source_ip":"192.0.2.10","country":null,"component":"billing","raw":null,"fields":[{"key":"a","value":"z"},{"key":"n","value":1}],"metadata":[]}`,
		`{"id":"4f1c9f0e-0a3b-4b6e-9a57-0123456789ab","action":"old","received":1500000000000,"created":1490000000000,"project_id":"p","environment_id":"e","fields":{"a":"b","n":{"x":1}}}`,
		full,
	} {
		d, err := retraced.ReadDump([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		lines = append(lines, string(d.Daybook()))
	}
	doortest.Golden(t, "dump", strings.Join(lines, "\n")+"\n")
	for _, line := range append(lines, lines...) { // a second time changes nothing
		if w := f.recordNative("org_dump", line); w != nil {
			t.Errorf("%s: %v", line, w)
		}
	}
	if n := len(f.Entries("org_dump")); n != 4 { // the last one has no id
		t.Errorf("%d entries", n)
	}
	for _, text := range []string{``, `[]`, `{}`, `{"action":"a","crud":"c","is_anonymous":true,"id":"x"}`, `{"action":"a","received":"soon"}`, `{"action":"a","created":"soon"}`, `{"action":"a","target":{"name":"n"}}`} {
		if _, err := retraced.ReadDump([]byte(text)); err == nil {
			t.Errorf("%s is read", text)
		}
	}
}

func FuzzReadDump(f *testing.F) {
	for _, seed := range []string{full, `{"id":"00000000000000000000000000000001","action":"a","fields":[{"key":1}],"actor":[],"metadata":{"a":[{}]}}`, `{"action":"a","received":1e30}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(_ *testing.T, text []byte) {
		if d, err := retraced.ReadDump(text); err == nil {
			d.Daybook()
		}
	})
}
