package resthapi

import (
	"slices"
	"strings"

	"github.com/daybook-audit/daybook/query"
)

// textSearch is $text: any of the words, all of the phrases, none of what is excluded, in any string of the document. There is no
// stemming.
type textSearch struct {
	words            []string
	phrases, without [][]string
}

// parseText reads words, "phrases" and what a minus excludes.
func parseText(text string) textSearch {
	var t textSearch
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		rest, exclude := strings.CutPrefix(text, "-")
		var part string
		phrase := strings.HasPrefix(rest, `"`)
		if phrase {
			part, text, _ = strings.Cut(rest[1:], `"`)
		} else {
			part, text, _ = strings.Cut(rest, " ")
		}
		words := wordsOf(part)
		switch {
		case len(words) == 0:
		case exclude:
			t.without = append(t.without, words)
		case phrase:
			t.phrases = append(t.phrases, words)
		default:
			t.words = append(t.words, words...)
		}
	}
	return t
}

// wordsOf returns the folded words of s.
func wordsOf(s string) []string {
	var words []string
	query.Words([]byte(s), func(word []byte) bool {
		words = append(words, string(word))
		return true
	})
	return words
}

func (t textSearch) match(d *document) bool {
	var texts [][]string
	d.each(func(s string) bool {
		if words := wordsOf(s); len(words) > 0 {
			texts = append(texts, words)
		}
		return false
	})
	has := func(phrase []string) bool {
		return slices.ContainsFunc(texts, func(words []string) bool { return contains(words, phrase) })
	}
	if slices.ContainsFunc(t.without, has) || slices.ContainsFunc(t.phrases, func(p []string) bool { return !has(p) }) {
		return false
	}
	return len(t.phrases) > 0 || len(t.words) == 0 || slices.ContainsFunc(t.words, func(w string) bool { return has([]string{w}) })
}

// contains reports whether phrase stands in words, in a row.
func contains(words, phrase []string) bool {
	for i := 0; i+len(phrase) <= len(words); i++ {
		if slices.Equal(words[i:i+len(phrase)], phrase) {
			return true
		}
	}
	return false
}
