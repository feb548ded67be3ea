package api

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/daybook-audit/daybook"
)

// countQuery reads what the histogram and the facets have in common.
func (c *call) countQuery() (daybook.EventQuery, error) {
	q := daybook.EventQuery{Org: c.org, Text: c.param(paramQ), FromText: c.param(paramFrom), ToText: c.param(paramTo), Within: c.within(nil), Hide: c.hidden(), Gaps: true}
	c.seen.within = q.Within
	var err error
	q.Zone, err = c.zone()
	return q, err
}

func getHistogram(c *call) error {
	eq, err := c.countQuery()
	if err != nil {
		return err
	}
	bars, err := c.whole(paramBars)
	if err != nil {
		return err
	}
	h, err := c.s.Book.Histogram(c.r.Context(), daybook.HistogramQuery{EventQuery: eq, Bars: int(bars)})
	if err != nil {
		return err
	}
	out := append(c.out[:0], `{"interval":"`...)
	out = append(out, h.Interval...)
	out = append(out, `","bars":[`...)
	for i, b := range h.Bars {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, `{"from":`...)
		out = appendBound(out, &b.From)
		out = append(out, `,"total":`...)
		out = strconv.AppendInt(out, b.Total, 10)
		out = append(out, `,"failure":`...)
		out = strconv.AppendInt(out, b.Failure, 10)
		out = append(out, `,"denied":`...)
		out = strconv.AppendInt(out, b.Denied, 10)
		out = append(out, '}')
	}
	out = append(out, `],"searched":`...)
	c.noteGaps(&h.Searched)
	out = appendSearched(out, &h.Searched)
	c.out = append(out, '}')
	c.send(http.StatusOK, jsonType, c.out)
	return nil
}

// facetFields are the fields that facets are counted by.
var facetFields = []string{"action", "actor.id", "actor.type", "target.type", "outcome"}

func getFacets(c *call) error {
	eq, err := c.countQuery()
	if err != nil {
		return err
	}
	q := daybook.FacetQuery{EventQuery: eq}
	top, err := c.whole(paramTop)
	if err != nil {
		return err
	}
	q.Top = int(top)
	if q.Names, err = c.flag(paramNames); err != nil {
		return err
	}
	if c.given(paramFields) {
		if q.Fields, err = readFields(c.param(paramFields)); err != nil {
			return err
		}
	}
	f, err := c.s.Book.Facets(c.r.Context(), q)
	if err != nil {
		return err
	}
	out := append(c.out[:0], `{"count":{"value":`...)
	out = strconv.AppendInt(out, f.Count.Value, 10)
	out = append(out, `,"exact":`...)
	out = strconv.AppendBool(out, f.Count.Exact)
	out = append(out, `},"facets":{`...)
	for i := range f.Fields {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendFacet(out, &f.Fields[i])
	}
	out = append(out, `},"searched":`...)
	c.noteGaps(&f.Searched)
	out = appendSearched(out, &f.Searched)
	c.out = append(out, '}')
	c.send(http.StatusOK, jsonType, c.out)
	return nil
}

func appendFacet(dst []byte, f *daybook.Facet) []byte {
	dst = append(dst, '"')
	dst = append(dst, f.Field...)
	dst = append(dst, `":{"values":[`...)
	for i, v := range f.Values {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"value":`...)
		dst = append(dst, marshal(v.Value)...)
		dst = append(dst, `,"count":`...)
		dst = strconv.AppendInt(dst, v.Count, 10)
		dst = append(dst, `,"excess":`...)
		dst = strconv.AppendInt(dst, v.Excess, 10)
		if v.Name != "" {
			dst = append(append(dst, `,"name":`...), marshal(v.Name)...)
		}
		dst = append(dst, '}')
	}
	dst = append(dst, `],"other":`...)
	dst = strconv.AppendInt(dst, f.Other, 10)
	return append(dst, '}')
}

// readFields reads a list of facets; the empty text is the empty list, which asks for the count alone.
func readFields(text string) ([]string, error) {
	fields := []string{}
	if text == "" {
		return fields, nil
	}
	for field := range strings.SplitSeq(text, ",") {
		if !slices.Contains(facetFields, field) || slices.Contains(fields, field) {
			return nil, invalid("invalid_value", paramFields.name, "fields are some of %s, each once.", strings.Join(facetFields, ", "))
		}
		fields = append(fields, field)
	}
	return fields, nil
}
