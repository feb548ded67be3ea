package typeid_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/daybook-audit/daybook/internal/typeid"
)

type vectors struct {
	IDs []struct {
		ID   string `json:"id"`
		UUID string `json:"uuid_hex"`
	} `json:"ids"`
	Refuse []string `json:"refuse_ids"`
}

func readVectors(t testing.TB) vectors {
	t.Helper()
	text, err := os.ReadFile("../../testdata/vectors/leaf.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.IDs) == 0 || len(v.Refuse) == 0 {
		t.Fatal("the vectors hold no ids")
	}
	return v
}

func TestVectors(t *testing.T) {
	t.Parallel()
	v := readVectors(t)
	for _, c := range v.IDs {
		want, err := hex.DecodeString(c.UUID)
		if err != nil {
			t.Fatal(err)
		}
		got, err := typeid.Parse("evt", c.ID)
		if err != nil || got != [16]byte(want) {
			t.Errorf("Parse(%q) = %x, %v; want %x", c.ID, got, err, want)
		}
		if got := string(typeid.Append([]byte("x"), "evt", [16]byte(want))); got != "x"+c.ID {
			t.Errorf("Append(%x) = %q, want %q after x", want, got, c.ID)
		}
	}
	for _, s := range v.Refuse {
		if id, err := typeid.Parse("evt", s); err == nil || id != [16]byte{} {
			t.Errorf("Parse(%q) = %x, %v; want the zero id and an error", s, id, err)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	const digits = "01h455vb4pex5vsknk084sn02q"
	for name, s := range map[string]string{
		"empty": "", "prefix only": "evt", "prefix and bar": "evt_", "two bars": "evt__" + digits[1:],
		"space behind": "evt_" + digits + " ", "not ASCII": "evt_" + digits[:24] + "é", "line break": "evt_" + digits[:25] + "\n",
		"too large a number": "evt_8" + digits[1:], "first digit beyond": "evt_z" + digits[1:], "longer prefix": "evt2_" + digits,
	} {
		if _, err := typeid.Parse("evt", s); err == nil {
			t.Errorf("%s: Parse(%q) was accepted", name, s)
		}
	}
	// Each letter that the alphabet leaves out is refused at each place: i and l for 1, o for 0, u.
	for i := range len(digits) {
		for _, c := range "ilouA" {
			s := "ers_" + digits[:i] + string(c) + digits[i+1:]
			if _, err := typeid.Parse("ers", s); err == nil {
				t.Errorf("Parse(%q) was accepted", s)
			}
		}
	}
}

func TestEveryBit(t *testing.T) {
	t.Parallel()
	for bit := range 128 {
		var id [16]byte
		id[bit/8] = 0x80 >> (bit % 8)
		s := string(typeid.Append(nil, "hold", id))
		if got, err := typeid.Parse("hold", s); err != nil || got != id {
			t.Errorf("bit %d: Parse(%q) = %x, %v", bit, s, got, err)
		}
		// The 26 digits are the 130-bit number with two zero bits in front.
		place := (bit + 2) / 5
		want := strings.Repeat("0", place) + string("g8421"[(bit+2)%5]) + strings.Repeat("0", 25-place)
		if s != "hold_"+want {
			t.Errorf("bit %d: %q, want %q", bit, s, "hold_"+want)
		}
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	last := ""
	for range 1000 {
		s := typeid.New("key")
		if s <= last {
			t.Fatalf("%q came after %q", s, last)
		}
		last = s
		id, err := typeid.Parse("key", s)
		if err != nil {
			t.Fatalf("Parse(%q): %v", s, err)
		}
		if v := uuid.UUID(id).Version(); v != 7 {
			t.Fatalf("%q has UUID version %d, want 7", s, v)
		}
	}
}

func TestAppendDoesNotAllocate(t *testing.T) {
	id := [16]byte(uuid.Must(uuid.NewV7()))
	buf := make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() { buf = typeid.Append(buf[:0], "evt", id) }); n != 0 {
		t.Errorf("Append allocates %v times, want 0", n)
	}
	s := string(buf)
	if n := testing.AllocsPerRun(100, func() { _, _ = typeid.Parse("evt", s) }); n != 0 {
		t.Errorf("Parse allocates %v times, want 0", n)
	}
}

// FuzzParse: what Parse accepts, Append writes again; whatever the bytes, Append and Parse are inverse.
func FuzzParse(f *testing.F) {
	v := readVectors(f)
	for _, c := range v.IDs {
		f.Add(c.ID, []byte(c.UUID))
	}
	for _, s := range v.Refuse {
		f.Add(s, []byte(s))
	}
	f.Fuzz(func(t *testing.T, s string, raw []byte) {
		if id, err := typeid.Parse("evt", s); err == nil {
			if back := string(typeid.Append(nil, "evt", id)); back != s {
				t.Fatalf("Parse(%q) is written %q", s, back)
			}
		}
		var id [16]byte
		copy(id[:], raw)
		text := string(typeid.Append(nil, "evt", id))
		if len(text) != 30 {
			t.Fatalf("%q has %d characters, want 30", text, len(text))
		}
		if back, err := typeid.Parse("evt", text); err != nil || back != id {
			t.Fatalf("Parse(%q) = %x, %v; want %x", text, back, err, id)
		}
	})
}
