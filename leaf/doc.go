// Package leaf holds everything a verifier must reproduce to get from an event's JSON text to the 70 bytes that stand in the
// Merkle tree: strict reading, flattening into fields, salted commitments, the payload root, and the leaf itself. The rules are
// those of the integrity document, sections 2 and 3; testdata/vectors hold them as bytes.
//
// Nothing here is parsed into Go values: a number is its token, a string its bytes, and an event is a list of fields.
package leaf

import (
	"bytes"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// Limits of one payload.
const (
	MaxPayload    = 256 << 10 // bytes of JSON text
	MaxFields     = 1024      // fields
	MaxPath       = 65_535    // bytes of one path
	MaxComponents = 32        // components of one path
	// MaxPaths bounds the paths of all fields and containers together. A text of 256 KiB can otherwise ask for 64 MiB: one long name
	// above an array of a thousand elements.
	MaxPaths = 1 << 20
)

// The types of a field.
const (
	String      = 's'
	Number      = 'n'
	True        = 't'
	False       = 'f'
	Null        = 'z'
	EmptyObject = 'o'
	EmptyArray  = 'a'
)

// Doc holds the fields of one payload. The zero value is ready for Read, and Read may be called again and again. A Doc is not safe
// for concurrent use.
//
// A Doc refers to the text it has read: the text must not change until the next Read.
type Doc struct {
	text   []byte
	fields []field
	arena  []byte // paths of fields and containers, and the strings that had escapes

	// The state of Read.
	in       bytes.Buffer
	dec      jsontext.Decoder
	stack    [MaxComponents + 1]level
	names    []name // of the objects that walk is in, while judging
	judging  bool   // walk reads what nobody has judged
	unquoted []byte // the last name that had escapes
	paths    int    // bytes of all paths so far
	escapes  bool   // whether text holds a backslash
	largest  int    // length of the longest text ever read

	// The state of Root.
	keys    []sortKey
	order   []int // in which the fields before the last Sort came out
	sorted  []field
	message []byte // of one commitment
	commits []byte // of the root
}

// field is one scalar or empty container. Places are offsets: the arena moves while it grows.
type field struct {
	path, pathEnd   uint32 // in arena
	value, valueEnd uint32 // in text, or in arena if unescaped
	at              uint32 // where the value's token begins in text
	kind            byte
	unescaped       bool
}

var pool = sync.Pool{New: func() any { return new(Doc) }}

// Get returns a Doc from a pool. Give it back with Put.
func Get() *Doc {
	d, ok := pool.Get().(*Doc)
	if !ok {
		return new(Doc)
	}
	return d
}

// maxPooled bounds the texts and the arena of a Doc that goes back to the pool, so that a large payload does not hold memory for
// ever: what the tokenizer keeps of it is about as large as the text. Events are about 1 KiB and fit many times.
const maxPooled = 64 << 10

// Put gives d back to the pool. Neither d nor any slice it has returned may be used afterwards.
func Put(d *Doc) {
	if d.largest > maxPooled || cap(d.arena) > maxPooled {
		return
	}
	d.release()
	pool.Put(d)
}

// release forgets the text, so that the pool does not keep it alive.
func (d *Doc) release() {
	d.text, d.fields, d.arena = nil, d.fields[:0], d.arena[:0]
	d.in = bytes.Buffer{}
	d.dec.Reset(&d.in)
}

// Len returns the number of fields. It is at least 1 after a Read that succeeded: an empty object is one field.
func (d *Doc) Len() int { return len(d.fields) }

// Path returns the path of field i, such as /targets/~#0/id. It stays valid until the next Read and must not be changed.
func (d *Doc) Path(i int) []byte {
	f := &d.fields[i]
	return d.arena[f.path:f.pathEnd:f.pathEnd]
}

// Type returns the type of field i: one of the bytes s n t f z o a.
func (d *Doc) Type(i int) byte { return d.fields[i].kind }

// Value returns the unescaped string or the number's token of field i, and nothing for other types. It stays valid until the next
// Read, as long as the text that was read is not changed, and must not be changed itself.
func (d *Doc) Value(i int) []byte {
	f := &d.fields[i]
	if f.unescaped {
		return d.arena[f.value:f.valueEnd:f.valueEnd]
	}
	return d.text[f.value:f.valueEnd:f.valueEnd]
}

// Offset returns where the value of field i begins in the text: the opening quote of a string, the first byte of other tokens.
func (d *Doc) Offset(i int) int { return int(d.fields[i].at) }
