package daybook_test

import (
	"os/exec"
	"regexp"
	"strconv"
	"testing"
)

// TestOutsideVerifier runs the tests of the second verifier of bundles, which is written in Python from the specification alone: every
// case of mutations.json, the other vectors, flipped bits and truncations. What the two verifiers agree on is in the format, not in
// the code of one of them.
func TestOutsideVerifier(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "python3", "docs/verify/test_verify.py").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	ran := regexp.MustCompile(`(?m)^Ran (\d+) tests`).FindSubmatch(out)
	if ran == nil {
		t.Fatalf("the tests do not say how many they are:\n%s", out)
	}
	if n, err := strconv.Atoi(string(ran[1])); err != nil || n < 12 {
		t.Errorf("%s tests ran, want 12 or more", ran[1])
	}
}
