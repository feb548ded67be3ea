package daybook

import "context"

// RecordControls is recordControls.
func (b *Book) RecordControls(ctx context.Context, org OrgID, texts ...string) ([]Receipt, error) {
	raw := make([][]byte, len(texts))
	for i := range texts {
		raw[i] = []byte(texts[i])
	}
	return b.recordControls(ctx, org, raw, nil)
}
