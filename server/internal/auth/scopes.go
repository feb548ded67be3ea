package auth

import (
	"fmt"
	"strings"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/control"
)

// Scopes is a set of rights. No scope contains another.
type Scopes uint8

// The scopes.
const (
	Record  Scopes = 1 << iota // record events
	Read                       // search, tail, one entry
	Export                     // make and fetch exports
	Viewer                     // mint viewer tokens
	Manage                     // what belongs to one org: keys, and later schemas, retention, holds, streams
	Operate                    // the instance: every org, storage, backups

	None Scopes = 0
	All         = Record | Read | Export | Viewer | Manage | Operate
)

// table is the one list of scopes, in the order in which they are printed.
var table = []struct {
	scope Scopes
	word  string
	may   string
}{
	{Record, "record", "record events"},
	{Read, "read", "search, tail, read one entry"},
	{Export, "export", "make and fetch exports"},
	{Viewer, "viewer", "mint viewer tokens"},
	{Manage, "manage", "manage the organization: its keys and settings"},
	{Operate, "operate", "operate the instance: every organization, storage, backups"},
}

// Has reports whether s holds at least one scope of some.
func (s Scopes) Has(some Scopes) bool { return s&some != 0 }

// Words returns the scopes as words.
func (s Scopes) Words() []string {
	words := []string{}
	for _, row := range table {
		if s.Has(row.scope) {
			words = append(words, row.word)
		}
	}
	return words
}

// String joins the words with commas.
func (s Scopes) String() string { return strings.Join(s.Words(), ",") }

// ParseScopes reads words. An unknown one is invalid_value and named.
func ParseScopes(words []string) (Scopes, error) {
	var s Scopes
next:
	for _, word := range words {
		for _, row := range table {
			if row.word == word {
				s |= row.scope
				continue next
			}
		}
		return None, &daybook.Error{
			Code: daybook.CodeInvalid, Rule: "invalid_value", Field: "/scopes",
			Message: fmt.Sprintf("there is no scope %q: the scopes are %s.", word, strings.Join(All.Words(), ", ")),
		}
	}
	return s, nil
}

// MayMakeKey reports whether p may make, or revoke, a key for org (empty: all organizations) with the scopes s: manage for its own
// org and every scope but operate, operate for every key.
func (p *Principal) MayMakeKey(org daybook.OrgID, s Scopes) bool {
	if p.Scopes.Has(Operate) {
		return true
	}
	return p.Scopes.Has(Manage) && org != "" && p.Reaches(org) && !s.Has(Operate)
}

// MaySeeKey reports whether p may list or revoke a key of org (empty: a key for all organizations).
func (p *Principal) MaySeeKey(org daybook.OrgID) bool {
	return p.MayMakeKey(org, None)
}

// Reaches reports whether p may touch org at all. The instance's own log is for operators, and for keys made for it alone.
func (p *Principal) Reaches(org daybook.OrgID) bool {
	if p.Org == "" {
		return org != control.Instance || p.Scopes.Has(Operate)
	}
	return p.Org == org
}
