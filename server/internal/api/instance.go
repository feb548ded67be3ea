package api

import (
	"context"
	"net/http"
	"time"

	"github.com/daybook-audit/daybook"
)

type health struct {
	Status string `json:"status" example:"ok"`
}

func getHealth(c *call) error {
	c.send(http.StatusOK, jsonType, marshal(health{"ok"}))
	return nil
}

// getReady says yes when a request could be served now: the store answers, and the server is not stopping.
func getReady(c *call) error {
	select {
	case <-c.s.closing:
		return errNotReady("the server is stopping.")
	case <-c.s.Book.Broken():
		return errNotReady("the store has failed to sync and must be reopened.")
	default:
	}
	ctx, cancel := context.WithTimeout(c.r.Context(), readyIn)
	defer cancel()
	if _, err := c.s.Docs.List(ctx, "instance", "", "", 1); err != nil {
		c.err = err
		return errNotReady("the store does not answer.")
	}
	c.send(http.StatusOK, jsonType, marshal(health{"ready"}))
	return nil
}

// readyIn is how long the store may take to answer. Whoever asks whether a node is ready sends its requests elsewhere until it is.
const readyIn = 2 * time.Second

func errNotReady(detail string) error {
	return &requestError{status: http.StatusServiceUnavailable, code: "not_ready", detail: detail}
}

// getBackup streams a consistent copy of the store. Once the first byte is out, the only way to say that the rest is missing is to
// cut the connection: the announced chunks then end without their last.
func getBackup(c *call) error {
	if c.s.Backup == nil {
		hint := c.s.BackupHint
		if hint == "" {
			hint = "this store is backed up with its own tools."
		}
		return &requestError{status: http.StatusNotImplemented, code: "not_supported", detail: hint}
	}
	if c.r.Method != http.MethodHead {
		if err := c.did("", c.act("daybook.backup.created", daybook.Target{Type: "instance", ID: "instance"}, nil)); err != nil {
			return err
		}
	}
	c.Header()["Content-Type"] = []string{"application/octet-stream"}
	c.Header().Set("Content-Disposition", `attachment; filename="daybook.db"`)
	to := &deadlineWriter{c: c, control: http.NewResponseController(c.w)}
	_ = to.control.SetReadDeadline(time.Time{}) // a writer without deadlines needs none lifted
	if c.r.Method == http.MethodHead {
		return nil
	}
	err := c.s.Backup(c.r.Context(), to)
	if err == nil {
		return nil
	}
	if c.status == 0 {
		c.Header().Del("Content-Disposition")
		return err
	}
	c.err = err
	panic(http.ErrAbortHandler)
}

// deadlineWriter gives every write its own deadline, so that a long answer may take long as long as the client reads.
type deadlineWriter struct {
	c       *call
	control *http.ResponseController
}

const writeTimeout = 30 * time.Second

// Write is part of io.Writer.
func (d *deadlineWriter) Write(p []byte) (int, error) {
	_ = d.control.SetWriteDeadline(time.Now().Add(writeTimeout)) //nolint:forbidigo // a deadline of the kernel's clock; a writer without deadlines needs none
	return d.c.Write(p)
}

func getMetrics(c *call) error {
	if c.s.Metrics == nil {
		return errNotFound
	}
	c.s.Metrics.serve(c)
	return nil
}
