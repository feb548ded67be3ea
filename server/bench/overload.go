package main

import (
	"context"
	"fmt"
	"path/filepath"
)

// overload asks one node for three times what it can do, on SQLite and on PostgreSQL.
func (r *report) overload(ctx context.Context) error {
	fmt.Printf("## Overload\n\nSingle events, 2,000 connections; 10,000 idle connections, 500 clients that send and 500 that read a byte a second stay beside the last two rows of each. Latencies of what was accepted, from the intended start.\n\n")
	fmt.Println("| Store | Asked for | accepted/s | p50 · p99 · max ms | refused (503, Retry-After) | their p99 ms | no connection free | failed | RSS MB at most |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|")
	s, err := r.start(ctx, "daybook", "overload")
	if s != nil {
		defer s.stop()
	}
	if err == nil {
		err = r.overloadOne(ctx, s, "SQLite")
	}
	if err != nil {
		return err
	}
	s.stop()
	c, err := startCluster(ctx, filepath.Join(r.dir, "postgres-overload"))
	if err != nil {
		return err
	}
	defer c.stop()
	for _, database := range []string{"log", "marks"} {
		if err := c.sql(ctx, "postgres", "CREATE DATABASE "+database); err != nil {
			return err
		}
	}
	servers, err := r.startOn(ctx, c, "pg", 1)
	for _, s := range servers {
		defer s.stop()
	}
	if err == nil {
		err = r.overloadOne(ctx, servers[0], "PostgreSQL")
	}
	fmt.Println()
	return err
}

func (r *report) overloadOne(ctx context.Context, s *server, store string) error {
	rs, err := r.measure(ctx, "overload", "--server", s.url, "--pid", s.pid(), "--name", store, "--yes")
	if err != nil {
		return err
	}
	for _, x := range rs[:len(rs)-1] {
		fmt.Printf("| %s | %s | %.0f | %.1f · %.1f · %.0f | %.0f | %.1f | %.0f | %d | %d |\n", store, x.Name[len(store)+1:], float64(x.Events)/x.Seconds, x.P50, x.P99, x.Max,
			x.More["refused"], x.More["refused_p99_ms"], x.More["unsent"], x.Errors, x.ServerRSS>>20)
	}
	last := rs[len(rs)-1]
	fmt.Printf("| %s | receipts looked up: %d, without an entry: %d | | | | | | | |\n", store, last.Events, last.Errors)
	return nil
}
