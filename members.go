package daybook

import (
	"iter"

	"github.com/daybook-audit/daybook/internal/rawjson"
)

func members(obj []byte) iter.Seq2[[]byte, []byte] { return rawjson.Each(obj) }

func elements(list []byte) iter.Seq[[]byte] { return rawjson.Elements(list) }

func compacted(text []byte) []byte { return rawjson.Compact(text) }

func unquoted(token []byte) string { return rawjson.Text(token) }
