//go:build linux

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// compose is what our compose.yaml uses of the format; anything else in it is an error.
type compose struct {
	Name     string                    `yaml:"name"`
	Template any                       `yaml:"x-daybook"`
	Services map[string]composeService `yaml:"services"`
	Volumes  map[string]struct{}       `yaml:"volumes"`
}

type composeService struct {
	Build struct {
		Context string            `yaml:"context"`
		Args    map[string]string `yaml:"args"`
	} `yaml:"build"`
	Image       string            `yaml:"image"`
	Profiles    []string          `yaml:"profiles"`
	Restart     string            `yaml:"restart"`
	Grace       string            `yaml:"stop_grace_period"`
	ReadOnly    bool              `yaml:"read_only"`
	CapDrop     []string          `yaml:"cap_drop"`
	SecurityOpt []string          `yaml:"security_opt"`
	ShmSize     string            `yaml:"shm_size"`
	User        string            `yaml:"user"`
	NetworkMode string            `yaml:"network_mode"`
	Entrypoint  []string          `yaml:"entrypoint"`
	Command     []string          `yaml:"command"`
	DependsOn   yaml.Node         `yaml:"depends_on"`
	Environment map[string]string `yaml:"environment"`
	Volumes     []string          `yaml:"volumes"`
	Ports       []string          `yaml:"ports"`
	Healthcheck struct {
		Test     []string `yaml:"test"`
		Interval string   `yaml:"interval"`
		Timeout  string   `yaml:"timeout"`
		Retries  int      `yaml:"retries"`
	} `yaml:"healthcheck"`
}

// compose.yaml says nothing that it does not mean: its settings are there, its folders, ports and files are those of the Dockerfile and
// of the balancer, whoever is waited for exists, and every node has the same settings.
func TestCompose(t *testing.T) {
	t.Parallel()
	text := readHouse(t, "compose.yaml")
	var c compose
	d := yaml.NewDecoder(strings.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&c); err != nil {
		t.Fatal(err)
	}
	knownVariables(t, "compose.yaml", strings.ReplaceAll(text, "${DAYBOOK_VERSION:-", "")) // the build's, not the server's
	image := map[string]string{}
	for _, in := range dockerfile(t) {
		image[in.word] = in.rest
	}
	nodes := 0
	for name, s := range c.Services {
		for _, v := range s.Volumes {
			from, _, _ := strings.Cut(v, ":")
			_, volume := c.Volumes[from]
			_, err := os.Stat(filepath.Join(house, from))
			if !volume && (err != nil || !strings.HasPrefix(from, "./")) {
				t.Errorf("%s mounts %s, which is no volume and no file of ours", name, from)
			}
		}
		for _, other := range waitsFor(t, &s.DependsOn) {
			if _, ok := c.Services[other]; !ok {
				t.Errorf("%s depends on %s", name, other)
			}
		}
		if strings.HasPrefix(s.Image, "daybook:") {
			nodes++
			checkNode(t, name, &s, image)
		}
	}
	if nodes != 3 {
		t.Errorf("%d nodes", nodes)
	}
	one := c.Services["daybook"]
	for _, port := range one.Ports {
		if !strings.HasSuffix(port, ":"+image["EXPOSE"]) {
			t.Errorf("port %s, and the image listens on %s", port, image["EXPOSE"])
		}
	}
	balancer := readHouse(t, "deploy/haproxy.cfg")
	for _, m := range regexp.MustCompile(`(?m)^  server \w+ (\w+):(\d+)$`).FindAllStringSubmatch(balancer, -1) {
		if s, ok := c.Services[m[1]]; !ok || !strings.HasPrefix(s.Image, "daybook:") || m[2] != image["EXPOSE"] {
			t.Errorf("the balancer asks %s", m[0])
		}
		nodes--
	}
	if nodes != 0 || !strings.Contains(balancer, "httpchk GET /readyz") || !strings.HasSuffix(c.Services["balancer"].Ports[0], "-8090}:8090") || !strings.Contains(balancer, "bind :8090\n") {
		t.Error("the balancer does not ask every node whether it is ready, or listens elsewhere")
	}
	for _, name := range []string{"postgres", "marks", "master.key"} { // what the first start makes
		if !strings.Contains(c.Services["secrets"].Command[0], name) {
			t.Errorf("nothing makes the secret %s", name)
		}
	}
}

// checkNode checks a service that runs Daybook.
func checkNode(t *testing.T, name string, s *composeService, image map[string]string) {
	t.Helper()
	for _, want := range []struct{ what, got, prefix string }{
		{"listens", s.Environment["DAYBOOK_LISTEN"], ":" + image["EXPOSE"]},
		{"database", s.Environment["DAYBOOK_DB"], "postgres://daybook@postgres:5432/"},
		{"password", s.Environment["DAYBOOK_DB_PASSWORD_FILE"], "/secrets/postgres"},
		{"marks", s.Environment["DAYBOOK_HIGHWATER"], "postgres://daybook@marks:5432/"},
		{"password of the marks", s.Environment["DAYBOOK_HIGHWATER_PASSWORD_FILE"], "/secrets/marks"},
		{"master key", s.Environment["DAYBOOK_MASTER_KEY_FILE"], "/secrets/master.key"},
		{"exports", s.Environment["DAYBOOK_EXPORT_DIR"], image["VOLUME"] + "/"},
		{"build", s.Build.Context, "."},
	} {
		if !strings.HasPrefix(want.got, want.prefix) {
			t.Errorf("%s: %s is %q, want %s…", name, want.what, want.got, want.prefix)
		}
	}
	if !slices.Contains(s.Volumes, "data:"+image["VOLUME"]) || !slices.Contains(s.Volumes, "secrets:/secrets:ro") || !s.ReadOnly || s.Healthcheck.Test != nil {
		t.Errorf("%s: %+v", name, s)
	}
}

// waitsFor reads depends_on, a list or a map.
func waitsFor(t *testing.T, n *yaml.Node) []string {
	t.Helper()
	var names []string
	var conditions map[string]struct {
		Condition string `yaml:"condition"`
	}
	switch n.Kind { //nolint:exhaustive // the others are not valid there
	case yaml.SequenceNode:
		if err := n.Decode(&names); err != nil {
			t.Error(err)
		}
	case yaml.MappingNode:
		if err := n.Decode(&conditions); err != nil {
			t.Error(err)
		}
		for name, c := range conditions {
			if c.Condition != "service_healthy" && c.Condition != "service_completed_successfully" {
				t.Errorf("depends on %s being %q", name, c.Condition)
			}
			names = append(names, name)
		}
	}
	return names
}
