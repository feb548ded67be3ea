package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long a test waits for what a quiet machine does at once: on a busy one it comes late, and where it never comes the
// failure shall say so, with what the server said, before the whole run is ended for its time.
const patience = 3 * time.Minute

// said keeps the last lines that a server says; it may be read while the server speaks.
type said struct {
	heard func(line string) // of each line, in their order

	mu    sync.Mutex
	lines []string
	rest  []byte // of a line that has not ended
}

// saidOf is for a server of t: what it said last is printed when t has failed, whatever failed.
func saidOf(t testing.TB, server string) *said {
	t.Helper()
	s := &said{}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("what %s said last:\n%s", server, s)
		}
	})
	return s
}

// until tells a channel the address of the line that says where the server listens.
func (s *said) until(listens chan<- string) {
	s.heard = func(text string) {
		var line struct{ Msg, URL string }
		if json.Unmarshal([]byte(text), &line) == nil && line.Msg == "listening" {
			select {
			case listens <- line.URL:
			default:
			}
		}
	}
}

func (s *said) Write(p []byte) (int, error) {
	for _, line := range s.take(p) {
		if s.heard != nil {
			s.heard(line)
		}
	}
	return len(p), nil
}

// take keeps what p ends, and returns it.
func (s *said) take(p []byte) (whole []string) {
	const kept = 400
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rest = append(s.rest, p...)
	for {
		line, rest, ok := bytes.Cut(s.rest, []byte("\n"))
		if !ok {
			break
		}
		whole = append(whole, string(line))
		s.rest = rest
	}
	s.rest = slices.Clone(s.rest)
	s.lines = append(s.lines, whole...)
	if more := len(s.lines) - kept; more > 0 {
		s.lines = slices.Delete(s.lines, 0, more)
	}
	return whole
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := strings.Join(s.lines, "\n") + "\n"
	if len(s.rest) > 0 {
		text += string(s.rest) + "\n"
	}
	return text
}

// loggerFor is of a server in this process. What one of a script says is not kept: the script shows what its commands said.
func loggerFor(t fataler) *slog.Logger {
	tb, ok := t.(testing.TB)
	if !ok {
		return slog.New(slog.DiscardHandler)
	}
	tb.Helper()
	return slog.New(slog.NewTextHandler(saidOf(tb, "the server"), nil))
}

// A server says much, in pieces of any size; the last lines are kept, and nothing holds it up.
func TestSaid(t *testing.T) {
	t.Parallel()
	s, listens := &said{}, make(chan string, 1)
	s.until(listens)
	for i := range 1000 {
		for _, piece := range []string{strconv.Itoa(i), strings.Repeat("x", 100<<10), "\n"} {
			if n, err := s.Write([]byte(piece)); n != len(piece) || err != nil {
				t.Fatal(n, err)
			}
		}
	}
	for _, piece := range []string{"{\"msg\":\"listening\",\"ur", "l\":\"http://here\"}\nand goes on"} {
		if _, err := s.Write([]byte(piece)); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case url := <-listens:
		if url != "http://here" {
			t.Errorf("it listens at %s", url)
		}
	default:
		t.Error("that it listens was not heard")
	}
	lines := strings.Split(s.String(), "\n")
	if len(lines) != 402 || !strings.HasPrefix(lines[0], "601x") || lines[400] != "and goes on" {
		t.Errorf("%d lines, the first of %d bytes, the last %q", len(lines), len(lines[0]), lines[len(lines)-2])
	}
}
