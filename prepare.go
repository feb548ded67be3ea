package daybook

import (
	"crypto/rand"
	"slices"

	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/internal/keyring"
	"github.com/daybook-audit/daybook/internal/merkle"
	"github.com/daybook-audit/daybook/internal/packed"
	"github.com/daybook-audit/daybook/leaf"
)

// batch is the working memory of one commit.
type batch struct {
	id      [16]byte
	at      int64
	states  int64
	keys    []Key
	touched []touchedLog
	index   map[*logTail]int // into touched
	ids     map[explicitID]struct{}
	hashes  map[KeyRef]struct{}
	entries []kept.Entry
	writer  packed.CommitWriter
	row     []byte
}

// touchedLog is one log's part of a commit being prepared: the state it will have if the commit succeeds.
type touchedLog struct {
	log     *logTail
	jobs    []*job
	tree    merkle.Frontier
	control bool // a control entry is among them
}

type explicitID struct {
	log LogNo
	id  ID
}

// sendBack answers jobs that cannot be part of this commit (their log is frozen, or something of theirs may be recorded already)
// and returns the rest. exist, when set, are keys that the store has.
func (s *shard) sendBack(jobs []*job, exist []KeyRef) []*job {
	clear(s.batch.ids)
	clear(s.batch.hashes)
	kept := jobs[:0]
	for _, j := range jobs {
		switch err := s.refuse(j, exist); err {
		case nil:
			kept = append(kept, j)
		default:
			j.answer(err)
		}
	}
	return kept
}

func (s *shard) refuse(j *job, exist []KeyRef) error {
	if err := s.writable(j.log); err != nil {
		return err
	}
	if s.unbegun(j.log) && (len(j.events) == 0 || j.events[0].kind != KindControl || !keyring.BeginsLog(j.events[0].text)) {
		return errUnbegun()
	}
	s.mu.RLock()
	if j.decided && j.log.controls > j.seen {
		s.mu.RUnlock()
		return errActsMoved
	}
	ahead, since := max(j.log.ahead, j.log.unseen+clockSlack), recent{commits: s.commits, oldest: s.last + 1}
	if len(s.commits) > 0 {
		since.oldest = s.commits[0].n
	}
	s.mu.RUnlock()
	for i := range j.keys {
		ref := KeyRef{Log: j.log.no, Hash: j.keys[i].hash}
		if _, twice := s.batch.hashes[ref]; twice || j.looked+1 < since.oldest || since.hasKey(ref, j.looked) {
			return errLookUp
		}
		if slices.Contains(exist, ref) {
			return errLookUp
		}
		s.batch.hashes[ref] = struct{}{}
	}
	for i := range j.events {
		p := &j.events[i]
		if p.explicit && !s.isNew(j, &p.id, &since, ahead) {
			return errLookUp
		}
	}
	return nil
}

// isNew reports whether an id that the producer gave is certainly not in the log.
func (s *shard) isNew(j *job, id *ID, since *recent, ahead int64) bool {
	key := explicitID{j.log.no, *id}
	if _, twice := s.batch.ids[key]; twice {
		return false
	}
	// An id that the filter does not know is new if it was made, and so recorded, after covered and after what the filter does not know of
	// the log, or if the whole log was: unless the log knows of clocks that were ahead, whose ids may be older than they look.
	madeAt := id.Micros()
	switch {
	case !s.ids.Maybe((*[16]byte)(id)) && (madeAt > s.ids.Covered()+clockSlack && madeAt > ahead || j.log.emptyAt >= s.ids.Covered()):
	case j.looked+1 < since.oldest || since.hasID(j.log.no, id, j.looked):
		return false
	}
	s.batch.ids[key] = struct{}{}
	return true
}

// recent is one picture of the commits in memory. The merger may trim them meanwhile, which changes neither.
type recent struct {
	commits []*tailCommit // ascending
	oldest  CommitNo      // of commits, or the next one
}

// hasID looks for an id in the commits after n. They are few: a caller looked up the others a moment ago.
func (r *recent) hasID(log LogNo, id *ID, n CommitNo) bool {
	for i := len(r.commits) - 1; i >= 0 && r.commits[i].n > n; i-- {
		c := r.commits[i]
		for k := range c.Runs {
			run := &c.Runs[k]
			if run.Log != int64(log) {
				continue
			}
			for e := run.At; e < run.At+run.Count; e++ {
				if c.EntryID(e) == *id {
					return true
				}
			}
		}
	}
	return false
}

// hasKey looks for a key in the commits after n.
func (r *recent) hasKey(ref KeyRef, n CommitNo) bool {
	for i := len(r.commits) - 1; i >= 0 && r.commits[i].n > n; i-- {
		if slices.Contains(r.commits[i].keys, ref) {
			return true
		}
	}
	return false
}

// prepare gives every event its seq and received_at, computes leaf hashes and frontiers, and packs the row. It changes nothing that
// others see: publish does, once the commit is durable.
func (s *shard) prepare(jobs []*job) (*tailCommit, []byte) {
	bt := &s.batch
	if _, err := rand.Read(bt.id[:]); err != nil {
		panic(err) // crypto/rand.Read never returns an error
	}
	s.group(jobs)
	s.mu.RLock()
	c := &tailCommit{n: s.last + 1}
	signed := s.signed
	bt.states = s.states
	s.mu.RUnlock()
	runs := make([]packed.Run, 0, len(bt.touched))
	bt.at, bt.keys, bt.entries = max(s.b.now(), signed), bt.keys[:0], bt.entries[:0]
	for i := range bt.touched {
		if run := s.sequence(&bt.touched[i], bt.at); run.Count > 0 {
			runs = append(runs, run)
		}
	}
	c.Commit, bt.row = bt.writer.Pack(bt.id, runs, bt.entries)
	for i := range bt.keys {
		c.keys = append(c.keys, bt.keys[i].KeyRef)
	}
	return c, bt.row
}

// group puts the jobs of one log together, logs in the order of their first job.
func (s *shard) group(jobs []*job) {
	bt := &s.batch
	for i := range bt.touched {
		clear(bt.touched[i].jobs)
		bt.touched[i].jobs = bt.touched[i].jobs[:0]
	}
	used := 0
	clear(bt.index)
	for _, j := range jobs {
		i, ok := bt.index[j.log]
		if !ok {
			i = used
			used++
			if i == cap(bt.touched) {
				bt.touched = append(bt.touched[:i], touchedLog{})
			}
			bt.touched = bt.touched[:used]
			bt.index[j.log] = i
			bt.touched[i].log, bt.touched[i].control = j.log, false
			bt.touched[i].tree.Set(&j.log.tree) // owned by run, like every logTail.tree
		}
		bt.touched[i].jobs = append(bt.touched[i].jobs, j)
	}
	bt.touched = bt.touched[:used]
}

// sequence adds the entries of one log to the batch and returns their run.
func (s *shard) sequence(t *touchedLog, notBefore int64) packed.Run {
	run := packed.Run{Log: int64(t.log.no), First: t.tree.Size, Received: max(notBefore, t.log.received+1)}
	l := leaf.Leaf{Seq: run.First, ReceivedAt: run.Received}
	for _, j := range t.jobs {
		j.first, j.received = l.Seq, l.ReceivedAt
		for i := range j.events {
			p := &j.events[i]
			l.Kind, l.ID, l.Root = p.kind, p.id, p.root
			p.leaf = l.Hash()
			t.control = t.control || p.kind == KindControl
			t.tree.Append(p.leaf)
			s.ids.Add((*[16]byte)(&p.id), notBefore)
			s.batch.entries = append(s.batch.entries, kept.Entry{ID: p.id, Secret: p.secret, Kind: p.kind, IDAt: p.idAt, Body: p.body, LeafHash: p.leaf})
			l.Seq++
			l.ReceivedAt++
		}
		for _, k := range j.keys {
			key := Key{KeyRef: KeyRef{t.log.no, k.hash}, First: k.first, N: k.n, Expires: k.expires}
			if k.first < 0 {
				key.First, key.N = j.first, len(j.events)
			}
			s.batch.keys = append(s.batch.keys, key)
		}
	}
	run.Count, run.Check = int(l.Seq-run.First), t.tree.Check()
	return run
}

// cut returns the accepted JSON without the id text: what is kept of it.
func (p *pending) cut() []byte {
	if p.idAt == 0 {
		return p.text
	}
	b := make([]byte, 0, len(p.text)-kept.IDTextLen)
	b = append(b, p.text[:p.idAt-1]...)
	return append(b, p.text[p.idAt-1+kept.IDTextLen:]...)
}
