package daybook_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/storetest"
)

// badTail is a store of which one commit is not read as it was written.
type badTail struct {
	*storetest.MemoryStore
	n     daybook.CommitNo
	spoil func(b []byte) []byte // nil: the commit is missing
}

func (s *badTail) Tail(ctx context.Context, shard int, after daybook.CommitNo, maxBytes int) (daybook.Tail, error) {
	tail, err := s.MemoryStore.Tail(ctx, shard, after, maxBytes)
	at := slices.IndexFunc(tail.Rows, func(r daybook.TailRow) bool { return r.N == s.n })
	switch {
	case at < 0:
	case s.spoil == nil:
		tail.Rows = slices.Delete(slices.Clone(tail.Rows), at, at+1)
	default:
		tail.Rows = slices.Clone(tail.Rows)
		tail.Rows[at].Bytes = s.spoil(slices.Clone(tail.Rows[at].Bytes))
	}
	return tail, err
}

// TestFsckDamagedCommit: no Book opens on a commit that cannot be read, and says which it is; a check goes on behind it, and names the
// entries that it held as far as the commits after it tell.
func TestFsckDamagedCommit(t *testing.T) {
	t.Parallel()
	store := storetest.Memory()
	b := open(t, store, daybook.Options{})
	for _, org := range []daybook.OrgID{"org_a", "org_b", "org_a", "org_b", "org_a"} { // commit 3 is of org_a alone
		record(t, b, org, daybook.Request{Events: texts(0, 2)})
	}
	flip := func(b []byte) []byte {
		b[len(b)/2] ^= 4
		return b
	}
	for name, c := range map[string]struct {
		n     daybook.CommitNo
		spoil func([]byte) []byte
		want  []string
	}{
		"flipped":                      {3, flip, []string{" commit_damaged", "org_a gap entries 2 to 3 are missing"}},
		"cut":                          {3, func(b []byte) []byte { return b[:10] }, []string{" commit_damaged", "org_a gap entries 2 to 3 are missing"}},
		"missing":                      {3, nil, []string{" commit_damaged", "org_a gap entries 2 to 3 are missing"}},
		"the first of an organization": {2, flip, []string{" commit_damaged", "org_b gap entries 0 to 1 are missing"}},
		"the last":                     {5, flip, []string{" commit_damaged"}},
	} {
		bad := &badTail{store, c.n, c.spoil}
		for _, only := range []bool{false, true} {
			report, err := daybook.Fsck(t.Context(), bad, daybook.FsckOptions{TailOnly: only})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			var got []string
			for _, f := range report.Findings {
				said := string(f.Org) + " " + f.Code
				if f.Code == "gap" {
					said += " " + f.Message
				} else if !strings.Contains(f.Message, "of shard 0") {
					t.Errorf("%s: %s names no shard", name, f.Message)
				}
				got = append(got, said)
			}
			want := c.want
			if only {
				want = want[:1]
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, the tail only %t: %s", name, only, diff)
			}
		}
		if c.spoil == nil {
			continue // a store that skips a commit is another matter: its Tail promises not to
		}
		_, err := daybook.Open(t.Context(), bad, daybook.Options{CursorKey: make([]byte, 32)})
		if daybook.CodeOf(err) != daybook.CodeTampered || !strings.Contains(err.Error(), "of shard 0, which is not merged yet") {
			t.Errorf("%s: opened: %v", name, err)
		}
	}
}
