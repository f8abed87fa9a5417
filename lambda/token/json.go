package token

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	maxDepth  = 32 // levels of nesting
	maxNumber = 40 // bytes of a number
)

// decodeObject decodes a JSON object in which everything has exactly one meaning. Unlike [json.Unmarshal] it refuses
// duplicate keys and text that is not Unicode, instead of picking a key and replacing characters; and it is about twice
// as fast, which matters because next to the signature this is most of the work. Numbers become [json.Number].
//
// Package json decides what is JSON; the builder only builds values from what is known to be well-formed.
func decodeObject(data []byte) (map[string]any, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("is not UTF-8")
	}
	if !json.Valid(data) {
		return nil, errors.New("is not JSON")
	}
	b := &builder{s: string(data)}
	b.space()
	if b.s[b.i] != '{' {
		return nil, errors.New("is not a JSON object")
	}
	return b.object(1)
}

// builder builds values from well-formed JSON.
type builder struct {
	s string
	i int // where the next value begins
}

func (b *builder) value(depth int) (any, error) {
	switch b.s[b.i] {
	case '{':
		return b.object(depth)
	case '[':
		return b.array(depth)
	case '"':
		return b.string()
	case 't':
		b.i += len("true")
		return true, nil
	case 'f':
		b.i += len("false")
		return false, nil
	case 'n':
		b.i += len("null")
		return nil, nil
	default:
		return b.number()
	}
}

func (b *builder) object(depth int) (map[string]any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("is nested deeper than %d levels", maxDepth)
	}
	object := make(map[string]any)
	for more := b.open('}'); more; more = b.next('}') {
		at := b.i
		key, err := b.string()
		if err != nil {
			return nil, err
		}
		if _, ok := object[key]; ok {
			return nil, fmt.Errorf("has the same key twice, at byte %d", at)
		}
		b.space()
		b.i++ // the colon
		b.space()
		if object[key], err = b.value(depth + 1); err != nil {
			return nil, err
		}
	}
	return object, nil
}

func (b *builder) array(depth int) ([]any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("is nested deeper than %d levels", maxDepth)
	}
	array := []any{}
	for more := b.open(']'); more; more = b.next(']') {
		element, err := b.value(depth + 1)
		if err != nil {
			return nil, err
		}
		array = append(array, element)
	}
	return array, nil
}

// open moves past an opening bracket, to the first element. It reports whether there is one.
func (b *builder) open(end byte) bool {
	b.i++
	b.space()
	if b.s[b.i] == end {
		b.i++
		return false
	}
	return true
}

// next moves past an element and what follows it, to the next element. It reports whether there is one.
func (b *builder) next(end byte) bool {
	b.space()
	b.i++ // a comma or the closing bracket
	if b.s[b.i-1] == end {
		return false
	}
	b.space()
	return true
}

func (b *builder) space() {
	for b.i < len(b.s) && strings.IndexByte(" \t\r\n", b.s[b.i]) >= 0 {
		b.i++
	}
}

func (b *builder) number() (json.Number, error) {
	start := b.i
	for strings.IndexByte("+-.0123456789Ee", b.s[b.i]) >= 0 {
		b.i++
	}
	number := b.s[start:b.i]
	if _, err := strconv.ParseFloat(number, 64); err != nil || len(number) > maxNumber {
		return "", fmt.Errorf("has a number too large or too long, at byte %d", start)
	}
	return json.Number(number), nil
}

func (b *builder) string() (string, error) {
	b.i++ // the opening quote
	start := b.i
	for b.s[b.i] != '"' {
		if b.s[b.i] == '\\' {
			return b.escaped(start)
		}
		b.i++
	}
	b.i++
	return b.s[start : b.i-1], nil
}

// escaped is the rest of string for a string that began at start and has its first escape here.
func (b *builder) escaped(start int) (string, error) {
	var text strings.Builder
	text.WriteString(b.s[start:b.i])
	for ; b.s[b.i] != '"'; b.i++ {
		if b.s[b.i] != '\\' {
			text.WriteByte(b.s[b.i])
			continue
		}
		b.i++
		if b.s[b.i] != 'u' {
			text.WriteByte(unescape[b.s[b.i]])
			continue
		}
		r := b.hex()
		if utf16.IsSurrogate(r) {
			second := rune(-1)
			if strings.HasPrefix(b.s[b.i+1:], `\u`) {
				b.i += len(`\u`)
				second = b.hex()
			}
			if r = utf16.DecodeRune(r, second); r == utf8.RuneError {
				return "", fmt.Errorf("has half a character, at byte %d", b.i)
			}
		}
		text.WriteRune(r)
	}
	b.i++
	return text.String(), nil
}

// unescape is what a letter after a backslash stands for.
var unescape = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// hex reads the four digits after a u and moves to the last of them.
func (b *builder) hex() rune {
	n, _ := strconv.ParseUint(b.s[b.i+1:b.i+5], 16, 32)
	b.i += 4
	return rune(n)
}
