package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/load"
	"github.com/daybook-audit/daybook/server/internal/madeup"
)

// newBenchCommit measures the Book without HTTP: one writer that waits for each commit.
func newBenchCommit(e *env) *cobra.Command {
	var w workload
	var dir, name string
	var n, batch int
	var goBench bool
	cmd := &cobra.Command{
		Use: "commit", Short: "Measure one writer alone on a store of its own, without HTTP",
		Example: `  $ daybook bench commit
  $ daybook bench commit --batch 1000 --commits 500
  $ daybook bench commit --dir /mnt/disk`,
		Annotations: map[string]string{exitsNote: "0 measured · 1 the folder cannot be used"},
		Args:        exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			tmp, err := os.MkdirTemp(dir, "daybook-bench-*")
			if err != nil {
				return cannot("measure", err)
			}
			defer os.RemoveAll(tmp) //nolint:errcheck // what stays costs space and nothing else
			r := e.line("commit", name, map[string]any{"batch": batch, "orgs": w.Orgs, "size": w.Size, "seed": w.Seed})
			if err := e.benchCommit(cmd.Context(), r, w, filepath.Join(tmp, "daybook.db"), n, batch); err != nil {
				return cannot("measure", err)
			}
			e.note("%d commits of %s: p50 %.3f ms, p99 %.3f ms, max %.1f ms", n, count(batch, "event", "events"), r.P50, r.P99, r.Max)
			return r.Print(e.stdout, goBench)
		},
	}
	w.flags(cmd)
	fl := cmd.Flags()
	fl.StringVar(&dir, "dir", "", "folder on the disk to measure (default: the system's for temporary files)")
	fl.StringVar(&name, "name", "", "name of the run in its line")
	fl.IntVar(&n, "commits", 2000, "how many")
	fl.IntVar(&batch, "batch", 1, "events a commit")
	fl.BoolVar(&goBench, "go-bench", false, "also print the line that go test -bench would, for benchstat")
	return cmd
}

func (e *env) benchCommit(ctx context.Context, r *load.Line, w workload, db string, n, batch int) (err error) {
	if n < 1 || batch < 1 || batch > maxBatch || w.Orgs < 1 {
		return usage("--commits and --orgs must be at least 1, --batch 1 to %d", maxBatch)
	}
	s, err := openStore(ctx, db, storeOptions{})
	if err != nil {
		return err
	}
	book, err := daybook.Open(ctx, s, daybook.Options{Now: e.now})
	if err != nil {
		return errors.Join(err, s.Close())
	}
	defer func() { err = errors.Join(err, book.Close(), s.Close()) }()
	src := w.Source()
	var h load.Latencies
	before := load.UseOf(os.Getpid())
	var body bytes.Buffer
	for i := range n + n/10 { // the first tenth warms up
		org := src.Org()
		events := make([][]byte, batch)
		for j := range events {
			body.Reset()
			if err := src.NextOf(&body, org, e.now().UTC()); err != nil {
				return err
			}
			events[j] = bytes.Clone(body.Bytes())
		}
		start := e.now()
		if _, err := book.RecordJSON(ctx, daybook.OrgID(madeup.OrgID(org)), daybook.Request{Events: events}); err != nil {
			return err
		}
		if i >= n/10 {
			spent := e.now().Sub(start)
			h.Add(spent)
			r.Seconds += spent.Seconds()
		}
	}
	r.Requests, r.Events = int64(n), int64(n*batch)
	r.Rate, r.EventRate = float64(n)/r.Seconds, float64(n*batch)/r.Seconds
	r.Latencies(&h)
	r.ServerCPU = load.UseOf(os.Getpid()).CPU - before.CPU
	return nil
}

// newBenchStart measures how long a store takes to open.
func newBenchStart(e *env) *cobra.Command {
	var db, name string
	var n int
	var goBench bool
	cmd := &cobra.Command{
		Use: "start", Short: "Measure how long a store takes to open, and the memory that takes; no server may run",
		Example: `  $ daybook bench start --db daybook.db
  $ daybook bench start --db daybook.db --repeats 5
  $ daybook bench start --db daybook.db --go-bench`,
		Annotations: map[string]string{exitsNote: "0 measured · 1 the store is in use · 2 there is no store"},
		Args:        exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			r := e.line("start", name, map[string]any{})
			var h load.Latencies
			for range max(n, 1) {
				start := e.now()
				s, err := openStore(cmd.Context(), db, storeOptions{mustExist: true})
				if err != nil {
					return cannot("open the store", err)
				}
				book, err := daybook.Open(cmd.Context(), s, daybook.Options{Now: e.now})
				if err != nil {
					return cannot("open the log", errors.Join(err, s.Close()))
				}
				spent := e.now().Sub(start)
				h.Add(spent)
				r.Seconds += spent.Seconds()
				stats := book.Stats()
				r.ServerRSS = load.UseOf(os.Getpid()).RSS
				r.More = map[string]any{"tail_entries": stats.TailEntries, "tail_bytes": stats.TailBytes, "logs": stats.Logs, "debt": stats.MergeDebt}
				if err := errors.Join(book.Close(), s.Close()); err != nil {
					return cannot("close the store", err)
				}
			}
			r.Requests = h.N()
			r.Latencies(&h)
			e.note("open in %.0f ms, at most %.0f", r.P50, r.Max)
			return r.Print(e.stdout, goBench)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&db, "db", "daybook.db", "the store")
	fl.StringVar(&name, "name", "", "name of the run in its line")
	fl.IntVar(&n, "repeats", 3, "how often")
	fl.BoolVar(&goBench, "go-bench", false, "also print the line that go test -bench would, for benchstat")
	return cmd
}

// newBenchDisk measures the bytes an entry takes.
func newBenchDisk(e *env) *cobra.Command {
	var db, name string
	var entries int64
	cmd := &cobra.Command{
		Use: "disk", Short: "Bytes that a store takes for an entry",
		Example: `  $ daybook bench disk --db daybook.db
  $ daybook bench disk --db daybook.db --name settled
  $ daybook bench disk --db daybook.db --entries 3000000`,
		Annotations: map[string]string{exitsNote: "0 measured · 2 there is no store"},
		Args:        exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			r := e.line("disk", name, map[string]any{})
			sizes := map[string]any{}
			var total int64
			for _, suffix := range []string{"", "-wal"} {
				if info, err := os.Stat(db + suffix); err == nil {
					total += info.Size()
					sizes["file"+suffix] = info.Size()
				}
			}
			if entries == 0 {
				s, err := openStore(cmd.Context(), db, storeOptions{readOnly: true})
				if err != nil {
					return cannot("open the store", err)
				}
				report, err := daybook.Fsck(cmd.Context(), s, daybook.FsckOptions{})
				if err := errors.Join(err, s.Close()); err != nil {
					return cannot("count the entries", err)
				}
				entries = report.Entries
				sizes["blocks"], sizes["commits"], sizes["logs"] = report.Blocks, report.Commits, report.Logs
			}
			if entries > 0 {
				sizes["bytes_per_entry"] = float64(total) / float64(entries)
			}
			r.Events, r.More = entries, sizes
			e.note("%s for %s: %.1f bytes each", bytesText(total), count(int(entries), "entry", "entries"), float64(total)/float64(max(entries, 1)))
			return r.Print(e.stdout, false)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&db, "db", "daybook.db", "the store")
	fl.StringVar(&name, "name", "", "name of the run in its line")
	fl.Int64Var(&entries, "entries", 0, "how many it holds (default: count them, which takes as long as fsck)")
	return cmd
}

// newBenchNull serves nothing: what the HTTP layer and the load client can do at most.
func newBenchNull(e *env) *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use: "null", Short: "A server that reads each request and records nothing: the ceiling of HTTP",
		Example: `  $ daybook bench null --listen 127.0.0.1:8099
  $ daybook bench load --server http://127.0.0.1:8099 --batch 1 --connections 64
  $ daybook bench load --server http://127.0.0.1:8099 --batch 100`,
		Annotations: map[string]string{exitsNote: "1 the address cannot be used · 130, 143 stopped"},
		Args:        exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := (&net.ListenConfig{}).Listen(cmd.Context(), "tcp", listen)
			if err != nil {
				return cannot("listen", err)
			}
			answer := []byte(`{"id":"evt_01m7z7rs1affyad5cmxxj94a79","seq":0,"leaf_hash":"DWs3Fgpci0003POYBQd4v0T7zttUWOX+0XKL25CeDmQ=","received_at":"2026-11-21T14:22:07.402118Z","duplicate":false}`)
			server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if _, err := io.Copy(io.Discard, r.Body); err != nil {
					return
				}
				w.Header()["Content-Type"] = []string{"application/json"}
				w.WriteHeader(http.StatusCreated)
				w.Write(answer) //nolint:errcheck // the client sees it
			})}
			fmt.Fprintf(e.stdout, "http://%s\n", l.Addr())
			stop := context.AfterFunc(cmd.Context(), func() { server.Close() }) //nolint:errcheck // nothing to keep
			defer stop()
			if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return cannot("serve", err)
			}
			return context.Cause(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8099", "address to listen on")
	return cmd
}

// newBenchSync measures the disk: appending and syncing, which bounds what any durable log can do.
func newBenchSync(e *env) *cobra.Command {
	var dir string
	var n, size int
	cmd := &cobra.Command{
		Use: "sync", Short: "Measure append and fsync on a disk: the floor of a durable commit",
		Example: `  $ daybook bench sync
  $ daybook bench sync --dir /mnt/disk --bytes 65536
  $ daybook bench sync --repeats 10000`,
		Annotations: map[string]string{exitsNote: "0 measured · 1 the folder cannot be used"},
		Args:        exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := os.CreateTemp(dir, "daybook-bench-*")
			if err != nil {
				return cannot("measure", err)
			}
			defer os.Remove(f.Name()) //nolint:errcheck // what stays costs space and nothing else
			defer f.Close()           //nolint:errcheck // nothing in it is needed
			r := e.line("sync", "", map[string]any{"bytes": size})
			var h load.Latencies
			buf := make([]byte, size)
			for range n {
				start := e.now()
				if _, err := f.Write(buf); err != nil {
					return cannot("measure", err)
				}
				if err := f.Sync(); err != nil {
					return cannot("measure", err)
				}
				h.Add(e.now().Sub(start))
				if cmd.Context().Err() != nil {
					return context.Cause(cmd.Context())
				}
			}
			r.Requests = h.N()
			r.Latencies(&h)
			e.note("p50 %.3f ms, p99 %.3f ms, max %.1f ms", r.P50, r.P99, r.Max)
			return r.Print(e.stdout, false)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&dir, "dir", "", "folder on the disk to measure (default: the system's for temporary files)")
	fl.IntVar(&n, "repeats", 2000, "how often")
	fl.IntVar(&size, "bytes", 4096, "bytes appended before each sync")
	return cmd
}
