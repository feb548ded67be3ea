package client_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/client"
)

// exportServer has one export; cut is after how many bytes each answer breaks off, 0: never.
type exportServer struct {
	file    []byte
	sum     string
	cut     int
	asked   atomic.Int32
	ranges  []string
	unready bool
}

func (s *exportServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasSuffix(r.URL.Path, "/file"):
		if r.URL.Query().Get("sig") != "s" {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		s.asked.Add(1)
		s.ranges = append(s.ranges, r.Header.Get("Range"))
		w.Header().Set("ETag", `"`+s.sum+`"`)
		if s.cut > 0 {
			w = &cutter{ResponseWriter: w, left: s.cut}
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(s.file))
	default:
		x := map[string]any{"id": "exp_1", "state": "ready", "bytes": len(s.file), "sha256": s.sum, "url": "https://elsewhere.example/v1/exports/exp_1/file?exp=1&sig=s"}
		if s.unready {
			x = map[string]any{"id": "exp_1", "state": "running"}
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(x); err != nil {
			panic(err)
		}
	}
}

// cutter breaks the connection after some bytes.
type cutter struct {
	http.ResponseWriter
	left int
}

func (c *cutter) Write(p []byte) (int, error) {
	if len(p) > c.left {
		_, _ = c.ResponseWriter.Write(p[:c.left])
		panic(http.ErrAbortHandler)
	}
	c.left -= len(p)
	return c.ResponseWriter.Write(p)
}

func newExportServer(t *testing.T) (*exportServer, *client.Client) {
	t.Helper()
	s := &exportServer{file: bytes.Repeat([]byte("0123456789"), 1000)}
	sum := sha256.Sum256(s.file)
	s.sum = hex.EncodeToString(sum[:])
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	c, err := client.New(client.Options{URL: h.URL, Key: "dbk_x", Attempts: 3})
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

// TestDownload: the file arrives whole, also over a connection that breaks again and again.
func TestDownload(t *testing.T) {
	t.Parallel()
	for _, cut := range []int{0, 4096} {
		s, c := newExportServer(t)
		s.cut = cut
		var out bytes.Buffer
		seen := int64(0)
		x, err := c.Download(t.Context(), "exp_1", &out, func(n int64) { seen = n })
		if err != nil || !bytes.Equal(out.Bytes(), s.file) || x.Bytes != 10_000 || seen != 10_000 {
			t.Errorf("cut after %d: %d bytes, progress %d, %v", cut, out.Len(), seen, err)
		}
		if cut > 0 && fmt.Sprint(s.ranges) != "[ bytes=4096- bytes=8192-]" {
			t.Errorf("asked for %v", s.ranges)
		}
	}
}

func TestDownloadFails(t *testing.T) {
	t.Parallel()
	s, c := newExportServer(t)
	s.sum = strings.Repeat("0", 64)
	if _, err := c.Download(t.Context(), "exp_1", &bytes.Buffer{}, nil); !errors.Is(err, client.ErrDigest) {
		t.Errorf("another file: %v", err)
	}
	s.unready = true
	if _, err := c.Download(t.Context(), "exp_1", &bytes.Buffer{}, nil); daybook.CodeOf(err) != daybook.CodeNotFound {
		t.Errorf("no file: %v", err)
	}
	s, c = newExportServer(t)
	full := errors.New("disk full")
	if _, err := c.Download(t.Context(), "exp_1", fullDisk{full}, nil); !errors.Is(err, full) || s.asked.Load() != 1 {
		t.Errorf("it cannot be written: %v, asked %d times", err, s.asked.Load())
	}
}

type fullDisk struct{ err error }

func (b fullDisk) Write([]byte) (int, error) { return 0, b.err }
