package difference

import (
	"encoding"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxNesting is how deep Go values are followed; a path of an event has at most 32 components
// (docs/reference/integrity.md, section 2.1), and a cycle of pointers has no end.
const maxNesting = 32

var (
	timeType   = reflect.TypeFor[time.Time]()
	rawType    = reflect.TypeFor[json.RawMessage]()
	numberType = reflect.TypeFor[json.Number]()
	jsonType   = reflect.TypeFor[json.Marshaler]()
	textType   = reflect.TypeFor[encoding.TextMarshaler]()
)

// builder turns Go values into nodes.
type builder struct {
	err   error // the first wrong tag
	depth int
	kept  bool // without fields that encoding/json leaves out by their tag
}

// Of returns what a pointer to a Go value points to, nil for a nil pointer. It never fails for a value, since what cannot be encoded has a
// place too: the error names a struct tag that means nothing. With kept, fields that encoding/json leaves out by their tag are left out.
func Of(v reflect.Value, kept bool) (*Tree, error) {
	if v.IsNil() {
		return nil, nil //nolint:nilnil // a nil Tree is an absent value
	}
	b := builder{kept: kept}
	n := b.node(v.Elem())
	return n, b.err
}

// node returns the node of v; it never fails, for what cannot be encoded has a node too.
func (b *builder) node(v reflect.Value) *Tree {
	if b.depth++; b.depth > maxNesting {
		b.depth--
		return &Tree{kind: 'u', text: "too deep"}
	}
	defer func() { b.depth-- }()
	if !v.IsValid() {
		return &Tree{kind: 'z'}
	}
	if n := special(v); n != nil {
		return n
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return &Tree{kind: 'z'}
		}
		return b.node(v.Elem())
	case reflect.Struct:
		return b.object(v)
	case reflect.Map:
		return b.mapping(v)
	case reflect.Slice, reflect.Array:
		return b.list(v)
	default:
		return scalar(v)
	}
}

// scalar returns the node of a value that is made of no others.
func scalar(v reflect.Value) *Tree {
	switch v.Kind() {
	case reflect.Bool:
		if v.Bool() {
			return &Tree{kind: 't'}
		}
		return &Tree{kind: 'f'}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return &Tree{kind: 'n', text: strconv.FormatInt(v.Int(), 10)}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return &Tree{kind: 'n', text: strconv.FormatUint(v.Uint(), 10)}
	case reflect.Float32, reflect.Float64:
		f, bits := v.Float(), v.Type().Bits()
		text := strconv.FormatFloat(f, 'g', -1, bits)
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return &Tree{kind: 'u', text: text}
		}
		return &Tree{kind: 'n', text: text}
	case reflect.String:
		return &Tree{kind: 's', text: v.String()}
	case reflect.Complex64, reflect.Complex128:
		return &Tree{kind: 'u', text: strconv.FormatComplex(v.Complex(), 'g', -1, 128)}
	default:
		return &Tree{kind: 'u', text: v.Kind().String()} // functions, channels
	}
}

// special returns the node of a value whose type says itself what it is, else nil.
func special(v reflect.Value) *Tree {
	t := v.Type()
	if !v.CanInterface() {
		return nil // an embedded struct of an unexported type: its fields are seen, its methods are not
	}
	switch t {
	case timeType:
		at, ok := reflect.TypeAssert[time.Time](v)
		if !ok {
			return nil
		}
		return &Tree{kind: 's', text: at.UTC().Truncate(time.Microsecond).Format("2006-01-02T15:04:05.999999Z")}
	case rawType:
		return rawNode(v.Bytes())
	case numberType:
		n := rawNode(json.RawMessage(v.String()))
		if n.kind != 'n' {
			return &Tree{kind: 'u', text: v.String()}
		}
		return n
	}
	if t.Kind() == reflect.Pointer || t.Kind() == reflect.Interface || !opaque(t) {
		return nil
	}
	p := reflect.New(t) // methods of the pointer are methods of the value here
	p.Elem().Set(v)
	return marshaled(p.Interface())
}

// opaque reports whether values of t are what their MarshalJSON or MarshalText writes. A struct is not when its fields carry tags
// of ours, or when the method is that of an embedded field and knows nothing of the others.
func opaque(t reflect.Type) bool {
	if !marshals(t) {
		return false
	}
	if t.Kind() != reflect.Struct {
		return true
	}
	if shape := shapeOf(t); shape.tagged {
		return false
	}
	for f := range t.Fields() {
		if !f.Anonymous || t.NumField() == 1 {
			continue
		}
		if f.Type.Implements(jsonType) || f.Type.Implements(textType) || marshals(f.Type) {
			return false
		}
	}
	return true
}

// marshaled returns the node of what the methods of v write.
func marshaled(v any) (n *Tree) {
	defer func() {
		if recover() != nil { // a method that cannot bear its value, such as one with a nil in it
			n = &Tree{kind: 'u', text: "panic"}
		}
	}()
	if m, ok := v.(json.Marshaler); ok {
		text, err := m.MarshalJSON()
		if err != nil {
			return &Tree{kind: 'u', text: err.Error()}
		}
		return rawNode(text)
	}
	if m, ok := v.(encoding.TextMarshaler); ok {
		text, err := m.MarshalText()
		if err != nil {
			return &Tree{kind: 'u', text: err.Error()}
		}
		return &Tree{kind: 's', text: string(text)}
	}
	return nil
}

// object returns the node of a struct.
func (b *builder) object(v reflect.Value) *Tree {
	shape := shapeOf(v.Type())
	if shape.err != nil && b.err == nil {
		b.err = shape.err
	}
	n := &Tree{kind: 'o'}
	for _, f := range shape.fields {
		field, err := v.FieldByIndexErr(f.index)
		if err != nil || b.kept && f.unkept {
			continue // below an embedded pointer that is nil: the members are absent
		}
		kid := b.node(field)
		kid.treat |= f.treat
		if f.key {
			n.key += string(kid.append(nil, true)) + ","
		}
		n.names, n.kids = append(n.names, f.name), append(n.kids, kid)
	}
	n.seal()
	return n
}

// mapping returns the node of a map; two keys with the same text make it one that cannot be encoded.
func (b *builder) mapping(v reflect.Value) *Tree {
	n := &Tree{kind: 'o'}
	for it := v.MapRange(); it.Next(); {
		name, ok := mapKey(it.Key())
		if !ok {
			return &Tree{kind: 'u', text: "map"}
		}
		n.names, n.kids = append(n.names, name), append(n.kids, b.node(it.Value()))
	}
	if !n.seal() {
		return &Tree{kind: 'u', text: "map"}
	}
	return n
}

// mapKey returns the name of a key.
func mapKey(key reflect.Value) (name string, ok bool) {
	if key.Kind() != reflect.String && key.Type().Implements(textType) {
		n := marshaledText(key)
		return n.text, n.kind == 's'
	}
	n := scalar(key)
	return n.text, n.kind == 's' || n.kind == 'n'
}

// marshaledText returns the node of what MarshalText of v writes.
func marshaledText(v reflect.Value) *Tree {
	m, ok := reflect.TypeAssert[encoding.TextMarshaler](v)
	if !ok {
		return &Tree{kind: 'u'}
	}
	return marshaled(textOnly{m})
}

// textOnly hides every method but MarshalText.
type textOnly struct{ m encoding.TextMarshaler }

// MarshalText returns the text of m.
func (t textOnly) MarshalText() ([]byte, error) { return t.m.MarshalText() }

// list returns the node of a slice or array; bytes are base64, as in encoding/json.
func (b *builder) list(v reflect.Value) *Tree {
	if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
		return &Tree{kind: 's', text: base64.StdEncoding.EncodeToString(v.Bytes())}
	}
	n := &Tree{kind: 'a', byKey: true}
	keys := make(map[string]bool)
	for i := range v.Len() {
		kid := b.node(v.Index(i))
		if kid.key == "" || keys[kid.key] {
			n.byKey = false
		}
		keys[kid.key] = true
		n.kids = append(n.kids, kid)
	}
	n.seal()
	return n
}

// structShape says how structs of one type are walked.
type structShape struct {
	fields []shapeField
	tagged bool // one of the fields has a tag of ours
	err    error
}

// shapeField is one member.
type shapeField struct {
	name  string
	index []int
	treat treatment
	key   bool

	unkept bool // encoding/json leaves it out
}

// shapes holds the shape of every struct type met, by reflect.Type.
var shapes sync.Map

// shapeOf returns the shape of a struct type.
func shapeOf(t reflect.Type) *structShape {
	if p, ok := shapes.Load(t); ok {
		if p, ok := p.(*structShape); ok {
			return p
		}
	}
	p := newShape(t)
	shapes.Store(t, p)
	return p
}

// newShape lists the exported fields of t, those of embedded structs without a name of their own among them.
func newShape(t reflect.Type) *structShape {
	p := &structShape{}
	taken := make(map[string]bool)
	var named [][]int // embedded fields that are members: their fields are not ours
	visible := reflect.VisibleFields(t)
	slices.SortStableFunc(visible, func(a, b reflect.StructField) int { return len(a.Index) - len(b.Index) })
	for _, f := range visible {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" {
			name = ""
		}
		tag, hasTag := f.Tag.Lookup("daybook")
		p.tagged = p.tagged || hasTag
		if under(f.Index, named) {
			continue
		}
		if f.Anonymous && name == "" && inlined(f.Type) && tag == "" {
			continue
		}
		if f.Anonymous {
			named = append(named, f.Index)
		}
		if tag == "-" || !f.IsExported() && (!f.Anonymous || f.Type.Kind() != reflect.Struct) {
			continue
		}
		field := shapeField{name: name, index: f.Index, unkept: f.Tag.Get("json") == "-"}
		if name == "" || taken[name] { // of equal names the outer field keeps it, the other is called as in Go
			field.name = f.Name
		}
		for taken[field.name] {
			field.name += "_"
		}
		taken[field.name] = true
		if err := field.read(tag); err != nil && p.err == nil {
			p.err = fmt.Errorf("daybook: field %s of %s: %w", f.Name, t, err)
		}
		p.fields = append(p.fields, field)
	}
	return p
}

// inlined reports whether the fields of an embedded t become members of the struct around it: not those of a type that writes
// itself and shows no fields.
func inlined(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t == timeType {
		return false
	}
	return !marshals(t) || slices.ContainsFunc(reflect.VisibleFields(t), func(f reflect.StructField) bool { return f.IsExported() })
}

// marshals reports whether t or a pointer to it has a MarshalJSON or MarshalText.
func marshals(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(jsonType) || p.Implements(textType)
}

// under reports whether index lies below one of parents.
func under(index []int, parents [][]int) bool {
	for _, p := range parents {
		if len(index) > len(p) && reflect.DeepEqual(index[:len(p)], p) {
			return true
		}
	}
	return false
}

// read takes the options of a tag.
func (f *shapeField) read(tag string) error {
	if tag == "" {
		return nil
	}
	for option := range strings.SplitSeq(tag, ",") {
		switch option {
		case "mask":
			f.treat |= treatMask
		case "hash":
			f.treat |= treatHash
		case "quiet":
			f.treat |= treatQuiet
		case "key":
			f.key = true
		default:
			return fmt.Errorf("the tag daybook:%q has no option %q; there are -, mask, hash, quiet and key", tag, option)
		}
	}
	return nil
}
