package verify_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/daybook-audit/daybook/verify"
)

// vectors is the folder of the language-neutral test vectors.
const vectors = "../testdata/vectors/"

// mutation is one case of mutations.json: edits of bundle.ndjson, or a whole file, and how its verification ends.
type mutation struct {
	Name   string
	Edits  []edit
	File   *string
	Refoot bool
	Pins   []string
	State  string
	Anchor string
	Exit   int
	Reason verify.Code
}

type edit struct {
	Op             string
	Line, To, Size int
	Old, New, Text string
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(vectors + name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func readVectors(t testing.TB, name string, v any) {
	t.Helper()
	if err := json.Unmarshal(readFile(t, name), v); err != nil {
		t.Fatal(err)
	}
}

func readMutations(t testing.TB) []mutation {
	t.Helper()
	var f struct{ Mutations []mutation }
	readVectors(t, "mutations.json", &f)
	if len(f.Mutations) != 105 {
		t.Fatalf("%d mutations, want 105", len(f.Mutations))
	}
	return f.Mutations
}

// apply returns the bundle of the case.
func (m *mutation) apply(t testing.TB, bundle []byte) []byte {
	t.Helper()
	if m.File != nil {
		return []byte(*m.File)
	}
	lines := strings.SplitAfter(string(bundle), "\n")
	lines = lines[:len(lines)-1]
	cut := 0
	for _, e := range m.Edits {
		i := e.Line - 1
		switch e.Op {
		case "replace":
			if !strings.Contains(lines[i], e.Old) {
				t.Fatalf("%s: line %d does not hold %q", m.Name, e.Line, e.Old)
			}
			lines[i] = strings.Replace(lines[i], e.Old, e.New, 1)
		case "set":
			lines[i] = e.Text + "\n"
		case "insert":
			lines = slices.Insert(lines, i, e.Text+"\n")
		case "delete":
			lines = slices.Delete(lines, i, e.To)
		case "swap":
			lines[i], lines[e.To-1] = lines[e.To-1], lines[i]
		case "truncate":
			cut = e.Size
		default:
			t.Fatalf("%s: no edit %q", m.Name, e.Op)
		}
	}
	if m.Refoot {
		lines = refoot(lines)
	}
	text := strings.Join(lines, "")
	return []byte(text[:len(text)-cut])
}

// refoot replaces the last line by the footer of those before it.
func refoot(lines []string) []string {
	lines = lines[:len(lines)-1]
	sum := sha256.Sum256([]byte(strings.Join(lines, "")))
	return append(lines, fmt.Sprintf("{\"t\":\"footer\",\"lines\":%d,\"sha256\":%q}\n", len(lines), base64.StdEncoding.EncodeToString(sum[:])))
}

// options makes the options that the case describes, as the command line does.
func (m *mutation) options(t testing.TB) verify.Options {
	t.Helper()
	o := verify.Options{Keys: keys(t, m.Pins...)}
	if m.Anchor != "" {
		o.AnchorKeys = keys(t, m.Anchor)
	}
	state, err := verify.ParseState([]byte(m.State))
	if err != nil {
		t.Fatalf("%s: %v", m.Name, err)
	}
	o.State = state
	return o
}

func keys(t testing.TB, vkeys ...string) []verify.Key {
	t.Helper()
	ks := make([]verify.Key, 0, len(vkeys))
	for _, vkey := range vkeys {
		k, err := verify.ParseKey(vkey)
		if err != nil {
			t.Fatalf("ParseKey(%q): %v", vkey, err)
		}
		ks = append(ks, k)
	}
	return ks
}

// TestVectors holds every case of mutations.json: its exit code, and that its reason is among the findings.
func TestVectors(t *testing.T) {
	t.Parallel()
	bundle := readFile(t, "bundle.ndjson")
	for _, m := range readMutations(t) {
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			r := verify.Bundle(bytes.NewReader(m.apply(t, bundle)), m.options(t))
			if r.Exit() != m.Exit || m.Reason != "" && !r.Has(m.Reason) || (m.Exit == 0) != (len(r.Findings) == 0) {
				t.Errorf("exit %d, want %d with %q; findings: %v", r.Exit(), m.Exit, m.Reason, r.Findings)
			}
			if testing.Verbose() {
				t.Log(r.Findings, r.Notes)
			}
		})
	}
}
