package control

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/daybook-audit/daybook"
)

// kindFailures is what was found false of the logs of one organization: one document under it, with the id failuresID.
const (
	kindFailures = "failures"
	failuresID   = "log"
)

// Limits of failures.
const (
	maxFailures    = 100     // of one organization; an acknowledged one gives way first, then the oldest
	maxFailureText = 1 << 10 // bytes of each text
)

// Failure is something false about a log: what is stored contradicts itself, what was signed, or what a reader remembers. It stands until
// somebody acknowledges it, and then as acknowledged.
type Failure struct {
	ID      string // the same finding has the same id, whoever finds it
	Epoch   int
	Check   string // what did not hold: leaf, inclusion, signature, consistency, or a check of daybook.Damage
	Finding string // its word, such as leaf_mismatch
	Seq     int64  // of the first entry concerned; -1: not known
	Size    int64  // of the tree that was checked; 0: not known
	Want    string // a hash, if two were compared
	Got     string
	Detail  string // for people
	By      daybook.Party
	FoundAt time.Time

	Acknowledged *Acknowledgement // nil: nobody has
}

// Acknowledgement says who has seen a failure, and why the banner may go.
type Acknowledgement struct {
	By     daybook.Party
	At     time.Time
	Reason string
}

type failureDocument struct {
	ID           string           `json:"id"`
	Epoch        int              `json:"epoch"`
	Check        string           `json:"check"`
	Finding      string           `json:"finding"`
	Seq          int64            `json:"seq"`
	Size         int64            `json:"size,omitempty"`
	Want         string           `json:"want,omitempty"`
	Got          string           `json:"got,omitempty"`
	Detail       string           `json:"detail"`
	By           daybook.Party    `json:"by"`
	FoundAt      moment           `json:"found_at"`
	Acknowledged *acknowledgement `json:"acknowledged,omitempty"`
}

type acknowledgement struct {
	By     daybook.Party `json:"by"`
	At     moment        `json:"at"`
	Reason string        `json:"reason"`
}

type failuresDocument struct {
	Failures []failureDocument `json:"failures"` // oldest first
}

func (d *failureDocument) failure() Failure {
	f := Failure{
		ID: d.ID, Epoch: d.Epoch, Check: d.Check, Finding: d.Finding, Seq: d.Seq, Size: d.Size, Want: d.Want, Got: d.Got, Detail: d.Detail, By: d.By,
		FoundAt: d.FoundAt.time(),
	}
	if a := d.Acknowledged; a != nil {
		f.Acknowledged = &Acknowledgement{By: a.By, At: a.At.time(), Reason: a.Reason}
	}
	return f
}

// Failures keeps what was found false of logs. Safe for concurrent use; it caches nothing.
type Failures struct {
	docs daybook.Documents
	now  func() time.Time
}

// NewFailures returns the failures kept in docs.
func NewFailures(docs daybook.Documents, now func() time.Time) *Failures {
	return &Failures{docs: docs, now: now}
}

// DamageOf is the failure that reading a damaged place of a log is.
func DamageOf(epoch int, d daybook.Damage, by daybook.Party) Failure {
	return Failure{Epoch: epoch, Check: d.Check, Finding: d.Finding(), Seq: d.From, Detail: d.String(), By: by}
}

// id names a finding by what it is.
func (f *Failure) id() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d\n%s\n%d\n%s\n%s", f.Epoch, f.Finding, f.Seq, f.Want, f.Got))
	return hex.EncodeToString(sum[:12])
}

// Valid refuses what is no failure: an *Error of CodeInvalid whose Field is the member that is wrong.
func (f *Failure) Valid() error {
	for _, one := range []struct{ member, text string }{{"check", f.Check}, {"finding", f.Finding}} {
		if one.text == "" || strings.Trim(one.text, "abcdefghijklmnopqrstuvwxyz_") != "" {
			return invalidFailure(one.member, "a word of a–z and _")
		}
	}
	for _, one := range []struct{ member, text string }{{"check", f.Check}, {"finding", f.Finding}, {"want", f.Want}, {"got", f.Got}, {"detail", f.Detail}} {
		if len(one.text) > maxFailureText || !utf8.ValidString(one.text) {
			return invalidFailure(one.member, fmt.Sprintf("a text of at most %d bytes", maxFailureText))
		}
	}
	switch {
	case f.Seq < -1:
		return invalidFailure("seq", "a place of a log, or -1")
	case f.Size < 0:
		return invalidFailure("size", "the size of a tree, or 0")
	case f.Epoch < 0:
		return invalidFailure("epoch", "0 or more")
	}
	return nil
}

func invalidFailure(member, is string) error {
	return &daybook.Error{Code: daybook.CodeInvalid, Rule: "invalid_value", Field: "/" + member, Message: member + " is " + is + "."}
}

// List returns what was found of org, newest first.
func (s *Failures) List(ctx context.Context, org daybook.OrgID) ([]Failure, error) {
	of, _, err := s.read(ctx, org)
	if err != nil {
		return nil, err
	}
	all := make([]Failure, 0, len(of.Failures))
	for i := range slices.Backward(of.Failures) {
		all = append(all, of.Failures[i].failure())
	}
	return all, nil
}

// Open returns those of List that nobody has acknowledged.
func (s *Failures) Open(ctx context.Context, org daybook.OrgID) ([]Failure, error) {
	all, err := s.List(ctx, org)
	return slices.DeleteFunc(all, func(f Failure) bool { return f.Acknowledged != nil }), err
}

// Note keeps a failure, durable on return, and reports whether it is new: one that is known, acknowledged or not, stays as it is.
func (s *Failures) Note(ctx context.Context, org daybook.OrgID, f Failure) (fresh bool, err error) {
	if err := f.Valid(); err != nil {
		return false, err
	}
	err = s.change(ctx, org, func(of *failuresDocument) bool {
		_, fresh = of.add(f, at(s.now()))
		return fresh
	})
	return fresh, err
}

// Acknowledge keeps of failures, known or not, that by has seen them; durable on return. Which of them somebody has acknowledged before
// stay as they are. It returns all of them as they stand.
func (s *Failures) Acknowledge(ctx context.Context, org daybook.OrgID, some []Failure, by daybook.Party, reason string) ([]Failure, error) {
	var seen []Failure
	for i := range some {
		if err := some[i].Valid(); err != nil {
			return nil, err
		}
	}
	err := s.change(ctx, org, func(of *failuresDocument) bool {
		seen = seen[:0]
		now := at(s.now())
		for _, f := range some {
			f.By = by
			known, _ := of.add(f, now)
			if known.Acknowledged == nil {
				known.Acknowledged = &acknowledgement{By: by, At: now, Reason: reason}
			}
			seen = append(seen, known.failure())
		}
		return true
	})
	return seen, err
}

// add returns the document of f, which is new unless it is known.
func (of *failuresDocument) add(f Failure, now moment) (d *failureDocument, fresh bool) {
	id := f.id()
	if i := slices.IndexFunc(of.Failures, func(d failureDocument) bool { return d.ID == id }); i >= 0 {
		return &of.Failures[i], false
	}
	if len(of.Failures) >= maxFailures {
		i := max(0, slices.IndexFunc(of.Failures, func(d failureDocument) bool { return d.Acknowledged != nil }))
		of.Failures = slices.Delete(of.Failures, i, i+1)
	}
	of.Failures = append(of.Failures, failureDocument{
		ID: id, Epoch: f.Epoch, Check: f.Check, Finding: f.Finding, Seq: f.Seq, Size: f.Size, Want: f.Want, Got: f.Got, Detail: f.Detail, By: f.By, FoundAt: now,
	})
	return &of.Failures[len(of.Failures)-1], true
}

func (s *Failures) read(ctx context.Context, org daybook.OrgID) (failuresDocument, daybook.Document, error) {
	var of failuresDocument
	d, err := s.docs.Get(ctx, kindFailures, org, failuresID)
	switch {
	case errors.Is(err, daybook.ErrNotExist):
		return of, daybook.Document{Kind: kindFailures, Org: org, ID: failuresID}, nil
	case err == nil:
		err = json.Unmarshal(d.Data, &of)
	}
	if err != nil {
		return of, d, fmt.Errorf("read the failures of %s: %w", org, err)
	}
	return of, d, nil
}

// change edits the failures of org, again from the start when somebody else was faster; nothing is written if edit says so.
func (s *Failures) change(ctx context.Context, org daybook.OrgID, edit func(*failuresDocument) bool) error {
	for {
		of, d, err := s.read(ctx, org)
		if err != nil || !edit(&of) {
			return err
		}
		if d.Data, err = json.Marshal(of); err != nil {
			return fmt.Errorf("write the failures of %s: %w", org, err)
		}
		if _, err = s.docs.Put(ctx, d); err == nil {
			return nil
		}
		if !errors.Is(err, daybook.ErrVersionMoved) {
			return fmt.Errorf("write the failures of %s: %w", org, err)
		}
	}
}
