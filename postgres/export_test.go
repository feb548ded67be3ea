package postgres

// Heard returns a channel that is closed when s hears a notice of another process.
func Heard(s *Store) <-chan struct{} { return s.news.next() }

// Pooled says whether s takes its server for a pooler.
func Pooled(s *Store) bool { return s.pooled }

// Walled says whether row security binds the role of s.
func Walled(s *Store) bool { return s.walled }
