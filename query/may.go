package query

import (
	"math/bits"
	"net/netip"
)

// Bounds says what is known about the entries of a block, group or window. Times are µs since 1970 UTC, each pair [min, max]; a pair
// with min > max holds nothing.
type Bounds struct {
	SeqFrom, SeqTo     int64 // [SeqFrom, SeqTo)
	Received, Occurred [2]int64
	Late               [2]int64 // occurred_at of entries that Occurred leaves out because it is far from when they were received
	NoControl          bool     // no entry is a control entry
	NoErased           bool     // no entry is erased, whole or in a field
}

// May reports whether an entry within b, whose terms has knows, can match q. It errs on one side only: false means that none can.
// Without has nothing is known about terms; without b nothing about bounds.
func (q *Query) May(b *Bounds, has func(Term) bool) bool {
	for i := range q.programs {
		p := &q.programs[i]
		if !p.root.may(p, b, has) {
			return false
		}
	}
	return true
}

// may is three-valued: a negation is unknown, and unknown is true.
func (s *step) may(p *program, b *Bounds, has func(Term) bool) bool {
	switch s.op {
	case opCondition:
		return p.conditions[bits.TrailingZeros64(s.bit)].may(b, has)
	case opAnd:
		for i := range s.kids {
			if !s.kids[i].may(p, b, has) {
				return false
			}
		}
	case opOr:
		for i := range s.kids {
			if s.kids[i].may(p, b, has) {
				return true
			}
		}
		return false
	case opNot:
	}
	return true
}

func (c *condition) may(b *Bounds, has func(Term) bool) bool {
	if b != nil && !c.within(b) {
		return false
	}
	if has == nil || len(c.terms) == 0 {
		return true
	}
next:
	for _, all := range c.terms {
		for _, t := range all {
			if !has(t) {
				continue next
			}
		}
		return true
	}
	return false
}

// within reports whether an entry within b can make c hold, as far as bounds tell.
func (c *condition) within(b *Bounds) bool {
	for i := range c.values {
		v := &c.values[i]
		ok := true
		switch c.field {
		case fieldSeq:
			ok = v.from < b.SeqTo && v.to >= b.SeqFrom
		case fieldReceived:
			ok = overlap(v, b.Received)
		case fieldOccurred:
			ok = overlap(v, b.Occurred) || overlap(v, b.Late)
		case fieldIs:
			ok = b.mayBe(v.word)
		default:
		}
		if ok {
			return true
		}
	}
	return false
}

func overlap(v *value, have [2]int64) bool {
	return have[0] <= have[1] && v.from <= have[1] && v.to > have[0]
}

// mayBe reports whether an entry within b can be in a state.
func (b *Bounds) mayBe(state byte) bool {
	switch state {
	case isErased:
		return !b.NoErased
	case isControl:
		return !b.NoControl
	case isLate:
		if b.Received[0] > b.Received[1] {
			return false
		}
		for _, o := range [...][2]int64{b.Occurred, b.Late} {
			if o[0] <= o[1] && b.Received[1]-o[0] > lateAfter {
				return true
			}
		}
		return false
	}
	return true
}

// compile finds the terms that an entry must have so that c can hold. Each alternative stands for one value; if one has no terms,
// the filter knows nothing.
func (c *condition) compile() {
	for i := range c.values {
		all, known := c.need(&c.values[i])
		if !known {
			c.terms = nil
			return
		}
		c.terms = append(c.terms, all)
	}
}

// need returns the terms that an entry must have so that v can match; if v has none of its own, that its field is there.
func (c *condition) need(v *value) (all []Term, known bool) {
	switch fields[c.field].kind {
	case kindTime, kindIs:
		return nil, false // answered by the record
	case kindKey:
		if c.field == fieldID || c.field == fieldOrg {
			return needID(c.field, v.is)
		}
		all = needKey(c.field, v.is)
	case kindName:
		all = needName(c.field, v.is)
	case kindWho, kindTarget:
		all = c.needPair(v)
	case kindText:
		all = v.phrase.need()
		if c.field == fieldText {
			return all, len(all) > 0
		}
	case kindNumber:
		switch {
		case c.field != fieldStatus:
			return nil, false // seq is the record's, version has a default
		case v.low != nil && v.high != nil && v.low.compare(v.high) == 0:
			all = []Term{NewTerm(termHTTP, v.low.appendShort(nil))}
		}
	case kindIP:
		all = needNetwork(v.network)
	case kindPath:
		all = needChange(v.is)
	case kindMeta:
		all = needMeta(metaTermKey(c.field, c.key), v)
	case kindOutcome:
		all = []Term{NewTerm(termOutcome, []byte(outcomes[v.word]))}
	case kindHas:
		return needField(v.has, v.key)
	}
	if len(all) == 0 {
		return needField(c.field, c.key)
	}
	return all, true
}

// needField returns the term of a field that is there.
func needField(f fieldNo, key string) (all []Term, known bool) {
	switch {
	case f.recorded():
		return nil, false
	case f.withKey():
		return []Term{termOf(termKey, hashFold(fnvOffset, []byte(metaTermKey(f, key))))}, true
	}
	return []Term{NewTerm(termField, []byte(fields[f].name))}, true
}

func needID(f fieldNo, p pattern) (all []Term, known bool) {
	id, ok := parseID(string(p[0]))
	if f != fieldID || !ok || !p.exact() {
		return nil, false
	}
	return []Term{NewTerm(termID, id[:])}, true
}

// needKey returns the terms of a value of a key field: its own, or, if long values have none, those of its words.
func needKey(f fieldNo, p pattern) []Term {
	switch f {
	case fieldAction:
		return needAction(p)
	case fieldActorType, fieldViaType:
		return needTerm(termActorType, p)
	case fieldTargetType:
		return needTerm(termTargetType, p)
	case fieldErrorCode:
		if p.exact() {
			return needTerm(termErrorCode, p)
		}
	case fieldActorID:
		return needShort(termActor, p)
	case fieldTargetID:
		return needShort(termTarget, p)
	case fieldRequestID, fieldTraceID, fieldSessionID, fieldCorrelationID, fieldRoute, fieldFlag:
		return needShort(termValue, p)
	default:
	}
	return needWords(p)
}

// needName returns the terms of a value of a name field.
func needName(f fieldNo, p pattern) []Term {
	switch f {
	case fieldMethod:
		return needTerm(termHTTP, p)
	case fieldTargetName:
		return needShort(termTarget, p)
	default:
		return needShort(termActor, p)
	}
}

// needPair returns the terms of TYPE:ID, or of an id or name.
func (c *condition) needPair(v *value) []Term {
	switch {
	case v.of == nil && c.field == fieldTarget:
		return needShort(termTarget, v.is)
	case v.of == nil:
		return needShort(termActor, v.is)
	case c.field == fieldTarget:
		return append(needShort(termTarget, v.is), needTerm(termTargetType, v.of)...)
	}
	return append(needShort(termActor, v.is), needTerm(termActorType, v.of)...)
}

// needTerm returns the term of a value that always has one in ns, if p is a value.
func needTerm(ns byte, p pattern) []Term {
	if !p.exact() {
		return nil
	}
	return []Term{termOf(ns, hashFold(fnvOffset, p[0]))}
}

// needShort returns the term of a value that has one in ns if it is short, else its words.
func needShort(ns byte, p pattern) []Term {
	if p.exact() && short(p[0]) {
		return needTerm(ns, p)
	}
	return needWords(p)
}

// needWords returns the terms of the words that are whole in p: those that touch no wildcard.
func needWords(p pattern) []Term {
	var all []Term
	for i, piece := range p {
		all = append(all, wordsOf(wholeWords(piece, i > 0, i < len(p)-1))...)
	}
	return all
}

// wholeWords cuts the words off piece that touch a wildcard before or after it.
func wholeWords(piece []byte, before, after bool) []byte {
	runes := []rune(string(piece))
	from, to := 0, len(runes)
	for before && from < to && classOf(runes[from]) != gap {
		from++
	}
	for after && to > from && classOf(runes[to-1]) != gap {
		to--
	}
	return []byte(string(runes[from:to]))
}

func wordsOf(s []byte) (all []Term) {
	Words(s, func(word []byte) bool {
		all = append(all, NewTerm(termWord, word))
		return true
	})
	return all
}

// need returns the terms of the words of p, but for a prefix.
func (p *phrase) need() (all []Term) {
	for i, word := range p.words {
		if i < len(p.words)-1 || !p.prefix {
			all = append(all, NewTerm(termWord, word))
		}
	}
	return all
}

// needAction returns the term of an action, or of the longest part before its first wildcard that ends in ".", and the words behind.
func needAction(p pattern) []Term {
	if p.exact() {
		return needTerm(termAction, p)
	}
	var all []Term
	rest := append(pattern(nil), p...)
	for i := len(p[0]); i > 0; i-- {
		if p[0][i-1] == '.' {
			all = append(all, termOf(termActionPrefix, hashFold(fnvOffset, p[0][:i])))
			rest[0] = p[0][i:]
			break
		}
	}
	return append(all, needWords(rest)...)
}

// needNetwork returns the term of an address, or of the smallest network with a term around a block.
func needNetwork(n netip.Prefix) []Term {
	if n.IsSingleIP() {
		return []Term{NewTerm(termAddress, []byte(n.Addr().String()))}
	}
	for _, length := range networks(n.Addr()) {
		if n.Bits() >= length {
			p, err := n.Addr().Prefix(length)
			if err != nil {
				return nil
			}
			return []Term{NewTerm(termAddress, []byte(p.String()))}
		}
	}
	return nil
}

// needChange returns the terms of a pointer, or of the member names that are whole in a pattern, or of a member name.
func needChange(p pattern) []Term {
	if p.exact() {
		return needTerm(termChange, p)
	}
	if !p.isPointer() {
		return nil
	}
	var all []Term
	for i, piece := range p {
		start := 0
		for start < len(piece) && (i > 0 || start > 0) && piece[start] != '/' {
			start++ // what touches the wildcard before
		}
		for at := start; at < len(piece); {
			name, end := component(piece, at)
			if end == len(piece) && i < len(p)-1 {
				break // touches the wildcard behind
			}
			all = append(all, termOf(termChange, hashName(fnvOffset, name)))
			at = end
		}
	}
	return all
}

// metaTermKey is the key under which metadata has terms.
func metaTermKey(f fieldNo, key string) string {
	switch f {
	case fieldActorMeta:
		return "actor." + key
	case fieldTargetMeta:
		return "target." + key
	default:
		return key
	}
}

// needMeta returns the terms of a metadata value under key.
func needMeta(key string, v *value) []Term {
	h := hashFold(fnvOffset, []byte(key))
	all := []Term{termOf(termKey, h)}
	switch {
	case v.numeric:
		return all
	case v.is.exact() && metaTermed(v.is[0]) && short(v.is[0]):
		return []Term{termOf(termMeta, hashFold(h*fnvPrime, v.is[0]))}
	}
	return append(all, needWords(v.is)...)
}
