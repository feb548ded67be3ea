// Package typeid writes and reads Daybook's public ids: a prefix, "_", and 128 bits as 26 characters, such as
// evt_01h455vb4pex5vsknk084sn02q. The text of one id is unique: Parse accepts exactly what Append writes.
package typeid

import (
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// alphabet holds the 32 digits in order of their value: 0–9 and a–z without i, l, o, u (Crockford's base 32, lower case).
const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// size is the number of digits: 128 bits after two zero bits, five bits each.
const size = 26

const invalid = 0xff

// values maps a byte to the value of that digit, or to invalid.
var values = func() (t [256]byte) {
	for i := range t {
		t[i] = invalid
	}
	for i := range len(alphabet) {
		t[alphabet[i]] = byte(i)
	}
	return t
}()

// Append adds the text of id to dst: prefix, "_" and 26 characters.
func Append(dst []byte, prefix string, id [16]byte) []byte {
	dst = append(dst, prefix...)
	dst = append(dst, '_')
	// The first digit holds the two zero bits and the top three bits, every later one the next five.
	dst = append(dst, alphabet[id[0]>>5])
	acc, bits := uint(id[0]&0x1f), 5
	for _, b := range id[1:] {
		dst = append(dst, alphabet[acc>>(bits-5)&0x1f])
		acc, bits = acc<<8|uint(b), bits+8-5
		if bits >= 10 {
			dst = append(dst, alphabet[acc>>(bits-5)&0x1f])
			bits -= 5
		}
	}
	return append(dst, alphabet[acc&0x1f])
}

// Parse reads the text of an id with the given prefix. It refuses other prefixes, lengths, upper case, characters outside the
// alphabet and numbers beyond 128 bits. The error is safe to show.
func Parse(prefix, s string) ([16]byte, error) {
	var id [16]byte
	digits, ok := strings.CutPrefix(s, prefix)
	if !ok || len(digits) == 0 || digits[0] != '_' {
		return id, fmt.Errorf("an id here starts with %q", prefix+"_")
	}
	digits = digits[1:]
	if len(digits) != size {
		return id, fmt.Errorf("an id has %d characters after %q, not %d", size, prefix+"_", len(digits))
	}
	if digits[0] > '7' {
		return [16]byte{}, errors.New("the first character of an id after its prefix is 0 to 7")
	}
	acc, bits, n := uint(0), -2, 0 // the two zero bits carry nothing
	for i := range size {
		v := values[digits[i]]
		if v == invalid {
			return [16]byte{}, fmt.Errorf("character %d of the id after its prefix is not one of %s", i+1, alphabet)
		}
		acc, bits = acc<<5|uint(v), bits+5
		if bits >= 8 {
			bits -= 8
			id[n] = byte(acc >> bits)
			n++
		}
	}
	return id, nil
}

// New returns the text of a new id with the given prefix: a UUIDv7, so ids made by one process ascend.
func New(prefix string) string {
	return string(Append(make([]byte, 0, len(prefix)+1+size), prefix, uuid.Must(uuid.NewV7())))
}
