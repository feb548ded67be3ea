package witness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/durable"
)

// Folder keeps every checkpoint as a file of its own in a folder, durable when it is told: on a disk of another machine, or one that can
// only be appended to.
type Folder struct{ dir string }

var _ daybook.Witness = Folder{}

// NewFolder returns the folder dir, which must be there when it is told something.
func NewFolder(dir string) Folder { return Folder{dir} }

// Name returns the name of the folder.
func (f Folder) Name() string { return "folder " + f.dir }

// Tell writes <origin>-<size>.note, with - for every / of the origin. A file of that name with another checkpoint stays as it is, and is an
// *daybook.Error of CodeTampered.
func (f Folder) Tell(_ context.Context, c *daybook.AnchorCheckpoint) ([]byte, error) {
	name := f.file(c, "note")
	old, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, durable.WriteFile(name, c.Note, 0o644)
	case err != nil:
		return nil, err
	case !bytes.Equal(text(old), text(c.Note)):
		return nil, tampered("%s holds another checkpoint of size %d", name, c.Size)
	}
	return nil, nil
}

// text returns what a note says, without who signed it.
func text(note []byte) []byte {
	said, _, _ := bytes.Cut(note, []byte("\n\n"))
	return said
}

func (f Folder) file(c *daybook.AnchorCheckpoint, kind string) string {
	return filepath.Join(f.dir, fmt.Sprintf("%s-%d.%s", strings.ReplaceAll(c.Origin, "/", "-"), c.Size, kind))
}

// Mailbox is whoever takes the note of a checkpoint by HTTP POST (text/plain) and answers with a status of 2xx.
type Mailbox struct {
	url  string
	http *http.Client
}

var _ daybook.Witness = (*Mailbox)(nil)

// NewMailbox returns the one at url. client makes the requests.
func NewMailbox(client *http.Client, url string) *Mailbox { return &Mailbox{url, client} }

// Name returns the host.
func (m *Mailbox) Name() string { return "post " + host(m.url) }

// host returns the host of an address: the rest may hold a secret.
func host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "unknown"
	}
	return u.Host
}

// Tell posts the note.
func (m *Mailbox) Tell(ctx context.Context, c *daybook.AnchorCheckpoint) ([]byte, error) {
	status, answer, err := send(ctx, m.http, m.url, "text/plain; charset=utf-8", c.Note)
	if err == nil && (status < 200 || status > 299) {
		err = fmt.Errorf("%s answered %d: %.200q", host(m.url), status, answer)
	}
	return nil, err
}
