package keyring

import (
	"errors"
	"slices"
	"time"

	"github.com/daybook-audit/daybook/internal/checkpoint"
)

// Overlap is how long an older key signs beside the newer one, and the last epoch's beside this one's: a reader who looks once a month
// finds the way from the key it knows to the one that counts.
const Overlap = 30 * 24 * time.Hour

// ErrOtherMaster says that a log's keys follow from another master key than this one.
var ErrOtherMaster = errors.New("the keys of the log are of another master key")

// Key is a key of a log with what its entries say about it.
type Key struct {
	*checkpoint.Key
	Seq     int64 // of the entry that added it; −1: the log began with it
	Added   int64 // received_at of that entry, µs since 1970
	Retired bool
}

// Keys are the keys that a log has had, by generation.
type Keys []Key

// Ring derives the keys of one log and remembers them. It belongs to one goroutine at a time.
type Ring struct {
	master  []byte
	origin  string
	derived []*checkpoint.Key
}

// New returns the ring of the log with an origin. It derives nothing yet.
func New(master []byte, origin string) *Ring { return &Ring{master: master, origin: origin} }

// Keys returns the keys of the log by what its control entries say, oldest first. ErrOtherMaster: they name a key that is none of the ring's.
func (r *Ring) Keys(acts []Act) (Keys, error) {
	first, err := r.Key(1)
	if err != nil {
		return nil, err
	}
	keys := Keys{{Key: first, Seq: -1}}
	for i := range acts {
		switch act := &acts[i]; {
		case act.Op == OpKey && act.State == Added:
			k, err := r.Key(act.Generation)
			if err != nil {
				return nil, err
			}
			if k.Vkey() != act.Vkey {
				return nil, ErrOtherMaster
			}
			keys = append(keys, Key{Key: k, Seq: act.Seq, Added: act.Received})
		case act.Op == OpKey && act.State == Retired:
			for j := range keys {
				keys[j].Retired = keys[j].Retired || keys[j].Vkey() == act.Vkey
			}
		}
	}
	return keys, nil
}

// Key returns the key of a generation, from memory if it was asked for before.
func (r *Ring) Key(generation int) (*checkpoint.Key, error) {
	for _, k := range r.derived {
		if k.Generation() == generation {
			return k, nil
		}
	}
	k, err := checkpoint.NewKey(r.master, checkpoint.Log, r.origin, generation)
	if err == nil {
		r.derived = append(r.derived, k)
	}
	return k, err
}

// maxGenerations bounds the search for the generation of a key that is known by its vkey alone.
const maxGenerations = 100

// LastEpoch returns the key of the epoch before, if it signs the checkpoints of a log with these acts at a time too; nil: it does not. Who
// has reason to mistrust that key does not ask.
func (r *Ring) LastEpoch(acts []Act, now int64) (*checkpoint.Key, error) {
	if len(acts) == 0 || acts[0].Op != OpEpoch || acts[0].Prev == nil || now-acts[0].Received >= Overlap.Microseconds() {
		return nil, nil
	}
	for generation := 1; generation <= maxGenerations; generation++ {
		k, err := checkpoint.NewKey(r.master, checkpoint.Log, acts[0].Prev.Origin, generation)
		if err != nil || k.Vkey() == acts[0].Prev.Vkey {
			return k, err
		}
	}
	return nil, nil
}

// Newest returns the key that was added last.
func (ks Keys) Newest() *Key { return &ks[len(ks)-1] }

// Signers returns the keys that are not retired, oldest first.
func (ks Keys) Signers() []*checkpoint.Key {
	var signers []*checkpoint.Key
	for i := range ks {
		if !ks[i].Retired {
			signers = append(signers, ks[i].Key)
		}
	}
	return signers
}

// Older returns the keys that sign beside the newest, which ends when Overlap is over.
func (ks Keys) Older() Keys {
	return slices.DeleteFunc(slices.Clone(ks[:len(ks)-1]), func(k Key) bool { return k.Retired })
}

// Due returns those of Older whose time is over.
func (ks Keys) Due(now int64) Keys {
	if now-ks.Newest().Added < Overlap.Microseconds() {
		return nil
	}
	return ks.Older()
}

// Carry reports whether one of ks is named in the signatures of note; an empty note is signed by whoever comes.
func (ks Keys) Carry(note []byte) bool {
	return len(note) == 0 || slices.ContainsFunc(ks, func(k Key) bool { return k.Signed(note) })
}
