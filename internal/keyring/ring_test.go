package keyring_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook/internal/checkpoint"
	"github.com/daybook-audit/daybook/internal/keyring"
)

const origin = "audit.example.com/o/2b8v6t4s9r1q7p3n"

func key(t *testing.T, generation int) *checkpoint.Key {
	t.Helper()
	k, err := checkpoint.NewKey(make([]byte, 32), checkpoint.Log, origin, generation)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func added(t *testing.T, generation int, seq, received int64) keyring.Act {
	t.Helper()
	return keyring.Act{Op: keyring.OpKey, State: keyring.Added, Generation: generation, Vkey: key(t, generation).Vkey(), Seq: seq, Received: received}
}

func retired(t *testing.T, generation int) keyring.Act {
	t.Helper()
	return keyring.Act{Op: keyring.OpKey, State: keyring.Retired, Generation: generation, Vkey: key(t, generation).Vkey()}
}

func generations(keys keyring.Keys) (gs []int) {
	for _, k := range keys {
		gs = append(gs, k.Generation())
	}
	return gs
}

// TestKeys follows a log from its first key over two rotations.
func TestKeys(t *testing.T) {
	t.Parallel()
	overlap := keyring.Overlap.Microseconds()
	for name, tt := range map[string]struct {
		acts             []keyring.Act
		now              int64
		sign, older, due []int
	}{
		"one key":               {nil, 1 << 60, []int{1}, nil, nil},
		"both sign":             {[]keyring.Act{added(t, 2, 5, 1000)}, 999 + overlap, []int{1, 2}, []int{1}, nil},
		"the time is over":      {[]keyring.Act{added(t, 2, 5, 1000)}, 1000 + overlap, []int{1, 2}, []int{1}, []int{1}},
		"the old one went":      {[]keyring.Act{added(t, 2, 5, 1000), retired(t, 1)}, 1 << 60, []int{2}, nil, nil},
		"the next rotation":     {[]keyring.Act{added(t, 2, 5, 1000), retired(t, 1), added(t, 3, 9, 2*overlap)}, 3 * overlap, []int{2, 3}, []int{2}, []int{2}},
		"what it says of other": {[]keyring.Act{{Op: "hold", State: keyring.Added}}, 0, []int{1}, nil, nil},
	} {
		keys, err := keyring.New(make([]byte, 32), origin).Keys(tt.acts)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var sign []int
		for _, k := range keys.Signers() {
			sign = append(sign, k.Generation())
		}
		if d := cmp.Diff([][]int{tt.sign, tt.older, tt.due}, [][]int{sign, generations(keys.Older()), generations(keys.Due(tt.now))}); d != "" {
			t.Errorf("%s: who signs, who beside, whose time is over (-want +got):\n%s", name, d)
		}
		if first := keys[0]; first.Seq != -1 || keys.Newest().Generation() != keys[len(keys)-1].Generation() {
			t.Errorf("%s: %+v", name, keys)
		}
	}
	other := make([]byte, 32)
	other[0] = 1
	if _, err := keyring.New(other, origin).Keys([]keyring.Act{added(t, 2, 5, 1000)}); !errors.Is(err, keyring.ErrOtherMaster) {
		t.Errorf("keys of another master key: %v", err)
	}
}

func TestCarry(t *testing.T) {
	t.Parallel()
	keys, err := keyring.New(make([]byte, 32), origin).Keys([]keyring.Act{added(t, 2, 5, 1000)})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		signers []*checkpoint.Key
		want    bool
	}{
		"by one of them": {[]*checkpoint.Key{key(t, 2)}, true},
		"by none":        {[]*checkpoint.Key{key(t, 3)}, false},
	} {
		note, err := checkpoint.Sign(origin, 1, [32]byte{}, tt.signers, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		if keys.Carry(note) != tt.want {
			t.Errorf("signed %s: %t", name, !tt.want)
		}
	}
	if !keys.Carry(nil) {
		t.Error("a log that was never signed is signed by whoever comes")
	}
}

func TestLastEpoch(t *testing.T) {
	t.Parallel()
	const next = "audit.example.com/o/7f3k2q9x4m1n8p5r"
	ring, overlap := keyring.New(make([]byte, 32), next), keyring.Overlap.Microseconds()
	prev := func(vkey string) []keyring.Act {
		return []keyring.Act{{Op: keyring.OpEpoch, Epoch: 1, Received: 1000, Prev: &keyring.Head{Origin: origin, Vkey: vkey}}}
	}
	for name, tt := range map[string]struct {
		acts []keyring.Act
		now  int64
		want string
	}{
		"for a while":             {prev(key(t, 3).Vkey()), 999 + overlap, key(t, 3).Vkey()},
		"and then not":            {prev(key(t, 3).Vkey()), 1000 + overlap, ""},
		"of another master key":   {prev(""), 1000, ""},
		"of a log of epoch 0":     {[]keyring.Act{added(t, 2, 5, 1000)}, 1000, ""},
		"without an entry at all": {nil, 1000, ""},
	} {
		k, err := ring.LastEpoch(tt.acts, tt.now)
		if err != nil || (k == nil) != (tt.want == "") || k != nil && k.Vkey() != tt.want {
			t.Errorf("%s: %v %v", name, k, err)
		}
	}
}

// TestActText holds the payload: what is written is what verifiers read (docs/reference/integrity.md, section 9).
func TestActText(t *testing.T) {
	t.Parallel()
	a := keyring.Act{
		Op: keyring.OpEpoch, Epoch: 1, Cause: "restore", Vkey: "v", Prev: &keyring.Head{Origin: "o", Size: 5}, PrevCheckpoint: "n", Lost: "5-15",
	}
	a.By.Type, a.By.ID = "user", "usr_9"
	const want = `{"op":"epoch","epoch":1,"cause":"restore","vkey":"v","prev":{"origin":"o","size":5,"root":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},` +
		`"prev_checkpoint":"n","lost":"5-15","by":{"type":"user","id":"usr_9"}}`
	text := a.Text()
	if string(text) != want || !keyring.BeginsLog(text) {
		t.Errorf("%s", text)
	}
	got, err := keyring.Read(text, 7, 8)
	if a.Seq, a.Received = 7, 8; err != nil || cmp.Diff(a, got) != "" {
		t.Errorf("read again: %+v, %v", got, err)
	}
	k := added(t, 2, 0, 0)
	if text = k.Text(); keyring.BeginsLog(text) || bytes.Contains(text, []byte("prev")) {
		t.Errorf("%s", text)
	}
	if _, err := keyring.Read([]byte(`{"op":7}`), 3, 0); err == nil {
		t.Error("an op that is no text is taken")
	}
}
