// Package control keeps what operators configure: organizations, API keys and the instance's own secrets, as documents beside the log.
package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/daybook-audit/daybook"
)

// Kinds of documents. All of them stand under the empty org.
const (
	kindOrg      = "org"
	kindKey      = "key"
	kindInstance = "instance"
)

const listPage = 500

// list yields every document of a kind, page by page.
func list(ctx context.Context, docs daybook.Documents, kind string, yield func(daybook.Document) error) error {
	after := ""
	for {
		page, err := docs.List(ctx, kind, "", after, listPage)
		if err != nil {
			return fmt.Errorf("list documents %s: %w", kind, err)
		}
		for _, d := range page {
			if err := yield(d); err != nil {
				return err
			}
			after = d.ID
		}
		if len(page) < listPage {
			return nil
		}
	}
}

// change reads a document, lets edit alter it and stores it, again from the start when somebody else was faster. An edit that
// returns false stores nothing.
func change[T any](ctx context.Context, docs daybook.Documents, kind, id string, edit func(*T) bool) (T, error) {
	for {
		var v T
		d, err := docs.Get(ctx, kind, "", id)
		if err != nil {
			return v, fmt.Errorf("read document %s: %w", kind, err)
		}
		if err := json.Unmarshal(d.Data, &v); err != nil {
			return v, fmt.Errorf("read document %s: %w", kind, err)
		}
		if !edit(&v) {
			return v, nil
		}
		if d.Data, err = json.Marshal(v); err != nil {
			return v, fmt.Errorf("write document %s: %w", kind, err)
		}
		_, err = docs.Put(ctx, d)
		if err == nil {
			return v, nil
		}
		if !errors.Is(err, daybook.ErrVersionMoved) {
			return v, fmt.Errorf("write document %s: %w", kind, err)
		}
	}
}

// create stores a new document; exists says that there was one.
func create(ctx context.Context, docs daybook.Documents, kind, id string, v any) (exists bool, err error) {
	data, err := json.Marshal(v)
	if err != nil {
		return false, fmt.Errorf("write document %s: %w", kind, err)
	}
	_, err = docs.Put(ctx, daybook.Document{Kind: kind, ID: id, Data: data})
	if errors.Is(err, daybook.ErrVersionMoved) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("write document %s: %w", kind, err)
	}
	return false, nil
}

// moment is a time as documents keep it: µs since 1970; 0 is none.
type moment int64

func at(t time.Time) moment {
	if t.IsZero() {
		return 0
	}
	return moment(t.UnixMicro())
}

func (m moment) time() time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(m)).UTC()
}
