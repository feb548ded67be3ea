package api

import (
	"cmp"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/selfaudit"
)

// getBundle streams an evidence bundle as it is made, so that who watches a log needs no export for it. It is whole if its footer is
// there: once the first byte is out, the only way to say that the rest is missing is to cut the connection.
func getBundle(c *call) error {
	q := daybook.BundleQuery{Org: c.org, Text: c.param(paramQ), Mask: cutList(c.param(paramMask))}
	var err error
	if q.Zone, err = c.zone(); err != nil {
		return err
	}
	return c.sendBundle(q, 0)
}

// evidenceHeld is how many bytes of evidence wait for the rest: what is damaged within them is a problem that says so, and no connection
// that breaks off, which a page could not tell from a bad line.
const evidenceHeld = 1 << 20

// patientWriter holds what is written until there is more than it may hold.
type patientWriter struct {
	to   io.Writer
	room int
	held []byte
}

// Write is part of io.Writer.
func (w *patientWriter) Write(p []byte) (int, error) {
	if len(p) <= w.room {
		w.room -= len(p)
		w.held = append(w.held, p...)
		return len(p), nil
	}
	if err := w.flush(); err != nil {
		return 0, err
	}
	return w.to.Write(p)
}

// flush writes what is held; from here on nothing is.
func (w *patientWriter) flush() error {
	held := w.held
	w.room, w.held = 0, nil
	if len(held) == 0 {
		return nil
	}
	_, err := w.to.Write(held)
	return err
}

// maxEvidence is how many entries one answer of evidence proves: what a page shows, and what is checked while somebody waits.
const maxEvidence = 1000

// getEvidence is a bundle of few entries for who may read them, so that a page can check what it shows.
func getEvidence(c *call) error {
	from, err := c.size(paramEvidenceFrom)
	if err != nil {
		return err
	}
	to, err := c.size(paramEvidenceTo)
	if err != nil {
		return err
	}
	if to <= from || to-from > maxEvidence {
		return invalid("empty_range", paramEvidenceTo.name, "Evidence is of 1 to %d entries, from %d not to %d.", maxEvidence, from, to)
	}
	// What a viewer may not see is in it as a hash: an entry that the token leaves out, a field that it withholds, and every hold.
	return c.sendBundle(daybook.BundleQuery{Org: c.org, Within: c.within(nil), Mask: c.hidden(), WithoutHolds: c.viewer() != nil}, evidenceHeld)
}

// sendBundle answers with the bundle of q and of the parameters that all bundles have; what is held fits into so many bytes.
func (c *call) sendBundle(q daybook.BundleQuery, held int) error {
	for _, text := range cutList(c.param(paramSince)) {
		size, ok := plainDecimal(text)
		if !ok {
			return invalid("invalid_value", paramSince.name, "%q is not the size of a checkpoint.", text)
		}
		q.Since = append(q.Since, size)
	}
	var err error
	for _, p := range []struct {
		param param
		to    *int64
	}{{paramBundleFrom, &q.First}, {paramBundleTo, &q.End}} {
		if !c.given(p.param) {
			continue
		}
		if *p.to, err = c.whole(p.param); err != nil {
			return err
		}
	}
	l, err := c.log()
	if err != nil {
		return err
	}
	if q.Size, err = c.treeSize(l, paramSize); err != nil {
		return err
	}
	if q.Size == 0 {
		return invalid("empty_range", paramSize.name, "the log has no entry yet.")
	}
	c.Header()["Content-Type"] = bundleType
	to := &deadlineWriter{c: c, control: http.NewResponseController(c.w)}
	_ = to.control.SetReadDeadline(time.Time{}) // a writer without deadlines needs none lifted
	if c.r.Method == http.MethodHead {
		return nil
	}
	end := cmp.Or(q.End, q.Size)
	c.seen.Shown = selfaudit.Shown{Rows: max(0, end-q.First), First: q.First, Last: end - 1}
	c.looked(daybook.Success) // as it begins: who breaks it off has had the rest
	patient := &patientWriter{to: to, room: held}
	if _, err = l.WriteBundle(c.r.Context(), patient, q); err == nil {
		err = patient.flush()
	}
	if err == nil {
		return nil
	}
	if c.status == 0 {
		return err
	}
	c.err = err
	panic(http.ErrAbortHandler)
}

// cutList cuts a parameter at its commas; an empty one has nothing.
func cutList(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}
