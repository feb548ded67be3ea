package sentence

import (
	_ "embed"
	"encoding/json"
	"strings"
)

// wordsJSON are the words that sentences are made of. web/src/sentence has a copy, which a test compares.
//
//go:embed words.json
var wordsJSON []byte

type wordList struct {
	Verbs      []string `json:"verbs"` // what reads well between who and what
	Nobody     string   `json:"nobody"`
	As         string   `json:"as"`
	Via        string   `json:"via"`
	And        string   `json:"and"`
	More       string   `json:"more"`
	Everything string   `json:"everything"`
	Failed     string   `json:"failed"`
	Denied     string   `json:"denied"`
}

var words, pastVerbs = readWords()

func readWords() (wordList, map[string]bool) {
	var w wordList
	if err := json.Unmarshal(wordsJSON, &w); err != nil {
		panic("sentence: words.json: " + err.Error()) // it is part of the program
	}
	verbs := map[string]bool{}
	for _, v := range w.Verbs {
		verbs[v] = true
	}
	return w, verbs
}

// verbOf returns the past verb that an action ends in, for people.
func verbOf(action string) (string, bool) {
	i := strings.LastIndexByte(action, '.')
	if i < 0 {
		return "", false
	}
	verb := strings.ReplaceAll(action[i+1:], "_", " ")
	return verb, pastVerbs[verb]
}
