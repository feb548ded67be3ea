package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestTally: every way in which a package can fail is counted and its output shown.
func TestTally(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name           string
		lines          []string
		passed, failed int
		broken         int
		shown, hidden  string
	}{
		{"passed", []string{
			`{"Action":"output","Package":"p","Test":"TestA","Output":"noise\n"}`, `{"Action":"pass","Package":"p","Test":"TestA"}`,
			`{"Action":"skip","Package":"p","Test":"TestB"}`, `{"Action":"pass","Package":"p","Elapsed":1.25}`,
		}, 1, 0, 0, "ok    p  1.2s", "noise"},
		{"failed_test_shows_its_output_alone", []string{
			`{"Action":"output","Package":"p","Test":"TestA","Output":"why\n"}`, `{"Action":"output","Package":"p","Test":"TestB","Output":"noise\n"}`,
			`{"Action":"fail","Package":"p","Test":"TestA"}`, `{"Action":"pass","Package":"p","Test":"TestB"}`, `{"Action":"fail","Package":"p"}`,
		}, 1, 1, 0, "why\n", "noise"},
		{"build_error", []string{
			`{"Action":"build-output","ImportPath":"p","Output":"undefined: x\n"}`, `{"Action":"fail","Package":"p","FailedBuild":"p"}`,
		}, 0, 0, 1, "undefined: x", "ok"},
		{"panic_shows_what_was_running", []string{
			`{"Action":"output","Package":"p","Test":"TestA","Output":"panic: boom\n"}`, `{"Action":"output","Package":"p","Output":"exit status 2\n"}`, `{"Action":"fail","Package":"p"}`,
		}, 0, 0, 1, "panic: boom", "ok"},
		{"no_tests", []string{`{"Action":"skip","Package":"p"}`}, 0, 0, 0, "", "FAIL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			tl := &tally{output: map[string][]string{}, failedIn: map[string]int{}}
			var out strings.Builder
			for _, line := range c.lines {
				var e event
				if err := json.Unmarshal([]byte(line), &e); err != nil {
					t.Fatal(err)
				}
				tl.add(e, &out)
			}
			if tl.passed != c.passed || tl.failed != c.failed || len(tl.broken) != c.broken {
				t.Errorf("%d passed, %d failed, %d broken; want %d, %d, %d", tl.passed, tl.failed, len(tl.broken), c.passed, c.failed, c.broken)
			}
			if !strings.Contains(out.String(), c.shown) || strings.Contains(out.String(), c.hidden) {
				t.Errorf("shown:\n%s", out.String())
			}
		})
	}
}

// TestPrintSlowest: longest first, whole tests only, nothing that was over within a second.
func TestPrintSlowest(t *testing.T) {
	t.Parallel()
	tl := &tally{output: map[string][]string{}, failedIn: map[string]int{}}
	var out strings.Builder
	for _, e := range []event{
		{Action: "pass", Package: "m/p", Test: "TestShort", Elapsed: 0.9},
		{Action: "pass", Package: "m/p", Test: "TestLong", Elapsed: 2},
		{Action: "pass", Package: "m/p", Test: "TestLonger/part", Elapsed: 3},
		{Action: "fail", Package: "m/q", Test: "TestLonger", Elapsed: 3},
	} {
		tl.add(e, &out)
	}
	tl.printSlowest(&out)
	if want := "slow     3.0s  q.TestLonger\nslow     2.0s  p.TestLong\n"; out.String() != want {
		t.Errorf("printed:\n%s\nwant:\n%s", out.String(), want)
	}
}
