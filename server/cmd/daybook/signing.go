package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/config"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/server/internal/selfaudit"
	"github.com/daybook-audit/daybook/witness"
)

// signing is what a Book needs to sign.
type signing struct {
	control.Signing
	master []byte
	marks  marks
}

// signingOptions say how to come by it.
type signingOptions struct {
	fallback string // origin of an instance that has none and is given none; empty: it does not sign
	newKey   bool   // another master key than before is meant: the old one is known to somebody else
	logger   *slog.Logger
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
// On the first start a missing key is made. A crash between the key, the document and the high-water store leaves files that the next
// start takes. Of several nodes that start at once the first decides, and the others refuse to go on with a key of their own.
func openSigning(ctx context.Context, c *config.Config, docs daybook.Documents, o signingOptions) (*signing, error) {
	logger := o.logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
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
	made := "" // the file of the key, if this call has made it
	if s.master, made, err = masterKey(c, !signed); err != nil {
		return nil, err
	}
	if s.Clock, err = daybook.ClockVkey(s.Origin, s.master); err != nil {
		return nil, usage("%v", err)
	}
	if signed && s.Clock != known.Clock && !o.newKey {
		return nil, errOtherKey(c)
	}
	kept, err := control.KeepSigning(ctx, docs, s.Signing, signed)
	if err != nil {
		return nil, err
	}
	if kept != s.Signing { // another node has made its key at this moment, and nothing was signed with this one
		err := errOtherKey(c)
		if made != "" {
			err = errors.Join(err, os.Remove(made))
		}
		return nil, err
	}
	if made != "" && c.OnPostgres() {
		logger.LogAttrs(ctx, slog.LevelWarn, "a master key was made: every node of this database needs this very file, and a copy in a safe place",
			slog.String("file", made))
	}
	if c.OnPostgres() && c.HighWater == "" {
		logger.LogAttrs(ctx, slog.LevelWarn, "what was signed is remembered in the database of the log: a restore takes both back, and is not found out",
			slog.String("try", "--highwater postgres://… of another server (DAYBOOK_HIGHWATER)"))
	}
	if s.marks, err = openMarks(ctx, c); err != nil {
		return nil, err
	}
	return s, nil
}

// signingEvery is how often a node looks whether the instance signs with the key that it has.
const signingEvery = 5 * time.Second

// watchSigning has the server end when another node was given another master key, after a compromise of this one: what this node signed
// from then on nobody should believe.
func (m *Main) watchSigning(ctx context.Context) {
	tick := time.NewTicker(signingEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		known, signed, err := control.ReadSigning(ctx, m.store)
		if err == nil && signed && known != m.sign.Signing { // what cannot be read now is read the next time
			m.fail(errOtherKey(m.Config))
			return
		}
	}
}

// errOtherKey refuses a master key that is not the instance's: what it would sign nobody could verify with the keys that are pinned.
func errOtherKey(c *config.Config) error {
	if c.OnPostgres() {
		return &usageError{
			message: "this is another master key than the one of the nodes that have signed the logs in this database",
			try:     "the file of the other nodes (--master-key-file) in the place of " + masterKeyPath(c) + "; after a compromise: daybook recover --new-epoch --cause key_compromise",
		}
	}
	return &usageError{
		message: "this is another master key than the one that the logs were signed with",
		try:     "the right file (--master-key-file); after a compromise: daybook recover --new-epoch --cause key_compromise",
	}
}

// masterKeyPath is the file of the master key.
func masterKeyPath(c *config.Config) string {
	if c.MasterKeyFile != "" {
		return c.MasterKeyFile
	}
	return filepath.Join(c.Folder(), "master.key")
}

// masterKey returns the master key of the configuration. If the file is missing and create is set, it is made, and its name returned. No
// error shows any of the key.
func masterKey(c *config.Config, create bool) (key []byte, made string, err error) {
	if c.MasterKey != "" {
		key, ok := parseMasterKey(c.MasterKey)
		if !ok {
			return nil, "", usage("master_key does not hold 32 bytes in base64 or hexadecimal")
		}
		return key, "", nil
	}
	path := masterKeyPath(c)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) && create {
		switch err := makeMasterKey(path); {
		case err == nil:
			made = path
		case !errors.Is(err, fs.ErrExist): // else another process was faster: its key is the key
			return nil, "", fmt.Errorf("keep the master key: %w", err)
		}
		info, err = os.Stat(path)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, "", &usageError{
			message: "there is no master key at " + path + ", and the logs were signed with one",
			try:     "bring the file back from where its copy is kept, or --master-key-file FILE",
		}
	case err != nil:
		return nil, "", fmt.Errorf("read the master key: %w", err)
	case exposed(info.Mode(), ofRoot(info), os.Getuid()) && runtime.GOOS != "windows":
		return nil, "", &usageError{message: fmt.Sprintf("others may read the master key %s (mode %04o)", path, info.Mode().Perm()), try: "chmod 600 " + path}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, "", fmt.Errorf("read the master key: %w", err)
	}
	key, ok := parseMasterKey(string(text))
	if !ok {
		return nil, "", usage("%s does not hold 32 bytes in base64 or hexadecimal", path)
	}
	return key, made, nil
}

func parseMasterKey(text string) ([]byte, bool) {
	text = strings.TrimSpace(text)
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) != 32 {
		key, err = hex.DecodeString(text)
	}
	return key, err == nil && len(key) == 32
}

// makeMasterKey makes the file of a new key, durable on return, and replaces none: fs.ErrExist.
func makeMasterKey(path string) error {
	key := make([]byte, 32)
	rand.Read(key) // never fails
	return newFile(path, func(f *os.File) error {
		_, err := f.WriteString(base64.StdEncoding.EncodeToString(key) + "\n")
		return err
	})
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
