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
	stateDiskFull  = "53100"
	stateUnique    = "23505"
)

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
	case stateDiskFull:
		return fmt.Errorf("%w (%w)", daybook.ErrNoSpace, err)
	}
	return err
}
