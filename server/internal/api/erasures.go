package api

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/typeid"
	"github.com/daybook-audit/daybook/server/internal/control"
)

// erasing says which entries, and what of them.
type erasing struct {
	Actor     *party   `json:"actor,omitempty" doc:"Entries of this actor, or that it did through another (via)."`
	Target    *party   `json:"target,omitempty" doc:"Entries about this target."`
	Event     string   `json:"event,omitempty" doc:"One entry, by its id." example:"evt_01m7z7rs1affyad5cmxxj94a79"`
	Query     string   `json:"query,omitempty" doc:"Entries that match, without relative times." example:"action:support.*"`
	All       bool     `json:"all,omitempty" doc:"Every entry, instead of a selection."`
	Whole     bool     `json:"whole,omitempty" doc:"Erase whole entries: what stays is a tombstone."`
	Paths     []string `json:"paths,omitempty" nullable:"false" maxItems:"100" doc:"Erase these fields, and what is below them; * stands for any one member or element. Without whole and paths what is personal about actor or target goes: name, email, metadata, address." example:"[\"/actor/email\",\"/targets/*/name\"]"`
	HideNames bool     `json:"hide_names,omitempty" doc:"The names of the fields are personal too: do not keep them."`
}

// newErasure is erasing with what an erasure needs on top. Its members stand here again: the schema generator leaves out unexported
// embedded structs.
type newErasure struct {
	ID         string   `json:"id,omitempty" doc:"Left out: one is made. The same id again erases nothing more." example:"ers_01m8054e3bek9amg680j6srjmm"`
	Actor      *party   `json:"actor,omitempty"`
	Target     *party   `json:"target,omitempty"`
	Event      string   `json:"event,omitempty" example:"evt_01m7z7rs1affyad5cmxxj94a79"`
	Query      string   `json:"query,omitempty" example:"action:support.*"`
	All        bool     `json:"all,omitempty"`
	Whole      bool     `json:"whole,omitempty"`
	Paths      []string `json:"paths,omitempty" nullable:"false" maxItems:"100" example:"[\"/actor/email\"]"`
	HideNames  bool     `json:"hide_names,omitempty"`
	Reason     string   `json:"reason" doc:"It stands in the log for ever: no personal data." example:"request 7"`
	LegalBasis string   `json:"legal_basis,omitempty" example:"gdpr_art_17"`
}

type erasurePreview struct {
	Size    int64            `json:"size" doc:"Of the log that was looked at."`
	Entries int64            `json:"entries" doc:"Of which something would go."`
	Whole   int64            `json:"whole" doc:"Of these, whole ones."`
	Fields  int64            `json:"fields" doc:"That would go from the others."`
	Paths   map[string]int64 `json:"paths" doc:"The fields, by JSON pointer; * stands for every index."`
	Held    map[string]int64 `json:"held" doc:"Entries that a hold keeps, by its id. With any, the erasure is refused: 409 on_hold."`
	First   *int64           `json:"first_seq"`
	Last    *int64           `json:"last_seq"`
}

type erasure struct {
	ID          string  `json:"id" example:"ers_01m8054e3bek9amg680j6srjmm"`
	State       string  `json:"state" enum:"awaiting_approval,pending,done" doc:"pending: it stands in the log, and the values are being removed."`
	ControlSeqs []int64 `json:"control_seqs" nullable:"false" doc:"Of its control entries."`
	Entries     int64   `json:"entries" doc:"Of which something goes."`
	Reason      string  `json:"reason"`
	LegalBasis  string  `json:"legal_basis"`
	By          *party  `json:"by"`
	ApprovedBy  *party  `json:"approved_by,omitempty" doc:"The second of two people, where two are needed."`
	RequestedAt stamp   `json:"requested_at" format:"date-time"`
	CompletedAt *stamp  `json:"completed_at" format:"date-time" doc:"When the last value was gone from the store."`
}

type erasureList struct {
	Erasures   []erasure `json:"erasures" nullable:"false" doc:"Those that await approval first."`
	NextCursor *string   `json:"next_cursor" doc:"Always null: there is one page."`
}

type certificate struct {
	Org         string      `json:"org" example:"org_acme"`
	ErasureID   string      `json:"erasure_id" example:"ers_01m8054e3bek9amg680j6srjmm"`
	ControlSeqs []int64     `json:"control_seqs" nullable:"false" doc:"The control entries that name what went: they are in the tree, and provable."`
	Items       string      `json:"items" doc:"What went: entries, and fields of entries by their index." example:"2:1,3;3"`
	Entries     int64       `json:"entries"`
	Reason      string      `json:"reason"`
	LegalBasis  string      `json:"legal_basis"`
	By          *party      `json:"by"`
	ApprovedBy  *party      `json:"approved_by,omitempty"`
	RequestedAt stamp       `json:"requested_at" format:"date-time"`
	CompletedAt stamp       `json:"completed_at" format:"date-time"`
	Purged      []string    `json:"purged" nullable:"false" doc:"From where the values, their salts and secrets are gone."`
	Remaining   []remaining `json:"remaining" nullable:"false" doc:"Where copies may still be, and until when."`
	Stays       []string    `json:"stays" nullable:"false" doc:"What is kept of the entries for good."`
}

type remaining struct {
	What  string `json:"what" example:"backups made before completed_at"`
	Until *stamp `json:"until" format:"date-time" doc:"null: it is not known here."`
}

func (in *newErasure) request(c *call) (daybook.EraseRequest, error) {
	r := daybook.EraseRequest{
		Org: c.org, ID: in.ID, Text: in.Query, All: in.All, Whole: in.Whole, Paths: in.Paths, HideNames: in.HideNames,
		Reason: in.Reason, LegalBasis: in.LegalBasis, By: c.by(),
	}
	if in.Event != "" {
		id, err := daybook.ParseID(in.Event)
		if err != nil {
			return r, invalid("invalid_format", "/event", "the id of an event is evt_ and 26 characters.")
		}
		r.Event = id
	}
	for _, p := range []struct {
		from *party
		to   **daybook.Party
		name string
	}{{in.Actor, &r.Actor, "actor"}, {in.Target, &r.Target, "target"}} {
		if p.from == nil {
			continue
		}
		if p.from.Type == "" || p.from.ID == "" {
			return r, invalid("required", "/"+p.name, "%s has a type and an id.", p.name)
		}
		*p.to = &daybook.Party{Type: p.from.Type, ID: p.from.ID}
	}
	if len(in.Paths) > 100 {
		return r, invalid("invalid_value", "/paths", "there are at most 100 paths.")
	}
	return r, nil
}

func previewErasure(c *call) error {
	var in erasing
	if err := c.decode(&in); err != nil {
		return err
	}
	full := newErasure{
		Actor: in.Actor, Target: in.Target, Event: in.Event, Query: in.Query, All: in.All, Whole: in.Whole, Paths: in.Paths, HideNames: in.HideNames,
	}
	r, err := full.request(c)
	if err != nil {
		return err
	}
	p, err := c.s.Book.PreviewErase(c.r.Context(), r)
	if err != nil {
		return err
	}
	out := erasurePreview{Size: p.Size, Entries: p.Entries, Whole: p.Whole, Fields: p.Fields, Paths: p.Paths, Held: p.Held}
	if p.Entries > 0 {
		out.First, out.Last = &p.First, &p.Last
	}
	c.send(http.StatusOK, jsonType, marshal(out))
	return nil
}

// createErasure erases, or keeps the request until a second person agrees.
func createErasure(c *call) error {
	var in newErasure
	if err := c.decode(&in, "reason"); err != nil {
		return err
	}
	r, err := in.request(c)
	if err != nil {
		return err
	}
	settings, err := c.s.Retentions.Get(c.r.Context(), c.org)
	if err != nil {
		return err
	}
	if settings.Approvers > 1 {
		return c.awaitApproval(r)
	}
	return c.erase(r)
}

func (c *call) erase(r daybook.EraseRequest) error {
	x, err := c.s.Book.Erase(c.r.Context(), r)
	if err != nil {
		return err
	}
	e := c.act("daybook.erasure.approved", daybook.Target{Type: "erasure", ID: x.ID}, erasureDetails{x.Entries, x.Seqs, x.LegalBasis})
	e.Reason = x.Reason
	c.after(c.org, e)
	c.send(http.StatusAccepted, jsonType, marshal(showErasure(&x)))
	return nil
}

// erasureDetails is what the readable twin of a control entry says: never what was selected, which may be personal.
type erasureDetails struct {
	Entries    int64   `json:"entries"`
	Seqs       []int64 `json:"control_seqs"`
	LegalBasis string  `json:"legal_basis"`
}

// awaitApproval keeps a request, of which everything is checked that can be checked now.
func (c *call) awaitApproval(r daybook.EraseRequest) error {
	if r.ID == "" {
		r.ID = typeid.New("ers")
	} else if _, err := typeid.Parse("ers", r.ID); err != nil {
		return invalid("invalid_format", "/id", "the id of an erasure is ers_ and 26 characters.")
	}
	if strings.TrimSpace(r.Reason) == "" {
		return invalid("required", "/reason", "an erasure needs a reason.")
	}
	p, err := c.s.Book.PreviewErase(c.r.Context(), r)
	if err != nil {
		return err
	}
	if p.Entries == 0 {
		return &daybook.Error{Code: daybook.CodeNotFound, Rule: "nothing_to_erase", Message: "nothing that is still there is selected."}
	}
	r.Size = p.Size // what comes later was not agreed to
	kept, err := c.s.Erasures.Add(c.r.Context(), r, p.Entries)
	if err != nil {
		return err
	}
	c.send(http.StatusAccepted, jsonType, marshal(showRequest(&kept)))
	return nil
}

func approveErasure(c *call) error {
	if err := c.decode(&nothing{}); err != nil {
		return err
	}
	kept, err := c.s.Erasures.Get(c.r.Context(), c.org, c.r.PathValue("id"))
	if err != nil {
		return err
	}
	r := kept.Request
	if r.By == c.by() {
		return &daybook.Error{Code: daybook.CodeForbidden, Rule: "second_person", Message: "somebody else must approve it: another key than the one that asked."}
	}
	r.ApprovedBy = new(c.by())
	if err := c.erase(r); err != nil {
		return err
	}
	// A crash before this leaves a request whose erasure stands in the log already: approving it again changes nothing.
	return c.s.Erasures.Remove(c.r.Context(), c.org, r.ID)
}

func withdrawErasure(c *call) error {
	kept, err := c.s.Erasures.Get(c.r.Context(), c.org, c.r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := c.s.Erasures.Remove(c.r.Context(), c.org, kept.Request.ID); err != nil {
		return err
	}
	c.WriteHeader(http.StatusNoContent)
	return nil
}

func showErasure(x *daybook.Erasure) erasure {
	out := erasure{
		ID: x.ID, State: "pending", ControlSeqs: x.Seqs, Entries: x.Entries, Reason: x.Reason, LegalBasis: x.LegalBasis, By: showParty(x.By),
		RequestedAt: stampOf(x.RequestedAt), CompletedAt: microStamp(x.CompletedAt),
	}
	if x.CompletedAt != 0 {
		out.State = "done"
	}
	if x.ApprovedBy != nil {
		out.ApprovedBy = showParty(*x.ApprovedBy)
	}
	return out
}

func showRequest(r *control.ErasureRequest) erasure {
	return erasure{
		ID: r.Request.ID, State: "awaiting_approval", ControlSeqs: []int64{}, Entries: r.Entries, Reason: r.Request.Reason,
		LegalBasis: r.Request.LegalBasis, By: showParty(r.Request.By), RequestedAt: newStamp(r.At),
	}
}

func listErasures(c *call) error {
	waiting, err := c.s.Erasures.List(c.r.Context(), c.org)
	if err != nil {
		return err
	}
	done, err := c.s.Book.Erasures(c.r.Context(), c.org)
	if err != nil {
		return err
	}
	list := erasureList{Erasures: []erasure{}}
	for i := range waiting {
		if !slices.ContainsFunc(done, func(x daybook.Erasure) bool { return x.ID == waiting[i].Request.ID }) {
			list.Erasures = append(list.Erasures, showRequest(&waiting[i]))
		}
	}
	for i := range done {
		list.Erasures = append(list.Erasures, showErasure(&done[i]))
	}
	c.send(http.StatusOK, jsonType, marshal(list))
	return nil
}

func getErasure(c *call) error {
	id := c.r.PathValue("id")
	x, err := c.s.Book.Erasure(c.r.Context(), c.org, id)
	if daybook.CodeOf(err) == daybook.CodeNotFound {
		kept, err := c.s.Erasures.Get(c.r.Context(), c.org, id)
		if err != nil {
			return notThere(err)
		}
		c.send(http.StatusOK, jsonType, marshal(showRequest(&kept)))
		return nil
	}
	if err != nil {
		return err
	}
	c.send(http.StatusOK, jsonType, marshal(showErasure(&x)))
	return nil
}

// getCertificate says what went, from where, and what is left where. It exists when the erasure is complete.
func getCertificate(c *call) error {
	x, err := c.s.Book.Erasure(c.r.Context(), c.org, c.r.PathValue("id"))
	if err != nil {
		return notThere(err)
	}
	if x.CompletedAt == 0 {
		return &daybook.Error{Code: daybook.CodeConflict, Rule: "not_complete", Message: "the erasure is not complete: there is no certificate yet."}
	}
	out := certificate{
		Org: string(c.org), ErasureID: x.ID, ControlSeqs: x.Seqs, Items: x.Items, Entries: x.Entries, Reason: x.Reason, LegalBasis: x.LegalBasis,
		By: showParty(x.By), RequestedAt: stampOf(x.RequestedAt), CompletedAt: stampOf(x.CompletedAt),
		Purged: []string{
			"entries", "search filters and counts", "commits not yet merged", "write-ahead log and freed pages", "idempotency keys", "caches", "files of exports",
		},
		Stays: []string{
			"place, id and time of each entry", "its commitment in the tree, whose secret is destroyed", "the fields that were not erased", "the control entries",
		},
	}
	if x.ApprovedBy != nil {
		out.ApprovedBy = showParty(*x.ApprovedBy)
	}
	backups := remaining{What: "backups made before completed_at"}
	if keep := c.s.BackupsKept; keep > 0 {
		backups.Until = new(newStamp(time.UnixMicro(x.CompletedAt).Add(keep)))
	}
	out.Remaining = []remaining{backups, {What: "copies that were handed out before: downloaded exports, and what was read over the API"}}
	c.send(http.StatusOK, jsonType, marshal(out))
	return nil
}
