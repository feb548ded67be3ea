package export

import (
	"encoding/hex"
	"errors"
	"mime"
	"net/http"
	"time"

	"github.com/daybook-audit/daybook/server/internal/control"
)

// Serve answers with the file of an export that is ready, or with a part of it, as Range asks. Nothing is written when it returns an
// error: not_found when there is no file any more, ErrRange when no byte of it is asked for.
func (r *Runner) Serve(w http.ResponseWriter, req *http.Request, x *control.Export) error {
	f, name, media, err := r.Download(x)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // opened for reading
	h := w.Header()
	h.Set("Content-Type", media)
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	h.Set("ETag", `"`+hex.EncodeToString(x.SHA256)+`"`)
	p := &patient{ResponseWriter: w, control: http.NewResponseController(w)}
	http.ServeContent(p, req, "", time.UnixMicro(x.FinishedAt), f)
	if p.refused {
		h.Set("Cache-Control", "no-store") // refusing has taken it out
		h.Del("Content-Disposition")
		return ErrRange
	}
	return nil
}

// ErrRange says that Range lies beyond the end; the header Content-Range says where that is.
var ErrRange = errors.New("the range begins beyond the end of the file")

// patient gives every write its own deadline, so that a large file may take long as long as the client reads.
type patient struct {
	http.ResponseWriter
	control *http.ResponseController
	refused bool // the text of the refusal is not for the client: who serves says it in its own words
}

const writeTimeout = 30 * time.Second

// WriteHeader is part of http.ResponseWriter.
func (p *patient) WriteHeader(status int) {
	if p.refused = status == http.StatusRequestedRangeNotSatisfiable; !p.refused {
		p.ResponseWriter.WriteHeader(status)
	}
}

// Write is part of io.Writer.
func (p *patient) Write(b []byte) (int, error) {
	if p.refused {
		return len(b), nil
	}
	_ = p.control.SetWriteDeadline(time.Now().Add(writeTimeout)) //nolint:forbidigo // a deadline of the kernel's clock; a writer without deadlines needs none
	return p.ResponseWriter.Write(b)
}
