package postgres_test

import (
	"errors"
	"io/fs"
	"sync"
	"testing"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/postgres"
	"github.com/daybook-audit/daybook/storetest"
)

func openHighWater(tb testing.TB, o postgres.HighWaterOptions) *postgres.HighWater {
	tb.Helper()
	h, err := postgres.OpenHighWater(tb.Context(), server.url+" pool_max_conns=4", o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := h.Close(); err != nil {
			tb.Error(err)
		}
	})
	return h
}

func TestHighWater(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	names := map[testing.TB]string{}
	storetest.RunHighWater(t, func(tb testing.TB) daybook.HighWater {
		tb.Helper()
		mu.Lock()
		defer mu.Unlock()
		if names[tb] == "" {
			names[tb] = newSchema(tb)
		}
		return openHighWater(tb, postgres.HighWaterOptions{Schema: names[tb]})
	})
}

func TestOpenHighWater(t *testing.T) {
	t.Parallel()
	t.Run("after Close every method fails, and Close does not", func(t *testing.T) {
		t.Parallel()
		h := openHighWater(t, postgres.HighWaterOptions{Schema: newSchema(t)})
		for range 2 {
			if err := h.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := h.Mark(t.Context(), "a"); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("Mark: %v", err)
		}
		if err := h.Advance(t.Context(), "a", daybook.Mark{}, daybook.Mark{Size: 1}); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("Advance: %v", err)
		}
	})
	t.Run("with ReadOnly and MustExist none is made, and with ReadOnly none is changed", func(t *testing.T) {
		t.Parallel()
		schema := newSchema(t)
		for _, o := range []postgres.HighWaterOptions{{Schema: schema, ReadOnly: true}, {Schema: schema, MustExist: true}} {
			if h, err := postgres.OpenHighWater(t.Context(), server.url, o); !errors.Is(err, fs.ErrNotExist) {
				t.Fatalf("%+v: %v, %v", o, h, err)
			}
		}
		w := openHighWater(t, postgres.HighWaterOptions{Schema: schema})
		if err := w.Advance(t.Context(), "a", daybook.Mark{}, daybook.Mark{Size: 3, At: 4}); err != nil {
			t.Fatal(err)
		}
		r := openHighWater(t, postgres.HighWaterOptions{Schema: schema, ReadOnly: true})
		if m, ok, err := r.Mark(t.Context(), "a"); err != nil || !ok || m.Size != 3 {
			t.Errorf("%+v, %v, %v", m, ok, err)
		}
		if err := r.Reset(t.Context(), "a", daybook.Mark{}); !errors.Is(err, postgres.ErrReadOnly) {
			t.Errorf("Reset: %v", err)
		}
	})
	t.Run("a newer one is refused", func(t *testing.T) {
		t.Parallel()
		schema := newSchema(t)
		if err := openHighWater(t, postgres.HighWaterOptions{Schema: schema}).Close(); err != nil {
			t.Fatal(err)
		}
		run(t, connect(t, schema), "INSERT INTO versions (version) VALUES (99)")
		if _, err := postgres.OpenHighWater(t.Context(), server.url, postgres.HighWaterOptions{Schema: schema}); !errors.Is(err, daybook.ErrNewer) {
			t.Errorf("error is %v", err)
		}
	})
}
