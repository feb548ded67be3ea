package postgres

import (
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/daybook-audit/daybook"
)

// The states that our functions raise, and those of PostgreSQL that mean something here.
const (
	stateHeadMoved = "DB001"
	stateKeysExist = "DB002"
	stateNotExist  = "DB004"
	stateSwapped   = "DB005"

	stateDiskFull    = "53100"
	statePassword    = "28P01"
	stateIdentity    = "28000" // no line of pg_hba.conf, no such role, no TLS
	stateNoDatabase  = "3D000"
	stateTooMany     = "53300"
	stateStarting    = "57P03"
	statePrivilege   = "42501"
	stateReadOnlyTx  = "25006"
	stateLocked      = "55P03"
	stateIdle        = "25P03"
	statePoolerParam = "08P01"
)

// ErrReadOnly is returned by every method that writes of a store that was opened with ReadOnly. Nothing was written.
var ErrReadOnly = errors.New("the store is open for reading only")

// errUnreplicated is an unknown outcome: the commit is on the primary and perhaps nowhere else.
var errUnreplicated = errors.New("the server did not wait for its synchronous standby: whether the commit survives a failover is not known")

// unreachable is an error of a connection, in its own words.
type unreachable struct{ error }

// Unwrap returns what it says and what it is.
func (u unreachable) Unwrap() []error { return []error{daybook.ErrUnreachable, u.error} }

func state(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// meaning says what an error of the server means, as the comments of [daybook.Appender] want it. An answer of the server is about a
// transaction that it has rolled back; a connection that broke leaves the outcome unknown.
func meaning(err error) error {
	switch state(err) {
	case stateHeadMoved:
		return daybook.ErrHeadMoved
	case stateNotExist:
		return fmt.Errorf("%w (%w)", daybook.ErrNotExist, err)
	case stateSwapped:
		return fmt.Errorf("%w (%w)", daybook.ErrSwapped, err)
	case stateDiskFull:
		return fmt.Errorf("%w (%w)", daybook.ErrNoSpace, err)
	case stateReadOnlyTx:
		return fmt.Errorf("the server takes no writes, it has become a standby: %w", err)
	}
	return err
}

// explained adds to an error of connecting what to do about it. No error of pgx holds a password.
func explained(err error) error {
	advice := map[string]string{
		statePassword:    "the password of this role is another: look at the address, the password file, PGPASSWORD or ~/.pgpass",
		stateIdentity:    "the server's pg_hba.conf lets nobody in who comes like this: another role, another address, or TLS (sslmode=require) is wanted",
		stateNoDatabase:  "make the database (createdb), with the encoding UTF8",
		stateTooMany:     "the server has no connection left: raise max_connections, or lower pool_max_conns in the address",
		stateStarting:    "the server is starting or stopping",
		statePoolerParam: "the pooler refuses a setting in the address: take it out, or list it in ignore_startup_parameters",
	}[state(err)]
	if advice == "" {
		return err
	}
	return fmt.Errorf("%s: %w", advice, err)
}

// hidden returns err without the address that it may repeat: there may be a password in it.
func hidden(err error) error {
	if _, ok := errors.AsType[*pgconn.ParseConfigError](err); ok {
		return errors.New("the address of the database cannot be read")
	}
	return err
}
