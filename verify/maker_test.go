package verify_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/internal/typeid"
	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/verify"
)

const (
	madeOrigin = "log.example.com/o/0000000000000001"
	madeClock  = "log.example.com/clock"
)

// began is when a made log began.
var began = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// signer signs notes in tests: as a log, or as a clock or witness at one time.
type signer struct {
	key     verify.Key
	private ed25519.PrivateKey
	at      time.Time
}

func newSigner(t testing.TB, name, seed string, kind byte) *signer {
	t.Helper()
	sum := sha256.Sum256([]byte(seed))
	private := ed25519.NewKeyFromSeed(sum[:])
	public := append([]byte{kind}, private[ed25519.SeedSize:]...)
	id := sha256.Sum256(append([]byte(name+"\n"), public...))
	k, err := verify.ParseKey(fmt.Sprintf("%s+%x+%s", name, id[:4], base64.StdEncoding.EncodeToString(public)))
	if err != nil {
		t.Fatal(err)
	}
	return &signer{key: k, private: private}
}

func (s *signer) Name() string    { return s.key.Name() }
func (s *signer) KeyHash() uint32 { return s.key.KeyHash() }

func (s *signer) Sign(text []byte) ([]byte, error) {
	if !s.key.Cosigner() {
		return ed25519.Sign(s.private, text), nil
	}
	signed := fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", s.at.Unix(), text)
	return append(binary.BigEndian.AppendUint64(nil, uint64(s.at.Unix())), ed25519.Sign(s.private, signed)...), nil
}

// made is a log made by a test: honest unless the test changes it.
type made struct {
	t       testing.TB
	now     time.Time
	entries []*madeEntry
	hashes  hashStorage
	log     *signer // signs now
	clock   *signer
	witness []*signer
}

type madeEntry struct {
	leaf    leaf.Leaf
	payload string
	secret  [16]byte
	gone    bool // shown as a leaf
	hashed  bool // shown as a hash
	erased  map[int]bool
}

type hashStorage []tlog.Hash

func (h hashStorage) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		out[i] = h[x]
	}
	return out, nil
}

func newMade(t testing.TB) *made {
	t.Helper()
	return &made{
		t: t, now: began,
		log: newSigner(t, madeOrigin, "log 1", 1), clock: newSigner(t, madeClock, "clock", 4),
	}
}

// add appends an entry a second after the one before.
func (m *made) add(kind byte, format string, args ...any) int64 {
	m.t.Helper()
	m.now = m.now.Add(time.Second)
	return m.addAt(m.now, kind, fmt.Sprintf(format, args...))
}

func (m *made) addAt(at time.Time, kind byte, payload string) int64 {
	m.t.Helper()
	seq := int64(len(m.entries))
	e := &madeEntry{payload: payload, erased: map[int]bool{}}
	sum := sha256.Sum256(fmt.Appendf(nil, "entry %d of %s", seq, payload))
	copy(e.secret[:], sum[:])
	e.leaf = leaf.Leaf{Kind: kind, Seq: seq, ReceivedAt: at.UnixMicro()}
	copy(e.leaf.ID[:], sum[16:])
	m.entries = append(m.entries, e)
	m.commit(e)
	return seq
}

// commit computes the leaf and stores its hashes.
func (m *made) commit(e *madeEntry) {
	m.t.Helper()
	var d leaf.Doc
	if err := d.Read([]byte(e.payload)); err != nil {
		m.t.Fatal(err)
	}
	e.leaf.Root = d.Root(&e.secret)
	hs, err := tlog.StoredHashesForRecordHash(e.leaf.Seq, e.leaf.Hash(), m.hashes)
	if err != nil {
		m.t.Fatal(err)
	}
	m.hashes = append(m.hashes, hs...)
}

func (m *made) event() int64 {
	return m.add(leaf.Event, `{"action":"a.b","actor":{"id":"usr_%d","type":"user"},"n":%d}`, len(m.entries)%7, len(m.entries))
}

func (m *made) erase(items string) int64 {
	return m.add(leaf.Control, `{"op":"erase","erasure_id":"ers_1","items":%q,"reason":"request","part":1,"parts":1}`, items)
}

func (m *made) prune(items, keep string) int64 {
	return m.add(leaf.Control, `{"op":"prune","items":%q,"keep":%q,"policy":"30d","count":1}`, items, keep)
}

func (m *made) hold(id, items string) int64 {
	return m.add(leaf.Control, `{"op":"hold","state":"placed","hold_id":%q,"items":%q,"reason":"r"}`, id, items)
}

func (m *made) release(id string) int64 {
	return m.add(leaf.Control, `{"op":"hold","state":"released","hold_id":%q,"reason":"r"}`, id)
}

func (m *made) size() int64 { return int64(len(m.entries)) }

func (m *made) root(size int64) tlog.Hash {
	m.t.Helper()
	h, err := tlog.TreeHash(size, m.hashes)
	if err != nil {
		m.t.Fatal(err)
	}
	return h
}

// note signs the tree of this size at a time.
func (m *made) note(size int64, at time.Time) string {
	m.t.Helper()
	m.clock.at = at
	signers := []note.Signer{m.log, m.clock}
	for _, w := range m.witness {
		signers = append(signers, w)
	}
	text, err := note.Sign(&note.Note{Text: fmt.Sprintf("%s\n%d\n%s\n", m.log.Name(), size, m.root(size))}, signers...)
	if err != nil {
		m.t.Fatal(err)
	}
	return string(text)
}

// ceil returns the first whole second from t on.
func ceil(t time.Time) time.Time { return t.Add(time.Second - 1).Truncate(time.Second) }

func (m *made) consistency(from, to int64) []tlog.Hash {
	m.t.Helper()
	p, err := tlog.ProveTree(to, from, m.hashes)
	if err != nil {
		m.t.Fatal(err)
	}
	return p
}

func (m *made) inclusion(seq, size int64) []tlog.Hash {
	m.t.Helper()
	p, err := tlog.ProveRecord(size, seq, m.hashes)
	if err != nil {
		m.t.Fatal(err)
	}
	return p
}

func list(hs []tlog.Hash) string {
	texts := make([]string, 0, len(hs))
	for _, h := range hs {
		texts = append(texts, fmt.Sprintf("%q", h))
	}
	return "[" + strings.Join(texts, ",") + "]"
}

func quote(s string) string {
	b := &bytes.Buffer{}
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		panic(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// subtree returns the hash of the perfect subtree of 2^level leaves that starts at from.
func (m *made) subtree(level int, from int64) tlog.Hash {
	return m.hashes[tlog.StoredHashIndex(level, from>>level)]
}

// cover returns the hashes of the perfect aligned subtrees of [from,to).
func (m *made) cover(from, to int64) []tlog.Hash {
	var hs []tlog.Hash
	for from < to {
		level := 0
		for from&(1<<level) == 0 && from+2<<level <= to {
			level++
		}
		hs = append(hs, m.subtree(level, from))
		from += 1 << level
	}
	return hs
}

// members returns the members of the entry as a bundle shows it.
func (m *made) members(e *madeEntry) string {
	h := e.leaf.Hash()
	s := fmt.Sprintf(`"seq":%d,"kind":%d,"id":%q,"received_at":%q,"leaf_hash":%q,`, e.leaf.Seq, e.leaf.Kind, typeid.Append(nil, "evt", e.leaf.ID),
		time.UnixMicro(e.leaf.ReceivedAt).UTC().Format("2006-01-02T15:04:05.000000Z"), base64.StdEncoding.EncodeToString(h[:]))
	if len(e.erased) == 0 {
		return s + fmt.Sprintf(`"secret":%q,"payload":%s`, base64.StdEncoding.EncodeToString(e.secret[:]), e.payload)
	}
	var d leaf.Doc
	if err := d.Read([]byte(e.payload)); err != nil {
		m.t.Fatal(err)
	}
	var fields []string
	for i, f := range d.Fields(&e.secret) {
		c := f.Commit()
		switch {
		case e.erased[i]:
			fields = append(fields, fmt.Sprintf(`{"c":%q}`, base64.StdEncoding.EncodeToString(c[:])))
		case f.Type == leaf.String || f.Type == leaf.Number:
			fields = append(fields, fmt.Sprintf(`{"p":%s,"t":"%c","v":%s,"s":%q}`, quote(string(f.Path)), f.Type, quote(string(f.Value)), base64.StdEncoding.EncodeToString(f.Salt[:])))
		default:
			fields = append(fields, fmt.Sprintf(`{"p":%s,"t":"%c","s":%q}`, quote(string(f.Path)), f.Type, base64.StdEncoding.EncodeToString(f.Salt[:])))
		}
	}
	return s + `"fields":[` + strings.Join(fields, ",") + "]"
}

// rotate adds a key entry, signs it with the old key, and adds the rotation line that bundles carry from now on. The proof to the
// bundle's size is made by bundle.
func (m *made) rotate(seed string) func(size int64) string {
	m.t.Helper()
	next := newSigner(m.t, madeOrigin, seed, 1)
	seq := m.add(leaf.Control, `{"op":"key","state":"added","generation":2,"vkey":%q}`, next.key)
	old, at := m.size(), ceil(m.now)
	text := m.note(old, at)
	vkey, e := m.log.key, m.entries[seq]
	m.log = next
	return func(size int64) string {
		return fmt.Sprintf(`{"t":"rotation","vkey":%q,"note":%s,"entry":{%s},"proof":%s,"consistency":%s}`, vkey, quote(text), m.members(e),
			list(m.inclusion(seq, old)), list(m.consistency(old, size)))
	}
}

// bundleOf says what a bundle holds.
type bundleOf struct {
	from, to, size int64
	signed         time.Time // zero: when the last entry was received
	header         string    // more members, each with a comma before
	head           []func(size int64) string
	after          []string // anchor lines
}

// older returns a consistency line for a tree signed at a time.
func (m *made) older(size int64, at time.Time) func(int64) string {
	text := m.note(size, at)
	return func(to int64) string {
		return fmt.Sprintf(`{"t":"consistency","note":%s,"proof":%s}`, quote(text), list(m.consistency(size, to)))
	}
}

// lines returns the lines of a bundle without their newlines and without the footer.
func (m *made) bundleLines(q bundleOf) []string {
	m.t.Helper()
	at := q.signed
	if at.IsZero() {
		at = ceil(time.UnixMicro(m.entries[q.size-1].leaf.ReceivedAt))
	}
	out := []string{
		fmt.Sprintf(`{"t":"header","format":"daybook-bundle/v1","origin":%q,"vkey":%q,"clock_vkey":%q,"from":%d,"to":%d,"size":%d%s}`, m.log.Name(),
			m.log.key, m.clock.key, q.from, q.to, q.size, q.header),
		fmt.Sprintf(`{"t":"checkpoint","note":%s}`, quote(m.note(q.size, at))),
	}
	for _, line := range q.head {
		out = append(out, line(q.size))
	}
	out = append(out, fmt.Sprintf(`{"t":"range_proof","left":%s,"right":%s}`, list(m.cover(0, q.from)), list(m.cover(q.to, q.size))))
	for seq, e := range m.entries[:q.size] {
		if s := int64(seq); e.leaf.Kind == leaf.Control && (s < q.from || s >= q.to) {
			out = append(out, fmt.Sprintf(`{"t":"control",%s,"proof":%s}`, m.members(e), list(m.inclusion(s, q.size))))
		}
	}
	for _, e := range m.entries[q.from:q.to] {
		h := e.leaf.Hash()
		switch {
		case e.hashed:
			out = append(out, fmt.Sprintf(`{"t":"hashes","seq":%d,"count":1,"hashes":%q}`, e.leaf.Seq, base64.StdEncoding.EncodeToString(h[:])))
		case e.gone:
			out = append(out, fmt.Sprintf(`{"t":"leaf","seq":%d,"leaf":%q}`, e.leaf.Seq, base64.StdEncoding.EncodeToString(e.leaf.Append(nil))))
		default:
			out = append(out, fmt.Sprintf(`{"t":"entry",%s}`, m.members(e)))
		}
	}
	return append(out, q.after...)
}

func (m *made) bundle(q bundleOf) string { return foot(m.bundleLines(q)) }

// foot joins lines to a bundle with its footer.
func foot(lines []string) string {
	ended := make([]string, 0, len(lines)+1)
	for _, l := range lines {
		ended = append(ended, l+"\n")
	}
	return strings.Join(refoot(append(ended, "")), "")
}

// check verifies a bundle and compares the exit code and the codes of findings.
func check(t *testing.T, text string, o verify.Options, exit int, codes ...verify.Code) *verify.Report {
	t.Helper()
	r := verify.Bundle(strings.NewReader(text), o)
	for _, c := range codes {
		if !r.Has(c) {
			t.Errorf("no finding %s", c)
		}
	}
	if r.Exit() != exit || (exit == 0) != (len(r.Findings) == 0) {
		t.Errorf("exit %d, want %d", r.Exit(), exit)
	}
	if t.Failed() {
		t.Fatalf("findings: %v\nnotes: %v", r.Findings, r.Notes)
	}
	return r
}
