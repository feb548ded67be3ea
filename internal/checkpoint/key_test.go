package checkpoint_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/daybook-audit/daybook/internal/checkpoint"
)

// noteVectors is the part of checkpoint.json that a signer must reproduce.
type noteVectors struct {
	Master string `json:"master_hex"`
	Keys   []struct {
		Name       string `json:"name"`
		Generation int    `json:"generation"`
		Purpose    string `json:"purpose"`
		Vkey       string `json:"vkey"`
	} `json:"keys"`
	Notes []struct {
		Name     string   `json:"name"`
		Note     string   `json:"note"`
		SignedBy []string `json:"signed_by"`
	} `json:"notes"`
}

func readNoteVectors(t *testing.T) (v noteVectors, keys map[string]*checkpoint.Key) {
	t.Helper()
	text, err := os.ReadFile("../../testdata/vectors/checkpoint.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	master, err := hex.DecodeString(v.Master)
	if err != nil {
		t.Fatal(err)
	}
	keys = map[string]*checkpoint.Key{}
	for _, k := range v.Keys {
		kind := checkpoint.Log
		if k.Purpose == "clock-key" {
			kind = checkpoint.Clock
		}
		key, err := checkpoint.NewKey(master, kind, k.Name, k.Generation)
		if err != nil {
			t.Fatal(err)
		}
		if got := key.Vkey(); got != k.Vkey {
			t.Errorf("%s, generation %d: %s, not %s", k.Name, k.Generation, got, k.Vkey)
		}
		keys[k.Vkey] = key
	}
	return v, keys
}

// TestKeys_vectors derives every key of the vectors and signs every note of them, byte for byte.
func TestKeys_vectors(t *testing.T) {
	t.Parallel()
	v, keys := readNoteVectors(t)
	if len(v.Keys) < 5 || len(v.Notes) < 7 {
		t.Fatalf("%d keys and %d notes: these are not the vectors", len(v.Keys), len(v.Notes))
	}
	for _, n := range v.Notes {
		text, signatures, ok := strings.Cut(n.Note, "\n\n")
		if !ok {
			t.Fatalf("%s is no note", n.Name)
		}
		var signers []*checkpoint.Key
		var clock *checkpoint.Key
		at := int64(0)
		for i, vkey := range n.SignedBy {
			line := strings.Fields(strings.Split(signatures, "\n")[i])
			if !strings.HasSuffix(line[1], "/clock") {
				signers = append(signers, keys[vkey])
				continue
			}
			clock = keys[vkey]
			sig, err := base64.StdEncoding.DecodeString(line[2])
			if err != nil {
				t.Fatal(err)
			}
			at = int64(binary.BigEndian.Uint64(sig[4:]))
		}
		lines := strings.Split(text, "\n")
		size, err := strconv.ParseInt(lines[1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		root, err := checkpoint.Root([]byte(n.Note), size)
		if err != nil {
			t.Fatal(err)
		}
		got, err := checkpoint.Sign(lines[0], size, root, signers, clock, at)
		for _, k := range signers {
			if !k.Signed(got) || k.Signed([]byte(text)) {
				t.Errorf("%s: whether %s signed it is not seen", n.Name, k.Vkey())
			}
		}
		if err != nil || string(got) != n.Note {
			t.Errorf("%s: %v\n%s\nnot\n%s", n.Name, err, got, n.Note)
		}
	}
}

func TestOrigin(t *testing.T) {
	t.Parallel()
	// 0123456789abcdef in five bits each is 00443214c74254b635cf; the rest of the alphabet: 84653a56d7c675be77df.
	for id, want := range map[string]string{
		"00443214c74254b635cf": "h/o/0123456789abcdef", "84653a56d7c675be77df": "h/o/ghjkmnpqrstvwxyz",
		"ffffffffffffffffffff": "h/o/zzzzzzzzzzzzzzzz", "00000000000000000001": "h/o/0000000000000001",
	} {
		b, err := hex.DecodeString(id)
		if err != nil {
			t.Fatal(err)
		}
		if got := checkpoint.Origin("h", [10]byte(b)); got != want {
			t.Errorf("%s: %s, not %s", id, got, want)
		}
	}
}
