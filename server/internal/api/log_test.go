package api_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/server/internal/api"
)

func TestTilePaths(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../testdata/vectors/tree.json")
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Paths []struct {
			Level, Path string
			N           int64
			Width       int
		} `json:"tile_paths"`
	}
	if err := json.Unmarshal(text, &v); err != nil || len(v.Paths) < 12 {
		t.Fatalf("%v, %d vectors", err, len(v.Paths))
	}
	for _, want := range v.Paths {
		entries, level, n, width, ok := api.ParseTile(strings.TrimPrefix(want.Path, "tile/"))
		if !ok || entries != (want.Level == "entries") || level != 0 || n != want.N || width != want.Width {
			t.Errorf("%s: entries %t, level %d, n %d, width %d, %t", want.Path, entries, level, n, width, ok)
		}
	}
	for _, path := range []string{
		"", "0", "0/", "0/0", "0/0000", "/000", "00/000", "-1/000", "+1/000", "6/000", "data/000", "entries", "0/000.p/0", "0/000.p/256", "0/000.p/01", "0/000.p/",
		"0/000.p", "0/000/", "0/x000/000", "0/001/000", "0/x001/x000", "0/x01/000", "0/x001//000", "0/000.p/5/6", "0/x001.p/000", "0/x001/x002/x003/x004/x005/006",
		"0/x100/x000/x000/x000/000", "0/\u0660\u0660\u0660",
	} {
		if _, _, n, _, ok := api.ParseTile(path); ok {
			t.Errorf("%q is read as tile %d", path, n)
		}
	}
}

// FuzzTilePath: what is read is what golang.org/x/mod reads, whose paths begin with the height and name records data.
func FuzzTilePath(f *testing.F) {
	for _, path := range []string{"0/000", "entries/x001/x234/067.p/3", "1/001.p/17", "0/x123/x456/789", "5/000.p/1", "0/x000/001", "0/000.p/300"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		entries, level, n, width, ok := api.ParseTile(path)
		theirs := "tile/8/" + strings.Replace(path, "entries/", "data/", 1)
		tile, err := tlog.ParseTilePath(theirs)
		if !ok {
			if err == nil && tile.L <= 5 && tile.N <= 1<<53/256 && !strings.HasPrefix(path, "data/") {
				t.Fatalf("%q is refused, and is %+v", path, tile)
			}
			return
		}
		if entries {
			level = -1
		}
		if err != nil || tile.L != level || tile.N != n || tile.W != width {
			t.Fatalf("%q is read as level %d, n %d, width %d, and is %+v: %v", path, level, n, width, tile, err)
		}
	})
}
