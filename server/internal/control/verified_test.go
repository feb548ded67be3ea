package control_test

import (
	"testing"
	"time"

	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/storetest"
)

// TestVerified: a new store counts from when it is first asked, and whoever asks next goes on from the last time.
func TestVerified(t *testing.T) {
	t.Parallel()
	docs := storetest.Memory()
	first := time.UnixMicro(1_000_000).UTC()
	for _, now := range []time.Time{first, first.Add(time.Hour)} {
		if last, err := control.Verified(t.Context(), docs, now); err != nil || !last.Equal(first) {
			t.Errorf("asked at %s: %s, %v", now, last, err)
		}
	}
	next := first.Add(24 * time.Hour)
	for _, done := range []time.Time{next, first} { // a node whose clock is behind moves nothing back
		if err := control.KeepVerified(t.Context(), docs, done); err != nil {
			t.Fatal(err)
		}
		if last, err := control.Verified(t.Context(), docs, next); err != nil || !last.Equal(next) {
			t.Errorf("%s, %v", last, err)
		}
	}
}
