package api_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/api"
)

// quickBook records nothing: what is measured is the HTTP layer alone.
type quickBook struct {
	api.Book
	receipts []daybook.Receipt
}

func (b quickBook) RecordJSON(_ context.Context, org daybook.OrgID, r daybook.Request) (daybook.Result, error) {
	return daybook.Result{Receipts: b.receipts[:len(r.Events)]}, nil
}

// sink is an answer that nobody reads.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(int)             {}
func (s *sink) Write(b []byte) (int, error) { return len(b), nil }

type rewound struct{ *strings.Reader }

func (rewound) Close() error { return nil }

func benchmarkIngest(b *testing.B, body string, header ...string) {
	b.Helper()
	f := newFixture(b, setup{deps: func(d *api.Deps) {
		book := quickBook{Book: d.Book, receipts: make([]daybook.Receipt, 1000)}
		for i := range book.receipts {
			book.receipts[i] = daybook.Receipt{ID: daybook.NewID(), Org: "org_acme", Seq: int64(i), ReceivedAt: time.UnixMicro(1_764_000_000_000_000 + int64(i))}
		}
		d.Book, d.Now = book, time.Now
	}})
	r := ask{method: "POST", path: "/v1/events", key: f.acme, header: header}.request(b.Context())
	reader := strings.NewReader(body)
	r.Body, r.ContentLength = rewound{reader}, int64(len(body))
	w := &sink{header: http.Header{}}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		_, _ = reader.Seek(0, io.SeekStart)
		f.server.ServeHTTP(w, r)
	}
}

func BenchmarkIngestOne(b *testing.B) { benchmarkIngest(b, fullEvent) }

func BenchmarkIngestNDJSON(b *testing.B) {
	benchmarkIngest(b, strings.Repeat(fullEvent+"\n", 1000), "Content-Type", "application/x-ndjson")
}

func BenchmarkIngestArray(b *testing.B) {
	benchmarkIngest(b, "["+strings.TrimSuffix(strings.Repeat(fullEvent+",", 1000), ",")+"]")
}
