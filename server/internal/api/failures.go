package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/control"
)

// damage says which place of a log is damaged, in problems and in what a search left out.
type damage struct {
	From    *int64 `json:"from" doc:"Seq of the first entry that cannot be read; null: it is no place of entries." example:"512"`
	To      *int64 `json:"to" doc:"Seq after the last one." example:"1024"`
	Check   string `json:"check" enum:"block,payload,list,tree,checkpoint,head,rollback,fork" doc:"What does not hold." example:"block"`
	Finding string `json:"finding" doc:"What a check of the store calls it." example:"block_damaged"`
	Detail  string `json:"detail" doc:"For people." example:"entries 512 to 1023: the checksum of a block does not agree"`
}

func showDamage(d *daybook.Damage) damage {
	out := damage{Check: d.Check, Finding: d.Finding(), Detail: d.String()}
	if d.From >= 0 {
		out.From, out.To = &d.From, &d.To
	}
	return out
}

// finding is what is false about a log.
type finding struct {
	Epoch   int    `json:"epoch,omitempty" minimum:"0" doc:"Of the log."`
	Check   string `json:"check" minLength:"1" maxLength:"1024" doc:"What did not hold: leaf, inclusion, signature, consistency, or a check of the store." example:"leaf"`
	Finding string `json:"finding" minLength:"1" maxLength:"1024" doc:"Its word." example:"leaf_mismatch"`
	Seq     int64  `json:"seq" minimum:"-1" doc:"Of the first entry concerned; -1: not known." example:"7"`
	Size    int64  `json:"size,omitempty" minimum:"0" doc:"Of the tree that was checked." example:"48201"`
	Want    string `json:"want,omitempty" maxLength:"1024" doc:"The hash computed, where two were compared."`
	Got     string `json:"got,omitempty" maxLength:"1024" doc:"The hash that stood there."`
	Detail  string `json:"detail" maxLength:"1024" doc:"For people."`
}

// failure is a finding as the API shows it.
type failure struct {
	ID           string           `json:"id" doc:"The same finding has the same id, whoever finds it." example:"9a1c0b7e55d2f80134aa7b1c"`
	Epoch        int              `json:"epoch" doc:"Of the log."`
	Check        string           `json:"check" doc:"What did not hold: leaf, inclusion, signature, consistency, or a check of the store." example:"leaf"`
	Finding      string           `json:"finding" doc:"Its word." example:"leaf_mismatch"`
	Seq          int64            `json:"seq" doc:"Of the first entry concerned; -1: not known." example:"7"`
	Size         int64            `json:"size,omitempty" doc:"Of the tree that was checked." example:"48201"`
	Want         string           `json:"want,omitempty" doc:"The hash computed, where two were compared."`
	Got          string           `json:"got,omitempty" doc:"The hash that stood there."`
	Detail       string           `json:"detail" doc:"For people."`
	By           party            `json:"by" doc:"Who found it: a program of the server, or who told of it."`
	FoundAt      stamp            `json:"found_at" format:"date-time"`
	Acknowledged *acknowledgement `json:"acknowledged,omitempty" doc:"Who has seen it; left out: nobody yet."`
}

type acknowledgement struct {
	By     party  `json:"by"`
	At     stamp  `json:"at" format:"date-time"`
	Reason string `json:"reason" example:"restored from the backup of 3 October, ticket 118"`
}

type failureList struct {
	Failures []failure `json:"failures" nullable:"false" doc:"Newest first, at most 100."`
}

// acknowledging is what somebody has seen.
type acknowledging struct {
	Failures []finding `json:"failures" nullable:"false" minItems:"1" maxItems:"100" doc:"As they were listed, or as a verifier found them."`
	Reason   string    `json:"reason" minLength:"1" maxLength:"1024" doc:"What it was, or what is done about it. It stands in the log for ever: no personal data." example:"restored from the backup of 3 October, ticket 118"`
}

var (
	aboutListFailures = operation{
		id: "listFailures", tag: "Log", summary: "List what was found false of a log",
		text: "What the server found while it read, signed or checked its store, and what readers found and somebody acknowledged. A failure is not taken back: it is " +
			"acknowledged.",
		path: []param{pathOrg}, answers: ok(failureList{}, "What was found."),
	}
	aboutAcknowledge = operation{
		id: "acknowledgeFailures", tag: "Log", summary: "Acknowledge failures",
		text: "It stands in the log as `daybook.integrity.acknowledged` before it counts; in that of the instance when the log is frozen. The evidence stays as false as " +
			"it is. What was acknowledged before stays as it was.",
		path: []param{pathOrg}, request: []content{{mediaJSON, acknowledging{}}}, answers: ok(failureList{}, "Those that were named, as they stand."), faults: []int{413, 415, 503, 507},
	}
)

func showFailure(f *control.Failure) failure {
	out := failure{
		ID: f.ID, Epoch: f.Epoch, Check: f.Check, Finding: f.Finding, Seq: f.Seq, Size: f.Size, Want: f.Want, Got: f.Got, Detail: f.Detail, By: party(f.By),
		FoundAt: newStamp(f.FoundAt),
	}
	if a := f.Acknowledged; a != nil {
		out.Acknowledged = &acknowledgement{party(a.By), newStamp(a.At), a.Reason}
	}
	return out
}

func (c *call) sendFailures(all []control.Failure) {
	list := failureList{Failures: []failure{}}
	for i := range all {
		list.Failures = append(list.Failures, showFailure(&all[i]))
	}
	c.w.Header()["Cache-Control"] = askAgain
	c.send(http.StatusOK, jsonType, marshal(list))
}

func listFailures(c *call) error {
	l, err := c.log()
	if err != nil {
		return err
	}
	info, err := l.Info(c.r.Context())
	if err != nil {
		return err
	}
	if info.Fault != nil {
		c.noteDamage(*info.Fault)
	}
	all, err := c.s.Failures.List(c.r.Context(), c.org)
	if err != nil {
		return err
	}
	c.sendFailures(all)
	return nil
}

// warning is what an export of the log says of it: what was found false and nobody has acknowledged; empty when there is nothing.
func (c *call) warning() (string, error) {
	info, err := c.s.Book.Info(c.r.Context(), c.org)
	if err != nil {
		return "", err
	}
	if info[0].Fault != nil {
		c.noteDamage(*info[0].Fault)
	}
	open, err := c.s.Failures.Open(c.r.Context(), c.org)
	if err != nil || len(open) == 0 {
		return "", err
	}
	first := &open[0]
	for i := range open { // the one that concerns most of the log
		if f := &open[i]; f.Seq >= 0 && (first.Seq < 0 || f.Seq < first.Seq) {
			first = f
		}
	}
	text := fmt.Sprintf("integrity failed (%s)", first.Finding)
	if first.Seq >= 0 {
		text = fmt.Sprintf("integrity failed at entry %d (%s)", first.Seq, first.Finding)
	}
	if n := len(open) - 1; n > 0 {
		text += fmt.Sprintf(" and in %d more places", n)
	}
	return text, nil
}

// acknowledgeFailures takes a banner away, for everybody: the log keeps who did it and why.
func acknowledgeFailures(c *call) error {
	var in acknowledging
	if err := c.decode(&in, "failures", "reason"); err != nil {
		return err
	}
	if strings.TrimSpace(in.Reason) == "" || len(in.Reason) > 1024 {
		return invalid("invalid_value", "/reason", "reason is a text of 1 to 1024 bytes.")
	}
	if n := len(in.Failures); n == 0 || n > 100 {
		return invalid("invalid_value", "/failures", "failures has 1 to 100 elements.")
	}
	some := make([]control.Failure, 0, len(in.Failures))
	for i, f := range in.Failures {
		one := control.Failure{Epoch: f.Epoch, Check: f.Check, Finding: f.Finding, Seq: f.Seq, Size: f.Size, Want: f.Want, Got: f.Got, Detail: f.Detail}
		if wrong, ok := errors.AsType[*daybook.Error](one.Valid()); ok {
			return invalid(wrong.Rule, "/failures/"+itoa(i)+wrong.Field, "%s", wrong.Message)
		}
		some = append(some, one)
	}
	e := c.act("daybook.integrity.acknowledged", daybook.Target{Type: "log", ID: string(c.org)}, map[string]any{"failures": in.Failures})
	e.Reason = in.Reason
	err := c.did(c.org, e)
	if frozen, ok := errors.AsType[*daybook.Error](err); ok && frozen.Rule == "log_frozen" {
		err = c.did("", e) // of the instance
	}
	if err != nil {
		return err
	}
	seen, err := c.s.Failures.Acknowledge(c.r.Context(), c.org, some, c.by(), in.Reason)
	if err != nil {
		return err
	}
	c.sendFailures(seen)
	return nil
}

// noteDamage keeps that a log was found damaged, and records it in the log of the instance, once. Reading goes on whatever becomes of it:
// what is damaged is found again.
func (c *call) noteDamage(d daybook.Damage) {
	if c.s.Failures == nil || c.org == "" {
		return
	}
	key := string(c.org) + "\n" + d.Finding() + "\n" + itoa(int(d.From))
	if _, known := c.s.damages.LoadOrStore(key, true); known {
		return
	}
	c.s.log.LogAttrs(c.r.Context(), slog.LevelError, "a log is damaged", slog.String("org", string(c.org)), slog.String("check", d.Check), slog.String("message", d.String()))
	if err := c.keepDamage(context.WithoutCancel(c.r.Context()), d); err != nil {
		c.s.damages.Delete(key)
		c.s.log.LogAttrs(c.r.Context(), slog.LevelError, "the damage of a log is not kept", slog.String("org", string(c.org)), slog.Any("error", err))
	}
}

func (c *call) keepDamage(ctx context.Context, d daybook.Damage) error {
	epoch, named := plainDecimal(c.r.PathValue("epoch"))
	if !named {
		info, err := c.s.Book.Info(ctx, c.org)
		if err != nil {
			return err
		}
		epoch = int64(info[0].Epoch)
	}
	by := daybook.Party{Type: "system", ID: "daybook serve"}
	fresh, err := c.s.Failures.Note(ctx, c.org, control.DamageOf(int(epoch), d, by))
	if err != nil || !fresh {
		return err
	}
	c.s.Audit.Later(control.Instance, daybook.Event{
		Action: "daybook.integrity.failed", Actor: daybook.Actor{Type: by.Type, ID: by.ID}, Outcome: daybook.Failure, Reason: d.String(),
		Targets:  []daybook.Target{{Type: "log", ID: string(c.org)}},
		Metadata: marshal(map[string]any{"check": d.Check, "first_bad_seq": d.From, "finding": d.Finding()}),
	})
	return nil
}

// damages are those that this process has noted: reading a damaged log again writes nothing.
type damages = sync.Map
