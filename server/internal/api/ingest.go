package api

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/selfaudit"
)

// createEvents is POST /v1/events. What it refuses leaves a count in the log: a producer that is wrong would else be missing in silence.
func createEvents(c *call) error {
	err := recordEvents(c)
	if err != nil {
		c.notTaken(err)
	}
	return err
}

// recordEvents is the path that every event takes. It decodes nothing: the body is cut into one slice an event, and the Book reads each
// of them once.
func recordEvents(c *call) error {
	kind, err := contentForm(c.r, true)
	if err != nil {
		return err
	}
	request := daybook.Request{}
	if request.Partial, err = c.flag(paramPartial); err != nil {
		return err
	}
	if request.Key, err = c.idempotencyKey(); err != nil {
		return err
	}
	body, err := c.readBody()
	if err != nil {
		return err
	}
	single := false
	switch {
	case kind == formNDJSON:
		c.events, err = splitLines(body, c.events[:0], c.s.limits.Events)
	case isArray(body):
		c.events, err = splitArray(body, c.events[:0], c.s.limits.Events)
		if err == nil && request.Partial && !json.Valid(body) {
			err = invalid("syntax", "", "the array is not valid JSON.")
		}
	default:
		single = true
		c.events = append(c.events[:0], body)
	}
	if err != nil {
		return err
	}
	if len(c.events) == 0 {
		return invalid("empty_batch", "", "there is no event in the body.")
	}
	if err := c.checkSizes(single); err != nil {
		return err
	}
	request.Events = c.events
	result, err := c.s.Book.RecordJSON(c.r.Context(), c.org, request)
	if err != nil {
		return unwrapSingle(err, single)
	}
	if single {
		if len(result.Errors) > 0 {
			return result.Errors[0].Err
		}
		return c.sendReceipt(&result.Receipts[0])
	}
	if len(result.Errors) > 0 {
		c.notTaken(&daybook.BatchError{Errors: result.Errors})
	}
	return c.sendReceipts(result, request.Partial)
}

// notTaken notes why events were not taken, if that is for the producer to mend.
func (c *call) notTaken(err error) {
	type reason struct {
		conflict bool
		rule     string
	}
	counts := map[reason]int64{}
	count := func(err error) {
		var coded *daybook.Error
		if !errors.As(err, &coded) {
			return
		}
		switch coded.Code {
		case daybook.CodeInvalid, daybook.CodeTooLarge, daybook.CodeConflict:
			rule := coded.Rule
			if rule == "" {
				rule = string(coded.Code)
			}
			counts[reason{coded.Code == daybook.CodeConflict, rule}]++
		default:
		}
	}
	if batch, ok := errors.AsType[*daybook.BatchError](err); ok {
		for i := range batch.Errors {
			count(batch.Errors[i].Err)
		}
	} else {
		count(err)
	}
	for r, n := range counts {
		c.s.Audit.Refused(selfaudit.Refusal{Org: c.org, By: actorOf(c.principal), Context: c.origin(), Conflict: r.conflict, Rule: r.rule, Events: n})
	}
}

// unwrapSingle takes the refusal of one event out of its batch: a request with one object has no indexes.
func unwrapSingle(err error, single bool) error {
	var batch *daybook.BatchError
	if single && errors.As(err, &batch) {
		return batch.Errors[0].Err
	}
	return err
}

// checkSizes refuses events above a limit that the operator has set below the Book's own.
func (c *call) checkSizes(single bool) error {
	limit := c.s.limits.Event
	for i, e := range c.events {
		if len(e) > limit {
			err := &daybook.Error{Code: daybook.CodeTooLarge, Message: fmt.Sprintf("an event may have %d bytes, this one has %d.", limit, len(e))}
			if single {
				return err
			}
			return &daybook.BatchError{Errors: []daybook.EventError{{Index: i, Err: err}}}
		}
	}
	return nil
}

// idempotencyKey reads the header: 1 to 255 bytes, or none at all.
func (c *call) idempotencyKey() (string, error) {
	values := c.r.Header["Idempotency-Key"]
	if len(values) == 0 {
		return "", nil
	}
	if len(values) > 1 || values[0] == "" || len(values[0]) > 255 {
		return "", invalid("invalid_value", "Idempotency-Key", "an idempotency key has 1 to 255 bytes and is given once.")
	}
	return values[0], nil
}

func (c *call) sendReceipt(r *daybook.Receipt) error {
	var stamp stamper
	c.out = appendReceipt(c.out[:0], r, &stamp)
	status := http.StatusCreated
	if r.Duplicate {
		status = http.StatusOK
	}
	c.send(status, jsonType, c.out)
	return nil
}

func (c *call) sendReceipts(result daybook.Result, partial bool) error {
	var stamp stamper
	status := http.StatusOK
	out := append(c.out[:0], `{"receipts":[`...)
	for i := range result.Receipts {
		r := &result.Receipts[i]
		if i > 0 {
			out = append(out, ',')
		}
		if r.ID.IsZero() {
			out = append(out, "null"...)
			continue
		}
		out = appendReceipt(out, r, &stamp)
		if !r.Duplicate && !partial {
			status = http.StatusCreated
		}
	}
	out = append(out, ']')
	if partial {
		out = append(out, `,"errors":`...)
		out = append(out, marshal(eventProblems(result.Errors))...)
	}
	c.out = append(out, '}')
	c.send(status, jsonType, c.out)
	return nil
}

// appendReceipt writes a receipt by hand: on this path reflection would cost more than everything around it.
func appendReceipt(dst []byte, r *daybook.Receipt, stamp *stamper) []byte {
	dst = append(dst, `{"id":"`...)
	dst = r.ID.Append(dst)
	dst = append(dst, `","seq":`...)
	dst = strconv.AppendInt(dst, r.Seq, 10)
	dst = append(dst, `,"leaf_hash":"`...)
	dst = base64.StdEncoding.AppendEncode(dst, r.LeafHash[:])
	dst = append(dst, `","received_at":"`...)
	dst = stamp.append(dst, r.ReceivedAt.UnixMicro())
	if r.Duplicate {
		return append(dst, `","duplicate":true}`...)
	}
	return append(dst, `","duplicate":false}`...)
}

// stamper writes times in µs; neighbours share the text of their second.
type stamper struct {
	second int64
	text   []byte // of second, up to the dot
	space  [24]byte
}

func (s *stamper) append(dst []byte, micros int64) []byte {
	const million = 1_000_000
	second, rest := micros/million, micros%million
	if rest < 0 {
		second, rest = second-1, rest+million
	}
	if s.text == nil || second != s.second {
		full := daybook.AppendTime(s.space[:0], second*million) // 2026-11-21T14:22:07.000000Z
		s.second, s.text = second, full[:len(full)-len("000000Z")]
	}
	dst = append(dst, s.text...)
	var digits [7]byte
	digits[6] = 'Z'
	for i := 5; i >= 0; i-- {
		digits[i] = byte('0' + rest%10)
		rest /= 10
	}
	return append(dst, digits[:]...)
}

func isArray(body []byte) bool {
	body = bytes.TrimLeft(body, " \t\r\n")
	return len(body) > 0 && body[0] == '['
}

func errTooMany(limit int) error {
	return &daybook.Error{Code: daybook.CodeTooLarge, Message: fmt.Sprintf("a request may have %d events.", limit)}
}

// splitLines appends one slice a line to events; blank lines are skipped.
func splitLines(body []byte, events [][]byte, limit int) ([][]byte, error) {
	for len(body) > 0 {
		line := body
		if end := bytes.IndexByte(body, '\n'); end >= 0 {
			line, body = body[:end], body[end+1:]
		} else {
			body = nil
		}
		line = bytes.Trim(line, " \t\r")
		if len(line) == 0 {
			continue
		}
		if len(events) == limit {
			return events, errTooMany(limit)
		}
		events = append(events, line)
	}
	return events, nil
}

// splitArray appends one slice an element to events. It reads only as much JSON as finding their ends takes: what is wrong inside an
// element is found where the element is read.
func splitArray(body []byte, events [][]byte, limit int) ([][]byte, error) {
	i := skipSpace(body, 0) + 1 // after the bracket
	i = skipSpace(body, i)
	if i < len(body) && body[i] == ']' {
		return events, onlySpace(body, i+1)
	}
	for {
		end := valueEnd(body, i)
		if end <= i {
			return events, invalid("syntax", "", "the array is broken at byte %d.", i)
		}
		if len(events) == limit {
			return events, errTooMany(limit)
		}
		events = append(events, body[i:end])
		i = skipSpace(body, end)
		switch {
		case i >= len(body):
			return events, invalid("syntax", "", "the array is not closed.")
		case body[i] == ',':
			i = skipSpace(body, i+1)
		case body[i] == ']':
			return events, onlySpace(body, i+1)
		default:
			return events, invalid("syntax", "", "the array is broken at byte %d.", i)
		}
	}
}

func onlySpace(body []byte, i int) error {
	if i = skipSpace(body, i); i < len(body) {
		return invalid("trailing_data", "", "something follows the array at byte %d.", i)
	}
	return nil
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// valueEnd returns the index after the value that begins at i; i or less when there is none.
func valueEnd(b []byte, i int) int {
	depth := 0
	for at := i; at < len(b); at++ {
		switch b[at] {
		case '"':
			if at = stringEnd(b, at); at < 0 {
				return -1
			}
			if depth == 0 {
				return at + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return at // the end of a bare word
			}
			if depth--; depth == 0 {
				return at + 1
			}
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return at
			}
		}
	}
	return -1
}

// stringEnd returns the index of the quote that closes the string opened at i, or -1.
func stringEnd(b []byte, i int) int {
	for at := i + 1; at < len(b); {
		end := bytes.IndexByte(b[at:], '"')
		if end < 0 {
			return -1
		}
		end += at
		slashes := 0
		for end-1-slashes > i && b[end-1-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return end
		}
		at = end + 1
	}
	return -1
}
