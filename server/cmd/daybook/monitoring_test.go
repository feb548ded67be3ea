//go:build linux

package main

import (
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// Every metric that the page and the rules of monitoring name is one that a running server has, and every rule is on the page.
func TestMonitoring(t *testing.T) {
	t.Parallel()
	m, key := serverFor(t, filepath.Join(t.TempDir(), "daybook.db"), "")
	defer func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}()
	var text string
	for range 2 { // the first request is counted in the second answer
		text = metricsOf(t, m.URL, key)
	}
	var there []string
	for _, found := range regexp.MustCompile(`(?m)^# TYPE (\w+) `).FindAllStringSubmatch(text, -1) {
		there = append(there, found[1])
	}
	page := readHouse(t, "docs/operations/monitoring.md")
	name := regexp.MustCompile(`\b(?:daybook|process)_[a-z_]+\b`)
	for _, file := range []string{"docs/operations/monitoring.md", "deploy/prometheus-rules.yaml"} {
		names := name.FindAllString(readHouse(t, file), -1)
		if len(names) < 10 {
			t.Errorf("%s names %d metrics", file, len(names))
		}
		for _, n := range names {
			if !slices.Contains(there, strings.TrimSuffix(n, "_bucket")) {
				t.Errorf("%s: a running server has no metric %s", file, n)
			}
			if !strings.Contains(page, strings.TrimSuffix(n, "_bucket")) {
				t.Errorf("the page does not say what to do about %s", n)
			}
		}
	}
	var rules struct {
		Groups []struct {
			Name  string `yaml:"name"`
			Rules []struct {
				Alert       string            `yaml:"alert"`
				Expr        string            `yaml:"expr"`
				For         string            `yaml:"for"`
				Labels      map[string]string `yaml:"labels"`
				Annotations map[string]string `yaml:"annotations"`
			} `yaml:"rules"`
		} `yaml:"groups"`
	}
	d := yaml.NewDecoder(strings.NewReader(readHouse(t, "deploy/prometheus-rules.yaml")))
	d.KnownFields(true)
	if err := d.Decode(&rules); err != nil {
		t.Fatal(err)
	}
	for _, rule := range rules.Groups[0].Rules {
		if severity := rule.Labels["severity"]; severity != "page" && severity != "ticket" || rule.Annotations["summary"] == "" || strings.Count(rule.Expr, "(") != strings.Count(rule.Expr, ")") {
			t.Errorf("%s: %+v", rule.Alert, rule)
		}
	}
}

func metricsOf(t *testing.T, server, key string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(answer.Body)
	if err := answer.Body.Close(); err != nil {
		t.Error(err)
	}
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%v, %s", err, answer.Status)
	}
	return string(text)
}
