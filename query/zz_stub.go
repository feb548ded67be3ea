package query

import "github.com/daybook-audit/daybook/leaf"

type Record struct {
	Org                   string
	Seq                   int64
	ID                    string
	Received, Occurred    int64
	Control, Erased, Held bool
	Doc                   *leaf.Doc
}
type Term struct{ H, G uint64 }

func mix(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}
func NewTerm(ns byte, value []byte) Term {
	h := uint64(14695981039346656037)
	for _, c := range value {
		h = (h ^ uint64(c)) * 1099511628211
	}
	h = mix(h)
	return Term{h, mix(h ^ uint64(ns)*0x9e3779b97f4a7c15)}
}
func AppendTerms(dst []Term, r *Record) []Term {
	dst = append(dst, NewTerm('i', []byte(r.ID)))
	for i := range r.Doc.Len() {
		dst = append(dst, NewTerm('w', r.Doc.Value(i)))
	}
	return dst
}
