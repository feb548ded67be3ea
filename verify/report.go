package verify

import (
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// Code names what was found.
type Code string

// Findings of exit code 6: the evidence contradicts itself, a trusted signature, or what the reader remembers. Something is false.
const (
	SignatureInvalid    Code = "signature_invalid"    // a signature by a named or pinned key fails, or a named key did not sign
	HeaderMismatch      Code = "header_mismatch"      // header, names of keys and checkpoint disagree
	Malformed           Code = "malformed"            // not the format: JSON, types, order, encoding, impossible fields, bad items
	PositionMismatch    Code = "position_mismatch"    // gap, double, wrong order, the leaf of another seq
	LeafMismatch        Code = "leaf_mismatch"        // content and leaf hash differ, or a receipt has another leaf hash
	RootMismatch        Code = "root_mismatch"        // all leaves together do not give the signed root
	IDMismatch          Code = "id_mismatch"          // the payload's id is not the entry's
	ProofInvalid        Code = "proof_invalid"        // an inclusion, consistency, rotation or anchor proof fails
	TimeOrder           Code = "time_order"           // times contradict the order of the log or a signed time
	UnauthorisedRemoval Code = "unauthorised_removal" // something is missing and no control entry says so
	ControlWithheld     Code = "control_withheld"     // a control entry is shown without what it says
	HoldViolated        Code = "hold_violated"        // something was removed under a hold
	Fork                Code = "fork"                 // two roots for one size of one origin
	Rollback            Code = "rollback"             // smaller than remembered, signed later
	FooterMismatch      Code = "footer_mismatch"      // the digest or number of lines
)

// Findings of exit code 7: evidence or trust is missing; nothing false was found.
const (
	Unsupported  Code = "unsupported"    // a format, line, member or control entry that this version does not know
	Truncated    Code = "truncated"      // no footer, cut in a line, damaged compression
	KeyNotPinned Code = "key_not_pinned" // the reader has pinned no key
	KeyUnknown   Code = "key_unknown"    // no pinned key signed or leads to the signer
	EpochChanged Code = "epoch_changed"  // a pinned key signed, but it is the key of another origin
	ProofMissing Code = "proof_missing"  // nothing links to what is remembered, or no anchor by the pinned key
	Quorum       Code = "quorum"         // the policy's witnesses have not signed
	Stale        Code = "stale"          // the newest signed time is too old
	Unreachable  Code = "unreachable"    // the evidence cannot be read
)

// The exit codes of a verification.
const (
	ExitProved     = 0 // everything asked for was proved
	ExitFalse      = 6 // something is false
	ExitUnverified = 7 // could not be verified
)

// Exit returns the exit code of the finding: 6 or 7.
func (c Code) Exit() int {
	switch c {
	case Unsupported, Truncated, KeyNotPinned, KeyUnknown, EpochChanged, ProofMissing, Quorum, Stale, Unreachable:
		return ExitUnverified
	default:
		return ExitFalse
	}
}

// Finding is one reason why a verification does not end with 0.
type Finding struct {
	Code    Code   `json:"code"`
	Line    int    `json:"line,omitempty"` // of the bundle, from 1; 0: no line
	Seq     int64  `json:"seq"`            // the entry meant; -1: none
	Message string `json:"message"`        // for people; may hold text of the evidence
}

// String returns one line for people. It may hold text of the evidence: make control characters visible before a terminal sees it.
func (f Finding) String() string {
	s := string(f.Code)
	if f.Line > 0 {
		s += fmt.Sprintf(" line %d", f.Line)
	}
	if f.Seq >= 0 {
		s += fmt.Sprintf(" seq %d", f.Seq)
	}
	return s + ": " + f.Message
}

// MaxFindings bounds the findings of one report; the others are counted.
const MaxFindings = 1000

// Report is the outcome of a verification. What it says about the log is proved only if Exit returns 0.
type Report struct {
	Origin   string
	Key      string // vkey of the key that signed
	Note     string // the checkpoint
	Size     int64
	Root     tlog.Hash
	Signed   time.Time // by the log's own clock; zero: no signed time
	From, To int64     // the entries looked at

	Entries   int64 // shown whole or in part
	Controls  int64 // control entries among them, and those from outside the range
	Withheld  int64 // fields that are not shown
	Removed   int64 // entries of which the body is gone
	Hashed    int64 // entries of which only the leaf hash is shown
	Masked    bool  // fields were left out of this copy
	Filtered  bool  // entries were left out of this copy
	Witnesses int   // of the policy's witnesses, those that signed the checkpoint
	Anchored  int64 // the largest size that an anchor log holds, and whose key is pinned

	Holds    Holds // holds in force at the end, by hold id
	Findings []Finding
	More     int      // findings beyond the first MaxFindings
	Notes    []string // what a reader should know although it is no fault
	Stopped  bool     // the rest of the evidence was not looked at
	exit     int
	tiled    spans // what prune entries say of which not even the hashes were kept
}

// Unexplained returns the runs of [first, end) of which no prune entry among the evidence says that not even their hashes were kept, each
// as its first entry and the one after its last. What was proved of the evidence is proved of this.
func (r *Report) Unexplained(first, end int64) [][2]int64 {
	var runs [][2]int64
	for first < end {
		gap, ok := r.tiled.missing(first, end-1)
		if !ok {
			break
		}
		runs = append(runs, [2]int64{gap.first, gap.last + 1})
		first = gap.last + 1
	}
	return runs
}

// Join adds what another report of the same log says, of entries that r does not cover.
func (r *Report) Join(o *Report) {
	r.Entries, r.Controls, r.Withheld = r.Entries+o.Entries, r.Controls+o.Controls, r.Withheld+o.Withheld
	r.Removed, r.Hashed, r.More, r.Stopped = r.Removed+o.Removed, r.Hashed+o.Hashed, r.More+o.More, r.Stopped || o.Stopped
	for _, f := range o.Findings {
		r.Add(f)
	}
}

// Exit returns 0 if everything asked for was proved, 6 if something is false, 7 if it could not be verified.
func (r *Report) Exit() int { return r.exit }

// Has reports whether a finding has this code.
func (r *Report) Has(c Code) bool {
	for i := range r.Findings {
		if r.Findings[i].Code == c {
			return true
		}
	}
	return false
}

// Add adds a finding that the caller made itself, such as [Unreachable] for a server that does not answer.
func (r *Report) Add(f Finding) {
	if e := f.Code.Exit(); r.exit != ExitFalse {
		r.exit = e
	}
	if len(r.Findings) == MaxFindings {
		r.More++
		return
	}
	r.Findings = append(r.Findings, f)
}

func (r *Report) note(format string, args ...any) {
	if len(r.Notes) < MaxFindings {
		r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
	}
}
