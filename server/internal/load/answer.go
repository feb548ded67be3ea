package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"strconv"
	"strings"
)

// answer is an HTTP answer: of a body that is no 2xx the beginning.
type answer struct {
	status int
	body   string
	retry  bool // it says when to come again
	last   bool // the server closes the connection after it
}

// String is its status, and the beginning of what it says.
func (a *answer) String() string { return strconv.Itoa(a.status) + " " + a.body }

// readAnswer reads one HTTP answer to its end, and keeps a 2xx body when keep.
func readAnswer(in *bufio.Reader, keep bool) (a answer, err error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return a, err
	}
	if len(line) < 12 {
		return a, errors.New("no HTTP answer")
	}
	if a.status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return a, fmt.Errorf("status line %q", line)
	}
	length, chunked := int64(0), false
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return a, err
		}
		if len(line) <= 2 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64); err != nil {
				return a, fmt.Errorf("content length %q", value)
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = bytes.Contains(value, []byte("chunked"))
		case bytes.EqualFold(name, []byte("Retry-After")):
			a.retry = true
		case bytes.EqualFold(name, []byte("Connection")):
			a.last = bytes.Contains(value, []byte("close"))
		}
	}
	b := bodyReader{in: in}
	switch {
	case a.status/100 != 2:
		b.room = 300
	case keep:
		b.room = 64 << 20
	}
	if chunked {
		err = b.chunks()
	} else {
		err = b.read(length)
	}
	a.body = b.kept.String()
	return a, err
}

// bodyReader reads a body and keeps as much of its beginning as there is room for.
type bodyReader struct {
	in   *bufio.Reader
	room int64
	kept strings.Builder
}

func (b *bodyReader) read(n int64) error {
	if head := min(n, b.room); head > 0 {
		if _, err := io.CopyN(&b.kept, b.in, head); err != nil {
			return err
		}
		n, b.room = n-head, b.room-head
	}
	_, err := b.in.Discard(int(n))
	return err
}

func (b *bodyReader) chunks() error {
	for {
		line, err := textproto.NewReader(b.in).ReadLine()
		if err != nil {
			return err
		}
		n, err := strconv.ParseInt(strings.TrimSpace(line), 16, 64)
		if err != nil {
			return fmt.Errorf("chunk size %q", line)
		}
		if n == 0 {
			_, err := b.in.Discard(2)
			return err
		}
		if err := b.read(n); err != nil {
			return err
		}
		if _, err := b.in.Discard(2); err != nil {
			return err
		}
	}
}
