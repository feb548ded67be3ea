package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook/client"
	"github.com/daybook-audit/daybook/query"
)

// parseMoment checks a time of the query language.
func parseMoment(s string) (string, error) {
	if _, err := query.Parse("occurred:"+quoted(s), query.Options{}); err != nil {
		if q, ok := errors.AsType[*query.Error](err); ok {
			return "", errors.New(q.Message)
		}
		return "", err
	}
	return s, nil
}

// quoted is s, safe inside a query; a time needs no quotes, and anything that would is no time.
func quoted(s string) string {
	return strings.NewReplacer(" ", `\ `, "(", `\(`, ")", `\)`, `"`, `\"`, ",", `\,`).Replace(s)
}

// queryFailure draws a caret under the wrong part when the server or the parser refused the query.
func (e *env) queryFailure(doing, text string, err error) error {
	var p *client.Problem
	var local *query.Error
	var q client.QueryFault
	switch {
	case errors.As(err, &local):
		q = client.QueryFault{Code: local.Code, Pos: local.Pos, Len: local.Len, Message: local.Message, Hint: local.Hint, Suggestions: local.Suggestions}
	case errors.As(err, &p) && p.Query != nil:
		q = *p.Query
	default:
		return cannot(doing, err)
	}
	return &usageError{message: "the query is wrong: " + q.Code + "\n" + caret(text, q), try: "daybook help query"}
}

// caret draws a query error: the query, a mark below the whole token, what is wrong.
func caret(text string, q client.QueryFault) string {
	// One symbol a code point, so that the mark stands where it should.
	var line strings.Builder
	runes := []rune(text)
	for _, r := range runes {
		s := visible(string(r))
		if cells(s) != 1 && runeWidth(r) != 2 {
			s = "·"
		}
		line.WriteString(s)
	}
	pos, end := min(q.Pos, len(runes)), min(q.Pos+max(q.Len, 1), len(runes))
	pad := 0
	for _, r := range runes[:pos] {
		pad += max(1, runeWidth(r))
	}
	width := 0
	for _, r := range runes[pos:end] {
		width += max(1, runeWidth(r))
	}
	message := q.Message
	if q.Hint != "" && !strings.Contains(message, q.Hint) {
		message += " " + q.Hint
	}
	return fmt.Sprintf("  %s\n  %s%s\n  %s", line.String(), strings.Repeat(" ", pad), strings.Repeat("^", max(1, width)), message)
}

func newQuery(e *env) *cobra.Command {
	cmd := &cobra.Command{Use: "query", Short: "The query language, and what a query means", Long: queryTopic()}
	cmd.AddCommand(newQueryExplain(e))
	return cmd
}

func newQueryExplain(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "explain QUERY", Short: "Normal form, tree and meaning of a query; needs no server",
		Example: `  $ daybook query explain 'outcome:failure OR outcome:denied -actor.type:system'
  $ daybook query explain 'occurred:today refund*' --tz Europe/Berlin
  $ daybook query explain 'target:invoice:42' -o json`,
		Annotations: map[string]string{queryNote: "yes", exitsNote: "0 explained · 2 bad query"},
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("QUERY is missing")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			text := strings.Join(args, " ")
			loc, _, err := e.zone()
			if err != nil {
				return err
			}
			q, err := query.Parse(text, query.Options{Now: e.now(), Zone: loc, Place: query.Operator})
			if err != nil {
				return e.queryFailure("explain", text, err)
			}
			return e.explainQuery(q)
		},
	}
}

// explainQuery prints q. The default is for people, also in a pipe: there is nothing here that a table could hold.
func (e *env) explainQuery(q *query.Query) error {
	format, err := e.format()
	if err != nil {
		return err
	}
	tree := q.Explain()
	if format == "json" || format == "ndjson" {
		out := struct {
			Normal string      `json:"normal"`
			Words  string      `json:"words"`
			Tree   *query.Node `json:"tree"`
		}{q.String(), q.Words(), tree}
		enc := json.NewEncoder(e.stdout)
		enc.SetEscapeHTML(false)
		if format == "json" {
			enc.SetIndent("", "  ")
		}
		return enc.Encode(out)
	}
	text, err := json.MarshalIndent(tree, "        ", "  ")
	if err != nil {
		return fmt.Errorf("encode the tree: %w", err)
	}
	_, err = fmt.Fprintf(e.stdout, "normal  %s\nmeans   %s\ntree    %s\n", visible(q.String()), visible(q.Words()), text)
	return err
}
