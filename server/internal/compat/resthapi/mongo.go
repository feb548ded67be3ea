package resthapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// EventOf returns the event of one document of the collection auditLog, as a line of mongoexport in either mode or as rest-hapi's API
// shows it, ready for POST /v1/events. Its _id becomes the event's id and is shown again as it was, so that the same line twice is one
// event; its date is kept; secrets are masked as at the door. Members that are no field of the collection, such as __v, are left out.
// The error says what is wrong with the line, in the words of the door.
func EventOf(line []byte) ([]byte, error) {
	if !bytes.Contains(line, []byte(`"$`)) { // nothing in it is extended: the order of members stays
		return eventOf(line)
	}
	var doc any
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	if err := d.Decode(&doc); err != nil {
		return nil, fmt.Errorf("read the document: %w", err)
	}
	text, err := json.Marshal(relaxed(doc))
	if err != nil {
		return nil, fmt.Errorf("write the document: %w", err)
	}
	return eventOf(text)
}

func eventOf(text []byte) ([]byte, error) {
	if text = bytes.TrimSpace(text); len(text) == 0 || text[0] != '{' {
		return nil, errors.New("it is no JSON object")
	}
	in, f := decodeDocument(text, "", false)
	if f != nil {
		return nil, f
	}
	event, f := eventJSON(&in)
	if f != nil {
		return nil, f
	}
	return event, nil
}

// relaxed replaces what MongoDB's extended JSON writes for a type that JSON has not: $oid, $date and the numbers.
func relaxed(v any) any {
	switch x := v.(type) {
	case []any:
		for i := range x {
			x[i] = relaxed(x[i])
		}
	case map[string]any:
		if len(x) == 1 {
			for name, inner := range x {
				if value, ok := extended(name, inner); ok {
					return value
				}
			}
		}
		for name, inner := range x {
			x[name] = relaxed(inner)
		}
	}
	return v
}

// extended reads the one member of an object as extended JSON; false: it is an object like any other.
func extended(name string, v any) (any, bool) {
	text, isText := v.(string)
	switch name {
	case "$oid":
		return text, isText
	case "$numberInt", "$numberLong", "$numberDouble", "$numberDecimal":
		if !json.Valid([]byte(text)) { // NaN and infinities are no JSON
			return text, isText
		}
		_, err := strconv.ParseFloat(text, 64)
		return json.Number(text), isText && err == nil
	case "$date":
		if inner, ok := v.(map[string]any); ok {
			v = relaxed(inner)
		}
		switch v.(type) {
		case string, json.Number:
			return v, true
		}
	}
	return nil, false
}
