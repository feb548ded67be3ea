package control

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/daybook-audit/daybook"
)

// kindRetention is how one organization's log is kept: a document under the empty org, whose id is the organization's.
const kindRetention = "retention"

// RetentionRule says how long what it matches is kept.
type RetentionRule struct {
	Match string // a query of action, actor.type, target.type; empty: every entry
	Keep  string // a length of time, as daybook.ParsePeriod reads it
	Leave string // what is left then: leaf, hash or tile; empty: as Retention says
}

// Retention is how one organization's log is kept.
type Retention struct {
	Rules     []RetentionRule // the first that matches counts; what none matches is kept for ever
	Leave     string          // what the rules leave that do not say it themselves; empty: leaf
	Floor     string          // no rule may keep less; empty: any length
	Approvers int             // how many people an erasure needs: 1 or 2
	UpdatedAt time.Time       // zero: nothing was ever set
	UpdatedBy daybook.Party
}

type ruleDocument struct {
	Match string `json:"match"`
	Keep  string `json:"keep"`
	Leave string `json:"leave,omitempty"`
}

type retentionDocument struct {
	Rules     []ruleDocument `json:"rules"`
	Leave     string         `json:"leave,omitempty"`
	Floor     string         `json:"floor,omitempty"`
	Approvers int            `json:"approvers,omitempty"`
	UpdatedAt moment         `json:"updated_at"`
	UpdatedBy daybook.Party  `json:"updated_by"`
}

func (d *retentionDocument) retention() Retention {
	r := Retention{Leave: cmp.Or(d.Leave, string(daybook.LeaveLeaf)), Floor: d.Floor, Approvers: max(1, d.Approvers), UpdatedAt: d.UpdatedAt.time(), UpdatedBy: d.UpdatedBy}
	for _, rule := range d.Rules {
		r.Rules = append(r.Rules, RetentionRule(rule))
	}
	return r
}

// Policy returns the rules in the form in which a Book applies them, or an *Error that names what is wrong with one.
func (r *Retention) Policy() (daybook.Retention, error) {
	var p daybook.Retention
	floor, err := r.floor()
	if err != nil {
		return p, err
	}
	if err := daybook.Leave(r.Leave).Check(); err != nil {
		return p, inField(err, "/leave")
	}
	for i, rule := range r.Rules {
		keep, err := daybook.ParsePeriod(rule.Keep)
		if err != nil {
			return p, inField(err, fmt.Sprintf("/rules/%d/keep", i))
		}
		if keep.Duration() < floor.Duration() {
			return p, &daybook.Error{
				Code: daybook.CodeInvalid, Rule: "below_floor", Field: fmt.Sprintf("/rules/%d/keep", i),
				Message: fmt.Sprintf("rule %d keeps for %s, and nothing may be kept for less than %s.", i, keep, floor),
			}
		}
		if err := daybook.Leave(rule.Leave).Check(); err != nil {
			return p, inField(err, fmt.Sprintf("/rules/%d/leave", i))
		}
		p.Rules = append(p.Rules, daybook.RetentionRule{Match: rule.Match, Keep: keep, Leave: daybook.Leave(cmp.Or(rule.Leave, r.Leave))})
	}
	return p, p.Check()
}

func (r *Retention) floor() (daybook.Period, error) {
	if r.Floor == "" {
		return daybook.Period{}, nil
	}
	floor, err := daybook.ParsePeriod(r.Floor)
	if err != nil {
		return floor, inField(err, "/floor")
	}
	return floor, nil
}

// inField says in which member the fault is.
func inField(err error, field string) error {
	if e, ok := errors.AsType[*daybook.Error](err); ok {
		moved := *e
		moved.Field = field
		return &moved
	}
	return err
}

// Retentions keeps how logs are kept. Safe for concurrent use.
type Retentions struct {
	docs daybook.Documents
	now  func() time.Time
}

// NewRetentions returns what is kept in docs.
func NewRetentions(docs daybook.Documents, now func() time.Time) *Retentions {
	return &Retentions{docs: docs, now: now}
}

// Get returns how the log of org is kept; where nothing was set, for ever.
func (r *Retentions) Get(ctx context.Context, org daybook.OrgID) (Retention, error) {
	v, _, err := r.get(ctx, org)
	return v, err
}

func (r *Retentions) get(ctx context.Context, org daybook.OrgID) (Retention, int64, error) {
	d, err := r.docs.Get(ctx, kindRetention, "", string(org))
	if errors.Is(err, daybook.ErrNotExist) {
		return Retention{Leave: string(daybook.LeaveLeaf), Approvers: 1}, 0, nil
	}
	if err != nil {
		return Retention{}, 0, fmt.Errorf("read the retention of %s: %w", org, err)
	}
	var doc retentionDocument
	if err := json.Unmarshal(d.Data, &doc); err != nil {
		return Retention{}, 0, fmt.Errorf("read the retention of %s: %w", org, err)
	}
	return doc.retention(), d.Version, nil
}

// Set replaces how the log of org is kept, durable on return, and returns what it was before and what it is now. Without loosen the
// floor and the number of approvers may only rise: *Error of CodeForbidden. accept is called with both before anything is written; an
// error of it writes nothing.
func (r *Retentions) Set(ctx context.Context, org daybook.OrgID, want Retention, loosen bool, accept func(before, after Retention) error) (before, after Retention, err error) {
	if want.Approvers == 0 {
		want.Approvers = 1
	}
	if want.Approvers < 1 || want.Approvers > 2 {
		return before, after, &daybook.Error{Code: daybook.CodeInvalid, Rule: "invalid_value", Field: "/erasure_approvers", Message: "an erasure needs one or two people."}
	}
	if _, err := want.Policy(); err != nil {
		return before, after, err
	}
	for {
		before, version, err := r.get(ctx, org)
		if err != nil {
			return before, after, err
		}
		if err := tightens(&before, &want); err != nil && !loosen {
			return before, after, err
		}
		doc := retentionDocument{Leave: want.Leave, Floor: want.Floor, Approvers: want.Approvers, UpdatedAt: at(r.now()), UpdatedBy: want.UpdatedBy}
		for _, rule := range want.Rules {
			doc.Rules = append(doc.Rules, ruleDocument(rule))
		}
		after = doc.retention()
		if err := accept(before, after); err != nil {
			return before, after, err
		}
		data, err := json.Marshal(doc)
		if err != nil {
			return before, after, fmt.Errorf("write the retention of %s: %w", org, err)
		}
		_, err = r.docs.Put(ctx, daybook.Document{Kind: kindRetention, ID: string(org), Version: version, Data: data})
		if err == nil {
			return before, after, nil
		}
		if !errors.Is(err, daybook.ErrVersionMoved) {
			return before, after, fmt.Errorf("write the retention of %s: %w", org, err)
		}
	}
}

// tightens refuses a lower floor and fewer approvers.
func tightens(before, after *Retention) error {
	was, err := before.floor()
	if err != nil {
		return err
	}
	is, err := after.floor()
	if err != nil {
		return err
	}
	if is.Duration() < was.Duration() || after.Approvers < before.Approvers {
		return &daybook.Error{
			Code: daybook.CodeForbidden, Rule: "only_tighter",
			Message: "the floor and the number of approvers may only rise; an operator of the instance can lower them.",
		}
	}
	return nil
}

// Each calls f for every organization for which something was set.
func (r *Retentions) Each(ctx context.Context, f func(org daybook.OrgID, v Retention) error) error {
	return list(ctx, r.docs, kindRetention, func(d daybook.Document) error {
		var doc retentionDocument
		if err := json.Unmarshal(d.Data, &doc); err != nil {
			return fmt.Errorf("read the retention of %s: %w", d.ID, err)
		}
		return f(daybook.OrgID(d.ID), doc.retention())
	})
}
