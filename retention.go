package daybook

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

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

// RetentionRule says how long the entries that it matches are kept.
type RetentionRule struct {
	Match string // a query of action, actor.type and target.type; empty or "*": every entry
	Keep  Period // counted from received_at

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
// is kept for ever.
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
	return microsPerDay
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
	Before  int64            // received_at before which entries go, µs
	Entries int64            // that would go
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
		plan.Rules[i] = RulePlan{Rule: rules[i].name(), Before: rules[i].cutoff, Held: map[string]int64{}}
	}
	err = b.sweep(ctx, org, nil, sweepOptions{}, func(s *scan, e *packed) (bool, error) {
		plan.Size = s.size
		i := ruleOf(rules, s, e)
		if i < 0 {
			plan.Kept++
			return true, nil
		}
		r := &plan.Rules[i]
		switch h := holding(holds, &s.rec); {
		case e.received >= r.Before:
			r.Later++
			if due := dueAt(e.received, rules[i].Keep.d); r.Next == 0 || due < r.Next {
				r.Next = due
			}
		case h != nil:
			r.Held[h.ID]++
		default:
			r.Entries++
			r.Bytes += int64(len(e.body))
		}
		return true, nil
	})
	if err != nil {
		return RetentionPlan{}, fmt.Errorf("plan retention: %w", err)
	}
	return plan, nil
}

// ruleOf returns the place of the rule that counts for the entry that s has just matched, −1 if none does. Control entries are never
// removed, and of an erased entry nothing is left to remove.
func ruleOf(rules []retentionRule, s *scan, e *packed) int {
	if e.kind == KindControl || e.form == formLeaf {
		return -1
	}
	for i := range rules {
		if rules[i].query.Match(&s.rec) {
			return i
		}
	}
	return -1
}

// maxPrune bounds how many entries one ApplyRetention names.
const maxPrune = 500_000

// Pruned says what an ApplyRetention has asked for.
type Pruned struct {
	Entries int64   // that are named by prune entries now
	Held    int64   // entries that are due and that a hold keeps
	Seqs    []int64 // of the prune entries
	More    bool    // there is more to remove: apply it again when this is carried out
}

// ApplyRetention removes what is due: it records prune entries that name it, durable when it returns, and the merger carries them out in
// the background, over restarts. Nothing is recorded when nothing is due, and none while earlier prune entries of the log are not
// carried out. Entries under a hold stay; control entries and the tombstones of erased entries do too. The proofs of everything that
// goes stay possible: its leaf is kept.
func (b *Book) ApplyRetention(ctx context.Context, org OrgID, p Retention) (Pruned, error) {
	now := b.now()
	rules, err := p.definite(now)
	if err != nil || len(rules) == 0 {
		return Pruned{}, err
	}
	if p.By == (Party{}) {
		p.By = Party{Type: "system", ID: "retention"}
	}
	a, v, err := b.lockActs(ctx, org)
	if err != nil {
		return Pruned{}, fmt.Errorf("apply retention: %w", err)
	}
	defer a.unlock()
	if waits, err := b.prunePending(ctx, &v); err != nil || waits {
		return Pruned{More: waits}, err
	}
	d := due{rules: rules, holds: a.inForce(), lists: make([]itemList, len(rules))}
	for i := range rules {
		d.until = max(d.until, rules[i].cutoff)
	}
	if err := b.sweep(ctx, org, nil, sweepOptions{skip: d.skip}, d.entry); err != nil {
		return Pruned{}, fmt.Errorf("find what is due: %w", err)
	}
	return b.recordPrunes(ctx, org, &p, &d)
}

// prunePending reports whether a prune entry of the log is not carried out.
func (b *Book) prunePending(ctx context.Context, v *view) (bool, error) {
	for _, r := range v.runs {
		for i := range r.len() {
			if r.c.entries[r.at+i].state>>stateKind != KindControl {
				continue
			}
			if c, err := parseControl(r.entry(i).body); err == nil && c.Op == opPrune {
				return true, nil
			}
		}
	}
	slips, err := b.controlSlips(ctx, v.head.Log)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(slips, func(s controlSlip) bool { return s.removes && s.done == 0 }), nil
}

// due is what an ApplyRetention finds.
type due struct {
	rules []retentionRule
	holds []*activeHold
	until int64 // no rule removes what was received at this time or later
	lists []itemList
	found int64
	held  int64
	more  bool
}

// skip passes over blocks of which nothing is left, and ends where nothing can be due.
func (d *due) skip(m *BlockMeta) (skip, end bool) { return m.Live == 0, m.Received.Min >= d.until }

func (d *due) entry(s *scan, e *packed) (more bool, err error) {
	if e.received >= d.until {
		return false, nil
	}
	i := ruleOf(d.rules, s, e)
	if i < 0 || e.received >= d.rules[i].cutoff {
		return true, nil
	}
	if holding(d.holds, &s.rec) != nil {
		d.held++
		return true, nil
	}
	if d.found == maxPrune {
		d.more = true
		return false, nil
	}
	d.found++
	return true, d.lists[i].add(e.seq, nil)
}

// recordPrunes records the prune entries of what was found: those of all rules in one commit.
func (b *Book) recordPrunes(ctx context.Context, org OrgID, p *Retention, d *due) (Pruned, error) {
	out := Pruned{Entries: d.found, Held: d.held, More: d.more}
	var texts [][]byte
	for i := range d.lists {
		parts := d.lists[i].texts()
		for k, items := range parts {
			c := control{
				Op: opPrune, Items: items, Keep: keepLeaf, Policy: d.rules[i].name(), Before: string(AppendTime(nil, d.rules[i].cutoff)), By: p.By,
			}
			if c.Count = d.lists[i].entries; len(parts) > 1 {
				c.Part, c.Parts = k+1, len(parts)
			}
			text, err := json.Marshal(&c)
			if err != nil {
				return Pruned{}, fmt.Errorf("write a control entry: %w", err)
			}
			texts = append(texts, text)
		}
	}
	if len(texts) == 0 {
		return out, nil
	}
	// A crash before this leaves nothing; after it the merger finds the entries in the log and does what they say.
	receipts, err := b.recordControls(ctx, org, texts)
	if err != nil {
		return Pruned{}, fmt.Errorf("apply retention: %w", err)
	}
	for i := range receipts {
		out.Seqs = append(out.Seqs, receipts[i].Seq)
	}
	return out, nil
}

// keepLeaf in a prune entry says that the leaf of what goes stays, and with it every proof.
const keepLeaf = "leaf"
