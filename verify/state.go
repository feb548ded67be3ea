package verify

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/daybook-audit/daybook/leaf"
)

// stateFormat names the format of state files.
const stateFormat = "daybook-state/v1"

// State is what a reader remembers of logs between two verifications, by origin. Keep it where the log's operator cannot change it.
type State map[string]*Memory

// Memory is what is remembered of one log.
type Memory struct {
	Keys  []Key  // pinned
	Note  *Note  // the newest checkpoint that was verified; nil: none
	Size  int64  // the entries below were verified
	Holds Holds  // in force at Size
	Org   string // the organization, for people; may be empty
}

// Remember takes from a report what is proved by it, if its Exit is 0: the checkpoint, the keys that the reader pinned and the one they
// lead to, and how far the entries were verified. It reports whether anything is new.
func (s State) Remember(r *Report, pinned []Key) bool {
	if r.Exit() != ExitProved {
		return false
	}
	n, err := ParseNote([]byte(r.Note))
	if err != nil {
		return false
	}
	m, changed := s[r.Origin], false
	if m == nil {
		m, changed = &Memory{}, true
		s[r.Origin] = m
	}
	if k, err := ParseKey(r.Key); err == nil {
		pinned = append(slices.Clone(pinned), k)
	}
	for _, k := range pinned {
		if (k.Name() == r.Origin || k.Cosigner()) && !slices.ContainsFunc(m.Keys, k.Equal) {
			m.Keys, changed = append(m.Keys, k), true
		}
	}
	if m.Note == nil || n.Size >= m.Note.Size && n.String() != m.Note.String() {
		m.Note, changed = n, true
	}
	// Entries that were left out of the copy were not verified, and the holds at its end are known only from the beginning on.
	if r.Holds != nil && !r.Filtered && !r.Masked && r.To > m.Size && (r.From == m.Size || r.From == 0) {
		m.Size, m.Holds, changed = r.To, r.Holds, true
	}
	return changed
}

type stateFile struct {
	Format string                `json:"format"`
	Logs   map[string]stateOfOne `json:"logs"`
}

type stateOfOne struct {
	Org   string              `json:"org,omitempty"`
	Keys  []string            `json:"vkeys"`
	Note  string              `json:"note,omitempty"`
	Size  int64               `json:"size"`
	Holds map[string][]string `json:"holds,omitempty"`
}

// ParseState reads a state file: the JSON that Append writes, or one checkpoint as a reader may have written it down, with signatures
// or without. An empty file is an empty state.
func ParseState(text []byte) (State, error) {
	s := State{}
	trimmed := strings.TrimSpace(string(text))
	switch {
	case trimmed == "":
		return s, nil
	case trimmed[0] != '{':
		n, err := ParseRemembered(text)
		if err != nil {
			return nil, fmt.Errorf("read a remembered checkpoint: %w", err)
		}
		s[n.Origin] = &Memory{Note: n}
		return s, nil
	}
	var f stateFile
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, fmt.Errorf("read a state file: %w", err)
	}
	if f.Format != stateFormat {
		return nil, fmt.Errorf("read a state file: the format is %q, not %q", f.Format, stateFormat)
	}
	for origin, one := range f.Logs {
		m, err := one.memory(origin)
		if err != nil {
			return nil, fmt.Errorf("read the state of %s: %w", origin, err)
		}
		s[origin] = m
	}
	return s, nil
}

func (one *stateOfOne) memory(origin string) (*Memory, error) {
	m := &Memory{Org: one.Org, Size: one.Size, Holds: Holds{}}
	for _, vkey := range one.Keys {
		k, err := ParseKey(vkey)
		if err != nil {
			return nil, fmt.Errorf("the vkey %q: %w", vkey, err)
		}
		m.Keys = append(m.Keys, k)
	}
	if one.Note != "" {
		n, err := ParseRemembered([]byte(one.Note))
		if err != nil {
			return nil, err
		}
		if n.Origin != origin {
			return nil, fmt.Errorf("its checkpoint is of %s", n.Origin)
		}
		m.Note = n
	}
	if m.Size < 0 || m.Note == nil && m.Size > 0 || m.Note != nil && m.Size > m.Note.Size {
		return nil, errors.New("more entries were verified than its checkpoint has")
	}
	for id, lists := range one.Holds {
		for _, text := range lists {
			items, err := leaf.ParseItems(text)
			if err != nil {
				return nil, fmt.Errorf("the hold %s: %w", id, err)
			}
			m.Holds[id] = append(m.Holds[id], items)
		}
	}
	return m, nil
}

// Append adds the JSON of the state to dst, in an order that depends on nothing but the state.
func (s State) Append(dst []byte) ([]byte, error) {
	f := stateFile{Format: stateFormat, Logs: map[string]stateOfOne{}}
	for origin, m := range s {
		one := stateOfOne{Org: m.Org, Keys: []string{}, Size: m.Size}
		for _, k := range m.Keys {
			one.Keys = append(one.Keys, k.String())
		}
		if m.Note != nil {
			one.Note = m.Note.String()
		}
		for _, id := range slices.Sorted(maps.Keys(m.Holds)) {
			for _, items := range m.Holds[id] {
				if len(items) == 0 {
					continue
				}
				if one.Holds == nil {
					one.Holds = map[string][]string{}
				}
				one.Holds[id] = append(one.Holds[id], items.String())
			}
		}
		f.Logs[origin] = one
	}
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write a state file: %w", err)
	}
	return append(append(dst, text...), '\n'), nil
}

// ParseRemembered reads a checkpoint with its signatures, or its three lines without them. Signatures are not looked at: a reader
// trusts what they remember.
func ParseRemembered(text []byte) (*Note, error) {
	if strings.Contains(string(text), "\n\n") {
		return ParseNote(text)
	}
	return ParseCheckpoint(string(text))
}
