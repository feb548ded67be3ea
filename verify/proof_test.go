package verify_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/daybook-audit/daybook/verify"
)

func TestProof_vector(t *testing.T) {
	t.Parallel()
	var v checkpointVectors
	readVectors(t, "checkpoint.json", &v)
	r := verify.Proof(v.Proof.Text, nil, verify.Options{Keys: keys(t, v.Proof.VKey)})
	if r.Exit() != 0 || r.Size != v.Proof.Size || r.From != v.Proof.Seq || len(r.Notes) != 1 {
		t.Errorf("exit %d, %+v", r.Exit(), r)
	}
	p, err := verify.ParseProof(v.Proof.Text)
	if err != nil {
		t.Fatal(err)
	}
	if h := p.Leaf.Hash(); hex.EncodeToString(h[:]) != v.Proof.LeafHash {
		t.Errorf("leaf hash %x, want %s", h, v.Proof.LeafHash)
	}
	if r := verify.Proof(v.Proof.Text, nil, verify.Options{}); r.Exit() != 7 || !r.Has(verify.KeyNotPinned) {
		t.Errorf("without a key: %v", r.Findings)
	}
}

// tlogProof returns the proof of an entry, with or without its leaf.
func (m *made) tlogProof(seq, size int64, extra bool) string {
	var s strings.Builder
	s.WriteString("c2sp.org/tlog-proof@v1\n")
	if extra {
		s.WriteString("extra " + base64.StdEncoding.EncodeToString(m.entries[seq].leaf.Append(nil)) + "\n")
	}
	fmt.Fprintf(&s, "index %d\n", seq)
	for _, h := range m.inclusion(seq, size) {
		s.WriteString(h.String() + "\n")
	}
	return s.String() + "\n" + m.note(size, ceil(m.now))
}

func TestProof(t *testing.T) {
	t.Parallel()
	m := events(t, 9)
	entry := func(seq int64) *verify.Entry {
		e, err := verify.ParseEntry([]byte("{" + m.members(m.entries[seq]) + "}\n"))
		if err != nil {
			t.Fatal(err)
		}
		return &e
	}
	whole, bare := m.tlogProof(4, 9, true), m.tlogProof(4, 9, false)
	early := m.now
	m.now = m.now.Add(-time10)
	tooEarly := m.tlogProof(4, 9, true)
	m.now = early
	for name, c := range map[string]struct {
		text string
		e    *verify.Entry
		exit int
		code verify.Code
	}{
		"leaf":                  {whole, nil, 0, ""},
		"leaf and entry":        {whole, entry(4), 0, ""},
		"entry":                 {bare, entry(4), 0, ""},
		"nothing":               {bare, nil, 7, verify.ProofMissing},
		"another entry":         {whole, entry(5), 6, verify.PositionMismatch},
		"another entry alone":   {bare, entry(5), 6, verify.ProofInvalid},
		"another index":         {strings.Replace(whole, "index 4", "index 5", 1), nil, 6, verify.PositionMismatch},
		"an index beyond":       {strings.Replace(bare, "index 4", "index 9", 1), entry(4), 6, verify.ProofInvalid},
		"a hash less":           {dropLine(whole, 3), nil, 6, verify.ProofInvalid},
		"no index":              {dropLine(whole, 2), nil, 6, verify.Malformed},
		"another format":        {strings.Replace(whole, "@v1", "@v2", 1), nil, 7, verify.Unsupported},
		"no checkpoint":         {whole[:strings.Index(whole, "\n\n")], nil, 6, verify.Malformed},
		"another size signed":   {strings.Replace(whole, "\n9\n", "\n8\n", 1), nil, 6, verify.SignatureInvalid},
		"a leaf of 69 bytes":    {strings.Replace(whole, "extra ", "extra AAAA", 1), nil, 6, verify.Malformed},
		"hexadecimal":           {strings.Replace(whole, "index 4", "index 0x4", 1), nil, 6, verify.Malformed},
		"received after signed": {tooEarly, nil, 6, verify.TimeOrder},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := m.pinned()
			o.Keys = append(o.Keys, m.clock.key)
			r := verify.Proof(c.text, c.e, o)
			if r.Exit() != c.exit || c.code != "" && !r.Has(c.code) {
				t.Errorf("exit %d, want %d with %q: %v", r.Exit(), c.exit, c.code, r.Findings)
			}
		})
	}
}

// dropLine returns text without line i, counted from 0.
func dropLine(text string, i int) string {
	lines := strings.SplitAfter(text, "\n")
	return strings.Join(append(lines[:i:i], lines[i+1:]...), "")
}

func TestParseEntry(t *testing.T) {
	t.Parallel()
	m := events(t, 3)
	text := "{" + m.members(m.entries[1]) + "}"
	e, err := verify.ParseEntry([]byte(text))
	if err != nil || e.Leaf != m.entries[1].leaf || string(e.Payload) != m.entries[1].payload || e.Fields != nil {
		t.Fatalf("ParseEntry = %+v, %v", e, err)
	}
	m.entries[2].erased[1] = true
	if e, err := verify.ParseEntry([]byte("{" + m.members(m.entries[2]) + "}")); err != nil || len(e.Fields) != 4 || !e.Fields[1].Withheld || e.Payload != nil {
		t.Errorf("fields: %+v, %v", e, err)
	}
	for _, bad := range []string{"", "[]", "{}", text + "x", strings.Replace(text, "a.b", "a.c", 1), strings.Replace(text, `"seq":1`, `"seq":2`, 1), strings.Replace(text, "a.b", `a\u0000b`, 1)} {
		if e, err := verify.ParseEntry([]byte(bad)); err == nil {
			t.Errorf("ParseEntry(%q) = %+v", bad, e)
		}
	}
}

func TestCheckpoint(t *testing.T) {
	t.Parallel()
	m := events(t, 9)
	now := ceil(m.now)
	o := m.pinned()
	o.Keys = append(o.Keys, m.clock.key)
	test := func(text string, change func(*verify.Options), exit int, code verify.Code) {
		t.Helper()
		o := o
		change(&o)
		if r := verify.Checkpoint([]byte(text), o); r.Exit() != exit || code != "" && !r.Has(code) {
			t.Errorf("exit %d, want %d with %q: %v", r.Exit(), exit, code, r.Findings)
		}
	}
	since := func(text string) func(*verify.Options) {
		return func(o *verify.Options) { o.State = verify.State{madeOrigin: {Note: remembered(t, text)}} }
	}
	forked := newMade(t)
	for range 12 {
		forked.add(1, `{"op":"x"}`)
	}
	nine := m.note(9, now)
	test(nine, func(*verify.Options) {}, 0, "")
	test(nine, since(nine), 0, "")
	test(nine, since(m.note(5, now)), 0, "")
	test(nine, since(forked.note(9, now)), 6, verify.Fork)
	test(nine, since(forked.note(12, now)), 7, verify.ProofMissing)
	test(m.note(9, now.Add(time10)), since(forked.note(12, now)), 6, verify.Rollback)
	test(nine, func(o *verify.Options) { o.Keys = nil }, 7, verify.KeyNotPinned)
	test(nine, func(o *verify.Options) { o.Keys = keys(t, newSigner(t, madeOrigin, "x", 1).key.String()) }, 7, verify.KeyUnknown)
	test(strings.Replace(nine, "\n9\n", "\n8\n", 1), func(*verify.Options) {}, 6, verify.SignatureInvalid)
	test("x", func(*verify.Options) {}, 6, verify.Malformed)
	test(strings.Replace(nine, "\n\n", "\nmore\n\n", 1), func(*verify.Options) {}, 7, verify.Unsupported)
}
