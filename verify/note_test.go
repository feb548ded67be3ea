package verify_test

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/transparency-dev/formats/log"
	"golang.org/x/mod/sumdb/note"

	"github.com/daybook-audit/daybook/verify"
)

// checkpointVectors is what these tests need of checkpoint.json.
type checkpointVectors struct {
	Keys []struct {
		Name   string
		Public string `json:"public_hex"`
		VKey   string
	}
	Notes []struct {
		Name, Note string
		SignedBy   []string `json:"signed_by"`
	}
	Open []struct {
		Name, Note, Expect string
		VKeys              []string
		Clock              int64 `json:"clock_unix"`
	}
	Proof struct {
		VKey, Text string
		Seq, Size  int64
		LeafHash   string `json:"leaf_hash_hex"`
	} `json:"tlog_proof"`
	Anchor struct{ Note, VKey string }
}

func TestParseKey(t *testing.T) {
	t.Parallel()
	var v checkpointVectors
	readVectors(t, "checkpoint.json", &v)
	for _, c := range v.Keys {
		k, err := verify.ParseKey(c.VKey)
		if err != nil || k.String() != c.VKey || k.Name() != c.Name || k.Cosigner() != strings.HasSuffix(c.Name, "/clock") {
			t.Errorf("ParseKey(%q) = %v (cosigner %v), %v", c.VKey, k, k.Cosigner(), err)
		}
		if raw := hex.EncodeToString([]byte(c.Public)); raw == "" {
			t.Error("no key in the vectors")
		}
		// The name and each character of the rest are held by the hash.
		for i := range c.VKey {
			for _, b := range []byte{'A', '0', '+', '=', ' ', '\n'} {
				if c.VKey[i] == b {
					continue
				}
				text := c.VKey[:i] + string(b) + c.VKey[i+1:]
				if k, err := verify.ParseKey(text); err == nil {
					t.Errorf("ParseKey(%q) = %v", text, k)
				}
			}
		}
	}
	for _, text := range []string{"", "+", "a+b", "a+00000000+", "a b+00000000+AAAA", v.Keys[0].VKey + "=", v.Keys[0].VKey + "\n", " " + v.Keys[0].VKey} {
		if k, err := verify.ParseKey(text); err == nil {
			t.Errorf("ParseKey(%q) = %v", text, k)
		}
	}
	if _, err := verify.ParseKey("a+00000000+BkWUnc+t3k3bMFhGa3ZOYJJyG/QbAUgw6SLXcjc438X3"); !errors.Is(err, verify.ErrKeyType) {
		t.Errorf("a key of type 6: %v", err)
	}
}

func TestNote(t *testing.T) {
	t.Parallel()
	var v checkpointVectors
	readVectors(t, "checkpoint.json", &v)
	for _, c := range v.Notes {
		n, err := verify.ParseNote([]byte(c.Note))
		if err != nil || n.String() != c.Note {
			t.Fatalf("%s: %v", c.Name, err)
		}
		for _, k := range keys(t, c.SignedBy...) {
			if _, err := n.Signed(k); err != nil {
				t.Errorf("%s is not signed by %s: %v", c.Name, k, err)
			}
		}
	}
	for _, c := range v.Open {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			n, err := verify.ParseNote([]byte(c.Note))
			if malformed := c.Expect == "malformed"; malformed || err != nil {
				if !malformed || err == nil {
					t.Fatalf("ParseNote: %v, want %s", err, c.Expect)
				}
				return
			}
			for _, k := range keys(t, c.VKeys...) {
				at, err := n.Signed(k)
				if want := map[string]error{"ok": nil, "unknown_key": verify.ErrUnsigned, "invalid": verify.ErrBadSignature}[c.Expect]; !errors.Is(err, want) {
					t.Errorf("Signed(%s) = %v, want %v", k, err, want)
				}
				if k.Cosigner() && !at.Equal(time.Unix(c.Clock, 0)) {
					t.Errorf("Signed(%s) = %v, want %v", k, at, time.Unix(c.Clock, 0))
				}
			}
		})
	}
}

func TestParseCheckpoint(t *testing.T) {
	t.Parallel()
	const root = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
	n, err := verify.ParseCheckpoint("x/o/1\n0\n" + root + "\n")
	if err != nil || n.Origin != "x/o/1" || n.Size != 0 || n.Root.String() != root {
		t.Fatalf("ParseCheckpoint = %v, %v", n, err)
	}
	if got := n.String(); got != "x/o/1\n0\n"+root+"\n" {
		t.Errorf("it prints %q", got)
	}
	if _, err := n.Signed(newSigner(t, "x/o/1", "s", 1).key); !errors.Is(err, verify.ErrUnsigned) {
		t.Errorf("three lines are signed: %v", err)
	}
	for name, text := range map[string]string{
		"empty": "", "two lines": "x\n0\n", "no newline": "x\n0\n" + root, "no origin": "\n0\n" + root + "\n", "sign": "x\n+1\n" + root + "\n",
		"leading zero": "x\n01\n" + root + "\n", "no number": "x\n\n" + root + "\n", "too large": "x\n9007199254740993\n" + root + "\n",
		"short root": "x\n0\nAAAA\n", "stray bits": "x\n0\n" + strings.Replace(root, "U=", "V=", 1) + "\n", "hex root": "x\n0\n" + strings.Repeat("0", 44) + "\n",
	} {
		if n, err := verify.ParseCheckpoint(text); err == nil || errors.Is(err, verify.ErrExtension) {
			t.Errorf("%s: %v, %v", name, n, err)
		}
	}
	if _, err := verify.ParseCheckpoint("x\n0\n" + root + "\nmore\n"); !errors.Is(err, verify.ErrExtension) {
		t.Errorf("an extension line: %v", err)
	}
}

// FuzzNote: what is accepted is what x/mod and transparency-dev/formats accept, with the same content, and a signature that counts is
// one that x/mod counts.
func FuzzNote(f *testing.F) {
	var v checkpointVectors
	readVectors(f, "checkpoint.json", &v)
	for _, c := range v.Notes {
		f.Add(c.Note)
	}
	for _, c := range v.Open {
		f.Add(c.Note)
	}
	f.Add("x\n1\n\n\n— x AAAAAAAA\n")
	var all []verify.Key
	for _, c := range v.Keys {
		all = append(all, keys(f, c.VKey)...)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := verify.ParseNote([]byte(text))
		if err != nil {
			return
		}
		for _, k := range all {
			at, signed := n.Signed(k)
			if k.Cosigner() {
				if (signed == nil) == at.IsZero() {
					t.Fatalf("%v at %v", signed, at)
				}
				continue
			}
			v, err := note.NewVerifier(k.String())
			if err != nil {
				t.Fatal(err)
			}
			var c log.Checkpoint
			opened, theirs := note.Open([]byte(text), note.VerifierList(v))
			if (signed == nil) != (theirs == nil) {
				t.Fatalf("Signed(%s) = %v, x/mod: %v", k, signed, theirs)
			}
			if signed != nil {
				continue
			}
			rest, err := c.Unmarshal([]byte(opened.Text))
			if err != nil || len(rest) > 0 || c.Origin != n.Origin || int64(c.Size) != n.Size || string(c.Hash) != string(n.Root[:]) {
				t.Fatalf("%+v, formats: %+v with %q, %v", n, c, rest, err)
			}
		}
		again, err := verify.ParseNote([]byte(n.String()))
		if err != nil || again.Origin != n.Origin || again.Size != n.Size || again.Root != n.Root {
			t.Fatalf("printed and read again: %v, %v", again, err)
		}
	})
}

// The bits that the last character of base64 has too many are no part of the signature: only one spelling of a note is taken.
func TestParseNote_spelling(t *testing.T) {
	t.Parallel()
	var v checkpointVectors
	readVectors(t, "checkpoint.json", &v)
	spelled := 0
	for _, n := range v.Notes {
		if _, err := verify.ParseNote([]byte(n.Note)); err != nil {
			continue // what else a vector is about
		}
		at := strings.LastIndex(n.Note, "=\n") - 1
		if at < 0 || n.Note[at] == '=' {
			continue
		}
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
		other := alphabet[strings.IndexByte(alphabet, n.Note[at])^1]
		if _, err := verify.ParseNote([]byte(n.Note[:at] + string(other) + n.Note[at+1:])); err == nil {
			t.Errorf("%s: a second spelling is taken", n.Name)
		}
		spelled++
	}
	if spelled == 0 {
		t.Error("no note of the vectors has such a signature")
	}
}
