package leaf_test

import (
	"testing"

	"github.com/daybook-audit/daybook/leaf"
)

// typical is an event of 700 bytes with 20 fields, the size that the budget of the integrity document speaks of.
var typical = []byte(`{"action":"invoice.updated","version":1,"occurred_at":"2026-11-21T22:54:08.123456Z",` +
	`"actor":{"type":"user","id":"usr_01h455vb4pex5vsknk084sn02q","name":"Anna de Souza","email":"ana.souza@example.com"},` +
	`"targets":[{"type":"invoice","id":"inv_2026_004711","name":"Invoice 4711"}],` +
	`"context":{"ip":"203.0.113.7","user_agent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36",` +
	`"http":{"method":"PATCH","status_code":200}},` +
	`"outcome":"success","changes":[{"path":"/total","old":"1180.00","new":"1250.00"}],` +
	`"metadata":{"department":"Finance and Controlling","note":"customer asked on the phone for a corrected total, see the case of the day before yesterday"}}`)

func TestTypical(t *testing.T) {
	t.Parallel()
	var d leaf.Doc
	if err := d.Read(typical); err != nil {
		t.Fatal(err)
	}
	if len(typical) != 700 || d.Len() != 20 {
		t.Errorf("the event of the benchmarks has %d bytes and %d fields, not 700 and 20", len(typical), d.Len())
	}
}

func BenchmarkRead(b *testing.B) {
	d := leaf.Get()
	defer leaf.Put(d)
	b.SetBytes(int64(len(typical)))
	b.ReportAllocs()
	for b.Loop() {
		if err := d.Read(typical); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadTrusted(b *testing.B) {
	d := leaf.Get()
	defer leaf.Put(d)
	b.SetBytes(int64(len(typical)))
	b.ReportAllocs()
	for b.Loop() {
		if err := d.ReadTrusted(typical); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLeafHash is the whole way of one event outside the sequencer and in it: pool, read, sort, commit, leaf, hash.
func BenchmarkLeafHash(b *testing.B) {
	secret := [16]byte{1, 2, 3}
	b.SetBytes(int64(len(typical)))
	b.ReportAllocs()
	for b.Loop() {
		d := leaf.Get()
		if _, err := leafHash(d, typical, &secret); err != nil {
			b.Fatal(err)
		}
		leaf.Put(d)
	}
}

func leafHash(d *leaf.Doc, text []byte, secret *[16]byte) ([32]byte, error) {
	if err := d.Read(text); err != nil {
		return [32]byte{}, err
	}
	l := leaf.Leaf{Seq: 41, ReceivedAt: 1795301648123456, Root: d.Root(secret)}
	return l.Hash(), nil
}

// BenchmarkSort reads too, since sorted fields are quick to sort: subtract BenchmarkReadTrusted.
func BenchmarkSort(b *testing.B) {
	var d leaf.Doc
	for b.Loop() {
		if err := d.ReadTrusted(typical); err != nil {
			b.Fatal(err)
		}
		d.Sort()
	}
}
