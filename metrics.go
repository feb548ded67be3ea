package daybook

import "time"

// Metrics takes what a Book counts and times. Every field may be nil; none may block. They are called from the sequencer, the
// merger, whoever records and whoever searches, one call a commit, a request, a slice or a search, never one an event; only Flag is.
type Metrics struct {
	Commit func(entries, bytes int, seconds float64) // a commit that is durable: its entries, its row's bytes, from taking the requests to publishing
	Wait   func(seconds float64)                     // how long the oldest request of a commit waited for its turn
	Merge  func(blocks, bytes int, seconds float64)  // a slice of merging that is durable
	Sign   func(logs int, seconds float64)           // a round of signing that is stored
	Freeze func(org OrgID, cause error)              // a log whose entries are not those that were signed: nothing is recorded in it any more
	// Retire is called when a key of a log signs no longer, because the overlap with the next one is over; from within that log's signing.
	Retire func(org OrgID, key Vkey)
	// Witness is called after a witness was told a checkpoint of the anchor log, with its error; it may be called concurrently.
	Witness func(name string, err error)
	// Clock is called for every request of producers that say when their events occurred: how long after that they came, the least and the
	// most of its events. Less than nothing: a producer's clock is ahead. Callers of Record call it, concurrently; what was recorded before
	// counts too.
	Clock  func(org OrgID, least, most time.Duration)
	Flag   func(flag string)                 // an event that is recorded although its schema refuses it; one that is sent again counts again
	Search func(seconds float64, blocks int) // a page, facets or a histogram, once it may run, and the blocks it unpacked
}

// Stats is what a Book holds at one moment.
type Stats struct {
	QueueBytes      int64 // requests waiting for the sequencer
	TailEntries     int   // committed and not yet merged away
	TailBytes       int64
	MergeDebt       int64 // entries in blocks that are still to be merged into larger ones
	Removals        int64 // erase and prune entries that are not carried out
	Logs            int   // opened by this process
	Frozen          int   // of them, those in which nothing is recorded: damaged, rolled back or forked
	Commits, Merged int64 // newest commit and newest merged commit, summed over shards
}

// Stats returns the figures of now.
func (b *Book) Stats() Stats {
	var st Stats
	for _, s := range b.shards {
		s.qmu.Lock()
		st.QueueBytes += s.queued
		s.qmu.Unlock()
		s.mu.RLock()
		st.TailEntries += s.tailEntries
		st.TailBytes += s.tailBytes
		st.Logs += len(s.logs)
		for _, t := range s.logs {
			if t.fault != nil || t.frozen != nil && t.head.State == LogOpen {
				st.Frozen++
			}
		}
		st.Commits += int64(s.last)
		st.Merged += int64(s.merged)
		s.mu.RUnlock()
	}
	st.MergeDebt = b.merger.debt()
	st.Removals = b.merger.pendingCount.Load()
	return st
}
