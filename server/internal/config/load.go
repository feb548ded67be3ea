package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/joho/godotenv"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// Sources says where Load looks. The zero value reads the process's own environment and the working folder.
type Sources struct {
	Flags     *pflag.FlagSet              // flags made by Bind; only those that were given count; may be nil
	LookupEnv func(string) (string, bool) // nil: os.LookupEnv
	Environ   func() []string             // NAME=value of what may be asked for; nil: os.Environ
	Dir       string                      // folder of .env and daybook.yaml; empty: the working folder
}

// Setting is one effective value and where it came from.
type Setting struct {
	Key, Value, Source, Help string
	Flag, Variable, Default  string
	OneOf                    []string
	PerNode                  bool // nodes of one database may differ in it
}

// Bind adds a flag for every setting to fs, with the setting's comment as its help. Flags that fs already has are left alone.
func Bind(fs *pflag.FlagSet) {
	for _, k := range keys() {
		if fs.Lookup(k.flag()) != nil {
			continue
		}
		fs.Var(&text{value: k.fallback, kind: k.kind()}, k.flag(), k.help)
		if k.kind() == "bool" {
			fs.Lookup(k.flag()).NoOptDefVal = "true"
		}
	}
}

// text is a flag that keeps what was typed; Load reads it with the same rules as every other source.
type text struct{ value, kind string }

func (t *text) String() string     { return t.value }
func (t *text) Set(s string) error { t.value = s; return nil }
func (t *text) Type() string       { return t.kind }

// Load reads every source and returns the configuration, or the first value that cannot be.
func Load(s Sources) (*Config, []Setting, error) {
	lookup := s.LookupEnv
	if lookup == nil {
		lookup = os.LookupEnv
	}
	dotenv, err := readDotEnv(filepath.Join(s.Dir, ".env"))
	if err != nil {
		return nil, nil, err
	}
	given := func(k key) (value, from string, ok bool) {
		if s.Flags != nil {
			if f := s.Flags.Lookup(k.flag()); f != nil && f.Changed {
				return f.Value.String(), "flag --" + k.flag(), true
			}
		}
		if v, ok := lookup(k.variable()); ok && v != "" {
			return v, "environment " + k.variable(), true
		}
		if v, ok := dotenv[k.variable()]; ok && v != "" {
			return v, ".env " + k.variable(), true
		}
		return "", "", false
	}
	c := &Config{}
	ks := keys()
	file, name, err := openFile(s.Dir, ks[0], given)
	if err != nil {
		return nil, nil, err
	}
	values, err := readFile(file, name, ks)
	if err != nil {
		return nil, nil, err
	}
	settings := make([]Setting, 0, len(ks))
	for _, k := range ks {
		value, from, ok := given(k)
		if !ok {
			if v, in := values[k.name]; in {
				value, from = v.text, fmt.Sprintf("%s:%d", name, v.line)
			} else if value, from, ok = k.foreign(lookup, dotenv); ok {
				if value, err = k.translate(value); err != nil {
					return nil, nil, fmt.Errorf("%s (%s): %w", k.name, from, err)
				}
			} else {
				value, from = k.fallback, "default"
			}
		}
		if err := k.setFrom(c, value); err != nil {
			return nil, nil, fmt.Errorf("%s (%s): %w", k.name, from, err)
		}
		settings = append(settings, Setting{
			Key: k.name, Value: k.show(c), Source: from, Help: k.help,
			Flag: "--" + k.flag(), Variable: k.variable(), Default: k.fallback, OneOf: k.oneOf, PerNode: k.perNode,
		})
	}
	if err := c.check(); err != nil {
		return nil, nil, err
	}
	return c, settings, nil
}

// foreign returns what a variable of another program says about k.
func (k key) foreign(lookup func(string) (string, bool), dotenv map[string]string) (value, from string, ok bool) {
	for _, name := range k.or {
		if v, ok := lookup(name); ok && v != "" {
			return v, "environment " + name, true
		}
		if v := dotenv[name]; v != "" {
			return v, ".env " + name, true
		}
	}
	return "", "", false
}

// translate makes a setting of what another program's variable says: of a port, every address of the machine with it.
func (k key) translate(value string) (string, error) {
	if k.name != "listen" {
		return value, nil
	}
	if port, err := strconv.ParseUint(value, 10, 16); err != nil || port == 0 {
		return "", fmt.Errorf("%q is not a port: write a number from 1 to 65535", value)
	}
	return ":" + value, nil
}

// database are the variables with which ta-vivo-audit-log names its database.
var database = []string{"DB_HOST", "DB_PORT", "DB_NAME", "DB_USER", "DB_PASSWORD"}

// Ignored returns the variables of the environment and of .env that name the database of another program whose API this server answers.
// They do nothing here.
func Ignored(s Sources) []string {
	lookup := s.LookupEnv
	if lookup == nil {
		lookup = os.LookupEnv
	}
	dotenv, _ := readDotEnv(filepath.Join(s.Dir, ".env")) // one that cannot be read holds nothing; Load says why
	return slices.DeleteFunc(slices.Clone(database), func(name string) bool {
		v, _ := lookup(name)
		return v == "" && dotenv[name] == ""
	})
}

// setFrom is set, but never shows a secret in its error.
func (k key) setFrom(c *Config, value string) error {
	if value == "" && k.fallback == "" {
		return nil
	}
	err := k.set(c, value)
	if err != nil && k.secret != "" {
		return errors.New("the value has the wrong form")
	}
	return err
}

// kubernetes are the variables that Kubernetes gives every pod beside a service named daybook.
var kubernetes = regexp.MustCompile(`^DAYBOOK_(SERVICE_(HOST|PORT)|PORT_\d+_(TCP|UDP))(_|$)`)

// Unknown returns the variables of the environment and of .env that are named like a setting and are none, sorted. others are the
// names that somebody else reads.
func Unknown(s Sources, others ...string) []string {
	lookup, environ := s.LookupEnv, s.Environ
	if lookup == nil {
		lookup = os.LookupEnv
	}
	if environ == nil {
		environ = os.Environ
	}
	known := map[string]bool{}
	for _, name := range others {
		known[name] = true
	}
	for _, k := range keys() {
		known[k.variable()] = true
	}
	found := map[string]bool{}
	look := func(name, value string) {
		service := kubernetes.MatchString(name) || strings.HasPrefix(value, "tcp://") || strings.HasPrefix(value, "udp://")
		if strings.HasPrefix(name, "DAYBOOK_") && value != "" && !known[name] && !service {
			found[name] = true
		}
	}
	for _, pair := range environ() {
		name, _, _ := strings.Cut(pair, "=")
		value, _ := lookup(name)
		look(name, value)
	}
	dotenv, _ := readDotEnv(filepath.Join(s.Dir, ".env")) // one that cannot be read holds nothing; Load says why
	for name, value := range dotenv {
		look(name, value)
	}
	return slices.Sorted(maps.Keys(found))
}

func readDotEnv(path string) (map[string]string, error) {
	vars, err := godotenv.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: the file has the wrong form", path) // the parser's own message quotes the line, secrets included
	}
	return vars, nil
}

// openFile returns the bytes and the name of the configuration file; without one, nil.
func openFile(dir string, k key, given func(key) (string, string, bool)) ([]byte, string, error) {
	name, _, asked := given(k)
	path := name
	if !asked || name == "" {
		name, asked = "daybook.yaml", false
		path = filepath.Join(dir, name)
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && !asked {
		return nil, name, nil
	}
	if err != nil {
		return nil, name, fmt.Errorf("read the configuration: %w", err)
	}
	return b, name, nil
}

type fileValue struct {
	text string
	line int
}

// readFile reads a flat YAML mapping. Unknown and repeated keys are errors that name the line.
func readFile(b []byte, name string, ks []key) (map[string]fileValue, error) {
	var doc yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(b)).Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil, nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s:%d: expected lines of the form key: value", name, root.Line)
	}
	known := map[string]bool{}
	for _, k := range ks[1:] {
		known[k.name] = true
	}
	values := map[string]fileValue{}
	for i := 0; i < len(root.Content); i += 2 {
		n, v := root.Content[i], root.Content[i+1]
		if !known[n.Value] {
			return nil, fmt.Errorf("%s:%d: there is no setting %q", name, n.Line, n.Value)
		}
		if _, twice := values[n.Value]; twice {
			return nil, fmt.Errorf("%s:%d: %q stands twice", name, n.Line, n.Value)
		}
		value, err := scalar(v)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %s: %w", name, v.Line, n.Value, err)
		}
		values[n.Value] = fileValue{value, n.Line}
	}
	return values, nil
}

// scalar returns a scalar's text, or a list of them joined by commas.
func scalar(v *yaml.Node) (string, error) {
	switch v.Kind { //nolint:exhaustive // every other one is refused
	case yaml.ScalarNode:
		if v.Tag == "!!null" {
			return "", nil
		}
		return v.Value, nil
	case yaml.SequenceNode:
		parts := make([]string, 0, len(v.Content))
		for _, one := range v.Content {
			if one.Kind != yaml.ScalarNode {
				return "", errors.New("a list holds plain values only")
			}
			parts = append(parts, one.Value)
		}
		return strings.Join(parts, ","), nil
	}
	return "", errors.New("expected a plain value or a list of them")
}

// Reference returns every setting as the defaults give it: what the reference page is made of.
func Reference() []Setting {
	ks := keys()
	out := make([]Setting, 0, len(ks))
	for _, k := range ks {
		out = append(out, Setting{
			Key: k.name, Value: k.fallback, Source: "default", Help: k.help,
			Flag: "--" + k.flag(), Variable: k.variable(), Default: k.fallback, OneOf: k.oneOf, PerNode: k.perNode,
		})
	}
	return out
}
