package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/typeid"
)

// kindOrgErasure is the erasure of an organization: a document under the empty org, since nothing may be left under its own.
const kindOrgErasure = "org_erasure"

// CertificateKept is how long what an instance knows of an organization that it has erased is kept, for the certificate. Afterwards the
// act in the instance's own log is all.
const CertificateKept = 30 * 24 * time.Hour

// OrgErasure is the erasure of an organization with everything that is kept of it.
type OrgErasure struct {
	ID          string // ers_…
	Org         daybook.OrgID
	Reason      string
	LegalBasis  string
	By          daybook.Party
	ApprovedBy  *daybook.Party
	RequestedAt time.Time
	ApprovedAt  time.Time          // zero: it waits for a second person
	Ended       bool               // the logs are closed: nothing brings them back
	CompletedAt time.Time          // zero: not yet
	Last        []daybook.LastHead // how the logs ended; nil: not known yet
}

// Pending reports whether it was approved and is not complete.
func (x *OrgErasure) Pending() bool { return !x.ApprovedAt.IsZero() && x.CompletedAt.IsZero() }

type orgErasureDocument struct {
	Org         daybook.OrgID      `json:"org"`
	Reason      string             `json:"reason"`
	LegalBasis  string             `json:"legal_basis,omitempty"`
	By          daybook.Party      `json:"by"`
	ApprovedBy  *daybook.Party     `json:"approved_by,omitempty"`
	RequestedAt moment             `json:"requested_at"`
	ApprovedAt  moment             `json:"approved_at,omitempty"`
	Ended       bool               `json:"ended,omitempty"`
	CompletedAt moment             `json:"completed_at,omitempty"`
	Last        []daybook.LastHead `json:"last,omitempty"`
}

func (d *orgErasureDocument) erasure(id string) OrgErasure {
	return OrgErasure{
		ID: id, Org: d.Org, Reason: d.Reason, LegalBasis: d.LegalBasis, By: d.By, ApprovedBy: d.ApprovedBy, RequestedAt: d.RequestedAt.time(),
		ApprovedAt: d.ApprovedAt.time(), Ended: d.Ended, CompletedAt: d.CompletedAt.time(), Last: d.Last,
	}
}

// OrgErasures keeps the erasures of organizations. Safe for concurrent use.
type OrgErasures struct {
	docs daybook.Documents
	now  func() time.Time
}

// NewOrgErasures returns those kept in docs.
func NewOrgErasures(docs daybook.Documents, now func() time.Time) *OrgErasures {
	return &OrgErasures{docs: docs, now: now}
}

// Add keeps a new one, durable on return, approved unless wait is set. Without an ID one is made; one that exists is a conflict with the
// rule exists, and so is a second one of the same organization that is not complete.
func (o *OrgErasures) Add(ctx context.Context, x OrgErasure, wait bool) (OrgErasure, error) {
	if x.ID == "" {
		x.ID = typeid.New("ers")
	} else if _, err := typeid.Parse("ers", x.ID); err != nil {
		return x, &daybook.Error{Code: daybook.CodeInvalid, Rule: "invalid_format", Field: "/id", Message: "the id of an erasure is ers_ and 26 characters."}
	}
	others, err := o.List(ctx)
	if err != nil {
		return x, err
	}
	for i := range others {
		if others[i].Org == x.Org && others[i].CompletedAt.IsZero() && others[i].ID != x.ID {
			return x, &daybook.Error{Code: daybook.CodeConflict, Rule: "exists", Message: "this organization is being erased already: " + others[i].ID}
		}
	}
	doc := orgErasureDocument{Org: x.Org, Reason: x.Reason, LegalBasis: x.LegalBasis, By: x.By, RequestedAt: at(o.now())}
	if !wait {
		doc.ApprovedAt = doc.RequestedAt
	}
	exists, err := create(ctx, o.docs, kindOrgErasure, x.ID, doc)
	if err == nil && exists {
		err = &daybook.Error{Code: daybook.CodeConflict, Rule: "exists", Field: "/id", Message: "an erasure with this id exists."}
	}
	return doc.erasure(x.ID), err
}

// Get returns one, or not_found.
func (o *OrgErasures) Get(ctx context.Context, id string) (OrgErasure, error) {
	d, err := o.docs.Get(ctx, kindOrgErasure, "", id)
	if errors.Is(err, daybook.ErrNotExist) {
		return OrgErasure{}, ErrNotFound
	}
	if err != nil {
		return OrgErasure{}, fmt.Errorf("read the erasure of an organization: %w", err)
	}
	return readOrgErasure(d)
}

func readOrgErasure(d daybook.Document) (OrgErasure, error) {
	var doc orgErasureDocument
	if err := json.Unmarshal(d.Data, &doc); err != nil {
		return OrgErasure{}, fmt.Errorf("read the erasure %s: %w", d.ID, err)
	}
	return doc.erasure(d.ID), nil
}

// List returns all of them, oldest first.
func (o *OrgErasures) List(ctx context.Context) ([]OrgErasure, error) {
	var all []OrgErasure
	err := list(ctx, o.docs, kindOrgErasure, func(d daybook.Document) error {
		x, err := readOrgErasure(d)
		all = append(all, x)
		return err
	})
	slices.SortStableFunc(all, func(a, b OrgErasure) int { return a.RequestedAt.Compare(b.RequestedAt) })
	return all, err
}

// change alters one, durable on return. An edit that returns false stores nothing.
func (o *OrgErasures) change(ctx context.Context, id string, edit func(*orgErasureDocument) bool) (OrgErasure, error) {
	doc, err := change(ctx, o.docs, kindOrgErasure, id, edit)
	if errors.Is(err, daybook.ErrNotExist) {
		err = ErrNotFound
	}
	return doc.erasure(id), err
}

// Approve notes that a second person agrees. One that does not wait stays as it is.
func (o *OrgErasures) Approve(ctx context.Context, id string, by daybook.Party) (OrgErasure, error) {
	return o.change(ctx, id, func(d *orgErasureDocument) bool {
		if d.ApprovedAt != 0 {
			return false
		}
		d.ApprovedBy, d.ApprovedAt = &by, at(o.now())
		return true
	})
}

// Remove forgets one.
func (o *OrgErasures) Remove(ctx context.Context, id string) error {
	return drop(ctx, o.docs, kindOrgErasure, "", id)
}

// Forget forgets those whose certificate is no longer kept.
func (o *OrgErasures) Forget(ctx context.Context) error {
	all, err := o.List(ctx)
	for i := range all {
		if done := all[i].CompletedAt; err == nil && !done.IsZero() && o.now().Sub(done) >= CertificateKept {
			err = o.Remove(ctx, all[i].ID)
		}
	}
	return err
}

// drop deletes a document whatever its version; one that is gone is no error.
func drop(ctx context.Context, docs daybook.Documents, kind string, org daybook.OrgID, id string) error {
	for {
		d, err := docs.Get(ctx, kind, org, id)
		if err == nil {
			err = docs.Delete(ctx, kind, org, id, d.Version)
		}
		switch {
		case err == nil || errors.Is(err, daybook.ErrNotExist):
			return nil
		case !errors.Is(err, daybook.ErrVersionMoved):
			return fmt.Errorf("delete document %s: %w", kind, err)
		}
	}
}

// Documents of these kinds stand under the empty org and say in their member "org" whose they are; those of kindRetention and kindOrg have
// the ids of organizations. Everything else of an organization stands under it. A new kind that does not is added here.
var ownedKinds = []string{kindKey, kindExportAt, kindExportOpen, kindSchema, kindViewerToken, kindPortalLink, kindPortalSession, kindSession, kindInvitation, kindViewing}

// PurgeOrg deletes everything that documents say of an organization but its erasure: what stands under it, its keys, its rules, where its
// exports are to be found, and last the organization itself. It returns the keys. A crash leaves some; the next call goes on.
func PurgeOrg(ctx context.Context, docs daybook.Documents, org daybook.OrgID) ([]Key, error) {
	mine, err := NewKeys(docs, nil).All(ctx, func(k *Key) bool { return k.Org == org })
	if err != nil {
		return nil, err
	}
	for _, kind := range ownedKinds {
		err := list(ctx, docs, kind, func(d daybook.Document) error {
			var of struct {
				Org daybook.OrgID `json:"org"`
			}
			if err := json.Unmarshal(d.Data, &of); err != nil || of.Org != org {
				return err
			}
			return drop(ctx, docs, kind, "", d.ID)
		})
		if err != nil {
			return mine, err
		}
	}
	if err := schemasChanged(ctx, docs); err != nil {
		return mine, err
	}
	if err := docs.DeleteOrg(ctx, org); err != nil {
		return mine, err
	}
	for _, kind := range []string{kindRetention, kindOrg} {
		if err := drop(ctx, docs, kind, "", string(org)); err != nil {
			return mine, err
		}
	}
	return mine, tell(ctx, docs)
}
