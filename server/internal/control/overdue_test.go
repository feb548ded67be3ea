package control_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/control"
)

// lateBook has the erasures that it is given.
type lateBook struct {
	late  []daybook.Erasure
	after time.Duration
	err   error
}

func (b *lateBook) Overdue(_ context.Context, after time.Duration) ([]daybook.Erasure, error) {
	b.after = after
	return b.late, b.err
}

// TestOverdue: each erasure that is overdue is told of once, as an error in the log of the server, and counted until it is carried out.
func TestOverdue(t *testing.T) {
	t.Parallel()
	var said bytes.Buffer
	var missed []string
	b := &lateBook{}
	o := control.Overdue{Book: b, Logger: slog.New(slog.NewTextHandler(&said, nil)), Missed: func(_ context.Context, x daybook.Erasure) { missed = append(missed, x.ID) }}
	round := func(count int64, told ...string) {
		t.Helper()
		missed = nil
		if err := o.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
		if o.Count() != count || strings.Join(missed, " ") != strings.Join(told, " ") {
			t.Errorf("%d are overdue, not %d; told of %q, not %q", o.Count(), count, missed, told)
		}
	}
	round(0)
	if b.after != 24*time.Hour {
		t.Errorf("overdue after %v", b.after)
	}
	b.late = []daybook.Erasure{{Org: "org_a", ID: "ers_1", Entries: 3}}
	round(1, "ers_1")
	b.late = append(b.late, daybook.Erasure{Org: "org_b", ID: "ers_2"})
	round(2, "ers_2")
	b.late = b.late[1:]
	round(1)
	if text := said.String(); strings.Count(text, "level=ERROR") != 2 || !strings.Contains(text, "erasure=ers_1 org=org_a") {
		t.Errorf("the log of the server says\n%s", text)
	}
	b.err = errors.New("no disk")
	if err := o.Round(t.Context()); !errors.Is(err, b.err) || o.Count() != 1 {
		t.Errorf("%v, %d", err, o.Count())
	}
}
