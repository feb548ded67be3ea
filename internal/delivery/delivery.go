// Package delivery brings events to a log later than they happened: out of a folder that survives power loss ([Spool]), or out of memory
// ([Queue]).
//
// An event on its way is a [Letter]: a text that was completed and accepted before, and that nobody here looks into. Letters are brought at
// least once; the log knows their ids, so a repeat is harmless. Those of one org arrive in the order in which they were taken, but for
// what the log will not have: that is handed back, and the others go on. A failure that is no letter's fault loses nothing: it is tried
// again, ever later, until the context ends.
package delivery

import "context"

// Letter is an event on its way.
type Letter struct {
	N     int64 // the number under which its sender knows it
	ID    string
	Org   string
	Text  string // the event's JSON
	Tries int    // how often the log refused it
}

// Log is where letters go.
type Log interface {
	// Send records letters, all of one org, in their order: all of them or none. Letters that are refused for what they are come back in
	// refused, and nothing was recorded then; called again without them it may record the rest. An error is no letter's fault, and leaves
	// open what was recorded.
	Send(ctx context.Context, org string, letters []Letter) (refused []Refusal, err error)
}

// Refusal says that the log will not have a letter.
type Refusal struct {
	At  int // in what was sent; Unnamed: it is not known which
	Err error
}

// Unnamed is the place of a letter of which nothing is known but that it is among those that were sent.
const Unnamed = -1

// Returned is a letter that the log did not take.
type Returned struct {
	Letter
	Err error
}

// Outcome says what has become of letters; of those that are neither sent nor returned it is not known.
type Outcome struct {
	Sent     []int64 // the N of letters that are recorded
	Returned []Returned
}

// maxCall bounds the bytes of one call: a server takes 5 MiB.
const maxCall = 4 << 20

// Deliver sends letters, all of one org, in their order, in calls that a server takes. It stops at the first failure that is no letter's
// fault, and returns it with what was done before.
func Deliver(ctx context.Context, to Log, org string, letters []Letter) (Outcome, error) {
	o := Outcome{}
	for start, end := 0, 0; start < len(letters); start = end {
		size := 0
		for end = start; end < len(letters) && (end == start || size+len(letters[end].Text) <= maxCall); end++ {
			size += len(letters[end].Text)
		}
		if err := o.send(ctx, to, org, letters[start:end]); err != nil {
			return o, err
		}
	}
	return o, nil
}

// send sends letters together, and without those that are refused until the rest is recorded.
func (o *Outcome) send(ctx context.Context, to Log, org string, letters []Letter) error {
	for len(letters) > 0 {
		refused, err := to.Send(ctx, org, letters)
		switch {
		case err != nil:
			return err
		case len(refused) == 0:
			for i := range letters {
				o.Sent = append(o.Sent, letters[i].N)
			}
			return nil
		case len(letters) == 1:
			o.Returned = append(o.Returned, Returned{letters[0], refused[0].Err})
			return nil
		}
		left := o.without(letters, refused)
		if len(left) == len(letters) { // it does not say which: one by one
			for i := range letters {
				if err := o.send(ctx, to, org, letters[i:i+1]); err != nil {
					return err
				}
			}
			return nil
		}
		letters = left
	}
	return nil
}

// without returns the letters that are not refused, and notes the others.
func (o *Outcome) without(letters []Letter, refused []Refusal) (left []Letter) {
	why := make(map[int]error, len(refused))
	for _, r := range refused {
		why[r.At] = r.Err
	}
	for i := range letters {
		if err, ok := why[i]; ok {
			o.Returned = append(o.Returned, Returned{letters[i], err})
		} else {
			left = append(left, letters[i])
		}
	}
	return left
}

// rest returns the letters that were neither sent nor returned.
func (o *Outcome) rest(letters []Letter) (left []Letter) {
	done := make(map[int64]bool, len(o.Sent)+len(o.Returned))
	for _, n := range o.Sent {
		done[n] = true
	}
	for i := range o.Returned {
		done[o.Returned[i].N] = true
	}
	for i := range letters {
		if !done[letters[i].N] {
			left = append(left, letters[i])
		}
	}
	return left
}
