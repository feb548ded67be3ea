package daybook_test

import (
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/storetest"
)

// TestFsckSigned compares a store with what was signed of it.
func TestFsckSigned(t *testing.T) {
	t.Parallel()
	now, marks := newClock(), storetest.Marks()
	s := storetest.Memory()
	b := open(t, s, signing(marks, now))
	for i := range 4 { // the first three checkpoints lie in blocks, the last in the tail
		record(t, b, "org_a", daybook.Request{Events: texts(300*i, 300)})
		checkpoint(t, b, "org_a")
		if i == 2 {
			if err := b.Settle(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	origin := logInfo(t, b, "org_a").Origin
	older, olderMarks := s.Copy(), marks.Copy()
	record(t, b, "org_a", daybook.Request{Events: texts(1200, 5)})
	checkpoint(t, b, "org_a")
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	s = s.Reopen()
	note := func(size int64, text string) daybook.StoredNote {
		return daybook.StoredNote{Size: size, At: now.micros.Load(), Note: []byte(text)}
	}
	false3 := "x\n3\n" + base64Of(tlog.Hash{1}) + "\n\n— x y\n"
	for name, tc := range map[string]struct {
		store func(t *testing.T) daybook.Store
		marks func(t *testing.T) *storetest.MemoryMarks
		code  string // empty: no finding
		at    int64
	}{
		"everything agrees":                        {},
		"an older store":                           {store: func(*testing.T) daybook.Store { return older.Copy() }, code: "rollback", at: 1200},
		"an older high-water store":                {marks: func(*testing.T) *storetest.MemoryMarks { return olderMarks }},
		"no mark":                                  {marks: func(*testing.T) *storetest.MemoryMarks { return storetest.Marks() }, code: "rollback", at: -1},
		"a mark with another root":                 {marks: otherMark(origin, 1205), code: "fork", at: 1204},
		"a mark below the end with another root":   {marks: otherMark(origin, 700), code: "fork", at: 699},
		"a checkpoint in blocks with another root": {store: withNote(s, note(3, false3)), code: "checkpoint_mismatch", at: 2},
		"a checkpoint in the tail with another root": {
			store: withNote(s, note(1203, "x\n1203\n"+base64Of(tlog.Hash{1})+"\n\n— x y\n")), code: "checkpoint_mismatch", at: 1202,
		},
		"a checkpoint of the empty log with another root": {store: withNote(s, note(0, "x\n0\n"+base64Of(tlog.Hash{1})+"\n\n— x y\n")), code: "checkpoint_mismatch", at: -1},
		"a checkpoint beyond the end":                     {store: withNote(s, note(1300, "x\n1300\n"+base64Of(tlog.Hash{1})+"\n\n— x y\n")), code: "rollback", at: 1205},
		"a checkpoint that says another size":             {store: withNote(s, note(4, false3)), code: "checkpoint_damaged", at: -1},
		"a checkpoint that is no note":                    {store: withNote(s, note(4, "x")), code: "checkpoint_damaged", at: -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var store daybook.Store = s
			if tc.store != nil {
				store = tc.store(t)
			}
			hw := marks
			if tc.marks != nil {
				hw = tc.marks(t)
			}
			report, err := daybook.Fsck(t.Context(), store, daybook.FsckOptions{HighWater: hw, Origin: "audit.example.com"})
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case tc.code == "" && (len(report.Findings) > 0 || report.Checkpoints != 5):
				t.Errorf("report: %+v", report)
			case tc.code != "" && (len(report.Findings) != 1 || report.Findings[0].Code != tc.code || report.Findings[0].Seq != tc.at):
				t.Errorf("findings: %+v, want %s at %d", report.Findings, tc.code, tc.at)
			}
		})
	}
}

// withNote returns a copy of s with another checkpoint.
func withNote(s *storetest.MemoryStore, n daybook.StoredNote) func(*testing.T) daybook.Store {
	return func(t *testing.T) daybook.Store {
		t.Helper()
		c := s.Copy()
		if err := c.PutNote(t.Context(), 1, n); err != nil {
			t.Fatal(err)
		}
		return c
	}
}

// otherMark returns a high-water store in which origin has a mark with a root that no log has.
func otherMark(origin string, size int64) func(*testing.T) *storetest.MemoryMarks {
	return func(t *testing.T) *storetest.MemoryMarks {
		t.Helper()
		m := storetest.Marks()
		if err := m.Reset(t.Context(), origin, daybook.Mark{Size: size, Root: tlog.Hash{2}}); err != nil {
			t.Fatal(err)
		}
		return m
	}
}

// Beside a running Book, what is signed while the check runs is no finding.
func TestFsckSigned_besideABook(t *testing.T) {
	t.Parallel()
	now, marks, memory := newClock(), storetest.Marks(), storetest.Memory()
	b := open(t, memory, signing(marks, now))
	record(t, b, "org_a", daybook.Request{Events: texts(0, 50)})
	checkpoint(t, b, "org_a")
	s := &spoiled{Store: memory}
	s.heads = func([]daybook.Head) { // each time that the check lists logs
		record(t, b, "org_a", daybook.Request{Events: texts(50, 1)})
		record(t, b, "org_b", daybook.Request{Events: texts(50, 1)})
		checkpoint(t, b, "org_a")
		checkpoint(t, b, "org_b")
	}
	report, err := daybook.Fsck(t.Context(), s, daybook.FsckOptions{HighWater: marks, Origin: "audit.example.com"})
	if err != nil || len(report.Findings) > 0 || report.Logs != 2 {
		t.Errorf("report: %+v, %v", report, err)
	}
}
