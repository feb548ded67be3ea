package sqlite

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

func TestTurns(t *testing.T) {
	t.Parallel()
	t.Run("the urgent go first, each queue in order", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			var turns turns
			ctx := t.Context()
			if err := turns.take(ctx, false); err != nil {
				t.Fatal(err)
			}
			var order []string
			var wg sync.WaitGroup
			for _, name := range []string{"a", "B", "c", "D"} {
				wg.Go(func() {
					if err := turns.take(ctx, name < "a"); err != nil {
						t.Error(err)
					}
					order = append(order, name)
					turns.give()
				})
				synctest.Wait()
			}
			turns.give()
			wg.Wait()
			if !slices.Equal(order, []string{"B", "D", "a", "c"}) {
				t.Errorf("order %v", order)
			}
		})
	})
	t.Run("who gives up waiting is forgotten", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			var turns turns
			if err := turns.take(t.Context(), false); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			for _, urgent := range []bool{true, false} {
				wg.Go(func() {
					if err := turns.take(ctx, urgent); !errors.Is(err, context.Canceled) {
						t.Errorf("error %v", err)
					}
				})
			}
			synctest.Wait()
			cancel()
			wg.Wait()
			turns.give()
			if err := turns.take(t.Context(), false); err != nil {
				t.Fatal(err)
			}
		})
	})
	t.Run("one at a time, whoever gives up", func(t *testing.T) {
		t.Parallel()
		var turns turns
		var wg sync.WaitGroup
		holders := 0
		for i := range 8 {
			wg.Go(func() {
				for range 500 {
					ctx, cancel := context.WithCancel(t.Context())
					go cancel()
					if turns.take(ctx, i%2 == 0) == nil {
						holders++ // the race detector sees two holders
						turns.give()
					}
				}
			})
		}
		wg.Wait()
		if err := turns.take(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		if holders == 0 {
			t.Error("nobody held it")
		}
	})
}
