package madeup

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/daybook-audit/daybook"
)

// Workload says what events a load consists of.
type Workload struct {
	Orgs int     // organizations, at least 1: the first ones busier, by Zipf
	Seed uint64  // the same one gives the same events
	Size int     // bytes of an event as JSON, about
	Late float64 // share of events that are reported a day or more after they occurred
}

// Source makes events of a [Workload] one by one. It is not for concurrent use.
type Source struct {
	w       Workload
	g       *generator
	zipf    *Zipf
	pending [][]daybook.Event // of each org: the rest of a burst
}

// An event of the generator has baseSize bytes without padding, and paddedShare of the events are padded, about.
const (
	baseSize    = 674
	paddedShare = 0.895
)

// Source returns the events of w from the first on.
func (w Workload) Source() *Source {
	ids := make([]string, w.Orgs)
	for i := range ids {
		ids[i] = OrgID(i)
	}
	people := 40
	if w.Orgs > 10_000 {
		people = 4
	}
	g := newGenerator(w.Seed, ids, people)
	g.pad = int(float64(max(0, w.Size-baseSize)) / paddedShare)
	return &Source{w: w, g: g, zipf: NewZipf(w.Orgs), pending: make([][]daybook.Event, w.Orgs)}
}

// OrgID names organization i of every [Workload].
func OrgID(i int) string { return "org_" + strconv.Itoa(i+1) }

// Org draws the org that records next.
func (s *Source) Org() int { return s.zipf.Draw(s.g.rng.Float64()) }

// Next appends one event to dst, as JSON without an id, and tells whose it is.
func (s *Source) Next(dst *bytes.Buffer, at time.Time) (org int, err error) {
	org = s.Org()
	return org, s.NextOf(dst, org, at)
}

// NextOf is Next for one org.
func (s *Source) NextOf(dst *bytes.Buffer, org int, at time.Time) error {
	if len(s.pending[org]) == 0 {
		s.pending[org] = s.g.burst(org, at)
	}
	e := s.pending[org][0]
	s.pending[org] = s.pending[org][1:]
	e.ID, e.OccurredAt = daybook.ID{}, at
	if s.g.rng.Float64() < s.w.Late {
		e.OccurredAt = at.Add(-time.Duration(24+s.g.rng.IntN(400)) * time.Hour)
	}
	text, err := e.MarshalJSON()
	if err != nil {
		return fmt.Errorf("encode an event: %w", err)
	}
	dst.Write(text)
	return nil
}

// Zipf draws numbers below n, number i with a chance of about 1/(i+1).
type Zipf struct{ sums []float64 }

// NewZipf returns one of n numbers, at least one.
func NewZipf(n int) *Zipf {
	z := &Zipf{sums: make([]float64, n)}
	total := 0.0
	for i := range z.sums {
		total += 1 / math.Pow(float64(i+1), 1)
		z.sums[i] = total
	}
	return z
}

// Draw maps a number of [0,1).
func (z *Zipf) Draw(u float64) int {
	want := u * z.sums[len(z.sums)-1]
	low, high := 0, len(z.sums)-1
	for low < high {
		mid := (low + high) / 2
		if z.sums[mid] > want {
			high = mid
		} else {
			low = mid + 1
		}
	}
	return low
}
