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

// States of an export.
const (
	ExportPending   = "pending"   // waits for its turn
	ExportRunning   = "running"   // a file is being written, or will be again after a restart
	ExportReady     = "ready"     // the file can be fetched
	ExportFailed    = "failed"    // Error says why
	ExportCancelled = "cancelled" // by who made it
	ExportExpired   = "expired"   // the file was deleted
)

// Export is a part of one organization's log that is written, or was written, into a file.
type Export struct {
	ID          string        `json:"id"` // exp_…
	Org         daybook.OrgID `json:"org"`
	State       string        `json:"state"`
	Format      string        `json:"format"`
	Compression string        `json:"compression"`
	Columns     []string      `json:"columns,omitempty"`
	Mask        []string      `json:"mask,omitempty"`  // of a bundle: BundleQuery knows
	Since       []int64       `json:"since,omitempty"` // of a bundle
	Raw         bool          `json:"raw,omitempty"`   // cells of CSV are not guarded against formulas
	Door        string        `json:"door,omitempty"`

	// What is asked for: EventQuery knows the words. Now is what relative times are relative to; From and To are resolved, 0 is open.
	Query string `json:"query"`
	TZ    string `json:"tz,omitempty"`
	From  int64  `json:"from,omitempty"`
	To    int64  `json:"to,omitempty"`
	Now   int64  `json:"now"`
	// Size is that of the log when the export was made: later entries are not in it.
	Size  int64 `json:"size"`
	Epoch int   `json:"epoch,omitempty"`

	// How far the file is. Bytes of it, and NoteBytes of what its end needs, are durable and hold Rows of the first Scanned entries.
	Scanned int64 `json:"scanned"`
	Rows    int64 `json:"rows"`
	Bytes   int64 `json:"bytes"`
	// Of the rows: those of which an erasure has left place, id and time, and fields erased from the others.
	ErasedEntries int64  `json:"erased_entries,omitempty"`
	ErasedFields  int64  `json:"erased_fields,omitempty"`
	NoteBytes     int64  `json:"note_bytes,omitempty"`
	Width         int    `json:"width,omitempty"`    // 1 + targets of the widest event; 0: not known yet. Only for Format workos
	Begun         int    `json:"begun,omitempty"`    // how often it began anew: what was written before counts no longer
	Maker         string `json:"maker,omitempty"`    // the process that writes the file, if several can; empty: it has let go of it
	Folder        string `json:"folder,omitempty"`   // where the file is, if several processes have one
	Attempts      int    `json:"attempts,omitempty"` // that failed since the last progress
	SHA256        []byte `json:"sha256,omitempty"`   // of the file, once it is ready
	Error         string `json:"error,omitempty"`
	Warning       string `json:"warning,omitempty"` // what was known to be false of the log when it was asked for

	By         string `json:"by"` // the id of the key that asked for it
	CreatedAt  int64  `json:"created_at"`
	StartedAt  int64  `json:"started_at,omitempty"`
	FinishedAt int64  `json:"finished_at,omitempty"`
	ExpiresAt  int64  `json:"expires_at,omitempty"` // when the file is deleted
}

// Finished reports whether nothing more will be written.
func (x *Export) Finished() bool { return x.State != ExportPending && x.State != ExportRunning }

// Kinds of the documents of an export. The export itself stands under its organization. The other two stand under the empty one: where
// an export is to be found, and, while it is not finished, that it is to be carried out.
const (
	kindExport     = "export"
	kindExportAt   = "export_at"
	kindExportOpen = "export_open"
)

type exportAt struct {
	Org daybook.OrgID `json:"org"`
}

// Exports keeps the exports. Safe for concurrent use.
type Exports struct {
	docs daybook.Documents
	now  func() time.Time
}

// NewExports returns the exports kept in docs.
func NewExports(docs daybook.Documents, now func() time.Time) *Exports {
	return &Exports{docs: docs, now: now}
}

// Create keeps a new export, pending and durable on return, and names it. before, if not nil, is told of it first and may refuse it. A
// crash in between leaves documents that lead nowhere: Find says not_found, and Open forgets them.
func (e *Exports) Create(ctx context.Context, x Export, before func(context.Context, Export) error) (Export, error) {
	x.ID, x.State, x.CreatedAt = typeid.New("exp"), ExportPending, e.now().UnixMicro()
	if before != nil {
		if err := before(ctx, x); err != nil {
			return x, err
		}
	}
	for _, kind := range []string{kindExportAt, kindExportOpen} {
		if _, err := create(ctx, e.docs, kind, x.ID, exportAt{x.Org}); err != nil {
			return x, err
		}
	}
	data, err := json.Marshal(x)
	if err != nil {
		return x, fmt.Errorf("write export: %w", err)
	}
	if _, err := e.docs.Put(ctx, daybook.Document{Kind: kindExport, Org: x.Org, ID: x.ID, Data: data}); err != nil {
		return x, fmt.Errorf("write export: %w", err)
	}
	return x, nil
}

// Get returns one export of org, or not_found.
func (e *Exports) Get(ctx context.Context, org daybook.OrgID, id string) (Export, error) {
	x, _, err := e.read(ctx, org, id)
	return x, err
}

// Find returns the export id of whatever organization, or not_found.
func (e *Exports) Find(ctx context.Context, id string) (Export, error) {
	d, err := e.docs.Get(ctx, kindExportAt, "", id)
	if errors.Is(err, daybook.ErrNotExist) {
		return Export{}, ErrNotFound
	}
	var at exportAt
	if err == nil {
		err = json.Unmarshal(d.Data, &at)
	}
	if err != nil {
		return Export{}, fmt.Errorf("find export: %w", err)
	}
	return e.Get(ctx, at.Org, id)
}

func (e *Exports) read(ctx context.Context, org daybook.OrgID, id string) (Export, daybook.Document, error) {
	var x Export
	d, err := e.docs.Get(ctx, kindExport, org, id)
	if errors.Is(err, daybook.ErrNotExist) {
		return x, d, ErrNotFound
	}
	if err == nil {
		err = json.Unmarshal(d.Data, &x)
	}
	if err != nil {
		return x, d, fmt.Errorf("read export: %w", err)
	}
	return x, d, nil
}

// All returns the exports of org, newest first.
func (e *Exports) All(ctx context.Context, org daybook.OrgID) ([]Export, error) {
	var all []Export
	after := ""
	for {
		page, err := e.docs.List(ctx, kindExport, org, after, listPage)
		if err != nil {
			return nil, fmt.Errorf("list exports: %w", err)
		}
		for _, d := range page {
			var x Export
			if err := json.Unmarshal(d.Data, &x); err != nil {
				return nil, fmt.Errorf("read export %s: %w", d.ID, err)
			}
			all, after = append(all, x), d.ID
		}
		if len(page) < listPage {
			break
		}
	}
	slices.Reverse(all)
	return all, nil
}

// Change reads an export, lets edit alter it and stores it, durable on return; again from the start when somebody else was faster. An
// edit that returns false stores nothing. What is finished now is no longer open.
func (e *Exports) Change(ctx context.Context, org daybook.OrgID, id string, edit func(*Export) bool) (Export, error) {
	for {
		x, d, err := e.read(ctx, org, id)
		if err != nil || !edit(&x) {
			return x, err
		}
		if d.Data, err = json.Marshal(x); err != nil {
			return x, fmt.Errorf("write export: %w", err)
		}
		if _, err = e.docs.Put(ctx, d); err == nil {
			if x.Finished() {
				err = e.drop(ctx, kindExportOpen, "", id)
			}
			return x, err
		}
		if !errors.Is(err, daybook.ErrVersionMoved) {
			return x, fmt.Errorf("write export: %w", err)
		}
	}
}

// Open returns the exports that are not finished, oldest first. It forgets what a crash has left half made.
func (e *Exports) Open(ctx context.Context) ([]Export, error) {
	const making = 10 * time.Minute // no Create takes longer
	var open []Export
	err := list(ctx, e.docs, kindExportOpen, func(d daybook.Document) error {
		x, err := e.Find(ctx, d.ID)
		switch {
		case errors.Is(err, ErrNotFound):
			if e.now().Sub(madeAt(d.ID)) < making {
				return nil
			}
			return errors.Join(e.drop(ctx, kindExportAt, "", d.ID), e.drop(ctx, kindExportOpen, "", d.ID))
		case err != nil:
			return err
		case x.Finished():
			return e.drop(ctx, kindExportOpen, "", d.ID)
		}
		open = append(open, x)
		return nil
	})
	return open, err
}

// madeAt is the time in a TypeID of a UUIDv7.
func madeAt(id string) time.Time {
	b, err := typeid.Parse("exp", id)
	if err != nil {
		return time.Time{}
	}
	ms := int64(b[0])<<40 | int64(b[1])<<32 | int64(b[2])<<24 | int64(b[3])<<16 | int64(b[4])<<8 | int64(b[5])
	return time.UnixMilli(ms)
}

// Forget deletes what is known of exports that were made before a time and have no file.
func (e *Exports) Forget(ctx context.Context, before time.Time) error {
	enough := errors.New("the rest is younger")
	err := list(ctx, e.docs, kindExportAt, func(d daybook.Document) error {
		if !madeAt(d.ID).Before(before) {
			return enough // ids are in the order of their times
		}
		x, err := e.Find(ctx, d.ID)
		switch {
		case errors.Is(err, ErrNotFound):
			return e.drop(ctx, kindExportAt, "", d.ID)
		case err != nil:
			return err
		case !x.Finished() || x.State == ExportReady:
			return nil
		}
		// A crash between the two leaves what leads nowhere, for the next time.
		return errors.Join(e.drop(ctx, kindExport, x.Org, x.ID), e.drop(ctx, kindExportAt, "", x.ID))
	})
	if errors.Is(err, enough) {
		return nil
	}
	return err
}

// drop deletes a document whatever its version; one that is gone is no error.
func (e *Exports) drop(ctx context.Context, kind string, org daybook.OrgID, id string) error {
	return drop(ctx, e.docs, kind, org, id)
}

// Folder keeps that the process which asks has its files in the folder of this name, and returns the name that was kept before it.
func (e *Exports) Folder(ctx context.Context, name string) (before string, err error) {
	type folder struct {
		Name string `json:"name"`
	}
	exists, err := create(ctx, e.docs, kindInstance, "export_folder", folder{name})
	if err != nil || !exists {
		return "", err
	}
	_, err = change(ctx, e.docs, kindInstance, "export_folder", func(f *folder) bool {
		before, f.Name = f.Name, name
		return before != name
	})
	return before, err
}

// ExportKey returns the key that signs the addresses of files, made at the first call on a store.
func ExportKey(ctx context.Context, docs daybook.Documents) ([]byte, error) {
	return instanceSecret(ctx, docs, "export_key")
}
