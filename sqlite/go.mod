module github.com/daybook-audit/daybook/sqlite

go 1.26.0

require (
	github.com/pressly/goose/v3 v3.28.0
	modernc.org/sqlite v1.60.1
)
