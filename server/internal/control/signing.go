package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/daybook-audit/daybook"
)

// Signing is what an instance has signed as since its first signature. It holds no secret.
type Signing struct {
	Origin string `json:"origin"` // the host part of every origin
	Clock  string `json:"clock"`  // the clock's vkey: which master key it is
}

// ReadSigning returns what the instance signs as; false: it has not signed yet.
func ReadSigning(ctx context.Context, docs daybook.Documents) (Signing, bool, error) {
	var s Signing
	d, err := docs.Get(ctx, kindInstance, "", "signing")
	switch {
	case errors.Is(err, daybook.ErrNotExist):
		return s, false, nil
	case err != nil:
		return s, false, fmt.Errorf("read what the instance signs as: %w", err)
	}
	if err := json.Unmarshal(d.Data, &s); err != nil {
		return s, false, fmt.Errorf("read what the instance signs as: %w", err)
	}
	return s, true, nil
}

// KeepSigning stores what the instance signs as, and returns what is stored then: what another node has stored before stays, unless
// replace is set.
func KeepSigning(ctx context.Context, docs daybook.Documents, s Signing, replace bool) (Signing, error) {
	exists, err := create(ctx, docs, kindInstance, "signing", s)
	if err != nil || !exists {
		return s, err
	}
	if !replace {
		kept, _, err := ReadSigning(ctx, docs)
		return kept, err
	}
	_, err = change(ctx, docs, kindInstance, "signing", func(old *Signing) bool {
		changed := *old != s
		*old = s
		return changed
	})
	return s, err
}
