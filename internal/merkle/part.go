package merkle

import (
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// Part is a part of a tree of which the rest is not there: the leaves [from, to), and the hashes of the perfect subtrees beside them. It is
// never changed.
type Part struct {
	from, to int64
	beside   map[node]tlog.Hash
	leftOut  func(first, end int64) error
}

// NewPart returns the part [from, to) of the tree of a size, with what [Tree.Beside] gave; nil: that is another number of hashes. leftOut
// makes the error of whoever asks for a hash of the leaves [first, end) that cannot be made.
func NewPart(from, to, size int64, left, right []tlog.Hash, leftOut func(first, end int64) error) *Part {
	p := &Part{from: from, to: to, beside: map[node]tlog.Hash{}, leftOut: leftOut}
	if !p.keep(0, from, left) || !p.keep(to, size, right) {
		return nil
	}
	return p
}

// keep keeps the hashes of the perfect subtrees that cover [from, to); false: there is another number of them.
func (p *Part) keep(from, to int64, hs []tlog.Hash) bool {
	for level, n := range nodes(from, to) {
		if len(hs) == 0 {
			return false
		}
		p.beside[node{level: level, n: n}] = hs[0]
		hs = hs[1:]
	}
	return len(hs) == 0
}

// subtree is Tree.Subtree of t: as it was given beside the part, or made from what is in it.
func (p *Part) subtree(t *Tree, level int, n int64) (tlog.Hash, error) {
	if h, ok := p.beside[node{level: level, n: n}]; ok {
		return h, nil
	}
	first, end := n<<level, (n+1)<<level
	run := first / RunWidth * RunWidth
	switch inside := first >= p.from && end <= p.to; {
	case inside && (level >= RunLevel || run >= p.from && run+RunWidth <= p.to):
		return t.own(level, n)
	case inside:
		leaves, err := t.Source.Leaves(first, end)
		return Root(leaves), err
	case level == 0 || end <= p.from || first >= p.to:
		return tlog.Hash{}, p.leftOut(first, end)
	}
	return t.join(level, n)
}

// Growing is the tree of a part while its leaves come, one after the other.
type Growing struct {
	next int64
	to   int64
	tree Frontier // of [0, next)
	run  Frontier // of the run that next lies in, where all of it is in the part
	// Roots are those of the complete runs that lie in the part, by their number.
	Roots map[int64]tlog.Hash
}

// Grow begins the tree of the leaves [from, to) beside which left of them is what [Tree.Beside] gave.
func Grow(from, to int64, left []tlog.Hash) *Growing {
	return &Growing{next: from, to: to, tree: Frontier{Size: from, Hashes: slices.Clone(left)}, Roots: map[int64]tlog.Hash{}}
}

// Next returns the number of the leaf that comes next.
func (g *Growing) Next() int64 { return g.next }

// Leaf adds the hash of the leaf at seq, and nothing for those before it that did not come. One that has come before is left out.
func (g *Growing) Leaf(seq int64, h tlog.Hash) {
	for ; g.next <= seq; g.next++ {
		one := tlog.Hash{}
		if g.next == seq {
			one = h
		}
		g.tree.Append(one)
		if g.next%RunWidth == 0 {
			g.run = Frontier{}
		}
		if g.run.Append(one); g.run.Size == RunWidth && g.next%RunWidth == RunWidth-1 {
			g.Roots[g.next/RunWidth] = g.run.Hashes[0]
		}
	}
}

// End completes the tree with what is right of the part, to a size, and returns its frontier.
func (g *Growing) End(size int64, right []tlog.Hash) Frontier {
	g.Leaf(g.to-1, tlog.Hash{}) // nothing, when all are there
	for level := range nodes(g.to, size) {
		g.tree.AppendSubtree(level, right[0])
		right = right[1:]
	}
	return g.tree
}
