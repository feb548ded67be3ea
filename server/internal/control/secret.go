package control

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
)

// A key is "dbk_", 52 characters (32 random bytes), and 7 characters: the CRC-32 (IEEE) of those 52, so that a mistyped key is known
// without a look-up. The alphabet is that of a TypeID.
const (
	secretPrefix = "dbk_"
	secretBody   = 52
	secretLen    = len(secretPrefix) + secretBody + 7
	alphabet     = "0123456789abcdefghjkmnpqrstvwxyz"
)

// SecretHash is the SHA-256 of a key's whole text: all that is kept of it.
type SecretHash [sha256.Size]byte

// String returns the hash in hex: the id of the key's document.
func (h SecretHash) String() string { return hex.EncodeToString(h[:]) }

// HashSecret returns the hash of a key's text; ok is false when the text does not have the form of a key.
func HashSecret(text string) (h SecretHash, ok bool) {
	if len(text) != secretLen || text[:len(secretPrefix)] != secretPrefix {
		return h, false
	}
	var b [secretLen]byte // on the stack: no copy of a key outlives the call
	copy(b[:], text)
	body, sum := b[len(secretPrefix):len(secretPrefix)+secretBody], b[len(secretPrefix)+secretBody:]
	for i, c := range body {
		if v := letter[c]; v < 0 || i == 0 && v > 1 { // 52 characters hold 260 bits: the first four are 0
			return h, false
		}
	}
	var want [7]byte
	checksum(&want, body)
	if [7]byte(sum) != want {
		return h, false
	}
	return sha256.Sum256(b[:]), true
}

// newSecret returns the text of a new key.
func newSecret() string {
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the process instead
	var text [secretLen]byte
	copy(text[:], secretPrefix)
	body := text[len(secretPrefix) : len(secretPrefix)+secretBody]
	encode(body, random[:])
	var sum [7]byte
	checksum(&sum, body)
	copy(text[len(secretPrefix)+secretBody:], sum[:])
	return string(text[:])
}

func checksum(to *[7]byte, body []byte) {
	var sum [4]byte
	binary.BigEndian.PutUint32(sum[:], crc32.ChecksumIEEE(body))
	encode(to[:], sum[:])
}

// encode writes src as a big-endian number in base 32, filling dst from the right, zeros in front.
func encode(dst, src []byte) {
	var bits, have uint
	from := len(src)
	for i := len(dst) - 1; i >= 0; i-- {
		if have < 5 && from > 0 {
			from--
			bits |= uint(src[from]) << have
			have += 8
		}
		dst[i] = alphabet[bits&31]
		bits >>= 5
		have -= min(have, 5)
	}
}

// letter is the value of a character of the alphabet, -1 for any other.
var letter = func() (t [256]int8) {
	for i := range t {
		t[i] = -1
	}
	for i := range len(alphabet) {
		t[alphabet[i]] = int8(i)
	}
	return t
}()

func parseHash(text string) (SecretHash, error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != sha256.Size {
		return SecretHash{}, fmt.Errorf("%d characters are not the hash of a key", len(text))
	}
	return SecretHash(b), nil
}
