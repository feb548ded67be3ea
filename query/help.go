package query

import "strings"

// glance is the grammar at a glance.
const glance = `actor:usr_1 actor.type:user action:invoice.* target:invoice:42     all must hold
outcome:failure,denied                                             any of these values
-action:daybook.*     NOT reason:test                              must not hold
occurred:2026-11-01..2026-11-08   http.status_code:>=500           ranges, comparisons
changed:amount  has:via  meta.plan:pro  meta."cost center":"R&D"   changes, presence, metadata
"paid by card"  refund*                                            phrase, word prefix
(outcome:failure OR outcome:denied) -actor.type:system             grouping
`

// HelpText returns the query language at a glance and its fields, as "daybook help query" prints them.
func HelpText() string {
	var b strings.Builder
	b.WriteString("QUERIES\n")
	for line := range strings.Lines(glance) {
		b.WriteString("  " + line)
	}
	b.WriteString("\nFIELDS\n")
	for i := range fields[:fieldText] {
		name := fields[i].name
		if fieldNo(i).withKey() {
			name += ".KEY"
		}
		b.WriteString("  " + pad(name, 16) + " " + pad(fields[i].kind.String(), 8) + " " + fields[i].means + "\n")
	}
	b.WriteString(`
KINDS
  key      the whole value, case counts; "*" stands for any run of characters, at most 4 times
  name     the same, case and accents do not count
  who      a key for ids, a name for names and e-mail addresses
  text     words in a row, case and accents do not count; "*" ends a word that may go on
  num      a number: 5  >5  >=5  <5  <=5  1..5  1..*
  time     2026  2026-11  2026-11-21  2026-11-21T14:22  now  today  yesterday  now-7d  today-1mo  now/d, compared like numbers
  ip       an address, or a block such as 10.0.0.0/8
  path     /lines/2/qty: a change there or below; qty: a member of that name at any depth

Quotes and backslashes make characters literal: "inv:42,7"  a\*b. AND, OR and NOT are words of the language only in capitals.
`)
	return b.String()
}

func pad(s string, n int) string { return s + strings.Repeat(" ", max(n-len(s), 0)) }
