package daybook

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/internal/timeline"
	"github.com/daybook-audit/daybook/query"
)

// Period is how long something is kept: its text, such as 90d, and the length that it stands for. See [ParsePeriod].
type Period struct {
	text string
	d    time.Duration
}

// maxPeriod is the longest period: what a time.Duration can hold, about 292 years, with room to spare.
const maxPeriod = 250 * 365 * 24 * time.Hour

var periodUnits = map[string]time.Duration{
	"": time.Second, "s": time.Second, "sec": time.Second, "second": time.Second,
	"m": time.Minute, "min": time.Minute, "minute": time.Minute,
	"h": time.Hour, "hour": time.Hour,
	"d": 24 * time.Hour, "day": 24 * time.Hour,
	"w": 7 * 24 * time.Hour, "week": 7 * 24 * time.Hour,
	"y": 365 * 24 * time.Hour, "year": 365 * 24 * time.Hour,
}

// ParsePeriod reads a length of time as people write a time to live: 60 and 60s are seconds, 1m a minute, 2h, 1d, 1w, 1y of 365 days;
// decimals are allowed, and a unit may be spelled out, as in "2 days". Zero, negative and unknown texts are refused with an *Error. A
// month is no unit: it has no fixed length, and m is a minute.
func ParsePeriod(text string) (Period, error) {
	number, unit := strings.TrimSpace(text), ""
	if i := strings.IndexFunc(number, func(r rune) bool { return (r < '0' || r > '9') && r != '.' }); i >= 0 {
		number, unit = number[:i], strings.ToLower(strings.TrimSpace(number[i:]))
	}
	length, known := periodUnits[unit]
	if !known && len(unit) > 2 {
		length, known = periodUnits[strings.TrimSuffix(unit, "s")]
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || !known || !(n > 0) || n*float64(length) > float64(maxPeriod) || n*float64(length) < float64(time.Second) {
		return Period{}, &Error{
			Code: CodeInvalid, Rule: "invalid_value", Field: "keep",
			Message: fmt.Sprintf("%q is no length of time: write 60 (seconds), 90s, 15m, 2h, 30d, 1w or 1y.", truncate(text, 64)),
		}
	}
	return Period{text: strings.Join(strings.Fields(text), " "), d: time.Duration(math.Round(n * float64(length)))}, nil
}

// String returns the text that was read.
func (p Period) String() string { return p.text }

// Duration returns the length.
func (p Period) Duration() time.Duration { return p.d }

// Leave says what is left in the log of an entry whose time has passed. Its payload and secret go in any case; what leaves less proves less.
type Leave string

// What can be left. The empty text is LeaveLeaf.
const (
	// LeaveLeaf leaves id, time, kind and payload root: the entry's leaf, and with it every proof.
	LeaveLeaf Leave = "leaf"
	// LeaveHash leaves the leaf hash: every proof of others, and of this entry for who kept its leaf. Its id, time and kind are gone.
	LeaveHash Leave = "hash"
	// LeaveTile leaves, of whole aligned runs of 256 at the beginning of the log, only the root of each run: nothing shows the single
	// entry any more, and nobody can prove that it was there. Where a run is not whole yet it leaves the hash.
	LeaveTile Leave = "tile"
)

// Check returns an *Error unless l is one of the above, or empty.
func (l Leave) Check() error {
	switch l {
	case "", LeaveLeaf, LeaveHash, LeaveTile:
		return nil
	}
	return &Error{Code: CodeInvalid, Rule: "invalid_value", Field: "leave", Message: "leave is leaf, hash or tile."}
}

// form returns the form of an entry of which so much is left.
func (l Leave) form() kept.Form {
	switch l {
	case LeaveHash:
		return kept.FormHash
	case LeaveTile:
		return kept.FormNone
	case LeaveLeaf:
	}
	return kept.FormLeaf
}

// RetentionRule says how long the entries that it matches are kept, and what is left of them then.
type RetentionRule struct {
	Match string // a query of action, actor.type and target.type; empty or "*": every entry
	Keep  Period // counted from received_at
	Leave Leave

	Of *query.Query // for a rule that a program makes: what it matches beside Match; nil: nothing more is asked
}

// name is how the rule is called in control entries and tombstones.
func (r *RetentionRule) name() string {
	if r.Of != nil {
		return strings.TrimSpace(r.Match+" "+r.Of.String()) + " " + r.Keep.text
	}
	if r.Match == "" {
		return r.Keep.text
	}
	return r.Match + " " + r.Keep.text
}

// Retention says how long the entries of one log are kept. The first rule that matches an entry counts for it; one that no rule matches
// is kept for ever. An entry that retention has removed stays with the rule that did, as long as there is one with its Match; of any other
// that is gone no query knows more than that it is one: for it counts the first rule that matches whatever there is.
type Retention struct {
	Rules []RetentionRule
	By    Party // who answers for what it removes; zero: system retention
}

// retentionRule is a rule made definite.
type retentionRule struct {
	*RetentionRule
	query  *query.Query
	cutoff int64 // what was received before goes, µs
}

// definite reads the rules as of now.
func (p *Retention) definite(now int64) ([]retentionRule, error) {
	rules := make([]retentionRule, len(p.Rules))
	for i := range p.Rules {
		r := &p.Rules[i]
		if r.Keep.d <= 0 {
			return nil, &Error{Code: CodeInvalid, Rule: "required", Field: fmt.Sprintf("/rules/%d/keep", i), Message: "a retention rule says how long it keeps."}
		}
		if err := r.Leave.Check(); err != nil {
			return nil, fmt.Errorf("rule %d: %w", i, err)
		}
		match := r.Match
		if match == "*" { // as it is written in lists of rules
			match = ""
		}
		q, err := query.Parse(match, query.Options{Place: query.Retention})
		if err != nil {
			return nil, &Error{Code: CodeInvalid, Rule: "query_invalid", Field: fmt.Sprintf("/rules/%d/match", i), Message: queryMessage(err), Err: err}
		}
		if r.Of != nil {
			q = query.And(q, r.Of)
		}
		rules[i] = retentionRule{RetentionRule: r, query: q, cutoff: cutoff(now, r.Keep.d)}
	}
	return rules, nil
}

// cutoff returns the time before which a rule removes what was received. It moves in steps, of a day for a period of days, so that a
// block is rewritten and a control entry written once a step and not once an entry. Nothing goes before its time.
func cutoff(now int64, keep time.Duration) int64 {
	return max(0, floorTo(now-keep.Microseconds(), stepOf(keep)))
}

// dueAt returns the first moment at which the cutoff is after received.
func dueAt(received int64, keep time.Duration) int64 {
	step := stepOf(keep)
	return floorTo(received, step) + step + keep.Microseconds()
}

func stepOf(keep time.Duration) int64 {
	switch {
	case keep < time.Hour:
		return time.Minute.Microseconds()
	case keep < 48*time.Hour:
		return time.Hour.Microseconds()
	}
	return timeline.DayLength
}

// Check returns an *Error unless the rules can be applied.
func (p *Retention) Check() error {
	_, err := p.definite(0)
	return err
}

// RetentionPlan says what applying a Retention would remove now.
type RetentionPlan struct {
	Size  int64 // of the log that was looked at
	Rules []RulePlan
	Kept  int64 // entries that no rule matches
}

// RulePlan is what one rule would remove.
type RulePlan struct {
	Rule    string
	Leave   Leave            // what would be left of them
	Before  int64            // received_at before which entries go, µs
	Entries int64            // of which something would go
	Bytes   int64            // of their bodies
	Later   int64            // entries that the rule matches and still keeps
	Next    int64            // when the oldest of those is due, µs; 0: there is none
	Held    map[string]int64 // entries that are due and that a hold keeps, by the hold's id
}

// PlanRetention looks at every entry and says what ApplyRetention would remove. It changes nothing.
func (b *Book) PlanRetention(ctx context.Context, org OrgID, p Retention) (RetentionPlan, error) {
	rules, err := p.definite(b.now())
	if err != nil {
		return RetentionPlan{}, err
	}
	if _, err := b.existing(ctx, org); err != nil {
		return RetentionPlan{}, fmt.Errorf("plan retention: %w", err)
	}
	a, done, err := b.knownActs(ctx, org)
	if err != nil {
		return RetentionPlan{}, fmt.Errorf("plan retention: %w", err)
	}
	holds := append([]*activeHold(nil), a.holds...)
	done()
	plan := RetentionPlan{Rules: make([]RulePlan, len(rules))}
	for i := range rules {
		plan.Rules[i] = RulePlan{Rule: rules[i].name(), Leave: rules[i].Leave, Before: rules[i].cutoff, Held: map[string]int64{}}
	}
	d := due{rules: rules, holds: holds}
	err = b.sweep(ctx, org, nil, sweepOptions{skip: d.skip, tombstones: true}, func(s *scan, e *kept.Entry) (bool, error) {
		plan.Size = s.size
		i, says, h := d.judge(s, e)
		if i < 0 {
			plan.Kept++
			return true, nil
		}
		switch r := &plan.Rules[i]; says {
		case notYet:
			r.Later++
			if at := dueAt(e.Received, rules[i].Keep.d); r.Next == 0 || at < r.Next {
				r.Next = at
			}
		case held:
			r.Held[h.ID]++
		case goes:
			if r.Entries++; !e.Gone() {
				r.Bytes += int64(len(e.Body))
			}
		case passed:
		}
		return true, nil
	})
	if err != nil {
		return RetentionPlan{}, fmt.Errorf("plan retention: %w", err)
	}
	return plan, nil
}
