package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Problem is one mistake in a policy.
type Problem struct {
	// File, Line and Column are the place in the file the policy was read from, counting from 1, columns in characters.
	// They are zero for a policy written as Go values.
	File         string
	Line, Column int

	// Path is the place in the document, such as authorizers.Documents.routes["PUT /documents/{id}"][0].rule.
	Path string

	// Message says what was found, what is allowed and what to change.
	Message string

	// ID names a warning, so that it can be acknowledged; it stays when lines move. Empty for mistakes.
	ID string

	// Excerpt are the faulty line of an expression and a line with a caret below the fault; empty elsewhere.
	Excerpt string
}

// String is the problem for people: its place and message on one line, then the excerpt, indented.
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		fmt.Fprintf(&b, "%s:%d:%d: ", p.File, p.Line, p.Column)
	}
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Message)
	if p.Excerpt != "" {
		b.WriteString("\n    " + strings.ReplaceAll(p.Excerpt, "\n", "\n    "))
	}
	return b.String()
}

// Problems are all mistakes in a policy.
type Problems []Problem

// Error lists the problems, one below the other.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.String()
	}
	return strings.Join(lines, "\n")
}

// sort puts problems in document order. Those of Go values have no place and keep the order in which they were found.
func (p Problems) sort() {
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// DidYouMean is ` (did you mean "x"?)`, blank included, for the candidate closest to got, or empty when none is close. It is
// for tools that report about policies.
func DidYouMean(got string, candidates []string) string {
	best, distance := "", 1+max(1, len(got)/3)
	for _, c := range candidates {
		g, lower := strings.ToLower(got), strings.ToLower(c)
		d := editDistance(g, lower)
		if len(c) > 2 && strings.HasPrefix(g, lower) {
			d = 1 // integer for int
		}
		if d < distance {
			best, distance = c, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

// editDistance counts insertions, deletions, substitutions and swaps of neighbours (optimal string alignment).
func editDistance(a, b string) int {
	s, t := []rune(a), []rune(b)
	rows := [3][]int{make([]int, len(t)+1), make([]int, len(t)+1), make([]int, len(t)+1)}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(s); i++ {
		row, prev, prev2 := rows[i%3], rows[(i-1)%3], rows[(i+1)%3]
		row[0] = i
		for j := 1; j <= len(t); j++ {
			substitution := prev[j-1]
			if s[i-1] != t[j-1] {
				substitution++
			}
			row[j] = min(prev[j]+1, row[j-1]+1, substitution)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				row[j] = min(row[j], prev2[j-2]+1)
			}
		}
	}
	return rows[len(s)%3][len(t)]
}

// quoteList is "a", "b" or "c" for a sentence.
func quoteList(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = strconv.Quote(w)
	}
	if n := len(quoted); n > 1 {
		return strings.Join(quoted[:n-1], ", ") + " or " + quoted[n-1]
	}
	return strings.Join(quoted, "")
}
