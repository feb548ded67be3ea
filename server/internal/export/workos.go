package export

import (
	"strconv"

	"github.com/daybook-audit/daybook"
)

// workOSFormat is the CSV of the WorkOS door: the columns of an event, then four for each target, up to the widest event of the file.
type workOSFormat struct {
	width int // targets of the widest event
	guard bool
}

// workOSColumns are those before the targets; what is JSON reads {} when it is absent.
var workOSColumns = []struct {
	name  string
	place place
	json  bool
}{
	{"id", placeID, false},
	{"action", placeAction, false},
	{"occurred_at", placeOccurredAt, false},
	{"actor_id", placeActorID, false},
	{"actor_type", placeActorType, false},
	{"actor_name", placeActorName, false},
	{"actor_metadata", placeActorMetadata, true},
	{"context_location", placeIP, false},
	{"context_user_agent", placeUserAgent, false},
	{"metadata", placeMetadata, true},
}

func (*workOSFormat) wants() int { return 1 }

func (f *workOSFormat) begin() ([]byte, error) {
	var out []byte
	for i, c := range workOSColumns {
		out = appendSeparator(out, i)
		out = append(out, c.name...)
	}
	for i := range f.width {
		for _, name := range []string{"id", "type", "name", "metadata"} {
			out = append(append(append(out, ",target_"...), name...), '_')
			out = strconv.AppendInt(out, int64(i), 10)
		}
	}
	return append(out, "\r\n"...), nil
}

var emptyObject = []byte("{}")

func (f *workOSFormat) piece(ps []*daybook.Passage) (piece, error) {
	var r, target row
	return eachEntry(ps, false, func(out []byte, e *daybook.Entry) []byte {
		if e.Removed != daybook.NotRemoved {
			return out // WorkOS has no events without an action
		}
		r.reset()
		r.fill(e)
		for i, c := range workOSColumns {
			out = appendSeparator(out, i)
			out = f.append(out, r.cells[c.place], c.json)
		}
		for i := range f.width {
			target.reset()
			target.cells = [places][]byte{}
			if i < len(r.targets) {
				target.object(r.targets[i], inWorkOSTarget)
			}
			for k, p := range workOSTarget {
				out = append(out, ',')
				out = f.append(out, target.cells[p], k == len(workOSTarget)-1 && i < len(r.targets))
			}
		}
		return append(out, "\r\n"...)
	})
}

// workOSTarget are the columns of a target. Its metadata borrows the place of the event's.
var (
	workOSTarget   = []place{placeTargetID, placeTargetType, placeTargetName, placeMetadata}
	inWorkOSTarget = map[string]place{"type": placeTargetType, "id": placeTargetID, "name": placeTargetName, "metadata": placeMetadata}
)

func (f *workOSFormat) append(out, cell []byte, json bool) []byte {
	if cell == nil && json {
		cell = emptyObject
	}
	return appendCell(out, cell, f.guard)
}

func (*workOSFormat) end([][]byte, int64) ([]byte, error) { return nil, nil }

// widest returns the number of targets of the event of ps that has most.
func widest(ps *daybook.Passage) (int, error) {
	es, err := ps.Open(nil, false)
	if err != nil {
		return 0, err
	}
	most := 0
	var r row
	for i := range es {
		r.reset()
		r.fill(&es[i])
		most = max(most, len(r.targets))
	}
	return most, nil
}
