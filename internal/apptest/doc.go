// Package apptest tests what needs several databases: on SQLite, PostgreSQL and MariaDB what Daybook does in those of applications, the
// outbox, the relay and the versions, through package daybooksql; and that every kind of store keeps the same logs to the byte. It is a
// module of its own, so that nobody who imports Daybook downloads three drivers; apart from this file it holds tests only.
package apptest
