package verify_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook/verify"
)

const time10 = 10 * time.Second

func TestPolicy(t *testing.T) {
	t.Parallel()
	var ws []*signer
	for i := range 4 {
		ws = append(ws, newSigner(t, fmt.Sprintf("w%d.example.com", i), "witness", 4))
	}
	var policy strings.Builder
	policy.WriteString("# witnesses\n\n")
	for i, w := range ws {
		fmt.Fprintf(&policy, "witness w%d %s https://w%d.example.com/\n", i, w.key, i)
	}
	define := policy.String() + "group two 2 w0 w1 w2\ngroup all all w0 w3\tw1\ngroup any any w2 w3\ngroup both all two any\n"
	m := events(t, 5)
	for _, c := range []struct {
		quorum string
		signed []int
		ok     bool
	}{
		{"none", nil, true},
		{"w0", []int{0}, true},
		{"w0", []int{1, 2, 3}, false},
		{"two", []int{0, 2}, true},
		{"two", []int{0, 3}, false},
		{"all", []int{0, 1, 3}, true},
		{"all", []int{0, 1, 2}, false},
		{"any", []int{3}, true},
		{"any", []int{0, 1}, false},
		{"both", []int{0, 2}, true},
		{"both", []int{0, 1}, false},
	} {
		p, err := verify.ParsePolicy(define + "quorum " + c.quorum + "\n")
		if err != nil {
			t.Fatal(err)
		}
		m.witness = nil
		for _, i := range c.signed {
			ws[i].at = m.now
			m.witness = append(m.witness, ws[i])
		}
		o := m.pinned()
		o.Policy = p
		r := verify.Bundle(strings.NewReader(m.all()), o)
		if want := map[bool]int{true: 0, false: 7}[c.ok]; r.Exit() != want || r.Has(verify.Quorum) == c.ok || r.Witnesses != len(c.signed) {
			t.Errorf("quorum %s of %v: exit %d, %d witnesses, %v", c.quorum, c.signed, r.Exit(), r.Witnesses, r.Findings)
		}
	}
}

// TestPolicy_log: a policy pins the keys of its logs, and the times of its witnesses bound those of entries on both sides.
func TestPolicy_log(t *testing.T) {
	t.Parallel()
	m := events(t, 5)
	w := newSigner(t, "w.example.com", "witness", 4)
	p, err := verify.ParsePolicy(fmt.Sprintf("log %s\nwitness w %s\nquorum w\n", m.log.key, w.key))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{m.log.key.String()}, []string{p.Logs[0].String()}); diff != "" || len(p.Witnesses) != 1 {
		t.Fatal(diff)
	}
	m.witness = []*signer{w}
	for shift, exit := range map[time.Duration]int{0: 0, time.Hour: 0, -4 * time.Minute: 0, -6 * time.Minute: 6} {
		w.at = ceil(m.now).Add(shift)
		r := verify.Bundle(strings.NewReader(m.all()), verify.Options{Policy: p})
		if r.Exit() != exit || exit == 6 && !r.Has(verify.TimeOrder) {
			t.Errorf("the witness %v later: exit %d, %v", shift, r.Exit(), r.Findings)
		}
	}
	text := m.all()
	i := strings.Index(text, "w.example.com ")
	damaged := text[:i+60] + "A" + text[i+61:]
	check(t, foot(strings.Split(strings.TrimSuffix(damaged, "\n"), "\n")[:8]), verify.Options{Policy: p}, 6, verify.SignatureInvalid)
}

func TestParsePolicy_refuses(t *testing.T) {
	t.Parallel()
	w := newSigner(t, "w.example.com", "witness", 4).key
	v := newSigner(t, "v.example.com", "witness", 4).key
	l := newSigner(t, madeOrigin, "log", 1).key
	one := fmt.Sprintf("witness w %s\n", w)
	for name, text := range map[string]string{
		"empty": "", "no quorum": one, "two quorums": one + "quorum w\nquorum none\n", "quorum of nothing": "quorum w\n", "quorum without name": "quorum\n",
		"unknown line": "wittness w " + w.String() + "\nquorum none\n", "witness without key": "witness w\nquorum none\n", "witness with the key of a log": fmt.Sprintf("witness w %s\nquorum none\n", l),
		"log with the key of a witness": fmt.Sprintf("log %s\nquorum none\n", w), "log without key": "log\nquorum none\n", "one witness twice": one + fmt.Sprintf("witness x %s\nquorum none\n", w),
		"one name twice": one + fmt.Sprintf("witness w %s\nquorum none\n", v), "the name none": fmt.Sprintf("witness none %s\nquorum none\n", w),
		"group before its member": "group g any w\n" + one + "quorum g\n", "empty group": one + "group g any\nquorum g\n", "group of 0": one + "group g 0 w\nquorum g\n",
		"group of more": one + "group g 2 w\nquorum g\n", "group of some": one + "group g some w\nquorum g\n", "one member twice": one + "group g 2 w w\nquorum g\n",
		"bad key": "witness w " + w.String() + "x\nquorum none\n",
	} {
		if p, err := verify.ParsePolicy(text); err == nil || p != nil {
			t.Errorf("%s: %v, %v", name, p, err)
		}
	}
}

func TestState(t *testing.T) {
	t.Parallel()
	m := events(t, 5)
	m.hold("h", "0-2;4:1")
	r := check(t, m.all(), m.pinned(), 0)
	s := verify.State{madeOrigin: {Org: "org_1", Keys: []verify.Key{m.log.key, m.clock.key}, Note: remembered(t, r.Note), Size: r.To, Holds: r.Holds}}
	text, err := s.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	again, err := verify.ParseState(text)
	if err != nil {
		t.Fatal(err)
	}
	got := again[madeOrigin]
	if len(again) != 1 || got.Org != "org_1" || len(got.Keys) != 2 || !got.Keys[1].Equal(m.clock.key) || got.Note.String() != r.Note || got.Size != 6 || got.Holds["h"][0].String() != "0-2;4:1" {
		t.Errorf("read back: %+v", got)
	}
	for name, text := range map[string]string{
		"cut": string(text[:len(text)-10]), "another format": strings.Replace(string(text), "/v1", "/v2", 1), "another origin": strings.Replace(string(text), `"`+madeOrigin+`":`, `"x":`, 1),
		"a bad key": strings.Replace(string(text), "+A", "+B", 1), "more than signed": strings.Replace(string(text), `"size": 6`, `"size": 7`, 1), "bad items": strings.Replace(string(text), "0-2;", "0-2,", 1),
		"no checkpoint": "hello",
	} {
		if s, err := verify.ParseState([]byte(text)); err == nil {
			t.Errorf("%s: %v", name, s)
		}
	}
	if s, err := verify.ParseState([]byte("\n")); err != nil || len(s) != 0 {
		t.Errorf("an empty file: %v, %v", s, err)
	}
}
