package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/client"
	"github.com/daybook-audit/daybook/server/internal/load"
	"github.com/daybook-audit/daybook/server/internal/madeup"
)

// queryBench is one run of `bench query`.
type queryBench struct {
	name          string
	repeats, pid  int
	cold, goBench bool
	only          string
	asker         *load.Asker
}

func newBenchQuery(e *env) *cobra.Command {
	var q queryBench
	cmd := &cobra.Command{
		Use: "query", Short: "Measure searches: every kind of filter, hit and miss",
		Long: `Values that hit are taken from entries all over the logs, so that new and old ones are asked for. Values that miss have the same form
and occur nowhere. Without --org the organizations are asked in turn, larger ones more often.`,
		Example: `  $ daybook bench query --org org_1
  $ daybook bench query --repeats 1000 --only actor,word
  $ daybook bench query --cold`,
		Annotations: map[string]string{exitsNote: "0 measured · 1 the server cannot be reached · 8 some searches failed or were cut short"},
		Args:        exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cannot("measure", q.run(cmd.Context(), e))
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&q.name, "name", "", "name of the run in its lines")
	fl.IntVar(&q.repeats, "repeats", 300, "searches of each kind, hit and miss each")
	fl.IntVar(&q.pid, "pid", 0, "process of the server: its CPU and memory are reported (Linux)")
	fl.BoolVar(&q.cold, "cold", false, "drop the system's file cache before each search (root, Linux)")
	fl.BoolVar(&q.goBench, "go-bench", false, "also print the lines that go test -bench would, for benchstat")
	fl.StringVar(&q.only, "only", "", "kinds to measure, separated by commas (default all)")
	return cmd
}

// filterKind is one kind of filter: how to ask for what an entry has, and for what none has.
type filterKind struct {
	name string
	hit  func(x *client.Entry) string // empty: this entry has none
	miss func(n int) string
}

var filterKinds = []filterKind{
	{"latest", func(*client.Entry) string { return " " }, nil},
	{"actor", func(x *client.Entry) string { return field("actor", x.Event.Actor.ID) }, numbered("actor:usr_x%d")},
	{"target", func(x *client.Entry) string {
		if ref := targetRef(&x.Event); ref != "" {
			return field("target", ref)
		}
		return ""
	}, numbered("target:invoice:x%d")},
	{"action", func(x *client.Entry) string { return field("action", x.Event.Action) }, numbered("action:never.happened%d")},
	{"outcome", func(x *client.Entry) string {
		if x.Event.Outcome == "" {
			return ""
		}
		return field("outcome", string(x.Event.Outcome))
	}, nil},
	{"ip", func(x *client.Entry) string {
		if x.Event.Context.IP == "" {
			return ""
		}
		return "ip:" + quotedValue(x.Event.Context.IP)
	}, numbered("ip:192.0.2.%d")},
	{"request_id", func(x *client.Entry) string {
		if x.Event.Context.RequestID == "" {
			return ""
		}
		return field("request_id", x.Event.Context.RequestID)
	}, numbered("request_id:req_none%d")},
	{"word", func(x *client.Entry) string {
		var meta struct{ Note string }
		if json.Unmarshal(x.Event.Metadata, &meta) != nil || meta.Note == "" {
			return ""
		}
		w := strings.Fields(meta.Note)
		return w[int(x.Seq)%len(w)]
	}, numbered("nowhere%d")},
	{"phrase", func(x *client.Entry) string {
		if x.Event.Actor.Name == "" {
			return ""
		}
		return quotedValue(x.Event.Actor.Name)
	}, numbered(`"nobody number%d"`)},
	{"metadata", func(x *client.Entry) string {
		var meta struct{ Team string }
		if json.Unmarshal(x.Event.Metadata, &meta) != nil || meta.Team == "" {
			return ""
		}
		return field("meta.team", meta.Team)
	}, numbered("meta.team:none%d")},
	{"changed", func(x *client.Entry) string {
		if len(x.Event.Changes) == 0 {
			return ""
		}
		return "changed:" + strings.TrimPrefix(x.Event.Changes[0].Path, "/")
	}, numbered("changed:nothing%d")},
	{"actor and action", func(x *client.Entry) string {
		return field("actor", x.Event.Actor.ID) + " " + field("action", x.Event.Action)
	}, numbered("actor:usr_1 action:never.happened%d")},
	{"one day", func(x *client.Entry) string {
		return "occurred:" + happened(x).UTC().Format("2006-01-02")
	}, numbered("occurred:19%02d")},
}

func numbered(form string) func(int) string {
	return func(n int) string { return fmt.Sprintf(form, n%100) }
}

// field is a condition with a literal value.
func field(name, value string) string { return name + ":" + quotedValue(value) }

// quotedValue quotes a value if it needs it.
func quotedValue(s string) string {
	if strings.ContainsAny(s, " \t\"(),\\*") || strings.Contains(s, "..") {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
	}
	return s
}

func (q *queryBench) run(ctx context.Context, e *env) error {
	if q.repeats < 1 {
		return usage("--repeats must be at least 1")
	}
	if q.cold && !dropCaches() {
		return usage("--cold needs root on Linux: the file cache cannot be dropped here")
	}
	c, err := e.connect()
	if err != nil {
		return err
	}
	t, err := e.target()
	if err != nil {
		return err
	}
	u, err := plainURL(t.server.value)
	if err != nil {
		return err
	}
	q.asker = &load.Asker{Server: u, Key: t.key.value}
	defer q.asker.Close()
	orgs, size, err := q.orgs(ctx, c, daybook.OrgID(t.org.value))
	if err != nil {
		return err
	}
	samples, err := q.samples(ctx, c, orgs)
	if err != nil {
		return err
	}
	e.note("%s in %s, %s as samples", count(int(size), "entry", "entries"), count(len(orgs), "log", "logs"), count(len(samples), "entry", "entries"))
	failed := int64(0)
	for _, kind := range filterKinds {
		if q.only != "" && !strings.Contains(","+q.only+",", ","+kind.name+",") {
			continue
		}
		for _, miss := range []bool{false, true} {
			if miss && kind.miss == nil {
				continue
			}
			r, err := q.measure(ctx, e, kind, miss, samples)
			if err != nil {
				return err
			}
			if r == nil {
				continue
			}
			r.Settings["entries"], r.Settings["orgs"] = size, len(orgs)
			failed += r.Errors
			if err := r.Print(e.stdout, q.goBench); err != nil {
				return err
			}
		}
	}
	if failed > 0 {
		return ended(exitPartial)
	}
	return nil
}

// orgs returns the logs to ask, larger ones first, and how many entries they hold.
func (q *queryBench) orgs(ctx context.Context, c *client.Client, only daybook.OrgID) ([]client.Organization, int64, error) {
	all, err := c.Organizations(ctx)
	if err != nil {
		return nil, 0, err
	}
	var orgs []client.Organization
	var size int64
	for _, o := range all {
		if o.Size > 0 && (only == "" || o.ID == only) {
			orgs, size = append(orgs, o), size+o.Size
		}
	}
	if len(orgs) == 0 {
		return nil, 0, usage("there is nothing recorded: daybook bench load first")
	}
	sort.Slice(orgs, func(i, j int) bool { return orgs[i].Size > orgs[j].Size })
	return orgs, size, nil
}

// samples takes entries from all over the logs, as many from each as its size asks for, at most 400.
func (q *queryBench) samples(ctx context.Context, c *client.Client, orgs []client.Organization) ([]client.Entry, error) {
	z := madeup.NewZipf(len(orgs))
	var out []client.Entry
	want := min(400, 4*q.repeats)
	for i := range want {
		o := orgs[z.Draw((float64(i)+0.5)/float64(want))]
		seq := int64(uint64(i)*0x9e3779b97f4a7c15>>11) % o.Size
		page, err := c.Events(ctx, client.Query{Org: o.ID, Text: "seq:" + strconv.FormatInt(seq, 10), Limit: 1})
		if err != nil {
			return nil, err
		}
		out = append(out, page.Entries...)
	}
	if len(out) == 0 {
		return nil, errors.New("no entry could be read")
	}
	return out, nil
}

// measure asks one kind of filter again and again; nil when no sample has a value for it.
func (q *queryBench) measure(ctx context.Context, e *env, kind filterKind, miss bool, samples []client.Entry) (*load.Line, error) {
	name := kind.name + " hit"
	if miss {
		name = kind.name + " miss"
	}
	r := e.line("query", strings.TrimSpace(q.name+" "+name), map[string]any{"kind": kind.name, "miss": miss, "cold": q.cold})
	var h load.Latencies
	blocks, rows, partial := 0, 0, 0
	before := load.UseOf(q.pid)
	start := e.now()
	for i, asked := 0, 0; asked < q.repeats && i < 4*q.repeats; i++ {
		x := &samples[i%len(samples)]
		text := kind.hit(x)
		if miss {
			text = kind.miss(i)
		} else if text == "" {
			continue
		}
		asked++
		if q.cold {
			dropCaches()
		}
		page := &client.Page{}
		begin := e.now()
		body, err := q.asker.Search(ctx, x.Org, strings.TrimSpace(text))
		h.Add(e.now().Sub(begin))
		r.Requests++
		if err == nil {
			err = json.Unmarshal([]byte(body), page)
		}
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			r.Errors++
			if r.FirstFail == "" {
				r.FirstFail = err.Error()
			}
			continue
		case !page.Searched.Complete:
			partial++
		case !miss && len(page.Entries) == 0:
			r.Errors++
			if r.FirstFail == "" {
				r.FirstFail = text + " found nothing"
			}
		case miss && slices.ContainsFunc(page.Entries, recorded) && kind.name != "one day":
			r.Errors++
			if r.FirstFail == "" {
				r.FirstFail = text + " found something"
			}
		}
		blocks += page.Searched.Blocks
		rows += len(page.Entries)
	}
	if r.Requests == 0 {
		return nil, nil
	}
	r.Seconds = e.now().Sub(start).Seconds()
	r.Rate = float64(r.Requests) / r.Seconds
	r.Latencies(&h)
	after := load.UseOf(q.pid)
	r.ServerCPU, r.ServerRSS = after.CPU-before.CPU, after.RSS
	r.More = map[string]any{"blocks_per_search": float64(blocks) / float64(r.Requests), "rows_per_search": float64(rows) / float64(r.Requests), "partial": partial}
	return r, nil
}

// recorded reports whether x was recorded by a producer. What the log says of searches holds what was searched for.
func recorded(x client.Entry) bool { return !strings.HasPrefix(x.Event.Action, "daybook.") }

// dropCaches empties the system's file cache, where that is allowed.
func dropCaches() bool {
	return os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0o200) == nil
}
