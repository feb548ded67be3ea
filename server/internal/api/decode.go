package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/leaf"
)

// decode reads a small JSON object into a struct: as strictly as an event is read, unknown members refused, those named required
// present.
func (c *call) decode(into any, required ...string) error {
	if _, err := contentForm(c.r, false); err != nil {
		return err
	}
	body, err := c.readBody()
	if err != nil {
		return err
	}
	doc := leaf.Get()
	defer leaf.Put(doc)
	if err := doc.Read(body); err != nil {
		return strictError(err)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return invalid("syntax", "", "the body is not a JSON object.")
	}
	for name := range members {
		if !slices.Contains(memberNames(into), name) { // encoding/json would also take Name for name
			return invalid("unknown_member", "/"+cut(name), "there is no member %q: there are %s.", cut(name), strings.Join(memberNames(into), ", "))
		}
	}
	for _, name := range required {
		if _, ok := members[name]; !ok {
			return invalid("required", "/"+name, "%s is required.", name)
		}
	}
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(into); err != nil {
		return typeError(err)
	}
	return nil
}

func memberNames(of any) []string { return membersOf(reflect.TypeOf(of).Elem()) }

func membersOf(t reflect.Type) []string {
	names := make([]string, 0, t.NumField())
	for field := range t.Fields() {
		if field.Anonymous {
			names = append(names, membersOf(field.Type)...)
			continue
		}
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

func strictError(err error) error {
	var e *leaf.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("read the body: %w", err)
	}
	code := daybook.CodeInvalid
	if e.Code == "too_large" {
		code = daybook.CodeTooLarge
	}
	return &daybook.Error{Code: code, Rule: e.Code, Field: e.Pointer, Message: e.Message}
}

func typeError(err error) error {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return invalid("invalid_type", "/"+strings.ReplaceAll(wrong.Field, ".", "/"), "%s is %s, and must be %s.", wrong.Field, wrong.Value, wrong.Type)
	}
	if _, ok := errors.AsType[*time.ParseError](err); ok {
		return invalid("invalid_format", "/expires_at", "a time is written as in RFC 3339: 2026-11-21T14:22:07Z.")
	}
	return invalid("invalid_type", "", "the body does not have the form of this request.")
}
