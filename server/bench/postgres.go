package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/daybook-audit/daybook/server/internal/load"
)

// pgLoads are put on every layout in PostgreSQL.
var pgLoads = []shape{
	{"64 connections, single events", 64, 1},
	{"16 connections × 100 NDJSON", 16, 100},
	{"8 connections × 1,000 NDJSON", 8, 1000},
}

// pgServers are what is measured on PostgreSQL, by how many processes of it share the load.
var pgServers = []struct {
	name  string
	nodes int
}{{"pgplain", 1}, {"pgrows", 1}, {"pg", 1}, {"pg3", 3}}

// pgResult is a load with what it cost in the database.
type pgResult struct {
	load.Line
	cpu, wal, stored float64 // seconds a million events; bytes an event
}

// onPostgres measures rows with indexes and Daybook on a PostgreSQL each, one after the other, and prints them side by side.
func (r *report) onPostgres(ctx context.Context) error {
	r.pg = map[string][]pgResult{}
	for range r.rounds {
		for _, s := range pgServers {
			if err := r.pgLoads(ctx, s.name, s.nodes); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
		}
	}
	fmt.Printf("## Recording into PostgreSQL\n\nThe same load, PostgreSQL on the same %d cores too, durable as it comes (synchronous_commit=on). What PostgreSQL itself uses counts until everything is merged, its checkpoints included.\n\n", cores())
	fmt.Println("| Load | Servers | ev/s | ÷ plain rows | ÷ rows | p50 · p99 ms | server CPU µs/ev | PostgreSQL CPU s/million | WAL B/ev | stored B/ev |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|")
	names := map[string]string{"pgplain": "plain rows: jsonb + indexes, a COPY a request", "pgrows": "rows: the same with group commit", "pg": "Daybook, one node", "pg3": "Daybook, three nodes"}
	for _, sh := range pgLoads {
		plain, base := r.pgMedian("pgplain"+sh.name), r.pgMedian("pgrows"+sh.name)
		for _, s := range pgServers {
			own := r.pgMedian(s.name + sh.name)
			fmt.Printf("| %s | %s | **%.0f** | %.1f× | %.1f× | %.1f · %.1f | %.1f | %.1f | %.0f | %.0f |\n", sh.name, names[s.name], own.EventRate,
				own.EventRate/plain.EventRate, own.EventRate/base.EventRate, own.P50, own.P99, own.CPUPerEvent, own.cpu, own.wal, own.stored)
		}
	}
	fmt.Println()
	return nil
}

// isRows reports whether a name is that of a baseline.
func isRows(name string) bool { return name == "pgplain" || name == "pgrows" }

func (r *report) pgMedian(key string) pgResult {
	rs := r.pg[key]
	mid := rs[0]
	for _, x := range rs {
		slower, faster := 0, 0
		for _, y := range rs {
			if y.EventRate < x.EventRate {
				slower++
			} else if y.EventRate > x.EventRate {
				faster++
			}
		}
		if slower <= len(rs)/2 && faster <= len(rs)/2 {
			mid = x
		}
	}
	return mid
}

// pgLoads starts a cluster and the servers on it, and puts every load on them.
func (r *report) pgLoads(ctx context.Context, name string, nodes int) error {
	c, err := startCluster(ctx, filepath.Join(r.dir, "postgres-"+name))
	if err != nil {
		return err
	}
	defer c.stop()
	for _, database := range []string{"log", "marks"} {
		if err := c.sql(ctx, "postgres", "CREATE DATABASE "+database); err != nil {
			return err
		}
	}
	servers, err := r.startOn(ctx, c, name, nodes)
	defer func() {
		for _, s := range servers {
			s.stop()
		}
	}()
	if err != nil {
		return err
	}
	args := []string{"--server", servers[0].url, "--yes"}
	pids := []string{servers[0].pid()}
	for _, s := range servers[1:] {
		args, pids = append(args, "--also", s.url), append(pids, s.pid())
	}
	args = append(args, "--pid", strings.Join(pids, ","))
	if _, err := r.measure(ctx, append([]string{"load", "--name", name + " prime", "--connections", "64", "--batch", "1", "--events", "20000"}, args...)...); err != nil {
		return err
	}
	for _, sh := range pgLoads {
		res, err := r.pgLoad(ctx, c, servers, name, sh, args)
		if err != nil {
			return err
		}
		r.pg[name+sh.name] = append(r.pg[name+sh.name], res)
	}
	return nil
}

// pgLoad puts one load on servers.
func (r *report) pgLoad(ctx context.Context, c *cluster, servers []*server, name string, sh shape, args []string) (pgResult, error) {
	var res pgResult
	count, before, err := r.pgState(ctx, c, servers, name)
	if err != nil {
		return res, err
	}
	how := []string{
		"load", "--name", name + " " + sh.name, "--connections", strconv.Itoa(sh.connections), "--batch", strconv.Itoa(sh.batch),
		"--duration", r.each.String(), "--warmup", (r.each / 5).String(),
	}
	rs, err := r.measure(ctx, append(how, args...)...)
	if err != nil {
		return res, err
	}
	if res.Line = rs[0]; res.Errors > 0 {
		return res, fmt.Errorf("%s: %d requests failed: %s", sh.name, res.Errors, res.FirstFail)
	}
	after, spent, err := r.pgState(ctx, c, servers, name)
	if err != nil {
		return res, err
	}
	n := float64(after - count)
	res.cpu, res.wal, res.stored = (spent.cpu-before.cpu)*1e6/n, float64(spent.wal-before.wal)/n, float64(spent.stored-before.stored)/n
	line := fmt.Appendf(nil, `{"bench":"postgres","name":%q,"events":%.0f,"postgres_cpu_seconds_per_million":%.2f,"wal_bytes_per_event":%.0f,"stored_bytes_per_event":%.0f}`+"\n",
		name+" "+sh.name, n, res.cpu, res.wal, res.stored)
	if r.out != "" {
		err = appendFile(r.out, line)
	}
	return res, err
}

// pgState returns how many entries there are and what they have cost, once there is nothing left to merge.
func (r *report) pgState(ctx context.Context, c *cluster, servers []*server, name string) (entries int64, k costs, err error) {
	if isRows(name) {
		if err = c.sql(ctx, "log", "SELECT coalesce(sum(size), 0)::bigint FROM heads", &entries); err == nil {
			k, err = c.costs(ctx, "log")
		}
		return entries, k, err
	}
	for _, s := range servers {
		if err := r.settled(ctx, s); err != nil {
			return 0, k, err
		}
		n, err := r.metric(ctx, s, "daybook_entries_total")
		if err != nil {
			return 0, k, err
		}
		entries += int64(n)
	}
	k, err = c.costs(ctx, "log")
	return entries, k, err
}

// startOn starts servers on a cluster, with one key for all of them.
func (r *report) startOn(ctx context.Context, c *cluster, name string, nodes int) (servers []*server, err error) {
	if isRows(name) {
		s, err := r.start(ctx, name, "load", "-postgres", c.url("log"), "-plain="+strconv.FormatBool(name == "pgplain"))
		if s != nil {
			servers = append(servers, s)
		}
		return servers, err
	}
	if r.key, err = r.makeKey(ctx, c.url("log")); err != nil {
		return nil, err
	}
	for i := range nodes {
		s, err := r.start(ctx, name, strconv.Itoa(i), "--db", c.url("log"), "--highwater", c.url("marks"), "--listen", "127.0.0.1:"+strconv.Itoa(18100+i))
		if s != nil {
			servers = append(servers, s)
		}
		if err != nil {
			return servers, err
		}
	}
	return servers, nil
}
