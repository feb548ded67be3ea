package daybook_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	offline "github.com/daybook-audit/daybook/verify"
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

// TestVerifiersAgree gives both verifiers the same altered bundles, with footers that fit, and compares how they end.
func TestVerifiersAgree(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/vectors/bundle.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	lines = lines[:len(lines)-2] // without the footer
	var rotation struct{ Vkey string }
	if err := json.Unmarshal([]byte(lines[2]), &rotation); err != nil || rotation.Vkey == "" {
		t.Fatalf("line 3 is no rotation: %v", err)
	}
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0)) // a test repeats what it drew
	const cases = 1000
	bundles := make([]string, cases)
	var in bytes.Buffer
	for i := range bundles {
		bundles[i] = refooted(alter(r, lines))
		in.WriteString(base64.StdEncoding.EncodeToString([]byte(bundles[i])) + "\n")
	}
	cmd := exec.CommandContext(t.Context(), "python3", "docs/verify/test_verify.py", "--exits", rotation.Vkey)
	cmd.Stdin = &in
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	exits := strings.Fields(string(out))
	if len(exits) != cases {
		t.Fatalf("%d answers for %d bundles", len(exits), cases)
	}
	ends := map[string]int{}
	for i, bundle := range bundles {
		report := offline.Bundle(strings.NewReader(bundle), offline.Options{Keys: pinned(t, rotation.Vkey)})
		ends[exits[i]]++
		if exit := strconv.Itoa(report.Exit()); exit != exits[i] && (exit == "0" || exits[i] == "0" || !unreadable(report)) {
			t.Errorf("seed %d, case %d: exit %s here, %s there: %v\n%s", seed, i, exit, exits[i], report.Findings, differing(lines, bundle))
		}
	}
	if ends["0"] == 0 || ends["6"] < cases/2 || ends["7"] == 0 {
		t.Errorf("the cases prove little: %v", ends)
	}
}

// unreadable reports whether nothing is wrong but that a line cannot be read. A member that is misspelt is missing, which is malformed (6),
// and unknown, which is unsupported (7); the specification does not say which is to be looked for first.
func unreadable(r *offline.Report) bool {
	return !slices.ContainsFunc(r.Findings, func(f offline.Finding) bool { return f.Code != "malformed" && f.Code != "unsupported" })
}

// alter returns lines with one alteration: a bit, a piece of text, or a line.
func alter(r *rand.Rand, lines []string) string {
	some := append([]string{}, lines...)
	at := r.IntN(len(some))
	line := some[at]
	from := r.IntN(len(line))
	switch r.IntN(8) {
	case 0, 1:
		b := []byte(line)
		b[from] ^= 1 << r.IntN(8)
		some[at] = string(b)
	case 2:
		some[at] = ""
	case 3:
		some[at] += lines[r.IntN(len(lines))]
	case 4:
		other := r.IntN(len(some))
		some[at], some[other] = some[other], some[at]
	case 5, 6:
		some[at] = line[:from] + line[min(len(line), from+1+r.IntN(40)):]
	case 7:
		pieces := []string{`"`, "{", "]", ",", "0", "-", ".", "e", `\u0000`, `\ud800`, "null", " ", "~", "/~#", "\t", `"x":1,`, `"t":"s",`}
		some[at] = line[:from] + pieces[r.IntN(len(pieces))] + line[from:]
	}
	return strings.Join(some, "")
}

// refooted appends the footer that fits.
func refooted(body string) string {
	sum := sha256.Sum256([]byte(body))
	return body + fmt.Sprintf("{\"t\":\"footer\",\"lines\":%d,\"sha256\":%q}\n", strings.Count(body, "\n"), base64.StdEncoding.EncodeToString(sum[:]))
}

// differing returns the first line of bundle that is not as it was, cut to what fits.
func differing(lines []string, bundle string) string {
	for i, line := range strings.SplitAfter(bundle, "\n") {
		if i >= len(lines) || line != lines[i] {
			return fmt.Sprintf("line %d: %.600q", i+1, line)
		}
	}
	return ""
}
