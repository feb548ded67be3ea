package daybook

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// Types of signature in a signed note (C2SP signed-note).
const (
	typeEd25519     = 0x01
	typeCosignature = 0x04 // cosignature/v1: Ed25519 over a time and the note
)

// logIDAlphabet holds the digits of a log id in an origin, five bits each.
const logIDAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// masterKeySize is the length of a master key.
const masterKeySize = 32

// validHost reports whether host can begin an origin: what names of signed notes allow, and a little less.
func validHost(host string) bool {
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

// originOf returns the origin of the log with an id on host: what its checkpoints and its key are named.
func originOf(host string, id [10]byte) string {
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

// signingKey is an Ed25519 key with the name under which it signs notes. It implements note.Signer of golang.org/x/mod.
type signingKey struct {
	name       string
	generation int
	kind       byte
	hash       uint32
	private    ed25519.PrivateKey
}

// newSigningKey derives the key of a name and a generation from the master key. Equal arguments give equal keys: no key is stored.
func newSigningKey(master []byte, kind byte, name string, generation int) (*signingKey, error) {
	purpose := "checkpoint-key"
	if kind == typeCosignature {
		purpose = "clock-key"
	}
	info := "daybook/" + purpose + "/v1\n" + name + "\n" + strconv.Itoa(generation) + "\n"
	seed, err := hkdf.Key(sha256.New, master, nil, info, ed25519.SeedSize)
	if err != nil {
		return nil, fmt.Errorf("derive the key of %s: %w", name, err)
	}
	k := &signingKey{name: name, generation: generation, kind: kind, private: ed25519.NewKeyFromSeed(seed)}
	sum := sha256.Sum256(append([]byte(name+"\n"), k.public()...))
	k.hash = binary.BigEndian.Uint32(sum[:])
	return k, nil
}

// public returns the type and the public key.
func (k *signingKey) public() []byte {
	return append([]byte{k.kind}, k.private[ed25519.SeedSize:]...)
}

// vkey returns the text of the verifier key: what a reader pins.
func (k *signingKey) vkey() string {
	return fmt.Sprintf("%s+%08x+%s", k.name, k.hash, base64.StdEncoding.EncodeToString(k.public()))
}

// Name returns the name of the key.
func (k *signingKey) Name() string { return k.name }

// KeyHash returns the first four bytes of the hash of name and key.
func (k *signingKey) KeyHash() uint32 { return k.hash }

// Sign returns the signature of the text of a note. It never fails.
func (k *signingKey) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(k.private, msg), nil }

// clockSigner signs the text of a note as seen at a time: cosignature/v1.
type clockSigner struct {
	*signingKey
	at int64 // seconds since 1970
}

// Sign returns the time and a signature of the time and msg. It never fails.
func (c clockSigner) Sign(msg []byte) ([]byte, error) {
	text := append([]byte("cosignature/v1\ntime "+strconv.FormatInt(c.at, 10)+"\n"), msg...)
	return append(appendUint64(nil, uint64(c.at)), ed25519.Sign(c.private, text)...), nil
}

// ClockVkey returns the verifier key of the clock of an instance, which names its master key without telling it. Errors are those of
// [Open] about Options.Origin and Options.MasterKey.
func ClockVkey(origin string, master []byte) (string, error) {
	if err := checkKeys(origin, master); err != nil {
		return "", err
	}
	k, err := newSigningKey(master, typeCosignature, origin+"/clock", 1)
	if err != nil {
		return "", err
	}
	return k.vkey(), nil
}

// checkKeys refuses what no key can be derived from.
func checkKeys(origin string, master []byte) error {
	switch {
	case !validHost(origin):
		return &Error{Code: CodeInvalid, Rule: "origin", Message: "an origin is a host name, perhaps with a path: letters, digits and . - _ : /"}
	case len(master) != masterKeySize:
		return &Error{Code: CodeInvalid, Rule: "master_key", Message: fmt.Sprintf("a master key has %d bytes, not %d", masterKeySize, len(master))}
	}
	return nil
}
