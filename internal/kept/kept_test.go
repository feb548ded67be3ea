package kept_test

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/internal/stored"
	"github.com/daybook-audit/daybook/leaf"
)

// whole is an entry as it was recorded, its id text cut out.
func whole() kept.Entry {
	return kept.Entry{
		Seq: 7, Received: 1_795_301_648_000_000, ID: [16]byte{1, 2, 3, 4, 5, 6, 0x70, 7, 0x80, 8}, Secret: [16]byte{9}, IDAt: 8,
		Body: []byte(`{"id":"","action":"a.b","actor":{"type":"user","name":"Gr\u00e4ce"},"tags":["x",[],{"n":null}],"n":1.50,"a/~b":true,"reason":"why"}`),
	}
}

// fieldAt returns the index of the field with a path.
func fieldAt(t *testing.T, fs []leaf.Field, path string) int {
	t.Helper()
	i := slices.IndexFunc(fs, func(f leaf.Field) bool { return string(f.Path) == path })
	if i < 0 {
		t.Fatalf("no field %s", path)
	}
	return i
}

func isDamage(err error) bool {
	_, ok := errors.AsType[*stored.DamageError](err)
	return ok
}

func TestEntry_Text(t *testing.T) {
	t.Parallel()
	e := whole()
	const want = `p{"id":"evt_01081g8186e03r020000000000","action"`
	if got := string(e.Text([]byte("p"))); got[:len(want)] != want || len(got) != 1+len(e.Body)+kept.IDTextLen {
		t.Errorf("%s", got)
	}
	e.IDAt = 0
	if got := string(e.Text(nil)); got != string(e.Body) {
		t.Errorf("without an id: %s", got)
	}
}

// TestEntry_Erase holds the promise of every removal: the leaf hash stays, and what was taken is in no byte.
func TestEntry_Erase(t *testing.T) {
	t.Parallel()
	d := leaf.Get()
	defer leaf.Put(d)
	e := whole()
	hash, err := e.Hash(d)
	if err != nil {
		t.Fatal(err)
	}
	fs, err := e.Disclosed(d)
	if err != nil {
		t.Fatal(err)
	}
	gone := []int{fieldAt(t, fs, "/a~1~0b"), fieldAt(t, fs, "/actor/name"), fieldAt(t, fs, "/tags/~#0")}
	slices.Sort(gone)
	same := func(t *testing.T, e *kept.Entry) {
		t.Helper()
		if h, err := e.Hash(d); err != nil || h != hash {
			t.Errorf("the leaf hash is %x, %v", h, err)
		}
	}
	t.Run("fields", func(t *testing.T) {
		for _, names := range []bool{false, true} {
			out, changed, err := e.Erase(d, gone, names, kept.ByErasure, "ers_1")
			if err != nil || !changed || out.Form != kept.FormFields || out.Secret != [16]byte{} || !out.HasErased() || out.Gone() || out.Pruned() {
				t.Fatalf("%+v, %t, %v", out, changed, err)
			}
			same(t, &out)
			text, err := out.Remainder()
			if err != nil {
				t.Fatal(err)
			}
			var got, want any
			if err := errors.Join(json.Unmarshal(text, &got), json.Unmarshal(
				[]byte(`{"id":"evt_01081g8186e03r020000000000","action":"a.b","actor":{"type":"user"},"tags":[null,[],{"n":null}],"n":1.50,"reason":"why"}`), &want)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("what is left (-want +got):\n%s", diff)
			}
			left, err := kept.ReadFields(out.Body)
			if err != nil {
				t.Fatal(err)
			}
			wantNames := []string{"/actor/name", "/a~1~0b", "/tags/0"}
			if !names {
				wantNames = nil
			}
			if n, masked, got := kept.ErasedNames(left); n != 3 || masked != 0 || !cmp.Equal(got, wantNames) {
				t.Errorf("%d erased, %d left out, names %q", n, masked, got)
			}
			if missing, err := out.Missing(); err != nil || !slices.Equal(missing, gone) {
				t.Errorf("missing %v, %v", missing, err)
			}
			if _, changed, err := out.Erase(d, gone, names, kept.ByErasure, "ers_2"); changed || err != nil {
				t.Errorf("erased twice: %t, %v", changed, err)
			}
		}
	})
	t.Run("the whole of it, then its leaf", func(t *testing.T) {
		out, changed, err := e.Erase(d, nil, true, kept.ByErasure, "ers_1")
		if err != nil || !changed || out.Form != kept.FormLeaf || !out.Gone() || out.Pruned() || !out.HasErased() {
			t.Fatalf("%+v, %t, %v", out, changed, err)
		}
		same(t, &out)
		if why, by, err := out.Tombstone(); why != kept.ByErasure || by != "ers_1" || err != nil {
			t.Errorf("gone by %d %q, %v", why, by, err)
		}
		if text, err := out.Remainder(); string(text) != "{}" || err != nil {
			t.Errorf("left: %s, %v", text, err)
		}
		if _, changed, err := out.Erase(d, gone, true, kept.ByErasure, "ers_2"); changed || err != nil {
			t.Errorf("erased again: %t, %v", changed, err)
		}
		pruned, changed, err := out.Reduce(d, kept.FormHash, kept.ByRetention, "90d")
		if err != nil || !changed || !pruned.Pruned() || pruned.HasErased() || pruned.ID != [16]byte{} || pruned.Received != 0 {
			t.Fatalf("%+v, %t, %v", pruned, changed, err)
		}
		same(t, &pruned)
		if _, changed, err := pruned.Reduce(d, kept.FormLeaf, kept.ByRetention, "30d"); changed || err != nil {
			t.Errorf("a hash became a leaf: %t, %v", changed, err)
		}
		var none *kept.NoLeafError
		if _, err := pruned.Leaf(d); !errors.As(err, &none) || none.Seq != 7 {
			t.Errorf("the leaf of a hash: %v", err)
		}
	})
}

func TestEntry_Tombstone(t *testing.T) {
	t.Parallel()
	none := kept.Entry{Form: kept.FormNone}
	if why, by, err := none.Tombstone(); why != kept.ByRetention || by != "" || err != nil {
		t.Errorf("a run that is gone: %d %q, %v", why, by, err)
	}
	for _, body := range [][]byte{nil, {0}, {4, 'x'}, {255}} {
		e := kept.Entry{Seq: 3, Form: kept.FormLeaf, Body: body}
		if _, _, err := e.Tombstone(); !isDamage(err) {
			t.Errorf("%v: %v", body, err)
		}
		if _, err := e.Missing(); !isDamage(err) {
			t.Errorf("missing of %v: %v", body, err)
		}
	}
	left := kept.Entry{Form: kept.FormHash, Body: kept.Tombstone(kept.LeftOut, "")}
	if missing, err := left.Missing(); missing != nil || err != nil {
		t.Errorf("what an excerpt leaves out is not removed: %v, %v", missing, err)
	}
}

// TestEntry_damaged holds that what cannot be read is damage, wherever it is asked.
func TestEntry_damaged(t *testing.T) {
	t.Parallel()
	d := leaf.Get()
	defer leaf.Put(d)
	for name, e := range map[string]kept.Entry{
		"no JSON": {Body: []byte(`{"a":`)}, "no fields": {Form: kept.FormFields}, "a field cut short": {Form: kept.FormFields, Body: []byte{1, leaf.String, 1}},
	} {
		_, leafErr := e.Leaf(d)
		_, hashErr := e.Hash(d)
		_, fieldsErr := e.Disclosed(d)
		if !isDamage(leafErr) || !isDamage(hashErr) || !isDamage(fieldsErr) {
			t.Errorf("%s: %v, %v, %v", name, leafErr, hashErr, fieldsErr)
		}
		if e.Form == kept.FormFields {
			if _, err := e.Remainder(); !isDamage(err) {
				t.Errorf("%s: what is left: %v", name, err)
			}
			if !e.HasErased() { // whoever cannot tell does not say that nothing is gone
				t.Errorf("%s: nothing is erased", name)
			}
		}
	}
}

// FuzzFields holds that what is read is written the same, and that nothing makes the reader panic or what it reads no JSON.
func FuzzFields(f *testing.F) {
	d := leaf.Get()
	defer leaf.Put(d)
	e := whole()
	for _, fields := range [][]int{{0}, {1, 3, 5}} {
		out, _, err := e.Erase(d, fields, fields[0] == 0, kept.ByErasure, "ers_1")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(out.Body)
	}
	f.Add(kept.FieldsBody([]leaf.Field{{Withheld: true, Type: kept.TypeLeftOut, Path: []byte("/a")}, {Type: leaf.Number, Path: []byte("/b/~#2"), Value: []byte("1")}}))
	f.Add(kept.FieldsBody([]leaf.Field{{Type: leaf.Null, Path: []byte("/a/~#0")}, {Type: leaf.Null, Path: []byte("/a/b")}, {Type: leaf.Null, Path: []byte("x")}}))
	f.Add([]byte{255, 255, 3})
	f.Fuzz(func(t *testing.T, body []byte) {
		fs, err := kept.ReadFields(body)
		if err != nil {
			if !isDamage(err) {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		again, err := kept.ReadFields(kept.FieldsBody(fs))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(fs, again); diff != "" {
			t.Fatalf("written again (-read +again):\n%s", diff)
		}
		kept.ErasedNames(fs)
		if text := kept.Shown(fs); leaf.CheckShape(fs) == nil && !json.Valid(text) {
			t.Fatalf("no JSON: %s", text)
		}
	})
}
