package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"github.com/daybook-audit/daybook"
)

const settingsID = "settings"

// Settings compares the settings that the server runs with, secrets masked, with those of its last start, and keeps them for the next.
// It returns the old value of each that has changed, with an empty text for what was not known, and nothing on the first start.
// A crash before it returns repeats the comparison; whoever tells of the changes does so before the next call.
func Settings(ctx context.Context, docs daybook.Documents, now map[string]string) (old map[string]string, err error) {
	text, err := json.Marshal(now)
	if err != nil {
		return nil, fmt.Errorf("write the settings: %w", err)
	}
	before := map[string]string{}
	d, err := docs.Get(ctx, kindInstance, "", settingsID)
	switch {
	case errors.Is(err, daybook.ErrNotExist):
		d = daybook.Document{Kind: kindInstance, ID: settingsID}
	case err != nil:
		return nil, fmt.Errorf("read the settings of the last start: %w", err)
	default:
		if err := json.Unmarshal(d.Data, &before); err != nil {
			return nil, fmt.Errorf("read the settings of the last start: %w", err)
		}
		if maps.Equal(before, now) {
			return nil, nil
		}
		old = map[string]string{}
		for name, value := range now {
			if before[name] != value {
				old[name] = before[name]
			}
		}
		for name, value := range before {
			if _, ok := now[name]; !ok {
				old[name] = value
			}
		}
	}
	d.Data = text
	// Another node that starts at this moment may be faster: then its settings stand there, and the next start compares with them.
	if _, err := docs.Put(ctx, d); err != nil && !errors.Is(err, daybook.ErrVersionMoved) {
		return nil, fmt.Errorf("keep the settings: %w", err)
	}
	return old, nil
}
