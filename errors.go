package daybook

import (
	"errors"
	"fmt"
	"strings"

	"github.com/daybook-audit/daybook/internal/stored"
)

// Code is the coarse class of an [Error], one for each thing a caller can do about it. Transports map it to their own status.
type Code string

// The codes.
const (
	CodeInvalid      Code = "invalid"      // the request is wrong: mend it
	CodeUnauthorized Code = "unauthorized" // no credential, or one that does not hold
	CodeForbidden    Code = "forbidden"    // the credential may not do this
	CodeNotFound     Code = "not_found"    // there is no such thing for this caller
	CodeGone         Code = "gone"         // it was there and retention has removed it
	CodeConflict     Code = "conflict"     // the same key or id stands for other content
	CodeTooLarge     Code = "too_large"    // over a limit
	CodeOverloaded   Code = "overloaded"   // nothing was recorded: try again later
	CodeUnavailable  Code = "unavailable"  // the log is frozen: reads go on, writes do not
	CodeTampered     Code = "tampered"     // stored bytes contradict each other
	CodeInternal     Code = "internal"     // a fault of ours: Err is for the log, never for the caller
)

// Error is what a caller can act on. An outcome that is not known is never an *Error; see [ErrUnknownOutcome].
type Error struct {
	Code    Code
	Rule    string // the finer word of the documents, such as "required"; empty: Code does
	Field   string // JSON pointer into the event, or the name of a parameter; may be empty
	Message string // for people, safe to show
	Err     error  // the cause, for logs; may be nil
}

// Error returns the message, followed by the cause.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Message
	}
	return e.Message + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// RuleName returns the finer word, or the code when there is none.
func (e *Error) RuleName() string {
	if e.Rule != "" {
		return e.Rule
	}
	return string(e.Code)
}

// CodeOf returns the code of the first *Error in err's tree, else CodeInternal; for nil it is empty.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}

// EventError is the refusal of one event of a batch.
type EventError struct {
	Index int // 0-based position in the batch
	Err   *Error
}

// BatchError refuses a whole batch because some of its events were refused; nothing of the batch was recorded.
type BatchError struct {
	Errors []EventError // at least one, ascending by Index, at most 100
}

// Error names the first refused event.
func (e *BatchError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "event %d: %s", e.Errors[0].Index, e.Errors[0].Err.Message)
	if n := len(e.Errors) - 1; n > 0 {
		fmt.Fprintf(&b, " (and %d more)", n)
	}
	return b.String()
}

// Unwrap returns the refusal of the first event.
func (e *BatchError) Unwrap() error { return e.Errors[0].Err }

// ErrUnknownOutcome says that a commit was sent and neither confirmed nor refused. Whether the events were recorded is not known:
// repeat the same call with the same ids or key; it answers with the first receipts when they were.
var ErrUnknownOutcome = errors.New("daybook: the outcome of the commit is unknown; repeat the same call")

// Errors between a [Store] and a [Book]. They never reach a user.
var (
	// ErrHeadMoved is returned by Append when another commit came first. Nothing was written.
	ErrHeadMoved = errors.New("daybook: head moved")
	// ErrNoSpace is returned when disk or quota is full. Nothing was written.
	ErrNoSpace = errors.New("daybook: no space left")
	// ErrSwapped is returned by Replace when a block to be replaced is gone or has another generation. Nothing was written.
	ErrSwapped = errors.New("daybook: block was swapped")
	// ErrTrimmed is returned by Tail when the commits asked for are merged and gone: reload the heads.
	ErrTrimmed = errors.New("daybook: commits were trimmed")
	// ErrLeaseHeld is returned by Lease while another holder's has not ended.
	ErrLeaseHeld = errors.New("daybook: lease held")
	// ErrNotExist is returned for a block, slip or document that is not there.
	ErrNotExist = errors.New("daybook: does not exist")
	// ErrExists is returned by PutNote when there is a checkpoint of that size. It stays as it is.
	ErrExists = errors.New("daybook: exists already")
	// ErrVersionMoved is returned by Documents when the stored version is another than the one given. Nothing was written.
	ErrVersionMoved = errors.New("daybook: document version moved")
	// ErrNewer is returned for a schema, block or slip made by a later version of Daybook. Nothing was written.
	ErrNewer = stored.ErrNewer
	// ErrUnreachable is returned, around what happened, when the connection to the store cannot be made or broke. What was being written
	// may be there or not; the next call tries again.
	ErrUnreachable = errors.New("daybook: the store cannot be reached")
	// ErrBroken is returned by every write after an fsync or write-ahead log write has failed: reopen the store.
	ErrBroken = errors.New("daybook: the store failed to sync and must be reopened")
)

// KeyExistsError is returned by Append when keys of the commit are already stored and not expired. Nothing was written.
type KeyExistsError struct{ Keys []KeyRef }

// Error says how many keys exist.
func (e *KeyExistsError) Error() string {
	return fmt.Sprintf("daybook: %d idempotency keys exist", len(e.Keys))
}
