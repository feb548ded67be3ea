package dumps_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook/server/internal/dumps"
)

// readAll returns the records of a file, one a line, and what ended it.
func readAll(text string, o dumps.Options) ([]string, error) {
	r, err := dumps.Open(strings.NewReader(text), o)
	if err != nil {
		return nil, err
	}
	var got []string
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return got, nil
		}
		if err != nil {
			return got, err
		}
		line := fmt.Sprintf("%d@%d %s", rec.N, rec.Line, rec.Text)
		if rec.Err != nil {
			line = fmt.Sprintf("%d@%d ! %v", rec.N, rec.Line, rec.Err)
		}
		got = append(got, line)
	}
}

const pgDump = `--
-- PostgreSQL database dump
--
SET statement_timeout = 0;
CREATE TABLE public.logs (id bigint NOT NULL, user_id bigint, action text, meta_data jsonb);
COPY public.users (id, name) FROM stdin;
1	ada
\.
COPY public.logs (id, user_id, action, meta_data, "createdAt") FROM stdin;
1	7	update	{"entity":"check","old":{"note":"a\\tb \\"x\\""}}	2022-03-01 10:11:12.345+00
2	\N	tab\there\nand\\there\x41\101	\N	2022-03-01
3	1
4	8	last	not json	x
\.
COPY public.more (id) FROM stdin;
9
\.
`

func TestOpen(t *testing.T) {
	t.Parallel()
	logs := dumps.Options{Table: "logs", JSON: []string{"meta_data"}, Number: []string{"id", "user_id"}}
	for name, tt := range map[string]struct {
		text string
		o    dumps.Options
		want []string
	}{
		"the COPY block of a table": {pgDump, logs, []string{
			`1@10 {"id":1,"user_id":7,"action":"update","meta_data":{"entity":"check","old":{"note":"a\tb \"x\""}},"createdAt":"2022-03-01 10:11:12.345+00"}`,
			`2@11 {"id":2,"user_id":null,"action":"tab\there\nand\\thereAA","meta_data":null,"createdAt":"2022-03-01"}`,
			`3@12 ! the row has 2 values, the table 5 columns`,
			`4@13 {"id":4,"user_id":8,"action":"last","meta_data":"not json","createdAt":"x"}`,
		}},
		"CSV with quotes, line breaks and a byte-order mark": {
			"\ufeffid,action,meta_data,name\r\n1,a.b,\"{\"\"k\"\":[1]}\",\"two\r\nlines, and \"\"quotes\"\"\"\r\n2,only\r\n3,a.c,,x\n4,a.d,\"{\",\"last\"", logs,
			[]string{
				`1@2 {"id":1,"action":"a.b","meta_data":{"k":[1]},"name":"two\nlines, and \"quotes\""}`, `2@4 ! the row has 2 cells, the header 4`,
				`3@5 {"id":3,"action":"a.c","meta_data":null,"name":"x"}`, `4@6 {"id":4,"action":"a.d","meta_data":"{","name":"last"}`,
			},
		},
		"documents a line":          {"{\"a\":1}\n\n not json\n{\"b\":2}", logs, []string{`1@1 {"a":1}`, `2@2 `, `3@3 not json`, `4@4 {"b":2}`}},
		"an array":                  {` [ {"a": 1}, {"b" :[1 , 2]},3 ] `, logs, []string{`1@0 {"a":1}`, `2@0 {"b":[1,2]}`, `3@0 3`}},
		"an empty array":            {`[]`, logs, nil},
		"documents that span lines": {"{\n \"a\": 1\n}\n{\n \"b\": 2\n}\n", logs, []string{`1@0 {"a":1}`, `2@0 {"b":2}`}},
		"one document":              {"{\"a\":\n1}", logs, []string{`1@0 {"a":1}`}},
		"a header alone":            {"id,action\n", logs, nil},
	} {
		got, err := readAll(tt.text, tt.o)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestOpen_refuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                   "the file is empty",
		" \n\t":                              "the file is empty",
		"a,b,a\n1,2,3\n":                     `the column "a" stands twice`,
		"a,,c\n":                             "a column has no name",
		"[{\"a\":1}":                         "read the end of the array",
		"[{\"a\":1},":                        "read document 2",
		"[{\"a\":1}] x":                      "something follows",
		"--\nSELECT 1;\n":                    "no COPY block",
		"--\nINSERT INTO logs VALUES (1);\n": "INSERT statements",
		"COPY public.users (id) FROM stdin;\n1\n\\.\n":     "no table logs, only users",
		"COPY public.logs (id) FROM stdin;\n1\n":           "it is cut off",
		"COPY public.logs (id, id) FROM stdin;\n1\t1\n\\.": "stands twice",
	} {
		_, err := readAll(text, dumps.Options{Table: "logs"})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// A file that is cut off anywhere, or not what it seems, gives records or an error and never a panic; records are one line of JSON.
func FuzzOpen(f *testing.F) {
	for _, seed := range []string{pgDump, "a,b\n\"1\n", "{\"a\":1}\n{", "[{},[", "COPY t (a) FROM stdin;\n\\x\\1\\\\\\\n\\.", "\ufeff{}"} {
		f.Add(seed, "")
	}
	f.Fuzz(func(t *testing.T, text, table string) {
		got, _ := readAll(text, dumps.Options{Table: table, JSON: []string{"a"}, Number: []string{"b"}})
		for _, line := range got {
			if strings.Contains(line, "\n") && !strings.Contains(line, "!") {
				t.Errorf("a record of two lines: %q", line)
			}
		}
	})
}
