package export

import "github.com/daybook-audit/daybook"

// ndjsonFormat is one entry a line, in the JSON that every answer of the API has: what was recorded, byte for byte, with the log's own
// members in front.
type ndjsonFormat struct{}

func (ndjsonFormat) wants() int { return 1 }

func (ndjsonFormat) begin() ([]byte, error) { return nil, nil }

func (ndjsonFormat) piece(ps []*daybook.Passage) (piece, error) {
	return eachEntry(ps, true, func(out []byte, e *daybook.Entry) []byte { return append(e.AppendJSON(out), '\n') })
}

func (ndjsonFormat) end([][]byte, int64) ([]byte, error) { return nil, nil }
