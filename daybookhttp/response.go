package daybookhttp

import (
	"bufio"
	"maps"
	"net"
	"net/http"
)

// response hands an answer on, and knows its status and the beginning of its body. While it holds, nothing of the answer is out.
type response struct {
	http.ResponseWriter
	body     body
	record   bool // the body, if it is of a kind that can be
	status   int  // 0: not known yet
	hijacked bool

	holds    bool
	held     []byte
	atStatus http.Header // the headers as they were when the handler gave the status, while it holds
	before   http.Header // the headers as they were before the handler
}

// wrapped returns w as it looks to the handler: an http.Flusher or http.Hijacker if w is one, and behind Unwrap whatever else it is.
func (w *response) wrapped() http.ResponseWriter {
	_, flushes := inChain[http.Flusher](w.ResponseWriter)
	_, hijacks := inChain[http.Hijacker](w.ResponseWriter)
	switch {
	case flushes && hijacks:
		return struct {
			*response
			flusher
			hijacker
		}{w, flusher{w}, hijacker{w}}
	case flushes:
		return struct {
			*response
			flusher
		}{w, flusher{w}}
	case hijacks:
		return struct {
			*response
			hijacker
		}{w, hijacker{w}}
	}
	return w
}

// inChain looks for an interface in w and in what it wraps.
func inChain[T any](w http.ResponseWriter) (T, bool) {
	for {
		if t, ok := w.(T); ok {
			return t, true
		}
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			var none T
			return none, false
		}
		w = u.Unwrap()
	}
}

// Unwrap is for http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader notes the status. Informational ones pass by.
func (w *response) WriteHeader(status int) {
	if status >= 100 && status < 200 && status != http.StatusSwitchingProtocols {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	if w.status == 0 {
		w.status = status
		if w.record {
			w.body.kind = kindOf(w.Header())
		}
		if w.holds {
			if status == http.StatusSwitchingProtocols {
				w.release()
				return
			}
			w.atStatus = maps.Clone(w.Header())
			return
		}
	} else if w.holds {
		return // as net/http does: the first one counts
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write keeps the beginning of the body.
func (w *response) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	w.body.add(p)
	if w.holds {
		if int64(len(w.held)+len(p)) <= w.body.most {
			if w.status == http.StatusNoContent || w.status == http.StatusNotModified {
				return 0, http.ErrBodyNotAllowed
			}
			w.held = append(w.held, p...)
			return len(p), nil
		}
		w.release()
	}
	return w.ResponseWriter.Write(p)
}

// release lets out what is held. From here on the answer cannot be replaced.
func (w *response) release() {
	if !w.holds {
		return
	}
	w.holds = false
	if w.atStatus != nil { // what the handler changed since then are trailers
		h := w.Header()
		now := maps.Clone(h)
		replace(h, w.atStatus)
		w.ResponseWriter.WriteHeader(w.status)
		replace(h, now)
	}
	if len(w.held) > 0 {
		_, _ = w.ResponseWriter.Write(w.held) // the handler has been told that it is written; a client that is gone does not read it
		w.held = nil
	}
}

// discard forgets what is held, so that another answer can be given. It reports whether it could.
func (w *response) discard() bool {
	if !w.holds || w.hijacked {
		return false
	}
	w.holds, w.held, w.status = false, nil, 0
	replace(w.Header(), w.before)
	return true
}

func replace(h, with http.Header) {
	clear(h)
	maps.Copy(h, with)
}

// FlushError is for http.ResponseController.
func (w *response) FlushError() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	w.release()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// flusher makes a response an http.Flusher.
type flusher struct{ w *response }

// Flush ends the holding: who flushes wants the client to see it now.
func (f flusher) Flush() { _ = f.w.FlushError() }

// hijacker makes a response an http.Hijacker.
type hijacker struct{ w *response }

// Hijack hands the connection over. Nothing that passes over it from now on is seen.
func (h hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	h.w.release()
	conn, rw, err := http.NewResponseController(h.w.ResponseWriter).Hijack()
	if err == nil {
		h.w.hijacked = true
	}
	return conn, rw, err
}
