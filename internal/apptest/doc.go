// Package apptest tests on real databases what Daybook does in those of applications: the outbox, the relay and the versions, through
// package daybooksql, on SQLite, PostgreSQL and MariaDB. It is a module of its own, so that nobody who imports Daybook downloads three
// drivers; apart from this file it holds tests only.
package apptest
