package query_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/daybook-audit/daybook/query"
)

// The naive evaluator reads an event with encoding/json and decides the conditions of a test's own tree, without any of the code
// under test: maps, regular expressions, big.Rat.

// ask is a query as the tests make it.
type ask struct {
	op     string // and, or, not, cond
	kids   []*ask
	field  string
	cmp    string
	values []askValue
}

// askValue is a value: literal text and wildcards, or a range.
type askValue struct {
	parts     []string // text between wildcards
	typ       []string // of TYPE:ID
	low, high string   // of a range; "": open
	isRange   bool
	from, to  time.Time // of a time
	bare      string    // text that must be written as it is
}

type naive struct {
	event map[string]any
	rec   *query.Record
}

func (n naive) eval(a *ask) bool {
	switch a.op {
	case "and":
		return !slices.ContainsFunc(a.kids, func(k *ask) bool { return !n.eval(k) })
	case "or":
		return slices.ContainsFunc(a.kids, n.eval)
	case "not":
		return !n.eval(a.kids[0])
	}
	return slices.ContainsFunc(a.values, func(v askValue) bool { return n.cond(a, v) })
}

// at collects what stands at a dotted path; arrays stand for all their elements.
func at(v any, path ...string) (out []any) {
	if list, ok := v.([]any); ok {
		for _, e := range list {
			out = append(out, at(e, path...)...)
		}
		return out
	}
	if len(path) == 0 {
		if v == nil {
			return nil
		}
		return []any{v}
	}
	m, _ := v.(map[string]any)
	if e, ok := m[path[0]]; ok {
		return at(e, path[1:]...)
	}
	return nil
}

func stringsOf(vs []any) (out []string) {
	for _, v := range vs {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// all collects every string below v.
func all(v any) (out []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, e := range v {
			out = append(out, all(e)...)
		}
	case map[string]any:
		for _, e := range v {
			out = append(out, all(e)...)
		}
	}
	return out
}

var keyPaths = map[string]string{
	"actor.id": "actor id", "actor.type": "actor type", "via.type": "actor via type", "action": "action", "target.type": "targets type",
	"target.id": "targets id", "error.code": "error code", "request_id": "context request_id", "trace_id": "context trace_id",
	"session_id": "context session_id", "correlation_id": "correlation_id", "http.route": "context http route", "http.path": "context http path",
	"actor.name": "actor name", "actor.email": "actor email", "target.name": "targets name", "http.method": "context http method",
	"error.message": "error message", "reason": "reason", "user_agent": "context user_agent", "http.status_code": "context http status_code",
	"version": "version", "flagged": "flags", "ip": "context ip", "outcome": "outcome",
}

var nameFields = []string{"actor.name", "actor.email", "target.name", "http.method"}

func (n naive) at(path string) []any { return at(n.event, strings.Fields(path)...) }

func glob(parts []string, s string) bool {
	quoted := make([]string, len(parts))
	for i, p := range parts {
		quoted[i] = regexp.QuoteMeta(p)
	}
	return regexp.MustCompile(`(?s)\A` + strings.Join(quoted, ".*") + `\z`).MatchString(s)
}

var unmarked = strings.NewReplacer("ü", "u", "ö", "o", "é", "e", "ø", "o", "\u0301", "")

func folded(s string) string { return unmarked.Replace(strings.ToLower(s)) }

func globFolded(parts []string, s string) bool {
	f := make([]string, len(parts))
	for i, p := range parts {
		f[i] = folded(p)
	}
	return glob(f, folded(s))
}

var wordRuns = regexp.MustCompile(`[\p{L}\p{Nd}\p{M}]+`)

func words(s string) (out []string) {
	for _, run := range wordRuns.FindAllString(folded(s), -1) {
		from := 0
		for i, r := range run {
			if unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) {
				if from < i {
					out = append(out, run[from:i])
				}
				from = i + len(string(r))
				out = append(out, string(r))
			}
		}
		if from < len(run) {
			out = append(out, run[from:])
		}
	}
	return out
}

// hasPhrase decides text: the words of parts[0] in a row; a second part means that the last may go on.
func hasPhrase(parts []string, s string) bool {
	want, have := words(parts[0]), words(s)
	for i := 0; i+len(want) <= len(have); i++ {
		ok := true
		for j, w := range want {
			h := have[i+j]
			ok = ok && (h == w || len(parts) > 1 && j == len(want)-1 && strings.HasPrefix(h, w))
		}
		if ok {
			return true
		}
	}
	return false
}

func rat(s string) *big.Rat {
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		panic(s)
	}
	return r
}

func (v askValue) number(cmp, token string) bool {
	x := rat(token)
	if v.isRange {
		return (v.low == "" || x.Cmp(rat(v.low)) >= 0) && (v.high == "" || x.Cmp(rat(v.high)) <= 0)
	}
	c := x.Cmp(rat(v.bare))
	return cmp == "" && c == 0 || cmp == ">" && c > 0 || cmp == "<" && c < 0 || cmp == ">=" && c >= 0 || cmp == "<=" && c <= 0
}

func (v askValue) time(cmp string, micro int64) bool {
	from, to := v.from.UnixMicro(), v.to.UnixMicro()
	switch cmp {
	case ">=":
		return micro >= from
	case ">":
		return micro >= to
	case "<":
		return micro < from
	case "<=":
		return micro < to
	}
	return (v.from.IsZero() || micro >= from) && (v.to.IsZero() || micro < to)
}

func (n naive) cond(a *ask, v askValue) bool {
	field, key, _ := strings.Cut(a.field, "meta.")
	if key != "" {
		return n.meta(field, key, a, v)
	}
	switch a.field {
	case "", "reason", "error.message", "user_agent":
		texts := n.searched()
		if a.field != "" {
			texts = stringsOf(n.at(keyPaths[a.field]))
		}
		return slices.ContainsFunc(texts, func(s string) bool { return hasPhrase(v.parts, s) })
	case "id":
		return glob(v.parts, n.rec.ID)
	case "org":
		return glob(v.parts, n.rec.Org)
	case "seq":
		return v.number(a.cmp, strconv.FormatInt(n.rec.Seq, 10))
	case "occurred":
		return v.time(a.cmp, n.rec.Occurred)
	case "received":
		return v.time(a.cmp, n.rec.Received)
	case "actor", "via":
		return n.who(a.field, v)
	case "target":
		return n.target(v)
	case "changed":
		return slices.ContainsFunc(stringsOf(n.at("changes path")), func(p string) bool { return changedAt(v.parts, p) })
	case "has":
		return n.has(v.bare)
	case "is":
		return map[string]bool{
			"erased": n.rec.Erased, "held": n.rec.Held, "control": n.rec.Control, "late": n.rec.Received-n.rec.Occurred > 300_000_000,
		}[v.bare]
	}
	found := n.at(keyPaths[a.field])
	switch a.field {
	case "outcome":
		if len(found) == 0 && len(n.event) > 0 {
			found = []any{"success"}
		}
		return slices.Contains(stringsOf(found), v.bare)
	case "version", "http.status_code":
		if len(found) == 0 && a.field == "version" && !n.rec.Control && len(n.event) > 0 {
			found = []any{json.Number("1")}
		}
		return slices.ContainsFunc(found, func(x any) bool {
			num, ok := x.(json.Number)
			return ok && v.number(a.cmp, num.String())
		})
	case "ip":
		block := netip.MustParsePrefix(v.bare)
		return slices.ContainsFunc(stringsOf(found), func(s string) bool {
			ip, err := netip.ParseAddr(s)
			return err == nil && block.Contains(ip.Unmap().WithZone(""))
		})
	}
	return slices.ContainsFunc(stringsOf(found), func(s string) bool {
		if slices.Contains(nameFields, a.field) {
			return globFolded(v.parts, s)
		}
		return glob(v.parts, s)
	})
}

func (n naive) who(field string, v askValue) bool {
	objects := n.at("actor via")
	if field == "actor" {
		objects = append(objects, n.at("actor")...)
	}
	return slices.ContainsFunc(objects, func(o any) bool {
		return slices.ContainsFunc(stringsOf(at(o, "id")), func(s string) bool { return glob(v.parts, s) }) ||
			slices.ContainsFunc(stringsOf(append(at(o, "name"), at(o, "email")...)), func(s string) bool { return globFolded(v.parts, s) })
	})
}

func (n naive) target(v askValue) bool {
	return slices.ContainsFunc(n.at("targets"), func(o any) bool {
		ids := stringsOf(at(o, "id"))
		isID := slices.ContainsFunc(ids, func(s string) bool { return glob(v.parts, s) })
		if v.typ != nil {
			return isID && slices.ContainsFunc(stringsOf(at(o, "type")), func(s string) bool { return glob(v.typ, s) })
		}
		return isID || slices.ContainsFunc(stringsOf(at(o, "name")), func(s string) bool { return globFolded(v.parts, s) })
	})
}

func changedAt(parts []string, pointer string) bool {
	names := strings.Split(pointer, "/")[1:]
	for i, name := range names {
		plain := strings.ReplaceAll(strings.ReplaceAll(name, "~1", "/"), "~0", "~")
		isPointer := strings.HasPrefix(parts[0], "/") || parts[0] == "" && strings.Contains(strings.Join(parts, ""), "/")
		if isPointer && glob(parts, "/"+strings.Join(names[:i+1], "/")) || !isPointer && glob(parts, plain) {
			return true
		}
	}
	return false
}

// leaves calls f with the joined member names, those of objects around included, of every value below v.
func leaves(v any, names []string, f func(keys []string, v any)) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			leaves(e, names, f)
		}
	case map[string]any:
		for k, e := range v {
			leaves(e, append(slices.Clip(names), k), f)
		}
	default:
		var keys []string
		for i := range names {
			keys = append(keys, strings.Join(names[:i+1], "."))
		}
		f(keys, v)
	}
}

func (n naive) metadata(field string) any {
	switch field {
	case "actor.":
		return n.at("actor metadata")
	case "target.":
		return n.at("targets metadata")
	}
	return n.at("metadata")
}

func (n naive) meta(field, key string, a *ask, v askValue) (ok bool) {
	key = strings.Trim(key, `"`)
	leaves(n.metadata(field), nil, func(keys []string, x any) {
		if len(keys) == 0 || keys[len(keys)-1] != key || x == nil {
			return
		}
		num, isNumber := x.(json.Number)
		if v.isRange || a.cmp != "" {
			ok = ok || isNumber && v.number(a.cmp, num.String())
			return
		}
		ok = ok || glob(v.parts, fmt.Sprint(x))
	})
	return ok
}

func (n naive) has(field string) bool {
	filled := func(vs []any) bool {
		return slices.ContainsFunc(vs, func(v any) bool { return v != "" && v != nil && fmt.Sprint(v) != "map[]" })
	}
	who := func(o []any) bool { return filled(at(o, "id")) || filled(at(o, "name")) || filled(at(o, "email")) }
	if prefix, key, ok := strings.Cut(field, "meta."); ok {
		found := false
		leaves(n.metadata(prefix), nil, func(keys []string, x any) {
			found = found || slices.Contains(keys, key) && x != nil && x != ""
		})
		return found
	}
	switch field {
	case "id", "seq", "occurred", "received":
		return true
	case "actor":
		return who(n.at("actor")) || who(n.at("actor via"))
	case "via":
		return who(n.at("actor via"))
	case "target":
		return filled(n.at("targets id")) || filled(n.at("targets type")) || filled(n.at("targets name"))
	case "changed":
		return len(n.at("changes path")) > 0
	}
	return filled(n.at(keyPaths[field]))
}

// searched are the strings that free text looks at.
func (n naive) searched() (out []string) {
	for _, p := range []string{
		"action", "actor id", "actor name", "actor email", "actor via id", "actor via name", "actor via email", "targets id", "targets name",
		"reason", "error code", "error message", "correlation_id", "context request_id", "context user_agent", "context http path",
	} {
		out = append(out, stringsOf(n.at(p))...)
	}
	for _, p := range []string{"metadata", "actor metadata", "targets metadata", "changes"} {
		for _, v := range n.at(p) {
			out = append(out, all(v)...)
		}
	}
	return out
}
