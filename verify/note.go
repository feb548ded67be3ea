package verify

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// The signature types of C2SP signed-note that are known here.
const (
	typeEd25519     = 0x01 // logs and anchor logs
	typeCosignature = 0x04 // cosignature/v1: clocks and witnesses, with a signed time
)

// Key is a public key, as its vkey spells it: name+hash+key. It is a [note.Verifier].
type Key struct {
	name   string
	hash   uint32
	kind   byte
	public ed25519.PublicKey
}

// ErrKeyType says that a vkey has a signature type that this version does not know.
var ErrKeyType = errors.New("the type of the key is not known")

// ParseKey reads a vkey of type Ed25519 or cosignature/v1. Only the canonical spelling is accepted: lower-case hash, padded base64.
func ParseKey(vkey string) (Key, error) {
	name, rest, _ := strings.Cut(vkey, "+")
	_, encoded, _ := strings.Cut(rest, "+")
	if name == "" || !utf8.ValidString(name) || strings.IndexFunc(name, unicode.IsSpace) >= 0 {
		return Key{}, errors.New("a vkey is name+hash+key")
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || len(raw) == 0 || strings.ContainsAny(encoded, "\r\n") {
		return Key{}, errors.New("the key of a vkey is base64")
	}
	if raw[0] != typeEd25519 && raw[0] != typeCosignature {
		return Key{}, fmt.Errorf("%w: %d", ErrKeyType, raw[0])
	}
	if len(raw) != 1+ed25519.PublicKeySize {
		return Key{}, errors.New("the key of a vkey has 32 bytes")
	}
	k := Key{name: name, kind: raw[0], public: raw[1:]}
	sum := sha256.Sum256(append([]byte(name+"\n"), raw...))
	k.hash = binary.BigEndian.Uint32(sum[:])
	if k.String() != vkey {
		return Key{}, errors.New("the hash of a vkey is not that of its name and key")
	}
	return k, nil
}

// String returns the vkey.
func (k Key) String() string {
	return fmt.Sprintf("%s+%08x+%s", k.name, k.hash, base64.StdEncoding.EncodeToString(append([]byte{k.kind}, k.public...)))
}

// Name returns the name of the signer: the origin of a log.
func (k Key) Name() string { return k.name }

// KeyHash returns the four bytes that stand before its signatures.
func (k Key) KeyHash() uint32 { return k.hash }

// Cosigner reports whether signatures by this key hold a time: it is a clock or a witness, not a log.
func (k Key) Cosigner() bool { return k.kind == typeCosignature }

// Equal reports whether both are the same key of the same name.
func (k Key) Equal(other Key) bool {
	return k.name == other.name && k.kind == other.kind && bytes.Equal(k.public, other.public)
}

// Verify reports whether sig is a signature of text by this key.
func (k Key) Verify(text, sig []byte) bool {
	if k.kind == typeEd25519 {
		return ed25519.Verify(k.public, text, sig)
	}
	if len(sig) != timeSize+ed25519.SignatureSize {
		return false
	}
	t := binary.BigEndian.Uint64(sig)
	if t > maxTime {
		return false
	}
	signed := fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", t, text)
	return ed25519.Verify(k.public, signed, sig[timeSize:])
}

const (
	timeSize = 8       // bytes of the time in a cosignature
	maxTime  = 1 << 42 // seconds: microseconds of it fit 63 bits
)

// Note is a checkpoint: a signed note that names a tree of one log. Nothing in it is proved before Signed returns without error.
type Note struct {
	Origin string
	Size   int64
	Root   tlog.Hash
	text   []byte // with its signatures
}

// The errors of notes.
var (
	ErrExtension    = errors.New("the checkpoint has extension lines")
	ErrUnsigned     = errors.New("there is no signature by this key")
	ErrBadSignature = errors.New("the signature by this key is wrong")
)

// ParseNote reads a checkpoint, a C2SP signed note of exactly three lines, without looking at its signatures. A checkpoint with more
// lines is refused with [ErrExtension], and so is one whose signatures are not canonical base64: a note has one spelling.
func ParseNote(text []byte) (*Note, error) {
	var unverified *note.UnverifiedNoteError
	_, err := note.Open(text, note.VerifierList())
	if !errors.As(err, &unverified) {
		return nil, fmt.Errorf("read a note: %w", err)
	}
	for _, sig := range unverified.Note.UnverifiedSigs { // note.Open takes any base64
		if _, err := base64.StdEncoding.Strict().DecodeString(sig.Base64); err != nil {
			return nil, fmt.Errorf("the signature of %s is not canonical base64", sig.Name)
		}
	}
	n, err := ParseCheckpoint(unverified.Note.Text)
	if err != nil {
		return nil, err
	}
	n.text = bytes.Clone(text)
	return n, nil
}

// ParseCheckpoint reads the three lines of a checkpoint without signatures, as a reader may have written them down.
func ParseCheckpoint(text string) (*Note, error) {
	lines := strings.SplitAfter(text, "\n")
	if len(lines) < 4 || lines[len(lines)-1] != "" {
		return nil, errors.New("a checkpoint has three lines: origin, size, root")
	}
	if len(lines) > 4 {
		return nil, ErrExtension
	}
	n := &Note{Origin: strings.TrimSuffix(lines[0], "\n")}
	if n.Origin == "" {
		return nil, errors.New("the origin of a checkpoint is empty")
	}
	var err error
	if n.Size, err = parseDecimal(strings.TrimSuffix(lines[1], "\n")); err != nil {
		return nil, fmt.Errorf("the size of a checkpoint: %w", err)
	}
	if n.Root, err = parseHash(strings.TrimSuffix(lines[2], "\n")); err != nil {
		return nil, fmt.Errorf("the root of a checkpoint: %w", err)
	}
	return n, nil
}

// Signed returns nil if k has signed the note, [ErrUnsigned] if there is no signature by it, and [ErrBadSignature] if there is a wrong
// one. The time is that of a cosignature, in UTC, and zero for other keys.
func (n *Note) Signed(k Key) (time.Time, error) {
	if n.text == nil {
		return time.Time{}, ErrUnsigned
	}
	opened, err := note.Open(n.text, note.VerifierList(k))
	var invalid *note.InvalidSignatureError
	switch {
	case errors.As(err, &invalid):
		return time.Time{}, ErrBadSignature
	case err != nil:
		return time.Time{}, ErrUnsigned
	}
	if !k.Cosigner() {
		return time.Time{}, nil
	}
	raw, err := base64.StdEncoding.DecodeString(opened.Sigs[0].Base64)
	if err != nil || len(raw) < hashSize+timeSize {
		return time.Time{}, ErrBadSignature
	}
	return time.Unix(int64(binary.BigEndian.Uint64(raw[hashSize:])), 0).UTC(), nil
}

const hashSize = 4 // bytes of a key's hash before a signature

// String returns the note with its signatures, or the three lines if it has none.
func (n *Note) String() string {
	if n.text != nil {
		return string(n.text)
	}
	return fmt.Sprintf("%s\n%d\n%s\n", n.Origin, n.Size, n.Root)
}

// maxInt bounds every integer of the format: all readers have the integers up to 2^53 exactly.
const maxInt = 1 << 53

// parseDecimal reads a plain decimal up to 2^53.
func parseDecimal(s string) (int64, error) {
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil || n > maxInt || len(s) > 1 && s[0] == '0' {
		return 0, errors.New("not a plain decimal up to 2^53")
	}
	return int64(n), nil
}

// parseHash reads 32 bytes of canonical base64.
func parseHash(s string) (tlog.Hash, error) {
	var h tlog.Hash
	if len(s) != base64.StdEncoding.EncodedLen(len(h)) || strings.ContainsAny(s, "\r\n") {
		return h, errors.New("not the base64 of 32 bytes")
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || len(raw) != len(h) {
		return h, errors.New("not the canonical base64 of 32 bytes")
	}
	copy(h[:], raw)
	return h, nil
}
