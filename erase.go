package daybook

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/internal/pointer"
	"github.com/daybook-audit/daybook/internal/typeid"
	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/query"
)

// maxReason bounds the texts of a control entry.
const maxReason = 1024

// EraseRequest says what is to be erased. Which entries: those that Actor, Target, Event and Text, as far as they are set, select
// together; All alone selects every entry. What of them: Whole entries; or the fields at Paths; or, with neither, what is personal about
// Actor or Target (see [Book.PreviewErase]).
type EraseRequest struct {
	Org OrgID
	ID  string // ers_…; empty: one is made. Repeating a request with the same id erases nothing more

	Actor  *Party // the actor, or one element of its via
	Target *Party // one of the targets
	Event  ID
	Text   string // a query (docs/reference/query-language.md), without relative times; times without a zone are UTC
	All    bool
	Size   int64 // only entries below this seq, such as those of a preview; 0: all there are

	Whole bool
	// Paths are JSON pointers of fields, or of objects and arrays with everything below; * stands for any one member or element:
	// /actor/email, /targets/*/name, /metadata.
	Paths []string
	// HideNames says that the names of the erased fields are personal too: no list of them is kept.
	HideNames bool

	Reason     string // required; it stands in the log for ever: no personal data
	LegalBasis string // such as gdpr_art_17
	By         Party
	ApprovedBy *Party // the second of two who agreed; nil: one is enough
}

// ErasePreview says what an erasure would remove.
type ErasePreview struct {
	Size    int64            // of the log that was looked at
	Entries int64            // of which something would go
	Whole   int64            // of these, whole ones
	Fields  int64            // that would go from the others
	Paths   map[string]int64 // the fields by JSON pointer, with * for every index
	Held    map[string]int64 // entries that a hold keeps, by the hold's id; with any, the erasure is refused
	First   int64            // seq of the first and last entry; −1: none
	Last    int64
}

// Erasure is an erasure that was asked for and stands in the log.
type Erasure struct {
	Org         OrgID
	ID          string
	Seqs        []int64 // of its control entries
	Items       string  // what they name (docs/reference/integrity.md, section 9), all parts together
	Of          string  // origin of the epoch whose entries they name, where they were erased again after a restore; empty: the log's own
	Entries     int64
	Reason      string
	LegalBasis  string
	By          Party
	ApprovedBy  *Party
	RequestedAt int64 // received_at of the first control entry, µs
	CompletedAt int64 // when the last value was gone from the store, µs; 0: not yet
}

// PreviewErase says what Erase would do with r, and changes nothing.
//
// Without Whole and Paths what is personal goes: of the actor or via element that is Actor its name, email and metadata, and, if it is
// the actor, ip, user_agent and session_id of the context; of each target that is Target its name and metadata, and, if it is the first,
// the old and new values of the changes. Types and ids stay: they are what the log is about; Paths names them where they must go too.
func (b *Book) PreviewErase(ctx context.Context, r EraseRequest) (ErasePreview, error) {
	s, err := b.selection(&r)
	if err != nil {
		return ErasePreview{}, err
	}
	if _, err := b.existing(ctx, r.Org); err != nil {
		return ErasePreview{}, fmt.Errorf("preview an erasure: %w", err)
	}
	a, done, err := b.knownActs(ctx, r.Org)
	if err != nil {
		return ErasePreview{}, fmt.Errorf("preview an erasure: %w", err)
	}
	s.holds = slices.Clone(a.holds)
	done()
	if err := s.run(ctx, b); err != nil {
		return ErasePreview{}, fmt.Errorf("preview an erasure: %w", err)
	}
	return s.preview, nil
}

// Erase removes values from the log for good: their salts and, with them, the secret of the entry go too, so that nothing is left to
// guess with. What stays is the entry's place, id and time, and commitments that keep every proof valid.
//
// When it returns, the control entries that name what goes are durable, and the values are still there: a job of this Book removes them
// from blocks, filters, commits, idempotency keys and caches in the background, over restarts, and [Book.Erasure] says when that is done.
// The error is CodeConflict with rule on_hold if a hold covers any of it, and CodeNotFound with rule nothing_to_erase if nothing is
// selected; then nothing was recorded. After ErrUnknownOutcome repeat the call with the same ID.
func (b *Book) Erase(ctx context.Context, r EraseRequest) (Erasure, error) {
	if err := r.checkActs(); err != nil {
		return Erasure{}, err
	}
	s, err := b.selection(&r)
	if err != nil {
		return Erasure{}, err
	}
	if r.ID == "" {
		r.ID = newID("ers")
	}
	return again(ctx, func() (Erasure, error) {
		s.list, s.preview = itemList{}, ErasePreview{}
		return b.erase(ctx, s)
	})
}

// erase is Erase of a selection.
func (b *Book) erase(ctx context.Context, s *selection) (Erasure, error) {
	r := s.r
	a, v, err := b.lockActs(ctx, r.Org)
	if err != nil {
		return Erasure{}, fmt.Errorf("erase: %w", err)
	}
	defer a.unlock()
	if _, known := a.erasure(r.ID); known {
		return b.Erasure(ctx, r.Org, r.ID)
	}
	s.holds = a.inForce()
	if err := s.run(ctx, b); err != nil {
		return Erasure{}, fmt.Errorf("find what to erase: %w", err)
	}
	if err := s.refusal(); err != nil {
		return Erasure{}, err
	}
	c := control{Op: opErase, ErasureID: r.ID, Count: s.preview.Entries, Basis: r.LegalBasis, Reason: r.Reason, By: r.By}
	c.ApprovedBy = r.ApprovedBy
	if r.HideNames {
		c.Names = namesErased
	}
	// A crash before this leaves nothing; after it the merger finds the entries in the log and does what they say.
	if err := b.recordParts(ctx, r.Org, &c, s.list.texts(), v.basis()); err != nil {
		return Erasure{}, fmt.Errorf("erase: %w", err)
	}
	return b.Erasure(ctx, r.Org, r.ID)
}

// namesErased in a control entry says that the names of the erased fields are not kept.
const namesErased = "erased"

func (r *EraseRequest) checkActs() error {
	switch {
	case r.Reason == "":
		return &Error{Code: CodeInvalid, Rule: "required", Field: "reason", Message: "an erasure needs a reason."}
	case len(r.Reason) > maxReason || len(r.LegalBasis) > maxReason:
		return &Error{Code: CodeInvalid, Rule: "invalid_value", Field: "reason", Message: fmt.Sprintf("reason and legal basis have at most %d bytes.", maxReason)}
	case r.ID != "" && !validID("ers", r.ID):
		return &Error{Code: CodeInvalid, Rule: "invalid_format", Field: "id", Message: "the id of an erasure is ers_ and 26 characters."}
	}
	if r.ApprovedBy != nil {
		if err := checkParty(*r.ApprovedBy); err != nil {
			return err
		}
	}
	return checkParty(r.By)
}

func validID(prefix, id string) bool {
	_, err := typeid.Parse(prefix, id)
	return err == nil
}

func checkParty(p Party) error {
	if p.Type == "" || p.ID == "" || len(p.Type) > 512 || len(p.ID) > 512 {
		return &Error{Code: CodeInvalid, Rule: "required", Field: "by", Message: "who is responsible has a type and an id of 1 to 512 bytes."}
	}
	return nil
}

// selection is one erasure being selected.
type selection struct {
	r       *EraseRequest
	query   *query.Query
	paths   [][]string // components
	holds   []*activeHold
	doc     *leaf.Doc
	list    itemList
	preview ErasePreview
}

// selection reads r.
func (b *Book) selection(r *EraseRequest) (*selection, error) {
	if !r.Org.Valid() {
		return nil, errInvalidOrg(r.Org)
	}
	s := &selection{r: r}
	parts := []*query.Query{}
	if r.Text != "" {
		q, err := query.Parse(r.Text, query.Options{Place: query.Search})
		if err != nil {
			return nil, &Error{Code: CodeInvalid, Rule: "query_invalid", Field: "q", Message: queryMessage(err), Err: err}
		}
		parts = append(parts, q)
	}
	if r.Actor != nil {
		parts = append(parts, query.Actor(r.Actor.Type, r.Actor.ID))
	}
	if r.Target != nil {
		parts = append(parts, query.Target(r.Target.Type, r.Target.ID))
	}
	if !r.Event.IsZero() {
		q, err := query.Parse("id:"+r.Event.String(), query.Options{})
		if err != nil {
			return nil, fmt.Errorf("query an id: %w", err)
		}
		parts = append(parts, q)
	}
	s.query = query.And(parts...)
	for _, p := range r.Paths {
		if len(p) < 2 || p[0] != '/' {
			return nil, &Error{Code: CodeInvalid, Rule: "invalid_format", Field: "paths", Message: fmt.Sprintf("%q is no path: it begins with / and names a member.", truncate(p, 64))}
		}
		s.paths = append(s.paths, strings.Split(p[1:], "/"))
	}
	switch {
	case r.All == !s.query.Empty():
		return nil, &Error{Code: CodeInvalid, Rule: "required", Field: "selection", Message: "say which entries: by actor, target, event or query, or all of them."}
	case r.Whole && len(r.Paths) > 0:
		return nil, &Error{Code: CodeInvalid, Rule: "invalid_value", Field: "paths", Message: "either whole entries or paths."}
	case !r.Whole && len(r.Paths) == 0 && r.Actor == nil && r.Target == nil:
		return nil, &Error{Code: CodeInvalid, Rule: "required", Field: "paths", Message: "say what to erase: whole entries, paths, or what is personal about an actor or target."}
	}
	return s, nil
}

// run looks at every entry.
func (s *selection) run(ctx context.Context, b *Book) error {
	s.doc = leaf.Get()
	defer leaf.Put(s.doc)
	s.preview = ErasePreview{First: -1, Last: -1, Paths: map[string]int64{}, Held: map[string]int64{}}
	return b.sweep(ctx, s.r.Org, s.query, sweepOptions{size: s.r.Size}, func(sc *scan, e *kept.Entry) (bool, error) {
		s.preview.Size = sc.size
		return true, s.entry(sc, e)
	})
}

// entry takes one entry that matches.
func (s *selection) entry(sc *scan, e *kept.Entry) error {
	if e.Gone() || s.r.Whole && e.Kind == KindControl {
		return nil // nothing is left of it, or nobody may
	}
	var fields []int
	if !s.r.Whole {
		var err error
		if fields, err = s.fields(e); err != nil {
			return err
		}
		if len(fields) == 0 {
			return nil
		}
	}
	if h := holding(s.holds, &sc.rec); h != nil {
		s.preview.Held[h.ID]++
	}
	p := &s.preview
	if p.Entries == 0 {
		p.First = e.Seq
	}
	p.Last = e.Seq
	p.Entries++
	if fields == nil {
		p.Whole++
	}
	p.Fields += int64(len(fields))
	return s.list.add(e.Seq, fields)
}

// fields returns the indexes of the fields of e that are to go and are there.
func (s *selection) fields(e *kept.Entry) ([]int, error) {
	var fs []leaf.Field
	var err error
	if e.Form == kept.FormFields {
		fs, err = kept.ReadFields(e.Body)
	} else if err = s.doc.Read(e.Text(nil)); err == nil {
		s.doc.Sort()
		fs = make([]leaf.Field, s.doc.Len())
		for i := range fs {
			fs[i].Path, fs[i].Value = s.doc.Path(i), s.doc.Value(i)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("entry %d: %w", e.Seq, ofStored(err))
	}
	wanted := s.personal
	if len(s.paths) > 0 {
		wanted = s.byPath
	}
	var out []int
	for i := range fs {
		if fs[i].Withheld || len(fs[i].Path) == 0 || !wanted(fs, &fs[i]) || e.Kind == KindControl && !erasableOfControl(fs[i].Path) {
			continue
		}
		out = append(out, i)
		s.preview.Paths[starred(fs[i].Path)]++
	}
	return out, nil
}

// erasableOfControl reports whether a field of a control entry may be erased: what it did stays provable.
func erasableOfControl(path []byte) bool {
	return string(path) == "/reason" || bytes.HasPrefix(path, []byte("/by/"))
}

// byPath reports whether f lies at or below one of the paths.
func (s *selection) byPath(_ []leaf.Field, f *leaf.Field) bool {
	have := strings.Split(pointer.OfPath(f.Path)[1:], "/")
	return slices.ContainsFunc(s.paths, func(want []string) bool {
		if len(want) > len(have) {
			return false
		}
		for i := range want {
			if want[i] != "*" && want[i] != have[i] {
				return false
			}
		}
		return true
	})
}

// personal reports whether f is personal about the actor or target asked for.
func (s *selection) personal(fs []leaf.Field, f *leaf.Field) bool {
	return s.r.Actor != nil && personalOfActor(fs, f.Path, s.r.Actor) || s.r.Target != nil && personalOfTarget(fs, f.Path, s.r.Target)
}

func personalOfActor(fs []leaf.Field, path []byte, who *Party) bool {
	switch string(path) {
	case "/context/ip", "/context/user_agent", "/context/session_id":
		return isParty(fs, "/actor", who)
	}
	rest, ok := bytes.CutPrefix(path, []byte("/actor/"))
	if !ok {
		return false
	}
	at := "/actor"
	if via, ok := bytes.CutPrefix(rest, []byte("via/")); ok {
		index, member, _ := bytes.Cut(via, []byte("/"))
		at, rest = "/actor/via/"+string(index), member
	}
	return personalMember(rest) && isParty(fs, at, who)
}

func personalOfTarget(fs []leaf.Field, path []byte, who *Party) bool {
	if rest, ok := bytes.CutPrefix(path, []byte("/changes/")); ok {
		_, member, _ := bytes.Cut(rest, []byte("/"))
		first, _, _ := bytes.Cut(member, []byte("/"))
		return (string(first) == "old" || string(first) == "new") && isParty(fs, "/targets/~#0", who)
	}
	rest, ok := bytes.CutPrefix(path, []byte("/targets/"))
	if !ok {
		return false
	}
	index, member, _ := bytes.Cut(rest, []byte("/"))
	return personalMember(member) && isParty(fs, "/targets/"+string(index), who)
}

// personalMember reports whether a member of an actor or target says something about a person.
func personalMember(member []byte) bool {
	first, _, _ := bytes.Cut(member, []byte("/"))
	switch string(first) {
	case "name", "email", "metadata":
		return true
	}
	return false
}

// isParty reports whether the object at a path has this type and id.
func isParty(fs []leaf.Field, at string, who *Party) bool {
	return valueAt(fs, at+"/type") == who.Type && valueAt(fs, at+"/id") == who.ID
}

func valueAt(fs []leaf.Field, path string) string {
	for i := range fs {
		if string(fs[i].Path) == path && !fs[i].Withheld {
			return string(fs[i].Value)
		}
	}
	return ""
}

// starred returns the JSON pointer of a path with * for every index.
func starred(path []byte) string {
	parts := strings.Split(string(path), "/")
	for i, p := range parts {
		if strings.HasPrefix(p, "~#") {
			parts[i] = "*"
		}
	}
	return strings.Join(parts, "/")
}

// refusal says why the selection cannot be erased.
func (s *selection) refusal() error {
	if len(s.preview.Held) > 0 {
		ids := make([]string, 0, len(s.preview.Held))
		for id := range s.preview.Held {
			ids = append(ids, id)
		}
		slices.Sort(ids)
		return &Error{Code: CodeConflict, Rule: "on_hold", Message: "a hold keeps what is to be erased: " + strings.Join(ids[:min(len(ids), 10)], ", ")}
	}
	if s.preview.Entries == 0 {
		return &Error{Code: CodeNotFound, Rule: "nothing_to_erase", Message: "nothing that is still there is selected"}
	}
	return nil
}

// erased takes a control entry that erases, or a part of one. The caller holds mu.
func (a *knownActs) erased(org OrgID, c *control, e *kept.Entry) {
	x := a.byID[c.ErasureID]
	if x == nil {
		x = &Erasure{Org: org, ID: c.ErasureID, Entries: c.Count, Reason: c.Reason, LegalBasis: c.Basis, By: c.By, ApprovedBy: c.ApprovedBy, RequestedAt: e.Received, Items: cmp.Or(c.Items, c.OfItems), Of: c.Of}
		a.byID[c.ErasureID], a.erasures = x, append(a.erasures, x)
	} else {
		x.Items += ";" + cmp.Or(c.Items, c.OfItems)
	}
	x.Seqs = append(x.Seqs, e.Seq)
}

func (a *logActs) erasure(id string) (Erasure, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	x, ok := a.byID[id]
	if !ok {
		return Erasure{}, false
	}
	out := *x
	out.Seqs = slices.Clone(x.Seqs)
	return out, true
}

// Erasure returns one erasure of org and how far it is: CodeNotFound if there is none with this id.
func (b *Book) Erasure(ctx context.Context, org OrgID, id string) (Erasure, error) {
	xs, err := b.Erasures(ctx, org)
	if err != nil {
		return Erasure{}, err
	}
	for i := range xs {
		if xs[i].ID == id {
			return xs[i], nil
		}
	}
	return Erasure{}, &Error{Code: CodeNotFound, Message: "there is no erasure " + truncate(id, 64)}
}

// Erasures returns every erasure of org's log in the order in which they were asked for. They are read from the log itself.
func (b *Book) Erasures(ctx context.Context, org OrgID) ([]Erasure, error) {
	v, err := b.view(ctx, org)
	if err != nil || v.head.Log == 0 {
		return nil, err
	}
	a, done, err := b.knownActs(ctx, org)
	if err != nil || a == nil {
		return nil, err
	}
	out := make([]Erasure, 0, len(a.erasures))
	for _, x := range a.erasures {
		out = append(out, *x)
		out[len(out)-1].Seqs = slices.Clone(x.Seqs)
	}
	done()
	slips, err := b.controlSlips(ctx, v.head.Log)
	if err != nil {
		return nil, err
	}
	doneAt := make(map[int64]int64, len(slips))
	for _, s := range slips {
		doneAt[s.seq] = s.done
	}
	for i := range out {
		for _, seq := range out[i].Seqs {
			at := doneAt[seq]
			if at == 0 {
				out[i].CompletedAt = 0
				break
			}
			out[i].CompletedAt = max(out[i].CompletedAt, out[i].RequestedAt, at) // the time of a log may be ahead of the clock
		}
	}
	return out, nil
}
