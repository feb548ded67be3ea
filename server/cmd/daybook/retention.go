package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook/client"
)

func newRetention(e *env) *cobra.Command {
	cmd := &cobra.Command{Use: "retention", Short: "How long entries are kept"}
	cmd.AddCommand(newRetentionShow(e), newRetentionPlan(e), newRetentionApply(e))
	return cmd
}

const retentionFields = "rules,leave,floor,erasure_approvers,updated_at,updated_by"

func newRetentionShow(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "show", Short: "The rules in force",
		Example: `  $ daybook retention show --org org_acme
  $ daybook retention show -o json > rules.json
  $ daybook retention show --json floor`,
		Annotations: map[string]string{fieldsNote: retentionFields, exitsNote: "0 shown · 3 there is no such organization · 4 not allowed"},
		Args:        exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := e.printer(splitFields(retentionFields), heading{name: "RULE"}, heading{name: "KEEP"}, heading{name: "LEAVE"})
			if err != nil {
				return err
			}
			c, err := e.connect()
			if err != nil {
				return err
			}
			r, err := c.Retention(cmd.Context())
			if err != nil {
				return cannot("show the rules", err)
			}
			if p.format == "json" || p.format == "ndjson" {
				return p.one(r)
			}
			for _, rule := range r.Rules {
				if err := p.addValue(rule, cell{text: ruleName(rule.Match)}, cell{text: rule.Keep}, cell{text: cmp.Or(rule.Leave, r.Leave)}); err != nil {
					return err
				}
			}
			e.note("%s", retentionNote(&r))
			return p.end()
		},
	}
}

func ruleName(match string) string {
	if match == "" {
		return "*"
	}
	return match
}

// retentionNote says in words what no rule says.
func retentionNote(r *client.Retention) string {
	text := "what no rule matches is kept for ever"
	if len(r.Rules) == 0 {
		text = "no rules: everything is kept for ever"
	}
	if r.Floor != nil {
		text += " · nothing is kept for less than " + *r.Floor
	}
	if r.Approvers != nil && *r.Approvers > 1 {
		text += " · an erasure needs two people"
	}
	return text
}

const planFields = "rule,leave,before,entries,bytes,later,next,held"

var planHeads = []heading{{name: "RULE"}, {name: "LEAVE"}, {name: "WOULD REMOVE", right: true}, {name: "BYTES", right: true}, {name: "NEXT"}, {name: "HELD"}}

func newRetentionPlan(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "plan [FILE]", Short: "What rules would remove now; nothing is removed",
		Long: `FILE holds rules as retention show -o json prints them, - is stdin; without it the rules in force are planned. The first rule that matches
an entry counts for it. Lengths: 60 (seconds), 90s, 15m, 2h, 30d, 1w, 1y. LEAVE is what is left: leaf (every proof), hash (neither id nor
time), tile (of whole runs of 256 entries one hash).`,
		Example: `  $ daybook retention plan rules.json
  $ daybook retention plan
  $ echo '{"rules":[{"match":"action:auth.*","keep":"400d"},{"match":"","keep":"90d"}]}' | daybook retention plan -`,
		Annotations: map[string]string{fieldsNote: planFields, exitsNote: "0 planned · 2 a rule is wrong · 3 there is no such log · 4 not allowed"},
		Args:        cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var rules client.Retention
			apply := "daybook retention apply FILE"
			if len(args) == 1 {
				var err error
				if rules, err = e.readRules(args[0]); err != nil {
					return err
				}
				apply = "daybook retention apply " + args[0]
			}
			p, err := e.printer(splitFields(planFields), planHeads...)
			if err != nil {
				return err
			}
			c, err := e.connect()
			if err != nil {
				return err
			}
			plan, err := c.PlanRetention(cmd.Context(), rules)
			if err != nil {
				return cannot("plan", err)
			}
			for i := range plan.Rules {
				if err := p.addValue(plan.Rules[i], planRow(&plan.Rules[i])...); err != nil {
					return err
				}
			}
			if err := p.end(); err != nil {
				return err
			}
			e.note("nothing was removed; %s matched by no rule · apply with: %s", count(int(plan.Kept), "entry is", "entries are"), apply)
			return nil
		},
	}
}

func planRow(r *client.RulePlan) []cell {
	var held []string
	for id, n := range r.Held {
		held = append(held, fmt.Sprintf("%d by %s", n, id))
	}
	slices.Sort(held)
	next, _, _ := strings.Cut(r.Next, ".")
	row := []cell{{text: r.Rule}, {text: r.Leave}, {text: strconv.FormatInt(r.Entries, 10)}, {text: strconv.FormatInt(r.Bytes, 10)}, {text: next}, {text: strings.Join(held, ", ")}}
	if r.Entries > 0 {
		row[2].tone = red
	}
	if len(held) > 0 {
		row[5].tone = amber
	}
	return row
}

func newRetentionApply(e *env) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "apply FILE", Short: "Put rules into force, and remove what is due",
		Long: `What is due is named in the log at once and removed in the background; what falls due later goes by itself. Entries under a hold stay.
Look first: daybook retention plan FILE.`,
		Example: `  $ daybook retention apply rules.json
  $ daybook retention apply rules.json --yes
  $ daybook retention show -o json | jq '.rules[0].keep = "1y"' | daybook retention apply - --yes`,
		Annotations: map[string]string{fieldsNote: "entries,held,seqs,more", exitsNote: "0 applied · 2 a rule is wrong, or not confirmed · 3 there is no such log · 4 not allowed, or below what may only rise"},
		Args:        exactArgs("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := e.readRules(args[0])
			if err != nil {
				return err
			}
			p, err := e.printer(splitFields("entries,held,seqs,more"), heading{name: "ENTRIES", right: true}, heading{name: "HELD", right: true}, heading{name: "CONTROL"})
			if err != nil {
				return err
			}
			c, err := e.connect()
			if err != nil {
				return err
			}
			plan, err := c.PlanRetention(cmd.Context(), r)
			if err != nil {
				return cannot("plan", err)
			}
			var due int64
			for i := range plan.Rules {
				due += plan.Rules[i].Entries
			}
			if err := e.confirm(yes, fmt.Sprintf("%d entries will be removed now, and others when they are due", due)); err != nil {
				return err
			}
			if _, err := c.SetRetention(cmd.Context(), r); err != nil {
				return cannot("set the rules", err)
			}
			done, err := c.RunRetention(cmd.Context())
			if err != nil {
				return cannot("remove what is due", err)
			}
			e.note("%s named in the log; the server removes them in the background", count(int(done.Entries), "entry is", "entries are"))
			return p.one(done, cell{text: strconv.FormatInt(done.Entries, 10)}, cell{text: strconv.FormatInt(done.Held, 10)}, cell{text: seqList(done.Seqs)})
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

func seqList(seqs []int64) string {
	words := make([]string, 0, len(seqs))
	for _, seq := range seqs {
		words = append(words, strconv.FormatInt(seq, 10))
	}
	return strings.Join(words, ",")
}

// readRules reads a file of rules, or stdin.
func (e *env) readRules(name string) (client.Retention, error) {
	var r client.Retention
	text, err := e.readInput(name)
	if err != nil {
		return r, err
	}
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&r); err != nil {
		return r, usage("%s holds no rules: %v", name, err)
	}
	if r.Rules == nil {
		return r, usage(`%s holds no rules: it is written {"rules":[{"match":"action:auth.*","keep":"400d"},{"match":"","keep":"90d"}]}`, name)
	}
	return r, nil
}

// readInput reads a small file, or stdin for -.
func (e *env) readInput(name string) ([]byte, error) {
	const most = 1 << 20
	from := e.stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, cannot("read "+name, err)
		}
		defer f.Close() //nolint:errcheck // opened for reading
		from = f
	}
	text, err := io.ReadAll(io.LimitReader(from, most+1))
	if err != nil {
		return nil, cannot("read "+name, err)
	}
	if len(text) > most {
		return nil, usage("%s is larger than 1 MiB", name)
	}
	return text, nil
}
