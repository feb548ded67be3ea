package main

import (
	"strings"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/client"
	"github.com/daybook-audit/daybook/internal/sentence"
)

// saying is the sentence of an entry that is there. Schemas are not asked: a command prints what the event says by itself.
func saying(e *client.Entry) sentence.Sentence {
	return sentence.Templates{}.Render(sentence.Subject{
		Event: &e.Event, Gone: e.ErasedFields, GoneUnnamed: e.ErasedFields != nil && len(e.ErasedFields) == 0,
	})
}

// targetRef is the first target as TYPE:ID.
func targetRef(e *daybook.Event) string {
	if len(e.Targets) == 0 {
		return ""
	}
	return e.Targets[0].Type + ":" + e.Targets[0].ID
}

// whoDid and whatWas are the two halves of the sentence of an entry, which may be removed.
func whoDid(e *client.Entry) string {
	if e.Removed != "" {
		return ""
	}
	if e.Op != "" {
		return e.By
	}
	return saying(e).Who()
}

func whatWas(e *client.Entry) string {
	if e.Removed != "" {
		return "(removed: " + strings.TrimSuffix(e.Removed+", "+e.By, ", ") + ")"
	}
	if e.Op != "" {
		return "(the log itself: " + e.Op + ")"
	}
	return saying(e).What()
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
