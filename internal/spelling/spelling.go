// Package spelling tells how far a word that nobody knows is from one that somebody may have meant.
package spelling

// Far is the distance of words that are not meant for one another.
const Far = 3

// Distance is the number of letters to insert, drop or change to get from a to b, at most Far: a suggestion that needs more is none.
func Distance(a, b string) int {
	if len(a)-len(b) >= Far || len(b)-len(a) >= Far || len(a) > 64 {
		return Far
	}
	var row [64 + Far]int
	for j := range len(b) + 1 {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return min(row[len(b)], Far)
}
