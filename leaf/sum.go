package leaf

import (
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"hash"
	"slices"
)

// A hasher computes SHA-256 of many short messages, one after the other. An event is some thirty of them, most of one block, and around
// one block crypto/sha256 spends as much again on copying its state, padding the copy and writing it out. A message that brings its own
// padding needs none of that: after its last block the state is the digest, and a hash tells its state when it is marshaled. Where the
// form of that is not the known one, Sum256 is asked.
type hasher struct {
	h     hash.Hash
	state encoding.BinaryAppender // nil: not the known form
	out   []byte                  // the marshaled state
}

// The marshaled state of crypto/sha256 begins with a magic and the eight words of the state, big-endian as in a digest.
const (
	stateMagic = "sha\x03"
	digestAt   = len(stateMagic)
)

func (s *hasher) begin() {
	s.h = sha256.New()
	s.state, _ = s.h.(encoding.BinaryAppender)
	s.check()
}

// check gives up the short way unless a message hashes to what it must.
func (s *hasher) check() {
	message := []byte(stateMagic)
	want := sha256.Sum256(message)
	if s.state == nil || !s.run(padded(message)) || string(s.out[:digestAt]) != stateMagic || [32]byte(s.out[digestAt:]) != want {
		s.state = nil
	}
}

// run hashes a padded message and marshals the state into out; false: that is too short to be one.
func (s *hasher) run(message []byte) bool {
	s.h.Reset()
	s.h.Write(message)
	var err error
	s.out, err = s.state.AppendBinary(s.out[:0])
	return err == nil && len(s.out) >= digestAt+sha256.Size
}

// sum returns the SHA-256 of what padded has padded.
func (s *hasher) sum(message []byte) [32]byte {
	if s.h == nil {
		s.begin()
	}
	if s.state != nil && s.run(message) {
		return [32]byte(s.out[digestAt:])
	}
	bits := binary.BigEndian.Uint64(message[len(message)-8:])
	return sha256.Sum256(message[:bits/8])
}

// padded returns message with the padding of SHA-256: a bit, zeros, and the number of bits before, to the end of a block (FIPS 180-4,
// section 5.1.1).
func padded(message []byte) []byte {
	n := len(message)
	end := (n + 1 + 8 + sha256.BlockSize - 1) / sha256.BlockSize * sha256.BlockSize
	message = slices.Grow(message, end-n)[:end]
	clear(message[n:])
	message[n] = 0x80
	binary.BigEndian.PutUint64(message[end-8:], uint64(n)*8)
	return message
}
