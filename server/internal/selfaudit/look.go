package selfaudit

import (
	"cmp"
	"encoding/json"
	"time"

	"github.com/daybook-audit/daybook"
)

// Look is one reading of a log.
type Look struct {
	Org     daybook.OrgID
	Action  string // daybook.log.viewed
	By      daybook.Actor
	Target  daybook.Target
	Context daybook.Context
	Outcome daybook.Outcome

	// Rule, if set, says why events of a producer were not taken, and this is no look: Rows is how many they were. It is noted even when
	// looks are not.
	Rule string

	What     string        // the kind of question: search, tail, facets, …
	Window   time.Duration // how long equal looks are one, whatever the options say; 0: as they say
	Query    string        // in normal form; looks of one principal with the same query, action, target and outcome are equal
	From, To *int64        // bounds of the question, µs; nil: open
	Shown
}

// Shown is what a look saw. Without rows First and Last mean nothing.
type Shown struct {
	Rows        int64
	First, Last int64 // the least and the largest seq
}

func (s *Shown) add(more Shown) {
	switch {
	case more.Rows == 0:
	case s.Rows == 0:
		*s = more
	default:
		s.Rows, s.First, s.Last = s.Rows+more.Rows, min(s.First, more.First), max(s.Last, more.Last)
	}
}

// principal is who does what in which log; same is equal looks.
type principal struct {
	org         daybook.OrgID
	actor, verb string
	outcome     daybook.Outcome
}

type same struct {
	principal
	target, query string
	window        time.Duration
}

// look is an open window: the first look of it, and the sum of those that followed.
type look struct {
	Look
	more sum
	ends time.Time
}

// sum is looks that are not recorded one by one.
type sum struct {
	Look  // the first of them
	views int64
	since time.Time
	shown Shown
}

func (s *sum) add(l *Look, now time.Time) {
	if s.views == 0 {
		s.Look, s.since = *l, now
	}
	s.views++
	s.shown.add(l.Shown)
	if s.From == nil || l.From == nil || *l.From < *s.From {
		s.From = l.From
	}
	if s.To == nil || l.To == nil || *l.To > *s.To {
		s.To = l.To
	}
}

// Saw notes a look. It takes a look into memory and returns.
func (a *Auditor) Saw(l Look) {
	if a == nil || a.o.Blind && l.Rule == "" {
		return
	}
	now := a.now()
	who := principal{l.Org, l.By.Type + ":" + l.By.ID, l.Action, l.Outcome}
	is := same{who, l.Target.Type + ":" + l.Target.ID, l.Query, l.Window}
	a.mu.Lock()
	defer a.mu.Unlock()
	if open := a.looks[is]; open != nil && now.Before(open.ends) {
		open.more.add(&l, now)
		return
	}
	if len(a.looks) >= maxLooks || len(a.waiting) >= maxWaiting || a.closed {
		a.crowd(who, &l, now)
		return
	}
	if open := a.looks[is]; open != nil { // its window has ended, and the run has not come to it yet
		a.end(is, open)
	}
	a.push(a.entry(l.Org, l.event(1, l.Shown, time.Time{}, false)))
	if a.o.Each && l.Window == 0 {
		return
	}
	ends := now.Add(cmp.Or(l.Window, a.o.Window))
	a.looks[is] = &look{Look: l, ends: ends}
	if a.deadline.IsZero() || ends.Before(a.deadline) {
		a.deadline = ends
		a.rouse()
	}
}

// crowd counts a look that there is no room for. The caller holds mu.
func (a *Auditor) crowd(who principal, l *Look, now time.Time) {
	c := a.crowds[who]
	if c == nil {
		if len(a.crowds) >= maxCrowds || a.closed {
			e := a.entry(l.Org, l.event(1, l.Shown, time.Time{}, false))
			a.lose(&e, "too many principals look at once")
			return
		}
		c = &sum{}
		a.crowds[who] = c
	}
	c.add(l, now)
}

// end closes a window: what followed its first look becomes an event. The caller holds mu.
func (a *Auditor) end(is same, open *look) {
	delete(a.looks, is)
	if m := &open.more; m.views > 0 {
		a.push(a.entry(m.Org, m.event(m.views, m.shown, m.since, false)))
	}
}

// endWindows closes the windows that have ended, or all, and makes room for those who were only counted. It returns when the next
// one ends; zero: none is open.
func (a *Auditor) endWindows(all bool) time.Time {
	now := a.now()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.deadline = time.Time{}
	for is, open := range a.looks {
		if all || !now.Before(open.ends) {
			a.end(is, open)
		} else if a.deadline.IsZero() || open.ends.Before(a.deadline) {
			a.deadline = open.ends
		}
	}
	for who, c := range a.crowds {
		if !all && len(a.waiting) >= maxWaiting/2 {
			break
		}
		delete(a.crowds, who)
		a.push(a.entry(c.Org, c.event(c.views, c.shown, c.since, true)))
	}
	return a.deadline
}

// detail is the metadata of a look.
type detail struct {
	View     string  `json:"view,omitempty"`
	Query    *string `json:"query,omitempty"`
	From     string  `json:"from,omitempty"`
	To       string  `json:"to,omitempty"`
	Rows     int64   `json:"rows"`
	FirstSeq *int64  `json:"first_seq,omitempty"`
	LastSeq  *int64  `json:"last_seq,omitempty"`
	Views    int64   `json:"views"`
	Since    string  `json:"since,omitempty"`   // of several: when the first was
	Crowded  bool    `json:"crowded,omitempty"` // these were different questions; how many is all that is known
}

// event describes views looks like l, or with crowded views looks of its principal.
func (l *Look) event(views int64, shown Shown, since time.Time, crowded bool) daybook.Event {
	if l.Rule != "" {
		return l.refusal(shown.Rows, since, crowded)
	}
	d := detail{Rows: shown.Rows, Views: views, Crowded: crowded}
	if !crowded {
		d.View, d.Query, d.From, d.To = l.What, &l.Query, bound(l.From), bound(l.To)
	}
	if shown.Rows > 0 {
		d.FirstSeq, d.LastSeq = &shown.First, &shown.Last
	}
	if !since.IsZero() {
		d.Since = bound(new(since.UnixMicro()))
	}
	e := daybook.Event{Action: l.Action, Actor: l.By, Context: l.Context, Outcome: l.Outcome}
	if l.Target.Type != "" && !crowded {
		e.Targets = []daybook.Target{l.Target}
	}
	if views > 1 {
		e.Context.RequestID = "" // that of one of them would say too much
	}
	if text, err := json.Marshal(d); err == nil { // it has nothing that could not be
		e.Metadata = text
	}
	return e
}

func bound(micros *int64) string {
	if micros == nil {
		return ""
	}
	return string(daybook.AppendTime(nil, *micros))
}
