package bundle_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/internal/anchors"
	"github.com/daybook-audit/daybook/internal/bundle"
	"github.com/daybook-audit/daybook/leaf"
	offline "github.com/daybook-audit/daybook/verify"
)

const zero = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

// everyLine writes a bundle with a line of every type.
func everyLine(w *bundle.Writer) error {
	whole := &bundle.Entry{Seq: 2, Received: 1795301648123456, Payload: []byte(`{ "a" : 1.10 }`), Fields: []leaf.Field{{Path: []byte("/a"), Type: leaf.Number, Value: []byte("1.10")}}}
	part := &bundle.Entry{Seq: 3, Kind: 1, Fields: []leaf.Field{
		{Path: []byte("/a"), Type: leaf.String, Value: []byte("\"é\x00")}, {Withheld: true}, {Path: []byte("/c"), Type: leaf.True},
	}}
	for _, step := range []func() error{
		func() error {
			return w.Header(&bundle.Header{
				Origin: "o", Vkey: "v", ClockVkey: "c", AnchorVkey: "a", From: 2, To: 9, Size: 9, Filter: "is:denied", Mask: bundle.Mask{"/b", "/a/*"},
				Info: []byte(`{ "for": "A B" }`), Note: []byte("note\n"),
			})
		},
		func() error { return w.Rotation("old", []byte("n"), whole, []tlog.Hash{{}}, nil) },
		func() error { return w.Consistency([]byte("older"), []tlog.Hash{{}, {}}) },
		func() error { return w.RangeProof(nil, []tlog.Hash{{}}) },
		func() error { return w.Control(part, nil) },
		func() error { return w.Entry(whole) },
		func() error { return w.Entry(part) },
		func() error { return w.Leaf(&leaf.Leaf{Seq: 4}) },
		func() error { return w.Hash(5, tlog.Hash{}) },
		func() error { return w.Hash(6, tlog.Hash{}) },
		func() error { return w.Leaf(&leaf.Leaf{Seq: 7}) },
		func() error { return w.Hash(8, tlog.Hash{}) },
		func() error {
			return w.Anchor(&anchors.Anchor{Size: 8, BatchIndex: 1, Leaf: []byte{1}, Note: []byte("an")})
		},
		w.Done,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// TestWriter holds every line, byte for byte.
func TestWriter(t *testing.T) {
	t.Parallel()
	const (
		at    = `"id":"evt_00000000000000000000000000","received_at":`
		whole = `"seq":2,"kind":0,` + at + `"2026-11-21T22:54:08.123456Z","leaf_hash":"` + zero + `","secret":"AAAAAAAAAAAAAAAAAAAAAA==","payload":{"a":1.10}`
		salt  = `"s":"AAAAAAAAAAAAAAAAAAAAAA=="}`
		part  = `"seq":3,"kind":1,` + at + `"1970-01-01T00:00:00.000000Z","leaf_hash":"` + zero + `","fields":[{"p":"/a","t":"s","v":"\"é\u0000",` + salt +
			`,{"c":"` + zero + `"},{"p":"/c","t":"t",` + salt + `]`
	)
	leafOf := func(seq int64) string {
		return `{"t":"leaf","seq":` + string(rune('0'+seq)) + `,"leaf":`
	}
	want := []string{
		`{"t":"header","format":"daybook-bundle/v1","origin":"o","vkey":"v","clock_vkey":"c","anchor_vkey":"a","from":2,"to":9,"size":9,"filter":"is:denied","mask":["/b","/a/*"],"info":{"for":"A B"}}`,
		`{"t":"checkpoint","note":"note\n"}`,
		`{"t":"rotation","vkey":"old","note":"n","entry":{` + whole + `},"proof":["` + zero + `"],"consistency":[]}`,
		`{"t":"consistency","note":"older","proof":["` + zero + `","` + zero + `"]}`,
		`{"t":"range_proof","left":[],"right":["` + zero + `"]}`,
		`{"t":"control",` + part + `,"proof":[]}`,
		`{"t":"entry",` + whole + `}`,
		`{"t":"entry",` + part + `}`,
		leafOf(4),
		`{"t":"hashes","seq":5,"count":2,"hashes":`,
		leafOf(7),
		`{"t":"hashes","seq":8,"count":1,"hashes":"` + zero + `"}`,
		`{"t":"anchor","size":8,"root":"` + zero + `","consistency":[],"batch_index":1,"batch_proof":[],"leaf":"AQ==","proof":[],"note":"an"}`,
		`{"t":"footer","lines":13,"sha256":`,
	}
	var out bytes.Buffer
	w := bundle.NewWriter(&out)
	if err := everyLine(w); err != nil {
		t.Fatal(err)
	}
	got := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	for i := range min(len(got), len(want)) {
		if !strings.HasPrefix(got[i], want[i]) || strings.HasSuffix(want[i], "}") && got[i] != want[i] || !json.Valid([]byte(got[i])) {
			t.Errorf("line %d is %s\nwant %s", i+1, got[i], want[i])
		}
	}
	if d := cmp.Diff(bundle.Count{Shown: 2, Leaves: 2, Hidden: 3, Lines: int64(len(want)), Bytes: int64(out.Len())}, w.Count); d != "" || len(got) != len(want) {
		t.Errorf("%d lines; counted (-want +got):\n%s", len(got), d)
	}
}

// TestWriter_leastHeader: what is empty is left out.
func TestWriter_leastHeader(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w := bundle.NewWriter(&out)
	if err := w.Header(&bundle.Header{Origin: "o", Vkey: "v", To: 1, Size: 1}); err != nil {
		t.Fatal(err)
	}
	if err := w.Done(); err != nil {
		t.Fatal(err)
	}
	const want = `{"t":"header","format":"daybook-bundle/v1","origin":"o","vkey":"v","from":0,"to":1,"size":1}` + "\n"
	if !strings.HasPrefix(out.String(), want) {
		t.Errorf("%s", out.String())
	}
}

// TestWriter_mask: the fields that a mask covers are withheld, of entries that people recorded.
func TestWriter_mask(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		mask, path string
		want       bool
	}{
		"the field itself":         {"/actor/email", "/actor/email", true},
		"below it":                 {"/actor", "/actor/email", true},
		"another of the same head": {"/act", "/actor", false},
		"above it":                 {"/actor/email", "/actor", false},
		"any step":                 {"/targets/*/name", "/targets/~#3/name", true},
		"any step, another name":   {"/targets/*/name", "/targets/~#3/id", false},
		"an element by its number": {"/targets/3/name", "/targets/~#3/name", true},
		"another element":          {"/targets/3/name", "/targets/~#4/name", false},
		"a member that is a digit": {"/a/3", "/a/3/b", true},
		"any step is none":         {"/a/*", "/a", false},
	} {
		for kind, masked := range map[byte]bool{0: tt.want, 1: false} {
			for _, payload := range [][]byte{nil, []byte(`{"a":1}`)} {
				var out bytes.Buffer
				w := bundle.NewWriter(&out)
				e := &bundle.Entry{Kind: kind, Payload: payload, Fields: []leaf.Field{{Path: []byte(tt.path), Type: leaf.Null}}}
				for _, step := range []func() error{func() error { return w.Header(&bundle.Header{Mask: bundle.Mask{"/other", tt.mask}}) }, func() error { return w.Entry(e) }, w.Done} {
					if err := step(); err != nil {
						t.Fatal(err)
					}
				}
				commitment := strings.Contains(out.String(), `[{"c":"`)
				if whole := strings.Contains(out.String(), `"payload"`); commitment != masked || whole != (payload != nil && !masked) {
					t.Errorf("%s, kind %d: withheld %t, whole %t", name, kind, commitment, whole)
				}
			}
		}
	}
	for _, p := range []string{"", "/", "actor", "/\xff"} {
		if got, refused := (bundle.Mask{"/actor", p}).Refused(); !refused || got != p {
			t.Errorf("%q is no path of a field: %q %t", p, got, refused)
		}
	}
	if got, refused := (bundle.Mask{"/actor", "/é"}).Refused(); refused {
		t.Errorf("%q is one", got)
	}
}

// TestWriter_hashes: however many entries are hidden, no line is longer than a reader takes.
func TestWriter_hashes(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w := bundle.NewWriter(&out)
	const n = 10_000
	for seq := range int64(n) {
		if err := w.Hash(seq, tlog.Hash{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Done(); err != nil {
		t.Fatal(err)
	}
	next := int64(0)
	for line := range strings.Lines(out.String()) {
		var l struct {
			T          string
			Seq, Count int64
			Hashes     []byte
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		if l.T != "hashes" {
			continue
		}
		if l.Seq != next || l.Count*tlog.HashSize != int64(len(l.Hashes)) || len(line) > 2<<20 {
			t.Errorf("%d hashes from %d in %d bytes, want from %d", l.Count, l.Seq, len(line), next)
		}
		next += l.Count
	}
	if next != n || w.Count.Hidden != n {
		t.Errorf("%d hashes, counted %d", next, w.Count.Hidden)
	}
}

type full struct{ room int }

var errFull = errors.New("no space")

func (f *full) Write(p []byte) (int, error) {
	if f.room -= len(p); f.room < 0 {
		return 0, errFull
	}
	return len(p), nil
}

// TestWriter_full: what cannot be written is told, by Done at the latest.
func TestWriter_full(t *testing.T) {
	t.Parallel()
	for _, room := range []int{0, 70 << 10} {
		w := bundle.NewWriter(&full{room})
		err := error(nil)
		for seq := int64(0); err == nil && seq < 1000; seq++ {
			err = w.Leaf(&leaf.Leaf{Seq: seq})
		}
		if err == nil {
			err = w.Done()
		}
		if !errors.Is(err, errFull) || !strings.Contains(err.Error(), "line ") {
			t.Errorf("room for %d bytes: %v", room, err)
		}
	}
}

// FuzzEntry: whatever the fields hold, the lines are lines that a verifier reads; it may find them false, never malformed JSON.
func FuzzEntry(f *testing.F) {
	f.Add([]byte("/a"), byte(leaf.String), []byte("x"), "")
	f.Add([]byte("/a/~#1"), byte(leaf.Number), []byte("1e400"), "/a")
	f.Add([]byte("\xff"), byte(leaf.String), []byte("\x00\u2028\""), "/*")
	f.Fuzz(func(t *testing.T, path []byte, kind byte, value []byte, mask string) {
		if kind < ' ' || kind > '~' || kind == '"' || kind == '\\' {
			return // types are letters
		}
		var out bytes.Buffer
		w := bundle.NewWriter(&out)
		h := &bundle.Header{Origin: "o", Vkey: "v", To: 1, Size: 1}
		if mask != "" {
			h.Mask = bundle.Mask{mask}
		}
		e := &bundle.Entry{Fields: []leaf.Field{{Path: path, Type: kind, Value: value}}}
		for _, step := range []func() error{func() error { return w.Header(h) }, func() error { return w.RangeProof(nil, nil) }, func() error { return w.Entry(e) }, w.Done} {
			if err := step(); err != nil {
				t.Fatal(err)
			}
		}
		for line := range strings.Lines(out.String()) {
			if !json.Valid([]byte(line)) {
				t.Fatalf("no JSON: %s", line)
			}
		}
		offline.Bundle(&out, offline.Options{})
	})
}
