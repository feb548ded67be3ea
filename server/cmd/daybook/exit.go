package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/client"
)

// The exit codes of every command.
const (
	exitDone        = 0
	exitFailed      = 1 // network, server, I/O
	exitUsage       = 2 // flags, arguments, query syntax
	exitNotFound    = 3 // also "no match" with --exit-empty
	exitDenied      = 4 // not signed in or not allowed
	exitConflict    = 5 // idempotency key with another body
	exitTampered    = 6 // tampering or corruption proved
	exitUnverified  = 7 // could not verify
	exitPartial     = 8 // time limit, some items of a batch failed
	exitInterrupted = 130
	exitTerminated  = 143
)

// exits documents the codes, for `daybook help exit-codes`.
var exits = []struct {
	code int
	says string
}{
	{exitDone, "done; for verify and fsck: everything asked for was proved"},
	{exitFailed, "failed: network, server, I/O"},
	{exitUsage, "usage: flags, arguments, query syntax"},
	{exitNotFound, "not found; also \"no match\" with --exit-empty"},
	{exitDenied, "not signed in or not allowed"},
	{exitConflict, "conflict: the idempotency key or id stands for another body"},
	{exitTampered, "integrity: tampering or corruption proved (bad hash, bad signature, fork, rollback, unauthorised removal)"},
	{exitUnverified, "could not verify: a pinned key or a proof is missing, or too old; never used when tampering is proved"},
	{exitPartial, "partial: time limit, or some items of a batch failed"},
	{exitInterrupted, "interrupted (SIGINT), after a clean stop"},
	{exitTerminated, "terminated (SIGTERM), after a clean stop"},
}

// codeExits maps what a caller can act on to exit codes.
var codeExits = map[daybook.Code]int{
	daybook.CodeInvalid: exitUsage, daybook.CodeTooLarge: exitUsage, daybook.CodeUnauthorized: exitDenied, daybook.CodeForbidden: exitDenied,
	daybook.CodeNotFound: exitNotFound, daybook.CodeGone: exitNotFound, daybook.CodeConflict: exitConflict, daybook.CodeTampered: exitTampered,
	daybook.CodeOverloaded: exitFailed, daybook.CodeUnavailable: exitFailed, daybook.CodeInternal: exitFailed,
}

// ended is an error that is only an exit code: what there is to say was said.
type ended int

// Error names the code.
func (e ended) Error() string { return fmt.Sprintf("exit %d", int(e)) }

// usageError is a mistake in how the command was written.
type usageError struct{ message, try string }

// Error is the message.
func (e *usageError) Error() string { return e.message }

func usage(format string, args ...any) error {
	return &usageError{message: fmt.Sprintf(format, args...)}
}

// doing says what failed, as the words after "cannot".
type doing struct {
	what string
	err  error
}

// Error is the sentence without its details.
func (e *doing) Error() string { return "cannot " + e.what + ": " + e.err.Error() }

// Unwrap returns the cause.
func (e *doing) Unwrap() error { return e.err }

// cannot wraps err with what was being done; nil stays nil, and so does what is only an exit code or a usage mistake.
func cannot(what string, err error) error {
	var code ended
	var u *usageError
	if err == nil || errors.As(err, &code) || errors.As(err, &u) {
		return err
	}
	return &doing{what: what, err: err}
}

// exitOf returns the exit code of a command that ended with err.
func exitOf(ctx context.Context, err error) int {
	var code ended
	var u *usageError
	switch {
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &u):
		return exitUsage
	case ctx.Err() != nil && errors.Is(context.Cause(ctx), errTerminated):
		return exitTerminated
	case ctx.Err() != nil && errors.Is(context.Cause(ctx), errInterrupted):
		return exitInterrupted
	case errors.Is(err, daybook.ErrUnknownOutcome):
		return exitFailed
	case errors.Is(err, daybook.ErrNotExist):
		return exitNotFound
	}
	if e, ok := errors.AsType[*daybook.Error](err); ok {
		return codeExits[e.Code]
	}
	return exitFailed
}

// explanation is an error laid out: what failed, why, what to do, request id.
type explanation struct{ what, cause, try, request string }

// explain returns what stderr says about err; empty when all was said.
func (e *env) explain(ctx context.Context, cmd *cobra.Command, err error) string {
	if _, ok := errors.AsType[ended](err); ok {
		return ""
	}
	if ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.Cause(ctx))) {
		return ""
	}
	x := e.lay(cmd, err)
	var b strings.Builder
	fmt.Fprintf(&b, "daybook: %s\n", visibleLines(x.what))
	for _, line := range []struct{ name, text string }{{"  cause: ", x.cause}, {"  try:   ", x.try}, {"  request id: ", x.request}} {
		if line.text != "" {
			fmt.Fprintf(&b, "%s%s\n", line.name, visibleLines(line.text))
		}
	}
	return b.String()
}

func (e *env) lay(cmd *cobra.Command, err error) explanation {
	if u, ok := errors.AsType[*usageError](err); ok {
		x := explanation{what: u.message, try: u.try}
		if x.try == "" && cmd != nil {
			x.try = cmd.CommandPath() + " --help"
		}
		return x
	}
	what, inner := "", err
	if d, ok := errors.AsType[*doing](err); ok {
		what, inner = "cannot "+d.what+": ", d.err
	}
	why, cause, try := e.reason(inner)
	x := explanation{what: what + why, cause: cause, try: try}
	if p, ok := errors.AsType[*client.Problem](err); ok {
		x.request = p.RequestID
	}
	return x
}

// reason says why: in words for the headline, in detail, and what helps.
func (e *env) reason(err error) (why, cause, try string) {
	detail := func(message string) string {
		if p, ok := errors.AsType[*client.Problem](err); ok {
			return fmt.Sprintf("%d %s", p.Status, message)
		}
		return message
	}
	if batch, ok := errors.AsType[*daybook.BatchError](err); ok {
		bad := batch.Errors[0]
		if bad.Err.Code == daybook.CodeConflict {
			return e.reasonOf(bad.Err, detail)
		}
		return count(len(batch.Errors), "event is refused", "events are refused") + "; nothing was recorded",
			detail(fmt.Sprintf("event %d, %s: %s", bad.Index, bad.Err.RuleName(), bad.Err.Message)), "mend the event, or leave the bad ones out"
	}
	var op *net.OpError
	var de *daybook.Error
	switch {
	case errors.As(err, &de):
		return e.reasonOf(de, detail)
	case errors.Is(err, daybook.ErrUnknownOutcome) && !errors.As(err, &op):
		return "the server did not say whether it was carried out", err.Error(), "the same command again with the same --id: it records once"
	case errors.As(err, &op) && op.Op == "dial":
		where := "the server"
		if address, ok := errors.AsType[*url.Error](err); ok {
			if at, perr := url.Parse(address.URL); perr == nil {
				where = at.Scheme + "://" + at.Host
			}
		}
		return "no server answers at " + where, op.Err.Error(), "start one with: daybook dev   or name another: --server URL"
	case errors.Is(err, context.DeadlineExceeded) || isTimeout(err):
		return "the server took too long", err.Error(), "a longer --timeout"
	case errors.Is(err, fs.ErrNotExist):
		return "there is no such file", err.Error(), ""
	case isCertificate(err):
		return "the server's certificate is not trusted", err.Error(), "--ca FILE, with the authority that signed it"
	case errors.Is(err, syscall.EADDRINUSE):
		return "another program uses this address", err.Error(), "--listen 127.0.0.1:0, or another port"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection ended too early", err.Error(), "the same command again"
	}
	return err.Error(), "", ""
}

// reasonOf words a coded error.
func (e *env) reasonOf(de *daybook.Error, detail func(string) string) (why, cause, try string) {
	switch {
	case de.Rule == "org_required":
		return "the key is for all organizations", detail(de.Message), "name one: --org ID, or DAYBOOK_ORG   (daybook org ls)"
	case de.Code == daybook.CodeUnauthorized:
		if key, _, err := e.key(); err == nil && key == "" {
			return "no API key was given", detail(de.Message), "set DAYBOOK_API_KEY, or: daybook context add NAME --server URL --api-key-file FILE"
		}
		return "the server does not take this key", detail(de.Message), "another key: DAYBOOK_API_KEY, --api-key-file or --context"
	case de.Code == daybook.CodeForbidden:
		if _, rest, ok := strings.Cut(de.Message, `scope "`); ok {
			scope, _, _ := strings.Cut(rest, `"`)
			return "the key lacks the scope " + scope, detail(de.Message), "daybook key create --scopes " + scope + "   (needs a managing key)"
		}
		return "the key may not do this", detail(de.Message), ""
	case de.Rule == "id_conflict" || de.Rule == "key_conflict":
		return "this id or key stands for other content", detail(de.Message), "another --id for another event"
	case de.Code == daybook.CodeOverloaded:
		return "the server is overloaded; nothing was recorded", detail(de.Message), "again in a moment"
	case de.Rule == "log_frozen":
		return "the log is frozen: it can be read but not written", detail(de.Message), "daybook fsck says why"
	case de.Rule == "commit_damaged":
		return de.Message, detail(de.RuleName()), "daybook fsck says whose entries are affected; the way back: docs/operations/damaged.md"
	case de.Code == daybook.CodeInternal:
		return "the server made a mistake", detail(de.Message), "its log has the details under the request id"
	}
	where := ""
	if de.Field != "" {
		where = " (" + de.Field + ")"
	}
	return de.Message, detail(de.RuleName() + where), ""
}

func isCertificate(err error) bool {
	_, ok := errors.AsType[*tls.CertificateVerificationError](err)
	return ok
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}
