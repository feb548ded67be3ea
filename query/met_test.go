package query_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/daybook-audit/daybook/query"
)

// TestMet holds that leaving out what was met changes no set of terms.
func TestMet(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	var met query.Met
	for round := range 20 {
		met.Reset()
		want, got := map[query.Term]bool{}, map[query.Term]bool{}
		all, fewer := 0, 0
		for range 50 * (round + 1) {
			word := func() string { return fmt.Sprintf("w%d", rng.IntN(12)) }
			r := read(t, fmt.Sprintf(`{"action":"%[1]s.%[2]s","actor":{"type":"%[2]s","id":"%[3]s","name":"%[1]s %[4]s","metadata":{"%[1]s":"%[2]s"}},
				"targets":[{"type":"%[2]s","id":"%[1]s","metadata":{"%[1]s":"%[2]s"}}],"reason":"%[3]s %[1]s","metadata":{"%[1]s":"%[2]s","n":%[5]d}}`,
				word(), word(), word(), word(), rng.IntN(3000)))
			for _, term := range query.AppendTerms(nil, r) {
				want[term] = true
				all++
			}
			for _, term := range met.AppendTerms(nil, r) {
				got[term] = true
				fewer++
			}
		}
		if len(got) != len(want) {
			t.Fatalf("round %d: %d different terms, want %d", round, len(got), len(want))
		}
		for term := range want {
			if !got[term] {
				t.Fatalf("round %d: %x is missing", round, term)
			}
		}
		if round >= 5 && 2*fewer > all {
			t.Errorf("round %d: %d of %d terms were given out again", round, fewer, all)
		}
	}
}
