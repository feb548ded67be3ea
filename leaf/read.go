package leaf

import (
	"bytes"
)

// Read reads text as the payload of one event and keeps its fields, in document order. It accepts exactly one JSON object of RFC
// 8259 within the limits of this package, and refuses what two readers could understand differently: equal names in one object,
// bytes that are not UTF-8, lone surrogates, U+0000. The error is an [*Error]. After an error d has no fields.
func (d *Doc) Read(text []byte) error {
	d.begin(text)
	if len(text) > MaxPayload {
		return &Error{Code: TooLarge, Offset: MaxPayload, Message: "the JSON text has more than 256 KiB"}
	}
	start := space(text)
	if start == len(text) || text[start] != '{' {
		return d.notObject(start)
	}
	if d.judging = quiet(text); d.judging {
		end, err := d.fill(start)
		if err == nil && end+space(text[end:]) == len(text) {
			return nil
		}
		d.begin(text)
	}
	return d.readSlowly(start)
}

// readSlowly reads what walk alone did not accept: the tokenizer judges the whole text, then walk finds the fields in what it has
// accepted.
func (d *Doc) readSlowly(start int) error {
	d.in = *bytes.NewBuffer(d.text)
	d.dec.Reset(&d.in)
	if _, err := d.dec.ReadValue(); err != nil {
		return d.syntax(err)
	}
	end := int(d.dec.InputOffset())
	if i := end + space(d.text[end:]); i < len(d.text) {
		return &Error{Code: TrailingData, Offset: i, Message: "something follows the JSON object"}
	}
	_, err := d.fill(start)
	return err
}

// ReadTrusted reads a text that Read has accepted before, such as the body of a stored entry, and keeps the same fields at three
// quarters of the cost: it does not look again for equal names or bad UTF-8. A text that was never accepted gives some fields or an
// *Error, never a panic; nothing may be proved or recorded from them.
func (d *Doc) ReadTrusted(text []byte) error {
	d.begin(text)
	if len(text) > MaxPayload {
		return &Error{Code: TooLarge, Offset: MaxPayload, Message: "the JSON text has more than 256 KiB"}
	}
	start := space(text)
	if start == len(text) || text[start] != '{' {
		return d.damaged(start)
	}
	_, err := d.fill(start)
	return err
}

func (d *Doc) begin(text []byte) {
	d.text, d.fields, d.arena, d.paths, d.judging = text, d.fields[:0], d.arena[:0], 0, false
	d.largest = max(d.largest, len(text))
}

// fill walks from the top-level object at start and returns where it ends; after an error it leaves no fields.
func (d *Doc) fill(start int) (int, error) {
	d.escapes = bytes.IndexByte(d.text, '\\') >= 0
	end, err := d.walk(start)
	if err != nil {
		d.fields = d.fields[:0]
		return 0, err
	}
	return end, nil
}

// space returns the length of the white space at the start of b.
func space(b []byte) int {
	for i, c := range b {
		if c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return i
		}
	}
	return len(b)
}
