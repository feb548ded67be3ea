// Package pgtest starts Debian's PostgreSQL for tests of every module. [Shared] is the one server of a test process, started by the first
// test that asks; its [Server.New] is the address of a database of the test's own. [Start] is a server of one test's own, which may kill
// it and start it again.
//
// A server lives in memory where there is a /dev/shm (tests kill processes, never the machine), with fsync on, on a Unix socket, and with
// TCP on a loopback port of the kernel's choice too; everybody who can reach it is its superuser daybook. As root it runs as the user
// postgres, since PostgreSQL refuses root. A process of its own watches over it: when the test ends, or the test's process dies in
// whatever way, the server is stopped and its folder removed. Nothing needs a TestMain, nothing is left behind.
//
// It depends on nothing but the standard library and the programs of the package postgresql; a missing program fails the test.
package pgtest
