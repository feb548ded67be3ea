package postgres_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/postgres"
	"github.com/daybook-audit/daybook/storetest"
)

var schemas atomic.Int64

// newSchema returns a name for a schema of tb's own, dropped at its end.
func newSchema(tb testing.TB) string {
	tb.Helper()
	name := fmt.Sprintf("test_%d", schemas.Add(1))
	tb.Cleanup(func() {
		ctx := context.Background()
		c, err := pgx.Connect(ctx, server.url)
		if err != nil {
			tb.Fatal(err)
		}
		defer c.Close(ctx) //nolint:errcheck // nothing was written with it that counts
		if _, err := c.Exec(ctx, "DROP SCHEMA IF EXISTS "+name+" CASCADE"); err != nil {
			tb.Error(err)
		}
	})
	return name
}

func TestStore(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	names := map[testing.TB]string{}
	storetest.Run(t, func(tb testing.TB) daybook.Store {
		tb.Helper()
		mu.Lock()
		defer mu.Unlock()
		if names[tb] == "" {
			names[tb] = newSchema(tb)
		}
		s, err := postgres.Open(tb.Context(), server.url, postgres.Options{Schema: names[tb], Shards: 1})
		if err != nil {
			tb.Fatal(err)
		}
		return s
	})
}
