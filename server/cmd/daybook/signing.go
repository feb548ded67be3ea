package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/durable"
	"github.com/daybook-audit/daybook/server/internal/config"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/server/internal/selfaudit"
	"github.com/daybook-audit/daybook/sqlite"
	"github.com/daybook-audit/daybook/witness"
)

// signing is what a Book needs to sign.
type signing struct {
	control.Signing
	master []byte
	marks  *sqlite.HighWater
}

// signingOptions say how to come by it.
type signingOptions struct {
	fallback string // origin of an instance that has none and is given none; empty: it does not sign
	newKey   bool   // another master key than before is meant: the old one is known to somebody else
}

// options adds s to those of a Book. A nil s adds nothing.
func (s *signing) options(o *daybook.Options) {
	if s != nil {
		o.Origin, o.MasterKey, o.HighWater = s.Origin, s.master, s.marks
	}
}

// witnesses returns those of the configuration.
func witnesses(c *config.Config) ([]daybook.Witness, error) {
	client := &http.Client{Timeout: time.Minute}
	var ws []daybook.Witness
	for _, text := range c.AnchorTo {
		kind, address, _ := strings.Cut(text, ":")
		address, more, two := strings.Cut(address, " ")
		more = strings.TrimSpace(more)
		switch {
		case kind == "folder" && address != "" && !two:
			ws = append(ws, witness.NewFolder(address))
		case kind == "post" && isWeb(address) && !two:
			ws = append(ws, witness.NewMailbox(client, address))
		case kind == "timestamp" && isWeb(address) && more != "":
			ws = append(ws, witness.NewTimestamp(client, address, more))
		case kind == "witness" && isWeb(address) && more != "":
			w, err := witness.NewCosigner(client, address, more)
			if err != nil {
				return nil, usage("anchor_to: %v", err)
			}
			ws = append(ws, w)
		default:
			return nil, &usageError{message: "anchor_to: " + kind + " is none of the forms of a witness", try: "folder:DIR, post:URL, timestamp:URL DIR, witness:URL VKEY"}
		}
	}
	return ws, nil
}

func isWeb(address string) bool {
	return strings.HasPrefix(address, "https://") || strings.HasPrefix(address, "http://")
}

// Close closes the high-water store.
func (s *signing) Close() error {
	if s == nil {
		return nil
	}
	return s.marks.Close()
}

// openSigning returns what the instance whose documents are docs signs with, or nil when it does not sign. The origin and the master key
// are those of the first start for ever: with others nobody who remembers a checkpoint could tell the logs from forged ones.
//
// On the first start a missing key is made. A crash between the key, the high-water store and the document leaves files that the next
// start takes.
func openSigning(ctx context.Context, c *config.Config, docs daybook.Documents, o signingOptions) (*signing, error) {
	known, signed, err := control.ReadSigning(ctx, docs)
	if err != nil {
		return nil, err
	}
	s := &signing{}
	switch {
	case signed && c.Origin != "" && c.Origin != known.Origin:
		return nil, &usageError{
			message: fmt.Sprintf("the origin is %s since the first start, not %s: checkpoints are named after it for ever", known.Origin, c.Origin),
			try:     "--origin " + known.Origin,
		}
	case signed:
		s.Origin = known.Origin
	case c.Origin != "":
		s.Origin = c.Origin
	case o.fallback != "":
		s.Origin = o.fallback
	default:
		return nil, nil
	}
	if s.master, err = masterKey(c, !signed); err != nil {
		return nil, err
	}
	if s.Clock, err = daybook.ClockVkey(s.Origin, s.master); err != nil {
		return nil, usage("%v", err)
	}
	if signed && s.Clock != known.Clock && !o.newKey {
		return nil, &usageError{
			message: "this is another master key than the one that the logs were signed with",
			try:     "the right file (--master-key-file); after a compromise: daybook recover --new-epoch --cause key_compromise",
		}
	}
	if s.marks, err = sqlite.OpenHighWater(highWaterPath(c)); err != nil {
		return nil, err
	}
	if err := control.KeepSigning(ctx, docs, s.Signing); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func highWaterPath(c *config.Config) string { return beside(c, c.HighWater, "highwater.db") }

// beside returns path, or a file of this name beside the store.
func beside(c *config.Config, path, name string) string {
	if path != "" {
		return path
	}
	return filepath.Join(filepath.Dir(c.DB), name)
}

// masterKey returns the master key of the configuration, made if the file is missing and create is set. No error shows any of it.
func masterKey(c *config.Config, create bool) ([]byte, error) {
	if c.MasterKey != "" {
		key, ok := parseMasterKey(c.MasterKey)
		if !ok {
			return nil, usage("master_key does not hold 32 bytes in base64 or hexadecimal")
		}
		return key, nil
	}
	path := beside(c, c.MasterKeyFile, "master.key")
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && create:
		return makeMasterKey(path)
	case errors.Is(err, fs.ErrNotExist):
		return nil, &usageError{
			message: "there is no master key at " + path + ", and the logs were signed with one",
			try:     "bring the file back from where its copy is kept, or --master-key-file FILE",
		}
	case err != nil:
		return nil, fmt.Errorf("read the master key: %w", err)
	case exposed(info.Mode(), ofRoot(info), os.Getuid()) && runtime.GOOS != "windows":
		return nil, &usageError{message: fmt.Sprintf("others may read the master key %s (mode %04o)", path, info.Mode().Perm()), try: "chmod 600 " + path}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the master key: %w", err)
	}
	key, ok := parseMasterKey(string(text))
	if !ok {
		return nil, usage("%s does not hold 32 bytes in base64 or hexadecimal", path)
	}
	return key, nil
}

func parseMasterKey(text string) ([]byte, bool) {
	text = strings.TrimSpace(text)
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) != 32 {
		key, err = hex.DecodeString(text)
	}
	return key, err == nil && len(key) == 32
}

func makeMasterKey(path string) ([]byte, error) {
	key := make([]byte, 32)
	rand.Read(key) // never fails
	if err := durable.WriteFile(path, []byte(base64.StdEncoding.EncodeToString(key)+"\n"), 0o600); err != nil {
		return nil, fmt.Errorf("keep the master key: %w", err)
	}
	return key, nil
}

// freezes turns logs that were found rolled back or forked, and keys that sign no longer, into events. The Book finds the first while it
// opens, before there is an auditor: those wait.
type freezes struct {
	mu    sync.Mutex
	audit *selfaudit.Auditor
	early []early
}

type early struct {
	org   daybook.OrgID
	event daybook.Event
}

// found is called by the Book, which holds what belongs to the log of org: nothing may be recorded in that log from here. The log of the
// instance cannot tell of itself; the Book's own log line does.
func (f *freezes) found(org daybook.OrgID, cause error) {
	if org == control.Instance {
		return
	}
	f.later(control.Instance, daybook.Event{
		Action: "daybook.integrity.failed", Actor: program("serve"), Outcome: daybook.Failure,
		Targets: []daybook.Target{{Type: "log", ID: string(org)}}, Reason: cause.Error(),
	})
}

// retired is called by the Book while it signs the log of org. The control entry is the proof, this is the twin that people find.
func (f *freezes) retired(org daybook.OrgID, key daybook.Vkey) {
	f.later(org, removalEvent("daybook.key_rotation.done", daybook.Actor{Type: "system", ID: "rotation"}, daybook.Target{Type: "log", ID: string(org)}, map[string]any{
		"retired": key.Vkey, "generation": key.Generation, "seq": key.Seq,
	}))
}

// later records e behind the caller.
func (f *freezes) later(org daybook.OrgID, e daybook.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.audit == nil {
		f.early = append(f.early, early{org, e})
		return
	}
	f.audit.Later(org, e)
}

// tell gives the events to audit from here on.
func (f *freezes) tell(audit *selfaudit.Auditor) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, x := range f.early {
		audit.Later(x.org, x.event)
	}
	f.audit, f.early = audit, nil
}
