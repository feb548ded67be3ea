package daybook_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
)

// secret keys the hashes of the tests.
var secret = []byte("0123456789abcdef0123456789abcdef")

// printed writes changes as one line each, path: old → new; - is absent.
func printed(cs daybook.Changes) []string {
	side := func(v daybook.Value) string {
		switch {
		case v.Masked():
			return "masked"
		case v.Hash() != "":
			return "hashed"
		case !v.Present():
			return "-"
		}
		return string(v.Raw())
	}
	var out []string
	for _, c := range cs {
		out = append(out, fmt.Sprintf("%s: %s → %s", c.Path, side(c.Old), side(c.New)))
	}
	return out
}

func TestDiffJSON(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, old, new string
		o              daybook.DiffOptions
		want           []string
	}{
		{name: "equal", old: `{"a":1,"b":[{"c":null}]}`, new: ` { "b":[{"c":null}], "a":1 } `},
		{name: "none", old: ``, new: ` `},
		{name: "numbers by value", old: `[1,1.0,-0,1e2,0.00,120e-1,9007199254740993]`, new: `[1.0,1,0,100,0e9,12,9007199254740993.0]`},
		{name: "numbers beyond float64", old: `[9007199254740993,1e400,0.1]`, new: `[9007199254740992,1e401,0.10000000000000000001]`, want: []string{
			"/0: 9007199254740993 → 9007199254740992", "/1: 1e400 → 1e401", "/2: 0.1 → 0.10000000000000000001",
		}},
		{name: "long exponents", old: `[1e99999999999999999999,1e-99999999999999999999,10e99999999999999999998]`, new: `[1e+99999999999999999999,1e99999999999999999999,1e99999999999999999999]`, want: []string{
			"/1: 1e-99999999999999999999 → 1e99999999999999999999",
		}},
		{name: "sign", old: `-1`, new: `1`, want: []string{": -1 → 1"}},
		{name: "escapes mean nothing", old: `{"\u0061":"\u00e9"}`, new: `{"a":"é"}`},
		{name: "kinds", old: `{"a":"1","b":null,"c":{},"d":true}`, new: `{"a":1,"b":false,"c":[],"d":{"x":1}}`, want: []string{
			`/a: "1" → 1`, "/b: null → false", "/c: {} → []", `/d: true → {"x":1}`,
		}},
		{name: "null is a value", old: `{"a":null}`, new: `{}`, want: []string{"/a: null → -"}},
		{name: "order of paths", old: `{"z":1,"b":{"y":1,"x":1}}`, new: `{"z":2,"a":1,"b":{"x":2,"y":2}}`, want: []string{"/a: - → 1", "/b/x: 1 → 2", "/b/y: 1 → 2", "/z: 1 → 2"}},
		{name: "lists by index", old: `[1,2,3]`, new: `[1,3]`, want: []string{"/1: 2 → 3", "/2: 3 → -"}},
		{name: "longer list", old: `{"a":[1]}`, new: `{"a":[1,{"x":1},3]}`, want: []string{`/a/1: - → {"x":1}`, "/a/2: - → 3"}},
		{name: "escaped steps", old: `{"a/b":{"~":1}}`, new: `{"a/b":{"~":2}}`, want: []string{"/a~1b/~0: 1 → 2"}},
		{name: "creation", old: ``, new: `{"b":{"c":1},"a":[1]}`, want: []string{"/a: - → [1]", `/b: - → {"c":1}`}},
		{name: "creation of nothing", old: ``, new: `{}`, want: []string{": - → {}"}},
		{name: "creation of a list", old: ``, new: `[1]`, want: []string{": - → [1]"}},
		{name: "creation of null", old: ``, new: `null`, want: []string{": - → null"}},
		{name: "deletion", old: `{"a":1}`, new: ``, want: []string{"/a: 1 → -"}},
		{name: "wrapped", old: `{}`, new: `{"a":{"$hash":"x"},"b":{"\u0024json":1},"c":{"x":{"$masked":true}}}`, want: []string{
			`/a: - → {"$hash":"x"}`, `/b: - → {"$json":1}`, `/c: - → {"x":{"$masked":true}}`,
		}},

		{name: "ignore", old: `{"a":1,"b":{"c":1}}`, new: `{"a":2,"b":{"c":2,"d":1}}`, o: daybook.DiffOptions{Ignore: []string{"/a", "/b/c"}}, want: []string{"/b/d: - → 1"}},
		{name: "ignore below an addition", old: `{}`, new: `{"a":{"b":1,"c":2}}`, o: daybook.DiffOptions{Ignore: []string{"/a/b"}}, want: []string{"/a/c: - → 2"}},
		{name: "ignore below another kind", old: `{"a":1}`, new: `{"a":{"b":1,"c":2}}`, o: daybook.DiffOptions{Ignore: []string{"/a/b"}}, want: []string{`/a: 1 → {"c":2}`}},
		{name: "ignore all", old: `{"a":1}`, new: ``, o: daybook.DiffOptions{Ignore: []string{""}}},
		{name: "mask", old: `{"a":{"x":1},"b":1}`, new: `{"a":{"x":2},"b":1}`, o: daybook.DiffOptions{Mask: []string{"/a", "/b"}}, want: []string{"/a: masked → masked"}},
		{name: "mask of an addition", old: `{}`, new: `{"a":{"x":1,"y":2}}`, o: daybook.DiffOptions{Mask: []string{"/a/x"}}, want: []string{"/a/x: - → masked", "/a/y: - → 2"}},
		{name: "mask below another kind masks it whole", old: `{"a":1}`, new: `{"a":{"x":1,"y":2}}`, o: daybook.DiffOptions{Mask: []string{"/a/x"}}, want: []string{"/a: 1 → masked"}},
		{name: "any step", old: `{"u":[{"pw":1,"n":1},{"pw":1}]}`, new: `{"u":[{"pw":2,"n":2},{"pw":1}]}`, o: daybook.DiffOptions{Mask: []string{"/u/*/pw"}}, want: []string{"/u/0/n: 1 → 2", "/u/0/pw: masked → masked"}},
		{name: "hash", old: `{"a":1,"b":2}`, new: `{"a":1.0,"b":3}`, o: daybook.DiffOptions{Hash: []string{"/*"}, Secret: secret}, want: []string{"/b: hashed → hashed"}},
		{name: "mask beats hash", old: `1`, new: `2`, o: daybook.DiffOptions{Hash: []string{""}, Mask: []string{""}, Secret: secret}, want: []string{": masked → masked"}},
		{name: "quiet alone", old: `{"at":1,"b":1}`, new: `{"at":2,"b":1}`, o: daybook.DiffOptions{Quiet: []string{"/at"}}},
		{name: "quiet with another", old: `{"at":1,"b":1}`, new: `{"at":2,"b":2}`, o: daybook.DiffOptions{Quiet: []string{"/at"}}, want: []string{"/at: 1 → 2", "/b: 1 → 2"}},

		{name: "at the most", old: `{"a":{"x":1,"y":1}}`, new: `{"a":{"x":2,"y":2}}`, o: daybook.DiffOptions{MaxChanges: 2}, want: []string{"/a/x: 1 → 2", "/a/y: 1 → 2"}},
		{name: "beyond: the nearest common parent", old: `{"k":0,"a":{"x":1,"y":1}}`, new: `{"k":0.0,"a":{"x":2,"y":2}}`, o: daybook.DiffOptions{MaxChanges: 1}, want: []string{
			`/a: {"x":1,"y":1} → {"x":2,"y":2}`,
		}},
		{name: "beyond: with a mask", old: `{"a":{"x":1,"y":1}}`, new: `{"a":{"x":2,"y":2}}`, o: daybook.DiffOptions{MaxChanges: 1, Mask: []string{"/a/y"}}, want: []string{"/a: masked → masked"}},
		{name: "beyond: without what is ignored", old: `{"a":{"x":1,"y":1,"z":1}}`, new: `{"a":{"x":2,"y":2,"z":2}}`, o: daybook.DiffOptions{MaxChanges: 1, Ignore: []string{"/a/y"}}, want: []string{
			`/a: {"x":1,"z":1} → {"x":2,"z":2}`,
		}},
		{name: "beyond: a creation", old: ``, new: `{"b":1,"a":1}`, o: daybook.DiffOptions{MaxChanges: 1}, want: []string{`: - → {"a":1,"b":1}`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := daybook.DiffJSON(json.RawMessage(tt.old), json.RawMessage(tt.new), tt.o)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, printed(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDiffJSON_refusals(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func() error{
		"old cut short": func() error { _, err := daybook.DiffJSON([]byte(`{"a":`), nil, daybook.DiffOptions{}); return err },
		"new twice": func() error {
			_, err := daybook.DiffJSON(nil, []byte(`{"a":1,"a":2}`), daybook.DiffOptions{})
			return err
		},
		"two values": func() error { _, err := daybook.DiffJSON(nil, []byte(`1 2`), daybook.DiffOptions{}); return err },
		"brackets":   func() error { _, err := daybook.DiffJSON(nil, []byte(`[1}`), daybook.DiffOptions{}); return err },
		"no pointer": func() error {
			_, err := daybook.DiffJSON(nil, nil, daybook.DiffOptions{Mask: []string{"a"}})
			return err
		},
		"no secret": func() error {
			_, err := daybook.DiffJSON(nil, nil, daybook.DiffOptions{Hash: []string{"/a"}})
			return err
		},
		"a short secret": func() error {
			_, err := daybook.DiffJSON(nil, nil, daybook.DiffOptions{Hash: []string{"/a"}, Secret: secret[1:]})
			return err
		},
		"a tag's secret": func() error {
			_, err := daybook.Diff(nil, &struct {
				A int `daybook:"hash"`
			}{}, daybook.DiffOptions{})
			return err
		},
		"an unknown tag": func() error {
			_, err := daybook.Diff(nil, &struct {
				A int `daybook:"hide"`
			}{}, daybook.DiffOptions{})
			return err
		},
		"a tag far below": func() error {
			_, err := daybook.Diff(nil, &struct {
				A []*struct {
					B int `daybook:"mask,x"`
				}
			}{A: []*struct {
				B int `daybook:"mask,x"`
			}{{}}}, daybook.DiffOptions{})
			return err
		},
	} {
		if f() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestDiffJSON_hash: equal values have equal tags, other values or secrets others.
func TestDiffJSON_hash(t *testing.T) {
	t.Parallel()
	tags := func(before, after string, key []byte) (string, string) {
		cs, err := daybook.DiffJSON([]byte(before), []byte(after), daybook.DiffOptions{Hash: []string{""}, Secret: key})
		if err != nil || len(cs) != 1 {
			t.Fatalf("%v %v", cs, err)
		}
		return cs[0].Old.Hash(), cs[0].New.Hash()
	}
	a, b := tags(`{"x":1.0,"y":"é"}`, `2`, secret)
	c, d := tags(`3`, `{"y":"\u00e9","x":10e-1}`, secret)
	e, _ := tags(`2`, `4`, append([]byte("x"), secret...))
	if a != d || a == b || b == c || e == b || a == "" {
		t.Errorf("tags %s %s %s %s %s", a, b, c, d, e)
	}
}

type address struct {
	City   string
	Street string `json:"street,omitempty"`
}

type line struct {
	SKU string `daybook:"key" json:"sku"`
	Qty int    `json:"qty"`
}

type stamped struct {
	CreatedAt time.Time `daybook:"quiet" json:"created_at"`
}

type invoice struct {
	stamped
	ID       string         `json:"id"`
	Amount   json.Number    `json:"amount,omitempty"`
	Paid     bool           `json:"-"`
	Note     string         `json:"note,omitempty"`
	Password string         `daybook:"mask"    json:"password"`
	TaxID    string         `daybook:"hash"    json:"tax_id"`
	Cache    int            `daybook:"-"`
	Address  *address       `json:"address"`
	Lines    []line         `json:"lines"`
	Tags     []string       `json:"tags"`
	Attrs    map[string]any `json:"attrs"`
	Blob     []byte         `json:"blob"`
	IP       netip.Addr     `json:"ip"`
	DueAt    time.Time      `json:"due_at"`
	hidden   int
}

func TestDiff(t *testing.T) {
	t.Parallel()
	base := func() *invoice {
		return &invoice{ID: "1", Amount: "10.00", Note: "n", Password: "p", TaxID: "t", Lines: []line{{"a", 1}, {"b", 2}}, Tags: []string{"x"}, DueAt: time.Unix(1, 0)}
	}
	tests := []struct {
		name string
		edit func(v *invoice)
		want []string
	}{
		{"nothing", func(*invoice) {}, nil},
		{"what is not seen", func(v *invoice) { v.Cache, v.hidden = 7, v.hidden+7 }, nil},
		{"a clearing in spite of omitempty", func(v *invoice) { v.Note = "" }, []string{`/note: "n" → ""`}},
		{"in spite of json:\"-\"", func(v *invoice) { v.Paid = true }, []string{"/Paid: false → true"}},
		{"mask", func(v *invoice) { v.Password = "q" }, []string{"/password: masked → masked"}},
		{"hash", func(v *invoice) { v.TaxID = "u" }, []string{"/tax_id: hashed → hashed"}},
		{"quiet", func(v *invoice) { v.CreatedAt = time.Unix(9, 0) }, nil},
		{"quiet of an embedded struct", func(v *invoice) { v.CreatedAt, v.Paid = time.Unix(9, 0), true }, []string{
			"/Paid: false → true", `/created_at: "0001-01-01T00:00:00Z" → "1970-01-01T00:00:09Z"`,
		}},
		{"time by instant at microseconds", func(v *invoice) { v.DueAt = v.DueAt.In(time.FixedZone("", 3600)).Add(999) }, nil},
		{"time", func(v *invoice) { v.DueAt = v.DueAt.Add(1000) }, []string{`/due_at: "1970-01-01T00:00:01Z" → "1970-01-01T00:00:01.000001Z"`}},
		{"number by value", func(v *invoice) { v.Amount = "1e1" }, nil},
		{"number", func(v *invoice) { v.Amount = "10.01" }, []string{"/amount: 10.00 → 10.01"}},
		{"pointer", func(v *invoice) { v.Address = &address{City: "Rome"} }, []string{`/address: null → {"City":"Rome","street":""}`}},
		{"empty is nil", func(v *invoice) { v.Attrs, v.Blob = map[string]any{}, []byte{} }, nil},
		{"bytes", func(v *invoice) { v.Blob = []byte{1} }, []string{`/blob: "" → "AQ=="`}},
		{"map", func(v *invoice) { v.Attrs = map[string]any{"b": 1.5, "a/b": nil} }, []string{"/attrs/a~1b: - → null", "/attrs/b: - → 1.5"}},
		{"a type that writes itself", func(v *invoice) { v.IP = netip.MustParseAddr("10.0.0.1") }, []string{`/ip: "" → "10.0.0.1"`}},
		{"a move is no rewrite", func(v *invoice) { v.Lines = []line{{"b", 2}, {"a", 1}} }, nil},
		{"a keyed change has the new index", func(v *invoice) { v.Lines = []line{{"b", 3}, {"a", 1}} }, []string{"/lines/0/qty: 2 → 3"}},
		{"a keyed insertion", func(v *invoice) { v.Lines = []line{{"c", 9}, {"a", 1}, {"b", 2}} }, []string{`/lines/0: - → {"qty":9,"sku":"c"}`}},
		{"a keyed removal has the old index", func(v *invoice) { v.Lines = []line{{"b", 2}} }, []string{`/lines/0: {"qty":1,"sku":"a"} → -`}},
		{"all keyed removed", func(v *invoice) { v.Lines = nil }, []string{`/lines/0: {"qty":1,"sku":"a"} → -`, `/lines/1: {"qty":2,"sku":"b"} → -`}},
		{"equal keys go by index", func(v *invoice) { v.Lines = []line{{"a", 1}, {"a", 2}} }, []string{`/lines/1/sku: "b" → "a"`}},
		{"without keys by index", func(v *invoice) { v.Tags = []string{"y", "x"} }, []string{`/tags/0: "x" → "y"`, `/tags/1: - → "x"`}},
		{"unencodable text", func(v *invoice) { v.Note = "a\xff" }, []string{`/note: "n" → "!unencodable"`}},
		{"a NUL", func(v *invoice) { v.Note = "a\x00" }, []string{`/note: "n" → "!unencodable"`}},
		{"unencodable values", func(v *invoice) {
			v.Attrs = map[string]any{"a": math.NaN(), "b": func() {}, "c": make(chan int), "d": json.RawMessage(`{`), "e": broken{}, "f": panics{}, "g": map[[1]int]int{{1}: 1}}
		}, []string{
			`/attrs/a: - → "!unencodable"`, `/attrs/b: - → "!unencodable"`, `/attrs/c: - → "!unencodable"`, `/attrs/d: - → "!unencodable"`,
			`/attrs/e: - → "!unencodable"`, `/attrs/f: - → "!unencodable"`, `/attrs/g: - → "!unencodable"`,
		}},
		{"a cycle", func(v *invoice) { v.Attrs = cycle() }, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := base()
			tt.edit(v)
			got, err := daybook.Diff(base(), v, daybook.DiffOptions{Secret: secret})
			if err != nil {
				t.Fatal(err)
			}
			if tt.name == "a cycle" {
				if len(got) != 1 || !strings.Contains(string(got[0].New.Raw()), "!unencodable") {
					t.Errorf("got %v", printed(got))
				}
				return
			}
			if diff := cmp.Diff(tt.want, printed(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

type broken struct{}

func (broken) MarshalJSON() ([]byte, error) { return nil, errors.New("no") }

type panics struct{}

func (panics) MarshalText() ([]byte, error) { panic("no") }

func cycle() map[string]any {
	m := map[string]any{}
	m["m"] = m
	return map[string]any{"m": m}
}

func TestDiff_creation(t *testing.T) {
	t.Parallel()
	v := &struct {
		A string
		B string `daybook:"mask"`
		C *struct {
			D int `daybook:"mask"`
			E int
		}
		F []int
	}{A: "x", F: []int{1}}
	for _, tt := range []struct {
		name string
		want []string
	}{
		{"without C", []string{`/A: - → "x"`, "/B: - → masked", "/C: - → null", "/F: - → [1]"}},
		{"with C", []string{`/A: - → "x"`, "/B: - → masked", "/C/D: - → masked", "/C/E: - → 2", "/F: - → [1]"}},
	} {
		if tt.name == "with C" {
			v.C = &struct {
				D int `daybook:"mask"`
				E int
			}{1, 2}
		}
		created, err := daybook.Diff(nil, v, daybook.DiffOptions{})
		if err != nil {
			t.Fatal(err)
		}
		deleted, err := daybook.Diff(v, nil, daybook.DiffOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, printed(created)); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
		for i, c := range deleted {
			if c.Path != created[i].Path || !c.Old.Equal(created[i].New) || c.New.Present() {
				t.Errorf("%s: deletion %v is not the mirror of %v", tt.name, c, created[i])
			}
		}
	}
	type none = struct{ A int }
	if cs, err := daybook.Diff[none](nil, nil, daybook.DiffOptions{}); cs != nil || err != nil {
		t.Errorf("nil, nil: %v %v", cs, err)
	}
}

// Shapes of structs that encoding/json treats in a way of its own.
func TestDiff_shapes(t *testing.T) {
	t.Parallel()
	type promoted struct { // its MarshalJSON is that of the embedded time and knows nothing of Name
		time.Time
		Name string
	}
	type conflict struct {
		stamped
		Made string `json:"created_at"`
	}
	type pointer struct {
		*address
		N int
	}
	type named struct {
		address `json:"address"`
	}
	type writesItself struct{ big }
	check := func(name string, got daybook.Changes, err error, want ...string) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, printed(got)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	got, err := daybook.Diff(&promoted{time.Unix(1, 0), "a"}, &promoted{time.Unix(1, 0), "b"}, daybook.DiffOptions{})
	check("promoted", got, err, `/Name: "a" → "b"`)
	got, err = daybook.Diff(&conflict{Made: "x"}, &conflict{stamped{time.Unix(1, 0)}, "y"}, daybook.DiffOptions{})
	check("conflict", got, err, `/CreatedAt: "0001-01-01T00:00:00Z" → "1970-01-01T00:00:01Z"`, `/created_at: "x" → "y"`)
	got, err = daybook.Diff(&pointer{}, &pointer{address: &address{City: "Rome"}}, daybook.DiffOptions{})
	check("pointer", got, err, `/City: - → "Rome"`, `/street: - → ""`)
	got, err = daybook.Diff(&named{}, &named{address{City: "Rome"}}, daybook.DiffOptions{})
	check("named", got, err, `/address/City: "" → "Rome"`)
	got, err = daybook.Diff(&writesItself{big{1}}, &writesItself{big{2}}, daybook.DiffOptions{})
	check("embedded that writes itself", got, err, `: "#1" → "#2"`)
	keys, err := daybook.Diff(&map[netip.Addr]int{netip.MustParseAddr("::1"): 1}, &map[netip.Addr]int{netip.MustParseAddr("::1"): 2}, daybook.DiffOptions{})
	check("text keys", keys, err, "/::1: 1 → 2")
	ints, err := daybook.Diff(&map[int8]int{-3: 1}, &map[int8]int{-3: 2}, daybook.DiffOptions{})
	check("integer keys", ints, err, "/-3: 1 → 2")
}

// big writes itself and shows no fields.
type big struct{ n int }

func (b *big) MarshalText() ([]byte, error) { return []byte("#" + strconv.Itoa(b.n)), nil }

func TestChanged(t *testing.T) {
	t.Parallel()
	e := daybook.Event{Action: "invoice.updated", Reason: "r"}
	got, ok, err := daybook.Changed(e, &line{"a", 1}, &line{"a", 2}, daybook.DiffOptions{})
	if err != nil || !ok || got.Action != e.Action || len(got.Changes) != 1 || e.Changes != nil {
		t.Errorf("changed: %+v %t %v", got, ok, err)
	}
	if _, ok, err = daybook.Changed(e, &stamped{}, &stamped{time.Unix(1, 0)}, daybook.DiffOptions{}); ok || err != nil {
		t.Errorf("quiet: %t %v", ok, err)
	}
	if _, _, err = daybook.Changed(e, &line{}, &line{}, daybook.DiffOptions{Mask: []string{"x"}}); err == nil {
		t.Error("a wrong option was taken")
	}
}
