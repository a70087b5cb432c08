package fault

// Nearest returns the known word with the smallest edit distance (Levenshtein's) to word, ties to the first; "" when
// nothing is known. It is for sentences that end in "the nearest known one is …".
func Nearest(word string, known []string) string {
	best, distance := "", -1
	for _, candidate := range known {
		if d := editDistance(word, candidate); distance < 0 || d < distance {
			best, distance = candidate, d
		}
	}
	return best
}

func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
