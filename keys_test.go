package daybook_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/daybook-audit/daybook"
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

func readNoteVectors(t *testing.T) (v noteVectors, keys map[string]*daybook.SigningKey) {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors/checkpoint.json")
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
	keys = map[string]*daybook.SigningKey{}
	for _, k := range v.Keys {
		key, err := daybook.DeriveKey(master, k.Purpose == "clock-key", k.Name, k.Generation)
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
		var signers []*daybook.SigningKey
		var clock *daybook.SigningKey
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
		got, err := daybook.SignNote(text+"\n", signers, clock, at)
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
		if got := daybook.OriginOf("h", [10]byte(b)); got != want {
			t.Errorf("%s: %s, not %s", id, got, want)
		}
	}
}
