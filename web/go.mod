// This file keeps web/ out of the Go module above it. There is no Go here.
module github.com/daybook-audit/daybook/web

go 1.26.0
