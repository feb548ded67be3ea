package control

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/daybook-audit/daybook"
)

type secretDocument struct {
	Key []byte `json:"key"` // 32 random bytes, base64
}

// CursorKey returns the key that authenticates cursors, made at the first call on a store.
func CursorKey(ctx context.Context, docs daybook.Documents) ([]byte, error) {
	return instanceSecret(ctx, docs, "cursor_key")
}

func instanceSecret(ctx context.Context, docs daybook.Documents, id string) ([]byte, error) {
	for {
		d, err := docs.Get(ctx, kindInstance, "", id)
		if err == nil {
			var doc secretDocument
			if err := json.Unmarshal(d.Data, &doc); err != nil || len(doc.Key) != 32 {
				return nil, fmt.Errorf("read %s: the document does not hold 32 bytes", id)
			}
			return doc.Key, nil
		}
		if !errors.Is(err, daybook.ErrNotExist) {
			return nil, fmt.Errorf("read %s: %w", id, err)
		}
		key := make([]byte, 32)
		_, _ = rand.Read(key) // never fails: crypto/rand ends the process instead
		// Another node may make one at the same moment: whoever loses reads the winner's.
		if _, err := create(ctx, docs, kindInstance, id, secretDocument{key}); err != nil {
			return nil, err
		}
	}
}

// Repeats makes the hashes by which an event sent twice without a key is known. They are keyed by a secret of the day, which is
// deleted when the last hash made with it has expired: afterwards nothing is left to guess an event with. Safe for concurrent use.
type Repeats struct {
	docs daybook.Documents
	now  func() time.Time

	mu   sync.Mutex
	day  int64     // of keys
	keys [2][]byte // of day and of the day before; the second may be nil
}

// NewRepeats returns the hashes over docs.
func NewRepeats(docs daybook.Documents, now func() time.Time) *Repeats {
	return &Repeats{docs: docs, now: now, day: -1}
}

// Hashes returns the hash of a fingerprint to store, and those whose presence makes the event a repeat: today's, and yesterday's
// while one made then may still hold.
func (r *Repeats) Hashes(ctx context.Context, door string, fingerprint []byte) (store [16]byte, known [][16]byte, err error) {
	keys, err := r.current(ctx)
	if err != nil {
		return store, nil, err
	}
	for _, key := range keys {
		if key == nil {
			continue
		}
		m := hmac.New(sha256.New, key)
		m.Write([]byte(door))
		m.Write([]byte{0})
		m.Write(fingerprint)
		known = append(known, [16]byte(m.Sum(nil)))
	}
	return known[0], known, nil
}

func (r *Repeats) current(ctx context.Context) ([2][]byte, error) {
	day := r.now().Unix() / 86400
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.day == day {
		return r.keys, nil
	}
	today, err := instanceSecret(ctx, r.docs, repeatID(day))
	if err != nil {
		return r.keys, err
	}
	keys := [2][]byte{today}
	// Yesterday's is read, never made: without the document no hash of that day is stored.
	d, err := r.docs.Get(ctx, kindInstance, "", repeatID(day-1))
	switch {
	case err == nil:
		var doc secretDocument
		if err := json.Unmarshal(d.Data, &doc); err != nil {
			return r.keys, fmt.Errorf("read %s: %w", d.ID, err)
		}
		keys[1] = doc.Key
	case !errors.Is(err, daybook.ErrNotExist):
		return r.keys, fmt.Errorf("read yesterday's repeat key: %w", err)
	}
	if err := r.forget(ctx, day-1); err != nil {
		return r.keys, err
	}
	r.day, r.keys = day, keys
	return keys, nil
}

// forget deletes the keys of days before keep. A crash in between leaves some of them for the next day's call.
func (r *Repeats) forget(ctx context.Context, keep int64) error {
	return list(ctx, r.docs, kindInstance, func(d daybook.Document) error {
		if day, ok := repeatDay(d.ID); !ok || day >= keep {
			return nil
		}
		err := r.docs.Delete(ctx, kindInstance, "", d.ID, d.Version)
		if err != nil && !errors.Is(err, daybook.ErrNotExist) && !errors.Is(err, daybook.ErrVersionMoved) {
			return fmt.Errorf("delete %s: %w", d.ID, err)
		}
		return nil
	})
}

func repeatID(day int64) string { return "repeat_" + strconv.FormatInt(day, 10) }

// repeatDay reads what repeatID wrote; ok is false for another document.
func repeatDay(id string) (day int64, ok bool) {
	text, ok := strings.CutPrefix(id, "repeat_")
	day, err := strconv.ParseInt(text, 10, 64)
	return day, ok && err == nil
}
