package export

import (
	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/control"
)

// File makes the whole file of x from passages, cut into pieces of so many passages: what the runner does, without a disk.
func File(x *control.Export, passages []*daybook.Passage, each int) ([]byte, error) {
	if err := check(x); err != nil {
		return nil, err
	}
	f, err := formatOf(x)
	if err != nil {
		return nil, err
	}
	out, err := f.begin()
	if err != nil {
		return nil, err
	}
	var notes [][]byte
	for len(passages) > 0 {
		n := min(each, len(passages))
		p, err := f.piece(passages[:n])
		if err != nil {
			return nil, err
		}
		out = append(out, p.bytes...)
		if p.note != nil {
			notes = append(notes, p.note)
		}
		passages = passages[n:]
	}
	end, err := f.end(notes, int64(len(out)))
	return append(out, end...), err
}

// Cell returns a cell as CSV writes it.
func Cell(text string, guard bool) string { return string(appendCell(nil, []byte(text), guard)) }

// Widest is widest.
func Widest(p *daybook.Passage) (int, error) { return widest(p) }
