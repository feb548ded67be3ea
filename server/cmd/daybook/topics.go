package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook/query"
)

// topics are help pages that belong to no command. The page of the query language is that of the command query.
func topics() []*cobra.Command {
	page := func(name, short, text string) *cobra.Command {
		return &cobra.Command{Use: name, Short: short, Long: text}
	}
	var codes strings.Builder
	for _, x := range exits {
		fmt.Fprintf(&codes, "%4d  %s\n", x.code, x.says)
	}
	return []*cobra.Command{
		page("output", "What goes to stdout, in which format", outputTopic),
		page("exit-codes", "What the exit codes mean", codes.String()),
		page("environment", "Variables, files and which comes first", environmentTopic),
	}
}

// queryTopic is the page of the query language, with what only the command line has.
func queryTopic() string {
	return query.HelpText() + `
In --since and --until a length such as 7d stands for "that long ago". What a query means, daybook query explain QUERY says.
`
}

const outputTopic = `Data goes to stdout, everything else to stderr. A pipe never sees colour or a shortened value.

  -o table     aligned to the terminal; the default there. Long values end in …
  -o tsv       one line a row with a header; tab and line break in a value as \t and \n. The default in a pipe
  -o csv       RFC 4180 with CRLF; a cell that begins with = + - @ gets a leading ' (--raw-csv leaves it out where there is one)
  -o json      one document
  -o ndjson    one JSON object a line, each written as soon as it is known
  --json FIELDS  only these fields, such as id,action,actor.id; --json alone lists them

When there is more than was printed, stderr says so and gives the flag that gets it.
Text from events is printed with control, escape and direction characters replaced by symbols that can be seen. In json and
ndjson a pipe gets the very bytes of the log; on a terminal such characters are written as \u escapes.
Colours mean three things: green proved, red failed proof or destructive, amber needs a look. NO_COLOR, TERM=dumb and
--no-color switch them off.
`

const environmentTopic = `Which value holds: flag, then environment, then .env (server commands), then context or configuration file, then default.

  DAYBOOK_SERVER        --server         address of the server
  DAYBOOK_ORG           --org            organization
  DAYBOOK_API_KEY       --api-key        the key itself
  DAYBOOK_API_KEY_FILE  --api-key-file   a file that holds it
  DAYBOOK_CONTEXT       --context        a named server
  DAYBOOK_OUTPUT        --output         table, tsv, csv, json or ndjson
  DAYBOOK_TZ            --tz             time zone
  NO_COLOR  CI  TERM                     no colours; plain progress; dumb terminals
  HTTP_PROXY HTTPS_PROXY NO_PROXY        proxies, as everywhere

Contexts stand in $XDG_CONFIG_HOME/daybook/config.json, which only its owner may read.
Settings of the server (daybook serve, dev) are listed with their variables by: daybook config
`
