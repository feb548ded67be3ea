package daybook_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/storetest"
)

// spoiled is a store whose answers are changed on their way to Fsck.
type spoiled struct {
	daybook.Store
	read   func(refs []daybook.BlockRef) error
	blocks func(m *daybook.BlockMeta) bool
	heads  func(hs []daybook.Head)
	again  bool // Logs gives the same page for ever, as a tree does that leads in a circle
}

func (s *spoiled) Read(ctx context.Context, log daybook.LogNo, refs []daybook.BlockRef) ([][]byte, error) {
	if s.read != nil {
		if err := s.read(refs); err != nil {
			return nil, err
		}
	}
	return s.Store.Read(ctx, log, refs)
}

func (s *spoiled) Blocks(ctx context.Context, q daybook.BlockQuery) iter.Seq2[daybook.BlockMeta, error] {
	return func(yield func(daybook.BlockMeta, error) bool) {
		for m, err := range s.Store.Blocks(ctx, q) {
			if err == nil && s.blocks != nil {
				m.Roots, m.Filter = slices.Clone(m.Roots), slices.Clone(m.Filter)
				if !s.blocks(&m) {
					continue
				}
			}
			if !yield(m, err) {
				return
			}
		}
	}
}

func (s *spoiled) Logs(ctx context.Context, after daybook.LogNo, limit int) ([]daybook.Head, error) {
	if s.again {
		after = 0
	}
	hs, err := s.Store.Logs(ctx, after, limit)
	if s.heads != nil {
		s.heads(hs)
	}
	return hs, err
}

func TestFsckFinds(t *testing.T) {
	t.Parallel()
	store := storetest.Memory()
	b := open(t, store, daybook.Options{})
	for from := 0; from < 600; from += 200 {
		record(t, b, "org_1", daybook.Request{Events: texts(from, 200)})
		if err := b.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	verify(t, store)

	tests := []struct {
		name   string
		spoil  func(s *spoiled)
		code   string // of the first finding; "" for none
		at     int64
		failed string // the error, when Fsck could not look
	}{
		{name: "nothing in a block that was swapped while it looked", spoil: func(s *spoiled) {
			once := true
			s.read = func([]daybook.BlockRef) error {
				defer func() { once = false }()
				if once {
					return daybook.ErrNotExist
				}
				return nil
			}
		}},
		{name: "a block that is listed and whose bytes are lost", code: "block_damaged", at: 0, spoil: func(s *spoiled) {
			s.read = func([]daybook.BlockRef) error { return daybook.ErrNotExist }
		}},
		{name: "a block that is not listed", code: "gap", at: 0, spoil: func(s *spoiled) {
			s.blocks = func(m *daybook.BlockMeta) bool { return m.First > 0 }
		}},
		{name: "the last block not listed", code: "head_mismatch", spoil: func(s *spoiled) {
			s.blocks = func(m *daybook.BlockMeta) bool { return m.First+int64(m.N) < 600 }
		}, at: -1},
		{name: "another root of a run", code: "root_mismatch", at: -1, spoil: func(s *spoiled) {
			s.blocks = func(m *daybook.BlockMeta) bool {
				if len(m.Roots) > 0 {
					m.Roots[0] ^= 1
				}
				return true
			}
		}},
		{name: "a filter that lacks a term", code: "filter", at: 0, spoil: func(s *spoiled) {
			s.blocks = func(m *daybook.BlockMeta) bool {
				clear(m.Filter[len(m.Filter)/2:])
				return true
			}
		}},
		{name: "bounds that are too narrow", code: "bounds", at: 0, spoil: func(s *spoiled) {
			s.blocks = func(m *daybook.BlockMeta) bool {
				m.Received.Min++
				return true
			}
		}},
		{name: "another number of bytes", code: "meta_mismatch", at: 0, spoil: func(s *spoiled) {
			s.blocks = func(m *daybook.BlockMeta) bool {
				m.Raw++
				return true
			}
		}},
		{name: "another time of the last entry", code: "head_mismatch", at: 599, spoil: func(s *spoiled) {
			s.heads = func(hs []daybook.Head) {
				for i := range hs {
					hs[i].LastReceived++
				}
			}
		}},
		{name: "logs listed in a circle", failed: "listed after log", spoil: func(s *spoiled) { s.again = true }},
		{name: "a store that cannot be read", failed: "disk on fire", spoil: func(s *spoiled) {
			s.read = func([]daybook.BlockRef) error { return errors.New("disk on fire") }
		}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := &spoiled{Store: store}
			tc.spoil(s)
			report, err := daybook.Fsck(t.Context(), s, daybook.FsckOptions{})
			switch {
			case tc.failed != "":
				if err == nil || !strings.Contains(err.Error(), tc.failed) {
					t.Fatalf("err = %v, want %q", err, tc.failed)
				}
			case err != nil:
				t.Fatal(err)
			case tc.code == "":
				if len(report.Findings) > 0 || report.Entries != 600 {
					t.Fatalf("report: %+v", report)
				}
			default:
				if len(report.Findings) == 0 || report.Findings[0].Code != tc.code || (tc.at >= 0 && report.Findings[0].Seq != tc.at) {
					t.Fatalf("findings: %+v, want %s at %d", report.Findings, tc.code, tc.at)
				}
			}
		})
	}
}
