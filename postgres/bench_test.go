package postgres_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/pgtest"
	"github.com/daybook-audit/daybook/postgres"
)

// serverCPU returns the seconds of CPU that the server and its children have used, those that have ended included.
func serverCPU(b *testing.B, s *pgtest.Server) float64 {
	b.Helper()
	text, err := os.ReadFile(filepath.Join(s.Data(), "postmaster.pid"))
	if err != nil {
		b.Fatal(err)
	}
	postmaster, _, _ := strings.Cut(string(text), "\n")
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		b.Fatal(err)
	}
	ticks := 0
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		f := strings.Fields(rest) // state, parent, …; user, system, and those of reaped children
		own := filepath.Base(filepath.Dir(path)) == postmaster
		if !own && f[1] != postmaster {
			continue
		}
		for i, field := range f[11:15] {
			if n, err := strconv.Atoi(field); err == nil && (own || i < 2) {
				ticks += n
			}
		}
	}
	return float64(ticks) / 100
}

// BenchmarkAppend measures the driver alone: a commit of 1,000 events, about 200 KB, in each iteration.
func BenchmarkAppend(b *testing.B) {
	server := pgtest.Start(b, pgtest.Options{Settings: []string{"shared_buffers=128MB", "max_wal_size=1GB"}})
	s, err := postgres.Open(b.Context(), server.New(b), postgres.Options{Shards: 1})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close() //nolint:errcheck // nothing is kept
	cpu := serverCPU(b, server)
	prev := daybook.CommitNo(0)
	for b.Loop() {
		if err := s.Append(b.Context(), commitOf(0, prev, 200_000)); err != nil {
			b.Fatal(err)
		}
		if prev++; prev%256 == 0 {
			if err := s.Trim(b.Context(), 0, prev, 0); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric((serverCPU(b, server)-cpu)*1e6/float64(b.N)/1000, "server-µs/event")
}

// BenchmarkBook measures a Book: batches of 1,000 events of one of 1,000 orgs, recorded by 8 callers, and everything merged at the end.
func BenchmarkBook(b *testing.B) {
	server := pgtest.Start(b, pgtest.Options{Settings: []string{"shared_buffers=128MB", "max_wal_size=1GB"}})
	s, err := postgres.Open(b.Context(), server.New(b), postgres.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close() //nolint:errcheck // nothing is kept
	book, err := daybook.Open(b.Context(), s, daybook.Options{})
	if err != nil {
		b.Fatal(err)
	}
	cpu := serverCPU(b, server)
	wal := server.SQL(b, "test_1", "SELECT pg_current_wal_lsn()")
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ResetTimer()
	var callers sync.WaitGroup
	for i := range 8 {
		callers.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 1))
			z := rand.NewZipf(r, 1.1, 1, 999)
			events := make([][]byte, 1000)
			for left.Add(-1) >= 0 {
				for j := range events {
					events[j] = fmt.Appendf(nil, `{"action":"invoice.%s","actor":{"type":"user","id":"user-%d","name":"Some Body"},"targets":[{"type":"invoice","id":"%d"}],`+
						`"context":{"ip":"203.0.113.%d","user_agent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"},`+
						`"metadata":{"amount":%d,"currency":"EUR","note":"paid by card, reference %x","plan":"business","region":"eu-west-1"}}`,
						[]string{"paid", "sent", "opened"}[r.IntN(3)], r.IntN(5000), r.IntN(1e6), r.IntN(256), r.IntN(1e5), r.Uint64())
				}
				if _, err := book.RecordJSON(b.Context(), daybook.OrgID(fmt.Sprint("org-", z.Uint64())), daybook.Request{Events: events}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	callers.Wait()
	b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "events/s")
	recorded := serverCPU(b, server)
	b.ReportMetric((recorded-cpu)*1e6/float64(b.N)/1000, "server-µs/event")
	if err := book.Settle(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric((serverCPU(b, server)-cpu)*1e6/float64(b.N)/1000, "server-µs/event-merged")
	bytes, err := strconv.ParseFloat(server.SQL(b, "test_1", "SELECT pg_current_wal_lsn() - '"+wal+"'"), 64)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(bytes/float64(b.N)/1000, "wal-B/event")
	server.SQL(b, "test_1", "VACUUM daybook.commits")
	b.ReportMetric((serverCPU(b, server)-cpu)*1e6/float64(b.N)/1000, "server-µs/event-vacuumed")
	b.Log(server.SQL(b, "test_1", "SELECT relname, pg_total_relation_size(oid)/1000 FROM pg_class WHERE relnamespace = 'daybook'::regnamespace AND relkind IN ('r') ORDER BY 2 DESC LIMIT 6"))
	if err := book.Close(); err != nil {
		b.Error(err)
	}
}
