package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/client"
	"github.com/daybook-audit/daybook/verify"
)

// watching is one log on a server. Nothing that the server says is trusted: it may show one reader another log than the next.
type watching struct {
	v    *verifying
	c    *client.Client
	org  daybook.OrgID
	full bool // from the first entry on, whatever was verified before
	bar  *progress

	rep *verify.Report
	now *verify.Note // the checkpoint of this round
}

// online verifies a log on its server.
func (v *verifying) online(ctx context.Context, e *env, full bool) error {
	w, found, err := v.watch(ctx, e)
	if err != nil {
		return err
	}
	if w == nil {
		return v.end(e, found)
	}
	w.full = full || len(v.options.Receipts) > 0
	w.bar = e.progress("entries", 0)
	r := w.round(ctx, e)
	w.bar.end()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return v.end(e, r)
}

// watch finds the log: that of --org, or of the key.
// Without --org the server is asked whose key it is; when it does not answer, the report says so and there is nothing to watch.
func (v *verifying) watch(ctx context.Context, e *env) (*watching, *verify.Report, error) {
	c, err := e.connect()
	if err != nil {
		return nil, nil, err
	}
	org, err := e.orgOf(ctx, c)
	if _, wrong := errors.AsType[*usageError](err); wrong {
		return nil, nil, err
	}
	if err != nil {
		r := &verify.Report{}
		unreachable(e, r, "ask whose key it is", err)
		return nil, r, nil
	}
	return &watching{v: v, c: c, org: org}, nil, nil
}

// unreachable adds that something could not be read, which proves nothing.
func unreachable(e *env, r *verify.Report, what string, err error) {
	why, cause, _ := e.reason(err)
	if cause != "" {
		why += ": " + cause
	}
	r.Add(verify.Finding{Code: verify.Unreachable, Seq: -1, Message: "cannot " + what + ": " + why})
}

// tries bounds how often a round begins again because entries were removed while it ran.
const tries = 4

// round looks at the log once: the newest checkpoint against what is pinned and remembered, and every entry that was not verified yet.
func (w *watching) round(ctx context.Context, e *env) *verify.Report {
	for try := 1; ; try++ {
		err := w.try(ctx, e)
		if err == nil {
			return w.rep
		}
		code := daybook.CodeOf(err)
		if (code == daybook.CodeConflict || code == daybook.CodeGone) && try < tries {
			continue
		}
		if code == daybook.CodeNotFound && w.shrunk(ctx) {
			return w.rep
		}
		unreachable(e, w.rep, "read the entries", err)
		return w.rep
	}
}

// shrunk finds a log that is shorter than what was signed of it, by its own server's word.
func (w *watching) shrunk(ctx context.Context) bool {
	info, err := w.c.LogInfo(ctx, w.org)
	if err != nil || info.Origin != w.now.Origin || info.Size >= w.now.Size {
		return false
	}
	w.rep.Add(verify.Finding{Code: verify.Rollback, Seq: info.Size, Message: fmt.Sprintf(
		"%d entries were signed, and the server says that its log ends at %d", w.now.Size, info.Size)})
	return true
}

// try is one attempt; an error is that of fetching the entries.
func (w *watching) try(ctx context.Context, e *env) error {
	w.rep = &verify.Report{}
	info, err := w.c.LogInfo(ctx, w.org)
	if err != nil {
		unreachable(e, w.rep, "read about the log", err)
		return nil
	}
	w.clock(info.ClockVkey)
	text, err := w.c.Checkpoint(ctx, w.org)
	if err != nil {
		unreachable(e, w.rep, "read the checkpoint", err)
		return nil
	}
	w.rep = verify.Checkpoint(text, w.v.options)
	if w.rep.Exit() == exitTampered || w.rep.Note == "" || w.rep.Has(verify.ProofMissing) {
		return nil
	}
	if w.now, err = verify.ParseNote(text); err != nil {
		return fmt.Errorf("read the checkpoint again: %w", err)
	}
	if err := w.link(ctx); err != nil {
		unreachable(e, w.rep, "read a consistency proof", err)
		return nil
	}
	if w.rep.Exit() == exitTampered {
		return nil
	}
	return w.entries(ctx, info.MinIndex)
}

// clock pins the clock that the server names if the reader has pinned none: it is the operator's own in any case, and another one later
// is a finding.
func (w *watching) clock(vkey string) {
	k, err := verify.ParseKey(vkey)
	if err != nil || !k.Cosigner() {
		return // the checkpoint has no time then, and is stale
	}
	pinned := slices.Clone(w.v.options.Keys)
	for _, m := range w.v.memory {
		pinned = append(pinned, m.Keys...)
	}
	if !slices.ContainsFunc(pinned, verify.Key.Cosigner) {
		w.v.options.Keys = append(w.v.options.Keys, k)
	}
}

// link proves that the log only grew since each remembered checkpoint. The server makes the proof, the remembered root decides.
func (w *watching) link(ctx context.Context) error {
	old := []*verify.Note{w.v.options.Since}
	if m := w.v.memory[w.now.Origin]; m != nil {
		old = append(old, m.Note)
	}
	for _, n := range old {
		if n == nil || n.Origin != w.now.Origin || n.Size == 0 || n.Size >= w.now.Size {
			continue // the checkpoint alone has told
		}
		proof, err := w.c.Consistency(ctx, w.org, n.Size, w.now.Size)
		if err != nil {
			return err
		}
		if err := verify.CheckConsistency(proof, w.now.Size, w.now.Root, n.Size, n.Root); err != nil {
			w.rep.Add(verify.Finding{Code: verify.ProofInvalid, Seq: -1, Message: fmt.Sprintf(
				"the log of %d entries does not begin with the remembered one of %d: %v", w.now.Size, n.Size, err)})
		}
	}
	return nil
}

// entries verifies what was not verified yet, with a bundle that must be of exactly this range of exactly this tree.
func (w *watching) entries(ctx context.Context, minIndex int64) error {
	from := int64(0)
	memory := &verify.Memory{}
	if m := w.v.memory[w.now.Origin]; m != nil {
		memory.Keys, memory.Size, memory.Holds = m.Keys, m.Size, m.Holds
	}
	if !w.full {
		from = memory.Size
	}
	if from >= w.now.Size {
		return nil
	}
	if w.bar != nil {
		w.bar.total = w.now.Size - from
	}
	r, gaps := &verify.Report{}, [][2]int64{{from, w.now.Size}}
	if begin := max(from, minIndex); begin < w.now.Size {
		var err error
		if r, err = w.run(ctx, memory, begin, w.now.Size); err != nil {
			return err
		}
		gaps = r.Unexplained(from, begin)
	}
	// What the server has pruned with its hashes is told by the prune entries that it showed, and by nothing else.
	for _, gap := range gaps {
		one, err := w.run(ctx, memory, gap[0], gap[1])
		if daybook.CodeOf(err) == daybook.CodeGone {
			one, err = &verify.Report{}, nil
			one.Add(verify.Finding{Code: verify.ProofMissing, Seq: gap[0], Message: fmt.Sprintf("the server shows nothing of the entries %d to %d, and no prune entry names them", gap[0], gap[1]-1)})
		}
		if err != nil {
			return err
		}
		if r.Origin == "" {
			r = one
		} else {
			r.Join(one)
		}
	}
	r.From, r.To = from, w.now.Size
	w.merge(r)
	return nil
}

// run verifies a range of the log.
func (w *watching) run(ctx context.Context, memory *verify.Memory, from, to int64) (*verify.Report, error) {
	in, err := w.c.Bundle(ctx, w.org, from, to, w.now.Size)
	if err != nil {
		return nil, err
	}
	o := w.v.options
	o.Since, o.MaxAge = nil, 0 // told by the checkpoint
	o.State = verify.State{w.now.Origin: memory}
	for origin, m := range w.v.memory {
		if origin != w.now.Origin {
			o.State[origin] = m // a key of the epoch before is told from a stranger's
		}
	}
	if w.bar != nil {
		done := w.bar.total - (w.now.Size - from)
		o.Progress = func(n, _ int64) { w.bar.at(done + n) }
	}
	r := verify.Bundle(in, o)
	if err := in.Close(); err != nil && r.Exit() == exitDone {
		return nil, err
	}
	w.compare(r, from, to)
	return r, nil
}

// compare holds the bundle against what was asked for: a server that shows less, or another tree, must not pass.
func (w *watching) compare(r *verify.Report, from, to int64) {
	find := func(code verify.Code, format string, args ...any) {
		r.Add(verify.Finding{Code: code, Seq: -1, Message: fmt.Sprintf(format, args...)})
	}
	switch {
	case r.Note == "":
		// It ended before its checkpoint, and a finding says why.
	case r.Origin != w.now.Origin || r.Size != w.now.Size || r.From != from || r.To != to:
		find(verify.HeaderMismatch, "asked for %d to %d of %s at size %d, the server sent %d to %d of %s at %d",
			from, to, w.now.Origin, w.now.Size, r.From, r.To, r.Origin, r.Size)
	case r.Root != w.now.Root:
		find(verify.Fork, "two roots of size %d: %s and %s, both from the server", r.Size, w.now.Root, r.Root)
	case r.Filtered || r.Masked:
		find(verify.ProofMissing, "the server left entries or fields out of what it sent")
	}
}

// merge makes one report of the checkpoint's and the entries'. A key that only the rotations of the bundle lead to vouches for the
// checkpoint too.
func (w *watching) merge(r *verify.Report) {
	first := w.rep
	if first.Has(verify.KeyUnknown) && r.Exit() == exitDone {
		if k, err := verify.ParseKey(r.Key); err == nil {
			o := w.v.options
			o.Keys = append(slices.Clip(o.Keys), k)
			first = verify.Checkpoint([]byte(first.Note), o)
		}
	}
	r.Origin, r.Size, r.Root, r.Note, r.Witnesses = first.Origin, first.Size, first.Root, first.Note, first.Witnesses
	if !first.Signed.IsZero() {
		r.Signed = first.Signed
	}
	for _, f := range first.Findings {
		if !r.Has(f.Code) {
			r.Add(f)
		}
	}
	w.rep = r
}
