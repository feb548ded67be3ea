package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook/internal/delivery"
)

var (
	errDown    = errors.New("down")
	errRefused = errors.New("no")
)

// office is a log in memory, and what it was told.
type office struct {
	mu       sync.Mutex
	down     bool
	refuse   string // letters whose text this is
	vague    bool   // does not say which one it refuses
	calls    [][]string
	recorded []string
	lost     []string
	arrived  []string
}

func (o *office) Send(_ context.Context, org string, letters []delivery.Letter) (refused []delivery.Refusal, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.down {
		return nil, errDown
	}
	var texts []string
	for i, l := range letters {
		texts = append(texts, l.Text)
		if l.Org != org {
			return nil, fmt.Errorf("a letter of %s was sent to %s", l.Org, org)
		}
		if l.Text == o.refuse {
			refused = append(refused, delivery.Refusal{At: i, Err: errRefused})
		}
	}
	o.calls = append(o.calls, texts)
	if o.vague && refused != nil {
		return []delivery.Refusal{{At: delivery.Unnamed, Err: errRefused}}, nil
	}
	if refused == nil {
		o.recorded = append(o.recorded, texts...)
	}
	return refused, nil
}

func (o *office) Lose(_ context.Context, l delivery.Letter, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lost = append(o.lost, l.Text+": "+err.Error())
}

func (o *office) Arrived(_ context.Context, org string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.arrived = append(o.arrived, org)
}

// fail makes o fail from now on, or no longer.
func (o *office) fail(down bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.down = down
}

func (o *office) got() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.recorded)
}

// letters returns one for each text, all of org.
func letters(org string, texts ...string) (out []delivery.Letter) {
	for i, text := range texts {
		out = append(out, delivery.Letter{N: int64(i), ID: fmt.Sprintf("id%d", i), Org: org, Text: text})
	}
	return out
}

// TestDeliver: the letters that the log refuses are handed back, whether it says which or not, and the others go on in their order.
func TestDeliver(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		office *office
		texts  []string
		want   []string
		back   []int64
		calls  int
	}{
		"all":           {&office{}, []string{"a", "b", "c"}, []string{"a", "b", "c"}, nil, 1},
		"none":          {&office{}, nil, nil, nil, 0},
		"named":         {&office{refuse: "x"}, []string{"x", "a", "x", "b", "x"}, []string{"a", "b"}, []int64{0, 2, 4}, 2},
		"unnamed":       {&office{refuse: "x", vague: true}, []string{"a", "x", "b"}, []string{"a", "b"}, []int64{1}, 4},
		"nothing left":  {&office{refuse: "x"}, []string{"x", "x"}, nil, []int64{0, 1}, 1},
		"one, unnamed":  {&office{refuse: "x", vague: true}, []string{"x"}, nil, []int64{0}, 1},
		"big":           {&office{}, []string{strings.Repeat("a", 3<<20), strings.Repeat("b", 2<<20), "c"}, []string{strings.Repeat("a", 3<<20), strings.Repeat("b", 2<<20), "c"}, nil, 2},
		"one too big":   {&office{}, []string{strings.Repeat("a", 5<<20), "b"}, []string{strings.Repeat("a", 5<<20), "b"}, nil, 2},
		"exactly fits":  {&office{}, []string{strings.Repeat("a", 4<<20-1), "b"}, []string{strings.Repeat("a", 4<<20-1), "b"}, nil, 1},
		"a byte beyond": {&office{}, []string{strings.Repeat("a", 4<<20), "b"}, []string{strings.Repeat("a", 4<<20), "b"}, nil, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := c.office
			outcome, err := delivery.Deliver(t.Context(), o, "acme", letters("acme", c.texts...))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, o.recorded); diff != "" {
				t.Errorf("recorded (-want +got):\n%s", diff)
			}
			var back []int64
			for _, r := range outcome.Returned {
				back = append(back, r.N)
				if !errors.Is(r.Err, errRefused) {
					t.Errorf("%d came back for %v", r.N, r.Err)
				}
			}
			if diff := cmp.Diff(c.back, back); diff != "" || len(outcome.Sent) != len(c.want) || len(o.calls) != c.calls {
				t.Errorf("%d sent in %d calls, not %d; returned (-want +got):\n%s", len(outcome.Sent), len(o.calls), c.calls, diff)
			}
		})
	}
}

// TestDeliver_down: a failure that is no letter's fault ends it, and what was done before is known.
func TestDeliver_down(t *testing.T) {
	t.Parallel()
	o := &office{down: true}
	if outcome, err := delivery.Deliver(t.Context(), o, "acme", letters("acme", "a")); !errors.Is(err, errDown) || len(outcome.Sent)+len(outcome.Returned) > 0 {
		t.Errorf("%+v %v", outcome, err)
	}
	first := &once{}
	outcome, err := delivery.Deliver(t.Context(), first, "acme", letters("acme", strings.Repeat("a", 4<<20), "b"))
	if diff := cmp.Diff([]int64{0}, outcome.Sent); !errors.Is(err, errDown) || diff != "" {
		t.Errorf("%v, sent (-want +got):\n%s", err, diff)
	}
}

// once takes one call.
type once struct{ called bool }

func (o *once) Send(context.Context, string, []delivery.Letter) ([]delivery.Refusal, error) {
	if o.called {
		return nil, errDown
	}
	o.called = true
	return nil, nil
}

// TestDeliver_wrongPlace: a log that names places it was not asked about is taken for one that names none.
func TestDeliver_wrongPlace(t *testing.T) {
	t.Parallel()
	if outcome, err := delivery.Deliver(t.Context(), wrongPlace{}, "acme", letters("acme", "a", "b")); err != nil || len(outcome.Sent) != 0 || len(outcome.Returned) != 2 {
		t.Errorf("%+v %v", outcome, err)
	}
}

// wrongPlace refuses what it was not asked about.
type wrongPlace struct{}

func (wrongPlace) Send(context.Context, string, []delivery.Letter) ([]delivery.Refusal, error) {
	return []delivery.Refusal{{At: 7, Err: errRefused}}, nil
}
