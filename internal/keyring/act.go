// Package keyring says which keys a log has had, and which of them sign it now. No key is stored: a log's control entries name its keys, and
// all of them follow from a master key and the log's origin (docs/reference/integrity.md, section 6). It reads no clock, no store and no
// random source.
package keyring

import (
	"bytes"
	"encoding/json"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// What control entries about keys and epochs are and say (docs/reference/integrity.md, section 9).
const (
	OpKey   = "key"
	OpEpoch = "epoch"

	Added   = "added"
	Retired = "retired"
)

// Act is what a control entry says about keys or an epoch.
type Act struct {
	Op             string `json:"op"`
	State          string `json:"state,omitempty"`
	Generation     int    `json:"generation,omitempty"`
	Epoch          int    `json:"epoch,omitempty"`
	Cause          string `json:"cause,omitempty"`
	Vkey           string `json:"vkey"`
	Prev           *Head  `json:"prev,omitempty"`
	PrevCheckpoint string `json:"prev_checkpoint,omitempty"`
	Lost           string `json:"lost,omitempty"`
	Reason         string `json:"reason,omitempty"`
	By             struct {
		Type string `json:"type"`
		ID   string `json:"id"`
	} `json:"by"` // who is responsible for it

	Seq      int64 `json:"-"` // of the entry
	Received int64 `json:"-"` // its received_at, µs since 1970
}

// Head is where the last epoch ended, as far as it survived.
type Head struct {
	Origin string    `json:"origin"`
	Vkey   string    `json:"vkey,omitempty"` // empty: it was derived from another master key
	Size   int64     `json:"size"`
	Root   tlog.Hash `json:"root"`
}

// Read reads the payload of a control entry about keys or an epoch, which stands at seq.
func Read(text []byte, seq, received int64) (Act, error) {
	a := Act{Seq: seq, Received: received}
	if err := json.Unmarshal(text, &a); err != nil {
		return Act{}, fmt.Errorf("control entry %d: %w", seq, err)
	}
	return a, nil
}

// Text returns the payload of a control entry.
func (a *Act) Text() []byte {
	text, err := json.Marshal(a)
	if err != nil {
		panic(err) // strings and numbers always have a JSON
	}
	return text
}

// BeginsLog reports whether text is that of the control entry that begins the log of a new epoch.
func BeginsLog(text []byte) bool { return bytes.HasPrefix(text, []byte(`{"op":"`+OpEpoch+`"`)) }
