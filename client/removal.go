package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/daybook-audit/daybook/internal/typeid"
)

// Party is who is responsible for an act, or an actor or target by type and id.
type Party struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

// String is type:id.
func (p *Party) String() string {
	if p == nil {
		return ""
	}
	return p.Type + ":" + p.ID
}

// RetentionRule says how long what it matches is kept.
type RetentionRule struct {
	Match string `json:"match"`
	Keep  string `json:"keep"`
	Leave string `json:"leave,omitempty"` // what is left then: leaf, hash or tile; empty: as Retention says
}

// Retention is how a log is kept. On setting, a nil Floor or Approvers and an empty Leave leave them as they are.
type Retention struct {
	Rules     []RetentionRule `json:"rules"`
	Leave     string          `json:"leave,omitempty"` // what the rules leave that do not say it
	Floor     *string         `json:"floor,omitempty"`
	Approvers *int            `json:"erasure_approvers,omitempty"`
	UpdatedAt string          `json:"updated_at,omitempty"`
	UpdatedBy *Party          `json:"updated_by,omitempty"`
}

// RetentionPlan is what rules would remove now.
type RetentionPlan struct {
	Size  int64      `json:"size"`
	Rules []RulePlan `json:"rules"`
	Kept  int64      `json:"kept"`
}

// RulePlan is what one rule would remove now.
type RulePlan struct {
	Rule    string           `json:"rule"`
	Leave   string           `json:"leave"`
	Before  string           `json:"before"`
	Entries int64            `json:"entries"`
	Bytes   int64            `json:"bytes"`
	Later   int64            `json:"later"`
	Next    string           `json:"next"` // empty: nothing is left that is not due
	Held    map[string]int64 `json:"held"`
}

// Pruned is what a removal by retention has named.
type Pruned struct {
	Entries int64   `json:"entries"`
	Held    int64   `json:"held"`
	Seqs    []int64 `json:"seqs"`
	More    bool    `json:"more"`
}

// Hold is a legal hold.
type Hold struct {
	ID             string `json:"id"`
	Query          string `json:"query"`
	Reason         string `json:"reason"`
	By             *Party `json:"by"`
	Entries        int64  `json:"entries"`
	Seq            int64  `json:"seq"`
	PlacedAt       string `json:"placed_at"`
	ReleasedAt     string `json:"released_at"` // empty: it is in force
	ReleasedBy     *Party `json:"released_by,omitempty"`
	ReleasedReason string `json:"released_reason"`
}

// Erasing says what to erase; see docs/guides/erase.md.
type Erasing struct {
	ID         string   `json:"id,omitempty"`
	Actor      *Party   `json:"actor,omitempty"`
	Target     *Party   `json:"target,omitempty"`
	Event      string   `json:"event,omitempty"`
	Query      string   `json:"query,omitempty"`
	All        bool     `json:"all,omitempty"`
	Whole      bool     `json:"whole,omitempty"`
	Paths      []string `json:"paths,omitempty"`
	HideNames  bool     `json:"hide_names,omitempty"`
	Reason     string   `json:"reason,omitempty"`
	LegalBasis string   `json:"legal_basis,omitempty"`
}

// ErasurePreview is what an erasure would remove.
type ErasurePreview struct {
	Size    int64            `json:"size"`
	Entries int64            `json:"entries"`
	Whole   int64            `json:"whole"`
	Fields  int64            `json:"fields"`
	Paths   map[string]int64 `json:"paths"`
	Held    map[string]int64 `json:"held"`
	First   *int64           `json:"first_seq"`
	Last    *int64           `json:"last_seq"`
}

// Erasure is an erasure and how far it is: State is awaiting_approval, pending or done.
type Erasure struct {
	ID          string  `json:"id"`
	State       string  `json:"state"`
	ControlSeqs []int64 `json:"control_seqs"`
	Entries     int64   `json:"entries"`
	Reason      string  `json:"reason"`
	LegalBasis  string  `json:"legal_basis"`
	By          *Party  `json:"by"`
	ApprovedBy  *Party  `json:"approved_by,omitempty"`
	RequestedAt string  `json:"requested_at"`
	CompletedAt string  `json:"completed_at"`
}

// post sends v to a path and reads the answer into out. again says that a repeat means the same.
func (c *Client) post(ctx context.Context, method, path string, v, out any, again bool) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode the request: %w", err)
	}
	return c.json(ctx, call{method: method, path: path, body: body, once: !again}, out)
}

// Retention returns how the org's log is kept.
func (c *Client) Retention(ctx context.Context) (Retention, error) {
	var out Retention
	err := c.get(ctx, "/v1/retention", nil, "", &out)
	return out, err
}

// SetRetention replaces the rules of the org's log.
func (c *Client) SetRetention(ctx context.Context, r Retention) (Retention, error) {
	var out Retention
	r.UpdatedAt, r.UpdatedBy = "", nil
	if r.Rules == nil {
		r.Rules = []RetentionRule{}
	}
	err := c.post(ctx, http.MethodPut, "/v1/retention", r, &out, true)
	return out, err
}

// PlanRetention says what the Rules and Leave of r would remove now; without them, those in force. Nothing is removed.
func (c *Client) PlanRetention(ctx context.Context, r Retention) (RetentionPlan, error) {
	var out RetentionPlan
	err := c.post(ctx, http.MethodPost, "/v1/retention/plan", struct {
		Rules []RetentionRule `json:"rules,omitempty"`
		Leave string          `json:"leave,omitempty"`
	}{r.Rules, r.Leave}, &out, true)
	return out, err
}

// RunRetention removes what is due now, instead of with the server's next round.
func (c *Client) RunRetention(ctx context.Context) (Pruned, error) {
	var out Pruned
	err := c.post(ctx, http.MethodPost, "/v1/retention/run", struct{}{}, &out, true)
	return out, err
}

// PlaceHold keeps what a query matches, now and later, until the hold is released. An id is made here, so that a repeat after a lost
// answer places no second hold.
func (c *Client) PlaceHold(ctx context.Context, text, reason string) (Hold, error) {
	var out Hold
	err := c.post(ctx, http.MethodPost, "/v1/holds", struct {
		ID     string `json:"id"`
		Query  string `json:"query"`
		Reason string `json:"reason"`
	}{typeid.New("hold"), text, reason}, &out, true)
	return out, err
}

// ReleaseHold ends a hold. A second time changes nothing.
func (c *Client) ReleaseHold(ctx context.Context, id, reason string) (Hold, error) {
	var out Hold
	err := c.post(ctx, http.MethodPost, "/v1/holds/"+segment(id)+"/release", struct {
		Reason string `json:"reason"`
	}{reason}, &out, true)
	return out, err
}

// Holds returns every hold of the org, released ones included.
func (c *Client) Holds(ctx context.Context) ([]Hold, error) {
	var out struct {
		Holds []Hold `json:"holds"`
	}
	err := c.get(ctx, "/v1/holds", nil, "", &out)
	return out.Holds, err
}

// PreviewErasure says what an erasure would remove. Nothing is removed.
func (c *Client) PreviewErasure(ctx context.Context, e Erasing) (ErasurePreview, error) {
	var out ErasurePreview
	e.ID, e.Reason, e.LegalBasis = "", "", ""
	err := c.post(ctx, http.MethodPost, "/v1/erasures/preview", e, &out, true)
	return out, err
}

// Erase erases. Its answer comes when the erasure stands in the log, or awaits a second person; ask [Client.Erasure] until it is done.
// Without an ID one is made here, so that a repeat after a lost answer erases nothing more.
func (c *Client) Erase(ctx context.Context, e Erasing) (Erasure, error) {
	var out Erasure
	if e.ID == "" {
		e.ID = typeid.New("ers")
	}
	err := c.post(ctx, http.MethodPost, "/v1/erasures", e, &out, true)
	return out, err
}

// Erasure returns one erasure.
func (c *Client) Erasure(ctx context.Context, id string) (Erasure, error) {
	var out Erasure
	err := c.get(ctx, "/v1/erasures/"+segment(id), nil, "", &out)
	return out, err
}

// Erasures returns every erasure of the org.
func (c *Client) Erasures(ctx context.Context) ([]Erasure, error) {
	var out struct {
		Erasures []Erasure `json:"erasures"`
	}
	err := c.get(ctx, "/v1/erasures", nil, "", &out)
	return out.Erasures, err
}

// ApproveErasure agrees to an erasure that awaits a second person, which must be another key than the one that asked.
func (c *Client) ApproveErasure(ctx context.Context, id string) (Erasure, error) {
	var out Erasure
	err := c.post(ctx, http.MethodPost, "/v1/erasures/"+segment(id)+"/approve", struct{}{}, &out, false)
	return out, err
}

// WithdrawErasure takes back an erasure that awaits a second person.
func (c *Client) WithdrawErasure(ctx context.Context, id string) error {
	return c.json(ctx, call{method: http.MethodDelete, path: "/v1/erasures/" + segment(id), once: true}, nil)
}

// ErasureCertificate returns the certificate of an erasure that is done, as the server wrote it.
func (c *Client) ErasureCertificate(ctx context.Context, id string) (json.RawMessage, error) {
	var out json.RawMessage
	err := c.get(ctx, "/v1/erasures/"+segment(id)+"/certificate", nil, "", &out)
	return out, err
}

// OrgErasurePreview is what the erasure of an organization would remove.
type OrgErasurePreview struct {
	Org       string   `json:"org"`
	Epochs    int      `json:"epochs"`
	Entries   int64    `json:"entries"`
	Keys      int      `json:"keys"`
	Exports   int      `json:"exports"`
	Holds     []string `json:"holds"`
	Approvers int      `json:"approvers"`
}

// OrgErasure is the erasure of an organization and how far it is: State is awaiting_approval, pending or done.
type OrgErasure struct {
	ID          string `json:"id"`
	Org         string `json:"org"`
	State       string `json:"state"`
	Reason      string `json:"reason"`
	LegalBasis  string `json:"legal_basis"`
	By          *Party `json:"by"`
	ApprovedBy  *Party `json:"approved_by,omitempty"`
	RequestedAt string `json:"requested_at"`
	CompletedAt string `json:"completed_at"`
}

// PreviewOrgErasure says what the erasure of an organization would remove. Nothing is removed.
func (c *Client) PreviewOrgErasure(ctx context.Context, org string) (OrgErasurePreview, error) {
	var out OrgErasurePreview
	err := c.post(ctx, http.MethodPost, "/v1/organizations/"+segment(org)+"/erasure/preview", struct{}{}, &out, true)
	return out, err
}

// EraseOrg erases an organization with all that is kept of it. Its answer comes when the log is closed for good, or awaits a second
// person; ask [Client.OrgErasure] until it is done. It is not repeated by itself: the second request would be another one.
func (c *Client) EraseOrg(ctx context.Context, org, reason, basis string) (OrgErasure, error) {
	var out OrgErasure
	err := c.post(ctx, http.MethodPost, "/v1/organizations/"+segment(org)+"/erasure", struct {
		Reason     string `json:"reason"`
		LegalBasis string `json:"legal_basis,omitempty"`
	}{reason, basis}, &out, false)
	return out, err
}

// OrgErasure returns the erasure of an organization.
func (c *Client) OrgErasure(ctx context.Context, id string) (OrgErasure, error) {
	var out OrgErasure
	err := c.get(ctx, "/v1/organization-erasures/"+segment(id), nil, "", &out)
	return out, err
}

// OrgErasures returns the erasures of organizations of the last 30 days.
func (c *Client) OrgErasures(ctx context.Context) ([]OrgErasure, error) {
	var out struct {
		Erasures []OrgErasure `json:"erasures"`
	}
	err := c.get(ctx, "/v1/organization-erasures", nil, "", &out)
	return out.Erasures, err
}

// ApproveOrgErasure agrees to the erasure of an organization, with another key than the one that asked.
func (c *Client) ApproveOrgErasure(ctx context.Context, id string) (OrgErasure, error) {
	var out OrgErasure
	err := c.post(ctx, http.MethodPost, "/v1/organization-erasures/"+segment(id)+"/approve", struct{}{}, &out, false)
	return out, err
}

// WithdrawOrgErasure takes back the erasure of an organization that awaits a second person.
func (c *Client) WithdrawOrgErasure(ctx context.Context, id string) error {
	return c.json(ctx, call{method: http.MethodDelete, path: "/v1/organization-erasures/" + segment(id), once: true}, nil)
}

// OrgErasureCertificate returns the certificate of the erasure of an organization, as the server wrote it.
func (c *Client) OrgErasureCertificate(ctx context.Context, id string) (json.RawMessage, error) {
	var out json.RawMessage
	err := c.get(ctx, "/v1/organization-erasures/"+segment(id)+"/certificate", nil, "", &out)
	return out, err
}
