module github.com/daybook-audit/daybook/examples

go 1.26.0
