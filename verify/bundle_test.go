package verify_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/verify"
)

// pinned returns options that pin the key of the log.
func (m *made) pinned() verify.Options { return verify.Options{Keys: []verify.Key{m.log.key}} }

func remembered(t *testing.T, text string) *verify.Note {
	t.Helper()
	n, err := verify.ParseRemembered([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func events(t *testing.T, n int) *made {
	t.Helper()
	m := newMade(t)
	for range n {
		m.event()
	}
	return m
}

func TestBundle_everyRange(t *testing.T) {
	t.Parallel()
	m := events(t, 11)
	for size := int64(1); size <= m.size(); size++ {
		for from := range size {
			for to := from + 1; to <= size; to++ {
				r := check(t, m.bundle(bundleOf{from: from, to: to, size: size}), m.pinned(), 0)
				if r.From != from || r.To != to || r.Size != size || r.Entries != to-from || r.Root != m.root(size) || r.Origin != madeOrigin || r.Signed.IsZero() {
					t.Fatalf("report of [%d,%d) of %d: %+v", from, to, size, r)
				}
			}
		}
	}
}

func TestBundle_compressed(t *testing.T) {
	t.Parallel()
	m := events(t, 12)
	text := m.bundle(bundleOf{to: 12, size: 12})
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	check(t, z.String(), m.pinned(), 0)
	for i := 2; i < z.Len(); i += 11 { // without the first two bytes it is not taken for compressed
		r := verify.Bundle(bytes.NewReader(z.Bytes()[:i]), m.pinned())
		if r.Exit() != 7 || !r.Has(verify.Truncated) {
			t.Fatalf("cut after %d of %d bytes: %v", i, z.Len(), r.Findings)
		}
		flipped := bytes.Clone(z.Bytes())
		flipped[i] ^= 1 << (i % 8)
		if r := verify.Bundle(bytes.NewReader(flipped), m.pinned()); r.Exit() == 0 {
			// Some bits of the compression mean nothing: the content must be whole.
			if u, err := gzip.NewReader(bytes.NewReader(flipped)); err != nil {
				t.Fatal(err)
			} else if got, err := io.ReadAll(u); err != nil || string(got) != text {
				t.Fatalf("byte %d of %d flipped: the bundle is accepted, and its content %v", i, z.Len(), err)
			}
		}
	}
}

// TestBundle_reader: errors of the source are findings, and how the source cuts its reads does not matter.
func TestBundle_reader(t *testing.T) {
	t.Parallel()
	m := events(t, 9)
	text := m.bundle(bundleOf{to: 9, size: 9})
	for _, r := range []io.Reader{iotest.OneByteReader(strings.NewReader(text)), iotest.DataErrReader(strings.NewReader(text)), iotest.HalfReader(strings.NewReader(text))} {
		if rep := verify.Bundle(r, m.pinned()); rep.Exit() != 0 {
			t.Fatalf("%T: %v", r, rep.Findings)
		}
	}
	for _, n := range []int{0, 1, 100, len(text) - 1, len(text)} {
		broken := io.MultiReader(strings.NewReader(text[:n]), iotest.ErrReader(errors.New("the disk is gone")))
		if rep := verify.Bundle(broken, m.pinned()); rep.Exit() != 7 || !rep.Has(verify.Unreachable) {
			t.Errorf("after %d bytes: %v", n, rep.Findings)
		}
	}
	check(t, "", m.pinned(), 7, verify.Truncated)
	check(t, "\n", m.pinned(), 6, verify.Malformed)
	check(t, strings.Repeat(" ", 3<<20), m.pinned(), 6, verify.Malformed)
	check(t, "\x1f\x8b", m.pinned(), 7, verify.Truncated)
}

func TestBundle_lines(t *testing.T) {
	t.Parallel()
	m := events(t, 4)
	lines := m.bundleLines(bundleOf{from: 1, to: 3, size: 4, header: `,"info":{"a":[{}]},"filter":"x","mask":["/a"]`})
	check(t, foot(lines), m.pinned(), 0)
	for _, c := range []struct {
		name     string
		line     int
		old, new string
		exit     int
		code     verify.Code
	}{
		{"a number as a string", 0, `"from":1`, `"from":"1"`, 6, verify.Malformed},
		{"a fraction", 0, `"from":1`, `"from":1.0`, 6, verify.Malformed},
		{"an exponent", 0, `"size":4`, `"size":4e0`, 6, verify.Malformed},
		{"a negative number", 0, `"from":1`, `"from":-1`, 6, verify.Malformed},
		{"too large a number", 0, `"size":4`, `"size":9007199254740993`, 6, verify.Malformed},
		{"null", 0, `"from":1`, `"from":null`, 6, verify.Malformed},
		{"info that is no object", 0, `"info":{"a":[{}]}`, `"info":[]`, 6, verify.Malformed},
		{"NUL in info", 0, `"info":{"a"`, `"info":{"\u0000"`, 6, verify.Malformed},
		{"an escaped escape of NUL in info", 0, `"info":{"a"`, `"info":{"\\u0000"`, 0, ""},
		{"NUL in the filter", 0, `"filter":"x"`, `"filter":"\\\u0000"`, 6, verify.Malformed},
		{"a mask of numbers", 0, `"mask":["/a"]`, `"mask":[1]`, 6, verify.Malformed},
		{"a name with escapes", 0, `"from":1`, `"\u0066rom":1`, 0, ""},
		{"a member twice, once escaped", 0, `"from":1`, `"from":1,"\u0066rom":1`, 6, verify.Malformed},
		{"an empty range", 0, `"to":3`, `"to":1`, 6, verify.HeaderMismatch},
		{"a range beyond the tree", 0, `"to":3`, `"to":5`, 6, verify.HeaderMismatch},
		{"a clock key as the log's", 0, `"vkey":"` + m.log.key.String(), `"vkey":"` + m.clock.key.String(), 6, verify.HeaderMismatch},
		{"a log key as the clock's", 0, `"clock_vkey":"` + m.clock.key.String(), `"clock_vkey":"` + m.log.key.String(), 6, verify.HeaderMismatch},
		{"a damaged key", 0, m.log.key.String()[:len(m.log.key.String())-2], "x+00000000+", 6, verify.Malformed},
		{"white space", 0, `"from":1`, ` "from" : 1 `, 0, ""},
		{"a bare carriage return at the end", 2, `}`, "}\r", 0, ""},
		{"two values", 2, `}`, "} {}", 6, verify.Malformed},
		{"a byte order mark", 0, `{"t":"header"`, "\ufeff{\"t\":\"header\"", 6, verify.Malformed},
		{"no type", 2, `"t":"range_proof",`, "", 6, verify.Malformed},
		{"a type that is a number", 2, `"t":"range_proof"`, `"t":1`, 6, verify.Malformed},
		{"a note with a fourth line", 1, `=\n\n`, `=\nmore\n\n`, 7, verify.Unsupported},
		{"a note that is cut", 1, `\n\n`, `\n`, 6, verify.Malformed},
		{"kind 2", 3, `"kind":0`, `"kind":2`, 6, verify.Malformed},
		{"an id of another kind", 3, `"id":"evt_`, `"id":"ers_`, 6, verify.Malformed},
		{"no such day", 3, `"received_at":"2026-01-02`, `"received_at":"2026-02-30`, 6, verify.Malformed},
		{"a time zone", 3, `00Z"`, `00+00:00"`, 6, verify.Malformed},
		{"secret and fields", 3, `"secret"`, `"fields":[],"secret"`, 7, verify.Unsupported},
		{"a payload that is an array", 3, `"payload":{`, `"payload":[{`, 6, verify.Malformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			edited := slices.Clone(lines)
			if !strings.Contains(edited[c.line], c.old) {
				t.Fatalf("line %d does not hold %q: %s", c.line, c.old, edited[c.line])
			}
			edited[c.line] = strings.Replace(edited[c.line], c.old, c.new, 1)
			if c.code == "" {
				check(t, foot(edited), m.pinned(), c.exit)
				return
			}
			check(t, foot(edited), m.pinned(), c.exit, c.code)
		})
	}
}

// TestBundle_deep: what is nested without end is refused without recursion without end.
func TestBundle_deep(t *testing.T) {
	t.Parallel()
	m := events(t, 1)
	lines := m.bundleLines(bundleOf{to: 1, size: 1, header: `,"info":` + strings.Repeat(`{"a":`, 300_000)})
	check(t, foot(lines), m.pinned(), 6, verify.Malformed)
	lines = m.bundleLines(bundleOf{to: 1, size: 1})
	lines[2] = `{"t":"range_proof","left":[` + strings.Repeat(`"AAAA",`, 100) + `"AAAA"],"right":[]}`
	check(t, foot(lines), m.pinned(), 6, verify.Malformed)
}

func TestBundle_memory(t *testing.T) {
	t.Parallel()
	m := events(t, 20)
	at := ceil(time.UnixMicro(m.entries[19].leaf.ReceivedAt))
	q := bundleOf{from: 10, to: 20, size: 20, signed: at}
	linked := q
	linked.head = append(linked.head, m.older(8, ceil(time.UnixMicro(m.entries[7].leaf.ReceivedAt))))
	since := func(text string) verify.Options {
		o := m.pinned()
		o.Since = remembered(t, text)
		return o
	}
	eight := m.note(8, at)
	check(t, m.bundle(linked), since(eight), 0)
	check(t, m.bundle(q), since(eight), 7, verify.ProofMissing)
	check(t, m.bundle(q), since(m.note(20, at)), 0)
	check(t, m.bundle(q), since(madeOrigin+"\n0\n"+tlog.Hash(emptyRoot).String()+"\n"), 0)
	check(t, m.bundle(q), since(madeOrigin+"\n0\n"+m.root(1).String()+"\n"), 7, verify.ProofMissing)
	check(t, m.bundle(q), since("other.example.com/o/1\n20\n"+m.root(20).String()+"\n"), 7, verify.ProofMissing)

	// Another log of the same origin and key: it forks whatever its size.
	other := newMade(t)
	for range 25 {
		other.add(leaf.Event, `{"action":"forged","n":%d}`, other.size())
	}
	check(t, m.bundle(q), since(other.note(20, at)), 6, verify.Fork)
	check(t, m.bundle(linked), since(other.note(8, at)), 6, verify.Fork)
	check(t, m.bundle(q), since(other.note(25, at.Add(-time.Hour))), 6, verify.Rollback)
	check(t, m.bundle(q), since(other.note(25, at)), 7, verify.ProofMissing)

	// Remembered checkpoints of other logs are not asked about.
	o := m.pinned()
	o.State = verify.State{"other.example.com/o/1": {Note: remembered(t, "other.example.com/o/1\n20\n"+m.root(20).String()+"\n")}}
	check(t, m.bundle(q), o, 0)
}

var emptyRoot = [32]byte(func() []byte {
	h, err := tlog.TreeHash(0, hashStorage{})
	if err != nil {
		panic(err)
	}
	return h[:]
}())

// TestBundle_fork: two notes of one size, both signed by the log, are a fork even to a reader without memory.
func TestBundle_fork(t *testing.T) {
	t.Parallel()
	m, other := events(t, 6), newMade(t)
	for range 6 {
		other.add(leaf.Event, `{"action":"forged"}`)
	}
	q := bundleOf{to: 6, size: 6, head: []func(int64) string{other.older(6, ceil(other.now))}}
	check(t, m.bundle(q), m.pinned(), 6, verify.Fork)
}

// TestBundle_unsigned: an older checkpoint that no key of the file signed counts only for a reader who remembers it.
func TestBundle_unsigned(t *testing.T) {
	t.Parallel()
	m := events(t, 10)
	stranger := *m
	stranger.log = newSigner(t, madeOrigin, "stranger", 1)
	late := ceil(m.now).Add(time.Hour) // would make entry 5 too early if it counted
	q := bundleOf{to: 10, size: 10, signed: late, head: []func(int64) string{stranger.older(5, late)}}
	text := m.bundle(q)
	check(t, text, m.pinned(), 0)
	o := m.pinned()
	o.Since = remembered(t, madeOrigin+"\n5\n"+m.root(5).String()+"\n")
	check(t, text, o, 6, verify.TimeOrder)
}

func TestBundle_rotation(t *testing.T) {
	t.Parallel()
	m := events(t, 3)
	first := m.pinned()
	one := m.rotate("log 2")
	m.event()
	second := m.pinned()
	two := m.rotate("log 3")
	m.event()
	size := m.size()
	q := bundleOf{to: size, size: size, head: []func(int64) string{one, two}}
	for _, o := range []verify.Options{first, second, m.pinned()} {
		check(t, m.bundle(q), o, 0)
	}
	q.head = []func(int64) string{two}
	check(t, m.bundle(q), first, 7, verify.KeyUnknown)
	check(t, m.bundle(q), second, 0)
	q.head = []func(int64) string{one}
	check(t, m.bundle(q), first, 6, verify.ProofInvalid)
	q.head = []func(int64) string{two, one}
	check(t, m.bundle(q), first, 6, verify.ProofInvalid)
	q.head = []func(int64) string{one, func(size int64) string { return strings.Replace(two(size), `"added"`, `"retired"`, 1) }}
	check(t, m.bundle(q), first, 6, verify.ProofInvalid, verify.LeafMismatch)
}

func TestBundle_clock(t *testing.T) {
	t.Parallel()
	m := events(t, 4)
	now := ceil(m.now)
	text := m.bundle(bundleOf{to: 4, size: 4, signed: now})
	o := m.pinned()
	o.Keys = append(o.Keys, m.clock.key)
	check(t, text, o, 0)
	o.Keys[1] = newSigner(t, madeClock, "other", 4).key
	check(t, text, o, 7, verify.KeyUnknown)
	check(t, text, verify.Options{Keys: []verify.Key{m.clock.key}}, 7, verify.KeyNotPinned)

	o = m.pinned()
	o.MaxAge = time.Minute
	o.Now = func() time.Time { return now.Add(time.Minute) }
	check(t, text, o, 0)
	o.Now = func() time.Time { return now.Add(time.Minute + time.Second) }
	check(t, text, o, 7, verify.Stale)
}

func TestBundle_times(t *testing.T) {
	t.Parallel()
	m := events(t, 10)
	at := func(seq int) time.Time { return ceil(time.UnixMicro(m.entries[seq].leaf.ReceivedAt)) }
	for _, c := range []struct {
		name   string
		size   int64
		signed time.Time
		skew   time.Duration
		exit   int
	}{
		{"signed when the last entry came", 5, at(4), 0, 0},
		{"signed a second before", 5, at(4).Add(-time.Second), 0, 6},
		{"signed when the next came", 5, at(5), 0, 0},
		{"signed within the skew after the next", 5, at(5).Add(verify.DefaultSkew), 0, 0},
		{"signed beyond the skew", 5, at(5).Add(verify.DefaultSkew + time.Second), 0, 6},
		{"with a smaller skew", 5, at(5).Add(3 * time.Second), 2 * time.Second, 6},
		{"before the range", 1, at(4).Add(verify.DefaultSkew), 0, 6},
		{"after the range", 8, at(6), 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := m.pinned()
			o.MaxSkew = c.skew
			m := *m
			clock := *m.clock
			m.clock = &clock
			text := m.bundle(bundleOf{from: 2, to: 7, size: 10, head: []func(int64) string{m.older(c.size, c.signed)}})
			if c.exit == 0 {
				check(t, text, o, 0)
				return
			}
			check(t, text, o, 6, verify.TimeOrder)
		})
	}

	// The order holds over gaps and for control entries from outside the range.
	back := events(t, 3)
	back.addAt(back.now.Add(-time.Minute), leaf.Control, `{"op":"erase","items":"0"}`)
	back.now = back.now.Add(time.Hour)
	back.event()
	check(t, back.bundle(bundleOf{to: 2, size: 5}), back.pinned(), 6, verify.TimeOrder)
	check(t, back.bundle(bundleOf{from: 4, to: 5, size: 5}), back.pinned(), 0)
}

func TestBundle_receipts(t *testing.T) {
	t.Parallel()
	m := events(t, 8)
	m.entries[5].hashed = true
	text := m.bundle(bundleOf{to: 7, size: 8, header: `,"filter":"x"`})
	o := m.pinned()
	o.Receipts = map[int64]tlog.Hash{2: m.entries[2].leaf.Hash(), 5: m.entries[5].leaf.Hash()}
	check(t, text, o, 0)
	o.Receipts[5] = m.entries[6].leaf.Hash()
	r := check(t, text, o, 6, verify.LeafMismatch)
	if f := r.Findings[0]; f.Seq != 5 || f.Line == 0 {
		t.Errorf("the finding is of entry %d, line %d", f.Seq, f.Line)
	}
}

func TestBundle_manyFindings(t *testing.T) {
	t.Parallel()
	m := events(t, verify.MaxFindings+50)
	for _, e := range m.entries {
		e.leaf.ReceivedAt++ // no longer what was committed
	}
	lines := m.bundleLines(bundleOf{to: m.size(), size: m.size(), signed: ceil(m.now.Add(time.Hour))})
	for i, e := range m.entries {
		e.leaf.ReceivedAt--
		h := e.leaf.Hash()
		e.leaf.ReceivedAt++
		now := e.leaf.Hash()
		lines[3+i] = strings.Replace(lines[3+i], tlog.Hash(now).String(), tlog.Hash(h).String(), 1)
	}
	r := verify.Bundle(strings.NewReader(foot(lines)), m.pinned())
	if len(r.Findings) != verify.MaxFindings || r.More != 50 || r.Exit() != 6 {
		t.Errorf("%d findings and %d more, exit %d: %v", len(r.Findings), r.More, r.Exit(), r.Findings[:3])
	}
}
