package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook/server/internal/config"
)

// What a deployment of ta-vivo-audit-log has in its environment or .env is taken when nothing of ours says otherwise.
func TestForeignVariables(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		dotenv, file, flag string
		vars               []string
		listen, secret     string
	}{
		"nothing":             {listen: "127.0.0.1:8080 from default", secret: " from default"},
		"PORT":                {vars: []string{"PORT", "3000", "API_PORT", "4000"}, listen: ":3000 from environment PORT", secret: " from default"},
		"API_PORT":            {vars: []string{"PORT", "", "API_PORT", "4000"}, listen: ":4000 from environment API_PORT", secret: " from default"},
		"PORT of .env":        {dotenv: "PORT=3000\nJWT_SECRET=s\n", vars: []string{"API_PORT", "4000"}, listen: ":3000 from .env PORT", secret: "******** from .env JWT_SECRET"},
		"the environment":     {dotenv: "PORT=3000\nJWT_SECRET=s\n", vars: []string{"PORT", "5000", "JWT_SECRET", "t"}, listen: ":5000 from environment PORT", secret: "******** from environment JWT_SECRET"},
		"a file of ours":      {file: "listen: a:1\n", vars: []string{"PORT", "3000"}, listen: "a:1 from daybook.yaml:1", secret: " from default"},
		"a variable of ours":  {vars: []string{"PORT", "0", "DAYBOOK_LISTEN", "a:1", "JWT_SECRET", "t", "DAYBOOK_TAVIVO_JWT_SECRET", "u"}, listen: "a:1 from environment DAYBOOK_LISTEN", secret: "******** from environment DAYBOOK_TAVIVO_JWT_SECRET"},
		"the largest port":    {vars: []string{"PORT", "65535"}, listen: ":65535 from environment PORT", secret: " from default"},
		"an example of .env":  {dotenv: "API_PORT=8080\nJWT_SECRET=secret\nDB_HOST=localhost\n", listen: ":8080 from .env API_PORT", secret: "******** from .env JWT_SECRET"},
		"quoted, with spaces": {dotenv: "API_PORT = \"9000\"\n", listen: ":9000 from .env API_PORT", secret: " from default"},
	} {
		dir := folder(t, ".env", tt.dotenv, "daybook.yaml", tt.file)
		_, settings, err := config.Load(config.Sources{Dir: dir, LookupEnv: environment(tt.vars...)})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := source(settings, "listen"); got != tt.listen {
			t.Errorf("%s: listen is %s", name, got)
		}
		if got := source(settings, "tavivo_jwt_secret"); got != tt.secret {
			t.Errorf("%s: tavivo_jwt_secret is %s", name, got)
		}
	}
	for port, variable := range map[string]string{"0": "PORT", "65536": "API_PORT", "http": "PORT", "-1": "API_PORT", "8080 ": "PORT", "+80": "PORT"} {
		_, _, err := config.Load(config.Sources{Dir: t.TempDir(), LookupEnv: environment(variable, port)})
		if err == nil || !strings.Contains(err.Error(), "listen (environment "+variable+")") || !strings.Contains(err.Error(), "1 to 65535") {
			t.Errorf("%s=%s: %v", variable, port, err)
		}
	}
	if _, _, err := config.Load(config.Sources{Dir: t.TempDir(), LookupEnv: environment("DAYBOOK_TAVIVO_ORG", "a b")}); err == nil || !strings.Contains(err.Error(), "tavivo_org") {
		t.Errorf("an org that is none: %v", err)
	}
}

func TestIgnored(t *testing.T) {
	t.Parallel()
	s := config.Sources{Dir: folder(t, ".env", "DB_NAME=logs\nDB_PASSWORD=\n"), LookupEnv: environment("DB_HOST", "db", "DB_USER", "", "DB_OTHER", "x")}
	if diff := cmp.Diff([]string{"DB_HOST", "DB_NAME"}, config.Ignored(s)); diff != "" {
		t.Error(diff)
	}
	if got := config.Ignored(config.Sources{Dir: t.TempDir(), LookupEnv: environment()}); len(got) > 0 {
		t.Errorf("%v", got)
	}
}
