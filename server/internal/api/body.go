package api

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// bodyBuffer holds the body of one request. Small ones live in the pooled call; a large one is borrowed from its own pool, so that a
// few large requests do not make every call large.
type bodyBuffer struct {
	small []byte
	large *[]byte

	room *room // of all bodies; what is held of it is given back by release
	held int64
}

const smallBody = 32 << 10

const largeBody = 8 * smallBody

// largeBodies has buffers of largeBody, twice that, and so on. Each is borrowed by who needs that much and given back to its own pool, so
// that nobody takes room for more than has arrived, and bodies that grow leave nothing to collect.
var largeBodies [6]sync.Pool

// bodyClass returns the place of the pool for buffers of so many bytes, −1: there is none.
func bodyClass(size int) int {
	for i := range largeBodies {
		if size == largeBody<<i {
			return i
		}
	}
	return -1
}

func borrowBody(size int) *[]byte {
	if i := bodyClass(size); i >= 0 {
		if p, ok := largeBodies[i].Get().(*[]byte); ok {
			return p
		}
	}
	b := make([]byte, 0, size)
	return &b
}

// giveBack ends the use of the large buffer, if there is one.
func (b *bodyBuffer) giveBack() {
	if b.large == nil {
		return
	}
	if i := bodyClass(cap(*b.large)); i >= 0 {
		*b.large = (*b.large)[:0]
		largeBodies[i].Put(b.large)
	}
	b.large = nil
}

func (b *bodyBuffer) release() {
	b.giveBack()
	if b.held > 0 {
		b.room.give(b.held)
		b.held = 0
	}
}

// hold takes room for a buffer of so many bytes, or refuses.
func (b *bodyBuffer) hold(size int) error {
	if more := int64(size) - b.held; more > 0 {
		if !b.room.take(more) {
			return errBusy
		}
		b.held += more
	}
	return nil
}

// fill reads r to its end, at most limit bytes, into the buffer. What is kept for a request grows with what has arrived, never with
// what was announced: a slow client holds little.
func (b *bodyBuffer) fill(r io.Reader, limit int64) ([]byte, error) {
	buf := b.small[:0]
	if cap(buf) == 0 {
		buf = make([]byte, 0, 4<<10)
	}
	if err := b.hold(cap(buf)); err != nil {
		return nil, err
	}
	for {
		if len(buf) == cap(buf) {
			buf = b.grow(buf, limit)
			if err := b.hold(cap(buf)); err != nil {
				return nil, err
			}
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		b.store(buf)
		if int64(len(buf)) > limit {
			return nil, errTooLarge(limit)
		}
		if errors.Is(err, io.EOF) {
			return buf, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// grow returns buf, which is full, with room for more, but never for more than limit and a byte of a body beyond largeBody.
func (b *bodyBuffer) grow(buf []byte, limit int64) []byte {
	if b.large == nil && cap(buf) < smallBody {
		b.small = append(make([]byte, 0, min(2*int64(cap(buf)), limit+1)), buf...)
		return b.small
	}
	size := largeBody
	if b.large != nil {
		size = int(min(2*int64(cap(buf)), limit+1))
	}
	next := borrowBody(size)
	*next = append((*next)[:0], buf...)
	b.giveBack()
	b.large = next
	return *next
}

// store keeps the buffer that buf has grown into.
func (b *bodyBuffer) store(buf []byte) {
	if b.large != nil {
		*b.large = buf
	} else {
		b.small = buf
	}
}

func errTooLarge(limit int64) error {
	return &requestError{status: http.StatusRequestEntityTooLarge, code: "too_large", detail: fmt.Sprintf("the body is larger than %d bytes.", limit)}
}

// bodyLimits are the largest body over the wire and after decompression: those of the server, or more when the route of a door says so.
func (c *call) bodyLimits() (wire, whole int64) {
	limits := &c.s.limits
	return max(limits.Body, c.route.body), max(limits.Decompressed, c.route.body)
}

// readBody reads the whole body, decompressed, within both limits.
func (c *call) readBody() ([]byte, error) {
	r := c.r
	wire, whole := c.bodyLimits()
	if r.ContentLength > wire {
		return nil, c.hangUp(errTooLarge(wire))
	}
	if c.s.atWork.full() {
		return nil, c.busy()
	}
	c.body.room = &c.s.bodies
	var body []byte
	var err error
	switch encoding := header(r, "Content-Encoding"); encoding {
	case "", "identity":
		body, err = c.body.fill(r.Body, min(wire, whole))
	case "gzip", "x-gzip":
		body, err = c.gunzip()
	case "zstd":
		body, err = c.unzstd()
	default:
		return nil, &requestError{
			status: http.StatusUnsupportedMediaType, code: "unsupported_media_type", field: "Content-Encoding",
			detail: fmt.Sprintf("Content-Encoding %q is not supported: use gzip, zstd or none.", cut(encoding)),
		}
	}
	if errors.Is(err, errBusy) {
		return nil, c.busy()
	}
	if err != nil {
		return nil, c.hangUp(bodyError(err))
	}
	if !c.working {
		if !c.s.atWork.enter() {
			return nil, c.busy()
		}
		c.working = true
	}
	return body, nil
}

// hangUp closes the connection after the answer: what is left of the body is not worth reading.
func (c *call) hangUp(err error) error {
	c.Header().Set("Connection", "close")
	return err
}

func bodyError(err error) error {
	var request *requestError
	switch {
	case errors.As(err, &request):
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &requestError{status: http.StatusRequestTimeout, code: "request_timeout", detail: "the body did not arrive in time."}
	case errors.Is(err, errEncoding):
		return invalid("invalid_format", "Content-Encoding", "the body is not what its Content-Encoding says.")
	}
	return &requestError{status: http.StatusBadRequest, code: "incomplete_body", detail: "the body ended before its announced length."}
}

// errEncoding says that the compressed bytes are broken.
var errEncoding = errors.New("broken compression")

var (
	gunzippers = sync.Pool{New: func() any { return new(gzip.Reader) }}
	unzstds    = sync.Pool{New: func() any {
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(8<<20))
		if err != nil {
			panic(err) // the options are constant
		}
		return d
	}}
)

func (c *call) gunzip() ([]byte, error) {
	z, ok := gunzippers.Get().(*gzip.Reader)
	if !ok {
		z = new(gzip.Reader)
	}
	defer gunzippers.Put(z)
	limit, whole := c.bodyLimits()
	wire := &wireReader{r: c.r.Body, left: limit, limit: limit}
	if err := z.Reset(wire); err != nil {
		return nil, wire.blame(err)
	}
	body, err := c.body.fill(z, whole)
	return body, wire.blame(err)
}

func (c *call) unzstd() ([]byte, error) {
	z, ok := unzstds.Get().(*zstd.Decoder)
	if !ok {
		return nil, errEncoding
	}
	defer unzstds.Put(z)
	limit, whole := c.bodyLimits()
	wire := &wireReader{r: c.r.Body, left: limit, limit: limit}
	if err := z.Reset(wire); err != nil {
		return nil, wire.blame(err)
	}
	defer func() { _ = z.Reset(nil) }() // lets go of the body
	body, err := c.body.fill(z, whole)
	return body, wire.blame(err)
}

// wireReader bounds the compressed bytes and remembers how reading them failed, so that a broken connection is not taken for broken
// compression.
type wireReader struct {
	r           io.Reader
	left, limit int64
	err         error
}

// Read is part of io.Reader.
func (w *wireReader) Read(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.r.Read(p)
	w.left -= int64(n)
	switch {
	case w.left < 0:
		w.err = errTooLarge(w.limit)
		return 0, w.err
	case err != nil && !errors.Is(err, io.EOF):
		w.err = err
	}
	return n, err
}

func (w *wireReader) blame(err error) error {
	var request *requestError
	switch {
	case err == nil:
		return nil
	case w.err != nil:
		return w.err
	case errors.As(err, &request):
		return err
	}
	return fmt.Errorf("%w: %w", errEncoding, err)
}

// form is what a body holds.
type form int

const (
	formJSON form = iota
	formNDJSON
)

// contentForm reads Content-Type. A missing one is JSON. The refusal names the header to send: curl -d sends another by itself.
func contentForm(r *http.Request, ndjson bool) (form, error) {
	text := header(r, "Content-Type")
	kind := text
	if text != "" && text != "application/json" && text != "application/x-ndjson" {
		var params map[string]string
		var err error
		kind, params, err = mime.ParseMediaType(text)
		if charset := params["charset"]; err != nil || charset != "" && !strings.EqualFold(charset, "utf-8") {
			kind = "unreadable"
		}
	}
	or := ""
	switch {
	case kind == "" || kind == "application/json":
		return formJSON, nil
	case kind == "application/x-ndjson" && ndjson:
		return formNDJSON, nil
	case ndjson:
		or = ", or application/x-ndjson with one event a line"
	}
	return formJSON, &requestError{
		status: http.StatusUnsupportedMediaType, code: "unsupported_media_type", field: "Content-Type",
		detail: fmt.Sprintf("Content-Type %q is not supported: send the header Content-Type: application/json%s.", cut(text), or),
	}
}

// header returns the first value of a header, whose name must be canonical.
func header(r *http.Request, name string) string {
	if v := r.Header[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// cut shortens a caller's text for a message.
func cut(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
