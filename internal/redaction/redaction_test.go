package redaction_test

import (
	"encoding/json"
	"testing"

	"github.com/daybook-audit/daybook/internal/redaction"
)

func TestIsSecret(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"password", "PASSWORD", "Password", "user_password", "userPassword", "new-password", "X-Auth-Token", "apiKey", "APIKey", "api.key",
		"Authorization", "cookie", "Set-Cookie", "session_id", "sessionID", "credential", "credentials", "private_key", "otp", "OTPCode",
		"pin", "cvv", "card_number", "IBAN", "ssn", "tokens", "secret2", "key1", "pass", "passwd", "Schlüssel key",
	} {
		if !redaction.IsSecret(name) {
			t.Errorf("%q is not taken for a secret", name)
		}
	}
	for _, name := range []string{
		"", "name", "monkey", "keyboard", "author", "tokenize", "passenger", "compass", "discard", "opinion", "spin", "_", "--", "é",
	} {
		if redaction.IsSecret(name) {
			t.Errorf("%q is taken for a secret", name)
		}
	}
}

// TestDefault: free data and changes lose what a secret's name stands over; the event's own members, and what is no change, stay.
func TestDefault(t *testing.T) {
	t.Parallel()
	const masked = `{"$masked":true}`
	for _, c := range []struct{ path, value, want string }{
		{"/metadata", `{"password":1}`, "="}, // its members are shown by themselves
		{"/metadata/password", `1`, masked},
		{"/metadata/a~1password", `1`, masked},
		{"/metadata/list/0", `"password"`, "="},
		{"/actor/id", `"password"`, "="},
		{"/context/session_id", `"s"`, "="},
		{"/actor/via/3/metadata/token", `{}`, masked},
		{"/actor/via/metadata/token", `{}`, "="},
		{"/changes/0", `{"path":"/user/password","old":"a","new":{"$hash":"tag"}}`, `{"path":"/user/password","old":` + masked + `,"new":{"$hash":"tag"}}`},
		{"/changes/0", `{"path":"/user/password","old":null,"new":{"$hash":""}}`, `{"path":"/user/password","old":` + masked + `,"new":` + masked + `}`},
		{"/changes/0", `{"path":"/user/password","new":{"$hash":["tag"]}}`, `{"path":"/user/password","new":` + masked + `}`},
		{"/changes/0", `{"path":"/user/name","old":"a"}`, "="},
		{"/changes/0", `{"path":"/user/password`, "="},
		{"/changes/0", `{"path":"password","new":1}`, `{"path":"password","new":` + masked + `}`}, // no pointer, and refused later
		{"/changes/0/path", `"/password"`, "="},
		{"/changes/0/old/pin", `1`, masked},
	} {
		want := c.want
		if want == "=" {
			want = c.value
		}
		if got := string(redaction.Default(c.path, []byte(c.value))); got != want {
			t.Errorf("%s %s becomes %s, want %s", c.path, c.value, got, want)
		}
	}
}

// FuzzApply: whatever is answered for whichever value, what comes out is JSON; and what was kept is the text itself.
func FuzzApply(f *testing.F) {
	f.Add([]byte(`{"actor":{"via":[{"metadata":{"a/b":1}}]},"changes":[{"path":"/p","old":[1]}],"metadata":{}}`), "/actor/via/0", []byte("7"))
	f.Add([]byte(`{"metadata":{"l":[1,2]}}`), "/metadata/l/0", []byte(nil))
	f.Add([]byte(`{"metadata":{"k":"v"}}`), "/metadata/k", []byte(`1,"x":2`))
	f.Fuzz(func(t *testing.T, text []byte, at string, answer []byte) {
		var event map[string]any
		if json.Unmarshal(text, &event) != nil || event == nil {
			return
		}
		if out, changed := redaction.Apply(text, func(_ string, v []byte) []byte { return v }); changed || !json.Valid(out) {
			t.Fatalf("%s was kept as %s", text, out)
		}
		out, _ := redaction.Apply(text, func(path string, v []byte) []byte {
			if path == at {
				return answer
			}
			return v
		})
		if !json.Valid(out) {
			t.Fatalf("%s with %q at %s becomes %s", text, answer, at, out)
		}
	})
}
