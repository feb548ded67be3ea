package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/typeid"
)

// Org is an organization.
type Org struct {
	ID        daybook.OrgID
	Name      string
	CreatedAt time.Time
}

type orgDocument struct {
	Name      string `json:"name"`
	CreatedAt moment `json:"created_at"`
}

// Instance is the log of the instance itself: what operators do that is no organization's. It is read like a log of an organization,
// with the scope operate; nobody records in it but the server, and there is no organization of this name.
const Instance daybook.OrgID = "daybook:instance"

// ErrReserved says that an id is the instance's own.
var ErrReserved = &daybook.Error{
	Code: daybook.CodeForbidden, Rule: "reserved_org", Field: "/id",
	Message: string(Instance) + " is the instance's own log: only the server records in it.",
}

// Orgs keeps the organizations. Safe for concurrent use.
type Orgs struct {
	docs daybook.Documents
	now  func() time.Time
	// Made, if set before use, is called after Ensure has made an organization that nobody created.
	Made func(ctx context.Context, id daybook.OrgID)

	known   sync.Map     // OrgID → int64: organizations seen, and what age was then: with another age they are forgotten
	age     atomic.Int64 // grows when everything is to be forgotten
	leaving sync.Map     // OrgID → bool: organizations that are being erased, and whether by this node
}

// NewOrgs returns the organizations kept in docs.
func NewOrgs(docs daybook.Documents, now func() time.Time) *Orgs { return &Orgs{docs: docs, now: now} }

// MaxName is the longest name of an organization or a key, in bytes.
const MaxName = 512

// Create makes an organization, durable on return. An empty id is made here. One that exists is a conflict with the rule exists.
func (o *Orgs) Create(ctx context.Context, id daybook.OrgID, name string) (Org, error) {
	if id == "" {
		id = daybook.OrgID(typeid.New("org"))
	}
	if !id.Valid() {
		return Org{}, ErrOrgForm
	}
	if id == Instance {
		return Org{}, ErrReserved
	}
	if _, ok := o.leaving.Load(id); ok {
		return Org{}, errLeaving(id)
	}
	if len(name) > MaxName {
		return Org{}, &daybook.Error{Code: daybook.CodeInvalid, Rule: "invalid_value", Field: "/name", Message: "name is longer than 512 bytes."}
	}
	doc, age := orgDocument{Name: name, CreatedAt: at(o.now())}, o.age.Load()
	exists, err := create(ctx, o.docs, kindOrg, string(id), doc)
	if err != nil {
		return Org{}, err
	}
	if exists {
		return Org{}, &daybook.Error{Code: daybook.CodeConflict, Rule: "exists", Field: "/id", Message: fmt.Sprintf("organization %s exists.", id)}
	}
	o.known.Store(id, age)
	return Org{ID: id, Name: name, CreatedAt: doc.CreatedAt.time()}, nil
}

// ErrOrgForm says that an org id is not one.
var ErrOrgForm = &daybook.Error{
	Code: daybook.CodeInvalid, Rule: "invalid_org", Field: "/id",
	Message: "an organization id is 1 to 128 characters of A-Z a-z 0-9 . _ : @ -",
}

// Ensure makes an organization without a name if there is none; Instance is ErrReserved. After the first time it costs a look into
// memory.
func (o *Orgs) Ensure(ctx context.Context, id daybook.OrgID) error {
	if o.knows(id) {
		return nil
	}
	if id == Instance {
		return ErrReserved
	}
	age := o.age.Load()
	ok, err := o.Exists(ctx, id)
	if err != nil || ok {
		return err
	}
	_, err = o.Create(ctx, id, "")
	var e *daybook.Error
	if errors.As(err, &e) && e.Rule == "exists" {
		o.known.Store(id, age) // somebody else was faster
		return nil
	}
	if err == nil && o.Made != nil {
		o.Made(ctx, id)
	}
	return err
}

// Leave lets nobody make or use an organization until Return: it is being erased.
func (o *Orgs) Leave(id daybook.OrgID) {
	o.leaving.Store(id, true)
	o.known.Delete(id)
}

// Return ends what Leave began: who names id now, names another organization.
func (o *Orgs) Return(id daybook.OrgID) { o.leaving.Delete(id) }

// knows reports whether id was seen and not forgotten since.
func (o *Orgs) knows(id daybook.OrgID) bool {
	age, ok := o.known.Load(id)
	return ok && age == o.age.Load()
}

// refresh forgets what it knows of every organization, and takes those that leave for the ones that are being erased, by whatever node. It
// returns those that were not known to leave.
func (o *Orgs) refresh(leaving map[daybook.OrgID]bool) (left []daybook.OrgID) {
	for id := range leaving {
		if _, was := o.leaving.LoadOrStore(id, false); !was {
			left = append(left, id)
		}
	}
	o.age.Add(1) // whoever read before this remembers nothing
	o.known.Clear()
	o.leaving.Range(func(key, mine any) bool {
		if id, ok := key.(daybook.OrgID); ok && mine == false && !leaving[id] {
			o.leaving.CompareAndDelete(id, false)
		}
		return true
	})
	return left
}

// forget lets go of what is remembered of an organization that is gone.
func (o *Orgs) forget(id daybook.OrgID) { o.known.Delete(id) }

func errLeaving(id daybook.OrgID) error {
	return &daybook.Error{Code: daybook.CodeConflict, Rule: "org_erasing", Field: "/id", Message: fmt.Sprintf("organization %s is being erased: wait until that is done.", id)}
}

// Exists reports whether there is an organization id, or it is Instance.
func (o *Orgs) Exists(ctx context.Context, id daybook.OrgID) (bool, error) {
	if id == Instance {
		return true, nil
	}
	if _, ok := o.leaving.Load(id); ok {
		return false, nil
	}
	if o.knows(id) {
		return true, nil
	}
	age := o.age.Load()
	_, err := o.docs.Get(ctx, kindOrg, "", string(id))
	if errors.Is(err, daybook.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read organization: %w", err)
	}
	o.known.Store(id, age)
	return true, nil
}

// Get returns one organization, or not_found.
func (o *Orgs) Get(ctx context.Context, id daybook.OrgID) (Org, error) {
	d, err := o.docs.Get(ctx, kindOrg, "", string(id))
	if errors.Is(err, daybook.ErrNotExist) {
		return Org{}, ErrNotFound
	}
	if err != nil {
		return Org{}, fmt.Errorf("read organization: %w", err)
	}
	return readOrg(d)
}

// ErrNotFound is the one answer for what is missing and for what belongs to somebody else.
var ErrNotFound = &daybook.Error{Code: daybook.CodeNotFound, Message: "there is no such thing, or it is not yours."}

// List returns at most limit organizations with an id after the one given, by id.
func (o *Orgs) List(ctx context.Context, after daybook.OrgID, limit int) ([]Org, error) {
	page, err := o.docs.List(ctx, kindOrg, "", string(after), limit)
	if err != nil {
		return nil, fmt.Errorf("list organizations: %w", err)
	}
	orgs := make([]Org, 0, len(page))
	for _, d := range page {
		org, err := readOrg(d)
		if err != nil {
			return nil, err
		}
		orgs = append(orgs, org)
	}
	return orgs, nil
}

// Named returns at most limit organizations with an id after the one given, by id, that part names.
func (o *Orgs) Named(ctx context.Context, part string, after daybook.OrgID, limit int) ([]Org, error) {
	if part == "" {
		return o.List(ctx, after, limit)
	}
	found := []Org{}
	for {
		page, err := o.List(ctx, after, listPage)
		if err != nil {
			return nil, err
		}
		for i := range page {
			if after = page[i].ID; page[i].Named(part) {
				if found = append(found, page[i]); len(found) == limit {
					return found, nil
				}
			}
		}
		if len(page) < listPage {
			return found, nil
		}
	}
}

// Named reports whether part stands in the id or the name, whatever the case of its letters. The empty text names every one.
func (o *Org) Named(part string) bool {
	part = strings.ToLower(part)
	return strings.Contains(strings.ToLower(string(o.ID)), part) || strings.Contains(strings.ToLower(o.Name), part)
}

func readOrg(d daybook.Document) (Org, error) {
	var doc orgDocument
	if err := json.Unmarshal(d.Data, &doc); err != nil {
		return Org{}, fmt.Errorf("read organization %s: %w", d.ID, err)
	}
	return Org{ID: daybook.OrgID(d.ID), Name: doc.Name, CreatedAt: doc.CreatedAt.time()}, nil
}
