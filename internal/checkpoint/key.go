package checkpoint

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// Kind is what a key signs: the type of its signatures in a signed note (C2SP signed-note).
type Kind byte

// Kinds of keys.
const (
	Log   Kind = 0x01 // Ed25519 over the note: the key of a log
	Clock Kind = 0x04 // cosignature/v1, Ed25519 over a time and the note: the clock of an instance
)

// logIDAlphabet holds the digits of a log id in an origin, five bits each.
const logIDAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// MasterSize is the length of a master key in bytes.
const MasterSize = 32

// ValidHost reports whether host can begin an origin: what names of signed notes allow, and a little less.
func ValidHost(host string) bool {
	if len(host) == 0 || len(host) > 200 || strings.Trim(host, "/.") != host {
		return false
	}
	for i := range len(host) {
		c := host[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '-', c == '_', c == ':', c == '/':
		default:
			return false
		}
	}
	return true
}

// Origin returns the origin of the log with an id on host: what its checkpoints and its key are named.
func Origin(host string, id [10]byte) string {
	b := append(make([]byte, 0, len(host)+19), host...)
	b = append(b, "/o/"...)
	for i := 0; i < 10; i += 5 {
		v := uint64(id[i])<<32 | uint64(binary.BigEndian.Uint32(id[i+1:]))
		for shift := 35; shift >= 0; shift -= 5 {
			b = append(b, logIDAlphabet[v>>shift&0x1f])
		}
	}
	return string(b)
}

// Key is an Ed25519 key with the name under which it signs notes. It implements note.Signer of golang.org/x/mod, and never changes.
type Key struct {
	name       string
	generation int
	kind       Kind
	hash       uint32
	private    ed25519.PrivateKey
}

// NewKey derives the key of a name and a generation from the master key. Equal arguments give equal keys: no key is stored.
func NewKey(master []byte, kind Kind, name string, generation int) (*Key, error) {
	purpose := "checkpoint-key"
	if kind == Clock {
		purpose = "clock-key"
	}
	info := "daybook/" + purpose + "/v1\n" + name + "\n" + strconv.Itoa(generation) + "\n"
	seed, err := hkdf.Key(sha256.New, master, nil, info, ed25519.SeedSize)
	if err != nil {
		return nil, fmt.Errorf("derive the key of %s: %w", name, err)
	}
	k := &Key{name: name, generation: generation, kind: kind, private: ed25519.NewKeyFromSeed(seed)}
	sum := sha256.Sum256(append([]byte(name+"\n"), k.public()...))
	k.hash = binary.BigEndian.Uint32(sum[:])
	return k, nil
}

// public returns the type and the public key.
func (k *Key) public() []byte {
	return append([]byte{byte(k.kind)}, k.private[ed25519.SeedSize:]...)
}

// Vkey returns the text of the verifier key: what a reader pins.
func (k *Key) Vkey() string {
	return fmt.Sprintf("%s+%08x+%s", k.name, k.hash, base64.StdEncoding.EncodeToString(k.public()))
}

// Generation returns which of the keys of its name it is, from 1.
func (k *Key) Generation() int { return k.generation }

// Name returns the name of the key.
func (k *Key) Name() string { return k.name }

// KeyHash returns the first four bytes of the hash of name and key.
func (k *Key) KeyHash() uint32 { return k.hash }

// Sign returns the signature of the text of a note. It never fails.
func (k *Key) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(k.private, msg), nil }

// Signed reports whether a signature line of a checkpoint names k. It checks no signature.
func (k *Key) Signed(text []byte) bool {
	for line := range bytes.Lines(text) {
		rest, ok := strings.CutPrefix(strings.TrimSuffix(string(line), "\n"), "— ")
		name, encoded, named := strings.Cut(rest, " ")
		if !ok || !named || name != k.name {
			continue
		}
		if sig, err := base64.StdEncoding.DecodeString(encoded); err == nil && len(sig) >= 4 && binary.BigEndian.Uint32(sig) == k.hash {
			return true
		}
	}
	return false
}

// clockSigner signs the text of a note as seen at a time: cosignature/v1.
type clockSigner struct {
	*Key
	at int64 // seconds since 1970
}

// Sign returns the time and a signature of the time and msg. It never fails.
func (c clockSigner) Sign(msg []byte) ([]byte, error) {
	text := append([]byte("cosignature/v1\ntime "+strconv.FormatInt(c.at, 10)+"\n"), msg...)
	return append(binary.BigEndian.AppendUint64(nil, uint64(c.at)), ed25519.Sign(c.private, text)...), nil
}
