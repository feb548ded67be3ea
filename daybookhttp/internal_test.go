package daybookhttp

import (
	"encoding/json"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPatternMatch(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pattern, yes, no string // paths
	}{
		{"/", "/ /a /a/b/", ""},
		{"/a", "/a", "/ /a/ /a/b /b"},
		{"/a/", "/a /a/ /a/b", "/ab /"},
		{"/a/{$}", "/a/", "/a /a/b"},
		{"/a/{id}", "/a/1", "/a /a/ /a/1/b /b/1"},
		{"/a/{id}/", "/a/1 /a/1/ /a/1/b", "/a //1"},
		{"GET /a/{id}/b", "/a/1/b", "/a/1 /a/1/c"},
		{"/a/{rest...}", "/a/ /a/1/2", "/b"},
		{"POST example.com/a", "/a", "/b"},
		{"/a/*", "/a/ /a/1/2", "/a /b/a/"},
		{"*/login", "/login /v1/login", "/login/x"},
		{"/a*b*c", "/abc /a1b2c /abcbc", "/ab /acb"},
	} {
		p, err := parsePattern(tt.pattern)
		if err != nil {
			t.Errorf("%s: %v", tt.pattern, err)
			continue
		}
		for path := range strings.FieldsSeq(tt.yes) {
			if !p.match(path) {
				t.Errorf("%s does not match %s", tt.pattern, path)
			}
		}
		for path := range strings.FieldsSeq(tt.no) {
			if p.match(path) {
				t.Errorf("%s matches %s", tt.pattern, path)
			}
		}
	}
	for _, bad := range []string{"", "a", "/{", "/{}", "/{a}b", "/a{b}", "/{a...}/b"} {
		if _, err := parsePattern(bad); err == nil {
			t.Errorf("%q is taken for a pattern", bad)
		}
	}
}

func FuzzPattern(f *testing.F) {
	f.Add("/a/{id}/", "/a/1/2")
	f.Add("GET /a/{rest...}", "/a/")
	f.Add("*x*", "//x")
	f.Fuzz(func(t *testing.T, pattern, path string) {
		p, err := parsePattern(pattern)
		if err == nil && p.match(path) && p.glob == "" {
			for _, param := range p.read(path) {
				if !strings.Contains(path, param.Value) {
					t.Errorf("%s in %s gives %+v", pattern, path, param)
				}
			}
		}
	})
}

func TestTarget(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		route      route
		kind, name string
	}{
		{route{"/invoices/{id}", []Param{{"id", "42"}}}, "invoices", "42"},
		{route{"/orgs/{org}/users/{user}", []Param{{"org", "o"}, {"user", "u"}}}, "users", "u"},
		{route{"/orgs/{org}/users", []Param{{"org", "o"}}}, "orgs", "o"},
		{route{"/{model}/{id}", []Param{{"model", "m"}, {"id", "1"}}}, "", ""},
		{route{"/invoices", nil}, "", ""},
		{route{"", nil}, "", ""},
	} {
		if kind, name := tt.route.target(); kind != tt.kind || name != tt.name {
			t.Errorf("%s: %q %q", tt.route.pattern, kind, name)
		}
	}
}

func TestClientAddr(t *testing.T) {
	t.Parallel()
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for name, tt := range map[string]struct {
		remote string
		header []string
		want   string
	}{
		"socket":                {"203.0.113.9:1", nil, "203.0.113.9"},
		"IPv6":                  {"[2001:db8::1]:1", nil, "2001:db8::1"},
		"IPv4 in IPv6":          {"[::ffff:203.0.113.9]:1", nil, "203.0.113.9"},
		"no socket":             {"@", nil, ""},
		"not trusted":           {"203.0.113.9:1", []string{"X-Forwarded-For", "1.1.1.1", "X-Real-Ip", "2.2.2.2"}, "203.0.113.9"},
		"one proxy":             {"10.0.0.1:1", []string{"X-Forwarded-For", "1.1.1.1"}, "1.1.1.1"},
		"forged on the left":    {"10.0.0.1:1", []string{"X-Forwarded-For", "6.6.6.6, 1.1.1.1, 10.0.0.2"}, "1.1.1.1"},
		"two headers":           {"10.0.0.1:1", []string{"X-Forwarded-For", "6.6.6.6", "X-Forwarded-For", "1.1.1.1"}, "1.1.1.1"},
		"only proxies":          {"10.0.0.1:1", []string{"X-Forwarded-For", "10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		"nonsense":              {"10.0.0.1:1", []string{"X-Forwarded-For", "1.1.1.1, unknown, 10.0.0.2"}, "10.0.0.2"},
		"with a port":           {"10.0.0.1:1", []string{"X-Forwarded-For", "1.1.1.1:99"}, "1.1.1.1"},
		"in brackets":           {"[fd00::1]:1", []string{"X-Forwarded-For", "[2001:db8::2]"}, "2001:db8::2"},
		"Forwarded":             {"10.0.0.1:1", []string{"Forwarded", `for=6.6.6.6, for="[2001:db8::2]:4711";proto=https;by=x`}, "2001:db8::2"},
		"Forwarded, hidden":     {"10.0.0.1:1", []string{"Forwarded", `for=_hidden, for=10.0.0.2`}, "10.0.0.2"},
		"X-Real-IP":             {"10.0.0.1:1", []string{"X-Real-Ip", "1.1.1.1"}, "1.1.1.1"},
		"X-Real-IP comes last":  {"10.0.0.1:1", []string{"X-Real-Ip", "6.6.6.6", "X-Forwarded-For", "1.1.1.1"}, "1.1.1.1"},
		"X-Real-IP is nonsense": {"10.0.0.1:1", []string{"X-Real-Ip", "x"}, "10.0.0.1"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		r.RemoteAddr = tt.remote
		for i := 0; i < len(tt.header); i += 2 {
			r.Header.Add(tt.header[i], tt.header[i+1])
		}
		if got := ClientAddr(r, trusted); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestRedact(t *testing.T) {
	t.Parallel()
	r := redactor{secret: []byte("k"), names: func(name string) Treatment {
		switch name {
		case "drop":
			return Drop
		case "hash":
			return Hash
		}
		return DefaultNames(name)
	}}
	for _, tt := range []struct{ in, want, beginning string }{
		{`{"a":1,"password":"x"}`, `{"a":1,"password":{"$masked":true}}`, ``},
		{`[{"apiKey":[1]},2.50]`, `[{"apiKey":{"$masked":true}},2.50]`, ``},
		{`{"drop":{"x":1},"a":[],"drop2":2}`, `{"a":[],"drop2":2}`, ``},
		{`{"hash":"v"}`, `{"hash":{"$hash":"MwwVPY2JTXuXKEhLBW8KOfxOWxZQlkTkKoPSRmLbmDs="}}`, ``},
		{`"text"`, `"text"`, ``},
		{`{"a":1}{}`, ``, `{"a":1}`},
		{`{"a":1,"a":2}`, ``, ``},
		{`{"a":`, ``, `{}`},
		{`{"a":1,"b":[1,{"c":tru`, ``, `{"a":1,"b":[1,{}]}`},
		{`{"a":1,"b":[1,"x`, ``, `{"a":1,"b":[1]}`},
		{`{"a":1,"password":"hun`, ``, `{"a":1}`},
		{`{"a":1,"pass`, ``, `{"a":1}`},
		{`x`, ``, ``},
	} {
		got, ok := r.body([]byte(tt.in), jsonBody, false)
		if ok != (tt.want != "") || tt.want != "" && !strings.Contains(tt.in, "hash") && string(got) != tt.want {
			t.Errorf("%s gives %s %v", tt.in, got, ok)
		}
		if tt.beginning != "" {
			if got, ok := r.body([]byte(tt.in), jsonBody, true); !ok || string(got) != tt.beginning {
				t.Errorf("the beginning of %s is %s %v, want %s", tt.in, got, ok, tt.beginning)
			}
		}
	}
	a, _ := r.body([]byte(`{"hash":"v"}`), jsonBody, false)
	b, _ := r.body([]byte(`{"hash":"w"}`), jsonBody, false)
	if string(a) == string(b) || !strings.HasPrefix(string(a), `{"hash":{"$hash":"`) {
		t.Errorf("hashes: %s %s", a, b)
	}
	if form, ok := r.body([]byte("b=1&b=2&token=x&a=%C3%A4"), formBody, false); !ok || string(form) != `{"a":"ä","b":["1","2"],"token":{"$masked":true}}` {
		t.Errorf("a form: %s %v", form, ok)
	}
	if form, ok := r.body([]byte("a=1&password=hun"), formBody, true); !ok || string(form) != `{"a":"1"}` {
		t.Errorf("a form that was cut: %s %v", form, ok)
	}
}

// Whatever is redacted is JSON without a secret in it, whole or cut anywhere.
func FuzzRedact(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":[1,{"password":"hunter2"}]}`), 20)
	f.Add([]byte(`[[[["x"]]],{"token":{"a":"hunter2"}}]`), 30)
	f.Fuzz(func(t *testing.T, text []byte, at int) {
		r := redactor{names: DefaultNames}
		if out, ok := r.body(text, jsonBody, false); ok && !json.Valid(out) {
			t.Errorf("%s gives %s", text, out)
		}
		out, ok := r.body(text[:max(0, min(at, len(text)))], jsonBody, true)
		if ok && !json.Valid(out) {
			t.Errorf("%s cut at %d gives %s", text, at, out)
		}
		if f := Fitted(out); ok && !json.Valid(f) {
			t.Errorf("%s is fitted to %s", out, f)
		}
	})
}

func TestFitted(t *testing.T) {
	t.Parallel()
	many := "[" + strings.Repeat("1,", maxFields) + "1]"
	deep := strings.Repeat("[", maxDepth+5) + strings.Repeat("]", maxDepth+5)
	for name, value := range map[string]string{"plain": `{"a":1}`, "a mark": `{"$masked":true}`, "an encoded one": `{"$encoded":"1"}`, "many": many, "deep": deep, "text": `"x"`, "U+0000": `"\u0000"`} {
		f := Fitted(json.RawMessage(value))
		if !fits(f) {
			t.Errorf("%s does not fit: %.100s", name, f)
		}
		if got := Unfitted(f); string(got) != value {
			t.Errorf("%s comes back as %.100s", name, got)
		}
	}
	if diff := cmp.Diff(`{"$json":{"$masked":true}}`, string(Fitted(json.RawMessage(`{"$masked":true}`)))); diff != "" {
		t.Error(diff)
	}
	if Fitted(nil) != nil {
		t.Error("nothing becomes something")
	}
}

func TestOptionsRefused(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]Options{
		"level":   {Rules: []Rule{{Level: 9}}},
		"route":   {Rules: []Rule{{Level: Metadata, Routes: []string{"x"}}}},
		"MaxBody": {MaxBody: LargestMaxBody + 1},
	} {
		if _, err := o.prepared(); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}
