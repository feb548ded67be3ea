package query

// Error says what is wrong with a query, and where.
type Error struct {
	Code        string   `json:"code"`        // one of the codes below
	Pos         int      `json:"pos"`         // where the token begins, in code points from 0
	Len         int      `json:"len"`         // its length in code points
	Message     string   `json:"message"`     // one or two sentences for people
	Hint        string   `json:"hint"`        // what to write instead; empty if there is nothing better
	Suggestions []string `json:"suggestions"` // fields or values that may have been meant, the likeliest first; never nil
}

// The codes of an Error.
const (
	CodeUnknownField      = "unknown_field"
	CodeMissingValue      = "missing_value"
	CodeUnclosedQuote     = "unclosed_quote"
	CodeUnbalanced        = "unbalanced"
	CodeBadValue          = "bad_value"
	CodeBadTime           = "bad_time"
	CodeBadOperator       = "bad_operator"
	CodeBadRange          = "bad_range"
	CodeDangling          = "dangling_operator"
	CodeBadWildcard       = "bad_wildcard"
	CodeUnexpected        = "unexpected"
	CodeNotAllowed        = "not_allowed"
	CodeBadEscape         = "bad_escape"
	CodeBadList           = "bad_list"
	CodeEmptyGroup        = "empty_group"
	CodeTooLong           = "too_long"
	CodeTooDeep           = "too_deep"
	CodeTooManyConditions = "too_many_conditions"
	CodeTooManyWildcards  = "too_many_wildcards"
)

// Error returns code and message.
func (e *Error) Error() string { return e.Code + ": " + e.Message }
