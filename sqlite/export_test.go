package sqlite

import "runtime"

// Tuned returns options for tests: the level of synchronous, and the sizes of write-ahead log at which the checkpointer works.
func Tuned(synchronous string, passive, restart, truncate int64) Options {
	return Options{synchronous: synchronous, passive: passive, restart: restart, truncate: truncate}
}

// BeforeCommit returns options with which f is called in every write transaction before its COMMIT.
func BeforeCommit(f func()) Options { return Options{beforeCommit: f} }

// AfterStep calls f after every step of a backup; nil: no more.
func AfterStep(s *Store, f func()) { s.o.afterStep = f }

// AwaitWaiting returns when n calls wait to write.
func (s *Store) AwaitWaiting(n int) {
	for {
		s.turns.mu.Lock()
		waiting := len(s.turns.urgent) + len(s.turns.others)
		s.turns.mu.Unlock()
		if waiting >= n {
			return
		}
		runtime.Gosched()
	}
}
