package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/daybook-audit/daybook"
)

// kindErasure is an erasure that waits for a second person: a document under its organization. Once somebody agrees, or it is withdrawn,
// it is deleted: what was selected may itself be personal.
const kindErasure = "erasure"

// ErasureRequest is an erasure that waits for a second person.
type ErasureRequest struct {
	Request daybook.EraseRequest
	Entries int64 // that it selected when it was made
	At      time.Time
}

type erasureDocument struct {
	Request daybook.EraseRequest `json:"request"`
	Entries int64                `json:"entries"`
	At      moment               `json:"at"`
}

// Erasures keeps the erasures that wait for a second person. Safe for concurrent use.
type Erasures struct {
	docs daybook.Documents
	now  func() time.Time
}

// NewErasures returns what waits in docs.
func NewErasures(docs daybook.Documents, now func() time.Time) *Erasures {
	return &Erasures{docs: docs, now: now}
}

// Add keeps a request, durable on return. One with the same id is a conflict with the rule exists.
func (e *Erasures) Add(ctx context.Context, r daybook.EraseRequest, entries int64) (ErasureRequest, error) {
	doc := erasureDocument{Request: r, Entries: entries, At: at(e.now())}
	data, err := json.Marshal(doc)
	if err != nil {
		return ErasureRequest{}, fmt.Errorf("write the request %s: %w", r.ID, err)
	}
	_, err = e.docs.Put(ctx, daybook.Document{Kind: kindErasure, Org: r.Org, ID: r.ID, Data: data})
	switch {
	case errors.Is(err, daybook.ErrVersionMoved):
		return ErasureRequest{}, &daybook.Error{Code: daybook.CodeConflict, Rule: "exists", Field: "/id", Message: "an erasure with this id exists."}
	case err != nil:
		return ErasureRequest{}, fmt.Errorf("write the request %s: %w", r.ID, err)
	}
	return ErasureRequest{Request: r, Entries: entries, At: doc.At.time()}, nil
}

// Get returns one that waits, or not_found.
func (e *Erasures) Get(ctx context.Context, org daybook.OrgID, id string) (ErasureRequest, error) {
	d, err := e.docs.Get(ctx, kindErasure, org, id)
	if errors.Is(err, daybook.ErrNotExist) {
		return ErasureRequest{}, ErrNotFound
	}
	if err != nil {
		return ErasureRequest{}, fmt.Errorf("read an erasure: %w", err)
	}
	return readErasure(d)
}

// List returns those of org that wait, oldest first.
func (e *Erasures) List(ctx context.Context, org daybook.OrgID) ([]ErasureRequest, error) {
	var out []ErasureRequest
	for after := ""; ; {
		page, err := e.docs.List(ctx, kindErasure, org, after, listPage)
		if err != nil {
			return nil, fmt.Errorf("list erasures: %w", err)
		}
		for _, d := range page {
			r, err := readErasure(d)
			if err != nil {
				return nil, err
			}
			out, after = append(out, r), d.ID
		}
		if len(page) < listPage {
			return out, nil
		}
	}
}

func readErasure(d daybook.Document) (ErasureRequest, error) {
	var doc erasureDocument
	if err := json.Unmarshal(d.Data, &doc); err != nil {
		return ErasureRequest{}, fmt.Errorf("read the erasure %s: %w", d.ID, err)
	}
	return ErasureRequest{Request: doc.Request, Entries: doc.Entries, At: doc.At.time()}, nil
}

// Remove forgets one; a second time changes nothing.
func (e *Erasures) Remove(ctx context.Context, org daybook.OrgID, id string) error {
	for {
		d, err := e.docs.Get(ctx, kindErasure, org, id)
		if err == nil {
			err = e.docs.Delete(ctx, kindErasure, org, id, d.Version)
		}
		switch {
		case err == nil, errors.Is(err, daybook.ErrNotExist):
			return nil
		case !errors.Is(err, daybook.ErrVersionMoved):
			return fmt.Errorf("remove the request %s: %w", id, err)
		}
	}
}
