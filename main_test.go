package daybook_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// No goroutine outlives the Book that started it.
func TestMain(m *testing.M) { goleak.VerifyTestMain(run{m}) }

// run closes the one Book that outlives the benchmarks which search it.
type run struct{ *testing.M }

func (r run) Run() int {
	code := r.M.Run()
	if searched != nil {
		if err := searched.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "close the book of the benchmarks:", err)
			return 1
		}
	}
	return code
}
