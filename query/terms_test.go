package query_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/daybook-audit/daybook/query"
)

func TestNewTerm(t *testing.T) {
	t.Parallel()
	for _, v := range []struct {
		ns    byte
		value string
		want  query.Term
	}{
		{'a', "invoice.paid", query.Term{H: 0x9e8d171a68454fc8, G: 0x8bd7a3f48c01886b}},
		{'t', "42", query.Term{H: 0x810b196a56ee3cec, G: 0xe1b48e7a616365a8}},
		{'w', "muller", query.Term{H: 0x82c80694ba6951f8, G: 0x9eb8b36dcaa6142e}},
	} {
		if got := query.NewTerm(v.ns, []byte(v.value)); got != v.want {
			t.Errorf("%c %q: got %x, want %x", v.ns, v.value, got, v.want)
		}
	}
}

// TestAppendTerms holds which terms an entry has, by namespace: they are a format, since stored filters hold them.
func TestAppendTerms(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("12345678 ", 7) + "1" // 64 bytes, but with white space
	edge := strings.Repeat("1234567-", 8)
	for _, c := range []struct {
		event      string
		has, lacks []string // namespace and folded value
	}{
		{
			`{"action":"Invoice.Line.paid"}`,
			[]string{"ainvoice.line.paid", "pinvoice.", "pinvoice.line.", "winvoice", "wline", "wpaid", "xaction", "osuccess"},
			[]string{"xoutcome", "w", "p", "xactor"},
		},
		{`{"outcome":"denied"}`, []string{"odenied", "xoutcome"}, []string{"osuccess"}},
		{
			`{"actor":{"type":"user","id":"usr_7","name":"Ada Müller","email":"a@b.c","via":[{"type":"api_key","id":"key_01h455vb4pex5v"}]}}`,
			[]string{"uusr_7", "uada muller", "ua@b.c", "wusr", "w7", "Uuser", "wada", "wmuller", "wa", "wb", "wc", "Uapi_key", "w01h455vb4pex5v", "xactor", "xactor.id", "xactor.email", "xvia", "xvia.type"},
			[]string{"ukey_01h455vb4pex5v", "wuser", "tusr_7"},
		},
		{
			`{"targets":[{"type":"invoice","id":"42","name":"Invoice 42","metadata":{"region":"EU"}}]}`,
			[]string{"Tinvoice", "t42", "tinvoice 42", "w42", "ktarget.region", "mtarget.region\x00eu", "weu", "xtarget", "xtarget.id"},
			[]string{"uinvoice 42", "u42", "kregion"},
		},
		{
			`{"context":{"ip":"203.0.113.9","http":{"method":"PUT","status_code":2e2,"route":"/a/{id}","path":"/a/7"}}}`,
			[]string{"n203.0.113.9", "n203.0.113.0/24", "n203.0.0.0/16", "hput", "h200", "v/a/{id}", "wid", "w7", "xip", "xhttp.method"},
			[]string{"w203", "wput", "h2e2"},
		},
		{`{"context":{"ip":"::ffff:10.0.0.1"}}`, []string{"n10.0.0.1", "n10.0.0.0/24", "n10.0.0.0/16"}, nil},
		{`{"context":{"ip":"2001:DB8:1:2:3::9"}}`, []string{"n2001:db8:1:2:3::9", "n2001:db8:1:2::/64", "n2001:db8:1::/48"}, []string{"n2001:db8::/32"}},
		{
			`{"changes":[{"path":"/lines/2/a~1b","old":"Red","new":{"x":["blue"]}}]}`,
			[]string{"c/lines", "c/lines/2", "c/lines/2/a~1b", "clines", "c2", "ca/b", "wred", "wblue", "wlines", "xchanged"},
			[]string{"c", "ca~1b", "wx"},
		},
		{
			`{"metadata":{"plan":"Pro","deep":{"A":[1.50,true,null]},"long":"` + long + `","edge":"` + edge + `","over":"` + edge + `-","id":"1234567890"}}`,
			[]string{"kplan", "mplan\x00pro", "wpro", "kdeep", "kdeep.a", "mdeep.a\x001.50", "mdeep.a\x00true", "w50", "klong", "w12345678", "medge\x00" + edge, "w1234567890"},
			[]string{"mlong\x00" + long, "mover\x00" + edge + "-", "mid\x001234567890", "ka", "wtrue"},
		},
		{`{"error":{"code":"Limit-X","message":"too much"}}`, []string{"elimit-x", "wlimit", "wtoo", "xerror.code", "xerror.message"}, []string{"etoo much"}},
		{`{"reason":"","correlation_id":"job_9","metadata":{"none":null,"empty":{}}}`, []string{"vjob_9", "wjob", "xreason"}, []string{"knone", "kempty"}},
	} {
		r := read(t, c.event)
		have := map[query.Term]bool{}
		for _, term := range query.AppendTerms(nil, r) {
			have[term] = true
		}
		for _, s := range c.has {
			if !have[query.NewTerm(s[0], []byte(s[1:]))] {
				t.Errorf("%s: %q is missing", c.event, s)
			}
		}
		for _, s := range c.lacks {
			if have[query.NewTerm(s[0], []byte(s[1:]))] {
				t.Errorf("%s: %q is there", c.event, s)
			}
		}
	}
	if terms := query.AppendTerms(nil, &query.Record{ID: "evt_00000000000000000000000015"}); !slices.Equal(terms, []query.Term{query.NewTerm('i', append(make([]byte, 15), 37))}) {
		t.Errorf("an id alone has %x", terms)
	}
}

// TestTermsOfWho holds that a name, id or e-mail of which each word occurs somewhere is not taken for one that is there: such words
// are in every block.
func TestTermsOfWho(t *testing.T) {
	t.Parallel()
	event := `{"action":"x","actor":{"type":"user","id":"usr_7","name":"Ada Byron","email":"ada@acme.test"},
		"targets":[{"type":"invoice","id":"inv_9","name":"Grace's invoice"}],"reason":"usr 64 inv grace grace@acme.test","context":{"user_agent":"Win64; x64"}}`
	r := read(t, event)
	for text, want := range map[string]bool{
		"actor:usr_7": true, `actor:"ada byron"`: true, "actor:Ada@acme.test": true, `actor.name:"ADA byron"`: true, "actor:usr*": true,
		"actor:usr_64": false, "actor:grace": false, "actor:ada": false, `actor.name:grace`: false, "actor.email:grace@acme.test": false, "via:usr_64": false,
		"target:inv_9": true, `target:"grace's invoice"`: true, "target:inv_64": false, "target.name:grace": false, "target.name:grace*": true,
	} {
		if got := may(parse(t, text), r); got != want {
			t.Errorf("%s: May is %v", text, got)
		}
	}
}
