package expr

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Indexes of texts are those of code points.

func matches(s, pattern string) (bool, error) {
	compiled, err := regexp.Compile(pattern)
	if err != nil {
		return false, NotConverted
	}
	return compiled.MatchString(s), nil
}

func charAt(s string, i int64) (string, error) {
	runes := []rune(s)
	switch {
	case i < 0 || i > int64(len(runes)):
		return "", NotConverted
	case i == int64(len(runes)):
		return "", nil
	}
	return string(runes[i]), nil
}

// substring is from start to end; an end of -1 is that of the text.
func substring(s string, start, end int64) (string, error) {
	runes := []rune(s)
	if end == -1 {
		end = int64(len(runes))
	}
	if start < 0 || start > end || end > int64(len(runes)) {
		return "", NotConverted
	}
	return string(runes[start:end]), nil
}

func indexOf(s, sub string, from int64) (int64, error) {
	runes, subRunes := []rune(s), []rune(sub)
	n := int64(len(runes))
	switch {
	case from < 0:
		return 0, NotConverted
	case sub == "":
		return min(from, n), nil
	}
	for i := from; i <= n-int64(len(subRunes)); i++ {
		if slices.Equal(runes[i:i+int64(len(subRunes))], subRunes) {
			return i, nil
		}
	}
	return -1, nil
}

func lastIndexOf(s, sub string) (int64, error) {
	n := int64(utf8.RuneCountInString(s))
	switch {
	case sub == "":
		return n, nil
	case n == 0:
		return -1, nil
	}
	return lastIndexOfFrom(s, sub, n-1)
}

func lastIndexOfFrom(s, sub string, from int64) (int64, error) {
	runes, subRunes := []rune(s), []rune(sub)
	n := int64(len(runes))
	switch {
	case from < 0:
		return 0, NotConverted
	case sub == "":
		return min(from, n), nil
	case from >= n:
		return -1, nil
	}
	for i := min(from, n-int64(len(subRunes))); i >= 0; i-- {
		if slices.Equal(runes[i:i+int64(len(subRunes))], subRunes) {
			return i, nil
		}
	}
	return -1, nil
}

func lowerASCII(s string) (string, error) {
	return strings.Map(func(r rune) rune {
		if r <= unicode.MaxASCII {
			return unicode.ToLower(r)
		}
		return r
	}, s), nil
}

func upperASCII(s string) (string, error) {
	return strings.Map(func(r rune) rune {
		if r <= unicode.MaxASCII {
			return unicode.ToUpper(r)
		}
		return r
	}, s), nil
}

func join(l list, separator string) (any, error) {
	texts := make([]string, l.size())
	for i := range texts {
		text, ok := l.at(i).(string)
		switch {
		case !ok && i == 0:
			return nil, NoSuchOverload // an overload is chosen by the first element
		case !ok:
			return nil, NotConverted
		}
		texts[i] = text
	}
	return strings.Join(texts, separator), nil
}

func quote(s string) (string, error) {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		if i := strings.IndexRune("\a\b\f\n\r\t\v\\\"", r); i >= 0 && r != utf8.RuneError {
			b.WriteByte('\\')
			b.WriteByte(`abfnrtv\"`[i])
		} else {
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String(), nil
}
