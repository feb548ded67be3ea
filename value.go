package daybook

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/daybook-audit/daybook/internal/difference"
)

// Value is one side of a [Change]: JSON, absent, masked or hashed. The zero Value is absent.
//
// On the wire an absent value is a missing member, a masked one {"$masked":true} and a hashed one {"$hash":"…"}; a real object
// whose first name begins with "$" is wrapped as {"$json":…}, so that no recorded object can pass for a mark.
type Value struct{ wire json.RawMessage }

const maskedWire = difference.Masked

// JSON returns a Value that holds raw, which must be one valid JSON value: what is not is refused when the event is recorded.
// Without any JSON text it is absent; the text null is a value.
func JSON(raw json.RawMessage) Value { return Value{wire: difference.Side(raw)} }

// Masked returns a Value that says only that there is one.
func Masked() Value { return Value{wire: json.RawMessage(maskedWire)} }

// Hashed returns a Value that shows tag instead of what it stands for: equal tags, equal values.
func Hashed(tag string) Value { return Value{wire: difference.Hashed(tag)} }

// Present reports whether v holds anything, masked or not.
func (v Value) Present() bool { return len(v.wire) > 0 }

// IsZero reports whether v is absent.
func (v Value) IsZero() bool { return len(v.wire) == 0 }

// Masked reports whether v says only that there is a value.
func (v Value) Masked() bool { return v.mark("$masked") != nil }

// Hash returns the tag of a hashed value, else "".
func (v Value) Hash() string {
	var tag string
	if raw := v.mark("$hash"); raw == nil || json.Unmarshal(raw, &tag) != nil {
		return ""
	}
	return tag
}

// Raw returns the JSON that v holds; nil when it is absent, masked or hashed.
func (v Value) Raw() json.RawMessage {
	if raw := v.mark("$json"); raw != nil {
		return raw
	}
	if len(v.wire) == 0 || v.Masked() || v.mark("$hash") != nil {
		return nil
	}
	return v.wire
}

// MarshalJSON returns the wire form; an absent value is null.
func (v Value) MarshalJSON() ([]byte, error) {
	if len(v.wire) == 0 {
		return []byte("null"), nil
	}
	return v.wire, nil
}

// UnmarshalJSON takes the wire form as it is.
func (v *Value) UnmarshalJSON(b []byte) error {
	if v == nil {
		return errors.New("daybook: UnmarshalJSON on a nil *Value")
	}
	v.wire = bytes.Clone(b)
	return nil
}

// Equal reports whether v and w have the same wire form, byte for byte.
func (v Value) Equal(w Value) bool { return bytes.Equal(v.wire, w.wire) }

// mark returns what stands under name when v is an object of that one member, else nil.
func (v Value) mark(name string) json.RawMessage { return difference.Mark(v.wire, name) }
