// Package daybookhttp records HTTP requests: a middleware for net/http, and for every router that is one, such as chi. It puts the
// request into the scope of what the handler records, and records at most one event per request itself, after the handler.
//
// What it records passes through [DefaultNames] first: values whose name looks like a secret's are masked in the goroutine that met
// them. Bodies are kept up to a limit, and only JSON and forms; streams, upgrades and files are not touched.
package daybookhttp

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/daybook-audit/daybook"
)

// Level is how much of a request is recorded.
type Level int

// The levels. Each contains the one before it.
const (
	None            Level = iota // nothing
	Metadata                     // who, what, when, from where, and how it ended; path and path parameters
	Request                      // the query, a few headers and the request's body
	RequestResponse              // the body of the answer
)

// Treatment is what becomes of a value that has a name.
type Treatment int

// The treatments.
const (
	Keep Treatment = iota // recorded as it is
	Mask                  // recorded that it was there: {"$masked":true}
	Hash                  // recorded as an HMAC: equal values can be told, none can be read. Without a Secret of the Clerk it is Mask
	Drop                  // not recorded
)

// Bounds of Options.MaxBody.
const (
	DefaultMaxBody = 16 << 10
	LargestMaxBody = 96 << 10 // two of them, and the rest, fit into one event
)

// Options is how requests are recorded. The zero value records every request but GET, HEAD and OPTIONS, at the level Metadata.
type Options struct {
	// Actor says who asks. It is called after the handler ran, so that authentication may be the handler's, and when the handler
	// itself records; with the innermost request that is known (see [Innermost]). It MUST NOT believe a header that a client can
	// write. A zero Actor is the anonymous one. Nil: the actor of the request's context.
	Actor func(*http.Request) (daybook.Actor, error)
	// Org says whose log it is, called like Actor. Nil or empty: that of the context, or of the Clerk.
	Org func(*http.Request) (daybook.OrgID, error)

	Rules []Rule // the first that matches holds; nil: None for GET, HEAD and OPTIONS, Metadata for the rest. No match: None

	// TrustedProxies are those whose Forwarded, X-Forwarded-For and X-Real-IP are believed, read from right to left. None: the
	// address of the socket is the client's.
	TrustedProxies []netip.Prefix

	// Names says what becomes of a query parameter, header or JSON member of this name. Nil: DefaultNames. What it keeps is kept,
	// also from the Clerk's own DefaultRedactor.
	Names   func(name string) Treatment
	Headers []string // further request headers to keep, beside a short list of harmless ones; Names still holds

	// MaxBody is how many bytes are kept of each body; default 16 KiB, at most 96 KiB. Of one that was cut an HMAC of the whole is kept,
	// if the Clerk has a Secret.
	MaxBody int64

	// Complete finishes the event of a request, after the handler; false: it is not recorded. Nil: as it is.
	Complete func(x *Exchange, e *daybook.Event) bool

	// Refuse answers a request whose event could not be recorded and does not fail open, as long as nothing of the handler's answer is
	// out: up to MaxBody bytes are held back for that. What the handler did is done. Nil: 500 and a sentence.
	Refuse func(w http.ResponseWriter, r *http.Request, err error)

	// Before is asked before the handler of a request that will be recorded, for what will be gone afterwards; it stands in
	// Exchange.Before then. An error is a nil Before. Nil: nothing is asked.
	Before func(*http.Request) (json.RawMessage, error)
	// Action names the event of a request whose rule names none, before its handler runs. Nil or empty: "http.put".
	Action func(*http.Request) string
}

// Rule says how much is recorded of which requests.
type Rule struct {
	Methods []string // empty: all
	// Routes are patterns of http.ServeMux without a method, such as /invoices/{id}, or globs of paths, where * is any run of
	// characters. A pattern matches every path of its form, whatever the program's own router made of it. Empty: all.
	Routes []string
	Level  Level
	Action string // "invoice.updated"; empty: "http.put"
	Merge  bool   // record no second event when the handler recorded one: that one has the request from the scope
}

// defaultRules hold without rules.
var defaultRules = []Rule{
	{Methods: []string{http.MethodGet, http.MethodHead, http.MethodOptions}, Level: None},
	{Level: Metadata},
}

// DefaultNames masks what [daybook.SecretName] says is a secret's, and keeps the rest.
func DefaultNames(name string) Treatment {
	if daybook.SecretName(name) {
		return Mask
	}
	return Keep
}

// harmless are the request headers that are kept.
var harmless = []string{
	"Accept", "Accept-Language", "Content-Encoding", "Content-Language", "Content-Length", "Content-Type", "Idempotency-Key", "If-Match",
	"If-None-Match", "Origin", "Range", "Referer", "User-Agent",
}

// rule is a Rule made ready.
type rule struct {
	Rule
	place    int // in Options.Rules
	patterns []pattern
}

// prepared checks o and fills in what is left open.
func (o *Options) prepared() (rules []rule, err error) {
	if o.Rules == nil {
		o.Rules = defaultRules
	}
	for i, r := range o.Rules {
		if r.Level < None || r.Level > RequestResponse {
			return nil, fmt.Errorf("daybookhttp: rule %d has no level", i)
		}
		ready := rule{Rule: r, place: i}
		for _, route := range r.Routes {
			p, err := parsePattern(route)
			if err != nil {
				return nil, fmt.Errorf("daybookhttp: rule %d: %w", i, err)
			}
			ready.patterns = append(ready.patterns, p)
		}
		rules = append(rules, ready)
	}
	switch {
	case o.MaxBody < 0 || o.MaxBody > LargestMaxBody:
		return nil, fmt.Errorf("daybookhttp: MaxBody is at most %d bytes", LargestMaxBody)
	case o.MaxBody == 0:
		o.MaxBody = DefaultMaxBody
	}
	if o.Names == nil {
		o.Names = DefaultNames
	}
	return rules, nil
}

// find returns the first rule for a request; nil: None.
func find(rules []rule, method, path string) *rule {
	for i := range rules {
		r := &rules[i]
		if len(r.Methods) > 0 && !slices.ContainsFunc(r.Methods, func(m string) bool { return strings.EqualFold(m, method) }) {
			continue
		}
		if len(r.patterns) > 0 && !slices.ContainsFunc(r.patterns, func(p pattern) bool { return p.match(path) }) {
			continue
		}
		if r.Level == None {
			return nil
		}
		return r
	}
	return nil
}
