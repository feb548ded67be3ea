package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// page writes index.html: the page of the source with its scripts, styles and icons.
func (c *config) page(m, first *meta, files map[string][]byte) error {
	text, err := os.ReadFile(filepath.Join(c.web, c.Page))
	if err != nil {
		return err
	}
	var head strings.Builder
	for name, out := range first.Outputs {
		if out.EntryPoint != "" {
			fmt.Fprintf(&head, "<script src=\"/assets/%s\"></script>\n", path.Base(name))
		}
	}
	entry := c.entry(m)
	if entry == "" {
		return errors.New("esbuild made no module for the entry app")
	}
	if css := m.Outputs[entry].CSSBundle; css != "" {
		fmt.Fprintf(&head, "<link rel=\"stylesheet\" href=\"/assets/%s\">\n", path.Base(css))
	}
	fmt.Fprintf(&head, "<script type=\"module\" src=\"/assets/%s\"></script>\n", path.Base(entry))
	for _, name := range m.loads(entry)[1:] {
		fmt.Fprintf(&head, "<link rel=\"modulepreload\" href=\"/assets/%s\">\n", path.Base(name))
	}
	sprite, err := c.sprite()
	if err != nil {
		return err
	}
	for mark, value := range map[string]string{"<!-- head -->": strings.TrimSpace(head.String()), "<!-- icons -->": sprite} {
		if bytes.Count(text, []byte(mark)) != 1 {
			return fmt.Errorf("%s must hold %s once", c.Page, mark)
		}
		text = bytes.Replace(text, []byte(mark), []byte(value), 1)
	}
	files["index.html"] = text
	return nil
}

// entry is the name of the module made of the entry app.
func (c *config) entry(m *meta) string {
	for name, out := range m.Outputs {
		if out.EntryPoint == c.Entries["app"] {
			return name
		}
	}
	return ""
}

// loads lists what a module needs before it runs, itself first.
func (m *meta) loads(name string) []string {
	all := []string{name}
	for i := 0; i < len(all); i++ {
		for _, needed := range m.Outputs[all[i]].Imports {
			if needed.Kind == "import-statement" && !needed.External && !slices.Contains(all, needed.Path) {
				all = append(all, needed.Path)
			}
		}
	}
	return all
}

var (
	svgTag = regexp.MustCompile(`(?s)^.*?<svg[^>]*>(.*)</svg>\s*$`)
	spaces = regexp.MustCompile(`\s+`)
)

// sprite puts the icons into one hidden picture; a page shows one by <use href="#i-name">.
func (c *config) sprite() (string, error) {
	icons, err := filepath.Glob(filepath.Join(c.web, c.Icons, "*.svg"))
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(`<svg class="sprite" aria-hidden="true">`)
	for _, icon := range icons { // Glob sorts
		text, err := os.ReadFile(icon)
		if err != nil {
			return "", err
		}
		inner := svgTag.FindSubmatch(text)
		if inner == nil {
			return "", fmt.Errorf("%s is no svg", icon)
		}
		shape := strings.TrimSpace(spaces.ReplaceAllString(string(inner[1]), " "))
		shape = strings.ReplaceAll(strings.ReplaceAll(shape, "> <", "><"), " />", "/>")
		fmt.Fprintf(&b, `<symbol id="i-%s" viewBox="0 0 24 24">%s</symbol>`, strings.TrimSuffix(filepath.Base(icon), ".svg"), shape)
	}
	b.WriteString(`</svg>`)
	return b.String(), nil
}
