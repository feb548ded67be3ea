package merkle_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/internal/merkle"
)

// TestCover holds that what covers a range touches, ascends, is aligned, and that no two neighbours make a larger subtree.
func TestCover(t *testing.T) {
	t.Parallel()
	for from := range int64(70) {
		for to := from; to < 140; to++ {
			at := from
			last := -1
			hs, err := merkle.Cover(from, to, func(level int, n int64) (tlog.Hash, error) {
				if n<<level != at {
					t.Fatalf("[%d, %d): subtree %d of level %d begins at %d, not %d", from, to, n, level, n<<level, at)
				}
				if last == level && n%2 == 1 {
					t.Fatalf("[%d, %d): two subtrees of level %d make one", from, to, level)
				}
				at, last = (n+1)<<level, level
				return tlog.Hash{}, nil
			})
			if err != nil || at != to || hs == nil {
				t.Fatalf("[%d, %d) is covered up to %d: %v", from, to, at, err)
			}
		}
	}
}

func TestTile(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		level int
		n     int64
		width int
		size  int64
	}{
		{0, 0, 1, 1},
		{0, 0, 256, 256},
		{0, 3, 10, 778},
		{1, 0, 2, 512},
		{1, 1, 1, 257 << 8},
		{6, 0, 1, 1 << 48},
		{-1, 0, 1, -1},
		{7, 0, 1, -1},
		{0, -1, 1, -1},
		{0, 0, 0, -1},
		{0, 0, 257, -1},
		{0, 1 << 60, 1, -1},
		{1, 1 << 46, 1, -1},
	} {
		size, ok := merkle.TileSize(tt.level, tt.n, tt.width)
		if ok != (tt.size >= 0) || ok && size != tt.size {
			t.Errorf("tile %d of level %d, %d wide, needs %d %v, want %d", tt.n, tt.level, tt.width, size, ok, tt.size)
		}
	}
	var asked []string
	tile, err := merkle.Tile(1, 2, 3, func(level int, n int64) (tlog.Hash, error) {
		asked = append(asked, fmt.Sprintf("%d/%d", level, n))
		return tlog.Hash{byte(n)}, nil
	})
	if err != nil || !slices.Equal(asked, []string{"8/512", "8/513", "8/514"}) || len(tile) != 3*tlog.HashSize || tile[tlog.HashSize] != 1 {
		t.Errorf("a tile of %d bytes is made of %v: %v", len(tile), asked, err)
	}
	broken := errors.New("broken")
	if _, err := merkle.Tile(0, 0, 1, func(int, int64) (tlog.Hash, error) { return tlog.Hash{}, broken }); !errors.Is(err, broken) {
		t.Errorf("a broken subtree: %v", err)
	}
	if _, err := merkle.Cover(0, 3, func(int, int64) (tlog.Hash, error) { return tlog.Hash{}, broken }); !errors.Is(err, broken) {
		t.Errorf("a broken subtree in a range: %v", err)
	}
}
