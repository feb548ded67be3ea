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

// need returns the terms that an entry must have so that v can match.
func (c *condition) need(v *value) (all []Term, known bool) {
	there := []Term{NewTerm(termField, []byte(fields[c.field].name))}
	switch c.field {
	case fieldID:
		if id, ok := parseID(string(v.is[0])); ok && v.is.exact() {
			return []Term{NewTerm(termID, id[:])}, true
		}
		return nil, false
	case fieldAction:
		return orElse(needAction(v.is), there)
	case fieldActor, fieldVia:
		if v.of != nil {
			return orElse(append(needKey(termActor, v.is), needType(termActorType, v.of)...), there)
		}
		return orElse(needWords(v.is), there)
	case fieldActorID:
		return orElse(needKey(termActor, v.is), there)
	case fieldTarget:
		if v.of != nil {
			return orElse(append(needKey(termTarget, v.is), needType(termTargetType, v.of)...), there)
		}
		return orElse(needWords(v.is), there)
	case fieldTargetID:
		return orElse(needKey(termTarget, v.is), there)
	case fieldActorType, fieldViaType:
		return orElse(needType(termActorType, v.is), there)
	case fieldTargetType:
		return orElse(needType(termTargetType, v.is), there)
	case fieldRequestID, fieldTraceID, fieldSessionID, fieldCorrelationID, fieldRoute:
		return orElse(needKey(termValue, v.is), there)
	case fieldErrorCode:
		if v.is.exact() {
			return needType(termErrorCode, v.is), true
		}
		return orElse(needWords(v.is), there)
	case fieldActorName, fieldActorEmail, fieldTargetName, fieldPath:
		return orElse(needWords(v.is), there)
	case fieldMethod:
		return orElse(needType(termHTTP, v.is), there)
	case fieldOutcome:
		return []Term{NewTerm(termOutcome, []byte(outcomes[v.word]))}, true
	case fieldErrorMessage, fieldReason, fieldUserAgent:
		return orElse(v.phrase.need(), there)
	case fieldText:
		all = v.phrase.need()
		return all, len(all) > 0
	case fieldStatus:
		if v.low != nil && v.high != nil && v.low.compare(v.high) == 0 {
			var text [64]byte
			return []Term{NewTerm(termHTTP, v.low.appendShort(text[:0]))}, true
		}
		return there, true
	case fieldIP:
		return orElse(needNetwork(v.network), there)
	case fieldChanged:
		return orElse(needChange(v.is), there)
	case fieldMeta, fieldActorMeta, fieldTargetMeta:
		return needMeta(metaTermKey(c.field, c.key), v), true
	case fieldHas:
		switch {
		case v.has.recorded():
			return nil, false
		case v.has.withKey():
			return []Term{termOf(termKey, hashFold(fnvOffset, []byte(metaTermKey(v.has, v.key))))}, true
		}
		return []Term{NewTerm(termField, []byte(fields[v.has].name))}, true
	default:
		return nil, false // answered by the record, or version, which has a default
	}
}

func orElse(all, otherwise []Term) ([]Term, bool) {
	if len(all) == 0 {
		return otherwise, true
	}
	return all, true
}

// needType returns the term of a value that always has one in ns, if p is a value.
func needType(ns byte, p pattern) []Term {
	if !p.exact() {
		return nil
	}
	return []Term{termOf(ns, hashFold(fnvOffset, p[0]))}
}

// needKey returns the term of a value that has one in ns if it is short, else its words.
func needKey(ns byte, p pattern) []Term {
	if p.exact() && short(p[0]) {
		return needType(ns, p)
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
		return needType(termAction, p)
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
		return needType(termChange, p)
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
