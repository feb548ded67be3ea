package daybook_test

import (
	"testing"

	"go.uber.org/goleak"
)

// No goroutine outlives the Book that started it.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
