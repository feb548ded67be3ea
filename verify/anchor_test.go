package verify_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/verify"
)

const madeAnchor = "log.example.com/anchor"

// anchor returns an anchor line for the tree of a size in a bundle of another: a batch of two logs, in an anchor log of one leaf.
func (m *made) anchor(by *signer, size, to int64, at time.Time, cosigners ...note.Signer) string {
	m.t.Helper()
	root := m.root(size)
	tag := sha256.Sum256([]byte(madeOrigin))
	entry := append(binary.BigEndian.AppendUint64(tag[:], uint64(size)), root[:]...)
	other := tlog.RecordHash([]byte("another log"))
	batch := tlog.NodeHash(tlog.RecordHash(entry), other)
	leaf := binary.BigEndian.AppendUint64([]byte("DAYA\x01"), 0)
	leaf = binary.BigEndian.AppendUint64(leaf, uint64(at.UnixMicro()))
	leaf = append(binary.BigEndian.AppendUint32(leaf, 2), batch[:]...)
	leaf = append(leaf, make([]byte, 8)...)
	text, err := note.Sign(&note.Note{Text: fmt.Sprintf("%s\n1\n%s\n", madeAnchor, tlog.RecordHash(leaf))}, append([]note.Signer{by}, cosigners...)...)
	if err != nil {
		m.t.Fatal(err)
	}
	return fmt.Sprintf(`{"t":"anchor","size":%d,"root":%q,"consistency":%s,"batch_index":0,"batch_proof":%s,"leaf":%q,"proof":[],"note":%s}`, size, root,
		list(m.consistency(size, to)), list([]tlog.Hash{other}), base64.StdEncoding.EncodeToString(leaf), quote(string(text)))
}

func TestBundle_anchor(t *testing.T) {
	t.Parallel()
	m := events(t, 10)
	a := newSigner(t, madeAnchor, "anchor", 1)
	at := func(seq int) time.Time { return time.UnixMicro(m.entries[seq].leaf.ReceivedAt) }
	text := func(header string, lines ...string) string {
		return m.bundle(bundleOf{from: 2, to: 8, size: 10, header: header, after: lines})
	}
	named := fmt.Sprintf(`,"anchor_vkey":%q`, a.key)
	pinned := m.pinned()
	pinned.AnchorKeys = []verify.Key{a.key}

	r := check(t, text(named, m.anchor(a, 6, 10, at(5))), pinned, 0)
	if r.Anchored != 6 {
		t.Errorf("anchored: %d, want 6", r.Anchored)
	}
	check(t, text(named, m.anchor(a, 6, 10, at(5))), m.pinned(), 0)
	check(t, text("", m.anchor(a, 6, 10, at(5))), pinned, 0)
	check(t, text("", m.anchor(a, 6, 10, at(5))), m.pinned(), 7, verify.KeyUnknown)
	check(t, text(named), pinned, 7, verify.ProofMissing)
	check(t, text(named, strings.Replace(m.anchor(a, 6, 10, at(5)), `"batch_index":0`, `"batch_index":1`, 1)), pinned, 6, verify.ProofInvalid)
	check(t, text(named, strings.Replace(m.anchor(a, 6, 10, at(5)), `"size":6`, `"size":7`, 1)), pinned, 6, verify.ProofInvalid)
	stranger := newSigner(t, madeAnchor, "stranger", 1)
	check(t, text(named, m.anchor(stranger, 6, 10, at(5))), pinned, 6, verify.SignatureInvalid)

	// Nothing below the anchored size is later than the anchor; what comes after may be earlier than it.
	for _, c := range []struct {
		size int64
		time time.Time
		exit int
	}{
		{6, at(5), 0},
		{6, at(5).Add(-time.Microsecond), 6},
		{6, at(9).Add(time.Hour), 0},
		{10, at(7), 0}, // entries 8 and 9 are not shown
		{10, at(7).Add(-time.Microsecond), 6},
		{2, at(0), 0}, // nothing below is shown
		{3, at(2), 0},
		{3, at(2).Add(-time.Microsecond), 6},
	} {
		r := verify.Bundle(strings.NewReader(text(named, m.anchor(a, c.size, 10, c.time))), pinned)
		if r.Exit() != c.exit || c.exit == 6 && !r.Has(verify.TimeOrder) {
			t.Errorf("anchored at size %d and %v: exit %d, want %d: %v", c.size, c.time, r.Exit(), c.exit, r.Findings)
		}
	}
	both := text(named, m.anchor(a, 8, 10, at(9)), m.anchor(a, 4, 10, at(3).Add(-time.Microsecond)))
	check(t, both, pinned, 6, verify.TimeOrder)

	// A remembered tree that was anchored is linked by its anchor.
	o := pinned
	o.Since = remembered(t, fmt.Sprintf("%s\n6\n%s\n", madeOrigin, m.root(6)))
	check(t, text(named, m.anchor(a, 6, 10, at(5))), o, 0)
}

// TestBundle_anchorQuorum: witnesses of the anchor log count for what lies below the anchored size.
func TestBundle_anchorQuorum(t *testing.T) {
	t.Parallel()
	m := events(t, 10)
	a, w := newSigner(t, madeAnchor, "anchor", 1), newSigner(t, "w.example.com", "witness", 4)
	p, err := verify.ParsePolicy(fmt.Sprintf("log %s\nlog %s\nwitness w %s\nquorum w\n", m.log.key, a.key, w.key))
	if err != nil {
		t.Fatal(err)
	}
	w.at = ceil(m.now)
	for size, exit := range map[int64]int{10: 0, 8: 0, 7: 7} {
		text := m.bundle(bundleOf{to: 8, size: 10, after: []string{m.anchor(a, size, 10, m.now, w)}})
		if r := verify.Bundle(strings.NewReader(text), verify.Options{Policy: p}); r.Exit() != exit || exit == 7 && !r.Has(verify.Quorum) {
			t.Errorf("anchored at %d: exit %d, want %d: %v", size, r.Exit(), exit, r.Findings)
		}
	}
}
