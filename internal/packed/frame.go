package packed

import (
	"fmt"
	"hash/crc32"
	"slices"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"

	"github.com/daybook-audit/daybook/internal/stored"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encoder and decoder serve every goroutine: making one costs far more than packing a block. They are made at once and not on first
// use, since they hold channels: a program that tests with synctest would tie them to the bubble of its first test.
var (
	encoder = newEncoder()
	decoder = newDecoder()
)

func newEncoder() *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2), zstd.WithEncoderCRC(false),
		zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic(err) // the options are constants
	}
	e.EncodeAll([]byte{0}, nil) // makes the channels
	return e
}

// newDecoder returns a decoder that never writes more than the capacity of the destination: a frame that unpacks to more than its row
// says is refused, whatever it says itself.
func newDecoder() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxMemory(1<<30), zstd.WithDecoderConcurrency(0))
	if err != nil {
		panic(err) // the options are constants
	}
	return d
}

// Codec says how a frame is compressed. It stands in stored bytes; 2 is kept for a layout by columns.
type Codec byte

// The codecs.
const (
	Zstd Codec = 1 // for what stays
	S2   Codec = 3 // for what is soon rewritten: a third of the time for half as much more space (BenchmarkDeflate)
)

// known reports whether c is one of the codecs.
func (c Codec) known() bool { return c == Zstd || c == S2 }

// deflate adds the frame of plain to dst.
func deflate(dst, plain []byte, codec Codec) []byte {
	if codec == Zstd {
		return encoder.EncodeAll(plain, dst)
	}
	at := len(dst)
	dst = slices.Grow(dst, s2.MaxEncodedLen(len(plain)))
	return dst[:at+len(s2.Encode(dst[at:cap(dst)], plain))]
}

// inflate returns the plain bytes of a frame, exactly size of them. They stand in into if it has room; else it allocates size bytes: the
// caller bounds it.
func inflate(codec Codec, frame []byte, size int, into []byte) (plain []byte, err error) {
	if cap(into) < size {
		into = make([]byte, 0, size)
	}
	into = into[:0:size] // never more than the row says
	switch codec {
	case Zstd:
		plain, err = decoder.DecodeAll(frame, into)
	case S2:
		if n, lenErr := s2.DecodedLen(frame); lenErr != nil || n != size {
			return nil, stored.Damaged("a frame that does not hold %d bytes", size)
		}
		plain, err = s2.Decode(into[:size], frame)
	default:
		return nil, fmt.Errorf("codec %d: %w", codec, stored.ErrNewer)
	}
	if err != nil {
		return nil, &stored.DamageError{Text: "a compressed frame cannot be read", Err: err}
	}
	if len(plain) != size {
		return nil, stored.Damaged("a frame of %d bytes instead of %d", len(plain), size)
	}
	return plain, nil
}
