package postgres

import "context"

// Heard returns a channel that is closed when s hears a notice of another process.
func Heard(s *Store) <-chan struct{} { return s.news.next() }

// Pooled says whether s takes its server for a pooler.
func Pooled(s *Store) bool { return s.pooled }

// Walled says whether row security binds the role of s.
func Walled(s *Store) bool { return s.walled }

// Listings returns the statements that look something up in a log, or an org, of any size.
func Listings(s *Store) map[string]string {
	texts := map[string]string{
		"blocks": sqlBlocksAscFilters, "blocks, newest first": sqlBlocksDesc, "bytes": sqlRead, "slips": sqlSlips, "checkpoints": sqlNotesDesc, "documents": sqlList,
		"heads": sqlLogHeads, "epochs": sqlEpochs, "newest heads": sqlHeads, "logs": sqlLogs,
	}
	for name, text := range texts {
		texts[name] = s.sql(text)
	}
	return texts
}

// Gate is what spaces attempts to connect.
type Gate struct{ g gate }

// Failed tells the gate that an attempt failed.
func (x *Gate) Failed() { x.g.failed() }

// Succeeded tells the gate that one succeeded.
func (x *Gate) Succeeded() { x.g.succeeded() }

// Wait waits until the next attempt may be made.
func (x *Gate) Wait(ctx context.Context) error { return x.g.wait(ctx) }
