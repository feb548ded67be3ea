package daybook_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/cursor"
	"github.com/daybook-audit/daybook/query"
	"github.com/daybook-audit/daybook/storetest"
)

func refused(err error) bool {
	var e *daybook.Error
	return errors.As(err, &e) && e.Code == daybook.CodeInvalid && e.Rule == "cursor_invalid" && e.Field == "cursor"
}

func TestCursor(t *testing.T) {
	t.Parallel()
	c := newClock()
	options := quiet(c)
	options.CursorKey = []byte("0123456789abcdef0123456789abcdef")
	store := storetest.Memory()
	b := open(t, store, options)
	for _, org := range []daybook.OrgID{"org_a", "org_b"} {
		record(t, b, org, daybook.Request{Events: texts(0, 20)})
	}
	within := query.Actor("user", "usr_1")
	q := daybook.EventQuery{
		Org: "org_a", Text: "action:invoice.paid", Limit: 1, FromText: "now-7d", ToText: "now+1d", Order: daybook.OrderOccurred, Asc: true, Zone: time.UTC,
		Within: within,
	}
	first, err := b.Search(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	q.Cursor = first.NextCursor
	c.move(time.Hour) // relative times stay what they were
	second, err := b.Search(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	if len(second.Entries) != 1 || second.Entries[0].Seq != 8 || *second.From != *first.From || second.Query != first.Query {
		t.Fatalf("the second page: %+v", second)
	}
	t.Run("alone is enough", func(t *testing.T) {
		alone, err := b.Search(t.Context(), daybook.EventQuery{Org: "org_a", Within: within, Cursor: q.Cursor, Limit: 1})
		if err != nil || len(alone.Entries) != 1 || alone.Entries[0].Seq != 8 {
			t.Errorf("page %+v, error %v", alone, err)
		}
	})
	for name, change := range map[string]func(*daybook.EventQuery){
		"another org":          func(q *daybook.EventQuery) { q.Org = "org_b" },
		"an org without a log": func(q *daybook.EventQuery) { q.Org = "org_c" },
		"another query":        func(q *daybook.EventQuery) { q.Text = "action:invoice.sent" },
		"another parsed query": func(q *daybook.EventQuery) { q.Query = query.Actor("user", "usr_9") },
		"another reader":       func(q *daybook.EventQuery) { q.Within = query.Actor("user", "usr_2") },
		"no reader":            func(q *daybook.EventQuery) { q.Within = nil },
		"another from":         func(q *daybook.EventQuery) { q.FromText = "now-8d" },
		"another to":           func(q *daybook.EventQuery) { q.To = 1 },
		"another zone":         func(q *daybook.EventQuery) { q.Zone = time.FixedZone("UTC+1", 3600) },
		"cut":                  func(q *daybook.EventQuery) { q.Cursor = q.Cursor[:len(q.Cursor)-1] },
		"longer":               func(q *daybook.EventQuery) { q.Cursor += "A" },
		"no prefix":            func(q *daybook.EventQuery) { q.Cursor = q.Cursor[2:] },
		"not base64":           func(q *daybook.EventQuery) { q.Cursor = "c_!" },
		"huge":                 func(q *daybook.EventQuery) { q.Cursor = "c_" + strings.Repeat("A", 1<<20) },
	} {
		t.Run("refused: "+name, func(t *testing.T) {
			other := q
			change(&other)
			if page, err := b.Search(t.Context(), other); !refused(err) {
				t.Errorf("page %+v, error %v", page, err)
			}
		})
	}
	t.Run("refused: another key", func(t *testing.T) {
		other := quiet(c)
		other.CursorKey = []byte("another key of thirty-two bytes!")
		if _, err := open(t, storetest.Memory(), other).Search(t.Context(), q); !refused(err) {
			t.Errorf("error %v", err)
		}
	})
}

// FuzzCursor: whatever question a cursor of ours names, it is refused or can be answered.
func FuzzCursor(f *testing.F) {
	c := newClock()
	options := quiet(c)
	options.CursorKey = []byte("0123456789abcdef0123456789abcdef")
	b := open(f, storetest.Memory(), options)
	if _, err := b.RecordJSON(f.Context(), "org_a", daybook.Request{Events: texts(0, 9)}); err != nil {
		f.Fatal(err)
	}
	bound := &cursor.Binding{Key: options.CursorKey, Org: "org_a"}
	var real cursor.Cursor
	for _, q := range []daybook.EventQuery{
		{Org: "org_a", Limit: 1}, {Org: "org_a", Limit: 2, Order: daybook.OrderOccurred, Asc: true, Text: "action:invoice.paid", From: 5, To: 1 << 60},
	} {
		page, err := b.Search(f.Context(), q)
		if err != nil {
			f.Fatal(err)
		}
		var ok bool
		if real, ok = cursor.Read(page.NextCursor, bound); !ok {
			f.Fatalf("%q is no cursor", page.NextCursor)
		}
		f.Add(real.Epoch, real.Size, real.ByOccurred, real.Asc, real.Seq, real.Occurred, real.Now, real.From, real.To, real.Zone, real.Query)
	}
	f.Fuzz(func(t *testing.T, epoch int, size int64, byOccurred, asc bool, seq, occurred, now, from, to int64, zone, text string) {
		again := cursor.Cursor{
			LogID: real.LogID, Epoch: epoch, Size: size, ByOccurred: byOccurred, Asc: asc, Seq: seq, Occurred: occurred, Now: now, From: from, To: to,
			Zone: zone, Query: text,
		}
		page, err := b.Search(t.Context(), daybook.EventQuery{Org: "org_a", Cursor: again.Text(bound)})
		if err != nil && !refused(err) {
			t.Fatalf("%+v: %v", again, err)
		}
		if err == nil && page.Size > 9 {
			t.Fatalf("%+v: a page of a log of %d", again, page.Size)
		}
	})
}
