package api

import (
	"fmt"
	"net/http"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/control"
)

// maxErasureText bounds the texts of an erasure.
const maxErasureText = 1024

// newOrgErasure asks for the erasure of an organization.
type newOrgErasure struct {
	ID         string `json:"id,omitempty" doc:"Left out: one is made. The same id again is a conflict, so that a repeat erases nothing more." example:"ers_01m8054e3bek9amg680j6srjmm"`
	Reason     string `json:"reason" doc:"It stands in the instance's own log for ever: no personal data." example:"contract 114 ended"`
	LegalBasis string `json:"legal_basis,omitempty" example:"gdpr_art_28_3_g"`
}

type orgErasurePreview struct {
	Org       string   `json:"org" example:"org_acme"`
	Epochs    int      `json:"epochs" doc:"How many logs would go."`
	Entries   int64    `json:"entries" doc:"Of the newest log."`
	Keys      int      `json:"keys" doc:"API keys that would end."`
	Exports   int      `json:"exports" doc:"Exports whose files would be deleted."`
	Holds     []string `json:"holds" nullable:"false" doc:"Legal holds in force. With any, the erasure is refused: 409 on_hold."`
	Approvers int      `json:"approvers" doc:"How many people it needs (retention, erasure_approvers)."`
}

type orgErasure struct {
	ID          string `json:"id" example:"ers_01m8054e3bek9amg680j6srjmm"`
	Org         string `json:"org" example:"org_acme"`
	State       string `json:"state" enum:"awaiting_approval,pending,done" doc:"pending: the log is closed for good, and its bytes are being removed."`
	Reason      string `json:"reason"`
	LegalBasis  string `json:"legal_basis"`
	By          *party `json:"by"`
	ApprovedBy  *party `json:"approved_by,omitempty" doc:"The second of two people, where two are needed."`
	RequestedAt stamp  `json:"requested_at" format:"date-time"`
	CompletedAt *stamp `json:"completed_at" format:"date-time" doc:"When the last byte was gone from the store."`
}

type orgErasureList struct {
	Erasures   []orgErasure `json:"erasures" nullable:"false" doc:"Oldest first. They are listed for 30 days; the act stands in the instance's own log for ever."`
	NextCursor *string      `json:"next_cursor" doc:"Always null: there is one page."`
}

// orgCertificate repeats the members of orgErasure: the schema generator leaves out unexported embedded structs.
type orgCertificate struct {
	ID          string      `json:"id" example:"ers_01m8054e3bek9amg680j6srjmm"`
	Org         string      `json:"org" example:"org_acme"`
	Reason      string      `json:"reason"`
	LegalBasis  string      `json:"legal_basis"`
	By          *party      `json:"by"`
	ApprovedBy  *party      `json:"approved_by,omitempty"`
	RequestedAt stamp       `json:"requested_at" format:"date-time"`
	CompletedAt stamp       `json:"completed_at" format:"date-time"`
	Logs        []lastHead  `json:"logs" nullable:"false" doc:"How each log ended, oldest epoch first. Keep the checkpoints: they are all that is left."`
	Purged      []string    `json:"purged" nullable:"false" doc:"From where everything of the organization is gone."`
	Remaining   []remaining `json:"remaining" nullable:"false" doc:"Where copies may still be, and until when."`
	Stays       []string    `json:"stays" nullable:"false" doc:"What the instance keeps for good."`
}

type lastHead struct {
	Epoch      int    `json:"epoch"`
	Size       int64  `json:"size" doc:"Number of entries." example:"48192"`
	Root       string `json:"root" doc:"Of the tree of all entries, base64."`
	Origin     string `json:"origin" doc:"Empty: the log was never signed."`
	Vkey       string `json:"vkey" doc:"Of the key that signed last. Compare it with the one that was pinned."`
	Checkpoint string `json:"checkpoint" doc:"The last signed note; empty: there is none."`
}

func previewOrgErasure(c *call) error {
	if err := c.decode(&nothing{}); err != nil {
		return err
	}
	if err := c.pathOrgMade(); err != nil {
		return err
	}
	ctx := c.r.Context()
	infos, err := c.s.Book.Info(ctx, c.org)
	if err != nil {
		return err
	}
	p := orgErasurePreview{Org: string(c.org), Entries: infos[0].Size, Holds: []string{}}
	if infos[0].Exists {
		p.Epochs = infos[0].Epoch + 1
	}
	holds, err := c.s.Book.Holds(ctx, c.org)
	if err != nil {
		return err
	}
	for i := range holds {
		if holds[i].ReleasedAt == 0 {
			p.Holds = append(p.Holds, holds[i].ID)
		}
	}
	keys, err := c.s.Keys.All(ctx, func(k *control.Key) bool { return k.Org == c.org })
	if err != nil {
		return err
	}
	exports, err := c.s.Exports.All(ctx, c.org)
	if err != nil {
		return err
	}
	settings, err := c.s.Retentions.Get(ctx, c.org)
	if err != nil {
		return err
	}
	p.Keys, p.Exports, p.Approvers = len(keys), len(exports), settings.Approvers
	c.send(http.StatusOK, jsonType, marshal(p))
	return nil
}

// pathOrgMade takes the organization of the path, which must have been made. The instance's own log is nobody's to erase.
func (c *call) pathOrgMade() error {
	if err := c.pathOrg(); err != nil {
		return err
	}
	if c.org == control.Instance {
		return control.ErrReserved
	}
	return nil
}

// createOrgErasure erases an organization, or keeps the request until a second person agrees.
func createOrgErasure(c *call) error {
	var in newOrgErasure
	if err := c.decode(&in, "reason"); err != nil {
		return err
	}
	if err := c.pathOrgMade(); err != nil {
		return err
	}
	switch {
	case in.Reason == "":
		return invalid("required", "/reason", "an erasure needs a reason.")
	case len(in.Reason) > maxErasureText || len(in.LegalBasis) > maxErasureText:
		return invalid("invalid_value", "/reason", "reason and legal basis have at most %d bytes.", maxErasureText)
	}
	settings, err := c.s.Retentions.Get(c.r.Context(), c.org)
	if err != nil {
		return err
	}
	wait := settings.Approvers > 1
	x, err := c.s.Eraser.Erasures.Add(c.r.Context(), control.OrgErasure{ID: in.ID, Org: c.org, Reason: in.Reason, LegalBasis: in.LegalBasis, By: c.by()}, wait)
	if err == nil && !wait {
		x, err = c.eraseOrg(x)
	}
	if err != nil {
		return err
	}
	c.send(http.StatusAccepted, jsonType, marshal(showOrgErasure(&x)))
	return nil
}

// eraseOrg begins what was approved. The act is in the instance's log before anything goes.
func (c *call) eraseOrg(x control.OrgErasure) (control.OrgErasure, error) {
	e := c.act("daybook.org.erasure_approved", daybook.Target{Type: "org", ID: string(x.Org)}, map[string]string{"erasure_id": x.ID, "legal_basis": x.LegalBasis})
	e.Reason = x.Reason
	if err := c.did("", e); err != nil {
		return x, err
	}
	return c.s.Eraser.Begin(c.r.Context(), x)
}

func approveOrgErasure(c *call) error {
	if err := c.decode(&nothing{}); err != nil {
		return err
	}
	x, err := c.s.Eraser.Erasures.Get(c.r.Context(), c.r.PathValue("id"))
	if err != nil {
		return err
	}
	if x.By == c.by() {
		return &daybook.Error{Code: daybook.CodeForbidden, Rule: "second_person", Message: "somebody else must approve it: another key than the one that asked."}
	}
	if x.ApprovedAt.IsZero() {
		if x, err = c.s.Eraser.Erasures.Approve(c.r.Context(), x.ID, c.by()); err == nil {
			x, err = c.eraseOrg(x)
		}
	}
	if err != nil {
		return err
	}
	c.send(http.StatusAccepted, jsonType, marshal(showOrgErasure(&x)))
	return nil
}

func withdrawOrgErasure(c *call) error {
	x, err := c.s.Eraser.Erasures.Get(c.r.Context(), c.r.PathValue("id"))
	if err != nil {
		return err
	}
	if !x.ApprovedAt.IsZero() {
		return &daybook.Error{Code: daybook.CodeConflict, Rule: "approved", Message: "it was approved: nothing brings the organization back."}
	}
	if err := c.s.Eraser.Erasures.Remove(c.r.Context(), x.ID); err != nil {
		return err
	}
	c.WriteHeader(http.StatusNoContent)
	return nil
}

func showOrgErasure(x *control.OrgErasure) orgErasure {
	out := orgErasure{
		ID: x.ID, Org: string(x.Org), State: "awaiting_approval", Reason: x.Reason, LegalBasis: x.LegalBasis, By: showParty(x.By),
		RequestedAt: newStamp(x.RequestedAt), CompletedAt: maybeStamp(x.CompletedAt),
	}
	switch {
	case !x.CompletedAt.IsZero():
		out.State = "done"
	case x.Pending():
		out.State = "pending"
	}
	if x.ApprovedBy != nil {
		out.ApprovedBy = showParty(*x.ApprovedBy)
	}
	return out
}

func listOrgErasures(c *call) error {
	all, err := c.s.Eraser.Erasures.List(c.r.Context())
	if err != nil {
		return err
	}
	list := orgErasureList{Erasures: []orgErasure{}}
	for i := range all {
		list.Erasures = append(list.Erasures, showOrgErasure(&all[i]))
	}
	c.send(http.StatusOK, jsonType, marshal(list))
	return nil
}

func getOrgErasure(c *call) error {
	x, err := c.s.Eraser.Erasures.Get(c.r.Context(), c.r.PathValue("id"))
	if err != nil {
		return err
	}
	c.send(http.StatusOK, jsonType, marshal(showOrgErasure(&x)))
	return nil
}

// getOrgCertificate hands over the last checkpoints, and says what went, what is left where, and what stays.
func getOrgCertificate(c *call) error {
	x, err := c.s.Eraser.Erasures.Get(c.r.Context(), c.r.PathValue("id"))
	if err != nil {
		return err
	}
	if x.CompletedAt.IsZero() {
		return &daybook.Error{Code: daybook.CodeConflict, Rule: "not_complete", Message: "the erasure is not complete: there is no certificate yet."}
	}
	out := orgCertificate{
		ID: x.ID, Org: string(x.Org), Reason: x.Reason, LegalBasis: x.LegalBasis, By: showParty(x.By), RequestedAt: newStamp(x.RequestedAt),
		CompletedAt: newStamp(x.CompletedAt), Logs: []lastHead{},
		Purged: []string{
			"entries", "search filters and counts", "commits not yet merged", "checkpoints, tiles and proofs", "write-ahead log and freed pages", "idempotency keys", "caches",
			"exports and their files", "API keys", "retention rules, holds and other settings", "the organization itself, and which origins were its own",
		},
		Stays: []string{
			"the act in the instance's own log: who erased which organization, when and why, with the size and root of each log",
			"in batches of the anchor log: SHA-256 of each origin, with sizes and roots",
			"beside the high-water marks: the origin of each log, without the organization, so that a restored backup is erased again",
		},
	}
	if x.ApprovedBy != nil {
		out.ApprovedBy = showParty(*x.ApprovedBy)
	}
	for _, l := range x.Last {
		out.Logs = append(out.Logs, lastHead{Epoch: l.Epoch, Size: l.Size, Root: l.Root.String(), Origin: l.Origin, Vkey: l.Vkey, Checkpoint: string(l.Note)})
	}
	backups := remaining{What: "backups made before completed_at"}
	if keep := c.s.BackupsKept; keep > 0 {
		backups.Until = new(newStamp(x.CompletedAt.Add(keep)))
	}
	out.Remaining = []remaining{
		backups,
		{What: "copies that were handed out before: downloaded exports, and what was read over the API"},
		{What: "this certificate, in the instance", Until: new(newStamp(x.CompletedAt.Add(control.CertificateKept)))},
	}
	c.send(http.StatusOK, jsonType, marshal(out))
	return nil
}

// OrgErased describes, for the instance's own log, that an organization is gone. It says how its logs ended, and not where they were.
func OrgErased(x *control.OrgErasure) (daybook.Event, error) {
	type head struct {
		Epoch int    `json:"epoch"`
		Size  int64  `json:"size"`
		Root  string `json:"root"`
	}
	d := struct {
		ErasureID  string         `json:"erasure_id"`
		LegalBasis string         `json:"legal_basis"`
		ApprovedBy *daybook.Party `json:"approved_by,omitempty"`
		Logs       []head         `json:"logs"`
	}{ErasureID: x.ID, LegalBasis: x.LegalBasis, ApprovedBy: x.ApprovedBy, Logs: []head{}}
	for _, l := range x.Last {
		d.Logs = append(d.Logs, head{l.Epoch, l.Size, l.Root.String()})
	}
	id, err := erasedEventID(x.ID)
	if err != nil {
		return daybook.Event{}, err
	}
	return daybook.Event{
		ID: id, Action: "daybook.org.erased", Actor: daybook.Actor{Type: x.By.Type, ID: x.By.ID}, Reason: x.Reason, Outcome: daybook.Success,
		Targets: []daybook.Target{{Type: "org", ID: string(x.Org)}}, Metadata: marshal(d),
	}, nil
}

// erasedEventID is the event id that belongs to an erasure: told of twice, it is one event.
func erasedEventID(erasure string) (daybook.ID, error) {
	id, err := daybook.ParseID("evt" + erasure[len("ers"):])
	if err != nil {
		return id, fmt.Errorf("the id of the erasure %s: %w", erasure, err)
	}
	return id, nil
}
