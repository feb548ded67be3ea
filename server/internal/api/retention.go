package api

import (
	"net/http"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/control"
)

// retentionRule is one rule as the API reads and shows it.
type retentionRule struct {
	Match string `json:"match" doc:"A query of action, actor.type and target.type; empty: every entry." example:"action:auth.*"`
	Keep  string `json:"keep" doc:"How long, from received_at: 60 (seconds), 90s, 15m, 2h, 30d, 1w, 1y." example:"400d"`
	Leave string `json:"leave,omitempty" enum:"leaf,hash,tile" doc:"What is left in the log then; left out: as the rules say together." example:"hash"`
}

type retention struct {
	Rules     []retentionRule `json:"rules" nullable:"false" doc:"The first that matches an entry counts; what none matches is kept for ever."`
	Leave     string          `json:"leave" enum:"leaf,hash,tile" doc:"What the rules leave that do not say it: the leaf, the leaf hash, or of whole runs of 256 entries the root." example:"leaf"`
	Floor     *string         `json:"floor" doc:"No rule may keep less; null: any length." example:"365d"`
	Approvers int             `json:"erasure_approvers" doc:"How many people an erasure needs." example:"1"`
	UpdatedAt *stamp          `json:"updated_at" format:"date-time"`
	UpdatedBy *party          `json:"updated_by,omitempty"`
}

type newRetention struct {
	Rules     []retentionRule `json:"rules" nullable:"false" maxItems:"100"`
	Leave     *string         `json:"leave,omitempty" enum:"leaf,hash,tile" doc:"Left out: as it is." example:"leaf"`
	Floor     *string         `json:"floor,omitempty" doc:"Left out: as it is. It may only rise, unless the key may operate the instance." example:"365d"`
	Approvers *int            `json:"erasure_approvers,omitempty" minimum:"1" maximum:"2" doc:"Left out: as it is. It may only rise, unless the key may operate the instance."`
}

type planRequest struct {
	Rules []retentionRule `json:"rules,omitempty" nullable:"false" maxItems:"100" doc:"Left out: those in force."`
	Leave *string         `json:"leave,omitempty" enum:"leaf,hash,tile" doc:"Left out: as it is in force." example:"leaf"`
}

type retentionPlan struct {
	Size  int64      `json:"size" doc:"Of the log that was looked at."`
	Rules []rulePlan `json:"rules" nullable:"false"`
	Kept  int64      `json:"kept" doc:"Entries that no rule matches; control entries are among them."`
}

type rulePlan struct {
	Rule    string           `json:"rule" example:"action:auth.* 400d"`
	Leave   string           `json:"leave" enum:"leaf,hash,tile" doc:"What would be left." example:"leaf"`
	Before  stamp            `json:"before" format:"date-time" doc:"What was received before goes."`
	Entries int64            `json:"entries" doc:"Of which something would go now."`
	Bytes   int64            `json:"bytes" doc:"Of their payloads."`
	Later   int64            `json:"later" doc:"Entries that the rule matches and that are not due."`
	Next    *stamp           `json:"next" format:"date-time" doc:"When the first of them is due; null: there are none."`
	Held    map[string]int64 `json:"held" doc:"Entries that are due and kept, by the id of the hold."`
}

type pruned struct {
	Entries int64   `json:"entries" doc:"Entries that are named for removal now."`
	Held    int64   `json:"held" doc:"Entries that are due and that a hold keeps."`
	Seqs    []int64 `json:"seqs" nullable:"false" doc:"Of the prune entries that name them."`
	More    bool    `json:"more" doc:"There is more, or an earlier removal is under way: run it again."`
}

// party is who is responsible for an act.
type party struct {
	Type string `json:"type" example:"api_key"`
	ID   string `json:"id" example:"key_01m7w2y7m0fhra2avt0s3fj8ks"`
}

func showParty(p daybook.Party) *party {
	if p == (daybook.Party{}) {
		return nil
	}
	return &party{p.Type, p.ID}
}

// by is the principal as who is responsible.
func (c *call) by() daybook.Party {
	a := actorOf(c.principal)
	return daybook.Party{Type: a.Type, ID: a.ID}
}

func showRetention(r *control.Retention) retention {
	out := retention{Rules: []retentionRule{}, Leave: r.Leave, Approvers: r.Approvers, UpdatedAt: maybeStamp(r.UpdatedAt), UpdatedBy: showParty(r.UpdatedBy)}
	for _, rule := range r.Rules {
		out.Rules = append(out.Rules, retentionRule(rule))
	}
	if r.Floor != "" {
		out.Floor = &r.Floor
	}
	return out
}

func rulesOf(in []retentionRule) []control.RetentionRule {
	out := make([]control.RetentionRule, 0, len(in))
	for _, rule := range in {
		out = append(out, control.RetentionRule(rule))
	}
	return out
}

func getRetention(c *call) error {
	r, err := c.s.Retentions.Get(c.r.Context(), c.org)
	if err != nil {
		return err
	}
	c.send(http.StatusOK, jsonType, marshal(showRetention(&r)))
	return nil
}

func putRetention(c *call) error {
	var in newRetention
	if err := c.decode(&in, "rules"); err != nil {
		return err
	}
	if len(in.Rules) > 100 {
		return invalid("invalid_value", "/rules", "there are at most 100 rules.")
	}
	want, err := c.s.Retentions.Get(c.r.Context(), c.org)
	if err != nil {
		return err
	}
	want.Rules, want.UpdatedBy = rulesOf(in.Rules), c.by()
	if in.Leave != nil {
		want.Leave = *in.Leave
	}
	if in.Floor != nil {
		want.Floor = *in.Floor
	}
	if in.Approvers != nil {
		want.Approvers = *in.Approvers
	}
	// Its event is durable before the change: nothing is kept otherwise than the log knows of.
	_, after, err := c.s.Retentions.Set(c.r.Context(), c.org, want, c.principal.Scopes.Has(auth.Operate), func(before, after control.Retention) error {
		return c.did(c.org, c.signed(control.RetentionChanged(c.org, &before, &after)))
	})
	if err != nil {
		return err
	}
	c.send(http.StatusOK, jsonType, marshal(showRetention(&after)))
	return nil
}

func planRetention(c *call) error {
	var in planRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	r, err := c.s.Retentions.Get(c.r.Context(), c.org)
	if err != nil {
		return err
	}
	if in.Rules != nil {
		r.Rules, r.Floor = rulesOf(in.Rules), "" // what may be set is asked when it is
	}
	if in.Leave != nil {
		r.Leave = *in.Leave
	}
	policy, err := r.Policy()
	if err != nil {
		return err
	}
	plan, err := c.s.Book.PlanRetention(c.r.Context(), c.org, policy)
	if err != nil {
		return err
	}
	out := retentionPlan{Size: plan.Size, Kept: plan.Kept, Rules: []rulePlan{}}
	for _, rule := range plan.Rules {
		out.Rules = append(out.Rules, rulePlan{
			Rule: rule.Rule, Leave: string(rule.Leave), Before: stampOf(rule.Before), Entries: rule.Entries, Bytes: rule.Bytes, Later: rule.Later,
			Next: microStamp(rule.Next), Held: rule.Held,
		})
	}
	c.send(http.StatusOK, jsonType, marshal(out))
	return nil
}

func runRetention(c *call) error {
	if err := c.decode(&nothing{}); err != nil {
		return err
	}
	r, err := c.s.Retentions.Get(c.r.Context(), c.org)
	if err != nil {
		return err
	}
	policy, err := r.Policy()
	if err != nil {
		return err
	}
	p, err := c.s.Book.ApplyRetention(c.r.Context(), c.org, policy)
	if err != nil {
		return err
	}
	out := pruned{Entries: p.Entries, Held: p.Held, Seqs: p.Seqs, More: p.More}
	if out.Seqs == nil {
		out.Seqs = []int64{}
	} else {
		c.after(c.org, c.act("daybook.retention.applied", daybook.Target{Type: "log", ID: string(c.org)}, out))
	}
	c.send(http.StatusOK, jsonType, marshal(out))
	return nil
}

func stampOf(micros int64) stamp { return stamp(daybook.AppendTime(nil, micros)) }

// nothing is the body of a request that needs none.
type nothing struct{}
