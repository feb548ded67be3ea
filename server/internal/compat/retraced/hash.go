package retraced

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/daybook-audit/daybook"
)

// Hash is what Retraced's clients compute over the event that they sent and the id that they were answered, and insist on. It is no
// tamper evidence: it omits most of the event, and two events can have the same. id is the answer's, 32 hexadecimal digits.
func (e *Event) Hash(id string) string {
	sum := sha256.Sum256([]byte(e.hashed(id)))
	return hex.EncodeToString(sum[:])
}

// hashed is the text that is hashed.
func (e *Event) hashed(id string) string {
	var b strings.Builder
	part := func(s string) {
		b.WriteString(escapeColon.Replace(s))
		b.WriteByte(':')
	}
	flag := func(set bool) {
		if set {
			part("1")
			return
		}
		part("0")
	}
	target, actor, group := "", "", ""
	if e.Target != nil {
		target = e.Target.ID
	}
	if e.Actor != nil {
		actor = e.Actor.ID
	}
	if e.Group != nil {
		group = e.Group.ID
	}
	for _, s := range []string{id, e.Action, target, actor, group, e.SourceIP} {
		part(s)
	}
	flag(e.IsFailure)
	flag(e.IsAnonymous)
	if e.Fields == nil {
		b.WriteByte(':')
	}
	writePairs(&b, e.Fields)
	if e.ExternalID != "" {
		b.WriteString(":" + escapeColon.Replace(e.ExternalID))
	}
	if e.Metadata != nil {
		b.WriteByte(':')
		writePairs(&b, e.Metadata)
	}
	return b.String()
}

var (
	escapeColon = strings.NewReplacer("%", "%25", ":", "%3A")
	escapePair  = strings.NewReplacer("%", "%25", ":", "%3A", "=", "%3D", ";", "%3B")
)

// writePairs writes a map by its keys in the order in which JavaScript sorts: by UTF-16 code unit.
func writePairs(b *strings.Builder, m map[string]string) {
	keys := slices.SortedFunc(maps.Keys(m), func(x, y string) int {
		return slices.Compare(utf16.Encode([]rune(x)), utf16.Encode([]rune(y)))
	})
	for _, k := range keys {
		b.WriteString(escapePair.Replace(k) + "=" + escapePair.Replace(m[k]) + ";")
	}
}

// eventID is an id as Retraced writes it: the digits of the UUID.
func eventID(id daybook.ID) string { return hex.EncodeToString(id[:]) }
