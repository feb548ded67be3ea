package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/daybook-audit/daybook"
)

const verifiedID = "verified"

type verifiedDocument struct {
	At moment `json:"at"`
}

// Verified returns when the store was last verified, by whatever process. A store that never was counts from now on.
func Verified(ctx context.Context, docs daybook.Documents, now time.Time) (time.Time, error) {
	for {
		d, err := docs.Get(ctx, kindInstance, "", verifiedID)
		var v verifiedDocument
		if err == nil {
			err = json.Unmarshal(d.Data, &v)
		}
		if err == nil {
			return v.At.time(), nil
		}
		if !errors.Is(err, daybook.ErrNotExist) {
			return time.Time{}, fmt.Errorf("read when the store was verified: %w", err)
		}
		if _, err := create(ctx, docs, kindInstance, verifiedID, verifiedDocument{at(now)}); err != nil {
			return time.Time{}, err
		}
	}
}

// KeepVerified keeps that the store was verified at a time.
func KeepVerified(ctx context.Context, docs daybook.Documents, t time.Time) error {
	_, err := change(ctx, docs, kindInstance, verifiedID, func(v *verifiedDocument) bool {
		v.At = max(v.At, at(t))
		return true
	})
	return err
}
