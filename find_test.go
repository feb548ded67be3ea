package daybook_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/storetest"
)

func TestEntry(t *testing.T) {
	t.Parallel()
	t.Run("every entry is found by its id and by its seq, wherever it is", func(t *testing.T) {
		t.Parallel()
		rapid.Check(t, func(t *rapid.T) {
			c := newClock()
			withBook(t, quiet(c), func(b *daybook.Book) {
				o := &oracle{t: t, b: b, org: "org_a"}
				drawLog(t, o, c)
				for i := 0; i < len(o.entries); i += 1 + len(o.entries)/150 {
					want := &o.entries[i]
					byID, err := b.Entry(t.Context(), o.org, want.ID)
					if err != nil {
						t.Fatalf("entry %s: %v", want.ID, err)
					}
					o.compare("by id", []daybook.Entry{byID}, o.entries[i:i+1])
					bySeq, err := b.EntryAt(t.Context(), o.org, want.Seq)
					if err != nil {
						t.Fatalf("entry %d: %v", want.Seq, err)
					}
					o.compare("by seq", []daybook.Entry{bySeq}, o.entries[i:i+1])
				}
			})
		})
	})
	t.Run("an id of a clock that is ahead is found", func(t *testing.T) {
		t.Parallel()
		c := newClock()
		b := open(t, storetest.Memory(), quiet(c))
		ahead := idAt(c.now().Add(48 * time.Hour))
		record(t, b, "org_a", daybook.Request{Events: [][]byte{event(0, fmt.Sprintf(`"id":"%s",`, ahead))}})
		c.move(100 * time.Hour)
		record(t, b, "org_a", daybook.Request{Events: texts(1, 1000)})
		settle(t, b)
		if e, err := b.Entry(t.Context(), "org_a", ahead); err != nil || e.Seq != 0 {
			t.Errorf("entry %d, error %v", e.Seq, err)
		}
	})
	t.Run("what is not there is not found", func(t *testing.T) {
		t.Parallel()
		b := open(t, storetest.Memory(), quiet(newClock()))
		id := record(t, b, "org_a", daybook.Request{Events: texts(0, 600)})[3].ID
		settle(t, b)
		record(t, b, "org_a", daybook.Request{Events: texts(600, 10)})
		for _, err := range []error{
			second(b.Entry(t.Context(), "org_a", daybook.NewID())),
			second(b.Entry(t.Context(), "org_a", daybook.ID{})),
			second(b.Entry(t.Context(), "org_b", id)),
			second(b.EntryAt(t.Context(), "org_a", 610)),
			second(b.EntryAt(t.Context(), "org_a", -1)),
			second(b.EntryAt(t.Context(), "org_b", 0)),
		} {
			if daybook.CodeOf(err) != daybook.CodeNotFound {
				t.Errorf("error %v, want not_found", err)
			}
		}
	})
}

func second[T any](_ T, err error) error { return err }

// idAt returns an id that says that it was made at a time.
func idAt(at time.Time) daybook.ID {
	id := daybook.ID(uuid.Must(uuid.NewV7()))
	ms := at.UnixMilli()
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	return id
}
