package api

import (
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// param is a parameter of the query string, with its description for the document.
type param struct {
	name, doc string
	schema    huma.Schema
}

func number(low, high, fallback int) huma.Schema {
	s := huma.Schema{Type: huma.TypeInteger, Format: "int64", Minimum: new(float64(low))}
	if high > 0 {
		s.Maximum = new(float64(high))
	}
	if fallback > 0 {
		s.Default = fallback
	}
	return s
}

var (
	text      = huma.Schema{Type: huma.TypeString}
	manyTexts = huma.Schema{Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeString}}
	yesOrNo   = huma.Schema{Type: huma.TypeBoolean}
	yes       = huma.Schema{Type: huma.TypeBoolean, Default: false}

	paramName        = param{"name", "Part of the id or the name, in any case.", text}
	paramSentences   = param{"sentences", "Also what each entry says, in one line.", yes}
	paramPartial     = param{"partial", "Record the good events of a batch although others are refused.", yes}
	paramQ           = param{"q", "A query, such as `actor:usr_1 action:invoice.* outcome:failure`. Empty: everything.", text}
	paramFrom        = param{"from", "Only what occurred at or after this moment: `2026-11-21`, `2026-11-21T14:22:07Z`, `now-7d`, `today`.", text}
	paramTo          = param{"to", "Only what occurred before this moment.", text}
	paramTZ          = param{"tz", "IANA time zone in which dates without an offset are read and days are cut.", huma.Schema{Type: huma.TypeString, Default: "UTC"}}
	paramOrder       = param{"order", "`log`: in the order of recording; `occurred`: by occurred_at.", huma.Schema{Type: huma.TypeString, Enum: []any{"log", "occurred"}, Default: "log"}}
	paramAsc         = param{"asc", "Oldest first.", yes}
	paramLimit       = param{"limit", "Most rows of one page.", number(1, maxLimit, defaultLimit)}
	paramCursor      = param{"cursor", "`next_cursor` of the page before. Everything but `limit` must be as it was, or left out.", text}
	paramFromSeq     = param{"from_seq", "Start at this seq. `Last-Event-ID` wins over it; without either, what is recorded from now on is sent.", number(0, 0, 0)}
	paramBars        = param{"bars", "Most bars.", number(1, maxBars, 60)}
	paramFields      = param{"fields", "Which facets, separated by commas: `action`, `actor.id`, `actor.type`, `target.type`, `outcome`. Left out: all; empty: the count alone.", text}
	paramNames       = param{"names", "With each value of `actor.id` the name that the newest of these entries which names the actor gives it, as far as 50 ms go.", yes}
	paramSeq         = param{"seq", "The entry's seq.", number(0, 0, 0)}
	paramSize        = param{"size", "Size of the tree, at most that of the newest checkpoint. Left out: that, after signing what is unsigned.", number(1, 0, 0)}
	paramAnchorIndex = param{"seq", "Place of the leaf, from 0.", number(0, 0, 0)}
	paramAnchorSize  = param{"size", "Size of the tree, at most that of the newest checkpoint. Left out: that.", number(1, 0, 0)}
	paramAnchorTo    = param{"to", "Size of the newer tree, at most that of the newest checkpoint. Left out: that.", number(1, 0, 0)}
	paramExp         = param{"exp", "Until when the address opens the file.", text}
	paramSig         = param{"sig", "What shows that the server has made it.", text}
	paramConsistent  = param{"consistent", "Everything that any node was told is recorded is seen, at the price of a question to the database. Without it what other nodes were told less than a second ago may be missing.", yes}
	paramMinSize     = param{"min_size", "The log is seen with at least so many entries: one more than the seq of a receipt. It costs nothing when they are seen anyway.", number(1, 0, 0)}
	paramTop         = param{"top", "Most values of one facet.", number(1, maxTop, 20)}
)

var (
	paramMask  = param{"mask", "Paths of fields that are withheld, such as `/actor/email` or `/targets/*/name`, separated by commas. The bundle says that it is masked.", text}
	paramSince = param{"since", "Sizes of older checkpoints that the reader may remember, separated by commas: the bundle links them to its own.", text}

	paramBundleFrom = param{"from", "Seq of the first entry. Left out: 0.", number(0, 0, 0)}
	paramBundleTo   = param{"to", "Seq after the last entry. Left out: to the end of the tree.", number(1, 0, 0)}

	paramEvidenceFrom = param{paramBundleFrom.name, "Seq of the first entry.", number(0, 0, 0)}
	paramEvidenceTo   = param{paramBundleTo.name, "Seq after the last entry, at most 1,000 after the first.", number(1, 0, 0)}

	paramFromSize = param{"from", "Size of the older tree.", number(1, 0, 0)}
	paramToSize   = param{"to", "Size of the newer tree, at most that of the newest checkpoint. Left out: that, after signing what is unsigned.", number(1, 0, 0)}
)

const (
	defaultLimit = 50
	maxLimit     = 1000
	maxBars      = 120
	maxTop       = 64
)

// readParams parses the query string and refuses what the route does not know.
func (c *call) readParams(known []param) error {
	if c.r.URL.RawQuery == "" {
		return nil
	}
	values, err := url.ParseQuery(c.r.URL.RawQuery)
	if err != nil {
		return invalid("invalid_format", "", "the query string is not percent-encoded as it should be.")
	}
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		switch {
		case !slices.ContainsFunc(known, func(p param) bool { return p.name == name }):
			return invalid("unknown_parameter", cut(name), "there is no parameter %q here; %s.", cut(name), listed(known))
		case len(values[name]) > 1 && !slices.ContainsFunc(known, func(p param) bool { return p.name == name && p.schema.Type == huma.TypeArray }):
			return invalid("unknown_parameter", name, "the parameter %q stands more than once.", name)
		}
	}
	c.query = values
	return nil
}

func listed(known []param) string {
	if len(known) == 0 {
		return "this route has none"
	}
	names := make([]string, 0, len(known))
	for _, p := range known {
		names = append(names, p.name)
	}
	return "known are " + strings.Join(names, ", ")
}

func (c *call) param(p param) string {
	if v := c.query[p.name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// given tells an empty parameter from a missing one.
func (c *call) given(p param) bool { return len(c.query[p.name]) > 0 }

func (c *call) flag(p param) (bool, error) {
	switch v := c.param(p); v {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	default:
		return false, invalid("invalid_value", p.name, "%s is true or false.", p.name)
	}
}

// whole reads a whole number within the bounds of its schema.
func (c *call) whole(p param) (int64, error) {
	text := c.param(p)
	if text == "" {
		fallback, _ := p.schema.Default.(int)
		return int64(fallback), nil
	}
	low, high := int64(*p.schema.Minimum), int64(math.MaxInt64)
	if p.schema.Maximum != nil {
		high = int64(*p.schema.Maximum)
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < low || n > high {
		if p.schema.Maximum == nil {
			return 0, invalid("invalid_value", p.name, "%s is a whole number from %d.", p.name, low)
		}
		return 0, invalid("invalid_value", p.name, "%s is a whole number from %d to %d.", p.name, low, high)
	}
	return n, nil
}

// zone reads tz. The machine's own zone is nobody's business.
func (c *call) zone() (*time.Location, error) {
	name := c.param(paramTZ)
	if name == "" {
		return time.UTC, nil
	}
	if name != "Local" {
		if zone, err := time.LoadLocation(name); err == nil {
			return zone, nil
		}
	}
	return nil, invalid("invalid_value", paramTZ.name, "there is no time zone %q.", cut(name))
}
