package cursor_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook/internal/cursor"
)

// binding returns the one of these tests.
func binding() *cursor.Binding {
	return &cursor.Binding{Key: []byte("0123456789abcdef0123456789abcdef"), Org: "org_a", Within: `actor.id:"usr_1"`}
}

// full is a cursor that says everything, bare one that says next to nothing.
func full() cursor.Cursor {
	return cursor.Cursor{
		LogID: [10]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, Epoch: 3, Size: 1 << 40, ByOccurred: true, Asc: true, Seq: 77, Occurred: 1_790_000_000_000_001,
		Now: 1_790_000_000_000_000, From: 5, To: 1 << 60, Zone: "Europe/Berlin", Query: "action:invoice.paid",
	}
}

func bare() cursor.Cursor {
	return cursor.Cursor{Size: 9, Seq: -1, Now: 1, From: cursor.OpenFrom, To: cursor.OpenTo, Zone: "UTC"}
}

// TestText: these texts have been handed out; whoever has one goes on with it.
func TestText(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]cursor.Cursor{
		"c_AQECAwQFBgcICQoGD4CAgICAQJoBgoCvotv_rQaAgK-i2_-tBgqAgICAgICAgCAaRXVyb3BlL0JlcmxpbiZhY3Rpb246aW52b2ljZS5wYWlk2kuwZjw9dceb1aP3sYBrsQ": full(),
		"c_AQAAAAAAAAAAAAAAABIBAgZVVEMAocUaZSvwSTBCvAovPE_YpQ":                                                                                 bare(),
	} {
		text := c.Text(binding())
		if text != want {
			t.Errorf("%+v\nhas the text %s\nwant         %s", c, text, want)
		}
		again, ok := cursor.Read(text, binding())
		if diff := cmp.Diff(c, again); !ok || diff != "" {
			t.Errorf("read %t (-want +got):\n%s", ok, diff)
		}
	}
}

func TestRead_refuses(t *testing.T) {
	t.Parallel()
	c := full()
	text := c.Text(binding())
	for name, change := range map[string]func(*cursor.Binding){
		"another key":       func(b *cursor.Binding) { b.Key = []byte("another key of thirty-two bytes!") },
		"another org":       func(b *cursor.Binding) { b.Org = "org_b" },
		"another condition": func(b *cursor.Binding) { b.Within = "" },
		"a border moved":    func(b *cursor.Binding) { b.Org, b.Within = b.Org+"\n", b.Within[1:] },
	} {
		b := binding()
		if change(b); !refuses(text, b) {
			t.Error(name)
		}
	}
	for name, other := range map[string]string{
		"nothing": "", "cut": text[:len(text)-1], "longer": text + "A", "no prefix": text[2:], "not base64": "c_!", "huge": "c_" + strings.Repeat("A", 1<<20),
	} {
		if !refuses(other, binding()) {
			t.Error(name)
		}
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(text, "c_"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 8 * len(raw) {
		raw[i/8] ^= 1 << (i % 8)
		if !refuses("c_"+base64.RawURLEncoding.EncodeToString(raw), binding()) {
			t.Fatalf("bit %d", i)
		}
		raw[i/8] ^= 1 << (i % 8)
	}
}

func refuses(text string, b *cursor.Binding) bool {
	c, ok := cursor.Read(text, b)
	return !ok && c == cursor.Cursor{}
}

// FuzzRead: with the MAC right, whatever stands before it is refused, or is a cursor whose own text is read as the same.
func FuzzRead(f *testing.F) {
	for _, c := range []cursor.Cursor{full(), bare()} {
		raw, err := base64.RawURLEncoding.DecodeString(c.Text(binding())[2:])
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw[:len(raw)-16])
	}
	f.Add([]byte{})
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, body []byte) {
		c, ok := cursor.Read(cursor.Signed(body, binding()), binding())
		if ok {
			again, ok := cursor.Read(c.Text(binding()), binding())
			if diff := cmp.Diff(c, again); !ok || diff != "" {
				t.Fatalf("%x: read again %t (-first +again):\n%s", body, ok, diff)
			}
		}
		if _, ok := cursor.Read("c_"+base64.RawURLEncoding.EncodeToString(body), binding()); ok {
			t.Fatalf("%x: accepted without its MAC", body)
		}
	})
}
