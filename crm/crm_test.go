package crm_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/crm"
	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/storetest"
)

const org daybook.OrgID = "org_acme"

const (
	leadCreate, leadUpdate, leadDelete = 1, 2, 3
	lead, business                     = 1, 2
)

var (
	actions  = crm.Enum{leadCreate: "lead.create", leadUpdate: "lead.update", leadDelete: "lead.delete"}
	entities = crm.Enum{lead: "LeadEntity", business: "BusinessEntity"}
)

type fixture struct {
	t     *testing.T
	mu    sync.Mutex
	at    time.Time
	book  *daybook.Book
	clerk *daybook.Clerk
	table *crm.Table
}

func (f *fixture) now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at = f.at.Add(time.Millisecond)
	return f.at
}

func newBook(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, at: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	var err error
	if f.book, err = daybook.Open(t.Context(), storetest.Memory(), daybook.Options{Now: f.now}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.book.Close(); err != nil {
			t.Error(err)
		}
	})
	if f.clerk, err = daybook.NewClerk(f.book, daybook.ClerkOptions{}); err != nil {
		t.Fatal(err)
	}
	return f
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := newBook(t)
	f.table = f.open(actions, entities)
	return f
}

func (f *fixture) open(actions, entities crm.Enum) *crm.Table {
	f.t.Helper()
	table, err := crm.Open(f.t.Context(), f.clerk, f.book, org, actions, entities)
	if err != nil {
		f.t.Fatal(err)
	}
	return table
}

func (f *fixture) size() int64 {
	f.t.Helper()
	info, err := f.book.Info(f.t.Context(), org)
	if err != nil || len(info) != 1 {
		f.t.Fatal(info, err)
	}
	return info[0].Size
}

func (f *fixture) record(e crm.Event) daybook.Receipt {
	f.t.Helper()
	if e.NumberIdentifier == "" {
		e.NumberIdentifier = "1201"
	}
	receipt, err := f.table.Record(f.t.Context(), e)
	if err != nil {
		f.t.Fatal(err)
	}
	return receipt
}

func (f *fixture) list(filter crm.Filter) []crm.Entry {
	f.t.Helper()
	entries, cursor, err := f.table.List(f.t.Context(), filter)
	if err != nil || cursor != "" {
		f.t.Fatalf("%+v: %q, %v", filter, cursor, err)
	}
	return entries
}

func ids(entries []crm.Entry) (list []int64) {
	for _, e := range entries {
		list = append(list, e.ID)
	}
	return list
}

type row = map[string]any

func TestCheck(t *testing.T) {
	t.Parallel()
	old := crm.Enum{1: "a", 2: "b", 5: "c"}
	for name, tt := range map[string]struct {
		now  crm.Enum
		want []string
	}{
		"the same":      {crm.Enum{1: "a", 2: "b", 5: "c"}, nil},
		"more":          {crm.Enum{1: "a", 2: "b", 5: "c", 6: "d", 7: "e"}, nil},
		"renamed":       {crm.Enum{1: "a", 2: "B", 5: "c"}, []string{`value 2 is "B" and was "b"`}},
		"renumbered":    {crm.Enum{1: "a", 3: "b", 5: "c"}, []string{`"b" is 3 and was 2`, `value 3 ("b") is new and must be 6`}},
		"missing":       {crm.Enum{1: "a", 5: "c"}, []string{`value 2 ("b") is missing`}},
		"swapped":       {crm.Enum{1: "b", 2: "a", 5: "c"}, []string{`value 1 is "b" and was "a"`, `value 2 is "a" and was "b"`}},
		"skipped":       {crm.Enum{1: "a", 2: "b", 5: "c", 7: "d"}, []string{`value 7 ("d") is new and must be 6`}},
		"filled a gap":  {crm.Enum{1: "a", 2: "b", 5: "c", 3: "d"}, []string{`value 3 ("d") is new and must be 6`}},
		"a name twice":  {crm.Enum{1: "a", 2: "b", 5: "c", 6: "a"}, []string{`"a" stands for the values [1 6]`}},
		"no name":       {crm.Enum{1: "a", 2: "b", 5: "c", 6: ""}, []string{"value 6 has no name"}},
		"control":       {crm.Enum{1: "a", 2: "b", 5: "c", 6: "d\n"}, []string{"control characters"}},
		"too long":      {crm.Enum{1: "a", 2: "b", 5: "c", 6: strings.Repeat("é", 129)}, []string{"more than 128 characters"}},
		"below zero":    {crm.Enum{1: "a", 2: "b", 5: "c", -1: "d"}, []string{"value -1 is not from 0 to 2147483647", `value -1 ("d") is new and must be 6`}},
		"nothing":       {nil, []string{"value 1", "value 2", "value 5"}},
		"just as long ": {crm.Enum{1: "a", 2: "b", 5: "c", 6: strings.Repeat("é", 128)}, nil},
	} {
		err := crm.Check(old, tt.now)
		var lines []string
		if err != nil {
			lines = strings.Split(err.Error(), "\n")
		}
		if len(lines) != len(tt.want) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for i, want := range tt.want {
			if !strings.Contains(lines[i], want) {
				t.Errorf("%s: %q, want %q", name, lines[i], want)
			}
		}
	}
	if err := crm.Check(nil, crm.Enum{7: "a", 3: "b"}); err != nil {
		t.Errorf("the first enum may have any numbers: %v", err)
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	size := f.size()
	f.open(actions, entities) // again: nothing is recorded
	if f.size() != size || size != 2 {
		t.Errorf("%d entries, then %d", size, f.size())
	}
	for name, enum := range map[string]crm.Enum{
		"renamed":    {1: "lead.create", 2: "lead.updated", 3: "lead.delete"},
		"renumbered": {1: "lead.create", 4: "lead.update", 3: "lead.delete"},
		"missing":    {1: "lead.create", 2: "lead.update"},
		"skipped":    {1: "lead.create", 2: "lead.update", 3: "lead.delete", 5: "lead.merge"},
		"reused":     {1: "lead.create", 2: "lead.update", 3: "lead.delete", 4: "lead.update"},
	} {
		if _, err := crm.Open(t.Context(), f.clerk, f.book, org, enum, entities); err == nil || !strings.Contains(err.Error(), "actions") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := crm.Open(t.Context(), f.clerk, f.book, org, actions, enum); err == nil || !strings.Contains(err.Error(), "entityTypes") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if f.size() != size {
		t.Errorf("a refused start recorded: %d entries, were %d", f.size(), size)
	}
	f.open(crm.Enum{1: "lead.create", 2: "lead.update", 3: "lead.delete", 4: "password.reset", 5: "lead.merge"}, entities)
	if f.size() != size+1 {
		t.Errorf("two new values are %d entries", f.size()-size)
	}
	if _, err := crm.Open(t.Context(), f.clerk, f.book, org, actions, entities); err == nil || !strings.Contains(err.Error(), `value 4 ("password.reset") is missing`) {
		t.Errorf("an older program: %v", err)
	}
	r, err := crm.ReadRegistry(t.Context(), f.book, org, nil)
	if err != nil || r.Actions.Next() != 6 || r.EntityTypes.Next() != 3 {
		t.Errorf("%+v, %v", r, err)
	}
}

// Programs that open at once, with different ideas of what is new, agree on one numbering.
func TestOpenAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var wait sync.WaitGroup
	results := make([]error, 24)
	for i := range results {
		wait.Go(func() {
			enum := crm.Enum{4: []string{"a.a", "b.b", "c.c"}[i%3]}
			maps.Copy(enum, actions)
			_, results[i] = crm.Open(t.Context(), f.clerk, f.book, org, enum, entities)
		})
	}
	wait.Wait()
	r, err := crm.ReadRegistry(t.Context(), f.book, org, nil)
	if err != nil {
		t.Fatal(err)
	}
	won, ok := r.Actions.Name(4)
	if !ok || r.Actions.Next() != 5 {
		t.Fatalf("%+v", r.Actions.Values())
	}
	for i, err := range results {
		if mine := []string{"a.a", "b.b", "c.c"}[i%3]; (err == nil) != (mine == won) {
			t.Errorf("who wanted %s, while %s won: %v", mine, won, err)
		}
	}
	if f.size() != 3 {
		t.Errorf("%d entries", f.size())
	}
}

// An event that is made to look like an append changes nothing, and does not stop the numbering.
func TestForgedAppends(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	r, err := crm.ReadRegistry(t.Context(), f.book, org, nil)
	if err != nil {
		t.Fatal(err)
	}
	honest, _, err := r.Appending(crm.Actions, []crm.Value{{Value: 4, Name: "x"}}, daybook.System("crm"), 0)
	if err != nil {
		t.Fatal(err)
	}
	forge := func(change func(e *daybook.Event)) {
		t.Helper()
		e := honest[0]
		change(&e)
		if _, err := f.book.Record(t.Context(), org, e); err != nil {
			t.Fatal(err)
		}
	}
	for _, metadata := range []string{`{}`, `{"crm":{"enum":"actions","generation":1,"values":{"9":"x"}}}`, `{"crm":1}`} {
		forge(func(e *daybook.Event) { e.ID, e.Metadata = daybook.ID{}, json.RawMessage(metadata) })
	}
	// The place of the next append is taken by one that renumbers, and the one after by an event of another action.
	forge(func(e *daybook.Event) {
		e.Metadata = json.RawMessage(`{"crm":{"enum":"actions","generation":1,"values":{"2":"lead.other"}}}`)
	})
	later, _, err := r.Appending(crm.Actions, []crm.Value{{Value: 4, Name: "x"}}, daybook.System("crm"), 1)
	if err != nil {
		t.Fatal(err)
	}
	forge(func(e *daybook.Event) { e.ID, e.Action = later[0].ID, "other" })
	enum := crm.Enum{4: "lead.merge"}
	maps.Copy(enum, actions)
	f.open(enum, entities)
	f.open(enum, entities)
	if r, err = crm.ReadRegistry(t.Context(), f.book, org, nil); err != nil || !cmp.Equal(r.Actions.Enum(), enum) {
		t.Errorf("%v, %v", r.Actions.Enum(), err)
	}
}

// What retention has removed of the numbering is known to a copy; without one, the constants of the application count.
func TestNumberingAfterRetention(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	before, err := crm.ReadRegistry(t.Context(), f.book, org, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(before)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.book.Erase(t.Context(), daybook.EraseRequest{Org: org, Text: "action:" + crm.EnumAppended, Whole: true, Reason: "r", By: daybook.Party{Type: "user", ID: "dpo"}}); err != nil {
		t.Fatal(err)
	}
	if err := f.book.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	known := &crm.Registry{}
	if err := json.Unmarshal(text, known); err != nil {
		t.Fatal(err)
	}
	after, err := crm.ReadRegistry(t.Context(), f.book, org, known)
	if err != nil || !cmp.Equal(after.Actions.Enum(), actions) || after.Length() != before.Length() {
		t.Errorf("%+v, %v", after, err)
	}
	f.open(actions, entities)
	enum := crm.Enum{4: "lead.merge"}
	maps.Copy(enum, actions)
	f.open(enum, entities)
	if after, err = crm.ReadRegistry(t.Context(), f.book, org, nil); err != nil || !cmp.Equal(after.Actions.Enum(), enum) {
		t.Errorf("%+v, %v", after.Actions.Enum(), err)
	}
	enum[2] = "renamed"
	if _, err := crm.Open(t.Context(), f.clerk, f.book, org, enum, entities); err == nil {
		t.Error("a renamed constant was taken")
	}
}

func TestRecord(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.record(crm.Event{
		Action: leadUpdate, EntityType: lead, Previous: row{"id": 1201, "status": "new", "phone": "1", "password": "a", "address": row{"city": "Rome", "zip": 1}},
		Current: row{"id": 1201, "status": "won", "owner": 7, "password": "b", "address": row{"city": "Oslo", "zip": 1}},
		User:    &crm.User{ID: "7", Email: "ann@example.com"}, ImpersonatedBy: &crm.User{ID: "root", Email: "root@example.com"},
	})
	e := f.list(crm.Filter{})[0]
	got, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"id":3,"action":2,"actionName":"lead.update","entityType":1,"entityTypeName":"LeadEntity","numberIdentifier":1201,"changedObjects":{` +
		`"previous":{"address":{"city":"Rome","zip":1},"id":1201,"password":{"$masked":true},"phone":"1","status":"new"},` +
		`"current":{"address":{"city":"Oslo","zip":1},"id":1201,"owner":7,"password":{"$masked":true},"status":"won"},` +
		`"difference":{"address":{"city":"Oslo","zip":1},"password":{"$masked":true},"phone":null,"status":"won","owner":7}},` +
		`"user":7,"userEmail":"ann@example.com","isImpersonated":true,"impersonatedBy":{"id":"root","email":"root@example.com"},` +
		`"createdAt":"` + e.CreatedAt.UTC().Format("2006-01-02T15:04:05.000Z") + `","eventId":"` + e.EventID.String() + `","seq":2,"actorId":"7","changes":[` +
		`{"path":"/address/city","old":"Rome","new":"Oslo"},{"path":"/owner","new":7},{"path":"/password","old":{"$masked":true},"new":{"$masked":true}},` +
		`{"path":"/phone","old":"1"},{"path":"/status","old":"new","new":"won"}]}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
}

func TestRecordRefuses(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := &crm.User{ID: "7"}
	for field, e := range map[string]crm.Event{
		"action":           {Action: 9, EntityType: lead, NumberIdentifier: "1", User: user},
		"entityType":       {Action: leadUpdate, EntityType: 9, NumberIdentifier: "1", User: user},
		"numberIdentifier": {Action: leadUpdate, EntityType: lead, User: user},
		"previous":         {Action: leadUpdate, EntityType: lead, NumberIdentifier: "1", User: user, Previous: []int{1}},
		"current":          {Action: leadUpdate, EntityType: lead, NumberIdentifier: "1", User: user, Current: "text"},
		"user":             {Action: leadUpdate, EntityType: lead, NumberIdentifier: "1", ImpersonatedBy: user},
	} {
		_, err := f.table.Record(t.Context(), e)
		var coded *daybook.Error
		if !errors.As(err, &coded) || coded.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	e := crm.Event{Action: leadUpdate, EntityType: lead, NumberIdentifier: "1"}
	if _, err := f.table.Record(t.Context(), e); !errors.Is(err, daybook.ErrNoActor) {
		t.Errorf("nobody acts: %v", err)
	}
	e.Previous = func() {}
	if _, err := f.table.Record(t.Context(), e); err == nil {
		t.Error("a function was encoded")
	}
	if f.size() != 2 {
		t.Errorf("something was recorded: %d entries", f.size())
	}
}

// Who acts, and in whose name, comes from the context when the event does not say.
func TestActorOfContext(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := daybook.WithActor(t.Context(), daybook.Actor{Type: "user", ID: "7", Email: "ann@example.com"}.As(daybook.Actor{Type: "user", ID: "1"}))
	for _, ctx := range []context.Context{ctx, daybook.WithActor(t.Context(), daybook.System("cron"))} {
		if _, err := f.table.Record(ctx, crm.Event{Action: leadDelete, EntityType: lead, NumberIdentifier: "a/b", Previous: row{"x": 1}}); err != nil {
			t.Fatal(err)
		}
	}
	got := f.list(crm.Filter{Oldest: true})
	if one := got[0]; string(one.User) != `"7"` || *one.UserEmail != "ann@example.com" || !one.IsImpersonated || string(one.ImpersonatedBy.ID) != `"1"` || string(one.NumberIdentifier) != `"a/b"` {
		t.Errorf("%+v", one)
	}
	if other := got[1]; string(other.User) != "null" || other.ActorID != "cron" || other.IsImpersonated || string(other.ChangedObjects.Difference) != `{"x":null}` || string(other.ChangedObjects.Current) != "null" {
		t.Errorf("%+v", other)
	}
}

func TestUserDeleted(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ann, bob := &crm.User{ID: "7", Email: "ann@example.com"}, &crm.User{ID: "8", Email: "bob@example.com"}
	f.record(crm.Event{Action: leadUpdate, EntityType: lead, User: ann})                      // 3
	f.record(crm.Event{Action: leadUpdate, EntityType: lead, User: bob, ImpersonatedBy: ann}) // 4
	ctx := daybook.WithActor(t.Context(), daybook.System("admin"))
	size := f.size()
	for range 2 {
		if err := f.table.UserDeleted(ctx, "7"); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.table.UserDeleted(daybook.WithActor(t.Context(), daybook.System("other")), "7"); err != nil {
		t.Fatal(err)
	}
	if f.size() != size+1 {
		t.Errorf("a deletion is %d entries", f.size()-size)
	}
	f.record(crm.Event{Action: leadUpdate, EntityType: lead, User: ann}) // 6: newer
	got := f.list(crm.Filter{Oldest: true})
	for _, e := range []crm.Entry{got[0], got[2]} {
		if string(e.User) != "null" || *e.UserEmail != "ann@example.com" || e.ActorID != "7" {
			t.Errorf("%+v", e)
		}
	}
	if e := got[1]; string(e.User) != "8" || string(e.ImpersonatedBy.ID) != "null" || *e.ImpersonatedBy.Email != "ann@example.com" {
		t.Errorf("%+v", e)
	}
	if got := ids(f.list(crm.Filter{User: "7"})); !slices.Equal(got, []int64{6, 3}) {
		t.Errorf("entries of a deleted user: %v", got)
	}
	if got := ids(f.list(crm.Filter{NoUser: true})); !slices.Equal(got, []int64{6, 3}) {
		t.Errorf("entries without a user: %v", got)
	}
	if err := f.table.UserDeleted(ctx, ""); daybook.CodeOf(err) != daybook.CodeInvalid {
		t.Errorf("nobody was deleted: %v", err)
	}
	if err := f.table.UserDeleted(t.Context(), "8"); !errors.Is(err, daybook.ErrNoActor) {
		t.Errorf("nobody did it: %v", err)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ann := &crm.User{ID: "7", Email: "Ann@Example.com"}
	f.record(crm.Event{Action: leadCreate, EntityType: lead, Current: row{"name": "x", "a/b": 1}, User: ann})                                             // 3
	f.record(crm.Event{Action: leadUpdate, EntityType: lead, Previous: row{"name": "x"}, Current: row{"name": "y"}, User: ann, NumberIdentifier: "a,b*"}) // 4
	f.record(crm.Event{Action: leadUpdate, EntityType: business, User: &crm.User{ID: "ann@example.com"}, ImpersonatedBy: ann})                            // 5
	f.record(crm.Event{Action: leadDelete, EntityType: business, Previous: row{"name": "x", "n": nil}, User: &crm.User{ID: "x", Email: "x@example.com"}}) // 6
	if _, err := f.book.Record(t.Context(), org, daybook.Event{
		Action: "lead.update", Actor: daybook.Actor{Type: "user", ID: "7"}, Targets: []daybook.Target{{Type: "Other", ID: "1"}},
		Changes: daybook.Changes{{Path: "/name", Old: daybook.JSON([]byte(`1`)), New: daybook.JSON([]byte(`2`))}, {Path: "/a/b", New: daybook.JSON([]byte(`3`))}},
	}); err != nil { // 7
		t.Fatal(err)
	}
	yes, no := true, false
	at := f.list(crm.Filter{Oldest: true})[1].CreatedAt.Time
	for _, tt := range []struct {
		f    crm.Filter
		want []int64
	}{
		{crm.Filter{}, []int64{6, 5, 4, 3}},
		{crm.Filter{Oldest: true}, []int64{3, 4, 5, 6}},
		{crm.Filter{All: true}, []int64{7, 6, 5, 4, 3, 2, 1}},
		{crm.Filter{Action: []string{"2"}}, []int64{5, 4}},
		{crm.Filter{Action: []string{"lead.create", "3"}}, []int64{6, 3}},
		{crm.Filter{EntityType: []string{"2"}}, []int64{6, 5}},
		{crm.Filter{EntityType: []string{"BusinessEntity", "LeadEntity"}}, []int64{6, 5, 4, 3}},
		{crm.Filter{EntityType: []string{"Other"}, All: true}, []int64{7}},
		{crm.Filter{NumberIdentifier: []string{"1201"}}, []int64{6, 5, 3}},
		{crm.Filter{NumberIdentifier: []string{"a,b*", "b"}}, []int64{4}},
		{crm.Filter{User: "7"}, []int64{4, 3}},
		{crm.Filter{User: "7", All: true}, []int64{7, 4, 3}},
		{crm.Filter{UserEmail: "ann@example.COM"}, []int64{4, 3}},
		{crm.Filter{IsImpersonated: &yes}, []int64{5}},
		{crm.Filter{IsImpersonated: &no}, []int64{6, 4, 3}},
		{crm.Filter{ImpersonatedBy: "7"}, []int64{5}},
		{crm.Filter{ImpersonatedBy: "Ann@Example.com"}, nil},
		{crm.Filter{Changed: []string{"name"}}, []int64{6, 4, 3}},
		{crm.Filter{Changed: []string{"name", "n"}}, []int64{6}},
		{crm.Filter{Changed: []string{"a/b"}}, []int64{3}},
		{crm.Filter{NoUser: true}, nil},
		{crm.Filter{From: at}, []int64{6, 5, 4}},
		{crm.Filter{To: at}, []int64{3}},
		{crm.Filter{Query: "actor:ann* OR target.type:BusinessEntity", Action: []string{"2"}}, []int64{5, 4}},
	} {
		if got := ids(f.list(tt.f)); !slices.Equal(got, tt.want) {
			t.Errorf("%+v: %v, want %v", tt.f, got, tt.want)
		}
	}
	other := f.list(crm.Filter{All: true})[0]
	if *other.Action != 2 || other.EntityType != nil || other.EntityTypeName != "Other" || string(other.ChangedObjects.Difference) != `{"name":2,"a/b":3}` || string(other.NumberIdentifier) != `"1"` {
		t.Errorf("%+v %s", other, other.ChangedObjects.Difference)
	}
	for field, filter := range map[string]crm.Filter{
		"action": {Action: []string{"9"}}, "entityType": {EntityType: []string{"Nothing"}}, "limit": {Limit: 501}, "from": {From: time.Unix(-1, 0)},
		"q": {Query: "a) OR (b"}, "cursor": {Cursor: "x"},
	} {
		_, _, err := f.table.List(t.Context(), filter)
		var coded *daybook.Error
		if !errors.As(err, &coded) || coded.Code != daybook.CodeInvalid || coded.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for n := range 25 {
		f.record(crm.Event{Action: leadUpdate, EntityType: lead, User: &crm.User{ID: strconv.Itoa(n % 3)}})
	}
	ctx := daybook.WithActor(t.Context(), daybook.System("admin"))
	if err := f.table.UserDeleted(ctx, "1"); err != nil {
		t.Fatal(err)
	}
	for _, filter := range []crm.Filter{{Limit: 4}, {Limit: 4, NoUser: true}, {Limit: 4, Oldest: true}} {
		seen, pages := map[int64]bool{}, 0
		for {
			entries, cursor, err := f.table.List(t.Context(), filter)
			if err != nil || len(entries) > 4 {
				t.Fatal(len(entries), err)
			}
			for _, e := range entries {
				if seen[e.ID] || filter.NoUser != (string(e.User) == "null") && filter.NoUser {
					t.Errorf("%+v: entry %d, user %s", filter, e.ID, e.User)
				}
				seen[e.ID] = true
			}
			if filter.Cursor = cursor; cursor == "" {
				break
			}
			if pages++; pages == 1 {
				f.record(crm.Event{Action: leadUpdate, EntityType: lead, User: &crm.User{ID: "1"}}) // later: on no page
			}
		}
		want := map[bool]int{false: 25, true: 8}[filter.NoUser]
		if len(seen) < want || pages < want/4 {
			t.Errorf("%+v: %d entries on %d pages", filter, len(seen), pages+1)
		}
	}
}

// The law may demand the e-mail too: it goes, and the entry says so; who it was stays apart from others.
func TestErasedEmail(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.record(crm.Event{Action: leadUpdate, EntityType: lead, User: &crm.User{ID: "7", Email: "ann@example.com"}, Previous: row{"a": 1}, Current: row{"a": 2}})
	_, err := f.book.Erase(t.Context(), daybook.EraseRequest{
		Org: org, Text: "actor.id:7", Paths: []string{"/actor/email", "/metadata/crm/previous"}, Reason: "r", By: daybook.Party{Type: "user", ID: "dpo"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.book.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	e := f.list(crm.Filter{})[0]
	if e.UserEmail != nil || e.ActorID != "7" || string(e.User) != "7" || !slices.Contains(e.Erased, "/actor/email") {
		t.Errorf("%+v", e)
	}
	if string(e.ChangedObjects.Difference) != `{"a":2}` || string(e.ChangedObjects.Current) != `{"a":2}` {
		t.Errorf("%+v", e.ChangedObjects)
	}
	if _, err := f.book.Erase(t.Context(), daybook.EraseRequest{Org: org, Text: "actor.id:7", Whole: true, Reason: "r", By: daybook.Party{Type: "user", ID: "dpo"}}); err != nil {
		t.Fatal(err)
	}
	if err := f.book.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := f.list(crm.Filter{}); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	all := f.list(crm.Filter{All: true})
	if i := slices.IndexFunc(all, func(e crm.Entry) bool { return e.ID == 3 }); i < 0 || all[i].Removed != "erased" || string(all[i].User) != "null" {
		t.Errorf("%+v", all)
	}
}

func TestDifference(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ previous, current, want string }{
		{`{"a":1,"b":[1,2],"c":{"x":1,"y":2},"d":null}`, `{"c":{"y":2,"x":1.0},"b":[2,1],"a":1e0}`, `{"b":[2,1],"d":null}`},
		{``, `{"a":1,"b":null}`, `{"a":1,"b":null}`},
		{`{"a":1,"b":null}`, ``, `{"a":null,"b":null}`},
		{`{"a":9007199254740993}`, `{"a":9007199254740992}`, `{"a":9007199254740992}`},
		{`{"a":1}`, `{"a":1}`, `{}`},
		{`{}`, `{"a":null}`, `{"a":null}`},
		{``, ``, `{}`},
	} {
		raw := func(text string) json.RawMessage {
			if text == "" {
				return nil
			}
			return json.RawMessage(text)
		}
		if got, err := crm.Difference(raw(tt.previous), raw(tt.current)); err != nil || string(got) != tt.want {
			t.Errorf("%s to %s: %s, %v", tt.previous, tt.current, got, err)
		}
	}
	for _, bad := range []string{`[]`, `1`, `{`, `{"a":}`, `{} {}`, ``} {
		if bad != "" {
			if _, err := crm.Difference(json.RawMessage(bad), nil); err == nil {
				t.Errorf("%s was compared", bad)
			}
			if _, err := crm.Difference(nil, json.RawMessage(bad)); err == nil {
				t.Errorf("%s was compared", bad)
			}
		}
	}
}

// The objects of a large record are kept, whole, when the changes do not fit beside them.
func TestLargeRecord(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	before, after := row{}, row{}
	for n := range 400 {
		before[fmt.Sprintf("k%03d", n)], after[fmt.Sprintf("k%03d", n)] = n, n+1
	}
	f.record(crm.Event{Action: leadUpdate, EntityType: lead, Previous: before, Current: after, User: &crm.User{ID: "7"}})
	e := f.list(crm.Filter{})[0]
	if len(e.Changes) != 0 || strings.Count(string(e.ChangedObjects.Difference), ":") != 400 {
		t.Errorf("%d changes, difference %s", len(e.Changes), e.ChangedObjects.Difference)
	}
}

// FuzzDifference: what does not differ is the same in both, and what differs shows current.
func FuzzDifference(f *testing.F) {
	f.Add(`{"a":1,"b":[1,2]}`, `{"a":1.0,"c":{}}`)
	f.Add(`{"":0}`, `{"\u00e9":1}`)
	f.Fuzz(func(t *testing.T, previous, current string) {
		doc := leaf.Get()
		defer leaf.Put(doc)
		if doc.Read([]byte(previous)) != nil || doc.Read([]byte(current)) != nil {
			return
		}
		difference, err := crm.Difference(json.RawMessage(previous), json.RawMessage(current))
		if err != nil {
			t.Fatal(err)
		}
		var was, is, differs map[string]json.RawMessage
		for into, text := range map[*map[string]json.RawMessage]string{&was: previous, &is: current, &differs: string(difference)} {
			if err := json.Unmarshal([]byte(text), into); err != nil {
				t.Fatal(err)
			}
		}
		for name := range was {
			if _, ok := differs[name]; ok == daybook.EqualJSON(was[name], is[name]) {
				t.Errorf("%q: %s", name, difference)
			}
		}
		for name, v := range is {
			if d, ok := differs[name]; ok && !daybook.EqualJSON(d, v) || !ok && was[name] == nil {
				t.Errorf("%q: %s", name, difference)
			}
		}
	})
}
