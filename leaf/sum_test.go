package leaf

import (
	"bytes"
	"crypto/sha256"
	"testing"
)

// TestHasher compares both ways of a hasher with crypto/sha256, for messages of every length up to a few blocks.
func TestHasher(t *testing.T) {
	t.Parallel()
	var quick, plain hasher
	quick.begin()
	if quick.state == nil {
		t.Error("crypto/sha256 of this Go marshals its state in a form that is not known: events are hashed slowly")
	}
	plain.h = sha256.New()
	for n := range 5 * sha256.BlockSize {
		message := bytes.Repeat([]byte{0xa5, byte(n)}, n)[:n]
		want := sha256.Sum256(message)
		for name, s := range map[string]*hasher{"quick": &quick, "plain": &plain} {
			if got := s.sum(padded(bytes.Clone(message))); got != want {
				t.Fatalf("%s: %d bytes hash to %x, not to %x", name, n, got, want)
			}
		}
	}
}

// TestHasherKnowsForeignState holds that a hash which marshals something else is not used.
func TestHasherKnowsForeignState(t *testing.T) {
	t.Parallel()
	for name, state := range map[string]foreign{"another magic": {magic: "sha\x04"}, "other words": {magic: stateMagic}, "short": {}} {
		s := hasher{h: sha256.New(), state: state}
		if s.check(); s.state != nil {
			t.Errorf("%s is taken for the state of crypto/sha256", name)
		}
	}
}

// foreign marshals its magic, and a state of zeros behind it.
type foreign struct{ magic string }

// AppendBinary is part of encoding.BinaryAppender.
func (f foreign) AppendBinary(b []byte) ([]byte, error) {
	if f.magic == "" {
		return b, nil
	}
	return append(append(b, f.magic...), make([]byte, 104)...), nil
}
