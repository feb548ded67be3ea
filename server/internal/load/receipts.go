package load

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/client"
)

// orgOf reads the organization from a request of ours.
func orgOf(request []byte) daybook.OrgID {
	_, rest, _ := bytes.Cut(request, []byte("\r\nDaybook-Org: "))
	org, _, _ := bytes.Cut(rest, []byte("\r\n"))
	return daybook.OrgID(org)
}

// receipt is what an answer promises of one event.
type receipt struct {
	ID       string `json:"id"`
	Seq      int64  `json:"seq"`
	LeafHash string `json:"leaf_hash"`
}

// HeldTo looks up in the logs what answers have promised, and returns how many receipts there were and how many of them nothing stands
// behind.
func HeldTo(ctx context.Context, c *client.Client, answers []Answer) (receipts, lost int64, err error) {
	promised := map[daybook.OrgID]map[int64]receipt{}
	for _, a := range answers {
		var batch struct {
			receipt
			Receipts []receipt `json:"receipts"`
		}
		if err := json.Unmarshal([]byte(a.Body), &batch); err != nil {
			return 0, 0, fmt.Errorf("read a receipt: %w", err)
		}
		if batch.ID != "" {
			batch.Receipts = []receipt{batch.receipt}
		}
		of := promised[a.Org]
		if of == nil {
			of = map[int64]receipt{}
			promised[a.Org] = of
		}
		for _, r := range batch.Receipts {
			if other, twice := of[r.Seq]; twice && other != r {
				lost++ // two events on one place
			}
			of[r.Seq] = r
			receipts++
		}
	}
	for org, of := range promised {
		first, last := int64(-1), int64(-1)
		for seq := range of {
			if first < 0 || seq < first {
				first = seq
			}
			last = max(last, seq)
		}
		found := 0
		for entry, err := range c.All(ctx, client.Query{Org: org, Asc: true, Text: fmt.Sprintf("seq:%d..%d", first, last)}) {
			if err != nil {
				return receipts, lost, fmt.Errorf("read the log of %s: %w", org, err)
			}
			if r, ok := of[entry.Seq]; ok && r == (receipt{entry.ID, entry.Seq, entry.LeafHash}) {
				found++
			}
		}
		lost += int64(len(of) - found)
	}
	return receipts, lost, nil
}
