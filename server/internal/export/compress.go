package export

import (
	"bytes"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/daybook-audit/daybook"
)

// compressed returns f with each piece compressed for itself: members of gzip and frames of zstd that follow one another are one file
// to every reader (RFC 1952 section 2.2, RFC 8878 section 3).
func compressed(f format, how string) (format, error) {
	switch how {
	case Gzip:
		return compressing{f, gzipped}, nil
	case Zstd:
		return compressing{f, zstdded}, nil
	}
	return f, nil
}

type compressing struct {
	format
	compress func(plain []byte) ([]byte, error)
}

func (c compressing) begin() ([]byte, error) {
	plain, err := c.format.begin()
	if err != nil {
		return nil, err
	}
	return c.compress(plain) // an empty file is an empty member, not nothing
}

func (c compressing) piece(ps []*daybook.Passage) (piece, error) {
	p, err := c.format.piece(ps)
	if err != nil || len(p.bytes) == 0 {
		return p, err
	}
	plain := p.bytes
	p.bytes, err = c.compress(plain)
	giveBytes(plain)
	return p, err
}

func (c compressing) end(notes [][]byte, size int64) ([]byte, error) {
	plain, err := c.format.end(notes, size)
	if err != nil || len(plain) == 0 {
		return plain, err
	}
	return c.compress(plain)
}

// compressing makes larger pieces: a dictionary that starts anew costs.
func (c compressing) wants() int { return max(c.format.wants(), 2048) }

var gzips = sync.Pool{New: func() any {
	z, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant
	}
	return z
}}

func gzipped(plain []byte) ([]byte, error) {
	z, ok := gzips.Get().(*gzip.Writer)
	if !ok {
		z = gzip.NewWriter(nil)
	}
	defer gzips.Put(z)
	out := bytes.NewBuffer(takeBytes(len(plain) / 6))
	z.Reset(out)
	if _, err := z.Write(plain); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

var zstdEncoder = newEncoder(zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithLowerEncoderMem(true))

// newEncoder returns an encoder that serves every goroutine: its EncodeAll may be called at once.
func newEncoder(options ...zstd.EOption) *zstd.Encoder {
	z, err := zstd.NewWriter(nil, options...)
	if err != nil {
		panic(err) // the options are constants
	}
	z.EncodeAll([]byte{0}, nil) // makes its channels now: a test in a synctest bubble would tie them to it
	return z
}

func zstdded(plain []byte) ([]byte, error) {
	return zstdEncoder.EncodeAll(plain, takeBytes(len(plain)/6)), nil
}
