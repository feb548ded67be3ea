package verify_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/daybook-audit/daybook/verify"
)

// nightly says that the reliability tests run in their long sizes.
var nightly = os.Getenv("DAYBOOK_TEST_SIZE") == "nightly"

// TestBundleFlips: no single flipped bit of the vectors' bundle and no truncation of it is accepted.
func TestBundleFlips(t *testing.T) {
	t.Parallel()
	bundle := readFile(t, "bundle.ndjson")
	o := verify.Options{Keys: keys(t, readMutations(t)[0].Pins...)}
	if r := verify.Bundle(bytes.NewReader(bundle), o); r.Exit() != 0 {
		t.Fatalf("untouched: %v", r.Findings)
	}
	every, first := 1, 0
	if !nightly {
		every, first = 50, int(bundle[len(bundle)-10])%50
	}
	for bit := first; bit < 8*len(bundle); bit += every {
		flipped := bytes.Clone(bundle)
		flipped[bit/8] ^= 1 << (bit % 8)
		if r := verify.Bundle(bytes.NewReader(flipped), o); r.Exit() == 0 {
			t.Errorf("bit %d of byte %d, %q: accepted", bit%8, bit/8, bundle[max(0, bit/8-20):bit/8+1])
		}
	}
	for n := first; n < len(bundle); n += every {
		if r := verify.Bundle(bytes.NewReader(bundle[:n]), o); r.Exit() != 7 || !r.Has(verify.Truncated) {
			t.Errorf("cut after %d bytes: exit %d, %v", n, r.Exit(), r.Findings)
		}
	}
}
