package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"github.com/daybook-audit/daybook/server/internal/config"
)

// folder makes a folder with the files given, name and content in turn.
func folder(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		if err := os.WriteFile(filepath.Join(dir, files[i]), []byte(files[i+1]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func environment(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

func flags(t *testing.T, args ...string) *pflag.FlagSet {
	t.Helper()
	fs := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	config.Bind(fs)
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	return fs
}

func source(settings []config.Setting, key string) string {
	for _, s := range settings {
		if s.Key == key {
			return s.Value + " from " + s.Source
		}
	}
	return "missing"
}

func TestLoadOrder(t *testing.T) {
	t.Parallel()
	dir := folder(t, "daybook.yaml", "# ours\nlisten: file:1\ndb: file.db\nlog_level: warn\nlimit_body: 2MiB\n",
		".env", "DAYBOOK_LISTEN=dotenv:1\nDAYBOOK_DB=dotenv.db\nDAYBOOK_LOG_LEVEL=error\n")
	c, settings, err := config.Load(config.Sources{
		Dir: dir, LookupEnv: environment("DAYBOOK_LISTEN", "env:1", "DAYBOOK_DB", "env.db", "DAYBOOK_METRICS", ""),
		Flags: flags(t, "--listen", "flag:1"),
	})
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"listen":     "flag:1 from flag --listen",
		"db":         "env.db from environment DAYBOOK_DB",
		"log_level":  "error from .env DAYBOOK_LOG_LEVEL",
		"limit_body": "2MiB from daybook.yaml:5",
		"log_format": "json from default",
		"metrics":    "true from default", // an empty variable says nothing
	} {
		if got := source(settings, key); got != want {
			t.Errorf("%s: got %q, want %q", key, got, want)
		}
	}
	if c.Listen != "flag:1" || c.LimitBody != 2<<20 || c.IdempotencyWindow != 7*24*time.Hour || !c.WorkOSEnabled {
		t.Errorf("wrong values: %+v", c)
	}
}

func TestLoadNamedFile(t *testing.T) {
	t.Parallel()
	dir := folder(t, "other.yaml", "trusted_proxies: [10.0.0.0/8, \"::1\"]\nworkos_unknown_org: reject\n")
	c, settings, err := config.Load(config.Sources{
		Dir: dir, LookupEnv: environment("DAYBOOK_CONFIG", filepath.Join(dir, "other.yaml")),
	})
	if err != nil {
		t.Fatal(err)
	}
	proxies, err := c.Proxies()
	if err != nil || len(proxies) != 2 || proxies[1].String() != "::1/128" {
		t.Errorf("proxies: %v, %v", proxies, err)
	}
	if got := source(settings, "workos_unknown_org"); !strings.HasPrefix(got, "reject from ") || !strings.HasSuffix(got, "other.yaml:2") {
		t.Errorf("workos_unknown_org: %s", got)
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ file, variable, value, want string }{
		"unknown key":       {file: "listen: a:1\n\nlisen: b:1\n", want: `daybook.yaml:3: there is no setting "lisen"`},
		"config in a file":  {file: "config: x.yaml\n", want: `daybook.yaml:1: there is no setting "config"`},
		"repeated key":      {file: "db: a\ndb: b\n", want: `"db"`},
		"nested value":      {file: "db:\n  path: a\n", want: "daybook.yaml:2: db: expected a plain value"},
		"list of lists":     {file: "trusted_proxies: [[a]]\n", want: "a list holds plain values only"},
		"no mapping":        {file: "- a\n", want: "daybook.yaml:1: expected lines of the form key: value"},
		"broken yaml":       {file: "db: [\n", want: "read daybook.yaml"},
		"wrong word":        {file: "log_level: loud\n", want: `log_level (daybook.yaml:1): "loud" is not one of debug, info, warn, error`},
		"wrong number":      {variable: "DAYBOOK_LIMIT_EVENTS", value: "many", want: `limit_events (environment DAYBOOK_LIMIT_EVENTS): "many" is not a whole number`},
		"wrong size":        {variable: "DAYBOOK_LIMIT_BODY", value: "5 apples", want: "is not a size"},
		"huge size":         {variable: "DAYBOOK_LIMIT_BODY", value: "99999999999GiB", want: "is not a size"},
		"wrong duration":    {variable: "DAYBOOK_COMMIT_TIMEOUT", value: "30", want: "is not a length of time"},
		"wrong bool":        {variable: "DAYBOOK_METRICS", value: "maybe", want: "is not true or false"},
		"event too large":   {variable: "DAYBOOK_LIMIT_EVENT", value: "257KiB", want: "limit_event must be between 1 and 256KiB, is 257KiB"},
		"short window":      {variable: "DAYBOOK_IDEMPOTENCY_WINDOW", value: "23h59m", want: "idempotency_window must be at least 24h"},
		"half of TLS":       {variable: "DAYBOOK_TLS_CERT", value: "a.pem", want: "tls_cert and tls_key go together"},
		"wrong proxy":       {variable: "DAYBOOK_TRUSTED_PROXIES", value: "10.0.0.0/8,home", want: `"home" is neither an address nor a network`},
		"no events allowed": {variable: "DAYBOOK_LIMIT_EVENTS", value: "0", want: "must be at least 1"},
		"negative rate":     {variable: "DAYBOOK_RATE_LIMIT", value: "-1", want: "rate_limit must not be negative"},
		"missing file":      {variable: "DAYBOOK_CONFIG", value: "/nowhere/d.yaml", want: "read the configuration"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := folder(t, "daybook.yaml", tt.file)
			_, _, err := config.Load(config.Sources{Dir: dir, LookupEnv: environment(tt.variable, tt.value)})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestSecretsAreMasked(t *testing.T) {
	t.Parallel()
	const secret = "hunter2secret"
	dir := folder(t, ".env", "DAYBOOK_BOOTSTRAP_KEY="+secret+"\n")
	for _, db := range []string{
		"postgres://daybook:" + secret + "@db.example.com/daybook", "postgres://db.example.com/daybook?password=" + secret,
		"postgres://daybook:" + secret + "@[broken/daybook", "host=db.example.com password=" + secret + " dbname=daybook",
		"host=db.example.com password = '" + secret + ` \' ` + secret + "' dbname=daybook", "dbname=daybook passWord='" + secret + " " + secret,
		"host=db.example.com password=a\\ " + secret, "host=db.example.com sslpassword=x" + secret,
	} {
		_, settings, err := config.Load(config.Sources{Dir: dir, LookupEnv: environment("DAYBOOK_DB", db)})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range settings {
			if strings.Contains(s.Value, secret) {
				t.Errorf("%s shows the secret: %s", s.Key, s.Value)
			}
		}
		if got := source(settings, "bootstrap_key"); got != "******** from .env DAYBOOK_BOOTSTRAP_KEY" {
			t.Errorf("bootstrap_key: %s", got)
		}
		if got := source(settings, "db"); !strings.Contains(got, "********") {
			t.Errorf("db: %s", got)
		}
	}
	broken := folder(t, ".env", "DAYBOOK_BOOTSTRAP_KEY=\""+secret+"\n")
	if _, _, err := config.Load(config.Sources{Dir: broken, LookupEnv: environment()}); err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("a broken .env: %v", err)
	}
}

// What is named like a setting and is none is found; what other programs set is not.
func TestUnknown(t *testing.T) {
	t.Parallel()
	vars := []string{
		"DAYBOOK_LISTN", "1", "DAYBOOK_LISTEN", ":1", "DAYBOOK_ORG", "org_acme", "DAYBOOK_EMPTY", "", "OTHER", "x", "DAYBOOKS", "x", "DAYBOOK_PORT", "9000",
		"DAYBOOK_SERVICE_HOST", "10.0.0.1", "DAYBOOK_SERVICE_PORT_HTTP", "80", "DAYBOOK_PORT_80_TCP_ADDR", "10.0.0.1", "DAYBOOK_PORT_80_TCP", "tcp://10.0.0.1:80",
	}
	var pairs []string
	for i := 0; i < len(vars); i += 2 {
		pairs = append(pairs, vars[i]+"="+vars[i+1])
	}
	s := config.Sources{
		Dir:       folder(t, ".env", "DAYBOOK_DBB=x\nDAYBOOK_DB=y\nDAYBOOK_LISTN=2\n"),
		LookupEnv: environment(vars...), Environ: func() []string { return pairs },
	}
	if diff := cmp.Diff([]string{"DAYBOOK_DBB", "DAYBOOK_LISTN", "DAYBOOK_PORT"}, config.Unknown(s, "DAYBOOK_ORG")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	s.Environ = func() []string { return []string{"DAYBOOK_PORT=tcp://10.0.0.1:80"} } // of Kubernetes, too
	s.LookupEnv, s.Dir = environment("DAYBOOK_PORT", "tcp://10.0.0.1:80"), t.TempDir()
	if got := config.Unknown(s); len(got) > 0 {
		t.Errorf("found %v", got)
	}
}

// Every setting has a comment, a flag and a variable: the struct is the only place that names it.
func TestReference(t *testing.T) {
	t.Parallel()
	fs := flags(t)
	for _, s := range config.Reference() {
		if s.Help == "" || strings.Contains(s.Help, "key:") {
			t.Errorf("%s has no comment of its own: %q", s.Key, s.Help)
		}
		if fs.Lookup(strings.TrimPrefix(s.Flag, "--")) == nil {
			t.Errorf("%s has no flag", s.Key)
		}
		if want := "DAYBOOK_" + strings.ToUpper(s.Key); s.Variable != want {
			t.Errorf("%s has the variable %s", s.Key, s.Variable)
		}
	}
	// The defaults are values that Load takes, and Show prints them as they stand there.
	_, settings, err := config.Load(config.Sources{Dir: t.TempDir(), LookupEnv: environment()})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range settings {
		if diff := cmp.Diff(s.Default, strings.NewReplacer("h0m0s", "h", "m0s", "m").Replace(s.Value)); diff != "" && s.Key != "commit_timeout" {
			t.Errorf("%s: %s", s.Key, diff)
		}
	}
}

func FuzzFile(f *testing.F) {
	for _, seed := range []string{"", "listen: a\n", "trusted_proxies: [a, b]\n", "? {a: b}\n: c\n", "&a listen: *a\n", "--- |\n x\n", "a: !!binary x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		dir := folder(t, "daybook.yaml", text)
		c, _, err := config.Load(config.Sources{Dir: dir, LookupEnv: environment()})
		if err == nil && c.LimitEvent > 256<<10 {
			t.Errorf("limit_event %s was taken", c.LimitEvent)
		}
	})
}
