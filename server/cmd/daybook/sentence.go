package main

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/client"
)

// pastVerbs are the verbs that read well between who and what.
var pastVerbs = words(`accepted activated added applied approved archived assigned attached blocked cancelled changed cleared closed
	committed completed confirmed connected copied created deactivated declined deleted deployed detached disabled disconnected
	downloaded edited enabled ended executed expired exported failed granted imported installed invited issued joined left linked
	locked merged modified moved opened paid paused posted printed promoted published purged read received refunded registered
	rejected released removed renamed reopened replaced requested reset resolved restarted restored resumed revoked rotated
	scheduled searched sent shared signed started stopped submitted suspended tagged terminated transferred unassigned unblocked
	unlocked unpublished unshared updated uploaded used verified viewed voided withdrawn`)

func words(s string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(s) {
		m[w] = true
	}
	return m
}

// who names the actor; the person behind an impersonation comes first.
func who(e *daybook.Event) string {
	name := actorName(e.Actor)
	if len(e.Actor.Via) == 0 {
		return name
	}
	via := e.Actor.Via[0]
	if via.Type == "user" {
		return actorName(via) + " as " + name
	}
	return name + " via " + actorName(via)
}

func actorName(a daybook.Actor) string {
	for _, s := range []string{a.Name, a.Email, a.ID} {
		if s != "" {
			return shorten(s)
		}
	}
	return "Someone not signed in"
}

// what says what was done to what: "updated Invoice 42", or the action itself when its verb is not known.
func what(e *daybook.Event) string {
	var s string
	_, verb, ok := cutLast(e.Action, ".")
	if verb = strings.ReplaceAll(verb, "_", " "); ok && pastVerbs[verb] {
		s = verb
		if len(e.Targets) > 0 {
			s += " " + targetName(e.Targets[0])
		}
	} else {
		s = shorten(e.Action)
		if len(e.Targets) > 0 {
			s += " · " + targetName(e.Targets[0])
		}
	}
	switch e.Outcome {
	case daybook.Failure:
		s += " – failed"
	case daybook.Denied:
		s += " – denied"
	case daybook.Success:
	}
	return s
}

// cutLast cuts s around the last sep.
func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

func targetName(t daybook.Target) string {
	if t.Name != "" {
		return shorten(t.Name)
	}
	return shorten(t.Type + " " + t.ID)
}

// targetRef is the first target as TYPE:ID.
func targetRef(e *daybook.Event) string {
	if len(e.Targets) == 0 {
		return ""
	}
	return e.Targets[0].Type + ":" + e.Targets[0].ID
}

// shorten cuts one value of a sentence at 80 characters.
func shorten(s string) string {
	if utf8.RuneCountInString(s) <= 80 {
		return s
	}
	return string([]rune(s)[:79]) + "…"
}

// whoDid and whatWas are who and what of an entry, which may be removed.
func whoDid(e *client.Entry) string {
	if e.Removed != "" {
		return ""
	}
	if e.Op != "" {
		return e.By
	}
	return who(&e.Event)
}

func whatWas(e *client.Entry) string {
	if e.Removed != "" {
		return "(removed: " + strings.TrimSuffix(e.Removed+", "+e.By, ", ") + ")"
	}
	if e.Op != "" {
		return "(the log itself: " + e.Op + ")"
	}
	return what(&e.Event)
}

// timeOf is a time of an entry, which retention may have removed.
func timeOf(at time.Time, clock func(time.Time) string) string {
	if at.IsZero() {
		return ""
	}
	return clock(at)
}

// happened is when the event occurred, else when it was received.
func happened(e *client.Entry) time.Time {
	if e.Event.OccurredAt.IsZero() {
		return e.ReceivedAt
	}
	return e.Event.OccurredAt
}

// entryTone marks what needs a look.
func entryTone(e *client.Entry) tone {
	if e.Event.Outcome == daybook.Failure || e.Event.Outcome == daybook.Denied {
		return amber
	}
	return plain
}
