package query

import (
	"hash/maphash"
	"net/netip"
	"unicode/utf8"

	"github.com/daybook-audit/daybook/leaf"
)

// Term is what a filter can be asked for: a value in a namespace, hashed. H chooses the line, G the bits in it; H depends on the
// value alone, so that one line answers for a word in every namespace.
type Term struct{ H, G uint64 }

// The namespaces of terms.
const (
	termID           = 'i' // the 16 bytes of the event id
	termAction       = 'a' // whole action
	termActionPrefix = 'p' // each prefix of an action that ends in "."
	termActor        = 'u' // short id, name or e-mail of the actor or a via
	termTarget       = 't' // short id or name of a target
	termActorType    = 'U'
	termTargetType   = 'T'
	termOutcome      = 'o'
	termErrorCode    = 'e'
	termHTTP         = 'h' // method, status code
	termAddress      = 'n' // canonical address and its networks
	termValue        = 'v' // short id of a request, trace, session or correlation; route
	termKey          = 'k' // metadata key
	termMeta         = 'm' // metadata key, 0, short value
	termChange       = 'c' // pointer, its ancestors, its member names
	termField        = 'x' // name of a field that is there
	termWord         = 'w' // word
)

const (
	fnvOffset = 0xcbf29ce484222325
	fnvPrime  = 0x100000001b3
	golden    = 0x9e3779b97f4a7c15
)

// mix is the 64-bit finaliser of MurmurHash3.
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// In returns t as it stands in the filter of one block: its line spread anew in each group of blocks, its bits in each window. Every
// block of a log holds the same common values; without this a rare value that meets them in one block would meet them in all.
func (t Term) In(group, window uint64) Term {
	return Term{H: mix(t.H ^ group*golden), G: mix(t.G ^ window*golden)}
}

// NewTerm returns the term of a folded value in the namespace ns.
func NewTerm(ns byte, value []byte) Term { return termOf(ns, hashBytes(fnvOffset, value)) }

// termOf finishes a hash.
func termOf(ns byte, hash uint64) Term {
	h := mix(hash)
	return Term{H: h, G: mix(h ^ uint64(ns)*golden)}
}

func hashBytes(h uint64, b []byte) uint64 {
	for _, c := range b {
		h = (h ^ uint64(c)) * fnvPrime
	}
	return h
}

// hashFold goes on with h over the folded form of b.
func hashFold(h uint64, b []byte) uint64 {
	for i := 0; i < len(b); {
		if c := b[i]; c < utf8.RuneSelf {
			h = (h ^ uint64(ascii[c]&asciiFold)) * fnvPrime
			i++
			continue
		}
		r, n := utf8.DecodeRune(b[i:])
		h = hashRune(h, fold(r))
		i += n
	}
	return h
}

// hashRune goes on with h over a folded rune.
func hashRune(h uint64, f rune) uint64 {
	if f == dropped {
		return h
	}
	var b [utf8.UTFMax]byte
	for _, c := range b[:utf8.EncodeRune(b[:], f)] {
		h = (h ^ uint64(c)) * fnvPrime
	}
	return h
}

// appendWords appends the term of each word of s. It goes on with whole over the folded form of s in the same pass, and says
// whether no word is long.
func appendWords(dst []Term, s []byte, whole uint64) (terms []Term, h uint64, short bool) {
	word, n, long := uint64(fnvOffset), 0, false
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			i++
			a := ascii[c]
			f := uint64(a & asciiFold)
			whole = (whole ^ f) * fnvPrime
			if a&asciiWord != 0 {
				word = (word ^ f) * fnvPrime
				n++
				continue
			}
			if n > 0 {
				long = long || n >= longWord
				dst = append(dst, termOf(termWord, word))
				word, n = fnvOffset, 0
			}
			continue
		}
		r, size := utf8.DecodeRune(s[i:])
		i += size
		c, f := classOf(r), fold(r)
		whole = hashRune(whole, f)
		if c != letter && n > 0 {
			long = long || n >= longWord
			dst = append(dst, termOf(termWord, word))
			word, n = fnvOffset, 0
		}
		switch {
		case c == alone:
			dst = append(dst, termOf(termWord, hashRune(fnvOffset, f)))
		case c == letter && f != dropped:
			word = hashRune(word, f)
			n++
		}
	}
	if n > 0 {
		long = long || n >= longWord
		dst = append(dst, termOf(termWord, word))
	}
	return dst, whole, !long
}

// fieldTerms holds, by slot, the terms that say which fields are there, most general last.
var fieldTerms = func() (t [slots][]Term) {
	for f := range fields[:fieldText] {
		if fieldNo(f).withKey() {
			continue // has:meta.KEY asks for the key
		}
		for _, s := range fields[f].slots {
			t[s] = append(t[s], NewTerm(termField, []byte(fields[f].name)))
		}
	}
	return t
}()

// successTerm stands for the outcome of an entry that names none.
var successTerm = NewTerm(termOutcome, []byte("success"))

// AppendTerms appends all terms of an entry to dst, some of them more than once, and returns the extended slice. Whatever
// [Query.Match] can match by a term, [Query.May] finds among them. It does not allocate when dst has room.
func AppendTerms(dst []Term, r *Record) []Term { return appendTerms(dst, r, nil) }

func appendTerms(dst []Term, r *Record, met *Met) []Term {
	if id, ok := parseID(r.ID); ok {
		dst = append(dst, NewTerm(termID, id[:]))
	}
	d := r.Doc
	if d == nil || d.Len() == 0 {
		return dst
	}
	var seen uint64 // slots whose field terms are there
	for i, n := 0, d.Len(); i < n; i++ {
		kind := d.Type(i)
		if kind != leaf.String && kind != leaf.Number && kind != leaf.True && kind != leaf.False {
			continue
		}
		path := d.Path(i)
		s, rest := locate(path)
		if s == slotNone {
			continue
		}
		value := d.Value(i)
		seen |= 1 << s
		if met != nil && met.again(s, kind, path, value) {
			continue
		}
		if met == nil || met.slots&(1<<s) == 0 {
			if met != nil {
				met.slots |= 1 << s
			}
			dst = append(dst, fieldTerms[s]...)
		}
		dst = appendField(dst, s, kind, value, path, rest)
	}
	if seen&(1<<slotOutcome) == 0 {
		dst = append(dst, successTerm)
	}
	return dst
}

// Met remembers which values of which fields it was shown, so that the terms of many entries can be collected without splitting the
// same text into words again and again. The zero value is ready; it is not safe for concurrent use.
type Met struct {
	seed  maphash.Seed // secret: nobody can make two values meet
	table []uint64     // hashes, open addressing; 0: free
	used  int
	slots uint64 // whose field terms were given out
}

// Reset forgets everything but keeps the memory.
func (m *Met) Reset() {
	if m.table == nil {
		m.seed, m.table = maphash.MakeSeed(), make([]uint64, 4096)
	}
	clear(m.table)
	m.used, m.slots = 0, 0
}

// AppendTerms is the function of that name without terms that come from a value which an earlier entry since Reset had in the same
// field: they were given out then.
func (m *Met) AppendTerms(dst []Term, r *Record) []Term { return appendTerms(dst, r, m) }

// again reports whether the field was met, and remembers it. Two fields that are taken for one have equal 64-bit hashes under a random
// seed, at odds of one in 10¹¹ for a whole block.
func (m *Met) again(s slot, kind byte, path, value []byte) bool {
	h := maphash.Bytes(m.seed, value) ^ mix(uint64(s)<<8|uint64(kind))
	if s == slotMeta || s == slotActorMeta || s == slotTargetMeta {
		h = mix(h ^ maphash.Bytes(m.seed, path))
	}
	if h == 0 {
		h = 1
	}
	for i := h & uint64(len(m.table)-1); ; i = (i + 1) & uint64(len(m.table)-1) {
		switch m.table[i] {
		case h:
			return true
		case 0:
			m.table[i] = h
			if m.used++; 2*m.used > len(m.table) {
				m.grow()
			}
			return false
		}
	}
}

func (m *Met) grow() {
	old := m.table
	m.table = make([]uint64, 2*len(old))
	for _, h := range old {
		if h == 0 {
			continue
		}
		i := h & uint64(len(m.table)-1)
		for m.table[i] != 0 {
			i = (i + 1) & uint64(len(m.table)-1)
		}
		m.table[i] = h
	}
}

// appendField appends the terms of one field.
func appendField(dst []Term, s slot, kind byte, value, path []byte, rest int) []Term {
	switch s {
	case slotMeta:
		return appendMeta(dst, hashStart, kind, value, path, rest)
	case slotActorMeta:
		return appendMeta(dst, hashActorMeta, kind, value, path, rest)
	case slotTargetMeta:
		return appendMeta(dst, hashTargetMeta, kind, value, path, rest)
	case slotStatus:
		if kind == leaf.Number {
			dst = appendNumber(dst, value)
		}
		return dst
	default:
		if kind == leaf.String {
			return appendText(dst, s, value)
		}
		return dst
	}
}

// appendText appends the terms of a field that is a string.
func appendText(dst []Term, s slot, value []byte) []Term {
	switch s {
	case slotAction:
		return appendAction(dst, value)
	case slotActorID, slotActorName, slotActorEmail, slotViaID, slotViaName, slotViaEmail:
		return appendValue(dst, termActor, value)
	case slotTargetID, slotTargetName:
		return appendValue(dst, termTarget, value)
	case slotRequestID, slotTraceID, slotSessionID, slotCorrelationID, slotRoute, slotFlag:
		return appendValue(dst, termValue, value)
	case slotActorType, slotViaType:
		return append(dst, termOf(termActorType, hashFold(fnvOffset, value)))
	case slotTargetType:
		return append(dst, termOf(termTargetType, hashFold(fnvOffset, value)))
	case slotOutcome:
		return append(dst, termOf(termOutcome, hashFold(fnvOffset, value)))
	case slotMethod:
		return append(dst, termOf(termHTTP, hashFold(fnvOffset, value)))
	case slotErrorCode:
		dst, whole, _ := appendWords(dst, value, fnvOffset)
		return append(dst, termOf(termErrorCode, whole))
	case slotIP:
		return appendAddress(dst, value)
	case slotChangePath:
		dst = appendPointer(dst, value)
	default: // words alone
	}
	dst, _, _ = appendWords(dst, value, fnvOffset)
	return dst
}

// appendValue appends the words of value, and the value itself if it is short.
func appendValue(dst []Term, ns byte, value []byte) []Term {
	dst, whole, short := appendWords(dst, value, fnvOffset)
	if short {
		dst = append(dst, termOf(ns, whole))
	}
	return dst
}

func appendAction(dst []Term, action []byte) []Term {
	h := uint64(fnvOffset)
	for i := 0; i < len(action); {
		if c := action[i]; c < utf8.RuneSelf {
			h = (h ^ uint64(ascii[c]&asciiFold)) * fnvPrime
			i++
			if c == '.' {
				dst = append(dst, termOf(termActionPrefix, h))
			}
			continue
		}
		r, n := utf8.DecodeRune(action[i:])
		h = hashRune(h, fold(r))
		i += n
	}
	dst = append(dst, termOf(termAction, h))
	dst, _, _ = appendWords(dst, action, fnvOffset)
	return dst
}

// The states of the hash before a metadata key.
var (
	hashStart      = uint64(fnvOffset)
	hashActorMeta  = hashBytes(fnvOffset, []byte("actor."))
	hashTargetMeta = hashBytes(fnvOffset, []byte("target."))
)

// maxMetaTerm is the longest metadata value, in bytes, that has a term together with its key.
const maxMetaTerm = 64

// metaTermed reports whether a metadata value without long words has a term together with its key.
func metaTermed(value []byte) bool {
	if len(value) > maxMetaTerm {
		return false
	}
	for _, c := range value {
		if c == ' ' || c >= '\t' && c <= '\r' {
			return false
		}
	}
	return true
}

func appendMeta(dst []Term, key uint64, kind byte, value, path []byte, rest int) []Term {
	first := true
	for i := rest; i < len(path); {
		name, end := component(path, i)
		i = end
		if isElement(name) {
			continue
		}
		if !first {
			dst = append(dst, termOf(termKey, key)) // of the object around
			key = (key ^ '.') * fnvPrime
		}
		first = false
		key = hashName(key, name)
	}
	dst = append(dst, termOf(termKey, key))
	key *= fnvPrime // goes on over the 0
	switch kind {
	case leaf.True:
		return append(dst, termOf(termMeta, hashBytes(key, []byte("true"))))
	case leaf.False:
		return append(dst, termOf(termMeta, hashBytes(key, []byte("false"))))
	}
	dst, whole, short := appendWords(dst, value, key)
	if short && metaTermed(value) {
		dst = append(dst, termOf(termMeta, whole))
	}
	return dst
}

// hashName goes on with h over the folded form of a member name of a path.
func hashName(h uint64, name []byte) uint64 {
	for {
		i := 0
		for i < len(name) && name[i] != '~' {
			i++
		}
		h = hashFold(h, name[:i])
		if i+1 >= len(name) {
			return hashFold(h, name[i:])
		}
		h = (h ^ uint64(unescaped(name[i+1]))) * fnvPrime
		name = name[i+2:]
	}
}

// appendPointer appends the terms of a JSON pointer: itself, every ancestor, every member name in it.
func appendPointer(dst []Term, pointer []byte) []Term {
	h := uint64(fnvOffset)
	for i := firstComponent(pointer); i < len(pointer); {
		end := endOfElement(pointer, i)
		h = hashFold(h, pointer[max(i, 0):end])
		dst = append(dst, termOf(termChange, h), termOf(termChange, hashName(fnvOffset, pointer[i+1:end])))
		i = end
	}
	return dst
}

// appendAddress appends the terms of an address and of its networks.
func appendAddress(dst []Term, value []byte) []Term {
	a, ok := parseAddress(value)
	if !ok {
		return dst
	}
	var text [64]byte
	dst = append(dst, NewTerm(termAddress, a.AppendTo(text[:0])))
	for _, n := range networks(a) {
		p, err := a.Prefix(n)
		if err != nil {
			return dst
		}
		dst = append(dst, NewTerm(termAddress, p.AppendTo(text[:0])))
	}
	return dst
}

// networks returns the lengths of the networks of an address that have terms.
func networks(a netip.Addr) [2]int {
	if a.Is4() {
		return [2]int{24, 16}
	}
	return [2]int{64, 48}
}

// appendNumber appends the term of a number, which is the same however it is written.
func appendNumber(dst []Term, token []byte) []Term {
	d, ok := parseDecimal(token)
	if !ok {
		return dst
	}
	var text [64]byte
	return append(dst, NewTerm(termHTTP, d.appendShort(text[:0])))
}

// parseID reads the text of an event id.
func parseID(s string) (id [16]byte, ok bool) {
	const prefix, digits = len("evt_"), 26
	if len(s) != prefix+digits || s[:prefix] != "evt_" || s[prefix] > '7' {
		return id, false
	}
	var hi, lo uint64
	for i := prefix; i < len(s); i++ {
		v := idDigit[s[i]]
		if v < 0 {
			return id, false
		}
		hi = hi<<5 | lo>>59
		lo = lo<<5 | uint64(v)
	}
	for i := range 8 {
		id[i], id[8+i] = byte(hi>>(56-8*i)), byte(lo>>(56-8*i))
	}
	return id, true
}

// idDigit holds the values of the digits of an id, and -1 for other bytes.
var idDigit = func() (t [256]int8) {
	for i := range t {
		t[i] = -1
	}
	for i, c := range []byte("0123456789abcdefghjkmnpqrstvwxyz") {
		t[c] = int8(i)
	}
	return t
}()
