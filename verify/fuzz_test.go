package verify_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/transparency-dev/formats/proof"

	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/verify"
)

// shownEntry is an entry line as a second reader sees it.
type shownEntry struct {
	T       string
	Seq     int64
	Payload json.RawMessage
	Fields  []struct {
		P, T, V, C string
	}
}

// shownFields returns path → type and value of what a line shows, and whether the line shows an entry.
func shownFields(t *testing.T, line []byte) (int64, map[string]string, bool) {
	t.Helper()
	var e shownEntry
	if json.Unmarshal(line, &e) != nil || e.T != "entry" && e.T != "control" {
		return 0, nil, false
	}
	fields := map[string]string{}
	for _, f := range e.Fields {
		if f.C == "" {
			fields[f.P] = f.T + f.V
		}
	}
	if e.Payload != nil {
		var d leaf.Doc
		if err := d.Read(e.Payload); err != nil {
			t.Fatalf("an accepted bundle holds the payload %q: %v", e.Payload, err)
		}
		for i := range d.Len() {
			fields[string(d.Path(i))] = string(d.Type(i)) + string(d.Value(i))
		}
	}
	return e.Seq, fields, true
}

// FuzzBundle: a mutated bundle is accepted only if every field that it shows is true. A second reader, with encoding/json, says what
// is shown. Without a pinned key nothing is ever accepted.
func FuzzBundle(f *testing.F) {
	bundle := readFile(f, "bundle.ndjson")
	pins := readMutations(f)[0].Pins
	// The truth is in the bundle, and what it does not show of entry 2 in the case that shows too much.
	truth := map[int64]map[string]string{}
	honest := [][]byte{bundle}
	f.Add(bundle)
	for _, m := range readMutations(f) {
		if m.File == nil {
			text := m.apply(f, bundle)
			f.Add(text)
			if m.Name == "erased_but_shown" {
				honest = append(honest, text)
			}
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(truth) == 0 {
			for line := range bytes.Lines(bytes.Join(honest, nil)) {
				if seq, fields, ok := shownFields(t, line); ok {
					truth[seq] = fields
				}
			}
		}
		checkShown(t, text, truth, keys(t, pins...))
		// The same with a footer that fits: otherwise the digest alone would find everything.
		if lines := strings.SplitAfter(string(text), "\n"); len(lines) > 2 {
			checkShown(t, []byte(strings.Join(refoot(lines[:len(lines)-1]), "")), truth, keys(t, pins...))
		}
	})
}

// checkShown fails if a bundle is accepted that shows something else than the truth, or accepted without a pinned key.
func checkShown(t *testing.T, text []byte, truth map[int64]map[string]string, pins []verify.Key) {
	t.Helper()
	r := verify.Bundle(bytes.NewReader(text), verify.Options{Keys: pins})
	if (r.Exit() == 0) != (len(r.Findings) == 0) {
		t.Fatalf("exit %d with %v", r.Exit(), r.Findings)
	}
	if verify.Bundle(bytes.NewReader(text), verify.Options{}).Exit() == 0 {
		t.Fatal("accepted without a pinned key")
	}
	if r.Exit() != 0 {
		return
	}
	for line := range bytes.Lines(text) {
		seq, fields, ok := shownFields(t, line)
		if !ok {
			continue
		}
		if truth[seq] == nil {
			t.Fatalf("entry %d is shown, which no honest bundle shows", seq)
		}
		for path, value := range fields {
			if truth[seq][path] != value {
				t.Fatalf("accepted: %s of entry %d as %q, the truth is %q", path, seq, value, truth[seq][path])
			}
		}
	}
}

// FuzzTLogProof: what is accepted transparency-dev/formats accepts too, with the same content.
func FuzzTLogProof(f *testing.F) {
	var v checkpointVectors
	readVectors(f, "checkpoint.json", &v)
	f.Add(v.Proof.Text)
	f.Add(strings.Replace(v.Proof.Text, "extra ", "extra", 1))
	f.Add(strings.Replace(v.Proof.Text, "index 9", "index 09", 1))
	o := verify.Options{Keys: keys(f, v.Proof.VKey)}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := verify.ParseProof(text)
		if err != nil {
			if r := verify.Proof(text, nil, o); r.Exit() == 0 {
				t.Fatalf("%v, but the proof holds", err)
			}
			return
		}
		var theirs proof.TLogProof
		if err := theirs.Unmarshal([]byte(text)); err != nil {
			t.Fatalf("formats: %v", err)
		}
		same := int64(theirs.Index) == p.Index && len(theirs.Hashes) == len(p.Proof) && string(theirs.Checkpoint) == p.Note.String() && (theirs.ExtraData == nil) == (p.Leaf == nil)
		for i := range p.Proof {
			same = same && theirs.Hashes[i] == p.Proof[i]
		}
		if p.Leaf != nil {
			same = same && string(theirs.ExtraData) == string(p.Leaf.Append(nil))
		}
		if !same {
			t.Fatalf("%+v, formats: %+v", p, theirs)
		}
		if verify.Proof(text, nil, o).Exit() == 0 && (p.Index != v.Proof.Seq || base64.StdEncoding.EncodeToString(p.Leaf.Append(nil)) == "") {
			t.Fatalf("a proof of entry %d is accepted", p.Index)
		}
	})
}

// FuzzState: what is read is written and read again as the same.
func FuzzState(f *testing.F) {
	f.Add(`{"format":"daybook-state/v1","logs":{}}`)
	f.Add("x\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n")
	f.Add(`{"format":"daybook-state/v1","logs":{"x":{"vkeys":[],"size":0,"holds":{"h":["1-2;4","*"]}}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := verify.ParseState([]byte(text))
		if err != nil {
			return
		}
		one, err := s.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		again, err := verify.ParseState(one)
		if err != nil {
			t.Fatalf("%s: %v", one, err)
		}
		two, err := again.Append(nil)
		if err != nil || !bytes.Equal(one, two) {
			t.Fatalf("%s, then %s: %v", one, two, err)
		}
	})
}
