package postgres_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/daybook-audit/daybook/internal/pgtest"
)

// server is the PostgreSQL that most of these tests share.
var server struct{ url string }

func TestMain(m *testing.M) {
	s, err := pgtest.ForMain()
	if err != nil {
		fmt.Fprintln(os.Stderr, "start PostgreSQL for the tests (tools/install-test-needs installs it):", err)
		os.Exit(1)
	}
	server.url = "host=" + s.Folder() + " user=daybook dbname=postgres"
	os.Exit(m.Run())
}
