package leaf_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook/internal/typeid"
	"github.com/daybook-audit/daybook/leaf"
)

// rule stands for prefix, count times repeat, suffix: a text too long for a vector file.
type rule struct {
	Prefix string `json:"prefix"`
	Repeat string `json:"repeat"`
	Count  int    `json:"count"`
	Suffix string `json:"suffix"`
}

func (r rule) text() []byte {
	return []byte(r.Prefix + strings.Repeat(r.Repeat, r.Count) + r.Suffix)
}

type field struct {
	Path       string `json:"path"`
	Type       string `json:"type"`
	Value      string `json:"value"`
	Salt       string `json:"salt_hex"`
	Commitment string `json:"commitment_hex"`
}

type accepted struct {
	Name   string  `json:"name"`
	JSON   *string `json:"json"`
	Rule   rule    `json:"json_rule"`
	Secret string  `json:"secret_hex"`
	Count  int     `json:"field_count"`
	Fields []field `json:"fields"`
	Root   string  `json:"payload_root_hex"`
}

func (a *accepted) text() []byte {
	if a.JSON != nil {
		return []byte(*a.JSON)
	}
	return a.Rule.text()
}

type refused struct {
	Name   string  `json:"name"`
	Reason string  `json:"reason"`
	Hex    *string `json:"json_hex"`
	Rule   rule    `json:"json_rule"`
}

func (r *refused) text(t testing.TB) []byte {
	t.Helper()
	if r.Hex == nil {
		return r.Rule.text()
	}
	return unhex(t, *r.Hex)
}

// shown is one field of the fields form of an entry.
type shown struct {
	Path       *string `json:"p"`
	Type       string  `json:"t"`
	Value      string  `json:"v"`
	Salt       string  `json:"s"`
	Commitment string  `json:"c"`
}

type payloads struct {
	Accept   []accepted `json:"accept"`
	SameRoot [][]string `json:"same_root"`
	Refuse   []refused  `json:"refuse"`
	Erase    []struct {
		Name    string  `json:"name"`
		Of      string  `json:"of"`
		Indexes []int   `json:"indexes"`
		Fields  []shown `json:"fields"`
		Root    string  `json:"payload_root_hex"`
	} `json:"erase"`
	Shape []struct {
		Name   string  `json:"name"`
		Fields []shown `json:"fields"`
		OK     bool    `json:"ok"`
	} `json:"shape"`
}

func readPayloads(t testing.TB) *payloads {
	t.Helper()
	var p payloads
	readVectors(t, "payload.json", &p)
	if len(p.Accept) != 35 || len(p.Refuse) != 47 || len(p.Erase) != 3 || len(p.Shape) != 13 || len(p.SameRoot) != 2 {
		t.Fatalf("payload.json holds %d, %d, %d, %d and %d cases", len(p.Accept), len(p.Refuse), len(p.Erase), len(p.Shape), len(p.SameRoot))
	}
	return &p
}

func readVectors(t testing.TB, name string, v any) {
	t.Helper()
	text, err := os.ReadFile("../testdata/vectors/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, v); err != nil {
		t.Fatal(err)
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// order returns the fields of d as it holds them.
func order(d *leaf.Doc) []field {
	fs := make([]field, d.Len())
	for i := range fs {
		fs[i] = field{Path: string(d.Path(i)), Type: string(d.Type(i)), Value: string(d.Value(i))}
	}
	return fs
}

func TestVectorsAccept(t *testing.T) {
	t.Parallel()
	for _, a := range readPayloads(t).Accept {
		t.Run(a.Name, func(t *testing.T) {
			t.Parallel()
			var d leaf.Doc
			if err := d.Read(a.text()); err != nil {
				t.Fatal(err)
			}
			if d.Len() != a.Count {
				t.Errorf("%d fields, want %d", d.Len(), a.Count)
			}
			secret := [16]byte(unhex(t, a.Secret))
			root := d.Root(&secret)
			if got := hex.EncodeToString(root[:]); got != a.Root {
				t.Errorf("root %s, want %s", got, a.Root)
			}
			if a.Fields == nil {
				return // a text made by rule: too many fields to list
			}
			got := order(&d)
			for i := range got {
				salt := leaf.Salt(&secret, i)
				f := leaf.Field{Path: d.Path(i), Type: d.Type(i), Value: d.Value(i), Salt: salt}
				c := f.Commit()
				got[i].Salt, got[i].Commitment = hex.EncodeToString(salt[:]), hex.EncodeToString(c[:])
			}
			if diff := cmp.Diff(a.Fields, got); diff != "" {
				t.Errorf("fields (- want, + got):\n%s", diff)
			}
		})
	}
}

func TestVectorsSameRoot(t *testing.T) {
	t.Parallel()
	p := readPayloads(t)
	group := map[string]string{}
	for _, names := range p.SameRoot {
		for _, n := range names {
			group[n] = names[0]
		}
	}
	seen := map[[32]byte]string{}
	for _, a := range p.Accept {
		name := a.Name
		if g := group[name]; g != "" {
			name = g
		}
		var d leaf.Doc
		if err := d.Read(a.text()); err != nil {
			t.Fatal(err)
		}
		root := d.Root(new([16]byte))
		if other, ok := seen[root]; ok && other != name {
			t.Errorf("%s and %s have one root", a.Name, other)
		} else if !ok && name != a.Name {
			t.Errorf("%s and %s have different roots", a.Name, name)
		}
		seen[root] = name
	}
}

func TestVectorsRefuse(t *testing.T) {
	t.Parallel()
	for _, r := range readPayloads(t).Refuse {
		t.Run(r.Name, func(t *testing.T) {
			t.Parallel()
			text := r.text(t)
			var d leaf.Doc
			err := d.Read(text)
			var e *leaf.Error
			if !errors.As(err, &e) {
				t.Fatalf("Read: %v, want an *Error", err)
			}
			if e.Code != r.Reason {
				t.Errorf("code %s, want %s (%v)", e.Code, r.Reason, e)
			}
			if e.Message == "" || e.Offset < 0 || e.Offset > len(text) || len(e.Pointer) > 1024 {
				t.Errorf("message %q, offset %d of %d, pointer of %d bytes", e.Message, e.Offset, len(text), len(e.Pointer))
			}
			if d.Len() != 0 {
				t.Errorf("%d fields are left after a refusal", d.Len())
			}
		})
	}
}

// disclosed makes the fields form of a vector ours.
func disclosed(t testing.TB, fs []shown) []leaf.Field {
	t.Helper()
	out := make([]leaf.Field, len(fs))
	for i, f := range fs {
		if f.Path == nil {
			out[i] = leaf.Field{Withheld: true, Commitment: [32]byte(unbase64(t, f.Commitment))}
			continue
		}
		out[i] = leaf.Field{Path: []byte(*f.Path), Type: f.Type[0], Value: []byte(f.Value), Salt: [16]byte(unbase64(t, f.Salt))}
	}
	return out
}

func unbase64(t testing.TB, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestVectorsErase(t *testing.T) {
	t.Parallel()
	p := readPayloads(t)
	for _, e := range p.Erase {
		t.Run(e.Name, func(t *testing.T) {
			t.Parallel()
			fs := disclosed(t, e.Fields)
			if err := leaf.CheckShape(fs); err != nil {
				t.Errorf("CheckShape: %v", err)
			}
			root := leaf.FieldsRoot(fs)
			if got := hex.EncodeToString(root[:]); got != e.Root {
				t.Errorf("root %s, want %s", got, e.Root)
			}
			// The form is what erasing these fields from the payload gives.
			var d leaf.Doc
			for _, a := range p.Accept {
				if a.Name != e.Of {
					continue
				}
				if err := d.Read(a.text()); err != nil {
					t.Fatal(err)
				}
				secret := [16]byte(unhex(t, a.Secret))
				own := d.Fields(&secret)
				for _, i := range e.Indexes {
					own[i] = leaf.Field{Withheld: true, Commitment: own[i].Commit()}
				}
				if diff := cmp.Diff(fs, own, cmp.Comparer(bytes.Equal)); diff != "" {
					t.Errorf("fields (- vector, + made):\n%s", diff)
				}
			}
			if d.Len() == 0 {
				t.Fatalf("no payload %q", e.Of)
			}
			for i := range fs {
				if fs[i].Withheld {
					fs[i].Commitment[31] ^= 1
				} else {
					fs[i].Salt[0] ^= 1
				}
				if leaf.FieldsRoot(fs) == root {
					t.Errorf("field %d was altered and the root is the same", i)
				}
				if fs[i].Withheld {
					fs[i].Commitment[31] ^= 1
				} else {
					fs[i].Salt[0] ^= 1
				}
			}
		})
	}
}

func TestVectorsShape(t *testing.T) {
	t.Parallel()
	for _, s := range readPayloads(t).Shape {
		if err := leaf.CheckShape(disclosed(t, s.Fields)); (err == nil) != s.OK {
			t.Errorf("%s: %v, want accepted: %v", s.Name, err, s.OK)
		}
	}
}

func TestVectorsLeaf(t *testing.T) {
	t.Parallel()
	var v struct {
		Leaf []struct {
			Name       string `json:"name"`
			Kind       byte   `json:"kind"`
			Seq        int64  `json:"seq"`
			ReceivedAt int64  `json:"received_at_us"`
			ID         string `json:"id"`
			UUID       string `json:"uuid_hex"`
			Root       string `json:"payload_root_hex"`
			Leaf       string `json:"leaf_hex"`
			Hash       string `json:"leaf_hash_hex"`
		} `json:"leaf"`
		Refuse []struct {
			Name string `json:"name"`
			Leaf string `json:"leaf_hex"`
		} `json:"refuse"`
	}
	readVectors(t, "leaf.json", &v)
	if len(v.Leaf) == 0 || len(v.Refuse) == 0 {
		t.Fatal("leaf.json holds no leaves")
	}
	for _, c := range v.Leaf {
		id, err := typeid.Parse("evt", c.ID)
		if err != nil || hex.EncodeToString(id[:]) != c.UUID {
			t.Errorf("%s: id %x, %v; want %s", c.Name, id, err, c.UUID)
		}
		l := leaf.Leaf{Kind: c.Kind, Seq: c.Seq, ReceivedAt: c.ReceivedAt, ID: id, Root: [32]byte(unhex(t, c.Root))}
		b := l.Append(nil)
		if got := hex.EncodeToString(b); got != c.Leaf {
			t.Errorf("%s: leaf %s, want %s", c.Name, got, c.Leaf)
		}
		h := l.Hash()
		if got := hex.EncodeToString(h[:]); got != c.Hash {
			t.Errorf("%s: hash %s, want %s", c.Name, got, c.Hash)
		}
		if back, err := leaf.ParseLeaf(b); err != nil || back != l {
			t.Errorf("%s: ParseLeaf = %+v, %v; want %+v", c.Name, back, err, l)
		}
	}
	for _, c := range v.Refuse {
		if l, err := leaf.ParseLeaf(unhex(t, c.Leaf)); err == nil || l != (leaf.Leaf{}) {
			t.Errorf("%s: ParseLeaf = %+v, %v; want the zero leaf and an error", c.Name, l, err)
		}
	}
}
