package auth_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"hash"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook/server/internal/auth"
)

var tokenTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func segment(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// mac signs by hand, so that the tests say what is on the wire and nothing hides in a library.
func mac(header, claims string, secret []byte, h func() hash.Hash) string {
	input := segment(header) + "." + segment(claims)
	m := hmac.New(h, secret)
	m.Write([]byte(input))
	return input + "." + base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

func hs256(claims string) string {
	return mac(`{"alg":"HS256","typ":"JWT"}`, claims, []byte("secret"), sha256.New)
}

func newTokens(t *testing.T, change func(*auth.TokenOptions)) *auth.Tokens {
	t.Helper()
	o := auth.TokenOptions{Keys: []auth.TokenKey{{Secret: []byte("secret"), Algorithms: auth.HMAC}}, Now: func() time.Time { return tokenTime }}
	if change != nil {
		change(&o)
	}
	tokens, err := auth.NewTokens(o)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func TestTokens(t *testing.T) {
	t.Parallel()
	long := []byte(strings.Repeat("long", 50)) // more than a block of any of the three
	tokens := newTokens(t, func(o *auth.TokenOptions) {
		o.Keys = append(o.Keys, auth.TokenKey{ID: "long", Secret: long, Algorithms: []string{"HS512"}})
	})
	for name, text := range map[string]string{
		"HS256, short secret": hs256(`{}`),
		"HS384":               mac(`{"alg":"HS384"}`, `{}`, []byte("secret"), sha512.New384),
		"HS512":               mac(`{"alg":"HS512"}`, `{}`, []byte("secret"), sha512.New),
		"long secret, by kid": mac(`{"alg":"HS512","kid":"long"}`, `{}`, long, sha512.New),
		"kid is no path":      mac(`{"alg":"HS256","kid":"../../dev/null"}`, `{}`, []byte("secret"), sha256.New),
		"jku is not asked":    mac(`{"alg":"HS256","jku":"http://127.0.0.1:1/","x5u":"http://127.0.0.1:1/"}`, `{}`, []byte("secret"), sha256.New),
		"expired in leeway":   hs256(`{"exp":1767323045.5,"iat":1767323045}`), // at 03:04:05
		"expired a moment":    hs256(`{"exp":1767322986}`),                    // 59 s ago
		"begins in a moment":  hs256(`{"nbf":1767323105,"iat":1767323105}`),   // in 60 s
	} {
		if _, err := tokens.Token(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTokensRefuse(t *testing.T) {
	t.Parallel()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	tokens := newTokens(t, func(o *auth.TokenOptions) {
		o.Keys = []auth.TokenKey{
			{ID: "hmac", Secret: []byte("secret"), Algorithms: []string{"HS256"}},
			{ID: "rsa", Public: &private.PublicKey, Algorithms: []string{"RS256"}},
		}
	})
	key := func(header string) string { return mac(header, `{}`, []byte("secret"), sha256.New) }
	good := key(`{"alg":"HS256","kid":"hmac"}`)
	if _, err := tokens.Token(good); err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(good, ".")
	for name, text := range map[string]string{
		"empty":                     "",
		"abc":                       "abc",
		"two dots":                  "..",
		"four parts":                good + ".x",
		"none":                      segment(`{"alg":"none","kid":"hmac"}`) + "." + segment(`{}`) + ".",
		"None, signed":              key(`{"alg":"None","kid":"hmac"}`),
		"no algorithm":              key(`{"kid":"hmac"}`),
		"empty signature":           parts[0] + "." + parts[1] + ".",
		"another signature":         parts[0] + "." + parts[1] + "." + segment("another"),
		"payload of another":        parts[0] + "." + segment(`{"sub":"root"}`) + "." + parts[2],
		"HS256 with the public key": mac(`{"alg":"HS256","kid":"rsa"}`, `{}`, public, sha256.New),
		"HS256 with its DER":        mac(`{"alg":"HS256","kid":"rsa"}`, `{}`, der, sha256.New),
		"RS256 for the secret":      key(`{"alg":"RS256","kid":"hmac"}`),
		"algorithm of no key":       mac(`{"alg":"HS512","kid":"hmac"}`, `{}`, []byte("secret"), sha512.New),
		"kid is a path":             key(`{"alg":"HS256","kid":"../../dev/null"}`),
		"no kid":                    key(`{"alg":"HS256"}`),
		"its own key":               key(`{"alg":"HS256","jwk":{"kty":"oct","k":"c2VjcmV0"}}`),
		"two signatures": `{"payload":"` + parts[1] + `","signatures":[{"protected":"` + parts[0] + `","signature":"` + parts[2] +
			`"},{"protected":"` + parts[0] + `","signature":"` + parts[2] + `"}]}`,
		"critical":       key(`{"alg":"HS256","kid":"hmac","crit":["exp"],"exp":1}`),
		"list of claims": mac(`{"alg":"HS256","kid":"hmac"}`, `[]`, []byte("secret"), sha256.New),
		"claim twice":    mac(`{"alg":"HS256","kid":"hmac"}`, `{"exp":1,"exp":9999999999}`, []byte("secret"), sha256.New),
		"expired":        mac(`{"alg":"HS256","kid":"hmac"}`, `{"exp":1767322985}`, []byte("secret"), sha256.New), // 60 s ago
		"not yet":        mac(`{"alg":"HS256","kid":"hmac"}`, `{"nbf":1767323106}`, []byte("secret"), sha256.New), // in 61 s
		"of tomorrow":    mac(`{"alg":"HS256","kid":"hmac"}`, `{"iat":1767323106}`, []byte("secret"), sha256.New),
		"exp as text":    mac(`{"alg":"HS256","kid":"hmac"}`, `{"exp":"9999999999"}`, []byte("secret"), sha256.New),
		"exp null":       mac(`{"alg":"HS256","kid":"hmac"}`, `{"exp":null}`, []byte("secret"), sha256.New),
		"exp endless":    mac(`{"alg":"HS256","kid":"hmac"}`, `{"exp":1e300}`, []byte("secret"), sha256.New),
		"too long":       mac(`{"alg":"HS256","kid":"hmac"}`, `{"x":"`+strings.Repeat("x", 20_000)+`"}`, []byte("secret"), sha256.New),
	} {
		if token, err := tokens.Token(text); !errors.Is(err, auth.ErrInvalidToken) {
			t.Errorf("%s: %+v, %v", name, token, err)
		}
	}
}

func TestTokensWhoAndForWhom(t *testing.T) {
	t.Parallel()
	tokens := newTokens(t, func(o *auth.TokenOptions) {
		o.Issuer, o.Audience, o.Required = "https://id.example.com", "daybook", []string{"exp", "nbf"}
	})
	const times = `"exp":1767326645,"nbf":1767322985`
	for claims, ok := range map[string]bool{
		`{"iss":"https://id.example.com","aud":"daybook",` + times + `}`:                           true,
		`{"iss":"https://id.example.com","aud":["other","daybook"],` + times + `}`:                 true,
		`{"iss":"https://id.example.com/","aud":"daybook",` + times + `}`:                          false,
		`{"aud":"daybook",` + times + `}`:                                                          false,
		`{"iss":"https://id.example.com","aud":["other"],` + times + `}`:                           false,
		`{"iss":"https://id.example.com",` + times + `}`:                                           false,
		`{"iss":"https://id.example.com","aud":"daybook","exp":1767326645}`:                        false,
		`{"iss":["https://id.example.com"],"aud":"daybook","exp":1767326645,"nbf":1767322985}`:     false,
		`{"iss":"https://id.example.com","aud":{"daybook":1},"exp":1767326645,"nbf":1767322985}`:   false,
		`{"iss":"https://id.example.com","aud":"daybook","nbf":1767322985,"expires":"1767326645"}`: false,
	} {
		if _, err := tokens.Token(hs256(claims)); (err == nil) != ok {
			t.Errorf("%s: %v", claims, err)
		}
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	token, err := newTokens(t, nil).Token(hs256(`{"iss":"i","sub":"s","name":"ta-vivo-api","scope":"a  b","user":{"_id":"597242d4e14a710005d325b1","n":9007199254740993},"a.b":"dot","user.x":true}`))
	if err != nil {
		t.Fatal(err)
	}
	if token.Issuer != "i" || token.Subject != "s" || token.Name != "ta-vivo-api" || !cmp.Equal(token.Scopes, []string{"a", "b"}) {
		t.Errorf("%+v", token)
	}
	for path, want := range map[string]string{"user._id": "597242d4e14a710005d325b1", "user.n": "9007199254740993", "a.b": "dot", "sub": "s"} {
		if got, ok := token.Text(path); !ok || got != want {
			t.Errorf("%s: %q, %t", path, got, ok)
		}
	}
	for _, path := range []string{"", "user", "user.", "user.x", "user._id.x", "x", "."} {
		if got, ok := token.Text(path); ok {
			t.Errorf("%s: %q", path, got)
		}
	}
	if p := token.Principal("acme", auth.Record); p.KeyID != "jwt:s" || !p.Reaches("acme") || p.Reaches("globex") || p.Scopes.Has(auth.Read) {
		t.Errorf("%+v", p)
	}
	list, err := newTokens(t, nil).Token(hs256(`{"iss":1,"scope":["a b",1,"c"]}`))
	if err != nil || !cmp.Equal(list.Scopes, []string{"a b", "c"}) || list.Issuer != "" || list.Principal("acme", auth.None).KeyID != "jwt" {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestBearerToken(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{"Bearer a.b.c": "a.b.c", "bearer  a": "a", "a.b.c": "a.b.c", "": "", "  ": "", "Bearer": "Bearer", "Bearer ": "Bearer"} {
		if got := auth.BearerToken(header); got != want {
			t.Errorf("%q: %q, want %q", header, got, want)
		}
	}
}

func sign(t *testing.T, header, claims string, key crypto.Signer) string {
	t.Helper()
	input := segment(header) + "." + segment(claims)
	sum := sha256.Sum256([]byte(input))
	var signature []byte
	var err error
	switch key := key.(type) {
	case *rsa.PrivateKey:
		signature, err = rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	case *ecdsa.PrivateKey:
		r, s, failed := ecdsa.Sign(rand.Reader, key, sum[:])
		signature, err = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...), failed
	case ed25519.PrivateKey:
		signature = ed25519.Sign(key, []byte(input))
	}
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func TestParseKeySet(t *testing.T) {
	t.Parallel()
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	e, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, ok := ed.Public().(ed25519.PublicKey)
	if !ok {
		t.Fatal("not an Ed25519 key")
	}
	point, err := e.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	members := []map[string]string{
		{"kty": "RSA", "kid": "r", "n": b64(r.N.Bytes()), "e": "AQAB"},
		{"kty": "EC", "kid": "e", "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:])},
		{"kty": "OKP", "kid": "ed", "crv": "Ed25519", "x": b64(public), "alg": "EdDSA"},
		{"kty": "RSA", "kid": "enc", "use": "enc", "n": b64(r.N.Bytes()), "e": "AQAB"},
	}
	set := func(members ...map[string]string) []byte {
		text, err := json.Marshal(map[string]any{"keys": members})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	keys, err := auth.ParseKeySet(set(members...))
	if err != nil || len(keys) != 3 {
		t.Fatalf("%v, %v", keys, err)
	}
	tokens := newTokens(t, func(o *auth.TokenOptions) { o.Keys = keys })
	for _, text := range []string{
		sign(t, `{"alg":"RS256","kid":"r"}`, `{}`, r), sign(t, `{"alg":"ES256","kid":"e"}`, `{}`, e), sign(t, `{"alg":"EdDSA","kid":"ed"}`, `{}`, ed),
	} {
		if _, err := tokens.Token(text); err != nil {
			t.Error(err)
		}
	}
	for _, text := range []string{
		sign(t, `{"alg":"RS256","kid":"e"}`, `{}`, r), sign(t, `{"alg":"ES256","kid":"r"}`, `{}`, e), sign(t, `{"alg":"RS256","kid":"enc"}`, `{}`, r),
		sign(t, `{"alg":"PS256","kid":"r"}`, `{}`, r),
	} {
		if _, err := tokens.Token(text); !errors.Is(err, auth.ErrInvalidToken) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for name, text := range map[string][]byte{
		"no JSON":     []byte("{"),
		"a secret":    set(map[string]string{"kty": "oct", "kid": "s", "alg": "HS256", "k": "c2VjcmV0"}),
		"private key": set(map[string]string{"kty": "OKP", "kid": "p", "crv": "Ed25519", "x": b64(public), "d": b64(ed.Seed())}),
	} {
		if keys, err := auth.ParseKeySet(text); err == nil {
			t.Errorf("%s: %v", name, keys)
		}
	}
}

func TestNewTokens(t *testing.T) {
	t.Parallel()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, keys := range map[string][]auth.TokenKey{
		"no key":             nil,
		"empty":              {{Algorithms: auth.HMAC}},
		"both":               {{Secret: []byte("s"), Public: &private.PublicKey, Algorithms: auth.HMAC}},
		"no algorithm":       {{Secret: []byte("s")}},
		"none":               {{Secret: []byte("s"), Algorithms: []string{"none"}}},
		"RS256 of a secret":  {{Secret: []byte("s"), Algorithms: []string{"RS256"}}},
		"HS256 of a public":  {{Public: &private.PublicKey, Algorithms: []string{"HS256"}}},
		"ES256 of RSA":       {{Public: &private.PublicKey, Algorithms: []string{"ES256"}}},
		"a private key":      {{Public: private, Algorithms: []string{"RS256"}}},
		"two of one id":      {{ID: "a", Secret: []byte("s"), Algorithms: auth.HMAC}, {ID: "a", Secret: []byte("t"), Algorithms: auth.HMAC}},
		"two without an id":  {{Secret: []byte("s"), Algorithms: auth.HMAC}, {Secret: []byte("t"), Algorithms: auth.HMAC}},
		"a key of no kind":   {{Public: "text", Algorithms: []string{"RS256"}}},
		"one of two is good": {{ID: "a", Secret: []byte("s"), Algorithms: auth.HMAC}, {ID: "b"}},
	} {
		if _, err := auth.NewTokens(auth.TokenOptions{Keys: keys}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzTokens(f *testing.F) {
	tokens, err := auth.NewTokens(auth.TokenOptions{
		Keys: []auth.TokenKey{{Secret: []byte("secret"), Algorithms: auth.HMAC}}, Now: func() time.Time { return tokenTime },
	})
	if err != nil {
		f.Fatal(err)
	}
	good := hs256(`{"name":"ta-vivo-api","exp":9999999999}`)
	f.Add(good)
	f.Add("abc")
	f.Add(segment(`{"alg":"none"}`) + "." + segment(`{}`) + ".")
	f.Add(hs256(`{"exp":"1"}`))
	f.Fuzz(func(t *testing.T, text string) {
		token, err := tokens.Token(text)
		switch {
		case err != nil && !errors.Is(err, auth.ErrInvalidToken):
			t.Fatal(err)
		case err == nil && (token == nil || strings.Count(text, ".") != 2):
			t.Fatalf("%q is valid", text)
		}
	})
}
