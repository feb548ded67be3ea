# Daybook: every command of a developer's day. `make` alone lists them.
SHELL := /bin/bash -o pipefail
GO ?= go
TOOLS := $(CURDIR)/tools/.bin
MODULES = $(shell $(GO) work edit -json | sed -n 's/.*"DiskPath": "\(.*\)".*/\1/p')
OWN = github.com/daybook-audit/daybook

.PHONY: help run test lint tidy bench nightly ui

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | sort | awk -F '\t' '{printf "make %-8s %s\n", $$1, $$2}'

run: ## build and start Daybook on SQLite with sample data
	$(GO) build -o bin/daybook ./server/cmd/daybook
	bin/daybook dev

test: ## install what is missing, run every test of every module, print one summary
	@tools/install-test-needs
	GOWORK=off $(GO) -C tools build -o .bin/testrun ./testrun
	$(TOOLS)/testrun -race -shuffle=on -timeout=40m

nightly: ## the same tests in their long sizes, and an hour of fuzzing
	@tools/install-test-needs
	GOWORK=off $(GO) -C tools build -o .bin/testrun ./testrun
	DAYBOOK_TEST_SIZE=nightly $(TOOLS)/testrun -race -shuffle=on -timeout=6h
	$(TOOLS)/testrun -fuzz=1h

lint: $(TOOLS)/golangci-lint ## check style and architecture of every module, list the longest files
	@status=0; for m in $(MODULES); do echo "lint $$m"; (cd $$m && $(TOOLS)/golangci-lint run --config $(CURDIR)/.golangci.yml ./...) || status=1; done; \
	echo "lint tools"; (cd tools && GOWORK=off $(TOOLS)/golangci-lint run --config $(CURDIR)/.golangci.yml ./...) || status=1; exit $$status
	@echo "longest files:"; git ls-files '*.go' | xargs wc -l | sort -rn | sed -n '2,11p'

$(TOOLS)/golangci-lint: tools/go.mod
	GOWORK=off GOBIN=$(TOOLS) $(GO) -C tools install tool
	@touch $@

tidy: ## bring go.mod, go.sum and formatting of every module in order
	@tools/tidy
	gofmt -w $$(git ls-files '*.go')

bench: ## measure this machine and print the table of the README (bench/README.md)
	$(GO) build -o bin/daybook ./server/cmd/daybook
	$(GO) build -o bin/bench ./server/bench
	bin/bench -out bench/out/$$(date -u +%Y-%m-%d).ndjson $(BENCH)

ui: ## rebuild the web part that is committed in server/internal/ui/dist
	GOWORK=off $(GO) -C tools run ./webbuild
