package sqlite_test

import (
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/daybook-audit/daybook/sqlite"
)

// TestLock_forks opens and closes a store while the program starts others: a process on its way to be another program must not keep the
// lock.
func TestLock_forks(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "daybook.db")
	end := make(chan struct{})
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for {
				select {
				case <-end:
					return
				default:
					if err := exec.CommandContext(t.Context(), "true").Run(); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	for range 200 {
		held, err := sqlite.Hold(path)
		if err != nil {
			t.Error(err)
			break
		}
		if err := held.Close(); err != nil {
			t.Error(err)
			break
		}
	}
	close(end)
	group.Wait()
}
