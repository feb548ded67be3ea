package query

import (
	"bytes"
	"math/bits"

	"github.com/daybook-audit/daybook/leaf"
)

// program is a query, or a part of one that And joined, ready to run: one pass over the fields sets a bit for each condition that
// holds, then the tree is decided on the bits.
type program struct {
	conditions []*condition     // at most 64, by bit
	watch      [slots]uint64    // which conditions look at a slot
	first      [256 / 64]uint64 // the first bytes of paths that are looked at
	record     uint64           // conditions that the record answers
	root       step
	need       uint64 // conditions without which nothing matches
	deny       uint64 // conditions with which nothing matches
	simple     bool   // need and deny decide alone
}

// step is a node of a program.
type step struct {
	op   op
	bit  uint64
	kids []step
}

// compile makes the programs of q.
func (q *Query) compile() {
	if q.root == nil {
		return
	}
	kids := []*node{q.root}
	if q.root.op == opAnd {
		kids = q.root.kids
	}
	for len(kids) > 0 {
		p, n := program{}, 0
		for n < len(kids) && (n == 0 || len(p.conditions)+kids[n].conditions() <= MaxConditions) {
			p.add(kids[n])
			n++
		}
		kids = kids[n:]
		q.programs = append(q.programs, p)
	}
}

// conditions counts the conditions in n.
func (n *node) conditions() int {
	if n.op == opCondition {
		return 1
	}
	sum := 0
	for _, k := range n.kids {
		sum += k.conditions()
	}
	return sum
}

// add makes n one more thing that must hold.
func (p *program) add(n *node) {
	s := p.step(n)
	if len(p.root.kids) == 0 {
		p.root.op, p.simple = opAnd, true
	}
	p.root.kids = append(p.root.kids, s)
	switch {
	case s.op == opCondition:
		p.need |= s.bit
	case s.op == opNot && s.kids[0].op == opCondition:
		p.deny |= s.kids[0].bit
	default:
		p.simple = false
	}
}

func (p *program) step(n *node) step {
	s := step{op: n.op}
	for _, k := range n.kids {
		s.kids = append(s.kids, p.step(k))
	}
	if n.op != opCondition {
		return s
	}
	c := n.cond
	s.bit = 1 << len(p.conditions)
	p.conditions = append(p.conditions, c)
	seen := fields[c.field].slots
	switch {
	case c.field == fieldHas:
		for i := range c.values {
			if seen = append(seen, fields[c.values[i].has].slots...); c.values[i].has.recorded() {
				p.record |= s.bit
			}
		}
	case len(seen) == 0:
		p.record |= s.bit
	}
	for _, sl := range seen {
		p.watch[sl] |= s.bit
		b := firstByte[sl]
		p.first[b/64] |= 1 << (b % 64)
	}
	return s
}

// firstByte holds the byte after the first "/" of the paths of a slot.
var firstByte = [slots]byte{
	slotAction: 'a', slotVersion: 'v', slotOutcome: 'o', slotReason: 'r', slotCorrelationID: 'c', slotActorType: 'a', slotActorID: 'a',
	slotActorName: 'a', slotActorEmail: 'a', slotActorMeta: 'a', slotViaType: 'a', slotViaID: 'a', slotViaName: 'a', slotViaEmail: 'a',
	slotTargetType: 't', slotTargetID: 't', slotTargetName: 't', slotTargetMeta: 't', slotIP: 'c', slotUserAgent: 'c', slotRequestID: 'c',
	slotTraceID: 'c', slotSessionID: 'c', slotMethod: 'c', slotRoute: 'c', slotPath: 'c', slotStatus: 'c', slotErrorCode: 'e',
	slotErrorMessage: 'e', slotChangePath: 'c', slotChangeValue: 'c', slotMeta: 'm', slotFlag: 'f',
}

// Match reports whether r matches q. What an entry does not have fails every condition, so that the negation holds; but an entry with
// a payload that names no outcome reads success, and one that names no version reads 1. It does not allocate, but for names longer
// than 128 bytes and member names with escapes.
func (q *Query) Match(r *Record) bool {
	for i := range q.programs {
		if !q.programs[i].match(r) {
			return false
		}
	}
	return true
}

func (p *program) match(r *Record) bool {
	hit := uint64(0)
	for m := p.record; m != 0; m &= m - 1 {
		bit := m & -m
		if p.conditions[bits.TrailingZeros64(bit)].matchRecord(r) {
			hit |= bit
		}
	}
	if hit&p.deny != 0 {
		return false
	}
	if d := r.Doc; d != nil && d.Len() > 0 {
		hit = p.scan(d, r, hit)
	}
	if hit&p.deny != 0 || hit&p.need != p.need {
		return false
	}
	return p.simple || p.root.holds(hit)
}

// scan looks at the fields and returns hit with the conditions that they make hold. It stops when the outcome is certain.
func (p *program) scan(d *leaf.Doc, r *Record, hit uint64) uint64 {
	var seen uint64 // outcome and version
	for i, n := 0, d.Len(); i < n; i++ {
		path := d.Path(i)
		if len(path) < 2 || p.first[path[1]/64]&(1<<(path[1]%64)) == 0 {
			continue
		}
		s, rest := locate(path)
		m := p.watch[s] &^ hit
		if s == slotOutcome || s == slotVersion {
			if t := d.Type(i); t != leaf.Null {
				seen |= 1 << s
			}
		}
		if m == 0 {
			continue
		}
		f := spot{doc: d, i: i, slot: s, rest: rest, kind: d.Type(i), path: path, value: d.Value(i)}
		for ; m != 0; m &= m - 1 {
			bit := m & -m
			if c := p.conditions[bits.TrailingZeros64(bit)]; (c.hidden == nil || !c.hides(path)) && c.match(&f) {
				hit |= bit
			}
		}
		if hit&p.deny != 0 || p.simple && p.deny == 0 && hit == p.need {
			return hit
		}
	}
	return p.defaults(r, seen, hit)
}

// defaults adds the conditions that hold because the entry names no outcome or no version.
func (p *program) defaults(r *Record, seen, hit uint64) uint64 {
	if seen&(1<<slotOutcome) == 0 {
		for m := p.watch[slotOutcome] &^ hit; m != 0; m &= m - 1 {
			if c := p.conditions[bits.TrailingZeros64(m)]; c.field == fieldOutcome && c.anyWord(0) {
				hit |= m & -m
			}
		}
	}
	if seen&(1<<slotVersion) == 0 && !r.Control {
		for m := p.watch[slotVersion] &^ hit; m != 0; m &= m - 1 {
			if c := p.conditions[bits.TrailingZeros64(m)]; c.field == fieldVersion && c.matchNumber([]byte{'1'}) {
				hit |= m & -m
			}
		}
	}
	return hit
}

// holds decides a step.
func (s *step) holds(hit uint64) bool {
	switch s.op {
	case opCondition:
		return hit&s.bit != 0
	case opNot:
		return !s.kids[0].holds(hit)
	case opAnd:
		for i := range s.kids {
			if !s.kids[i].holds(hit) {
				return false
			}
		}
		return true
	case opOr:
		for i := range s.kids {
			if s.kids[i].holds(hit) {
				return true
			}
		}
	}
	return false
}

// matchRecord decides a condition that the record answers.
func (c *condition) matchRecord(r *Record) bool {
	for i := range c.values {
		v := &c.values[i]
		var ok bool
		switch c.field {
		case fieldSeq:
			ok = r.Seq >= v.from && r.Seq <= v.to
		case fieldOccurred:
			ok = r.Occurred >= v.from && r.Occurred < v.to
		case fieldReceived:
			ok = r.Received >= v.from && r.Received < v.to
		case fieldID:
			ok = v.is.matchString(r.ID)
		case fieldOrg:
			ok = v.is.matchString(r.Org)
		case fieldHas:
			ok = v.has.recorded()
		case fieldIs:
			ok = isState(v.word, r)
		default:
		}
		if ok {
			return true
		}
	}
	return false
}

// lateAfter is how much later than it occurred a late entry was received, in µs.
const lateAfter = 5 * 60 * 1e6

func isState(state byte, r *Record) bool {
	switch state {
	case isErased:
		return r.Erased
	case isHeld:
		return r.Held
	case isLate:
		return r.Received-r.Occurred > lateAfter
	}
	return r.Control
}

// spot is a field that a condition looks at.
type spot struct {
	doc         *leaf.Doc
	i           int
	slot        slot
	rest        int
	kind        byte
	path, value []byte
}

// match decides a condition on one field of its slots.
func (c *condition) match(f *spot) bool {
	switch k := fields[c.field].kind; {
	case c.field == fieldHas:
		return c.has(f)
	case k == kindMeta:
		return c.meta(f)
	case k == kindNumber:
		return f.kind == leaf.Number && c.matchNumber(f.value)
	case f.kind != leaf.String:
		return false
	}
	for i := range c.values {
		if c.values[i].match(c.field, f) {
			return true
		}
	}
	return false
}

// match decides one value on a string.
func (v *value) match(field fieldNo, f *spot) bool {
	switch fields[field].kind {
	case kindKey:
		return v.is.match(f.value)
	case kindName:
		return v.folded.matchFolded(f.value)
	case kindWho:
		return v.who(f)
	case kindTarget:
		return v.target(f)
	case kindText:
		return v.phrase.in(f.value)
	case kindPath:
		if v.is.isPointer() {
			return v.is.matchPath(f.value)
		}
		return v.is.matchName(f.value)
	case kindOutcome:
		return string(f.value) == outcomes[v.word]
	case kindIP:
		a, ok := parseAddress(f.value)
		return ok && v.network.Contains(a)
	default:
		return false
	}
}

// who decides a value of actor or via.
func (v *value) who(f *spot) bool {
	isID := f.slot == slotActorID || f.slot == slotViaID
	if v.of != nil {
		return isID && v.is.match(f.value) && f.sibling("/type", v.of)
	}
	if isID {
		return v.is.match(f.value)
	}
	return v.folded.matchFolded(f.value)
}

// target decides a value of target.
func (v *value) target(f *spot) bool {
	switch {
	case v.of != nil:
		return f.slot == slotTargetID && v.is.match(f.value) && f.sibling("/type", v.of)
	case f.slot == slotTargetID:
		return v.is.match(f.value)
	case f.slot == slotTargetName:
		return v.folded.matchFolded(f.value)
	}
	return false
}

// sibling reports whether the member of the same object as f is a string that matches p. The fields of one object stand together.
func (f *spot) sibling(member string, p pattern) bool {
	object := f.path[:bytes.LastIndexByte(f.path, '/')]
	for _, step := range [...]int{1, -1} {
		for j := f.i + step; j >= 0 && j < f.doc.Len(); j += step {
			path := f.doc.Path(j)
			if !bytes.HasPrefix(path, object) || len(path) == len(object) || path[len(object)] != '/' {
				break
			}
			if string(path[len(object):]) == member {
				return f.doc.Type(j) == leaf.String && p.match(f.doc.Value(j))
			}
		}
	}
	return false
}

// matchNumber decides a condition on a number.
func (c *condition) matchNumber(token []byte) bool {
	d, ok := parseDecimal(token)
	if !ok {
		return false
	}
	for i := range c.values {
		if v := &c.values[i]; v.numeric && v.between(&d) {
			return true
		}
	}
	return false
}

// between reports whether d is in the range of v.
func (v *value) between(d *decimal) bool {
	if v.low != nil {
		if n := d.compare(v.low); n < 0 || n == 0 && v.openLow {
			return false
		}
	}
	if v.high != nil {
		if n := d.compare(v.high); n > 0 || n == 0 && v.openHigh {
			return false
		}
	}
	return true
}

// meta decides a condition on metadata.
func (c *condition) meta(f *spot) bool {
	text := f.value
	switch f.kind {
	case leaf.String, leaf.Number:
	case leaf.True:
		text = []byte("true")
	case leaf.False:
		text = []byte("false")
	default:
		return false
	}
	if !isKey(f.path, f.rest, c.key, false) {
		return false
	}
	if f.kind == leaf.Number && c.matchNumber(text) {
		return true
	}
	for i := range c.values {
		if v := &c.values[i]; !v.numeric && v.is.match(text) {
			return true
		}
	}
	return false
}

// has decides whether f makes one of the fields present.
func (c *condition) has(f *spot) bool {
	switch f.kind {
	case leaf.Null, leaf.EmptyArray, leaf.EmptyObject:
		return false
	case leaf.String:
		if len(f.value) == 0 && f.slot != slotChangePath {
			return false
		}
	}
	for i := range c.values {
		v := &c.values[i]
		for _, s := range fields[v.has].slots {
			if s == f.slot && (!v.has.withKey() || isKey(f.path, f.rest, v.key, true)) {
				return true
			}
		}
	}
	return false
}

// anyWord reports whether w is one of the words.
func (c *condition) anyWord(w byte) bool {
	for i := range c.values {
		if c.values[i].word == w {
			return true
		}
	}
	return false
}
