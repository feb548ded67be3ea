// Package witness takes checkpoints of an instance's anchor log to places that the instance cannot change afterwards: C2SP witnesses,
// which cosign only what extends what they have seen; timestamp authorities (RFC 3161); folders; and whoever takes an HTTP POST. Each is a
// [daybook.Witness].
package witness

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/verify"
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = 1 << 20

// Cosigner is a C2SP witness (tlog-witness, add-checkpoint). It is not safe for concurrent use, as [daybook.Witness] allows.
type Cosigner struct {
	url  string
	key  verify.Key
	http *http.Client
	size int64 // that it has, as far as known
}

var _ daybook.Witness = (*Cosigner)(nil)

// NewCosigner returns the witness at url, the part before /add-checkpoint, whose cosignatures are by vkey (cosignature/v1). client makes
// the requests.
func NewCosigner(client *http.Client, url, vkey string) (*Cosigner, error) {
	k, err := verify.ParseKey(vkey)
	if err != nil {
		return nil, fmt.Errorf("the key of the witness: %w", err)
	}
	if !k.Cosigner() {
		return nil, errors.New("the key of the witness is not one for cosignature/v1")
	}
	return &Cosigner{url: strings.TrimSuffix(url, "/"), key: k, http: client}, nil
}

// Name returns the name in the witness's key.
func (w *Cosigner) Name() string { return w.key.Name() }

// Tell submits c and returns the cosignature, which it has verified. A witness that refuses the consistency proof, or that has seen a
// larger log, is an *daybook.Error of CodeTampered: somebody has shown it another log under our name.
func (w *Cosigner) Tell(ctx context.Context, c *daybook.AnchorCheckpoint) ([]byte, error) {
	for range 2 { // the second time from the size that it said
		status, answer, err := w.submit(ctx, c)
		if err != nil {
			return nil, err
		}
		switch status {
		case http.StatusOK:
			return w.cosigned(c, answer)
		case http.StatusConflict:
			size, err := strconv.ParseInt(strings.TrimSpace(string(answer)), 10, 64)
			if err != nil || size < 0 {
				return nil, fmt.Errorf("the witness names no size but %.100q", answer)
			}
			if size > c.Size {
				return nil, tampered("witness %s has seen size %d of %s, and the log ends at %d", w.Name(), size, c.Origin, c.Size)
			}
			w.size = size
		case http.StatusUnprocessableEntity:
			return nil, tampered("witness %s does not accept that size %d of %s extends size %d", w.Name(), c.Size, c.Origin, w.size)
		default:
			return nil, fmt.Errorf("the witness answered %d: %.200q", status, answer)
		}
	}
	return nil, errors.New("the witness changes its mind about the size that it has")
}

func tampered(format string, args ...any) error {
	return &daybook.Error{Code: daybook.CodeTampered, Rule: "fork", Message: fmt.Sprintf(format, args...)}
}

// submit sends one add-checkpoint request: the size that the witness has, the proof from it, an empty line, and the note.
func (w *Cosigner) submit(ctx context.Context, c *daybook.AnchorCheckpoint) (status int, answer []byte, err error) {
	body := fmt.Appendf(nil, "old %d\n", w.size)
	if w.size > 0 && w.size < c.Size {
		proof, err := c.Consistency(ctx, w.size)
		if err != nil {
			return 0, nil, fmt.Errorf("prove size %d to the witness: %w", w.size, err)
		}
		for _, h := range proof {
			body = append(base64.StdEncoding.AppendEncode(body, h[:]), '\n')
		}
	}
	body = append(append(body, '\n'), c.Note...)
	return send(ctx, w.http, w.url+"/add-checkpoint", "text/plain; charset=utf-8", body)
}

// cosigned returns the line of the witness's key, if its signature holds.
func (w *Cosigner) cosigned(c *daybook.AnchorCheckpoint, answer []byte) ([]byte, error) {
	for line := range bytes.Lines(answer) {
		if !bytes.HasPrefix(line, []byte("— "+w.Name()+" ")) || !bytes.HasSuffix(line, []byte("\n")) {
			continue
		}
		n, err := verify.ParseNote(append(bytes.Clone(c.Note), line...))
		if err != nil {
			return nil, fmt.Errorf("read the cosignature: %w", err)
		}
		if _, err := n.Signed(w.key); err != nil {
			if errors.Is(err, verify.ErrUnsigned) {
				continue // by another key of this name
			}
			return nil, fmt.Errorf("the cosignature of %s: %w", w.Name(), err)
		}
		w.size = c.Size
		return line, nil
	}
	return nil, fmt.Errorf("the witness answered without a cosignature by %s", w.key)
}

// send posts body and returns the status and the answer.
func send(ctx context.Context, client *http.Client, url, contentType string, body []byte) (status int, answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, fmt.Errorf("post a checkpoint: %w", err)
	}
	req.Header.Set("Content-Type", contentType)
	res, err := client.Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("post a checkpoint: %w", err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	answer, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return 0, nil, fmt.Errorf("read the answer: %w", err)
	}
	return res.StatusCode, answer, nil
}
