package apptest

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/activity"
	"github.com/daybook-audit/daybook/daybooktest"
)

// TestActivity_Snapshot: with a database a snapshot is kept in one transaction with its event, is numbered without gaps, and can be
// restored before the relay has run and after.
func TestActivity_Snapshot(t *testing.T) {
	t.Parallel()
	onEach(t, func(b base) {
		t := b.t
		r, clerk := daybooktest.New(t, daybook.ClerkOptions{Org: "acme"})
		a := activity.New(clerk, b.outbox(), r.Book())
		ctx := daybook.WithActor(t.Context(), ada)
		const writers = 8
		var mu sync.Mutex
		ids := map[int64]string{}
		var wg sync.WaitGroup
		for i := range writers {
			wg.Go(func() {
				v, err := a.Snapshot(ctx, "post", "42", map[string]any{"i": i, "token": "x"}, "")
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				ids[v.Number] = v.EventID.String()
			})
		}
		wg.Wait()
		if len(ids) != writers {
			t.Fatalf("numbers %v", ids)
		}
		states := make([]map[string]any, writers+1)
		restored := func(check func(number int64, data map[string]any)) {
			t.Helper()
			for n := int64(1); n <= writers; n++ {
				data, v, err := a.Restore(ctx, ids[n])
				if err != nil || v.EventID.String() != ids[n] {
					t.Fatalf("version %d: %+v %v", n, v, err)
				}
				if v.Number != n || v.Actor.ID != "ada" {
					t.Errorf("version %+v, want number %d", v, n)
				}
				check(n, data)
			}
		}
		restored(func(n int64, data map[string]any) { states[n] = data })
		if _, err := daybook.NewRelay(b.outbox(), r, daybook.RelayOptions{Now: r.Now}).Drain(ctx); err != nil {
			t.Fatal(err)
		}
		restored(func(n int64, data map[string]any) {
			if diff := cmp.Diff(states[n], data); diff != "" {
				t.Errorf("version %d after the relay (-before +after):\n%s", n, diff)
			}
			if text, err := json.Marshal(data); err != nil || !strings.Contains(string(text), `"token":{"$masked":true}`) {
				t.Errorf("%s %v", text, err)
			}
		})
		if n := b.count(t, "SELECT COUNT(*) FROM daybook_versions WHERE number > 0 AND doc LIKE '%$masked%'"); n != writers {
			t.Errorf("%d versions are kept in the database", n)
		}
		if _, _, err := a.Restore(ctx, daybook.NewID().String()); !errors.Is(err, daybook.ErrNotExist) {
			t.Errorf("an unknown version: %v", err)
		}
	})
}
