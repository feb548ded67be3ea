package main

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook"
)

// benchLoadFlags say what events the load consists of.
type workload struct {
	orgs int
	seed uint64
	size int
	late float64
}

func (w *workload) flags(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.IntVar(&w.orgs, "orgs", 1000, "organizations, the first ones busier (Zipf)")
	fl.Uint64Var(&w.seed, "seed", 1, "the same seed gives the same events")
	fl.IntVar(&w.size, "size", 691, "bytes of an event, about")
	fl.Float64Var(&w.late, "late", 0.001, "share of events that are reported a day or more late")
}

// source makes events of a workload one by one.
type eventSource struct {
	w       workload
	g       *generator
	zipf    *zipf
	pending [][]daybook.Event // of each org: the rest of a burst
}

// An event of the generator has baseSize bytes without padding, and paddedShare of the events are padded, about.
const (
	baseSize    = 674
	paddedShare = 0.895
)

func newEventSource(w workload) *eventSource {
	ids := make([]string, w.orgs)
	for i := range ids {
		ids[i] = benchOrg(i)
	}
	people := 40
	if w.orgs > 10_000 {
		people = 4
	}
	g := newGenerator(w.seed, ids, people)
	g.pad = int(float64(max(0, w.size-baseSize)) / paddedShare)
	return &eventSource{w: w, g: g, zipf: newZipf(w.orgs), pending: make([][]daybook.Event, w.orgs)}
}

func benchOrg(i int) string { return "org_" + strconv.Itoa(i+1) }

// next appends one event to dst, as JSON without an id, and tells its org.
func (s *eventSource) next(dst *bytes.Buffer, at time.Time) (int, error) {
	org := s.zipf.draw(s.g.rng.Float64())
	return org, s.nextOf(dst, org, at)
}

// nextOf is next for one org.
func (s *eventSource) nextOf(dst *bytes.Buffer, org int, at time.Time) error {
	if len(s.pending[org]) == 0 {
		s.pending[org] = s.g.burst(org, at)
	}
	e := s.pending[org][0]
	s.pending[org] = s.pending[org][1:]
	e.ID, e.OccurredAt = daybook.ID{}, at
	if s.g.rng.Float64() < s.w.late {
		e.OccurredAt = at.Add(-time.Duration(24+s.g.rng.IntN(400)) * time.Hour)
	}
	text, err := e.MarshalJSON()
	if err != nil {
		return fmt.Errorf("encode an event: %w", err)
	}
	dst.Write(text)
	return nil
}

// zipf draws numbers below n, number i with a chance of about 1/(i+1).
type zipf struct{ sums []float64 }

func newZipf(n int) *zipf {
	z := &zipf{sums: make([]float64, n)}
	total := 0.0
	for i := range z.sums {
		total += 1 / math.Pow(float64(i+1), 1)
		z.sums[i] = total
	}
	return z
}

// draw maps a number of [0,1).
func (z *zipf) draw(u float64) int {
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

func newBenchGen(e *env) *cobra.Command {
	var w workload
	var events int64
	cmd := &cobra.Command{
		Use: "gen", Short: "Write made-up events as NDJSON, each with its org in front",
		Example: `  $ daybook bench gen --events 1000000 --orgs 1 > million.ndjson
  $ daybook bench gen --events 1000 --seed 7 | head -1 | jq .
  $ daybook bench gen --events 50000 --orgs 1 | daybook import ndjson - --org org_1`,
		Annotations: map[string]string{exitsNote: "0 written · 1 the output cannot be written"},
		Args:        exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if w.orgs < 1 || events < 1 {
				return usage("--orgs and --events must be at least 1")
			}
			src := newEventSource(w)
			out := bufio.NewWriterSize(e.stdout, 1<<20)
			bar := e.progress("events", events)
			defer bar.end()
			// Ten milliseconds apart up to now would depend on the clock: the same seed must give the same bytes.
			at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
			var b bytes.Buffer
			for i := range events {
				b.Reset()
				org, err := src.next(&b, at.Add(time.Duration(i)*10*time.Millisecond))
				if err != nil {
					return err
				}
				fmt.Fprintf(out, `{"org":%q,%s`+"\n", benchOrg(org), b.Bytes()[1:])
				if i%1024 == 0 {
					bar.at(i)
					if cmd.Context().Err() != nil {
						return cmd.Context().Err()
					}
				}
			}
			return out.Flush()
		},
	}
	w.flags(cmd)
	cmd.Flags().Int64Var(&events, "events", 1_000_000, "how many")
	return cmd
}
