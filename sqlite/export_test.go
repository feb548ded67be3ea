package sqlite

// Tuned returns options for tests: the level of synchronous, and the sizes of write-ahead log at which the checkpointer works.
func Tuned(synchronous string, passive, truncate int64) Options {
	return Options{synchronous: synchronous, passive: passive, truncate: truncate}
}

// BeforeCommit returns options with which f is called in every write transaction before its COMMIT.
func BeforeCommit(f func()) Options { return Options{beforeCommit: f} }
