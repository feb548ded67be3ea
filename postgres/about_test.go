package postgres_test

import (
	"testing"
	"time"

	"github.com/daybook-audit/daybook/postgres"
)

// TestAbout: a store says what its server is, and how far its clock is from ours.
func TestAbout(t *testing.T) {
	t.Parallel()
	s, err := postgres.Open(t.Context(), server.url, postgres.Options{Schema: newSchema(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close() //nolint:errcheck // of the test
	a, err := s.About(t.Context(), func() time.Time { return time.Now().Add(-time.Hour) })
	if err != nil {
		t.Fatal(err)
	}
	if a.Version == "" || a.Role == "" || a.Standby || a.Schema < 1 || a.MaxConns < 1 {
		t.Errorf("%+v", a)
	}
	if off := a.Ahead - time.Hour; off < -time.Minute || off > time.Minute {
		t.Errorf("the server's clock is %s ahead of one that is an hour behind", a.Ahead)
	}
}
