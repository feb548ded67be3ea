package daybook

import (
	"testing"

	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/leaf"
)

// TestLawful: what is gone must be named by an entry that leaves as little.
func TestLawful(t *testing.T) {
	t.Parallel()
	forms := []kept.Form{kept.FormLeaf, kept.FormHash, kept.FormNone}
	for _, gone := range forms {
		for _, allowed := range forms {
			c := &logCheck{f: &fsck{}}
			c.removals.whole[gone] = leaf.Items{{First: 3, Last: 9}}
			c.removals.acts[allowed] = leaf.Items{{First: 8, Last: 12}, {First: 0, Last: 7}}
			if c.lawful(); (len(c.findings) == 0) != (allowed >= gone) {
				t.Errorf("form %d, allowed is %d: %+v", gone, allowed, c.findings)
			}
		}
	}
}
