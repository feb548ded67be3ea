package api

import (
	"net/http"
	"strings"
	"time"

	"github.com/daybook-audit/daybook"
)

// Offline says of what file a server shows the log. Such a server records nothing, not even who looked, changes nothing and keeps nothing.
type Offline struct {
	File     string   `json:"file" doc:"The name of the bundle." example:"acme.daybook.gz"`
	Origin   string   `json:"origin"`
	From     int64    `json:"from" doc:"The first entry that the file covers."`
	To       int64    `json:"to" doc:"The one after the last that it covers."`
	Size     int64    `json:"size" doc:"Of the tree that it is proved in."`
	FirstAt  *stamp   `json:"first_at" format:"date-time" doc:"When the first entry shown was received; null: none is."`
	LastAt   *stamp   `json:"last_at" format:"date-time" doc:"When the last entry shown was received."`
	SignedAt *stamp   `json:"signed_at" format:"date-time" doc:"By the clock of the log; null: the file names none."`
	Key      string   `json:"key" doc:"That signed the checkpoint."`
	Filtered bool     `json:"filtered" doc:"Entries were left out of the file."`
	Filter   string   `json:"filter" doc:"The query that finds what was not left out."`
	Mask     []string `json:"mask" nullable:"false" doc:"Fields that were left out of the file."`
	Shown    int64    `json:"shown" doc:"Entries that are shown."`
	Hashed   int64    `json:"hashed" doc:"Entries of which only the leaf hash is there."`
	Removed  int64    `json:"removed" doc:"Entries of which the body is gone."`
	Withheld int64    `json:"withheld" doc:"Fields of shown entries that are not there."`
	Verdict  string   `json:"verdict" enum:"proved,unverified,false" doc:"What verifying the file has found when it was opened, as daybook verify says it: nothing false and nothing missing; something that it needs is missing; something is false."`

	Findings []OfflineFinding `json:"findings" nullable:"false"`
	More     int              `json:"more" doc:"Findings beyond those."`
	Notes    []string         `json:"notes" nullable:"false"`
}

// OfflineFinding is one reason why a file is not proved.
type OfflineFinding struct {
	Code    string `json:"code" example:"leaf_mismatch"`
	Line    int    `json:"line,omitempty" doc:"Of the file."`
	Seq     *int64 `json:"seq" doc:"Of the entry meant; null: of none."`
	Message string `json:"message"`
}

// Times fills in when the first and the last entry shown were received, in µs since 1970, 0 if none is, and when the log was signed; zero: it
// is not known.
func (o *Offline) Times(first, last int64, signed time.Time) {
	o.FirstAt, o.LastAt, o.SignedAt = microStamp(first), microStamp(last), maybeStamp(signed)
}

// errReadOnly refuses to change anything of a file.
var errReadOnly = &daybook.Error{Code: daybook.CodeForbidden, Rule: "read_only", Message: "this console shows a file: nothing is recorded, changed or removed here."}

// refuseOffline refuses what a file cannot answer: every change but signing in and out, and what a server would keep beside its log.
func (c *call) refuseOffline() error {
	switch rt := c.route; {
	case c.s.Offline == nil:
		return nil
	case rt.method != http.MethodGet && rt.pattern != "/v1/session":
		return errReadOnly
	case strings.HasPrefix(rt.pattern, "/v1/exports"):
		return errNotFound
	}
	return nil
}
